// Over 200 lines: what is on its way and what waits must agree at each step.

import type { Verdict } from '../cloudwatch/judge.ts';
import { MAX_DATUMS } from '../cloudwatch/limits.ts';
import type { Adopted, Gone, Outbox, Piece } from './outbox.ts';
import { Pace, type PaceOptions } from './pace.ts';
import type { WaitingWindow } from './packing.ts';

/** Why a window left without having been delivered. */
export type Loss = 'refused' | 'too old' | 'no room';

/** What happens to windows, for whoever counts, tells and keeps them on disk. */
export interface Bookkeeper {
  delivered(gone: Gone): void;
  lost(gone: Gone, why: Loss): void;
  /** Some of a window's datums are settled, others still wait. */
  partly(piece: Piece): void;
  /** Datums that the service will not take. */
  setAside(datums: number): void;
}

export interface DeliveryOptions extends PaceOptions {
  readonly outbox: Outbox;
  readonly bookkeeper: Bookkeeper;
}

/** What is to be done now. Instants are monotonic milliseconds. */
export type Step =
  /** Nothing waits. */
  | { readonly kind: 'idle' }
  | { readonly kind: 'wait'; readonly untilMs: number }
  | { readonly kind: 'send'; readonly batch: readonly Piece[]; readonly timeoutMs: number }
  /** After {@link Delivery.flush}: nothing more will be sent. */
  | { readonly kind: 'over' };

/**
 * CloudWatch takes what is up to two weeks old; two hours are left for the way there.
 *
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html
 */
export const MOST_AGE_MS: number = (13 * 24 + 22) * 3_600_000;
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
  #flight: readonly Piece[] | undefined;
  /** Dropped for want of room while on their way: the answer decides whether they are lost. */
  #limbo: Gone[] = [];
  #mostDatums = MAX_DATUMS;
  /** The service has taken something since it last refused something without saying what: it is not all that it refuses. */
  #isTaking = false;
  #deadlineMs: number | undefined;
  /** Since the flush began. */
  #denials = 0;
  #isOver = false;

  constructor(options: DeliveryOptions) {
    this.#outbox = options.outbox;
    this.#bookkeeper = options.bookkeeper;
    this.#pace = new Pace(options);
  }

  /** Where in the period this process publishes. */
  get offsetMs(): number {
    return this.#pace.offsetMs;
  }

  /** @param agoMs how long ago the window's end was */
  accept(window: WaitingWindow, label: number, nowMs: number, agoMs: number): void {
    const isFirst = this.#outbox.windows === 0;
    for (const gone of this.#outbox.push(window, label, nowMs)) {
      if (this.#flight?.some(({ id }) => id === gone.id)) this.#limbo.push(gone);
      else this.#bookkeeper.lost(gone, 'no room');
    }
    this.#pace.closed(nowMs, agoMs, isFirst);
  }

  /** Takes over what another process left. @returns whether there was room */
  adopt(windows: readonly Adopted[]): boolean {
    return this.#outbox.adopt(windows);
  }

  /** What to do at an instant. After `send` the next question is {@link answered}. */
  next(nowMs: number): Step {
    for (const gone of this.#outbox.expire(nowMs - MOST_AGE_MS)) {
      this.#bookkeeper.lost(gone, 'too old');
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
    // An attempt that hangs leaves time for another one.
    const timeoutMs = Math.min(ATTEMPT_MS, Math.max(LEAST_ATTEMPT_MS, leftMs / 2));
    return { kind: 'send', batch: this.#flight, timeoutMs };
  }

  /** So many datums of the batch are on their way: what a request holds. */
  trim(datums: number): void {
    let room = datums;
    const flight: Piece[] = [];
    for (const piece of this.#flight ?? []) {
      const data = piece.data.slice(0, room);
      if (data.length > 0) {
        flight.push({ ...piece, data, indexes: piece.indexes.slice(0, data.length) });
      }
      room -= data.length;
    }
    this.#flight = flight;
    // What was dropped before it could be under way is lost, whatever the answer is.
    const isUnderWay = (gone: Gone): boolean => flight.some(({ id }) => id === gone.id);
    for (const gone of this.#limbo.filter((one) => !isUnderWay(one))) {
      this.#bookkeeper.lost(gone, 'no room');
    }
    this.#limbo = this.#limbo.filter(isUnderWay);
  }

  /** What came of the request that was on its way. */
  answered(verdict: Verdict, nowMs: number): void {
    const flight = this.#flight ?? [];
    this.#flight = undefined;
    const isAccepted = verdict.outlook === 'accepted';
    if (isAccepted) this.#taken(flight, nowMs);
    else this.#notTaken(verdict, flight, nowMs);
    for (const gone of this.#limbo.splice(0)) {
      if (isAccepted) this.#bookkeeper.delivered({ ...gone, isDelivered: true });
      else this.#bookkeeper.lost(gone, 'no room');
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

  #taken(flight: readonly Piece[], nowMs: number): void {
    for (const piece of flight) this.#settle(piece, new Set(piece.indexes), true);
    this.#mostDatums = Math.min(MAX_DATUMS, this.#mostDatums * 2);
    this.#isTaking = true;
    this.#pace.succeeded(nowMs, this.#outbox.windows > 0);
  }

  #notTaken(verdict: Verdict, flight: readonly Piece[], nowMs: number): void {
    const { outlook, members, waitMs } = verdict;
    const datums = flight.reduce((sum, { data }) => sum + data.length, 0);
    const named = members.filter((member) => member <= datums);
    if (outlook === 'invalid' && named.length > 0) this.#setAside(flight, new Set(named));
    else if ((outlook === 'invalid' || outlook === 'tooLarge') && flight.length > 1) {
      this.#halve(datums);
    } else if (outlook === 'tooLarge' && datums > 1) this.#halve(datums);
    else if ((outlook === 'invalid' || outlook === 'tooLarge') && this.#isTaking) {
      this.#setAside(flight);
    } else if (outlook !== 'accepted') {
      const isRefused = outlook === 'invalid' || outlook === 'tooLarge';
      const trouble = isRefused ? 'denied' : outlook;
      // What a person would have to mend within seconds is not asked for again and again.
      if (trouble === 'denied' && this.#deadlineMs !== undefined) this.#denials += 1;
      if (this.#denials >= MOST_DENIALS) this.#isOver = true;
      this.#pace.failed(trouble, nowMs, waitMs);
    }
  }

  /** The next requests are smaller, until one is taken. */
  #halve(datums: number): void {
    if (this.#mostDatums === MAX_DATUMS) this.#isTaking = false;
    this.#mostDatums = Math.ceil(datums / 2);
  }

  /** Gives up datums that will be refused again. @param members their numbers in the request, from 1 */
  #setAside(flight: readonly Piece[], members?: ReadonlySet<number>): void {
    let member = 0;
    for (const piece of flight) {
      const indexes = piece.indexes.filter(() => {
        member += 1;
        return members?.has(member) ?? true;
      });
      if (indexes.length === 0) continue;
      this.#bookkeeper.setAside(indexes.length);
      this.#settle(piece, new Set(indexes), false);
    }
  }

  #settle(piece: Piece, indexes: ReadonlySet<number>, isDelivered: boolean): void {
    const gone = this.#outbox.settle(piece, indexes, isDelivered);
    if (gone?.isDelivered === true) this.#bookkeeper.delivered(gone);
    else if (gone !== undefined) this.#bookkeeper.lost(gone, 'refused');
    else if (!this.#limbo.some(({ id }) => id === piece.id)) this.#bookkeeper.partly(piece);
  }
}
