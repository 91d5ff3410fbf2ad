/** What became of the windows, since the start. */
export interface Outcome {
  readonly sent: number;
  /** Left on disk, for the next process. */
  readonly spooled: number;
  readonly lost: number;
  /** Of those the ones that the end cost. */
  readonly lostAtEnd: number;
  /** What that was, where it did not go: the windows' span on the wall clock, and what was in the way. */
  readonly loss?: {
    readonly fromMs: number;
    readonly toMs: number;
    readonly reason: string;
    /** Where a spool is none. */
    readonly remedy?: string;
  };
  /** A file system does not answer, and holds a thread by that: only SIGKILL ends the process. */
  readonly isStuck: boolean;
}

/** What the sentence about the end depends on, beside what became of the windows. */
export interface Ending {
  readonly periodMs: number;
  /** The time that there was. */
  readonly flushTimeoutMs: number;
  readonly spool: string | undefined;
}

const MINUTE_MS = 60_000;

/** What the end cost, why, and what would have kept it. */
export function lossLine({ loss, lostAtEnd }: Outcome, ending: Ending): string {
  const { periodMs, flushTimeoutMs, spool } = ending;
  const seconds = Math.round(flushTimeoutMs / 100) / 10;
  const reason = loss === undefined ? '' : ` (${loss.reason})`;
  const remedy =
    loss?.remedy ??
    (spool === undefined
      ? '--spool DIR would have kept it'
      : 'it was not on disk either: see what was said of the spool');
  return `stopped: ${spanOf(loss, lostAtEnd, periodMs)} could not be sent within ${seconds} s${reason}; ${remedy}`;
}

function spanOf(loss: Outcome['loss'], windows: number, periodMs: number): string {
  const noun = periodMs === MINUTE_MS ? 'minute' : 'window';
  if (loss === undefined) return `${windows} ${noun}s`;
  const at = (ms: number): string =>
    new Date(ms).toISOString().slice(11, periodMs % MINUTE_MS === 0 ? 16 : 19);
  if (windows === 1) return `the ${noun} ${at(loss.fromMs)} UTC`;
  return `${windows} ${noun}s from ${at(loss.fromMs)} to ${at(loss.toMs)} UTC`;
}
