import { SLOT } from './packing.ts';

/** Packed windows one after the other. */
export interface Chunk {
  readonly slots: Float64Array;
  used: number;
  /** Windows of which something waits. */
  live: number;
  /** Those of them that are not on disk. */
  unkept: number;
  /** How often it has been used again: what was written before is no longer there. */
  uses: number;
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

  get oldest(): Chunk | undefined {
    return this.#chunks[0];
  }

  /** The last chunk, where it has room for so many slots; nothing where a new one is needed. */
  lastWith(slots: number): Chunk | undefined {
    const last = this.#chunks.at(-1);
    return last !== undefined && last.used + slots <= last.slots.length ? last : undefined;
  }

  /** How large the next chunk should be, for a window of so many slots. */
  sizeFor(slots: number): number {
    const most = Math.min(MOST_SLOTS, this.#limitBytes / LEAST_CHUNKS / SLOT_BYTES);
    const next = Math.max(FIRST_SLOTS, Math.min(most, this.#bytes / SLOT_BYTES));
    return Math.max(slots, Math.floor(next));
  }

  /** Whether so many slots would fit if there were nothing else. */
  couldFit(slots: number): boolean {
    return slots * SLOT_BYTES <= this.#limitBytes;
  }

  fits(slots: number): boolean {
    return this.#bytes + slots * SLOT_BYTES <= this.#limitBytes;
  }

  add(slots: number, where: 'first' | 'last'): Chunk {
    const chunk = { slots: new Float64Array(slots), used: 0, live: 0, unkept: 0, uses: 0 };
    this.#bytes += chunk.slots.byteLength;
    this.#chunks = where === 'first' ? [chunk, ...this.#chunks] : [...this.#chunks, chunk];
    return chunk;
  }

  remove(chunk: Chunk): void {
    if (!this.#chunks.includes(chunk)) return;
    this.#chunks = this.#chunks.filter((one) => one !== chunk);
    this.#bytes -= chunk.slots.byteLength;
  }

  /** An empty chunk: a small one that is the only one is used again, any other is given back. */
  tidy(chunk: Chunk): void {
    if (this.#chunks.length !== 1 || chunk.slots.length !== FIRST_SLOTS) this.remove(chunk);
    else {
      chunk.used = 0;
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
