import { SLOT } from './packing.ts';

/** Packed windows one after the other. */
export interface Chunk {
  readonly slots: Float64Array;
  used: number;
  /** Windows of which something waits. */
  live: number;
  /** Those of them that are not on disk. */
  unspooled: number;
  /** How often it has been used again: what was written before is no longer there. */
  uses: number;
  /** Nothing in it was born before. */
  oldestMs: number;
  /** Its windows came from another process. */
  readonly isAdopted: boolean;
}

/** A place in a chunk where a window begins. */
export interface Entry {
  readonly chunk: Chunk;
  readonly at: number;
  /** Of the chunk, when the window was found there. */
  readonly uses: number;
}

const SLOT_BYTES = Float64Array.BYTES_PER_ELEMENT;
/** Room for eight default minutes: what an agent has that is never in trouble. */
const FIRST_SLOTS = 128;
const MOST_SLOTS = 2048;
/** A chunk is dropped as a whole, so that it is a small part of all the room. */
const LEAST_CHUNKS = 64;

/** Memory for windows in order of age, taken in chunks as it is needed and given back as they empty. */
export class Chunks {
  readonly #limitBytes: number;
  #chunks: readonly Chunk[] = [];
  #bytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get limitBytes(): number {
    return this.#limitBytes;
  }

  /** Windows that are not on disk. */
  get unspooled(): number {
    return this.#chunks.reduce((sum, { unspooled }) => sum + unspooled, 0);
  }

  get oldest(): Chunk | undefined {
    return this.#chunks[0];
  }

  /** The last chunk, where it has room for so many slots; nothing where a new one is needed. */
  lastWith(slots: number): Chunk | undefined {
    const last = this.#chunks.at(-1);
    return last !== undefined && !last.isAdopted && last.used + slots <= last.slots.length
      ? last
      : undefined;
  }

  /** How large the next chunk should be, for a window of so many slots. */
  sizeFor(slots: number): number {
    return Math.max(
      slots,
      FIRST_SLOTS,
      Math.min(this.mostSlots, Math.floor(this.#bytes / SLOT_BYTES)),
    );
  }

  /** How large a chunk should become at most. */
  get mostSlots(): number {
    const part = Math.floor(this.#limitBytes / LEAST_CHUNKS / SLOT_BYTES);
    return Math.max(FIRST_SLOTS, Math.min(MOST_SLOTS, part));
  }

  /** Whether so many slots would fit if there were nothing else. */
  couldFit(slots: number): boolean {
    return slots * SLOT_BYTES <= this.#limitBytes;
  }

  fits(slots: number): boolean {
    return this.#bytes + slots * SLOT_BYTES <= this.#limitBytes;
  }

  /** A new chunk behind all others. */
  add(slots: number): Chunk {
    return this.#insert(slots, this.#chunks.length, false);
  }

  /** A new chunk before all of this process's own, and among adopted ones by the start of its first window. */
  addAdopted(slots: number, startMs: number): Chunk {
    const isLater = (chunk: Chunk): boolean =>
      !chunk.isAdopted || slotOf({ chunk, at: 0, uses: 0 }, 'start') > startMs;
    const at = this.#chunks.findIndex(isLater);
    return this.#insert(slots, at < 0 ? this.#chunks.length : at, true);
  }

  #insert(slots: number, at: number, isAdopted: boolean): Chunk {
    const none = { used: 0, live: 0, unspooled: 0, uses: 0, oldestMs: Number.POSITIVE_INFINITY };
    const chunk = { slots: new Float64Array(slots), isAdopted, ...none };
    this.#bytes += chunk.slots.byteLength;
    this.#chunks = [...this.#chunks.slice(0, at), chunk, ...this.#chunks.slice(at)];
    return chunk;
  }

  remove(chunk: Chunk): void {
    if (!this.#chunks.includes(chunk)) return;
    this.#chunks = this.#chunks.filter((one) => one !== chunk);
    this.#bytes -= chunk.slots.byteLength;
  }

  /** An empty chunk: a small one that is the only one is used again, any other is given back. */
  tidy(chunk: Chunk): void {
    const isSmall = chunk.slots.length === FIRST_SLOTS && !chunk.isAdopted;
    if (this.#chunks.length !== 1 || !isSmall) this.remove(chunk);
    else {
      chunk.used = 0;
      chunk.oldestMs = Number.POSITIVE_INFINITY;
      chunk.uses += 1;
    }
  }

  /** Entries of which something waits, oldest first. They may leave meanwhile. */
  *waiting(which: (chunk: Chunk) => boolean = () => true): Generator<Entry> {
    for (const chunk of this.#chunks.filter(which)) {
      for (let at = 0; at < chunk.used; at += chunk.slots[at + SLOT.size] ?? 0) {
        const entry = { chunk, at, uses: chunk.uses };
        if (slotOf(entry, 'open') > 0) yield entry;
      }
    }
  }

  /** The last entry of which something waits. */
  newest(): Entry | undefined {
    for (let index = this.#chunks.length - 1; index >= 0; index -= 1) {
      const chunk = this.#chunks[index];
      for (let at = chunk?.used ?? 0; chunk !== undefined && at > 0; ) {
        at -= chunk.slots[at - 1] ?? at;
        const entry = { chunk, at, uses: chunk.uses };
        if (slotOf(entry, 'open') > 0) return entry;
      }
    }
    return undefined;
  }
}

/** The window that was found there still waits. */
export function isWaiting(entry: Entry): boolean {
  return entry.uses === entry.chunk.uses && slotOf(entry, 'open') > 0;
}

export function slotOf({ chunk, at }: Entry, name: keyof typeof SLOT): number {
  return chunk.slots[at + SLOT[name]] ?? 0;
}

export function setSlot({ chunk, at }: Entry, name: keyof typeof SLOT, value: number): void {
  chunk.slots[at + SLOT[name]] = value;
}
