import type { Fill, Series } from '../metrics/reading.ts';

/**
 * What counts as memory in use.
 * - `workingset`: what cannot be had back at once, as free, kubelet and docker stats reckon.
 * - `usage`: page cache included, what the kernel's OOM killer looks at.
 * - `free-cache`: without buffers, page cache and slabs, tmpfs included in what is free.
 */
export const MEMORY_MODES = ['workingset', 'usage', 'free-cache'] as const;
export type MemoryMode = (typeof MEMORY_MODES)[number];

/** What is 100 % of CPU: the tightest limit, or all CPUs of the host. */
export const CPU_BASES = ['limit', 'host'] as const;
export type CpuBase = (typeof CPU_BASES)[number];

/** What this very process costs. */
export interface OwnUse {
  readonly cpuUsec: number;
  readonly residentBytes: number;
  /** Memory that is nobody else's; NaN where that cannot be told. */
  readonly anonymousBytes: number;
}

export interface SourceOptions {
  readonly memoryMode: MemoryMode;
  readonly cpuBase: CpuBase;
  /** Takes the agent's own CPU time and anonymous memory out. */
  readonly excludeSelf: boolean;
  /** What will be published, so that nothing else is read. */
  readonly wanted: ReadonlySet<Series>;
  readonly ownUse: () => OwnUse;
}

/** Memory in use, with `--exclude-self` without the agent's own. */
export function lessOwn({ used, limit }: Fill, { excludeSelf, ownUse }: SourceOptions): Fill {
  if (!excludeSelf) return { used, limit };
  const { anonymousBytes } = ownUse();
  const less = Number.isNaN(anonymousBytes) ? 0 : anonymousBytes;
  return { used: Math.max(0, used - less), limit };
}
