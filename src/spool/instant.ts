import type { Clock } from '../clock.ts';

/** An instant by both clocks: the monotonic one stops while the machine is suspended, the other is set. */
export interface Moment {
  readonly monoMs: number;
  readonly wallMs: number;
}

export function momentOf(clock: Clock): Moment {
  return { monoMs: clock.monoMs(), wallMs: clock.wallMs() };
}

/** Milliseconds that may have passed since then, by whichever clock says more; endless where it never was. */
export function since(clock: Clock, moment: Moment | undefined): number {
  if (moment === undefined) return Number.POSITIVE_INFINITY;
  return Math.max(clock.monoMs() - moment.monoMs, clock.wallMs() - moment.wallMs);
}
