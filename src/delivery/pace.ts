export interface PaceOptions {
  readonly periodMs: number;
  /** The first offset in the period is drawn from 0 to this. */
  readonly jitterMs: number;
  /** Uniform, 0 up to but without 1. */
  readonly random: () => number;
}

/** Why a request came to nothing, as far as that matters for the next one. */
export type Trouble = 'retry' | 'throttled' | 'unready' | 'denied';

/** Bases and caps of a back-off that doubles with each failure in a row. `denied` waits for a person. */
const BACKOFF = {
  unready: { firstMs: 1000, lastMs: 60_000 },
  denied: { firstMs: 30_000, lastMs: 300_000 },
} as const;
/**
 * The first two retries come at once, as in the SDKs' standard mode, against a bad moment. Those after
 * them follow the period, from a quarter of it to twice: against an outage, which a fleet must not turn
 * into a storm.
 */
const QUICK = { retries: 2, firstMs: 50 };
const SLOW = { firstPart: 0.25, lastPart: 2, lastLeastMs: 5000, lastMostMs: 300_000 };
/** When the process is to end, everything is tried again soon. */
const HURRIED = { firstMs: 50, lastMs: 1000 };
/** As in the SDKs: what may be spent on retries, what one costs, what a success without one gives. */
const BUDGET = { full: 500, retry: 14, gain: 1 };
/** Between requests that clear a backlog. */
const DRAIN_MS = 1000;
/** A process that is throttled again and again leaves out whole periods as well: of so many it takes one. */
const SKIPPED = { periods: 4, mostMs: 600_000 };

/** When the next request goes. All instants are monotonic milliseconds. */
export class Pace {
  readonly #options: PaceOptions;
  readonly #maxHintMs: number;
  /** This process's own place in the period, so that a fleet does not publish in one second. */
  #offsetMs: number;
  /** An instant at which a window ended. */
  #boundaryMs = 0;
  #atMs = 0;
  #failures = 0;
  #budget = BUDGET.full;
  #isHurried = false;

  /** @param maxHintMs a service's own wish lengthens a wait by so much at most */
  constructor(options: PaceOptions, maxHintMs: number) {
    this.#options = options;
    this.#maxHintMs = maxHintMs;
    this.#offsetMs = options.random() * options.jitterMs;
  }

  /** From when on a request may go. */
  get atMs(): number {
    return this.#atMs;
  }

  /** Where in the period this process publishes. */
  get offsetMs(): number {
    return this.#offsetMs;
  }

  /**
   * A window has closed.
   *
   * @param agoMs how long ago its end was
   * @param isFirst nothing else waits, so that its own offset decides when it goes
   */
  closed(nowMs: number, agoMs: number, isFirst: boolean): void {
    this.#boundaryMs = nowMs - agoMs;
    if (isFirst && this.#failures === 0) {
      const waitMs = this.#offsetMs - agoMs;
      this.#atMs = nowMs + Math.min(Math.max(0, waitMs), this.#offsetMs);
    }
  }

  /** @param isMore something else waits */
  succeeded(nowMs: number, isMore: boolean): void {
    const gain = this.#failures === 0 ? BUDGET.gain : BUDGET.retry;
    this.#budget = Math.min(BUDGET.full, this.#budget + gain);
    this.#failures = 0;
    this.#atMs = nowMs;
    if (isMore && !this.#isHurried) this.#atMs += this.#options.random() * DRAIN_MS;
  }

  /** @param hintMs what the service asks to wait for at least */
  failed(trouble: Trouble, nowMs: number, hintMs = 0): void {
    this.#failures += 1;
    if (this.#isHurried) {
      this.#atMs = nowMs + this.#options.random() * grown(HURRIED, this.#failures);
    } else {
      const waitMs = trouble === 'throttled' ? this.#elsewhere(nowMs) : this.#backOff(trouble);
      this.#atMs = nowMs + Math.max(waitMs, Math.min(hintMs, waitMs + this.#maxHintMs));
    }
  }

  /** Nothing is waited for any more. */
  soon(nowMs: number): void {
    this.#atMs = Math.min(this.#atMs, nowMs);
  }

  hurry(nowMs: number): void {
    this.#isHurried = true;
    this.#failures = 0;
    this.#atMs = nowMs;
  }

  #backOff(trouble: Exclude<Trouble, 'throttled'>): number {
    const { random, periodMs } = this.#options;
    if (trouble !== 'retry') return grown(BACKOFF[trouble], this.#failures) * (1 - random() / 2);
    const { retries, firstMs } = QUICK;
    if (this.#failures <= retries && this.#budget >= BUDGET.retry) {
      this.#budget -= BUDGET.retry;
      return random() * grown({ firstMs, lastMs: Number.POSITIVE_INFINITY }, this.#failures);
    }
    const { firstPart, lastPart, lastLeastMs, lastMostMs } = SLOW;
    const lastMs = Math.max(lastLeastMs, Math.min(periodMs * lastPart, lastMostMs));
    const slow = { firstMs: Math.min(periodMs * firstPart, lastMs), lastMs };
    return random() * grown(slow, Math.max(1, this.#failures - retries));
  }

  /**
   * A fleet that is too big for its quarter of the period spreads itself: who is throttled draws an
   * offset from the whole of it, keeps that, and comes again then.
   */
  #elsewhere(nowMs: number): number {
    const { random, periodMs } = this.#options;
    this.#offsetMs = random() * periodMs;
    const intoPeriodMs = (((nowMs - this.#boundaryMs) % periodMs) + periodMs) % periodMs;
    const waitMs = (this.#offsetMs - intoPeriodMs + periodMs) % periodMs;
    const room = Math.min(SKIPPED.periods, Math.max(1, SKIPPED.mostMs / periodMs));
    const most = Math.min(2 ** (this.#failures - 1), room);
    return waitMs + Math.floor(random() * most) * periodMs;
  }
}

/** @param failures in a row, from 1 */
function grown({ firstMs, lastMs }: { firstMs: number; lastMs: number }, failures: number): number {
  return Math.min(lastMs, firstMs * 2 ** (failures - 1));
}
