import type { Clock } from '../clock.ts';
import type { Outlook, Verdict } from '../cloudwatch/judge.ts';
import type { Log } from '../log.ts';
import type { Loss } from './delivery.ts';

/** One failure is a bad moment; so many in a row are a state worth a warning. */
const WARN_FROM = 3;

const TROUBLES: Readonly<Record<Exclude<Outlook, 'accepted'>, string>> = {
  retry: 'publishing fails, windows wait',
  throttled: 'publishing is throttled, windows wait',
  tooLarge: 'a request is too large, the next are smaller',
  invalid: 'the service does not take some of the data',
  denied: 'publishing is refused, windows wait',
  unready: 'cannot publish yet, windows wait',
};

/** What concerns one request, and not the way: it may come with each, and is said once an hour. */
const PASSING: ReadonlySet<Outlook> = new Set(['invalid', 'tooLarge']);
const HOUR_MS = 3_600_000;

/** Says how delivery goes: each change once, not each attempt; what goes on happening once an hour. */
export class Teller {
  readonly #log: Log;
  /** What to do about a code, where that is known. */
  readonly #remedyFor: (code: string) => string | undefined;
  #failures = 0;
  /** The trouble that was said; empty where all is well. */
  #said = '';
  readonly #clock: Clock;
  /** When something that may go on was said. */
  readonly #toldMs = new Map<string, number>();
  readonly #losses = new Map<Loss, number>();
  #setAside = 0;

  constructor(clock: Clock, log: Log, remedyFor: (code: string) => string | undefined) {
    this.#clock = clock;
    this.#log = log;
    this.#remedyFor = remedyFor;
  }

  published(datums: number, bytes: number, { requestId }: Verdict, windowsWaiting: number): void {
    this.#log.info('published', { datums, bytes, requestId });
    if (this.#said !== '') this.#log.warn('publishing again', { windowsWaiting });
    this.#said = '';
    this.#failures = 0;
  }

  failed({ outlook, code, message, requestId }: Verdict, windowsWaiting: number): void {
    if (outlook === 'accepted') return;
    this.#failures += 1;
    const remedy = this.#remedyFor(code);
    const fields = {
      code,
      reason: message,
      ...(requestId === '' ? undefined : { requestId }),
      ...(remedy === undefined ? undefined : { remedy }),
      windowsWaiting,
    };
    const state = stateOf({ outlook, code, message });
    const isMoment = outlook === 'retry' && this.#failures < WARN_FROM && this.#said === '';
    if (PASSING.has(outlook)) {
      this.#log[this.#isDue(state) ? 'warn' : 'debug'](TROUBLES[outlook], fields);
    } else if (state === this.#said) this.#log.debug(TROUBLES[outlook], fields);
    else if (isMoment) this.#log.info('an attempt to publish failed, trying again', fields);
    else {
      this.#said = state;
      this.#log[outlook === 'denied' ? 'error' : 'warn'](TROUBLES[outlook], fields);
    }
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
  tellLosses(isLast = false): void {
    if (this.#setAside > 0 && (isLast || this.#isDue('set aside'))) {
      const fields = { datums: this.#setAside };
      this.#log.warn('datums that the service does not take are given up', fields);
      this.#setAside = 0;
    }
    for (const [why, windows] of this.#losses) {
      if (!(isLast || this.#isDue(why))) continue;
      const remedy = why === 'no room' ? { remedy: 'raise --buffer' } : undefined;
      this.#log.warn('windows are lost', { windows, why, ...remedy });
      this.#losses.delete(why);
    }
  }

  /** It was not said within the hour; it is now. */
  #isDue(what: string): boolean {
    const nowMs = this.#clock.monoMs();
    const isDue = nowMs - (this.#toldMs.get(what) ?? Number.NEGATIVE_INFINITY) >= HOUR_MS;
    if (isDue) this.#toldMs.set(what, nowMs);
    return isDue;
  }
}

/**
 * What is said once. A network that is down says so in many ways; and not by the message, where there is a
 * code: it may hold the time, and be another one each time.
 */
function stateOf({
  outlook,
  code,
  message,
}: Pick<Verdict, 'outlook' | 'code' | 'message'>): string {
  if (outlook === 'retry' || outlook === 'throttled') return outlook;
  return `${outlook} ${code === 'NotReady' ? message : code}`;
}
