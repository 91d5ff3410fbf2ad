import type { System } from './advice.ts';
import type { Tallied } from './tally.ts';

export type RunOutcome = 'succeeded' | 'failed' | 'stopped' | 'notStarted';

/** Counters over a whole run; NaN for what is not counted here. */
export interface Totals {
  readonly cpuSeconds: number;
  /** Periods of a CPU quota, and those in which it ran out. */
  readonly periods: number;
  readonly throttled: number;
  readonly oomKills: number;
  readonly blockRead: number;
  readonly blockWritten: number;
  readonly networkReceived: number;
  readonly networkTransmitted: number;
}

/** Each of them, by its name. */
export function totalsOf(of: (name: keyof Totals) => number): Totals {
  return {
    cpuSeconds: of('cpuSeconds'),
    periods: of('periods'),
    throttled: of('throttled'),
    oomKills: of('oomKills'),
    blockRead: of('blockRead'),
    blockWritten: of('blockWritten'),
    networkReceived: of('networkReceived'),
    networkTransmitted: of('networkTransmitted'),
  };
}

/** Everything that a receipt is made of, as plain values; NaN for what is not known. */
export interface RunFacts extends Totals {
  /** argv[0] alone: arguments may hold secrets. */
  readonly command: string;
  readonly startMs: number;
  readonly durationMs: number;
  readonly exitCode: number | undefined;
  readonly signal: string | undefined;
  /** Somebody had sent the signal that ended it. */
  readonly wasAsked: boolean;
  readonly isNotStarted: boolean;
  readonly system: System;
  /** `container`, `host`, `task`; empty where nothing was measured. */
  readonly scope: string;
  readonly tallied: Tallied | undefined;
  readonly kernelPeak: { readonly value: number; readonly atMs: number };
  readonly swapPeakBytes: number;
  /** The level whose limit was reached. */
  readonly oomLevel: { readonly folder: string; readonly limitBytes: number } | undefined;
  /** At the highest reading of held memory. */
  readonly largest: readonly { readonly name: string; readonly bytes: number }[];
  readonly windowsSent: number;
  readonly windowsSpooled: number;
  readonly windowsLost: number;
}

const KILLED = 137;

/** @see RunOutcome: a signal that was asked for is no failure, an exit code other than 0 is. */
export function outcomeOf(facts: RunFacts): RunOutcome {
  if (facts.isNotStarted) return 'notStarted';
  if (facts.signal !== undefined && facts.wasAsked) return 'stopped';
  // A run without a job has none.
  return (facts.exitCode ?? 0) === 0 && facts.signal === undefined ? 'succeeded' : 'failed';
}

/** 0 or 1, as the metric JobFailures has it. */
export function failuresOf(facts: RunFacts): number {
  const outcome = outcomeOf(facts);
  return outcome === 'failed' || outcome === 'notStarted' ? 1 : 0;
}

/** Ended by SIGKILL (or what it ran was) while the kernel killed for want of memory. */
export function isOomKilled({ exitCode, signal, oomKills }: RunFacts): boolean {
  return (signal === 'SIGKILL' || exitCode === KILLED) && oomKills > 0;
}
