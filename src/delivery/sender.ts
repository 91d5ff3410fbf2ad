// Over 200 lines: what drives delivery must know the publications, the store, the stats and the service.
import { type Clock, within } from '../clock.ts';
import type { Fields, Log } from '../log.ts';
import type { ClosedWindow } from '../metrics/aggregate.ts';
import type { Labels } from '../metrics/labels.ts';
import type { Publication } from '../metrics/publication.ts';
import { Delivery, type Step } from './delivery.ts';
import { Outbox } from './outbox.ts';
import type { Outcome } from './outcome.ts';
import type { PaceOptions } from './pace.ts';
import { OWN, Publications, type Resolve } from './publications.ts';
import { Reporter } from './reporter.ts';
import type { Page, Service } from './service.ts';
import { type Health, Stats } from './stats.ts';
import type { Adopt, PendingWindow, PendingWindows, Store } from './store.ts';
import { unready, type Verdict } from './verdict.ts';

export interface SenderOptions<Body> extends PaceOptions {
  readonly service: Service<Body>;
  readonly publication: Publication;
  /** Answers the dimensions that stand for what the place knows. */
  readonly resolve: Resolve;
  /** Finds what the first request needs, and tells what that is, so that the request itself need not. */
  readonly prepare: (signal: AbortSignal) => Promise<Fields>;
  readonly bufferBytes: number;
  /** Opens the copy on disk, where there is to be one. */
  readonly openStore?: ((pending: PendingWindows, adopt: Adopt) => Store) | undefined;
  readonly health: Health;
  /** What windows are called, which may change while nobody has seen them. */
  readonly labels?: Labels;
  /** What to do about a code, where that is known. */
  readonly remedyFor: (verdict: Verdict) => string | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly onAttempt?: ((attempt: Attempt) => void) | undefined;
  /** Hears of a fault of this program, where that must not end the process. */
  readonly onFault?: ((error: unknown) => void) | undefined;
}

/** What came of one request, or of what it needs. */
export interface Attempt {
  readonly verdict: Verdict;
  readonly tookMs: number;
  readonly windowsWaiting: number;
}

/** Of the time for the flush, what is left for the disk: a part, at most a second. */
const SPOOL_PART = 0.25;
const SPOOL_MS = 1000;
/** An attempt ends by its own time limit, which says what it waited for. */
const GRACE_MS = 200;

/** Drives {@link Delivery}: waits, encodes, posts, and lets it know what came of that. */
export class Sender<Body> {
  readonly #options: SenderOptions<Body>;
  readonly #outbox: Outbox;
  readonly #delivery: Delivery;
  readonly #publications: Publications;
  readonly #reporter: Reporter;
  readonly #stats: Stats;
  readonly #store: Store | undefined;
  #wake: () => void = () => undefined;
  /** When the flush is to end; undefined before it. */
  #endMs: number | undefined;
  #renew: () => void = () => undefined;
  #attempt = new AbortController();
  readonly #preparing = new AbortController();
  readonly #running: Promise<void>;

  constructor(options: SenderOptions<Body>) {
    const { clock, log, bufferBytes, openStore } = options;
    this.#options = options;
    this.#reporter = new Reporter(clock, log, options.remedyFor);
    this.#stats = new Stats(clock, log, options.health);
    this.#publications = new Publications(options.publication, options.resolve);
    this.#outbox = new Outbox(bufferBytes);
    this.#delivery = new Delivery({
      ...options,
      limits: options.service.limits,
      outbox: this.#outbox,
      bookkeeper: {
        delivered: (removed) => {
          this.#stats.sent();
          this.#store?.settled(removed);
        },
        lost: (removed, why) => {
          this.#stats.lost();
          this.#reporter.lost(why);
          this.#store?.settled(removed);
        },
        partly: (window) => this.#store?.partly(window),
        setAside: (datums) => this.#reporter.setAside(datums),
      },
    });
    this.#store = openStore?.(this.#outbox, (windows, publication) =>
      this.#adopt(windows, publication),
    );
    options.labels?.follow((byMs) =>
      this.#outbox.relabel((labels) => options.labels?.move(labels, byMs) ?? labels),
    );
    this.#store?.adopt();
    this.#prepare();
    this.#running = this.#run();
    if (options.onFault) this.#running.catch(options.onFault);
  }

  accept(window: ClosedWindow): void {
    const { clock, log, periodMs } = this.#options;
    log.debug('a window waits', { start: new Date(window.startMs).toISOString() });
    const agoMs = Math.min(periodMs, Math.max(0, clock.wallMs() - window.endMs));
    this.#delivery.accept(window, OWN, clock.monoMs(), agoMs);
    this.#stats.begin();
    this.#reporter.reportLosses();
    this.#store?.save();
    this.#store?.adopt();
    this.#wake();
  }

  hurry(deadlineMs: number): void {
    if (this.#endMs === undefined) {
      this.#delivery.hurry(this.#options.clock.monoMs());
      this.#wake();
    } else if (deadlineMs < this.#endMs) {
      this.#endMs = deadlineMs;
      this.#renew();
    }
  }

  async flush(deadlineMs: number): Promise<Outcome> {
    const { clock } = this.#options;
    const lostBefore = this.#stats.total.lost;
    // Published first: a disk that is stuck must not keep what can go.
    this.#store?.hold();
    this.#preparing.abort();
    const endMs = await this.#sendUntil(deadlineMs);
    const isStuck = (await this.#store?.close(endMs - clock.monoMs())) === false;
    this.#reporter.reportLosses(true);
    const unspooled = this.#outbox.unspooledWindows;
    const { sent, lost } = this.#stats.total;
    const stay = this.#outbox.unspooled(unspooled);
    const loss = {
      fromMs: Math.min(...stay.map(({ startMs }) => startMs)),
      toMs: Math.max(...stay.map(({ endMs }) => endMs)),
      reason: this.#reporter.lastReason,
    };
    return {
      ...(stay.length === 0 ? undefined : { loss }),
      sent,
      spooled: this.#outbox.windows - unspooled,
      lost: lost + unspooled,
      lostAtEnd: lost - lostBefore + unspooled,
      isStuck,
    };
  }

  /** All that can go by then, but for the disk's part of the time. @returns the deadline that held at last */
  async #sendUntil(deadlineMs: number): Promise<number> {
    const { clock } = this.#options;
    this.#endMs = deadlineMs;
    const renewed = new Promise<void>((resolve) => {
      this.#renew = resolve;
    });
    const nowMs = clock.monoMs();
    const leftMs = Math.max(0, deadlineMs - nowMs);
    const forSpoolMs = this.#store === undefined ? 0 : Math.min(SPOOL_MS, leftMs * SPOOL_PART);
    const forSendingMs = leftMs - forSpoolMs;
    this.#delivery.flush(nowMs, nowMs + forSendingMs);
    const underWay = this.#attempt;
    const cancel = clock.after(forSendingMs / 2, () => underWay.abort());
    this.#wake();
    await within(clock, forSendingMs, Promise.race([this.#running, renewed]));
    cancel();
    return this.#endMs < deadlineMs ? this.#sendUntil(this.#endMs) : deadlineMs;
  }

  status(): Fields {
    const { sent, lost } = this.#stats.total;
    return {
      windowsSent: sent,
      windowsLost: lost,
      windowsWaiting: this.#outbox.windows,
      bufferBytes: this.#outbox.bytes,
      lastAccepted: this.#stats.acceptedAt,
      offsetSeconds: Math.round(this.#delivery.offsetMs / 100) / 10,
    };
  }

  #adopt(...[windows, publication]: Parameters<Adopt>): boolean {
    const publicationId = this.#publications.add(publication);
    const isRoom = this.#outbox.adopt(windows.map((window) => ({ ...window, publicationId })));
    if (isRoom) this.#wake();
    return isRoom;
  }

  /** Early, so that what is wrong is said at the start, and a short job does not wait for it at its end. */
  async #prepare(): Promise<void> {
    const { prepare, log } = this.#options;
    const { signal } = this.#preparing;
    try {
      const found = await prepare(signal);
      await this.#resolve(signal);
      log.info('ready to publish', found);
    } catch (error) {
      if (!signal.aborted)
        this.#reporter.attempted(unready(error), undefined, this.#outbox.windows);
    }
  }

  async #run(): Promise<void> {
    for (;;) {
      await this.#store?.verifyOwnership();
      // Before anything is sent, what waits is called by the clock as it is now.
      this.#options.labels?.setMs();
      const nowMs = this.#options.clock.monoMs();
      const step = this.#delivery.next(nowMs);
      this.#reporter.reportLosses();
      if (step.kind === 'over') return;
      if (step.kind === 'send') await this.#send(step);
      else await this.#sleep(step.kind === 'wait' ? step.untilMs - nowMs : undefined);
    }
  }

  /** Until something changes, or for so long. */
  #sleep(ms: number | undefined): Promise<void> {
    return new Promise((resolve) => {
      const cancel = ms === undefined ? () => undefined : this.#options.clock.after(ms, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
  }

  async #send({ batch, timeoutMs }: Extract<Step, { kind: 'send' }>): Promise<void> {
    const { clock } = this.#options;
    const attempt = new AbortController();
    this.#attempt = attempt;
    const beganMs = clock.monoMs();
    const cancel = clock.after(timeoutMs + GRACE_MS, () => attempt.abort());
    const [verdict, page] = await this.#try(batch, timeoutMs, attempt.signal);
    cancel();
    const nowMs = clock.monoMs();
    this.#delivery.answered(verdict, nowMs);
    this.#stats.attempted(verdict.kind === 'accepted', nowMs - beganMs);
    this.#reporter.attempted(verdict, page, this.#outbox.windows);
    const windowsWaiting = this.#outbox.windows;
    this.#options.onAttempt?.({ verdict, tookMs: nowMs - beganMs, windowsWaiting });
  }

  /** One request with as much of the batch as it may hold. @returns what came of it, and what it was */
  async #try(
    batch: readonly PendingWindow[],
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<[verdict: Verdict, page?: Page<Body>]> {
    try {
      await this.#resolve(signal);
    } catch (error) {
      return [unready(error)];
    }
    const { service } = this.#options;
    const publicationOf = ({ publicationId }: PendingWindow): Publication =>
      this.#publications.at(publicationId);
    const page = service.encode(
      batch.map((window) => ({ ...window, publication: publicationOf(window) })),
    );
    this.#delivery.trim(page.datums);
    return [await service.post(page, timeoutMs, signal), page];
  }

  async #resolve(signal: AbortSignal): Promise<void> {
    if (await this.#publications.resolve(signal)) this.#store?.begin(this.#publications.at(OWN));
  }
}
