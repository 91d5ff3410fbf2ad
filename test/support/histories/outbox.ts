import type { Outbox } from '../../../src/delivery/outbox.ts';
import type { WaitingDatum, WaitingWindow } from '../../../src/delivery/packing.ts';
import type { Adopted, PendingWindow, Removed } from '../../../src/delivery/store.ts';
import { seededRandom } from './chance.ts';

/** A window in few words, so that a failing one is shown small. */
export interface Shape {
  readonly datums: number;
  /** What a datum has at most. */
  readonly mostValues: number;
  readonly seed: number;
}

/** What `outbox-memory.ts` tells of the outbox and of its process, in bytes but for the windows. */
export interface Told {
  readonly windows: number;
  readonly bytes: number;
  readonly arrayBuffers: number;
  /** Of the heap and outside it. */
  readonly used: number;
  readonly rss: number;
}

const UNITS = ['Percent', 'Count', 'Bytes', 'Milliseconds', 'None'] as const;
const SLOT_BYTES = 8;
/** Of a window that is packed: what it has beside its datums. */
const WINDOW_SLOTS = 10;

export function windowOf({ datums, mostValues, seed }: Shape): WaitingWindow {
  const random = seededRandom(seed);
  const upTo = (most: number): number => Math.floor(random() * (most + 1));
  const data = Array.from({ length: datums }, (): WaitingDatum => {
    const values = Array.from({ length: upTo(mostValues) }, () => numberOf(random));
    const figure = { name: `M${upTo(30)}`, unit: UNITS[upTo(4)] ?? 'None', values };
    return random() < 0.5 ? figure : { ...figure, counts: values.map(() => 1 + upTo(1e6)) };
  });
  const startMs = upTo(1e12);
  return { startMs, endMs: startMs + upTo(1e8), data };
}

/** A percentage, a small whole number, or any bits that are a number. */
function numberOf(random: () => number): number {
  const kind = random();
  if (kind < 0.3) return Math.round(random() * 1e6) / 1e4;
  if (kind < 0.5) return Math.floor(random() * 100) - 50;
  if (kind < 0.55) return -0;
  const bits = new Uint32Array([random() * 2 ** 32, random() * 2 ** 32]);
  const [any = 0] = new Float64Array(bits.buffer);
  return Number.isFinite(any) ? any : 0;
}

/** What a window takes. */
export function bytesOf({ data }: WaitingWindow): number {
  const slots = data.map(({ values, counts }) => 1 + values.length + (counts?.length ?? 0));
  return slots.reduce((sum, one) => sum + one, WINDOW_SLOTS) * SLOT_BYTES;
}

/** All that waits, from the oldest on. */
export function waitingIn(outbox: Outbox): readonly PendingWindow[] {
  const [newest, ...older] = outbox.batch(Number.POSITIVE_INFINITY);
  return newest === undefined ? [] : [...older, newest];
}

/** A window of {@link Model}. */
export interface Waiting extends Adopted {
  readonly id: number;
  segment: number;
  record: number;
  /** The places of the datums of which nobody has decided yet. */
  open: readonly number[];
  isDelivered: boolean;
  /** Of the adopted windows that it came in with, the start of the first; nothing where it is one's own. */
  readonly groupMs?: number;
}

/** What a window says of its window. */
export type Said = Omit<PendingWindow, 'entry'>;

/** The plainest list of windows that does what an outbox should. It does not know when there is no room. */
export class Model {
  readonly #mostBytes: number;
  #ids = 0;
  #waiting: readonly Waiting[] = [];

  constructor(limitBytes: number) {
    this.#mostBytes = Math.max(1024, Math.min(16 * 1024, Math.floor(limitBytes / 512) * 8));
  }

  get waiting(): readonly Waiting[] {
    return this.#waiting;
  }

  /** How many windows have been put in. */
  get ids(): number {
    return this.#ids;
  }

  /** @returns the window's id */
  push(window: WaitingWindow, publicationId: number, bornMs: number): number {
    const where = { segment: 0, record: 0, publicationId, bornMs };
    this.#waiting = [...this.#waiting, this.#entered({ ...window, ...where })];
    return this.#ids;
  }

  /** By their start, in groups that are each a small part of all the room. */
  adopt(windows: readonly Adopted[]): void {
    const groups: Adopted[][] = [];
    let bytes = 0;
    for (const window of [...windows].sort((one, other) => one.startMs - other.startMs)) {
      bytes += bytesOf(window);
      if (groups.length === 0 || bytes > this.#mostBytes) {
        groups.push([]);
        bytes = bytesOf(window);
      }
      groups.at(-1)?.push(window);
    }
    for (const group of groups) {
      const groupMs = group[0]?.startMs ?? 0;
      const entered = group.map((window) => ({ ...this.#entered(window), groupMs }));
      const at = this.#waiting.findIndex((one) => (one.groupMs ?? Infinity) > groupMs);
      const end = at < 0 ? this.#waiting.length : at;
      this.#waiting = [...this.#waiting.slice(0, end), ...entered, ...this.#waiting.slice(end)];
    }
  }

  /** Newest first, then from the oldest on. */
  batch(maxDatums: number): readonly Said[] {
    const newest = this.#waiting.at(-1);
    const windows: Said[] = [];
    let room = maxDatums;
    for (const window of newest === undefined ? [] : [newest, ...this.#waiting.slice(0, -1)]) {
      if (room === 0) break;
      windows.push(saidOf(window, room));
      room -= Math.min(room, window.open.length);
    }
    return windows;
  }

  unspooled(): readonly Said[] {
    return this.#waiting.filter(({ segment }) => segment === 0).map((window) => saidOf(window));
  }

  remaining(id: number): Said | undefined {
    const window = this.#of(id);
    return window && saidOf(window);
  }

  markSpooled(id: number, segment: number, record: number): boolean {
    const window = this.#of(id);
    if (window === undefined) return false;
    Object.assign(window, { segment, record });
    return true;
  }

  settle(id: number, indexes: ReadonlySet<number>, isDelivered: boolean): Removed | undefined {
    const window = this.#of(id);
    if (window === undefined) return undefined;
    const open = window.open.filter((index) => !indexes.has(index));
    if (isDelivered && open.length < window.open.length) window.isDelivered = true;
    window.open = open;
    return this.#drop(({ open }) => open.length === 0)[0];
  }

  expire(beforeMs: number): readonly Removed[] {
    return this.#drop(({ bornMs }) => bornMs < beforeMs);
  }

  release(number: number): readonly Removed[] {
    return this.#drop(({ segment }) => segment === number);
  }

  /** Drops so many of the oldest. */
  dropOldest(count: number): readonly Removed[] {
    const oldest = new Set(this.#waiting.slice(0, count));
    return this.#drop((window) => oldest.has(window));
  }

  #entered(window: Adopted): Waiting {
    this.#ids += 1;
    return { ...window, id: this.#ids, open: [...window.data.keys()], isDelivered: false };
  }

  #of(id: number): Waiting | undefined {
    return this.#waiting.find((window) => window.id === id);
  }

  #drop(which: (window: Waiting) => boolean): readonly Removed[] {
    const gone = this.#waiting.filter(which);
    this.#waiting = this.#waiting.filter((window) => !gone.includes(window));
    return gone.map(({ id, segment, record, isDelivered }) => ({
      id,
      segment,
      record,
      isDelivered,
    }));
  }
}

function saidOf(window: Waiting, maxDatums: number = Number.POSITIVE_INFINITY): Said {
  const { id, startMs, endMs, publicationId, segment, record, data } = window;
  const indexes = window.open.slice(0, maxDatums);
  const left = data.filter((_, index) => indexes.includes(index));
  return { id, startMs, endMs, publicationId, segment, record, data: left, indexes };
}
