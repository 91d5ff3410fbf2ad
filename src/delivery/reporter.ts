import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import type { Loss } from './delivery.ts';
import type { Page } from './service.ts';
import type { Verdict } from './verdict.ts';

type Sent = Pick<Page<unknown>, 'datums' | 'bytes'>;

/** One failure is a bad moment; so many in a row are a state worth a warning. */
const WARN_FROM = 3;

const TROUBLES: Readonly<Record<Exclude<Verdict['kind'], 'accepted'>, string>> = {
  retry: 'publishing fails, windows wait',
  throttled: 'publishing is throttled, windows wait',
  tooLarge: 'a request is too large, the next are smaller',
  invalid: 'the service does not take some of the data',
  denied: 'publishing is refused, windows wait',
  unready: 'cannot publish yet, windows wait',
};

/** What concerns one request, and not the way: it may come with each, and is said once an hour. */
const PASSING: ReadonlySet<Verdict['kind']> = new Set(['invalid', 'tooLarge']);
const HOUR_MS = 3_600_000;

/** Says how delivery goes: each change once, not each attempt; what goes on happening once an hour. */
export class Reporter {
  readonly #log: Log;
  /** What to do about it, where that is known. */
  readonly #remedyFor: (verdict: Verdict) => string | undefined;
  #failures = 0;
  /** The trouble that was said; empty where all is well. */
  #said = '';
  /** Monotonic: of the first failure since all was well. */
  #sinceMs = 0;
  #isDraining = false;
  #lastReason = 'there was no time to try';
  readonly #clock: Clock;
  /** When something that may go on was said. */
  readonly #reportedMs = new Map<string, number>();
  readonly #losses = new Map<Loss, number>();
  #setAside = 0;

  constructor(clock: Clock, log: Log, remedyFor: (verdict: Verdict) => string | undefined) {
    this.#clock = clock;
    this.#log = log;
    this.#remedyFor = remedyFor;
  }

  /** @param page what was sent; nothing where it did not come to that */
  attempted(verdict: Verdict, page: Sent | undefined, windowsWaiting: number): void {
    if (verdict.kind === 'accepted') this.#published(verdict, page, windowsWaiting);
    else this.#failed(verdict, verdict.kind, windowsWaiting);
  }

  #published(verdict: Verdict, page: Sent | undefined, windowsWaiting: number): void {
    const { requestId, message: reason, rejected = 0 } = verdict;
    this.#log.info('published', { datums: page?.datums, bytes: page?.bytes, requestId });
    if (rejected > 0) {
      const level = this.#isDue('rejected') ? 'warn' : 'debug';
      this.#log[level](TROUBLES.invalid, { datums: rejected, reason });
    }
    if (this.#said !== '') {
      const after = spanOf(this.#clock.monoMs() - this.#sinceMs);
      this.#log.warn('publishing again', { after, windowsWaiting });
      this.#isDraining = windowsWaiting > 0;
    } else if (this.#isDraining && windowsWaiting === 0) {
      this.#log.warn('drained: all windows that waited are sent');
      this.#isDraining = false;
    }
    this.#said = '';
    this.#failures = 0;
  }

  #failed(verdict: Verdict, kind: keyof typeof TROUBLES, windowsWaiting: number): void {
    if (this.#failures === 0) this.#sinceMs = this.#clock.monoMs();
    this.#failures += 1;
    this.#lastReason = verdict.message || verdict.code;
    const { code, message: reason, requestId } = verdict;
    const remedy = this.#remedyFor(verdict);
    const fields = { code, reason, requestId: requestId || undefined, remedy, windowsWaiting };
    const state = stateOf(verdict);
    const isMoment = kind === 'retry' && this.#failures < WARN_FROM && this.#said === '';
    if (PASSING.has(kind)) {
      this.#log[this.#isDue(state) ? 'warn' : 'debug'](TROUBLES[kind], fields);
    } else if (state === this.#said && !this.#isDue('trouble')) {
      this.#log.debug(TROUBLES[kind], fields);
    } else if (isMoment) this.#log.info('an attempt to publish failed, trying again', fields);
    else {
      this.#said = state;
      this.#reportedMs.set('trouble', this.#clock.monoMs());
      this.#log[kind === 'denied' ? 'error' : 'warn'](TROUBLES[kind], fields);
    }
  }

  /** Of the last failure. */
  get lastReason(): string {
    return this.#lastReason;
  }

  lost(why: Loss): void {
    this.#losses.set(why, (this.#losses.get(why) ?? 0) + 1);
  }

  setAside(datums: number): void {
    this.#setAside += datums;
  }

  /**
   * Says what was lost since that was said last, a line a reason.
   *
   * @param isLast whether or not an hour is over
   */
  reportLosses(isLast = false): void {
    if (this.#setAside > 0 && (isLast || this.#isDue('set aside'))) {
      const fields = { datums: this.#setAside };
      this.#log.warn('datums that the service does not take are given up', fields);
      this.#setAside = 0;
    }
    for (const [why, windows] of this.#losses) {
      if (!(isLast || this.#isDue(why))) continue;
      const remedy = why === 'no room' ? 'raise --buffer' : undefined;
      this.#log.warn('windows are lost', { windows, why, remedy });
      this.#losses.delete(why);
    }
  }

  /** It was not said within the hour; it is now. */
  #isDue(what: string): boolean {
    const nowMs = this.#clock.monoMs();
    const isDue = nowMs - (this.#reportedMs.get(what) ?? Number.NEGATIVE_INFINITY) >= HOUR_MS;
    if (isDue) this.#reportedMs.set(what, nowMs);
    return isDue;
  }
}

/**
 * What is said once. A network that is down says so in many ways; and not by the message, where there is a
 * code: it may hold the time, and be another one each time.
 */
function stateOf({ kind, code, message }: Verdict): string {
  if (kind === 'retry' || kind === 'throttled') return kind;
  return `${kind} ${code === 'NotReady' ? message : code}`;
}

const SECOND_MS = 1000;
const MINUTE_MS = 60_000;

/** `48 s`, `12 min`, `2 h 30 min`. */
function spanOf(ms: number): string {
  if (ms < 2 * MINUTE_MS) return `${Math.round(ms / SECOND_MS)} s`;
  const minutes = Math.round(ms / MINUTE_MS);
  const hours = Math.floor(minutes / 60);
  return hours === 0 ? `${minutes} min` : `${hours} h ${minutes % 60} min`;
}
