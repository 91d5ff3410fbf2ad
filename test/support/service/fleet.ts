import { LIMITS } from '../../../src/cloudwatch/limits.ts';
import { Delivery } from '../../../src/delivery/delivery.ts';
import { Outbox } from '../../../src/delivery/outbox.ts';
import type { Verdict } from '../../../src/delivery/verdict.ts';

/** A fleet that was started by one scale-out, and one service for all of it. Virtual time. */
export interface FleetOptions {
  readonly agents: number;
  readonly periodMs: number;
  readonly jitterMs: number;
  /** Requests a second that the service takes; more are throttled. */
  readonly quota: number;
  /** Periods before the outage, and after it. */
  readonly periods: number;
  readonly outageMs: number;
  /** Uniform, 0 up to but without 1. */
  readonly random: () => number;
}

/** One stretch of time, as the service saw it. */
export interface Stretch {
  readonly fromMs: number;
  readonly toMs: number;
  readonly requests: number;
  readonly throttled: number;
  /** The most requests in one second. */
  readonly peak: number;
}

export interface FleetReport {
  /** From the start on: where throttling spreads the fleet. */
  readonly first: Stretch;
  /** The last period before the outage. */
  readonly settled: Stretch;
  readonly outage: Stretch;
  readonly after: Stretch;
  /** The last period of all. */
  readonly last: Stretch;
  /** From the end of the outage until no agent had anything left of it. */
  readonly drainMs: number;
  readonly windowsClosed: number;
  readonly windowsSent: number;
  readonly windowsLost: number;
}

const SECOND = 1000;
/** Between two readings of the agent: its windows close that much late. */
const TICK_MS = 900;
const ROUND_TRIP_MS = [15, 60] as const;
const REFUSED_MS = 5;
const BUFFER_BYTES = 4 * 1024 * 1024;

/** Runs what falls due, in order of time. */
class Timeline {
  readonly #heap: { readonly atMs: number; readonly run: () => void }[] = [];
  nowMs = 0;

  at(atMs: number, run: () => void): void {
    const heap = this.#heap;
    heap.push({ atMs, run });
    for (let child = heap.length - 1; child > 0; ) {
      const parent = (child - 1) >> 1;
      if (this.#at(parent) <= this.#at(child)) break;
      this.#swap(parent, child);
      child = parent;
    }
  }

  runUntil(endMs: number): void {
    for (
      let [first] = this.#heap;
      first !== undefined && first.atMs <= endMs;
      [first] = this.#heap
    ) {
      this.#swap(0, this.#heap.length - 1);
      this.#heap.pop();
      for (let parent = 0; ; ) {
        const [left, right] = [2 * parent + 1, 2 * parent + 2];
        const least = this.#at(right) < this.#at(left) ? right : left;
        if (this.#at(parent) <= this.#at(least)) break;
        this.#swap(parent, least);
        parent = least;
      }
      this.nowMs = first.atMs;
      first.run();
    }
    this.nowMs = endMs;
  }

  #at(index: number): number {
    return this.#heap[index]?.atMs ?? Number.POSITIVE_INFINITY;
  }

  #swap(one: number, other: number): void {
    const [first, second] = [this.#heap[one], this.#heap[other]];
    if (first === undefined || second === undefined) return;
    this.#heap[one] = second;
    this.#heap[other] = first;
  }
}

/**
 * Takes so many requests in each second, and answers the others by throttling. The strictest reading of
 * a quota: a bucket that may also fill up would let bursts pass.
 */
class Service {
  isDown = false;
  /** Requests of each second, and how many of them were throttled. */
  readonly #seconds: { requests: number; throttled: number }[] = [];
  readonly #quota: number;

  constructor(quota: number) {
    this.#quota = quota;
  }

  answer(nowMs: number): Verdict['kind'] {
    const second = Math.floor(nowMs / SECOND);
    const seen = this.#seconds[second] ?? { requests: 0, throttled: 0 };
    this.#seconds[second] = seen;
    seen.requests += 1;
    if (this.isDown) return 'retry';
    if (seen.requests - seen.throttled <= this.#quota) return 'accepted';
    seen.throttled += 1;
    return 'throttled';
  }

  stretch(fromMs: number, toMs: number): Stretch {
    const seconds = this.#seconds.slice(fromMs / SECOND, toMs / SECOND);
    let [requests, throttled, peak] = [0, 0, 0];
    // Seconds without a request are holes in the list.
    seconds.forEach((second) => {
      requests += second.requests;
      throttled += second.throttled;
      peak = Math.max(peak, second.requests);
    });
    return { fromMs, toMs, requests, throttled, peak };
  }
}

const NOTHING = { code: '', message: '', requestId: '', members: [], waitMs: 0 };
const DATA = ['CPUUtilization', 'MemoryUtilization', 'MaxMemoryUtilization'].map((name) => ({
  name,
  unit: 'Percent' as const,
  values: [50],
}));

export function simulateFleet(options: FleetOptions): FleetReport {
  const { agents, periodMs, quota, periods, outageMs, random } = options;
  const timeline = new Timeline();
  const service = new Service(quota);
  const outageFromMs = periods * periodMs;
  const outageToMs = outageFromMs + outageMs;
  const endMs = outageToMs + Math.max(periods * periodMs, 2 * outageMs);
  const counts = { closed: 0, sent: 0, lost: 0 };
  /** When the last window of the outage went out. */
  let drainedMs = outageToMs;

  const start = (): void => {
    const outbox = new Outbox(BUFFER_BYTES);
    const delivery = new Delivery({
      ...options,
      limits: LIMITS,
      outbox,
      bookkeeper: {
        delivered: () => {
          counts.sent += 1;
        },
        lost: () => {
          counts.lost += 1;
        },
        partly: () => undefined,
        setAside: () => undefined,
      },
    });
    let isBusy = false;
    let wakeMs = Number.POSITIVE_INFINITY;
    const look = (): void => {
      if (isBusy) return;
      const step = delivery.next(timeline.nowMs);
      if (step.kind === 'send') {
        isBusy = true;
        const isOld = step.batch.some(({ startMs }) => startMs < outageToMs);
        const [least, most] = ROUND_TRIP_MS;
        const tookMs = service.isDown ? REFUSED_MS : least + random() * (most - least);
        timeline.at(timeline.nowMs + tookMs / 2, () => {
          const verdict: Verdict = { ...NOTHING, kind: service.answer(timeline.nowMs) };
          timeline.at(timeline.nowMs + tookMs / 2, () => {
            isBusy = false;
            if (isOld && verdict.kind === 'accepted') drainedMs = timeline.nowMs;
            delivery.answered(verdict, timeline.nowMs);
            look();
          });
        });
      } else if (step.kind === 'wait' && step.untilMs < wakeMs) {
        wakeMs = step.untilMs;
        timeline.at(wakeMs, () => {
          wakeMs = Number.POSITIVE_INFINITY;
          look();
        });
      }
    };
    const close = (boundaryMs: number): void => {
      const lateMs = random() * TICK_MS;
      timeline.at(boundaryMs + lateMs, () => {
        counts.closed += 1;
        const window = { startMs: boundaryMs - periodMs, endMs: boundaryMs, data: DATA };
        delivery.accept(window, 0, timeline.nowMs, lateMs);
        look();
        if (boundaryMs + periodMs <= endMs - periodMs) close(boundaryMs + periodMs);
      });
    };
    close(periodMs);
  };

  for (let index = 0; index < agents; index += 1) start();
  timeline.runUntil(outageFromMs);
  service.isDown = true;
  timeline.runUntil(outageToMs);
  service.isDown = false;
  timeline.runUntil(endMs);
  return {
    first: service.stretch(0, outageFromMs),
    settled: service.stretch(outageFromMs - periodMs, outageFromMs),
    outage: service.stretch(outageFromMs, outageToMs),
    after: service.stretch(outageToMs, endMs),
    last: service.stretch(endMs - periodMs, endMs),
    drainMs: drainedMs - outageToMs,
    windowsClosed: counts.closed,
    windowsSent: counts.sent,
    windowsLost: counts.lost,
  };
}
