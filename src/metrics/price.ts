import type { Metric, Statistics } from './metric.ts';

/** What CloudWatch costs, in US dollars. */
export interface Prices {
  readonly asOf: string;
  /** A metric and month: up to so many metrics of an account, each costs so much. */
  readonly metricMonth: readonly (readonly [upTo: number, dollars: number])[];
  /** A call of PutMetricData. */
  readonly request: number;
  /** Ingested over OTLP, 15 months of keeping included; no price a metric or a request. */
  readonly otlpGigabyte: number;
  /** Ingested by CloudWatch Logs, where EMF goes; its metrics cost as any others. */
  readonly logsGigabyte: number;
}

/**
 * us-east-1, without the free tier.
 *
 * @see https://aws.amazon.com/cloudwatch/pricing/
 */
export const PRICES: Prices = {
  asOf: '2026-10',
  metricMonth: [
    [10_000, 0.3],
    [250_000, 0.1],
    [1_000_000, 0.05],
    [Number.POSITIVE_INFINITY, 0.02],
  ],
  request: 0.01 / 1000,
  otlpGigabyte: 0.5,
  logsGigabyte: 0.5,
};

/** The month that AWS counts by: 365 / 12 days. */
export const MONTH_HOURS = 730;
const HOUR_MS = 3_600_000;
const GIGABYTE = 1e9;

/** So many metrics (namespace, name and dimensions are one) that have data in every hour of a month. */
export function metricsMonth(count: number): number {
  let cost = 0;
  let below = 0;
  for (const [upTo, price] of PRICES.metricMonth) {
    cost += Math.max(0, Math.min(count, upTo) - below) * price;
    below = upTo;
  }
  return cost;
}

/** Calls of PutMetricData, a month. @param requests in each period; less than 1 where agents share one */
export function requestsMonth(periodMs: number, requests = 1): number {
  return periodsMonth(periodMs) * requests * PRICES.request;
}

/** Bytes of each period, a month. @param price of a gigabyte: `PRICES.otlpGigabyte`, `PRICES.logsGigabyte` */
export function bytesMonth(periodMs: number, bytes: number, price: number): number {
  return ((periodsMonth(periodMs) * bytes) / GIGABYTE) * price;
}

function periodsMonth(periodMs: number): number {
  return (MONTH_HOURS * HOUR_MS) / periodMs;
}

/**
 * What is billed for the same knowledge by medians, or by distributions: those carry their own maxima.
 *
 * @param metrics what is published now, of either kind
 * @param catalog where the maxima are found that medians need
 */
export function metricsOf(
  kind: Statistics,
  metrics: readonly Metric[],
  catalog: readonly Metric[],
): readonly Metric[] {
  const medians = metrics.filter(({ reduce }) => reduce === 'median');
  const isMaximum = ({ reduce, series }: Metric): boolean =>
    reduce === 'max' && medians.some((median) => median.series === series);
  if (kind === 'distribution') return metrics.filter((metric) => !isMaximum(metric));
  const unasked = catalog.filter(
    (metric) => isMaximum(metric) && metric.unasked.includes('median') && !metrics.includes(metric),
  );
  return [...metrics, ...unasked];
}
