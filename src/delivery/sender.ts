// Over 200 lines: what drives delivery must know the labels, the spool, the tally and the service.
import { type Clock, within } from '../clock.ts';
import { metricData, type Publication } from '../cloudwatch/datum.ts';
import { encodePage } from '../cloudwatch/form.ts';
import { unready, type Verdict } from '../cloudwatch/judge.ts';
import type { Post } from '../cloudwatch/post.ts';
import type { Fields, Log } from '../log.ts';
import type { ClosedWindow } from '../metrics/aggregate.ts';
import type { Outcome, Sink } from '../sinks/sink.ts';
import type { Spool } from '../spool/spool.ts';
import { Delivery, type Step } from './delivery.ts';
import { Outbox, type Piece } from './outbox.ts';
import type { PaceOptions } from './pace.ts';
import { Labels, OWN, type Resolve } from './publications.ts';
import { Teller } from './reporter.ts';
import { type Health, Tally } from './stats.ts';
import type { Mirrored } from './store.ts';

export interface CloudwatchOptions extends PaceOptions {
  readonly publication: Publication;
  /** Answers the dimensions that stand for what the place knows. */
  readonly resolve: Resolve;
  /** Finds region, endpoint and credentials, and tells which ones, so that the first request need not. */
  readonly prepare: (signal: AbortSignal) => Promise<Fields>;
  readonly post: Post;
  readonly bufferBytes: number;
  /** Opens the copy on disk, where there is to be one. */
  readonly openSpool?: ((mirrored: Mirrored) => Spool) | undefined;
  readonly health: Health;
  /** What to do about a code, where that is known. */
  readonly remedyFor: (code: string) => string | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

/** An attempt: what came of how much. */
interface Tried {
  readonly verdict: Verdict;
  readonly datums: number;
  readonly bytes: number;
}

/** Of the time for the flush, what is left for the disk: a part, at most a second. */
const SPOOL_PART = 0.25;
const SPOOL_MS = 1000;
/** An attempt ends by its own time limit, which says what it waited for. */
const GRACE_MS = 200;

/** Drives {@link Delivery}: waits, encodes, posts, and lets it know what came of that. */
export class CloudwatchSink implements Sink {
  readonly #options: CloudwatchOptions;
  readonly #outbox: Outbox;
  readonly #delivery: Delivery;
  readonly #labels: Labels;
  readonly #teller: Teller;
  readonly #tally: Tally;
  readonly #spool: Spool | undefined;
  #wake: () => void = () => undefined;
  #attempt = new AbortController();
  readonly #preparing = new AbortController();
  readonly #running: Promise<void>;

  constructor(options: CloudwatchOptions) {
    const { clock, log, bufferBytes, openSpool } = options;
    this.#options = options;
    this.#teller = new Teller(clock, log, options.remedyFor);
    this.#tally = new Tally(clock, log, options.health);
    this.#labels = new Labels(options.publication, options.resolve);
    this.#outbox = new Outbox(bufferBytes);
    this.#delivery = new Delivery({
      ...options,
      outbox: this.#outbox,
      bookkeeper: {
        delivered: (gone) => {
          this.#tally.sent();
          this.#spool?.settled(gone);
        },
        lost: (gone, why) => {
          this.#tally.lost();
          this.#teller.lost(why);
          this.#spool?.settled(gone);
        },
        partly: (piece) => this.#spool?.partly(piece),
        setAside: (datums) => this.#teller.setAside(datums),
      },
    });
    this.#spool = openSpool?.(this.#mirrored());
    this.#spool?.adopt();
    this.#prepare();
    this.#running = this.#run();
  }

  accept(window: ClosedWindow): void {
    const { clock, log, periodMs } = this.#options;
    log.debug('a window waits', { start: new Date(window.startMs).toISOString() });
    const agoMs = Math.min(periodMs, Math.max(0, clock.wallMs() - window.endMs));
    this.#delivery.accept(window, OWN, clock.monoMs(), agoMs);
    this.#tally.begin();
    this.#teller.tellLosses();
    this.#spool?.save();
    this.#spool?.adopt();
    this.#wake();
  }

  hurry(): void {
    this.#delivery.hurry(this.#options.clock.monoMs());
    this.#wake();
  }

  async flush(deadlineMs: number): Promise<Outcome> {
    const { clock } = this.#options;
    const lostBefore = this.#tally.total.lost;
    const nowMs = clock.monoMs();
    const leftMs = Math.max(0, deadlineMs - nowMs);
    const forSpoolMs = this.#spool === undefined ? 0 : Math.min(SPOOL_MS, leftMs * SPOOL_PART);
    const forSendingMs = leftMs - forSpoolMs;
    this.#delivery.flush(nowMs, nowMs + forSendingMs);
    // Published first: a disk that is stuck must not keep what can go.
    this.#spool?.hold();
    this.#preparing.abort();
    const underWay = this.#attempt;
    const cancel = clock.after(forSendingMs / 2, () => underWay.abort());
    this.#wake();
    await within(clock, forSendingMs, this.#running);
    cancel();
    const isStuck = (await this.#spool?.close(deadlineMs - clock.monoMs())) === false;
    this.#teller.tellLosses(true);
    const unkept = this.#outbox.unkeptWindows;
    const { sent, lost } = this.#tally.total;
    return {
      sent,
      spooled: this.#outbox.windows - unkept,
      lost: lost + unkept,
      lostAtEnd: lost - lostBefore + unkept,
      isStuck,
    };
  }

  status(): Fields {
    const { sent, lost } = this.#tally.total;
    return {
      windowsSent: sent,
      windowsLost: lost,
      windowsWaiting: this.#outbox.windows,
      bufferBytes: this.#outbox.bytes,
      offsetSeconds: Math.round(this.#delivery.offsetMs / 100) / 10,
    };
  }

  #mirrored(): Mirrored {
    const outbox = this.#outbox;
    return {
      get bytes() {
        return outbox.bytes;
      },
      limitBytes: outbox.limitBytes,
      unkept: (most) => outbox.unkept(most),
      left: (piece) => outbox.left(piece),
      keep: (piece, where) => outbox.keep(piece, where),
      adopt: (windows, publication) => {
        const label = this.#labels.add(publication);
        const isRoom = this.#delivery.adopt(windows.map((window) => ({ ...window, label })));
        if (isRoom) this.#wake();
        return isRoom;
      },
      release: (segment) => outbox.release(segment),
      unkeep: (segment) => outbox.unkeep(segment),
    };
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
      if (!signal.aborted) this.#teller.failed(unready(error), this.#outbox.windows);
    }
  }

  async #run(): Promise<void> {
    for (;;) {
      await this.#spool?.assured();
      const nowMs = this.#options.clock.monoMs();
      const step = this.#delivery.next(nowMs);
      this.#teller.tellLosses();
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
    const { verdict, datums, bytes } = await this.#try(batch, timeoutMs, attempt.signal);
    cancel();
    const nowMs = clock.monoMs();
    this.#delivery.answered(verdict, nowMs);
    const isAccepted = verdict.outlook === 'accepted';
    this.#tally.attempted(isAccepted, nowMs - beganMs);
    if (isAccepted) this.#teller.published(datums, bytes, verdict, this.#outbox.windows);
    else this.#teller.failed(verdict, this.#outbox.windows);
  }

  /** One request with as much of the batch as it may hold. */
  async #try(batch: readonly Piece[], timeoutMs: number, signal: AbortSignal): Promise<Tried> {
    try {
      await this.#resolve(signal);
    } catch (error) {
      return { verdict: unready(error), datums: 0, bytes: 0 };
    }
    const data = batch.flatMap((piece) => metricData(piece, this.#labels.at(piece.label)));
    const page = encodePage(this.#labels.at(OWN).namespace, data);
    this.#delivery.trim(page.datums);
    const verdict = await this.#options.post(page, timeoutMs, signal);
    return { verdict, datums: page.datums, bytes: page.body.length };
  }

  async #resolve(signal: AbortSignal): Promise<void> {
    if (await this.#labels.resolve(signal)) this.#spool?.begin(this.#labels.at(OWN));
  }
}
