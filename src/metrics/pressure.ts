import { type Figures, PLACES, type Series } from './figures.ts';
import { asked, type Metric } from './metric.ts';
import { percentOf } from './ratio.ts';

export const PRESSURE_METRICS: readonly Metric[] = [
  asked('OOMKills', 'Count', 'oomKills', 'sum'),
  asked('CPUPressure', 'Percent', 'cpuPressure'),
  asked('MemoryPressure', 'Percent', 'memoryPressure'),
];

export const SPACE_METRICS: readonly Metric[] = [
  asked('SwapUtilization', 'Percent', 'swap'),
  asked('DiskUtilization', 'Percent', 'disk'),
  asked('EphemeralStorageUtilization', 'Percent', 'ephemeralStorage'),
];

/** Ten percent: pressure is reckoned by the kernel at instants of its own. */
const STALL_SLACK = 0.1;

/** Time in which some task waited, as a share of the span. @throws NoDataError where it is longer */
export function putStalled(
  figures: Figures,
  series: 'cpuPressure' | 'memoryPressure',
  stalledUsec: number,
  spanMs: number,
): void {
  if (!(stalledUsec >= 0 && spanMs > 0)) return;
  figures[PLACES[series]] = percentOf(stalledUsec, spanMs * 1000, 'time of waiting', STALL_SLACK);
}

/** Bytes in use of a space that has room for so many. @throws NoDataError where that cannot be */
export function putSpace(figures: Figures, series: Series, used: number, limit: number): void {
  figures[PLACES[series]] = percentOf(used, limit, 'space in use');
}
