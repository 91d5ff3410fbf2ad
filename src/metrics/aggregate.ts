import type { Metric, Reducer, Statistics, Unit } from './metric.ts';
import type { Column, Window } from './window.ts';

/** One metric's figure of one window: a number, or distinct values with how often each came. */
export interface Datum {
  readonly name: string;
  readonly unit: Unit;
  /** One number, or the distinct values in ascending order. */
  readonly values: readonly number[];
  /** As long as `values`; absent where the datum is one number. */
  readonly counts?: readonly number[];
  /** Of the samples behind the datum: how many, the smallest, the largest. */
  readonly samples: number;
  readonly least: number;
  readonly most: number;
}

/** What a closed window says. */
export interface ClosedWindow {
  /** Wall-clock milliseconds. `startMs` is the timestamp of the datums. */
  readonly startMs: number;
  readonly endMs: number;
  readonly samples: number;
  readonly data: readonly Datum[];
}

export interface AggregateOptions {
  readonly metrics: readonly Metric[];
  readonly statistics: Statistics;
  /** Distinct values that one datum may carry; more become several datums. */
  readonly valuesPerDatum: number;
  /** Percent as 0 to 1, as the crate that this agent replaces sent it. */
  readonly compatFraction: boolean;
}

/** Steps in one unit of what is published: finer than the kernel's ticks can tell, short on the wire. */
const PERCENT_STEPS = 1e4;
const FRACTION_STEPS = 1e6;

/** Reduces a window to its datums. A metric without a number gives none. */
export function aggregate(window: Window, options: AggregateOptions): Datum[] {
  return options.metrics.flatMap((metric) => {
    const column = window.column(metric.series);
    if (column === undefined || column.length === 0) return [];
    return data(metric, column, options);
  });
}

function data(metric: Metric, column: Column, options: AggregateOptions): Datum[] {
  const isPercent = metric.unit === 'Percent';
  const scale = isPercent && options.compatFraction ? 100 : 1;
  const steps = options.compatFraction ? FRACTION_STEPS : PERCENT_STEPS;
  const round = (value: number): number => (isPercent ? Math.round(value * steps) / steps : value);
  const sorted = column.sorted().map((value) => round(value / scale));
  const [least = 0] = sorted;
  const most = sorted[sorted.length - 1] ?? 0;
  const common = { name: metric.name, unit: metric.unit, samples: sorted.length, least, most };
  if (options.statistics === 'median' || metric.reduce !== 'median') {
    return [{ ...common, values: [round(reduced(sorted, metric.reduce))] }];
  }
  return distribution(common, sorted, options.valuesPerDatum);
}

/**
 * All values with how often each came, in as many datums as that takes.
 *
 * @param sorted ascending, at least one number
 * @param times how often each of them stands for
 */
export function distribution(
  common: Omit<Datum, 'values' | 'counts'>,
  sorted: Float64Array,
  size: number,
  times = 1,
): Datum[] {
  const { values, counts } = distinct(sorted);
  return Array.from({ length: Math.ceil(values.length / size) }, (_, page) => ({
    ...common,
    values: values.slice(page * size, (page + 1) * size),
    counts: counts.slice(page * size, (page + 1) * size).map((count) => count * times),
  }));
}

/** @param sorted ascending, at least one number */
function reduced(sorted: Float64Array, reduce: Reducer): number {
  switch (reduce) {
    case 'median':
      return median(sorted);
    case 'max':
      return sorted[sorted.length - 1] ?? Number.NaN;
    case 'sum':
      return sorted.reduce((sum, value) => sum + value, 0);
  }
}

/** The middle number, or the mean of the two in the middle. */
export function median(sorted: Float64Array): number {
  const upper = sorted.length >> 1;
  const high = sorted[upper] ?? Number.NaN;
  if (sorted.length % 2 === 1) return high;
  return ((sorted[upper - 1] ?? Number.NaN) + high) / 2;
}

function distinct(sorted: Float64Array): { values: number[]; counts: number[] } {
  const values: number[] = [];
  const counts: number[] = [];
  for (const value of sorted) {
    if (value === values[values.length - 1]) counts[counts.length - 1] = (counts.at(-1) ?? 0) + 1;
    else {
      values.push(value);
      counts.push(1);
    }
  }
  return { values, counts };
}
