import type { Sample, Series } from './reading.ts';

/** A column starts with room for one default minute and doubles when it is full. */
const FIRST_ROOM = 64;
/** Samples a window can hold: more than an hour at 0.1 s, twice over. Then the oldest give way. */
export const WINDOW_CAPACITY = 100_000;

/** One series' numbers since the window opened: a ring that grows lazily up to its capacity. */
export class Column {
  #values = new Float64Array(FIRST_ROOM);
  #added = 0;
  readonly #capacity: number;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** How many numbers it holds. */
  get length(): number {
    return Math.min(this.#added, this.#capacity);
  }

  add(value: number): void {
    if (this.#added >= this.#values.length && this.#values.length < this.#capacity) this.#grow();
    this.#values[this.#added % this.#capacity] = value;
    this.#added += 1;
  }

  /** The numbers in ascending order, in an array of their own. */
  sorted(): Float64Array {
    return this.#values.slice(0, this.length).sort();
  }

  /** Empties the column and keeps its room. */
  clear(): void {
    this.#added = 0;
  }

  #grow(): void {
    const larger = new Float64Array(Math.min(this.#values.length * 2, this.#capacity));
    larger.set(this.#values);
    this.#values = larger;
  }
}

/** The numbers of one publishing window, a column for each series. */
export class Window {
  readonly #columns = new Map<Series, Column>();
  readonly #capacity: number;

  /** @param capacity numbers a series at most; the oldest give way to the newest */
  constructor(capacity: number = WINDOW_CAPACITY) {
    this.#capacity = capacity;
  }

  /** Samples taken since the window opened. */
  get samples(): number {
    return this.column('tick')?.length ?? 0;
  }

  column(series: Series): Column | undefined {
    return this.#columns.get(series);
  }

  /** The only inlet. What is not a finite number is nothing to publish and stays out. */
  add(series: Series, value: number): void {
    if (!Number.isFinite(value)) return;
    let column = this.#columns.get(series);
    if (column === undefined) {
      column = new Column(this.#capacity);
      this.#columns.set(series, column);
    }
    column.add(value);
  }

  addSample(sample: Sample): void {
    let series: Series;
    for (series in sample) {
      const value = sample[series];
      if (value !== undefined) this.add(series, value);
    }
  }

  clear(): void {
    for (const column of this.#columns.values()) column.clear();
  }
}
