import type { SourceOptions } from './options.ts';

/** A limit, and where it was found: for the start line and `--explain`. */
export interface Limit {
  /** Infinity where there is none. */
  readonly value: number;
  readonly from: string;
}

/** Limits of an ECS task, which no file inside a container shows. */
export interface TaskLimits {
  /** vCPU; undefined where the task has no limit. */
  readonly cores?: number | undefined;
  readonly bytes?: number | undefined;
}

/** Limits change in place (docker update, Kubernetes' resize), and containers come and go. */
export const RESCAN_MS = 10_000;

/** Version 1 writes about 2^63 for no limit; no machine has as much as this. */
export const NO_LIMIT_BYTES: number = 2 ** 60;

/** A limit that is not known is none. */
export function knownLimit(value: number, from: string): Limit {
  return { value: Number.isNaN(value) ? Number.POSITIVE_INFINITY : value, from };
}

/** The smallest of some limits, the first where several are equal. */
export function tightest(first: Limit, ...more: readonly Limit[]): Limit {
  return more.reduce((least, limit) => (limit.value < least.value ? limit : least), first);
}

/** Cores that are 100 %: the tightest limit of all that are seen and said; those online by `--cpu-base host`. */
export function coresLimit(
  options: SourceOptions,
  task: TaskLimits,
  online: number,
  ...seen: Limit[]
): Limit {
  const all = knownLimit(online, 'online CPUs');
  if (options.cpuBase === 'host') return all;
  return tightest(all, ...seen, ...unseen(task.cores, options.saidCores, '--cpu-limit'));
}

/** The tightest of all limits on memory. */
export function bytesLimit(
  options: SourceOptions,
  task: TaskLimits,
  total: number,
  ...seen: Limit[]
): Limit {
  const all = knownLimit(total, 'MemTotal');
  return tightest(all, ...seen, ...unseen(task.bytes, options.saidBytes, '--memory-limit'));
}

/** What no file shows: the task's limit, and what somebody outside said. */
function unseen(
  task = Number.POSITIVE_INFINITY,
  said = Number.POSITIVE_INFINITY,
  flag: string,
): Limit[] {
  return [
    { value: task, from: 'task metadata' },
    { value: said, from: flag },
  ];
}

/** `cpu.limit=0.5 (cpu.max)`, a word of the start line. */
export function coresText({ value, from }: Limit): string {
  return Number.isFinite(value)
    ? `cpu.limit=${Math.round(value * 1000) / 1000} (${from})`
    : 'cpu.limit=unknown';
}

const MEBIBYTE = 1024 * 1024;

/** `mem.limit=256MiB (memory.max)` */
export function bytesText({ value, from }: Limit): string {
  return Number.isFinite(value)
    ? `mem.limit=${Math.round((value / MEBIBYTE) * 10) / 10}MiB (${from})`
    : 'mem.limit=unknown';
}
