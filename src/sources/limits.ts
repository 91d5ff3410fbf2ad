/** A limit, and where it was found: for the start line and `--explain`. */
export interface Limit {
  readonly value: number;
  readonly from: string;
}

/** Limits of an ECS task, which no file inside a container shows. */
export interface TaskLimits {
  /** vCPU; absent where the task has no limit. */
  readonly cores?: number;
  readonly bytes?: number;
}

/** A level with the limit that was found there. */
export interface Limited<Level> extends Limit {
  readonly level: Level;
}

/** Limits change in place (docker update, Kubernetes' resize), and containers come and go. */
export const RESCAN_MS = 10_000;

/** What a scan finds, renewed when it is older than {@link RESCAN_MS}. */
export function rescanned<Found>(scan: () => Found): (nowMs: number) => Found {
  let found = scan();
  let scannedMs: number | undefined;
  return (nowMs) => {
    scannedMs ??= nowMs;
    if (nowMs - scannedMs >= RESCAN_MS) {
      found = scan();
      scannedMs = nowMs;
    }
    return found;
  };
}

/** `task metadata` where a task has a limit. */
export function taskLimit(value: number = Number.POSITIVE_INFINITY): Limit {
  return { value, from: 'task metadata' };
}

/** The smallest of some limits, the first where several are equal. */
export function tightest(first: Limit, ...more: readonly Limit[]): Limit {
  return more.reduce((least, limit) => (limit.value < least.value ? limit : least), first);
}

/** `cpu.limit=0.5 (cpu.max)`, a word of the start line. */
export function coresText({ value, from }: Limit): string {
  return `cpu.limit=${Math.round(value * 1000) / 1000} (${from})`;
}

const MEBIBYTE = 1024 * 1024;

/** `mem.limit=256MiB (memory.max)` */
export function bytesText({ value, from }: Limit): string {
  return `mem.limit=${Math.round((value / MEBIBYTE) * 10) / 10}MiB (${from})`;
}
