import type { Series } from './figures.ts';

/** How a window's numbers become what is published. */
export type Reducer = 'median' | 'max' | 'sum';

type Size =
  | 'Bytes'
  | 'Kilobytes'
  | 'Megabytes'
  | 'Gigabytes'
  | 'Terabytes'
  | 'Bits'
  | 'Kilobits'
  | 'Megabits'
  | 'Gigabits'
  | 'Terabits';

/**
 * The 27 units of CloudWatch, as it spells them.
 *
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html
 */
export type Unit =
  | 'Seconds'
  | 'Microseconds'
  | 'Milliseconds'
  | 'Percent'
  | 'Count'
  | 'None'
  | Size
  | `${Size | 'Count'}/Second`;

/** `median`: one number a window. `distribution`: medians become all their values with counts. */
export type Statistics = 'median' | 'distribution';

/** One row a metric. Its prose is in the documentation. */
export interface Metric {
  readonly name: string;
  readonly unit: Unit;
  readonly series: Series;
  readonly reduce: Reducer;
  /** Published unasked, with `--statistics` of these kinds. */
  readonly unasked: readonly Statistics[];
}

export const BOTH: readonly Statistics[] = ['median', 'distribution'];
/** A distribution carries its own maximum, so a metric for it would be billed for nothing. */
export const MEDIAN_ONLY: readonly Statistics[] = ['median'];
const ASKED: readonly Statistics[] = [];

/** A metric that is published only by name; a median where nothing else is said. */
export function asked(
  name: string,
  unit: Unit,
  series: Series,
  reduce: Reducer = 'median',
): Metric {
  return { name, unit, series, reduce, unasked: ASKED };
}
