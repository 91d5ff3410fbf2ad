import type { Clock } from '../clock.ts';
import { codeOf } from '../errors.ts';
import type { Disk } from './disk.ts';
import { leftName, parseName, segmentName } from './names.ts';
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
}

/** The segments that this process owns: it alone writes them. Everything may reject with the disk's error. */
export class Segments {
  readonly #disk: Disk;
  readonly #clock: Clock;
  readonly #owner: string;
  readonly #segments = new Map<number, Segment>();
  #numbers = 0;
  #touches = 0;

  constructor(disk: Disk, clock: Clock, owner: string) {
    this.#disk = disk;
    this.#clock = clock;
    this.#owner = owner;
  }

  get all(): readonly Segment[] {
    return [...this.#segments.values()];
  }

  get bytes(): number {
    return this.all.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  at(number: number): Segment | undefined {
    return this.#segments.get(number);
  }

  /** It is still this process's own, as far as that is known. */
  has({ number }: Segment): boolean {
    return this.#segments.has(number);
  }

  /** Makes an empty one. */
  async create(): Promise<Segment> {
    const segment = this.#make();
    await this.#disk.create(segment.name);
    segment.folder = await this.#disk.identity();
    this.#segments.set(segment.number, segment);
    return segment;
  }

  /** Takes an orphan's place, without having it among its own yet. ENOENT where somebody was faster. */
  async claim(name: string): Promise<Segment> {
    const segment = this.#make(name);
    await this.#disk.rename(name, segment.name);
    return segment;
  }

  /** Has it among its own, unless it was claimed in turn meanwhile (ENOENT). */
  async confirm(segment: Segment): Promise<void> {
    segment.folder = await this.#disk.identity();
    await this.#disk.hold(segment.name);
    await this.#touch(segment.name);
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
    if (isSafe) await this.#touch(segment.name);
  }

  /** Says in the file what is settled, or removes it where nothing of it waits. */
  async tidy(segment: Segment): Promise<void> {
    if (segment.live <= 0) return this.remove(segment);
    if (segment.settled.length === 0) return;
    const { settled } = segment;
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
      if (codeOf(error) === 'ENOENT') return this.abandon(segment);
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

  /** Leaves it to whoever comes. */
  async leave({ name }: Pick<Segment, 'name'>): Promise<void> {
    await this.#disk.rename(name, leftName(name));
  }

  /** Says that its owner lives. @returns false where it is gone */
  async beat(segment: Segment): Promise<boolean> {
    try {
      await this.#touch(segment.name);
      return true;
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error;
      return false;
    }
  }

  /**
   * Whether one that is gone was taken over: its heir has it still, or is done with it already. Otherwise
   * the whole folder is gone.
   */
  async hasHeir({ name, folder }: Segment): Promise<boolean> {
    if ((await this.#disk.identity()) === folder) return true;
    const key = parseName(name)?.key;
    return (await this.#disk.list()).some((one) => parseName(one)?.origin === key);
  }

  /** Never with the same time twice: on a disk that stood still, that would be no sign of life. */
  #touch(name: string): Promise<void> {
    this.#touches += 1;
    return this.#disk.touch(name, this.#clock.wallMs() + (this.#touches % 1000) / 1000);
  }

  #make(from?: string): Segment {
    this.#numbers += 1;
    const number = this.#numbers;
    const name = segmentName(this.#owner, number, from);
    return { number, name, bytes: 0, records: 0, live: 0, settled: [], isTorn: false, folder: '' };
  }
}
