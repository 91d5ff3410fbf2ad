import { type Figures, PLACES, type Series } from '../metrics/figures.ts';

/** What is drawn over time. */
export const DRAWN = ['cpuCores', 'cpuThrottled', 'memoryHeld', 'memoryUsed'] as const;
export type Drawn = (typeof DRAWN)[number];

/** As many as a page is wide in pixels, so that none of them is lost to the eye. */
const BUCKETS = 640;
const FIRST_WIDTH_MS = 1000;
const MOST_MARKS = 50;

/** One series in one span of time. */
export interface Fold {
  readonly min: number;
  readonly max: number;
  readonly mean: number;
}

/** A span of the run; a series without a number there is undefined. */
export interface Bucket {
  /** Milliseconds since the run began. */
  readonly atMs: number;
  readonly folds: Readonly<Record<Drawn, Fold | undefined>>;
}

class Row {
  readonly place: number;
  readonly min = new Float64Array(BUCKETS).fill(Number.NaN);
  readonly max = new Float64Array(BUCKETS).fill(Number.NaN);
  readonly sum = new Float64Array(BUCKETS);
  readonly count = new Float64Array(BUCKETS);

  constructor(series: Series) {
    this.place = PLACES[series];
  }

  add(bucket: number, value: number): void {
    if (!(value >= (this.min[bucket] ?? 0))) this.min[bucket] = value;
    if (!(value <= (this.max[bucket] ?? 0))) this.max[bucket] = value;
    this.sum[bucket] = (this.sum[bucket] ?? 0) + value;
    this.count[bucket] = (this.count[bucket] ?? 0) + 1;
  }

  at(bucket: number): Fold | undefined {
    const count = this.count[bucket] ?? 0;
    if (count === 0) return undefined;
    const [min = 0, max = 0, sum = 0] = [this.min[bucket], this.max[bucket], this.sum[bucket]];
    return { min, max, mean: sum / count };
  }

  /** Two buckets become one. */
  halve(): void {
    const { min, max, sum, count } = this;
    for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
      const [one, other] = [2 * bucket, 2 * bucket + 1];
      const isInside = other < BUCKETS;
      min[bucket] = isInside ? lower(min[one], min[other]) : Number.NaN;
      max[bucket] = isInside ? higher(max[one], max[other]) : Number.NaN;
      sum[bucket] = isInside ? (sum[one] ?? 0) + (sum[other] ?? 0) : 0;
      count[bucket] = isInside ? (count[one] ?? 0) + (count[other] ?? 0) : 0;
    }
  }
}

/** A run's course in a constant amount of memory: spans that double when there are too many. */
export class Folds {
  readonly #rows: Readonly<Record<Drawn, Row>>;
  readonly #startMs: number;
  readonly #oomKills: number[] = [];
  #widthMs = FIRST_WIDTH_MS;
  #used = 0;

  /** @param startMs wall-clock milliseconds */
  constructor(startMs: number) {
    this.#startMs = startMs;
    this.#rows = {
      cpuCores: new Row('cpuCores'),
      cpuThrottled: new Row('cpuThrottled'),
      memoryHeld: new Row('memoryHeld'),
      memoryUsed: new Row('memoryUsed'),
    };
  }

  add(figures: Figures, wallMs: number): void {
    const sinceMs = Math.max(0, wallMs - this.#startMs);
    while (sinceMs >= this.#widthMs * BUCKETS) this.#widen();
    const bucket = Math.floor(sinceMs / this.#widthMs);
    for (const name of DRAWN) {
      const row = this.#rows[name];
      const value = figures[row.place] ?? Number.NaN;
      if (value >= 0) row.add(bucket, value);
    }
    this.#used = Math.max(this.#used, bucket + 1);
    if ((figures[PLACES.oomKills] ?? 0) > 0 && this.#oomKills.length < MOST_MARKS) {
      this.#oomKills.push(sinceMs);
    }
  }

  get widthMs(): number {
    return this.#widthMs;
  }

  /** Milliseconds since the run began, at which the kernel had killed for want of memory. */
  get oomKillsMs(): readonly number[] {
    return this.#oomKills;
  }

  get buckets(): readonly Bucket[] {
    return Array.from({ length: this.#used }, (_, bucket) => ({
      atMs: bucket * this.#widthMs,
      folds: {
        cpuCores: this.#rows.cpuCores.at(bucket),
        cpuThrottled: this.#rows.cpuThrottled.at(bucket),
        memoryHeld: this.#rows.memoryHeld.at(bucket),
        memoryUsed: this.#rows.memoryUsed.at(bucket),
      },
    }));
  }

  #widen(): void {
    for (const name of DRAWN) this.#rows[name].halve();
    this.#used = Math.ceil(this.#used / 2);
    this.#widthMs *= 2;
  }
}

function lower(one = Number.NaN, other = Number.NaN): number {
  return one <= other || Number.isNaN(other) ? one : other;
}

function higher(one = Number.NaN, other = Number.NaN): number {
  return one >= other || Number.isNaN(other) ? one : other;
}
