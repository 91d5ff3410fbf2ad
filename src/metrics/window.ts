import { type Figures, PLACES, SERIES, type Series } from './figures.ts';

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

const { samples: SAMPLES } = PLACES;

/** The numbers of one publishing window: a column for each series that is published. */
export class Window {
  readonly #columns: readonly (Column | undefined)[];
  /** Those that are published, and where their numbers are. */
  readonly #published: readonly Column[];
  readonly #places: Uint8Array;
  readonly #capacity: number;
  #samples = 0;

  /**
   * @param series what is published; the rest is not kept
   * @param capacity numbers a series at most; the oldest give way to the newest
   */
  constructor(series: Iterable<Series> = SERIES, capacity: number = WINDOW_CAPACITY) {
    const wanted = new Set(series);
    this.#columns = SERIES.map((name) => (wanted.has(name) ? new Column(capacity) : undefined));
    this.#published = this.#columns.filter((column) => column !== undefined);
    this.#places = Uint8Array.from(
      SERIES.filter((name) => wanted.has(name)),
      (name) => PLACES[name],
    );
    this.#capacity = capacity;
  }

  /** Samples taken since the window opened, as many as it holds. */
  get samples(): number {
    return Math.min(this.#samples, this.#capacity);
  }

  /** The numbers of a series; undefined where it is not published. */
  column(series: Series): Column | undefined {
    return this.#columns[PLACES[series]];
  }

  /** One number of a series. What is not finite is nothing to publish and stays out. */
  add(series: Series, value: number): void {
    if (Number.isFinite(value)) this.column(series)?.add(value);
  }

  /** One sample: whatever its figures tell. @returns whether that was anything */
  addFigures(figures: Figures): boolean {
    const published = this.#published;
    const places = this.#places;
    let hasAny = false;
    for (let index = 0; index < published.length; index += 1) {
      const value = figures[places[index] ?? 0] ?? Number.NaN;
      // Neither NaN nor an infinity.
      if (value - value !== 0) continue;
      published[index]?.add(value);
      hasAny = true;
    }
    // What is not published is a sample all the same: SampleCount counts it.
    if (!hasAny && !figures.some(Number.isFinite)) return false;
    this.#samples += 1;
    this.#columns[SAMPLES]?.add(1);
    return true;
  }

  clear(): void {
    for (const column of this.#columns) column?.clear();
    this.#samples = 0;
  }
}
