// Over 200 lines: what is written, what is taken over and what is given up must agree about each segment.
import type { Clock } from '../clock.ts';
import type { Dimension, Publication } from '../cloudwatch/datum.ts';
import type { Adopted, Piece } from '../cloudwatch/outbox.ts';
import type { Kept } from '../cloudwatch/packing.ts';
import { codeOf, failure, reasonOf } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Disk } from './disk.ts';
import { BEAT_MS, leftName, Owners, segmentName, WATCH_MS } from './owners.ts';
import { dimensionsLine, headLine, parseSegment, settledLine, windowLine } from './record.ts';

/** The waiting windows, of which the spool is the copy on disk. */
export interface Mirrored {
  /** Windows that are not on disk, oldest first. */
  unkept(): readonly Piece[];
  /** What of a window waits now; nothing where it is gone. */
  left(piece: Piece): Piece | undefined;
  /** Notes where a window is. @returns false where it waits no longer */
  keep(piece: Piece, where: Kept): boolean;
  /** Takes windows over. @returns whether there was room */
  adopt(windows: readonly Omit<Adopted, 'label'>[], publication: Publication): boolean;
  /** Forgets the windows of a segment that somebody else took over. */
  release(segment: number): void;
}

export interface SpoolOptions {
  readonly disk: Disk;
  readonly limitBytes: number;
  /** A name that no other process has: hexadecimal digits. */
  readonly owner: string;
  /** Whose windows are written. */
  readonly publication: Publication;
  readonly clock: Clock;
  readonly log: Log;
  readonly mirrored: Mirrored;
}

interface Segment {
  readonly number: number;
  readonly name: string;
  /** It holds this process's own windows, and no adopted ones. */
  readonly isOwn: boolean;
  bytes: number;
  /** The number of its last record. */
  records: number;
  /** Records of windows that wait. */
  live: number;
  /** Records that are settled, which the file does not say yet. */
  settled: number[];
  /** Its last line may be half a one. */
  isTorn: boolean;
}

/** A segment is given up as a whole, when nothing of it waits any more. */
const SEGMENT_BYTES = 1024 * 1024;
const LEAST_SEGMENTS = 8;
/** What is kept free for saying what is settled. */
const RESERVE = 0.1;
/** A look at whether the segments are still ours must not keep a request for longer. */
const PATIENCE_MS = 1000;

/**
 * Keeps a copy on disk of all windows that wait. Nothing waits for it: each change is noted and written as
 * soon as what was begun before is done, one after the other. Where the disk fails the windows wait in
 * memory alone, until it works again.
 */
export class Spool {
  readonly #options: SpoolOptions;
  readonly #owners: Owners;
  readonly #segments = new Map<number, Segment>();
  /** Segments of other namespaces, and such as had no room. */
  readonly #passed = new Set<string>();
  #publication: Publication;
  #current: Segment | undefined;
  #numbers = 0;
  #queue: Promise<void> = Promise.resolve();
  readonly #pending = new Set<string>();
  #isFailing = false;
  /** What is begun waits for it, while there is more urgent work than the disk's. */
  #gate: { readonly opened: Promise<void>; readonly open: () => void } | undefined;
  #beatMs = 0;
  #touches = 0;
  #cancelBeat: (() => void) | undefined;
  #cancelWatch: (() => void) | undefined;
  #beating: Promise<void> | undefined;

  constructor(options: SpoolOptions) {
    this.#options = options;
    this.#publication = options.publication;
    this.#owners = new Owners(options.disk, options.owner, options.clock);
  }

  /** Takes over what dead processes left. */
  adopt(): void {
    this.#do('adopt', () => this.#adoptOrphans());
  }

  /** Writes the windows that are not on disk. */
  save(): void {
    this.#do('save', () => this.#save());
  }

  /** A window left the outbox. */
  settled({ segment: number, record }: Kept): void {
    const segment = this.#segments.get(number);
    if (segment === undefined) return;
    segment.settled.push(record);
    segment.live -= 1;
    this.#do('tidy', () => this.#tidy());
  }

  /** Some of a window is settled: what still waits takes the place of the whole. */
  partly(piece: Piece): void {
    const segment = this.#segments.get(piece.segment);
    if (segment !== undefined) this.#do(undefined, () => this.#replace(segment, piece));
  }

  /** The dimensions of this process's own windows are known now. */
  relabel(dimensions: readonly Dimension[]): void {
    const before = this.#publication;
    this.#publication = { ...before, dimensions };
    if (JSON.stringify(before.dimensions) === JSON.stringify(dimensions)) return;
    const own = [...this.#segments.values()].filter(({ isOwn }) => isOwn);
    this.#do(undefined, async () => {
      for (const one of own) await this.#append(one, dimensionsLine(dimensions), false);
    });
  }

  /** After a pause in which others may have taken this process for dead, looks at what is still its own. */
  async assured(): Promise<void> {
    const { clock } = this.#options;
    if (this.#segments.size === 0 || clock.monoMs() - this.#beatMs < 2 * BEAT_MS) return;
    await this.#within(PATIENCE_MS, this.#beat());
  }

  /** From now on nothing is begun, until {@link close}. */
  hold(): void {
    let open = (): void => undefined;
    const opened = new Promise<void>((resolve) => {
      open = resolve;
    });
    this.#gate = { opened, open };
  }

  /**
   * Writes what is left, and leaves it to whoever comes.
   *
   * @returns false where the disk did not get it done in time
   */
  async close(limitMs: number): Promise<boolean> {
    this.#gate?.open();
    this.#cancelBeat?.();
    this.#cancelWatch?.();
    this.save();
    this.#do('tidy', () => this.#tidy());
    const leaving = this.#do(undefined, async () => {
      await this.#beating;
      for (const { name } of this.#segments.values()) {
        await this.#options.disk.rename(name, leftName(name));
      }
      this.#segments.clear();
      await this.#options.disk.close();
    });
    return this.#within(limitMs, leaving);
  }

  /** Runs a job after those before it. @param name of a job that there is no use in doing twice in a row */
  #do(name: string | undefined, job: () => Promise<void>): Promise<void> {
    if (name !== undefined && this.#pending.has(name)) return this.#queue;
    if (name !== undefined) this.#pending.add(name);
    this.#queue = this.#queue.then(async () => {
      await this.#gate?.opened;
      if (name !== undefined) this.#pending.delete(name);
      try {
        await job();
      } catch (error) {
        this.#failed(error);
      }
    });
    return this.#queue;
  }

  async #within(limitMs: number, work: Promise<void>): Promise<boolean> {
    let cancel = (): void => undefined;
    const late = new Promise<boolean>((resolve) => {
      cancel = this.#options.clock.after(limitMs, () => resolve(false));
    });
    const isDone = await Promise.race([work.then(() => true), late]);
    cancel();
    return isDone;
  }

  /** Said once. @throws what is a fault of this program */
  #failed(error: unknown): void {
    if (codeOf(error) === undefined) throw error;
    this.#current = undefined;
    const text = 'the spool cannot be written, windows wait in memory alone';
    this.#options.log[this.#isFailing ? 'debug' : 'warn'](text, { reason: reasonOf(error) });
    this.#isFailing = true;
  }

  async #save(): Promise<void> {
    const { mirrored, log } = this.#options;
    for (let pieces = mirrored.unkept(); pieces.length > 0; ) {
      const segment = this.#current ?? (await this.#open());
      let text = '';
      let taken = 0;
      for (const piece of pieces) {
        if (segment.bytes + text.length > this.#segmentBytes() && taken > 0) break;
        text += windowLine(segment.records + taken + 1, piece);
        taken += 1;
      }
      const room = this.#options.limitBytes * (1 - RESERVE);
      if (this.#bytes() + text.length > room) {
        throw failure('ENOSPC', 'the spool is full, see --spool-limit');
      }
      await this.#append(segment, text, true);
      for (const piece of pieces.slice(0, taken)) {
        segment.records += 1;
        const where = { segment: segment.number, record: segment.records };
        if (mirrored.keep(piece, where)) segment.live += 1;
        else segment.settled.push(segment.records);
      }
      const last = pieces[taken - 1]?.startMs ?? 0;
      log.debug('windows are on disk', { windows: taken, last: new Date(last).toISOString() });
      if (segment.bytes > this.#segmentBytes()) this.#current = undefined;
      pieces = pieces.slice(taken);
      if (this.#isFailing) log.warn('the spool is written again');
      this.#isFailing = false;
    }
    await this.#tidy();
  }

  #bytes(): number {
    return [...this.#segments.values()].reduce((sum, { bytes }) => sum + bytes, 0);
  }

  #segmentBytes(): number {
    return Math.min(SEGMENT_BYTES, this.#options.limitBytes / LEAST_SEGMENTS);
  }

  async #open(): Promise<Segment> {
    const { disk, owner } = this.#options;
    const segment = this.#segment(segmentName(owner, this.#numbers + 1), { isOwn: true });
    await disk.create(segment.name);
    this.#enlist(segment);
    await this.#append(segment, headLine(this.#publication), false);
    this.#current = segment;
    return segment;
  }

  #segment(name: string, more: Partial<Segment> = {}): Segment {
    this.#numbers += 1;
    const none = { isOwn: false, bytes: 0, records: 0, live: 0, settled: [], isTorn: false };
    return { number: this.#numbers, name, ...none, ...more };
  }

  #enlist(segment: Segment): void {
    this.#segments.set(segment.number, segment);
    this.#beatMs = this.#options.clock.monoMs();
    this.#cancelBeat ??= this.#nextBeat();
  }

  async #append(segment: Segment, text: string, isSafe: boolean): Promise<void> {
    const { disk } = this.#options;
    const whole = segment.isTorn ? `\n${text}` : text;
    try {
      await disk.append(segment.name, whole, isSafe);
    } catch (error) {
      segment.isTorn = true;
      // Some of its lines may be whole: they would be read, though they count as not written.
      await disk.truncate(segment.name, segment.bytes);
      throw error;
    }
    segment.isTorn = false;
    segment.bytes += Buffer.byteLength(whole);
  }

  async #replace(segment: Segment, piece: Piece): Promise<void> {
    const { mirrored } = this.#options;
    const left = mirrored.left(piece);
    if (left?.segment !== segment.number) return;
    const record = segment.records + 1;
    await this.#append(segment, windowLine(record, left, left.record), false);
    segment.records = record;
    if (!mirrored.keep(left, { segment: segment.number, record })) segment.settled.push(record);
  }

  /** Says in the files what is settled, and removes those of which nothing waits. */
  async #tidy(): Promise<void> {
    for (const segment of [...this.#segments.values()]) {
      if (segment.live <= 0) {
        this.#forget(segment);
        try {
          await this.#remove(segment.name);
        } catch (error) {
          this.#segments.set(segment.number, segment);
          throw error;
        }
      } else if (segment.settled.length > 0) await this.#tellSettled(segment);
    }
  }

  async #tellSettled(segment: Segment): Promise<void> {
    const { settled } = segment;
    segment.settled = [];
    try {
      await this.#append(segment, settledLine(settled), false);
    } catch (error) {
      segment.settled = [...settled, ...segment.settled];
      throw error;
    }
  }

  #forget(segment: Segment): void {
    this.#segments.delete(segment.number);
    if (this.#current === segment) this.#current = undefined;
  }

  async #remove(name: string): Promise<void> {
    try {
      await this.#options.disk.remove(name);
    } catch (error) {
      // Somebody took it over, with nothing in it.
      if (codeOf(error) !== 'ENOENT') throw error;
    }
  }

  #nextBeat(): () => void {
    return this.#options.clock.after(BEAT_MS, () => {
      this.#cancelBeat = undefined;
      if (this.#segments.size === 0) return;
      this.#beat();
      this.#cancelBeat = this.#nextBeat();
    });
  }

  /**
   * Tells others that this process lives, and finds out whether they believe it. It does not wait for the
   * jobs that are under way: where the disk is slow, it is the first thing to be asked.
   */
  #beat(): Promise<void> {
    this.#beating ??= this.#touchAll().then(
      () => {
        this.#beating = undefined;
      },
      (error) => {
        this.#beating = undefined;
        this.#failed(error);
      },
    );
    return this.#beating;
  }

  /** Never with the same time twice: on a disk that stood still, that would be no sign of life. */
  #touch(name: string): Promise<void> {
    const { disk, clock } = this.#options;
    this.#touches += 1;
    return disk.touch(name, clock.wallMs() + (this.#touches % 1000) / 1000);
  }

  async #touchAll(): Promise<void> {
    const { clock, mirrored, log } = this.#options;
    const nowMs = clock.monoMs();
    for (const segment of [...this.#segments.values()]) {
      try {
        await this.#touch(segment.name);
      } catch (error) {
        if (codeOf(error) !== 'ENOENT') throw error;
        // It was removed meanwhile, as nothing of it waited.
        if (!this.#segments.has(segment.number)) continue;
        log.warn('a segment of the spool was taken over: this process stood still for too long');
        this.#forget(segment);
        mirrored.release(segment.number);
      }
    }
    this.#beatMs = nowMs;
  }

  async #adoptOrphans(): Promise<void> {
    for (const name of await this.#owners.orphans()) {
      if (!this.#passed.has(name)) await this.#adoptOne(name);
    }
    this.#cancelWatch?.();
    const look = (): void => this.adopt();
    this.#cancelWatch = this.#owners.isWatching
      ? this.#options.clock.after(WATCH_MS, look)
      : undefined;
  }

  /** Whatever is gone meanwhile another process was faster to take. */
  async #adoptOne(name: string): Promise<void> {
    try {
      if (await this.#isForUs(name)) await this.#takeOver(name);
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error;
    }
  }

  async #isForUs(name: string): Promise<boolean> {
    const { disk, log } = this.#options;
    const text = await disk.read(name);
    // Its owner died before the first line was whole, so that nothing of it was ever kept.
    if (!text.includes('\n')) {
      await disk.remove(name);
      return false;
    }
    const { publication } = parseSegment(text);
    if (publication?.namespace === this.#publication.namespace) return true;
    this.#passed.add(name);
    const reason = publication ? 'of another namespace' : 'whose head is damaged';
    log.info(`a segment of the spool ${reason} is left alone`, { name });
    return false;
  }

  async #takeOver(name: string): Promise<void> {
    const { disk, owner, clock, log, mirrored } = this.#options;
    const own = segmentName(owner, this.#numbers + 1);
    // Touched first: with the old time it would be an orphan under its new name as well.
    await this.#touch(name);
    await disk.rename(name, own);
    const { publication, windows, damaged } = parseSegment(await disk.read(own));
    const { bytes } = await disk.look(own);
    const records = Math.max(0, ...windows.map(({ record }) => record));
    const segment = this.#segment(own, { bytes, records, live: windows.length, isTorn: true });
    // Touched last: it may have taken so long that another process took it in turn.
    await this.#touch(own);
    const [monoMs, wallMs] = [clock.monoMs(), clock.wallMs()];
    const adopted = windows.map((window) => ({
      ...window,
      segment: segment.number,
      bornMs: monoMs - Math.max(0, wallMs - window.startMs),
    }));
    if (publication === undefined || !mirrored.adopt(adopted, publication)) {
      await disk.rename(own, leftName(own));
      return;
    }
    this.#enlist(segment);
    log.info('windows of another process are taken over', { windows: windows.length, damaged });
    await this.#tidy();
  }
}
