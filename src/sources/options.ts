import type { Series } from '../metrics/figures.ts';

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
export interface SelfUsage {
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
  readonly selfUsage: () => SelfUsage;
  /** Limits that nobody inside can see (`--cpu-limit`, `--memory-limit`); the tightest counts. */
  readonly saidCores?: number | undefined;
  readonly saidBytes?: number | undefined;
}

/** Bytes in use, with `--exclude-self` without the agent's own. */
export function withoutSelf(used: number, { excludeSelf, selfUsage }: SourceOptions): number {
  if (!excludeSelf) return used;
  const { anonymousBytes } = selfUsage();
  return Number.isNaN(anonymousBytes) ? used : Math.max(0, used - anonymousBytes);
}
