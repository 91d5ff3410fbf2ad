import type { Datum } from '../metrics/aggregate.ts';

/** A figure that waits: what {@link Datum} has beyond that is for the screen. */
export interface WaitingDatum extends Pick<Datum, 'name' | 'values' | 'counts'> {
  /** Another process's may be one that this one does not know. */
  readonly unit: string;
}

/** Where a window's record is on disk: which segment, and its number there. 0 is no segment. */
export interface RecordPosition {
  readonly segment: number;
  readonly record: number;
}

/** A window as it is put away. */
export interface WaitingWindow {
  /** Wall-clock milliseconds. The start is the timestamp of the datums. */
  readonly startMs: number;
  readonly endMs: number;
  readonly data: readonly WaitingDatum[];
}

/**
 * Slots of an entry's head, all numbers. `born` is monotonic: from when on it ages. `open` counts the
 * datums of which nobody has decided yet, from {@link DELIVERED} on where one was delivered. The size stands
 * at the end again, for the way back.
 */
export const SLOT = {
  size: 0,
  id: 1,
  born: 2,
  start: 3,
  end: 4,
  publicationId: 5,
  segment: 6,
  record: 7,
  open: 8,
} as const;
const HEAD = 9;
const TAIL = 1;
export const DELIVERED: number = 2 ** 32;

/** A datum's first slot, from the right: how many values, whether counts follow, whether it is settled, which metric. */
const COUNTS = 2 ** 20;
const SETTLED = 2 ** 21;
const METRIC = 2 ** 22;

/** Names and units by number. */
export class MetricNumbers {
  readonly #metrics: Pick<WaitingDatum, 'name' | 'unit'>[] = [];
  readonly #numbers = new Map<string, number>();

  of({ name, unit }: WaitingDatum): number {
    const key = `${name} ${unit}`;
    let number = this.#numbers.get(key);
    if (number === undefined) {
      number = this.#metrics.push({ name, unit }) - 1;
      this.#numbers.set(key, number);
    }
    return number;
  }

  /** @throws RangeError for a number that was never given out: a fault of this program */
  at(number: number): Pick<WaitingDatum, 'name' | 'unit'> {
    const metric = this.#metrics[number];
    if (metric === undefined) throw new RangeError(`there is no metric ${number}`);
    return metric;
  }
}

/** Slots that a window takes. */
export function sizeOf({ data }: WaitingWindow): number {
  return data.reduce(
    (sum, { values, counts }) => sum + 1 + values.length + (counts?.length ?? 0),
    HEAD + TAIL,
  );
}

/** Writes a window at a place with room for it. */
export function pack(
  slots: Float64Array,
  at: number,
  window: WaitingWindow,
  more: RecordPosition & {
    readonly id: number;
    readonly bornMs: number;
    readonly publicationId: number;
  },
  metrics: MetricNumbers,
): void {
  const { id, bornMs, publicationId, segment, record } = more;
  const { startMs, endMs, data } = window;
  const size = sizeOf(window);
  slots.set([size, id, bornMs, startMs, endMs, publicationId, segment, record, data.length], at);
  let slot = at + HEAD;
  for (const datum of data) {
    const { values, counts } = datum;
    slots[slot] = metrics.of(datum) * METRIC + (counts === undefined ? 0 : COUNTS) + values.length;
    slots.set(values, slot + 1);
    slots.set(counts ?? [], slot + 1 + values.length);
    slot += 1 + values.length + (counts?.length ?? 0);
  }
  slots[slot] = size;
}

/** A datum of an entry: its place, and whether it has been decided about. */
export interface PackedDatum {
  readonly slot: number;
  readonly isSettled: boolean;
  readonly isCounted: boolean;
  readonly values: number;
}

export function* packedData(slots: Float64Array, at: number): Generator<PackedDatum> {
  const end = at + (slots[at] ?? 0) - TAIL;
  for (let slot = at + HEAD; slot < end; ) {
    const code = slots[slot] ?? 0;
    const isCounted = code % SETTLED >= COUNTS;
    const values = code % COUNTS;
    yield { slot, isSettled: code % METRIC >= SETTLED, isCounted, values };
    slot += 1 + values * (isCounted ? 2 : 1);
  }
}

export function unpack(
  slots: Float64Array,
  { slot, isCounted, values }: PackedDatum,
  metrics: MetricNumbers,
): WaitingDatum {
  const metric = metrics.at(Math.floor((slots[slot] ?? 0) / METRIC));
  const from = slot + 1;
  const all = [...slots.subarray(from, from + values)];
  if (!isCounted) return { ...metric, values: all };
  return { ...metric, values: all, counts: [...slots.subarray(from + values, from + 2 * values)] };
}

export function markSettled(slots: Float64Array, { slot }: PackedDatum): void {
  slots[slot] = (slots[slot] ?? 0) + SETTLED;
}
