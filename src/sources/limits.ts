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

/** `task metadata` where a task has a limit. */
export function taskLimit(value: number = Number.POSITIVE_INFINITY): Limit {
  return { value, from: 'task metadata' };
}

/** What somebody outside said, since nobody inside can see it. */
export function saidCores({ saidCores: value }: SourceOptions): Limit {
  return { value: value ?? Number.POSITIVE_INFINITY, from: '--cpu-limit' };
}

export function saidBytes({ saidBytes: value }: SourceOptions): Limit {
  return { value: value ?? Number.POSITIVE_INFINITY, from: '--memory-limit' };
}

/** A limit that is not known is none. */
export function knownLimit(value: number, from: string): Limit {
  return { value: Number.isNaN(value) ? Number.POSITIVE_INFINITY : value, from };
}

/** The smallest of some limits, the first where several are equal. */
export function tightest(first: Limit, ...more: readonly Limit[]): Limit {
  return more.reduce((least, limit) => (limit.value < least.value ? limit : least), first);
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
