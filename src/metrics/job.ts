import { asked, type Metric } from './metric.ts';

/** How a job went: sent with its last window, and unasked only where the agent runs one. */
export const JOB_METRICS: readonly Metric[] = [
  asked('JobDuration', 'Seconds', 'jobDuration', 'max'),
  asked('JobFailures', 'Count', 'jobFailures', 'sum'),
];
