// Over 200 lines: what waits, what is under way and what the end leaves are one state.
import { type Clock, within } from '../clock.ts';
import type { Outcome } from '../delivery/outcome.ts';
import type { Resolve } from '../delivery/publications.ts';
import { type Health, Stats } from '../delivery/stats.ts';
import { type EventOptions, encodeEvents } from '../emf/encode.ts';
import { GoneError, type Way } from '../emf/way.ts';
import { codeOf, reasonOf } from '../errors.ts';
import type { Fields, Log } from '../log.ts';
import type { ClosedWindow } from '../metrics/aggregate.ts';
import type { Labels } from '../metrics/labels.ts';
import type { Publication } from '../metrics/publication.ts';
import type { Sink } from './sink.ts';

export interface EmfOptions extends EventOptions {
  readonly way: Way;
  readonly publication: Publication;
  readonly resolve: Resolve;
  /** For windows that wait. */
  readonly bufferBytes: number;
  readonly health: Health;
  /** What windows are called, which may change while nobody has seen them. */
  readonly labels?: Labels;
  readonly random: () => number;
  readonly clock: Clock;
  readonly log: Log;
}

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;
/** At the end there is no time to wait for long. */
const LAST_PAUSE_MS = 250;
const SAY_MS = 60_000;
/** What a window and each of its datums take beside their numbers, about. */
const FIXED_BYTES = 100;
const NUMBER_BYTES = 8;

interface Waiting {
  window: ClosedWindow;
  readonly bytes: number;
  /** What is left of it; nothing before its turn. */
  lines?: string[];
  isPart?: boolean;
  /** A line of it is on its way, or has left. */
  isSeen?: boolean;
  hasLeft?: boolean;
}

/** Writes windows as events of the embedded metric format. It is not answered: what has left counts as sent. */
export class EmfSink implements Sink {
  readonly #options: EmfOptions;
  readonly #stats: Stats;
  readonly #queue: Waiting[] = [];
  readonly #ending = new AbortController();
  readonly #running: Promise<void>;
  #publication: Publication | undefined;
  #bytes = 0;
  #failures = 0;
  #reason = 'there was no time to try';
  #isGone = false;
  #isLate = false;
  #saidMs = Number.NEGATIVE_INFINITY;
  #left = '';
  #wake: () => void = () => undefined;
  #renew: (deadlineMs: number) => void = () => undefined;

  constructor(options: EmfOptions) {
    this.#options = options;
    this.#stats = new Stats(options.clock, options.log, options.health);
    options.way.onLate?.((error) => {
      this.#stats.lost();
      if (!this.#isLate)
        options.log.warn('nobody takes EMF lines there', { reason: reasonOf(error) });
      this.#isLate = true;
    });
    options.labels?.follow((byMs) => this.#relabel(byMs));
    this.#running = this.#run();
  }

  accept(window: ClosedWindow): void {
    this.#stats.begin();
    const bytes = window.data.reduce(
      (sum, { values, counts }) =>
        sum + FIXED_BYTES + NUMBER_BYTES * (values.length + (counts?.length ?? 0)),
      FIXED_BYTES,
    );
    this.#queue.push({ window, bytes });
    this.#bytes += bytes;
    // The first may be on its way.
    while (this.#bytes > this.#options.bufferBytes && this.#queue.length > 1) {
      this.#lose(this.#queue.length > 2 ? 1 : 0);
    }
    if (this.#isGone) this.#lose(0);
    this.#wake();
  }

  async flush(deadlineMs: number): Promise<Outcome> {
    const { clock, way } = this.#options;
    const lostBefore = this.#stats.total.lost;
    let endMs = deadlineMs;
    this.#ending.abort();
    this.#wake();
    for (let isOver = false; !isOver; ) {
      const renewed = new Promise<void>((resolve) => {
        this.#renew = (ms) => {
          if (ms >= endMs) return;
          endMs = ms;
          resolve();
        };
      });
      const heldMs = endMs;
      await within(
        clock,
        Math.max(0, endMs - clock.monoMs()),
        Promise.race([this.#running, renewed]),
      );
      isOver = this.#queue.length === 0 || heldMs === endMs;
    }
    way.close();
    const stay = this.#queue.map(({ window }) => window);
    const { sent, lost } = this.#stats.total;
    const loss = {
      fromMs: Math.min(...stay.map(({ startMs }) => startMs)),
      toMs: Math.max(...stay.map((one) => one.endMs)),
      reason: this.#reason,
      remedy: 'EMF has no spool: a file keeps it while nobody reads',
    };
    return {
      ...(stay.length > 0 && { loss }),
      sent,
      spooled: 0,
      lost: lost + stay.length,
      lostAtEnd: lost - lostBefore + stay.length,
      isStuck: false,
    };
  }

  hurry(deadlineMs: number): void {
    this.#renew(deadlineMs);
    this.#wake();
  }

  status(): Fields {
    const { sent, lost } = this.#stats.total;
    return {
      windowsSent: sent,
      windowsLost: lost,
      windowsWaiting: this.#queue.length,
      bufferBytes: this.#bytes,
      lastAccepted: this.#stats.acceptedAt,
    };
  }

  /** Until the end, and what waits then. */
  async #run(): Promise<void> {
    for (;;) {
      const head = this.#queue[0];
      if (head === undefined) {
        if (this.#ending.signal.aborted) return;
        await this.#sleep();
        continue;
      }
      try {
        await this.#write(head);
      } catch (error) {
        head.isSeen = head.hasLeft === true;
        this.#failed(error);
        if (this.#isGone) while (this.#queue.length > 0) this.#lose(0);
        else await this.#sleep(this.#pauseMs());
      }
    }
  }

  async #write(head: Waiting): Promise<void> {
    const { clock, log, way, labels } = this.#options;
    await this.#resolve();
    labels?.setMs();
    const lines = this.#linesOf(head);
    const beganMs = clock.monoMs();
    let bytes = 0;
    for (let line = lines[0]; line !== undefined; line = lines[0]) {
      head.isSeen = true;
      await way.send(line);
      head.hasLeft = true;
      bytes += line.length;
      lines.shift();
    }
    if (this.#failures > 0) log.warn('EMF lines go out again');
    else log.info('published', { bytes });
    this.#failures = 0;
    // It may have been lost meanwhile.
    if (!this.#queue.includes(head)) return;
    this.#remove(0);
    this.#stats.attempted(true, clock.monoMs() - beganMs);
    if (head.isPart) this.#stats.lost();
    else this.#stats.sent();
  }

  async #resolve(): Promise<void> {
    const { publication, resolve } = this.#options;
    if (this.#publication !== undefined) return;
    const dimensions = await resolve(publication.dimensions, new AbortController().signal);
    this.#publication = { ...publication, dimensions };
  }

  #relabel(byMs: number): void {
    const unseen = this.#queue.filter(({ isSeen }) => isSeen !== true);
    const labels = this.#options.labels?.move(
      unseen.map(({ window }) => window.startMs),
      byMs,
    );
    for (const [index, waiting] of unseen.entries()) {
      const { window } = waiting;
      const startMs = labels?.[index] ?? window.startMs;
      waiting.window = { ...window, startMs, endMs: window.endMs + startMs - window.startMs };
      delete waiting.lines;
    }
  }

  #linesOf(head: Waiting): string[] {
    if (head.lines !== undefined) return head.lines;
    const { publication, log } = this.#options;
    const { lines, left } = encodeEvents(
      head.window,
      this.#publication ?? publication,
      this.#options,
    );
    head.lines = [...lines];
    head.isPart = left.length > 0;
    const metrics = left.join(',');
    if (metrics !== '' && metrics !== this.#left) {
      log.error('metrics have no place in an EMF event: by their name, or beside such dimensions', {
        metrics,
      });
      this.#left = metrics;
    }
    return head.lines;
  }

  #failed(error: unknown): void {
    const { log } = this.#options;
    // What has no code is a fault of ours, and is not hidden.
    if (!(error instanceof Error)) throw error;
    const reason = reasonOf(error);
    this.#stats.attempted(false, 0);
    this.#isGone = error instanceof GoneError;
    const isNews = this.#failures === 0 || reason !== this.#reason;
    this.#failures += 1;
    this.#reason = reason;
    const message = this.#isGone ? 'EMF lines are lost' : 'EMF lines cannot go out, windows wait';
    if (isNews) log[this.#isGone ? 'error' : 'warn'](message, { reason, code: codeOf(error) });
  }

  #lose(at: number): void {
    const { clock, log } = this.#options;
    this.#remove(at);
    this.#stats.lost();
    if (clock.monoMs() - this.#saidMs < SAY_MS) return;
    this.#saidMs = clock.monoMs();
    log.error('EMF windows are lost: nobody takes them, and no more may wait', {
      windowsLost: this.#stats.total.lost,
      reason: this.#reason,
    });
  }

  #remove(at: number): void {
    const [gone] = this.#queue.splice(at, 1);
    this.#bytes -= gone?.bytes ?? 0;
  }

  #pauseMs(): number {
    if (this.#ending.signal.aborted) return LAST_PAUSE_MS;
    const ms = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(10, this.#failures));
    return ms * (0.5 + this.#options.random() / 2);
  }

  /** Until something changes, or for so long. */
  #sleep(ms?: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = ms === undefined ? () => undefined : this.#options.clock.after(ms, resolve);
      this.#wake = () => {
        // A new window is no reason to try again sooner.
        if (ms !== undefined && !this.#ending.signal.aborted) return;
        cancel();
        resolve();
      };
    });
  }
}
