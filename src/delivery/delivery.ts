// Over 200 lines: what is on its way and what waits must agree at each step.

import type { Outbox } from './outbox.ts';
import { Pace, type PaceOptions } from './pace.ts';
import type { WaitingWindow } from './packing.ts';
import type { Limits } from './service.ts';
import type { PendingWindow, Removed } from './store.ts';
import { mayHaveArrived, type Verdict } from './verdict.ts';

/** Why a window left without having been delivered. */
export type Loss = 'refused' | 'too old' | 'no room';

/** What happens to windows, for whoever counts, tells and keeps them on disk. */
export interface Bookkeeper {
  delivered(removed: Removed): void;
  lost(removed: Removed, why: Loss): void;
  /** Some of a window's datums are settled, others still wait. */
  partly(window: PendingWindow): void;
  /** Datums that the service will not take. */
  setAside(datums: number): void;
}

export interface DeliveryOptions extends PaceOptions {
  readonly limits: Limits;
  readonly outbox: Outbox;
  readonly bookkeeper: Bookkeeper;
}

/** What is to be done now. Instants are monotonic milliseconds. */
export type Step =
  /** Nothing waits. */
  | { readonly kind: 'idle' }
  | { readonly kind: 'wait'; readonly untilMs: number }
  | { readonly kind: 'send'; readonly batch: readonly PendingWindow[]; readonly timeoutMs: number }
  /** After {@link Delivery.flush}: nothing more will be sent. */
  | { readonly kind: 'over' };

const ATTEMPT_MS = 10_000;
/** Less is not worth a try: a handshake alone takes that. */
const LEAST_ATTEMPT_MS = 100;
const MOST_DENIALS = 2;

/**
 * Which windows go when, and what an answer means for them. It does nothing itself: whoever drives it
 * says what time it is, sends what it is told to and says what came of that.
 */
export class Delivery {
  readonly #outbox: Outbox;
  readonly #bookkeeper: Bookkeeper;
  readonly #pace: Pace;
  #flight: readonly PendingWindow[] | undefined;
  /** Of these the ones that nobody has seen before. */
  #fresh: readonly PendingWindow[] = [];
  /** Dropped for want of room while on their way: the answer decides whether they are lost. */
  #limbo: Removed[] = [];
  readonly #limits: Limits;
  #mostDatums: number;
  /** The service has taken something since it last refused something without saying what: it is not all that it refuses. */
  #isTaking = false;
  #deadlineMs: number | undefined;
  /** Since the flush began. */
  #denials = 0;
  #isOver = false;

  constructor(options: DeliveryOptions) {
    this.#outbox = options.outbox;
    this.#bookkeeper = options.bookkeeper;
    this.#limits = options.limits;
    this.#mostDatums = options.limits.maxDatums;
    this.#pace = new Pace(options, options.limits.maxHintMs);
  }

  /** Where in the period this process publishes. */
  get offsetMs(): number {
    return this.#pace.offsetMs;
  }

  /** @param agoMs how long ago the window's end was */
  accept(window: WaitingWindow, publicationId: number, nowMs: number, agoMs: number): void {
    const isFirst = this.#outbox.windows === 0;
    for (const removed of this.#outbox.push(window, publicationId, nowMs)) {
      if (this.#flight?.some(({ id }) => id === removed.id)) this.#limbo.push(removed);
      else this.#bookkeeper.lost(removed, 'no room');
    }
    this.#pace.closed(nowMs, agoMs, isFirst);
  }

  /** What to do at an instant. After `send` the next question is {@link answered}. */
  next(nowMs: number): Step {
    for (const removed of this.#outbox.expire(nowMs - this.#limits.maxAgeMs)) {
      this.#bookkeeper.lost(removed, 'too old');
    }
    const isFlush = this.#deadlineMs !== undefined;
    const leftMs = (this.#deadlineMs ?? Number.POSITIVE_INFINITY) - nowMs;
    if (this.#isOver || leftMs < LEAST_ATTEMPT_MS) return { kind: 'over' };
    if (this.#outbox.windows === 0) return { kind: isFlush ? 'over' : 'idle' };
    const { atMs } = this.#pace;
    // What would come too late to be tried is not waited for.
    if (isFlush && atMs > nowMs + leftMs - LEAST_ATTEMPT_MS) return { kind: 'over' };
    if (nowMs < atMs) return { kind: 'wait', untilMs: atMs };
    this.#flight = this.#outbox.batch(this.#mostDatums);
    this.#fresh = this.#outbox.markSeen(this.#flight);
    // An attempt that hangs leaves time for another one.
    const timeoutMs = Math.min(ATTEMPT_MS, Math.max(LEAST_ATTEMPT_MS, leftMs / 2));
    return { kind: 'send', batch: this.#flight, timeoutMs };
  }

  /** So many datums of the batch are on their way: what a request holds. */
  trim(datums: number): void {
    let room = datums;
    const flight: PendingWindow[] = [];
    for (const window of this.#flight ?? []) {
      const data = window.data.slice(0, room);
      if (data.length > 0) {
        flight.push({ ...window, data, indexes: window.indexes.slice(0, data.length) });
      }
      room -= data.length;
    }
    this.#flight = flight;
    // What was dropped before it could be under way is lost, whatever the answer is.
    const isUnderWay = (removed: Removed): boolean => flight.some(({ id }) => id === removed.id);
    for (const removed of this.#limbo.filter((one) => !isUnderWay(one))) {
      this.#bookkeeper.lost(removed, 'no room');
    }
    this.#limbo = this.#limbo.filter(isUnderWay);
  }

  /** What came of the request that was on its way. */
  answered(verdict: Verdict, nowMs: number): void {
    const flight = this.#flight ?? [];
    this.#flight = undefined;
    // Those that did not fit into the request have not been seen, either.
    const isUnderWay = ({ id }: PendingWindow): boolean => flight.some((one) => one.id === id);
    const isGone = mayHaveArrived(verdict);
    this.#outbox.markUnseen(this.#fresh.filter((window) => !(isGone && isUnderWay(window))));
    const rejected = verdict.rejected ?? 0;
    // One that takes none of it has refused it.
    const isTaken = verdict.kind === 'accepted' && (rejected === 0 || rejected < datumsOf(flight));
    if (verdict.kind === 'accepted') this.#taken(flight, nowMs, isTaken, rejected);
    else this.#notTaken(verdict, flight, nowMs);
    for (const removed of this.#limbo.splice(0)) {
      if (isTaken) this.#bookkeeper.delivered({ ...removed, isDelivered: true });
      else this.#bookkeeper.lost(removed, 'no room');
    }
  }

  /** What waits is to go now. */
  hurry(nowMs: number): void {
    this.#pace.soon(nowMs);
  }

  /** All that waits is to go now, until a deadline. */
  flush(nowMs: number, deadlineMs: number): void {
    this.#deadlineMs = deadlineMs;
    this.#pace.hurry(nowMs);
  }

  #taken(
    flight: readonly PendingWindow[],
    nowMs: number,
    isTaken: boolean,
    rejected: number,
  ): void {
    if (isTaken) {
      for (const window of flight) this.#settle(window, new Set(window.indexes), true);
      if (rejected > 0) this.#bookkeeper.setAside(rejected);
    } else this.#setAside(flight);
    this.#mostDatums = Math.min(this.#limits.maxDatums, this.#mostDatums * 2);
    this.#isTaking = true;
    this.#pace.succeeded(nowMs, this.#outbox.windows > 0);
  }

  #notTaken(verdict: Verdict, flight: readonly PendingWindow[], nowMs: number): void {
    const { kind, members, waitMs } = verdict;
    const datums = datumsOf(flight);
    const named = members.filter((member) => member <= datums);
    if (kind === 'invalid' && named.length > 0) this.#setAside(flight, new Set(named));
    else if ((kind === 'invalid' || kind === 'tooLarge') && flight.length > 1) {
      this.#halve(datums);
    } else if (kind === 'tooLarge' && datums > 1) this.#halve(datums);
    else if ((kind === 'invalid' || kind === 'tooLarge') && this.#isTaking) {
      this.#setAside(flight);
    } else if (kind !== 'accepted') {
      const isRefused = kind === 'invalid' || kind === 'tooLarge';
      const trouble = isRefused ? 'denied' : kind;
      // What a person would have to mend within seconds is not asked for again and again.
      if (trouble === 'denied' && this.#deadlineMs !== undefined) this.#denials += 1;
      if (this.#denials >= MOST_DENIALS) this.#isOver = true;
      this.#pace.failed(trouble, nowMs, waitMs);
    }
  }

  /** The next requests are smaller, until one is taken. */
  #halve(datums: number): void {
    if (this.#mostDatums === this.#limits.maxDatums) this.#isTaking = false;
    this.#mostDatums = Math.ceil(datums / 2);
  }

  /** Gives up datums that will be refused again. @param members their numbers in the request, from 1 */
  #setAside(flight: readonly PendingWindow[], members?: ReadonlySet<number>): void {
    let member = 0;
    for (const window of flight) {
      const indexes = window.indexes.filter(() => {
        member += 1;
        return members?.has(member) ?? true;
      });
      if (indexes.length === 0) continue;
      this.#bookkeeper.setAside(indexes.length);
      this.#settle(window, new Set(indexes), false);
    }
  }

  #settle(window: PendingWindow, indexes: ReadonlySet<number>, isDelivered: boolean): void {
    const removed = this.#outbox.settle(window, indexes, isDelivered);
    if (removed?.isDelivered === true) this.#bookkeeper.delivered(removed);
    else if (removed !== undefined) this.#bookkeeper.lost(removed, 'refused');
    else if (!this.#limbo.some(({ id }) => id === window.id)) this.#bookkeeper.partly(window);
  }
}

function datumsOf(flight: readonly PendingWindow[]): number {
  return flight.reduce((sum, { data }) => sum + data.length, 0);
}
