import { NoDataError } from '../errors.ts';
import { type Figures, PLACES } from './figures.ts';
import { asked, BOTH, type Metric } from './metric.ts';

const { cpu: CPU, cpuCores: CORES, cpuSteal: STEAL } = PLACES;

export const CPU_METRICS: readonly Metric[] = [
  { name: 'CPUUtilization', unit: 'Percent', series: 'cpu', reduce: 'median', unasked: BOTH },
];

export const MORE_CPU_METRICS: readonly Metric[] = [
  asked('CPUCores', 'None', 'cpuCores'),
  asked('CPUThrottled', 'Percent', 'cpuThrottled'),
  asked('CPUSteal', 'Percent', 'cpuSteal'),
];

/** A tick is 10 ms on every machine that Node runs on. */
const MS_A_TICK = 10;
/** How far clocks and counters that are not read at the same instant may differ. */
const CLOCK_SLACK = 0.1;
const CLOCK_SLACK_MS = 50;
/** A quota refills each 100 ms, and two refills may fall into a span beside those of its length. */
const REFILL_MS = 200;

/**
 * Busy time of a whole machine, from ticks of its last span.
 *
 * @param busy ticks in use, steal among them; @param steal of these; @param idle ticks of nothing
 * @param online CPUs that are online; NaN where that is not known
 * @param cores what counts as 100 %; Infinity for all of them
 * @throws NoDataError where the share hangs on how many are online, and that is not known
 */
export function putTicks(
  figures: Figures,
  busy: number,
  steal: number,
  idle: number,
  online: number,
  cores: number,
): void {
  const total = busy + idle;
  if (total <= 0) return;
  figures[STEAL] = (100 * steal) / total;
  const used = (busy / total) * online;
  if (!Number.isNaN(used)) figures[CORES] = used;
  const isAll = cores >= online || cores === Number.POSITIVE_INFINITY;
  const share = isAll ? busy / total : used / cores;
  if (Number.isNaN(share)) throw new NoDataError('nothing says how many CPUs are online');
  figures[CPU] = share > 1 ? 100 : 100 * share;
}

/** Whether so many ticks fit into a span on so many CPUs. */
export function ticksFit(ticks: number, spanMs: number, cpus: number): boolean {
  const mostMs = cpus * (spanMs * (1 + CLOCK_SLACK) + CLOCK_SLACK_MS);
  return !(ticks * MS_A_TICK > mostMs);
}

/** Whether so many cores can have been in use on so many CPUs; NaN of them says nothing against it. */
export function coresFit(cores: number, spanMs: number, cpus: number): boolean {
  return !(cores > cpus * (1 + CLOCK_SLACK + CLOCK_SLACK_MS / spanMs));
}

/** Whether so many cores can have been used under a limit: its refills and the clocks explain a part. */
export function limitFits(used: number, cores: number, spanMs: number): boolean {
  return used <= cores * (1 + CLOCK_SLACK + REFILL_MS / spanMs);
}

/**
 * Cores in use in percent of a limit. Above the limit by what its refills and the clocks explain is
 * clamped.
 *
 * @throws NoDataError where it is more than that
 */
export function utilization(used: number, cores: number, spanMs: number): number {
  if (used <= cores) return (100 * used) / cores;
  if (limitFits(used, cores, spanMs)) return 100;
  throw new NoDataError(`${rounded(used)} cores were in use of ${rounded(cores)}, which cannot be`);
}

function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}
