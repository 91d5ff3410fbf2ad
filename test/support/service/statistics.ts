import type { Datum, StatisticSet } from './put-metric-data.ts';

/** A value, and how often it came. */
export type Weighed = readonly [value: number, weight: number];

/**
 * The statistic set of some data together. Of Values beside StatisticValues the set gives the
 * extremes and the sum, the Counts the count.
 */
export function setOf(data: readonly Datum[]): StatisticSet {
  const all = { SampleCount: 0, Sum: 0, Minimum: Infinity, Maximum: -Infinity };
  for (const datum of data) {
    const { StatisticValues: set } = datum;
    const weighed = datum.Values || datum.Value !== undefined ? (weightsOf(datum) ?? []) : [];
    for (const [value, weight] of weighed) {
      all.SampleCount += weight;
      if (set === undefined) include(all, value * weight, value, value);
    }
    if (set === undefined) continue;
    if (weighed.length === 0) all.SampleCount += set.SampleCount;
    include(all, set.Sum, set.Minimum, set.Maximum);
  }
  return all;
}

/** The values that a datum tells; nothing where it is a statistic set of several values. */
export function weightsOf(datum: Datum): Weighed[] | undefined {
  const { Value, Values, Counts, StatisticValues: set } = datum;
  if (Value !== undefined) return [[Value, 1]];
  if (Values !== undefined) return Values.map((value, at) => [value, Counts?.[at] ?? 1]);
  if (set === undefined || set.Minimum !== set.Maximum) return undefined;
  return set.Sum === set.Minimum * set.SampleCount ? [[set.Minimum, set.SampleCount]] : undefined;
}

/** The value of nearest rank, `percent` 0–100. AWS's own interpolation is not documented. */
export function percentileOf(weighed: readonly Weighed[], percent: number): number {
  const sorted = [...weighed].sort(([one], [other]) => one - other);
  const rank = (percent / 100) * sorted.reduce((sum, [, weight]) => sum + weight, 0);
  let passed = 0;
  let reached = Number.NaN;
  for (const [value, weight] of sorted) {
    reached = value;
    passed += weight;
    if (passed >= rank) break;
  }
  return reached;
}

function include(all: StatisticSet, sum: number, minimum: number, maximum: number): void {
  all.Sum += sum;
  all.Minimum = Math.min(all.Minimum, minimum);
  all.Maximum = Math.max(all.Maximum, maximum);
}
