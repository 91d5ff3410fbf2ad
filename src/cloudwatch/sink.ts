import { type Clock, sleep } from '../clock.ts';
import type { Fields, Log } from '../log.ts';
import type { ClosedWindow } from '../metrics/aggregate.ts';
import type { Outcome, Sink } from '../sink.ts';
import { metricData, type Publication } from './datum.ts';
import { encodePages, type Page } from './form.ts';
import type { Post } from './post.ts';
import type { Verdict } from './verdict.ts';

export interface CloudwatchOptions {
  readonly publication: Publication;
  readonly post: Post;
  readonly clock: Clock;
  readonly log: Log;
  /** Uniform, 0 up to but without 1. */
  readonly random: () => number;
}

/** The first and two retries. */
const ATTEMPTS = 3;
const ATTEMPT_MS = 10_000;
const FLUSH_ATTEMPT_MS = 3_000;
/** Full jitter over these, doubled with every retry. As the SDKs' standard mode of 2026. */
const BASE_DELAY_MS = { retry: 50, throttled: 1000 };
/** Between looks for what is missing to publish at all: doubled each time. */
const UNREADY_DELAY_MS = { first: 1000, last: 60_000 };
/** Windows that wait while one is on its way. */
const MAX_WAITING = 60;

/** Publishes windows one after the other, each as one request where the limits allow. */
export class CloudwatchSink implements Sink {
  readonly #options: CloudwatchOptions;
  readonly #waiting: ClosedWindow[] = [];
  readonly #hurry = new AbortController();
  #attemptAbort = new AbortController();
  #givenUp = false;
  #running: Promise<void> | undefined;
  #sent = 0;
  #lost = 0;

  constructor(options: CloudwatchOptions) {
    this.#options = options;
  }

  accept(window: ClosedWindow): void {
    this.#waiting.push(window);
    if (this.#waiting.length > MAX_WAITING) {
      this.#waiting.shift();
      this.#lose(1, 'too many windows wait');
    }
    this.#running ??= this.#run();
  }

  async flush(deadlineMs: number): Promise<Outcome> {
    const { clock } = this.#options;
    const before = { sent: this.#sent, lost: this.#lost };
    this.#hurry.abort();
    const underWay = this.#attemptAbort;
    const cancels = [
      clock.after(FLUSH_ATTEMPT_MS, () => underWay.abort()),
      clock.after(Math.max(0, deadlineMs - clock.monoMs()), () => this.#giveUp()),
    ];
    await this.#running;
    for (const cancel of cancels) cancel();
    return { sent: this.#sent - before.sent, lost: this.#lost - before.lost };
  }

  status(): Fields {
    return {
      windowsSent: this.#sent,
      windowsLost: this.#lost,
      windowsWaiting: this.#waiting.length,
    };
  }

  async #run(): Promise<void> {
    for (let window = this.#waiting.shift(); window; window = this.#waiting.shift()) {
      if (this.#givenUp) {
        this.#lose(1, 'the time for the flush is over');
        continue;
      }
      const { publication } = this.#options;
      const pages = encodePages(publication.namespace, metricData(window, publication));
      const sent = await this.#publish(pages);
      if (sent) this.#sent += 1;
      else this.#lost += 1;
    }
    this.#running = undefined;
  }

  async #publish(pages: readonly Page[]): Promise<boolean> {
    for (const page of pages) {
      if (this.#givenUp || !(await this.#publishPage(page))) return false;
    }
    return true;
  }

  async #publishPage(page: Page): Promise<boolean> {
    const { log } = this.#options;
    for (let attempt = 1; ; attempt += 1) {
      const verdict = await this.#attemptWhenReady(page);
      const { code, message, requestId } = verdict;
      const fields = { code, reason: message, ...(requestId === '' ? undefined : { requestId }) };
      if (verdict.outlook === 'accepted') {
        log.info('published', { datums: page.datums, bytes: page.body.length, requestId });
        return true;
      }
      const { outlook } = verdict;
      const isOver = outlook === 'refused' || outlook === 'unready';
      if (isOver || attempt === ATTEMPTS || this.#givenUp) {
        log.warn('a window could not be published and is lost', { attempts: attempt, ...fields });
        return false;
      }
      log.info('an attempt to publish failed, trying again', { attempt, ...fields });
      await this.#backOff(outlook, attempt);
    }
  }

  /** As long as there is nothing to publish with, windows wait; the flush does not. */
  async #attemptWhenReady(page: Page): Promise<Verdict> {
    const { clock, random } = this.#options;
    for (
      let delayMs = UNREADY_DELAY_MS.first;
      ;
      delayMs = Math.min(delayMs * 2, UNREADY_DELAY_MS.last)
    ) {
      const hurried = this.#hurry.signal.aborted;
      const verdict = await this.#attempt(page);
      if (verdict.outlook !== 'unready' || hurried) return verdict;
      await sleep(clock, delayMs * (1 - random() / 2), this.#hurry.signal);
    }
  }

  /** Full jitter; the flush does not wait. */
  async #backOff(outlook: 'retry' | 'throttled', attempt: number): Promise<void> {
    const { clock, random } = this.#options;
    const delayMs = random() * BASE_DELAY_MS[outlook] * 2 ** (attempt - 1);
    await sleep(clock, delayMs, this.#hurry.signal);
  }

  #attempt(page: Page): Promise<Verdict> {
    const timeoutMs = this.#hurry.signal.aborted ? FLUSH_ATTEMPT_MS : ATTEMPT_MS;
    this.#attemptAbort = new AbortController();
    return this.#options.post(page, timeoutMs, this.#attemptAbort.signal);
  }

  /** The flush's time is over: no further attempt, and the one under way ends. */
  #giveUp(): void {
    this.#givenUp = true;
    this.#attemptAbort.abort();
  }

  #lose(windows: number, why: string): void {
    this.#lost += windows;
    this.#options.log.warn('a window is lost', { why });
  }
}
