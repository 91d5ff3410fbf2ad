import type { Clock } from '../clock.ts';
import type { Figures } from '../metrics/figures.ts';
import { type Totals, totalsOf } from './facts.ts';
import { Folds } from './folds.ts';
import { type Tallied, Tally } from './tally.ts';

/** What a run is watched by, beside its samples. Nothing of it throws. */
export interface Watched {
  readonly read: () => Totals;
  /** The kernel's own peak of memory. */
  readonly peakBytes: () => number;
  readonly swapBytes: () => number;
  /** The largest processes, until time is over. */
  readonly largest: (isTimeOver: () => boolean) => readonly LargeProcess[];
}

export interface LargeProcess {
  readonly name: string;
  readonly bytes: number;
}

/** A look at all processes costs 5 ms where there are 500. */
const LARGEST_EVERY_MS = 1000;
const LARGEST_MOST_MS = 5;
const PEAK_EVERY_MS = 1000;

/** Keeps what the receipt and the report say of a run, in a constant amount of memory. */
export class Recorder {
  readonly #watched: Watched;
  readonly #clock: Clock;
  readonly #tally = new Tally();
  readonly folds: Folds;
  readonly #first: Totals;
  #largest: readonly LargeProcess[] = [];
  #largestMs = Number.NEGATIVE_INFINITY;
  #peak = { value: Number.NaN, atMs: Number.NaN };
  #swapPeak = Number.NaN;
  #peakMs = Number.NEGATIVE_INFINITY;

  /**
   * @param startMs wall-clock milliseconds of the run's beginning
   * @param first what counters are known to have begun with, whatever they are now
   */
  constructor(watched: Watched, clock: Clock, startMs: number, first: Partial<Totals> = {}) {
    this.#watched = watched;
    this.#clock = clock;
    this.folds = new Folds(startMs);
    this.#first = { ...watched.read(), ...first };
  }

  readonly add = (figures: Figures, wallMs: number): void => {
    const nowMs = this.#clock.monoMs();
    this.folds.add(figures, wallMs);
    const isPeak = this.#tally.add(figures, wallMs);
    if (isPeak && nowMs - this.#largestMs >= LARGEST_EVERY_MS) {
      this.#largestMs = nowMs;
      const isTimeOver = (): boolean => this.#clock.monoMs() - nowMs > LARGEST_MOST_MS;
      this.#largest = this.#watched.largest(isTimeOver);
    }
    if (nowMs - this.#peakMs >= PEAK_EVERY_MS) this.#lookAtPeak(nowMs, wallMs);
  };

  /** All of it, at the end. */
  result(): {
    readonly tallied: Tallied;
    readonly totals: Totals;
    readonly largest: readonly LargeProcess[];
    readonly kernelPeak: { readonly value: number; readonly atMs: number };
    readonly swapPeakBytes: number;
  } {
    this.#lookAtPeak(this.#clock.monoMs(), this.#clock.wallMs());
    const [first, last] = [this.#first, this.#watched.read()];
    return {
      tallied: this.#tally.result,
      totals: totalsOf((name) => {
        // A device that was not counted yet at the start has been counted from 0.
        return last[name] - (name.startsWith('block') ? first[name] || 0 : first[name]);
      }),
      largest: this.#largest,
      kernelPeak: this.#peak,
      swapPeakBytes: this.#swapPeak,
    };
  }

  #lookAtPeak(nowMs: number, wallMs: number): void {
    this.#peakMs = nowMs;
    const swap = this.#watched.swapBytes();
    if (swap > (this.#swapPeak || 0) || Number.isNaN(this.#swapPeak)) this.#swapPeak = swap;
    const value = this.#watched.peakBytes();
    if (!Number.isNaN(value) && value !== this.#peak.value) this.#peak = { value, atMs: wallMs };
  }
}
