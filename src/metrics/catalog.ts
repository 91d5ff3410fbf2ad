import { CPU_METRICS, MORE_CPU_METRICS } from './cpu.ts';
import { GPU_METRICS } from './gpu.ts';
import { HEALTH_METRICS } from './health.ts';
import { JOB_METRICS } from './job.ts';
import { MEMORY_METRICS, MORE_MEMORY_METRICS } from './memory.ts';
import { asked, type Metric, type Statistics } from './metric.ts';
import { PRESSURE_METRICS, SPACE_METRICS } from './pressure.ts';
import { TRAFFIC_METRICS } from './traffic.ts';

/** All that can be published. Those that dashboards hang on stand first. */
export const CATALOG: readonly Metric[] = [
  ...CPU_METRICS,
  ...MEMORY_METRICS,
  asked('MaxCPUUtilization', 'Percent', 'cpu', 'max'),
  asked('SampleCount', 'Count', 'samples', 'sum'),
  ...MORE_CPU_METRICS,
  ...MORE_MEMORY_METRICS,
  ...PRESSURE_METRICS,
  ...SPACE_METRICS,
  ...TRAFFIC_METRICS,
  ...GPU_METRICS,
  ...JOB_METRICS,
  ...HEALTH_METRICS,
];

/** The metrics that are published when none are named. @param isJob the agent runs a job */
export function defaultMetrics(statistics: Statistics, isJob = false): readonly Metric[] {
  return CATALOG.filter(
    (metric) => metric.unasked.includes(statistics) || (isJob && JOB_METRICS.includes(metric)),
  );
}

/**
 * The rows that a list of words names: metrics, `default`, `all`, and `-Name` to leave one out again.
 * In the order of the catalog; nothing where a word is none of these.
 */
export function namedMetrics(
  words: readonly string[],
  statistics: Statistics,
  isJob = false,
): readonly Metric[] | undefined {
  const chosen = new Set<Metric>();
  for (const word of words) {
    const isLess = word.startsWith('-');
    const rows = rowsOf(isLess ? word.slice(1) : word, statistics, isJob);
    if (rows.length === 0) return undefined;
    for (const row of rows) isLess ? chosen.delete(row) : chosen.add(row);
  }
  return CATALOG.filter((metric) => chosen.has(metric));
}

function rowsOf(word: string, statistics: Statistics, isJob: boolean): readonly Metric[] {
  if (word === 'default') return defaultMetrics(statistics, isJob);
  return word === 'all' ? CATALOG : CATALOG.filter(({ name }) => name === word);
}
