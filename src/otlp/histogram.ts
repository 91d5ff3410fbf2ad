/** As the SDKs have it: the most buckets on a side. */
const MAX_BUCKETS = 160;
/** Buckets of 0.5 %: finer ones would be many, mostly empty, and billed. Least and most stay exact. */
const MAX_SCALE = 7;

interface Buckets {
  readonly offset: number;
  /** 64-bit numbers are text in OTLP's JSON. */
  readonly bucketCounts: readonly string[];
}

/** An ExponentialHistogramDataPoint's own fields, in the form of OTLP's JSON. */
export interface Histogram {
  readonly count: string;
  /** Left out where it is too large to be told. */
  readonly sum?: number;
  readonly min: number;
  readonly max: number;
  readonly scale: number;
  readonly zeroCount?: string;
  readonly positive?: Buckets;
  readonly negative?: Buckets;
}

type Counted = readonly (readonly [magnitude: number, count: number])[];

/**
 * Counted numbers as an exponential histogram, of the finest scale that has no more buckets than it may.
 *
 * @param values at least one
 * @see https://opentelemetry.io/docs/specs/otel/metrics/data-model/#exponentialhistogram
 */
export function exponentialHistogram(
  values: readonly number[],
  counts: readonly number[],
): Histogram {
  const all = values.map((value, index) => [value, counts[index] ?? 0] as const);
  const total = (some: Counted): number => some.reduce((sum, [, count]) => sum + count, 0);
  const positive = all.filter(([value]) => value > 0);
  const negative = all
    .filter(([value]) => value < 0)
    .map(([value, count]) => [-value, count] as const);
  const zeros = total(all) - total(positive) - total(negative);
  let scale = MAX_SCALE;
  while (![positive, negative].every((side) => fits(side, scale))) scale -= 1;
  const sum = all.reduce((before, [value, count]) => before + value * count, 0);
  return {
    count: String(total(all)),
    ...(Number.isFinite(sum) && { sum }),
    min: Math.min(...values),
    max: Math.max(...values),
    scale,
    ...(zeros > 0 && { zeroCount: String(zeros) }),
    ...(positive.length > 0 && { positive: bucketsOf(positive, scale) }),
    ...(negative.length > 0 && { negative: bucketsOf(negative, scale) }),
  };
}

/** Bucket i holds what is above base^i, up to base^(i+1); the base is 2^(2^-scale). */
function indexOf(magnitude: number, scale: number): number {
  return Math.ceil(Math.log2(magnitude) * 2 ** scale) - 1;
}

function rangeOf(side: Counted, scale: number): [first: number, last: number] {
  const indexes = side.map(([magnitude]) => indexOf(magnitude, scale));
  return [Math.min(...indexes), Math.max(...indexes)];
}

function fits(side: Counted, scale: number): boolean {
  if (side.length === 0) return true;
  const [first, last] = rangeOf(side, scale);
  return last - first < MAX_BUCKETS;
}

function bucketsOf(side: Counted, scale: number): Buckets {
  const [offset, last] = rangeOf(side, scale);
  const counts = new Array<number>(last - offset + 1).fill(0);
  for (const [magnitude, count] of side) {
    const at = indexOf(magnitude, scale) - offset;
    counts[at] = (counts[at] ?? 0) + count;
  }
  return { offset, bucketCounts: counts.map(String) };
}
