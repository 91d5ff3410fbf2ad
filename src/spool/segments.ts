// Over 200 lines: a file and what is known of it change together.
import type { Clock } from '../clock.ts';
import { codeOf } from '../errors.ts';
import type { Disk } from './disk.ts';
import { elapsedSince, type Instant, instantOf } from './instant.ts';
import { claimedName, parseName, releasedName, segmentName } from './names.ts';
import { WATCH_MS } from './owners.ts';
import { settledLine } from './record.ts';

/** A file of this process. */
export interface Segment {
  readonly number: number;
  readonly name: string;
  bytes: number;
  /** The number of its last record. */
  records: number;
  /** Records of windows that wait. */
  live: number;
  /** Records that are settled, which the file does not say yet. */
  settled: number[];
  /** Its last line may be half a one. */
  isTorn: boolean;
  /** The folder that it is in, as the disk tells folders apart. */
  folder: string;
  /** When it was last known to be this process's own. */
  verified: Instant;
}

/** It, or the folder that it was in, is not there any more. */
export function isAbsent(error: unknown): boolean {
  return codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR';
}

/** The segments that this process owns: it alone writes them. Everything may reject with the disk's error. */
export class Segments {
  readonly #disk: Disk;
  readonly #clock: Clock;
  readonly #owner: string;
  readonly #segments = new Map<number, Segment>();
  #numbers = 0;
  readonly #limitBytes: number;
  #leftBytes = 0;
  #touches = 0;

  /** @param limitBytes the most that this process keeps */
  constructor(disk: Disk, clock: Clock, owner: string, limitBytes: number) {
    this.#limitBytes = limitBytes;
    this.#disk = disk;
    this.#clock = clock;
    this.#owner = owner;
  }

  get all(): readonly Segment[] {
    return [...this.#segments.values()];
  }

  /** Bytes that may be written before the limit is reached. */
  get room(): number {
    return this.all.reduce((rest, { bytes }) => rest - bytes, this.#limitBytes - this.#leftBytes);
  }

  at(number: number): Segment | undefined {
    return this.#segments.get(number);
  }

  /** It is still this process's own, as far as that is known. */
  has({ number }: Segment): boolean {
    return this.#segments.has(number);
  }

  /** Makes an empty one. @param startMs of the first window that will be in it */
  async create(startMs: number): Promise<Segment> {
    const segment = this.#make((number) => segmentName(this.#owner, number, startMs));
    await this.#disk.create(segment.name);
    segment.folder = await this.#disk.identity();
    this.#segments.set(segment.number, segment);
    return segment;
  }

  /** Takes an orphan's place, without having it among its own yet. ENOENT where somebody was faster. */
  async claim(name: string): Promise<Segment> {
    const segment = this.#make((number) => claimedName(this.#owner, number, name));
    await this.#disk.rename(name, segment.name);
    return segment;
  }

  /** Has it among its own, unless it was claimed in turn meanwhile (ENOENT). */
  async confirm(segment: Segment): Promise<void> {
    segment.folder = await this.#disk.identity();
    await this.#disk.hold(segment.name);
    await this.beat(segment);
    this.#segments.set(segment.number, segment);
  }

  forget({ number }: Segment): void {
    this.#segments.delete(number);
  }

  /** @param isSafe the text is on disk when it resolves, in a file that is still this process's own */
  async append(segment: Segment, text: string, isSafe: boolean): Promise<void> {
    const whole = segment.isTorn ? `\n${text}` : text;
    try {
      await this.#disk.append(segment.name, whole, isSafe);
    } catch (error) {
      segment.isTorn = true;
      // Some of its lines may be whole: they would be read, though they count as not written.
      await this.#disk.truncate(segment.name, segment.bytes);
      throw error;
    }
    segment.isTorn = false;
    segment.bytes += Buffer.byteLength(whole);
    // An open file can be written though it was renamed, when its heir has read it already.
    if (isSafe) await this.beat(segment);
  }

  /** Says in the file what is settled, or removes it where nothing of it waits. */
  async tidy(segment: Segment): Promise<void> {
    if (segment.live <= 0) return this.remove(segment);
    const { settled } = segment;
    // Where there is no room it may be delivered once more, after a crash.
    if (settled.length === 0 || settledLine(settled).length >= this.room) return;
    segment.settled = [];
    try {
      await this.append(segment, settledLine(settled), false);
    } catch (error) {
      segment.settled = [...settled, ...segment.settled];
      throw error;
    }
  }

  async remove(segment: Segment): Promise<void> {
    this.forget(segment);
    try {
      await this.#disk.remove(segment.name);
    } catch (error) {
      if (isAbsent(error)) return this.abandon(segment);
      this.#segments.set(segment.number, segment);
      throw error;
    }
  }

  /**
   * Gives up one that is gone. Through its open descriptor an heir that has not read it yet is told which
   * of its records are none for it.
   */
  async abandon(segment: Segment): Promise<void> {
    this.forget(segment);
    try {
      if (segment.settled.length > 0) {
        await this.#disk.append(segment.name, `\n${settledLine(segment.settled)}`, true);
      }
    } catch (error) {
      // It was not open, so that there is no way to tell.
      if (codeOf(error) === undefined) throw error;
    }
    await this.#disk.drop(segment.name);
  }

  /** Leaves it to whoever comes. @returns its new name */
  async giveBack(segment: Segment): Promise<string> {
    const released = releasedName(segment.name);
    await this.#disk.rename(segment.name, released);
    this.forget(segment);
    return released;
  }

  /** Leaves it at the end: it still counts among what this process keeps. */
  async leave(segment: Segment): Promise<void> {
    await this.giveBack(segment);
    this.#leftBytes += segment.bytes;
  }

  /**
   * Whether one that is gone was taken over, and not removed. Its heir has it still, or is done with it
   * already, which can only be after a long silence, and in the same folder.
   */
  async wasTakenOver({ name, folder, verified }: Segment): Promise<boolean> {
    const silentMs = elapsedSince(this.#clock, verified);
    try {
      const identity = await this.#disk.identity();
      if (identity === '') return false;
      if (identity === folder && silentMs >= WATCH_MS) return true;
      const key = parseName(name)?.key;
      return (await this.#disk.list()).some((one) => parseName(one)?.origin === key);
    } catch (error) {
      // What is not there, and cannot be looked for, has to be written again.
      if (codeOf(error) === undefined) throw error;
      return false;
    }
  }

  /**
   * Says that its owner lives. ENOENT where it is gone. Never with the same time twice: on a disk that stood
   * still, that would be no sign of life.
   */
  async beat(segment: Segment): Promise<void> {
    this.#touches += 1;
    const now = instantOf(this.#clock);
    await this.#disk.touch(segment.name, now.wallMs + (this.#touches % 1000) / 1000);
    segment.verified = now;
  }

  #make(nameOf: (number: number) => string): Segment {
    this.#numbers += 1;
    const number = this.#numbers;
    const name = nameOf(number);
    const none = { bytes: 0, records: 0, live: 0, isTorn: false, folder: '' };
    return { ...none, number, name, settled: [], verified: instantOf(this.#clock) };
  }
}
