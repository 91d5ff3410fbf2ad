// Over 200 lines: what is written, what is taken over and what is given up must agree about each segment.
import { within } from '../clock.ts';
import type { RecordPosition } from '../delivery/packing.ts';
import type { PendingWindow, Store } from '../delivery/store.ts';
import { codeOf, failure, reasonOf } from '../errors.ts';
import type { Publication } from '../metrics/publication.ts';
import { Adoption } from './adoption.ts';
import { Heartbeat } from './heartbeat.ts';
import { Jobs } from './jobs.ts';
import type { SpoolOptions } from './options.ts';
import { headLine, windowLine } from './record.ts';
import { isAbsent, type Segment, Segments } from './segments.ts';

/** A segment is given up as a whole, when nothing of it waits any more. */
const SEGMENT_BYTES = 1024 * 1024;
/** Of the room on disk, and of that in memory: another process has to find room for it beside its own. */
const LEAST_SEGMENTS = 8;
const WINDOWS_AT_ONCE = 1000;
/** What is kept free for saying what is settled. */
const RESERVE = 0.1;
/** A look at whether the segments are still ours must not keep a request for longer. */
const PATIENCE_MS = 1000;
const LAST_PATIENCE_MS = 100;
/** At the end a disk that works gets at least so much time. */
const LEAST_CLOSE_MS = 500;
/** Of writing and leaving, while somebody takes the files away. */
const MOST_ROUNDS = 3;
const FULL = 'SPOOL_FULL';

/**
 * Keeps a copy on disk of all windows that wait. Nothing waits for it: each change is noted and written as
 * soon as what was begun before is done, one after the other. Where the disk fails the windows wait in
 * memory alone, until it works again.
 */
export class Spool implements Store {
  readonly #options: SpoolOptions;
  readonly #segments: Segments;
  readonly #adoption: Adoption;
  readonly #heartbeat: Heartbeat;
  readonly #jobs = new Jobs((error) => this.#failed(error));
  /** Whose windows are written; nothing is, before their dimensions are known. */
  #publication: Publication | undefined;
  #current: Segment | undefined;
  #isFailing = false;
  /** Segments that turned out to be gone, in all, and when what waits was written the last time. */
  #losses = 0;
  #lossesSaved = 0;
  #isClosing = false;

  constructor(options: SpoolOptions) {
    const { disk, clock, owner } = options;
    this.#options = options;
    this.#segments = new Segments(disk, clock, owner, options.limitBytes);
    this.#adoption = new Adoption(options, this.#segments, () => this.adopt());
    this.#heartbeat = new Heartbeat(clock, {
      isNeeded: () => this.#segments.all.length > 0,
      beat: () => this.#each((segment) => this.#segments.beat(segment)),
      failed: (error) => this.#failed(error),
    });
  }

  /** Takes over what dead processes left. */
  adopt(): void {
    this.#jobs.add('adopt', async () => {
      if (!this.#isClosing) await this.#adoption.run(() => !this.#isClosing);
      this.#heartbeat.keep();
    });
  }

  /** The dimensions of this process's windows are known: from now on they are written. */
  begin(publication: Publication): void {
    this.#publication = publication;
    this.save();
  }

  /** Writes the windows that are not on disk. */
  save(): void {
    this.#jobs.add('save', () => this.#save());
  }

  /** A window left the outbox. */
  settled({ segment: number, record }: RecordPosition): void {
    const segment = this.#segments.at(number);
    if (segment === undefined) return;
    segment.settled.push(record);
    segment.live -= 1;
    this.#jobs.add('tidy', () => this.#tidy());
  }

  /** Some of a window is settled: what still waits takes the place of the whole. */
  partly(window: PendingWindow): void {
    // Asked now: it may have been written since the window was taken out.
    const { segment: number = 0 } = this.#options.pending.remaining(window) ?? {};
    const segment = this.#segments.at(number);
    if (segment !== undefined) this.#jobs.add(undefined, () => this.#replace(segment, window));
  }

  /** After a pause in which others may have taken this process for dead, looks at what is still its own. */
  verifyOwnership(): Promise<void> {
    return this.#heartbeat.verifyOwnershipWithin(this.#isClosing ? LAST_PATIENCE_MS : PATIENCE_MS);
  }

  /** From now on nothing is begun, until {@link close}. */
  hold(): void {
    this.#isClosing = true;
    this.#jobs.pause();
  }

  /**
   * Writes what is left, and leaves it to whoever comes.
   *
   * @returns false where the disk does not answer
   */
  close(limitMs: number): Promise<boolean> {
    this.#isClosing = true;
    this.#heartbeat.stop();
    this.#adoption.close();
    this.#jobs.resume();
    this.save();
    const leaving = this.#jobs.add(undefined, async () => {
      await this.#heartbeat.rest();
      for (let round = 0; round < MOST_ROUNDS; round += 1) {
        await this.#leaveAll();
        // What is gone from under us is written once more.
        if (this.#lossesSaved === this.#losses) break;
        await this.#save();
      }
      await this.#options.disk.close();
    });
    return within(this.#options.clock, Math.max(limitMs, LEAST_CLOSE_MS), leaving);
  }

  async #leaveAll(): Promise<void> {
    this.#current = undefined;
    await this.#each(async (segment) => {
      try {
        await this.#segments.tidy(segment);
      } finally {
        // Also where there is no room to say what is settled.
        if (this.#segments.has(segment)) await this.#segments.leave(segment);
      }
    });
  }

  /** Does something with all segments, also where it fails for one of them. @throws the last failure */
  async #each(work: (segment: Segment) => Promise<void>): Promise<void> {
    let failed: unknown;
    for (const segment of this.#segments.all) {
      try {
        await work(segment);
      } catch (error) {
        if (isAbsent(error)) await this.#lostHold(segment);
        else failed = error;
      }
    }
    if (failed !== undefined) throw failed;
  }

  /** Said once. @throws what is a fault of this program */
  #failed(error: unknown): void {
    const code = codeOf(error);
    if (code === undefined) throw error;
    if (code !== FULL) this.#current = undefined;
    const text = 'the spool cannot be written, windows wait in memory alone';
    this.#options.log[this.#isFailing ? 'debug' : 'warn'](text, { reason: reasonOf(error) });
    this.#isFailing = true;
  }

  async #save(): Promise<void> {
    const { pending, log } = this.#options;
    const publication = this.#publication;
    if (publication === undefined) return;
    this.#lossesSaved = this.#losses;
    // An open file could be written though it is another process's now.
    await this.#heartbeat.verifyOwnership();
    for (let windows = pending.unspooled(WINDOWS_AT_ONCE); windows.length > 0; ) {
      const written = await this.#write(windows, headLine(this.#options.output, publication));
      // Another job follows, with another segment.
      if (written === 0) return;
      const last = new Date(windows[written - 1]?.startMs ?? 0).toISOString();
      log.debug('windows are on disk', { windows: written, last });
      if (this.#isFailing) log.warn('the spool is written again');
      this.#isFailing = false;
      windows =
        windows.length > written ? windows.slice(written) : pending.unspooled(WINDOWS_AT_ONCE);
    }
    await this.#tidy();
  }

  /** Writes the first of some windows, as many as go into one segment. @returns how many */
  async #write(windows: readonly PendingWindow[], head: string): Promise<number> {
    const segment = this.#current;
    const { records = 0, bytes = 0 } = segment ?? {};
    let text = segment === undefined ? head : '';
    let taken = 0;
    for (const window of windows) {
      if (taken > 0 && bytes + text.length > this.#segmentBytes()) break;
      taken += 1;
      text += windowLine(records + taken, window);
    }
    if (Buffer.byteLength(text) > this.#segments.room - this.#options.limitBytes * RESERVE) {
      throw failure(FULL, 'the spool is full, see --spool-limit');
    }
    const to = segment ?? (await this.#segments.create(windows[0]?.startMs ?? 0));
    this.#heartbeat.keep();
    try {
      await this.#segments.append(to, text, true);
    } catch (error) {
      if (isAbsent(error)) {
        // They may have gone into the file through its open descriptor, and follow in another one.
        to.settled.push(...windows.slice(0, taken).map((_, index) => to.records + index + 1));
        await this.#lostHold(to);
        return 0;
      }
      if (to.live === 0) await this.#segments.remove(to);
      throw error;
    }
    for (const window of windows.slice(0, taken)) {
      to.records += 1;
      const where = { segment: to.number, record: to.records };
      if (this.#options.pending.markSpooled(window, where)) to.live += 1;
      else to.settled.push(to.records);
      // Some of it was settled while it was written.
      if (this.#options.pending.remaining(window)?.data.length !== window.data.length)
        this.partly(window);
    }
    this.#current = to.bytes > this.#segmentBytes() ? undefined : to;
    return taken;
  }

  #segmentBytes(): number {
    const { limitBytes, pending } = this.#options;
    return Math.min(SEGMENT_BYTES, Math.min(limitBytes, pending.limitBytes) / LEAST_SEGMENTS);
  }

  async #replace(segment: Segment, window: PendingWindow): Promise<void> {
    const { pending } = this.#options;
    await this.#heartbeat.verifyOwnership();
    const left = pending.remaining(window);
    if (left?.segment !== segment.number || !this.#segments.has(segment)) return;
    const record = segment.records + 1;
    const text = windowLine(record, left, left.record);
    // Where there is no room all of it may be delivered once more, after a crash.
    if (Buffer.byteLength(text) >= this.#segments.room) return;
    await this.#segments.append(segment, text, false);
    segment.records = record;
    if (!pending.markSpooled(left, { segment: segment.number, record }))
      segment.settled.push(record);
  }

  async #tidy(): Promise<void> {
    await this.#heartbeat.verifyOwnership();
    await this.#each((segment) => this.#segments.tidy(segment));
    if (this.#current !== undefined && !this.#segments.has(this.#current)) {
      this.#current = undefined;
    }
    if (this.#adoption.hasMore) this.adopt();
  }

  /** A segment is gone: its windows are somebody else's, or on disk no longer. */
  async #lostHold(segment: Segment): Promise<void> {
    const { pending, log } = this.#options;
    // It may have been removed meanwhile, as nothing of it waited.
    if (!this.#segments.has(segment)) return;
    this.#segments.forget(segment);
    this.#losses += 1;
    if (this.#current === segment) this.#current = undefined;
    const isTaken = await this.#segments.wasTakenOver(segment);
    const why = isTaken ? 'taken over: this process stood still for too long' : 'removed';
    log.warn(`a segment of the spool was ${why}`);
    if (isTaken) pending.release(segment.number);
    else pending.markUnspooled(segment.number);
    // What was written to it a moment ago has to be elsewhere before its heir is told to let it be.
    this.save();
    this.#jobs.add(undefined, () => this.#segments.abandon(segment));
  }
}
