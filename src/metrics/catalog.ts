import type { Series } from './reading.ts';

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

/** One row a metric. Its prose is in the README. */
export interface Metric {
  readonly name: string;
  readonly unit: Unit;
  readonly series: Series;
  readonly reduce: Reducer;
  /** Published unasked, with `--statistics` of these kinds. */
  readonly unasked: readonly Statistics[];
}

/** `median`: one number a window. `distribution`: medians become all their values with counts. */
export type Statistics = 'median' | 'distribution';

const BOTH: readonly Statistics[] = ['median', 'distribution'];
/** A distribution carries its own maximum, so a metric for it would be billed for nothing. */
const MEDIAN_ONLY: readonly Statistics[] = ['median'];
const ASKED: readonly Statistics[] = [];

export const CATALOG: readonly Metric[] = [
  { name: 'CPUUtilization', unit: 'Percent', series: 'cpu', reduce: 'median', unasked: BOTH },
  { name: 'MemoryUtilization', unit: 'Percent', series: 'memory', reduce: 'median', unasked: BOTH },
  {
    name: 'MaxMemoryUtilization',
    unit: 'Percent',
    series: 'memory',
    reduce: 'max',
    unasked: MEDIAN_ONLY,
  },
  { name: 'MaxCPUUtilization', unit: 'Percent', series: 'cpu', reduce: 'max', unasked: ASKED },
  { name: 'SampleCount', unit: 'Count', series: 'tick', reduce: 'sum', unasked: ASKED },
  asked('CPUCores', 'None', 'cpuCores'),
  asked('CPUThrottled', 'Percent', 'cpuThrottled'),
  asked('CPUSteal', 'Percent', 'cpuSteal'),
  asked('MemoryUsedBytes', 'Bytes', 'memoryUsed'),
  asked('MemoryLimitBytes', 'Bytes', 'memoryLimit'),
  { name: 'OOMKills', unit: 'Count', series: 'oomKills', reduce: 'sum', unasked: ASKED },
  asked('CPUPressure', 'Percent', 'cpuPressure'),
  asked('MemoryPressure', 'Percent', 'memoryPressure'),
  asked('SwapUtilization', 'Percent', 'swap'),
  asked('DiskUtilization', 'Percent', 'disk'),
  asked('EphemeralStorageUtilization', 'Percent', 'ephemeralStorage'),
  asked('AgentCPU', 'Percent', 'agentCpu'),
  asked('AgentMemory', 'Bytes', 'agentMemory'),
  { name: 'WindowsSent', unit: 'Count', series: 'windowsSent', reduce: 'sum', unasked: ASKED },
  {
    name: 'WindowsDropped',
    unit: 'Count',
    series: 'windowsDropped',
    reduce: 'sum',
    unasked: ASKED,
  },
  asked('PublishLatency', 'Milliseconds', 'publishLatency'),
  { name: 'PublishErrors', unit: 'Count', series: 'publishErrors', reduce: 'sum', unasked: ASKED },
];

/** A median that is published only by name. */
function asked(name: string, unit: Unit, series: Series): Metric {
  return { name, unit, series, reduce: 'median', unasked: ASKED };
}

/** The metrics that are published when none are named. */
export function defaultMetrics(statistics: Statistics): readonly Metric[] {
  return CATALOG.filter((metric) => metric.unasked.includes(statistics));
}

/**
 * The rows that a list of words names: metrics, `default`, `all`, and `-Name` to leave one out again.
 * In the order of the catalog; nothing where a word is none of these.
 */
export function namedMetrics(
  words: readonly string[],
  statistics: Statistics,
): readonly Metric[] | undefined {
  const chosen = new Set<Metric>();
  for (const word of words) {
    const isLess = word.startsWith('-');
    const rows = rowsOf(isLess ? word.slice(1) : word, statistics);
    if (rows.length === 0) return undefined;
    for (const row of rows) isLess ? chosen.delete(row) : chosen.add(row);
  }
  return CATALOG.filter((metric) => chosen.has(metric));
}

function rowsOf(word: string, statistics: Statistics): readonly Metric[] {
  if (word === 'default') return defaultMetrics(statistics);
  return word === 'all' ? CATALOG : CATALOG.filter(({ name }) => name === word);
}
