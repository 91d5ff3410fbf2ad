import type { Clock } from '../clock.ts';

/** An instant by both clocks: the monotonic one stops while the machine is suspended, the other is set. */
export interface Instant {
  readonly monoMs: number;
  readonly wallMs: number;
}

export function instantOf(clock: Clock): Instant {
  return { monoMs: clock.monoMs(), wallMs: clock.wallMs() };
}

/** Milliseconds that may have passed since then, by whichever clock says more; endless where it never was. */
export function elapsedSince(clock: Clock, instant: Instant | undefined): number {
  if (instant === undefined) return Number.POSITIVE_INFINITY;
  return Math.max(clock.monoMs() - instant.monoMs, clock.wallMs() - instant.wallMs);
}
