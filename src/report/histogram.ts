/** Neighbouring buckets differ by 1 %. */
const STEP = 1.01;
const LOG_STEP = Math.log(STEP);

/**
 * How often which value came, in a constant amount of memory: buckets that grow by 1 %, so that a
 * quantile is right to 1 % however long the run was. The extremes are exact.
 */
export class Histogram {
  readonly #counts: Float64Array;
  readonly #least: number;
  #count = 0;
  #max = Number.NaN;

  /** @param least what is below counts as nothing @param most what is above counts as that */
  constructor(least: number, most: number) {
    this.#least = least;
    this.#counts = new Float64Array(Math.ceil(Math.log(most / least) / LOG_STEP) + 2);
  }

  /** Exact; NaN without a value. */
  get max(): number {
    return this.#max;
  }

  add(value: number): void {
    if (!(value >= 0)) return;
    const place =
      value < this.#least ? 0 : 1 + Math.floor(Math.log(value / this.#least) / LOG_STEP);
    const last = this.#counts.length - 1;
    const index = Math.min(place, last);
    this.#counts[index] = (this.#counts[index] ?? 0) + 1;
    this.#count += 1;
    if (!(value <= this.#max)) this.#max = value;
  }

  /** The value that a share of all values does not exceed, at most 1 % too high; NaN without a value. */
  quantile(share: number): number {
    if (this.#count === 0) return Number.NaN;
    const wanted = Math.max(1, Math.ceil(this.#count * share));
    let seen = 0;
    for (let place = 0; place < this.#counts.length; place += 1) {
      seen += this.#counts[place] ?? 0;
      if (seen < wanted) continue;
      // The last bucket has no upper end.
      if (place === this.#counts.length - 1) break;
      const upper = place === 0 ? 0 : this.#least * STEP ** place;
      return Math.min(upper, this.#max);
    }
    return this.#max;
  }
}
