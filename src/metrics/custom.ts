import { type Datum, distribution, median } from './aggregate.ts';
import type { Reducer, Statistics, Unit } from './metric.ts';

/** Names that one agent holds, each with its unit. CloudWatch bills each as a metric. */
export const MOST_NAMES = 1000;
/** Numbers of one name and window that are kept; of more each has the same chance of being kept. */
const MOST_KEPT = 4096;
const FIRST_ROOM = 64;
/** What no longer fits into one datum is rounded to so many digits: percentiles need no more. */
const DIGITS = 3;
/**
 * The largest number that CloudWatch takes.
 *
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html
 */
const MOST = 2 ** 360;

/**
 * Of a linear congruential generator modulo 2^32, whose high bits are fair enough for a lot.
 *
 * @see https://en.wikipedia.org/wiki/Linear_congruential_generator#Parameters_in_common_use (Numerical Recipes)
 */
const MULTIPLIER = 1_664_525;
const INCREMENT = 1_013_904_223;

/** Why a number is not taken. */
export type Refusal = 'name' | 'value' | 'unit' | 'full';

export interface CustomOptions {
  readonly statistics: Statistics;
  readonly valuesPerDatum: number;
  /** Whether the name is one that CloudWatch takes, and free. */
  readonly isName: (name: string) => boolean;
  readonly isUnit: (unit: string) => unit is Unit;
  /** Uniform, 0 up to but without 1. */
  readonly random: () => number;
}

/**
 * Numbers of the caller's own metrics, for the window that is open. A call that finds its name allocates
 * nothing.
 */
export class Custom {
  readonly #options: CustomOptions;
  readonly #entries = new Map<unknown, Entry>();
  readonly #chance: Uint32Array;
  #names = 0;
  #lost = 0;

  constructor(options: CustomOptions) {
    this.#options = options;
    this.#chance = Uint32Array.of(options.random() * 2 ** 32);
  }

  /** How many are held. */
  get names(): number {
    return this.#names;
  }

  /** Calls that came to nothing, in all. */
  get lost(): number {
    return this.#lost;
  }

  /** @returns why it is not taken; nothing where it is. It does not throw. */
  put(name: unknown, value: unknown, unit?: unknown): Refusal | undefined {
    // Neither NaN nor an infinity: both are beyond it.
    if (typeof value !== 'number' || !(value >= -MOST && value <= MOST))
      return this.refuse('value');
    let entry = this.#entries.get(name);
    if (unit !== undefined) while (entry !== undefined && entry.unit !== unit) entry = entry.next;
    if (entry === undefined) return this.#admit(name, value, unit);
    entry.add(value, this.#chance);
    return undefined;
  }

  /** Counts a number that is lost. */
  refuse(why: Refusal): Refusal {
    this.#lost += 1;
    return why;
  }

  /** A metric of ours, whose name no caller has. */
  own(name: string, value: number, unit: Unit, reduce: Reducer): void {
    const entry = this.#entries.get(name) ?? new Entry(name, unit, reduce);
    this.#entries.set(name, entry);
    entry.add(value, this.#chance);
  }

  /** What came since the last call, a metric each. */
  take(): Datum[] {
    const data: Datum[] = [];
    for (const first of this.#entries.values()) {
      for (let entry: Entry | undefined = first; entry !== undefined; entry = entry.next) {
        data.push(...entry.take(this.#options));
      }
    }
    return data;
  }

  #admit(name: unknown, value: number, unit: unknown = 'None'): Refusal | undefined {
    const { isName, isUnit } = this.#options;
    if (typeof name !== 'string' || !isName(name)) return this.refuse('name');
    if (typeof unit !== 'string' || !isUnit(unit)) return this.refuse('unit');
    if (this.#names >= MOST_NAMES) return this.refuse('full');
    const entry = new Entry(name, unit, unit === 'Count' ? 'sum' : 'median');
    const first = this.#entries.get(name);
    if (first === undefined) this.#entries.set(name, entry);
    else {
      entry.next = first.next;
      first.next = entry;
    }
    this.#names += 1;
    entry.add(value, this.#chance);
    return undefined;
  }
}

/** Places in an entry's state: typed, so that a new number is no new object. */
const [COUNT, SUM, LEAST, GREATEST] = [0, 1, 2, 3] as const;

class Entry {
  readonly name: string;
  readonly unit: Unit;
  readonly reduce: Reducer;
  /** The same name with another unit. */
  next: Entry | undefined;
  readonly #state = new Float64Array(4);
  #kept: Float64Array;

  constructor(name: string, unit: Unit, reduce: Reducer) {
    this.name = name;
    this.unit = unit;
    this.reduce = reduce;
    this.#kept = new Float64Array(reduce === 'median' ? FIRST_ROOM : 0);
  }

  add(value: number, chance: Uint32Array): void {
    const state = this.#state;
    const count = state[COUNT] ?? 0;
    state[COUNT] = count + 1;
    state[SUM] = (state[SUM] ?? 0) + value;
    if (count === 0 || value < (state[LEAST] ?? 0)) state[LEAST] = value;
    if (count === 0 || value > (state[GREATEST] ?? 0)) state[GREATEST] = value;
    if (this.reduce !== 'median') return;
    if (count < MOST_KEPT) {
      if (count >= this.#kept.length) this.#grow();
      this.#kept[count] = value;
      return;
    }
    // A number that a function gives would be a new object.
    chance[0] = Math.imul(chance[0] ?? 0, MULTIPLIER) + INCREMENT;
    const place = Math.floor(((chance[0] ?? 0) / 2 ** 32) * (count + 1));
    if (place < MOST_KEPT) this.#kept[place] = value;
  }

  take({ statistics, valuesPerDatum }: CustomOptions): Datum[] {
    const [samples = 0, sum = 0, least = 0, most = 0] = this.#state;
    if (samples === 0) return [];
    this.#state[COUNT] = 0;
    this.#state[SUM] = 0;
    const { name, unit } = this;
    const common = { name, unit, samples, least, most };
    if (this.reduce === 'sum') return [{ ...common, values: [sum] }];
    if (this.reduce === 'max') return [{ ...common, values: [most] }];
    const sorted = this.#kept.slice(0, Math.min(samples, MOST_KEPT)).sort();
    if (statistics === 'median') return [{ ...common, values: [median(sorted)] }];
    // Whatever was kept, the extremes are those of all.
    sorted[0] = least;
    sorted[sorted.length - 1] = most;
    const times = samples / sorted.length;
    const data = distribution(common, sorted, valuesPerDatum, times);
    if (data.length === 1) return data;
    const rounded = sorted.map((value) => Number(value.toPrecision(DIGITS)));
    return distribution(common, rounded, valuesPerDatum, times);
  }

  #grow(): void {
    const larger = new Float64Array(this.#kept.length * 2);
    larger.set(this.#kept);
    this.#kept = larger;
  }
}
