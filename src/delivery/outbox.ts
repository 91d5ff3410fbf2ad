// Over 200 lines: whatever changes a window has to keep the same counts.
import { type Chunk, Chunks, type Entry, isWaiting, setSlot, slotOf } from './chunks.ts';
import {
  DELIVERED,
  MetricNumbers,
  markSettled,
  pack,
  packedData,
  type RecordPosition,
  sizeOf,
  unpack,
  type WaitingWindow,
} from './packing.ts';
import type { Adopted, PendingWindow, PendingWindows, Removed } from './store.ts';

/** In the place of a record's number, where there is no segment. */
const SEEN = 1;

function recordOf(entry: Entry): number {
  return slotOf(entry, 'segment') === 0 ? 0 : slotOf(entry, 'record');
}

/** Neither the disk nor the service can have the window: its label may change. */
function isUnseen(entry: Entry): boolean {
  return slotOf(entry, 'segment') === 0 && slotOf(entry, 'record') === 0;
}

/**
 * Closed windows that wait, packed: a default minute takes 128 bytes. They leave at either end or from
 * the middle. Where there is no more room the oldest chunk of them is dropped.
 */
export class Outbox implements PendingWindows {
  readonly #chunks: Chunks;
  readonly #metrics = new MetricNumbers();
  #windows = 0;
  #ids = 0;

  constructor(limitBytes: number) {
    this.#chunks = new Chunks(limitBytes);
  }

  /** Windows that wait, wholly or in part. */
  get windows(): number {
    return this.#windows;
  }

  get limitBytes(): number {
    return this.#chunks.limitBytes;
  }

  /** What the windows take, never more than the limit. */
  get bytes(): number {
    return this.#chunks.bytes;
  }

  /**
   * Puts a window in as the newest.
   *
   * @param bornMs monotonic: from when on it ages
   * @returns what was dropped for it, and it itself where it is larger than all the room
   */
  push(window: WaitingWindow, publicationId: number, bornMs: number): readonly Removed[] {
    this.#ids += 1;
    const where = { id: this.#ids, segment: 0, record: 0 };
    const size = sizeOf(window);
    if (!this.#chunks.couldFit(size)) return [{ ...where, isDelivered: false }];
    const dropped: Removed[] = [];
    let chunk = this.#chunks.lastWith(size);
    if (chunk === undefined) {
      const slots = this.#chunks.sizeFor(size);
      while (!this.#chunks.fits(slots)) {
        const { oldest } = this.#chunks;
        if (oldest === undefined) break;
        dropped.push(
          ...this.#drop(
            () => true,
            (chunk) => chunk === oldest,
          ),
        );
        this.#chunks.remove(oldest);
      }
      chunk = this.#chunks.add(slots);
    }
    this.#put(chunk, window, { ...where, bornMs, publicationId });
    return dropped;
  }

  /**
   * Puts windows in that another process left: before all of this one's, and among such by their start.
   *
   * @returns whether there was room for them; otherwise none is in
   */
  adopt(windows: readonly Adopted[]): boolean {
    const slots = windows.reduce((sum, window) => sum + sizeOf(window), 0);
    if (!this.#chunks.fits(slots)) return false;
    const sorted = [...windows].sort((one, other) => one.startMs - other.startMs);
    for (let from = 0; from < sorted.length; ) from += this.#adoptChunk(sorted, from);
    return true;
  }

  /** As many as make one chunk. @returns how many */
  #adoptChunk(windows: readonly Adopted[], from: number): number {
    let slots = 0;
    let count = 0;
    for (const window of windows.slice(from)) {
      if (count > 0 && slots + sizeOf(window) > this.#chunks.mostSlots) break;
      slots += sizeOf(window);
      count += 1;
    }
    const chunk = this.#chunks.addAdopted(slots, windows[from]?.startMs ?? 0);
    for (const window of windows.slice(from, from + count)) {
      this.#ids += 1;
      this.#put(chunk, window, { ...window, id: this.#ids });
    }
    return count;
  }

  /** The newest window and then the oldest ones, as many datums of theirs as may go at once. */
  batch(maxDatums: number): readonly PendingWindow[] {
    const newest = this.#chunks.newest();
    if (newest === undefined) return [];
    const first = this.#takeOut(newest, maxDatums);
    const windows = [first];
    let room = maxDatums - first.data.length;
    for (const entry of this.#chunks.waiting()) {
      if (room === 0 || slotOf(entry, 'id') === first.id) break;
      const window = this.#takeOut(entry, room);
      windows.push(window);
      room -= window.data.length;
    }
    return windows;
  }

  /**
   * Notes that windows are on their way, so that their labels stay.
   *
   * @returns those of them that nobody had seen before
   */
  markSeen(windows: readonly PendingWindow[]): readonly PendingWindow[] {
    const fresh = windows.filter(({ entry }) => isWaiting(entry) && isUnseen(entry));
    for (const { entry } of fresh) setSlot(entry, 'record', SEEN);
    return fresh;
  }

  /** Takes that back: nobody has seen them after all. */
  markUnseen(windows: readonly PendingWindow[]): void {
    for (const { entry } of windows) {
      if (isWaiting(entry) && slotOf(entry, 'segment') === 0) setSlot(entry, 'record', 0);
    }
  }

  /** Gives other labels to the windows that nobody has seen. @param move the new ones of the old ones */
  relabel(move: (labels: readonly number[]) => readonly number[]): void {
    const entries = [...this.#chunks.waiting()].filter(isUnseen);
    const labels = move(entries.map((entry) => slotOf(entry, 'start')));
    for (const [index, entry] of entries.entries()) {
      const start = slotOf(entry, 'start');
      const label = labels[index] ?? start;
      setSlot(entry, 'end', slotOf(entry, 'end') + label - start);
      setSlot(entry, 'start', label);
    }
  }

  /** How many windows are not on disk. */
  get unspooledWindows(): number {
    return this.#chunks.unspooled;
  }

  /** Windows that are not on disk, oldest first, so many at most. */
  unspooled(most: number): readonly PendingWindow[] {
    const windows: PendingWindow[] = [];
    for (const entry of this.#chunks.waiting(({ unspooled }) => unspooled > 0)) {
      if (windows.length === most) break;
      if (slotOf(entry, 'segment') === 0)
        windows.push(this.#takeOut(entry, Number.POSITIVE_INFINITY));
    }
    // What goes to the disk is called so from now on.
    this.markSeen(windows);
    return windows;
  }

  /** What of a window waits now; nothing where it is gone. */
  remaining({ entry }: PendingWindow): PendingWindow | undefined {
    if (!isWaiting(entry)) return undefined;
    return this.#takeOut(entry, Number.POSITIVE_INFINITY);
  }

  /** Notes where a window's record is. @returns false where the window waits no longer */
  markSpooled({ entry }: PendingWindow, { segment, record }: RecordPosition): boolean {
    if (!isWaiting(entry)) return false;
    if (slotOf(entry, 'segment') === 0) entry.chunk.unspooled -= 1;
    setSlot(entry, 'segment', segment);
    setSlot(entry, 'record', record);
    return true;
  }

  /** Notes that the windows of a segment are on disk no longer. */
  markUnspooled(segment: number): void {
    for (const entry of this.#chunks.waiting()) {
      if (slotOf(entry, 'segment') !== segment) continue;
      setSlot(entry, 'segment', 0);
      entry.chunk.unspooled += 1;
    }
  }

  /**
   * Decides about datums of a window: delivered, or set aside. What was dropped meanwhile is let be.
   *
   * @param indexes their places in the window
   * @returns the window, when nothing of it waits any more
   */
  settle(
    { entry }: PendingWindow,
    indexes: ReadonlySet<number>,
    isDelivered: boolean,
  ): Removed | undefined {
    if (!isWaiting(entry)) return undefined;
    const { slots } = entry.chunk;
    const open = slotOf(entry, 'open') % DELIVERED;
    let settled = 0;
    let index = 0;
    for (const datum of packedData(slots, entry.at)) {
      if (indexes.has(index) && !datum.isSettled) {
        markSettled(slots, datum);
        settled += 1;
      }
      index += 1;
    }
    const wasDelivered = slotOf(entry, 'open') >= DELIVERED;
    const isSome = wasDelivered || (isDelivered && settled > 0);
    setSlot(entry, 'open', open - settled + (isSome ? DELIVERED : 0));
    return settled === open ? this.#leave(entry) : undefined;
  }

  /** Drops what was born before an instant (monotonic), from the oldest on. */
  expire(beforeMs: number): readonly Removed[] {
    const isOld = (chunk: Chunk): boolean => chunk.oldestMs < beforeMs;
    return this.#drop((entry) => slotOf(entry, 'born') < beforeMs, isOld);
  }

  /** Drops the windows whose records are in a segment: they are somebody else's now. */
  release(segment: number): readonly Removed[] {
    return this.#drop((entry) => slotOf(entry, 'segment') === segment);
  }

  #drop(
    which: (entry: Entry) => boolean,
    where: (chunk: Chunk) => boolean = () => true,
  ): readonly Removed[] {
    return [...this.#chunks.waiting(where)].filter(which).map((entry) => this.#leave(entry));
  }

  #put(chunk: Chunk, window: WaitingWindow, more: Parameters<typeof pack>[3]): void {
    pack(chunk.slots, chunk.used, window, more, this.#metrics);
    chunk.used += sizeOf(window);
    chunk.live += 1;
    if (more.segment === 0) chunk.unspooled += 1;
    this.#windows += 1;
    chunk.oldestMs = Math.min(chunk.oldestMs, more.bornMs);
  }

  #takeOut(entry: Entry, maxDatums: number): PendingWindow {
    const { slots } = entry.chunk;
    const open = [...packedData(slots, entry.at)]
      .map((datum, index) => ({ datum, index }))
      .filter(({ datum }) => !datum.isSettled)
      .slice(0, maxDatums);
    return {
      entry,
      id: slotOf(entry, 'id'),
      startMs: slotOf(entry, 'start'),
      endMs: slotOf(entry, 'end'),
      publicationId: slotOf(entry, 'publicationId'),
      segment: slotOf(entry, 'segment'),
      record: recordOf(entry),
      data: open.map(({ datum }) => unpack(slots, datum, this.#metrics)),
      indexes: open.map(({ index }) => index),
    };
  }

  #leave(entry: Entry): Removed {
    const { chunk } = entry;
    const isDelivered = slotOf(entry, 'open') >= DELIVERED;
    setSlot(entry, 'open', 0);
    chunk.live -= 1;
    if (slotOf(entry, 'segment') === 0) chunk.unspooled -= 1;
    this.#windows -= 1;
    const removed = {
      id: slotOf(entry, 'id'),
      segment: slotOf(entry, 'segment'),
      record: recordOf(entry),
      isDelivered,
    };
    if (chunk.live === 0) this.#chunks.tidy(chunk);
    return removed;
  }
}
