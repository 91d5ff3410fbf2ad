import { NoDataError } from '../errors.ts';
import { type Figures, PLACES } from './figures.ts';
import { asked, BOTH, MEDIAN_ONLY, type Metric } from './metric.ts';
import { percentOf } from './ratio.ts';

const { memory: MEMORY, memoryUsed: USED, memoryLimit: LIMIT } = PLACES;
const { memoryHeld: HELD, memoryHeldShare: HELD_SHARE } = PLACES;

export const MEMORY_METRICS: readonly Metric[] = [
  { name: 'MemoryUtilization', unit: 'Percent', series: 'memory', reduce: 'median', unasked: BOTH },
  {
    name: 'MaxMemoryUtilization',
    unit: 'Percent',
    series: 'memory',
    reduce: 'max',
    unasked: MEDIAN_ONLY,
  },
];

export const MORE_MEMORY_METRICS: readonly Metric[] = [
  asked('MemoryUsedBytes', 'Bytes', 'memoryUsed'),
  asked('MemoryLimitBytes', 'Bytes', 'memoryLimit'),
  asked('MemoryHeldBytes', 'Bytes', 'memoryHeld'),
  asked('MemoryHeldUtilization', 'Percent', 'memoryHeldShare'),
];

/** Memory in use, of what there is, in bytes. @throws NoDataError where it cannot be so much */
export function putMemory(figures: Figures, used: number, limit: number): void {
  figures[MEMORY] = percentOf(used, limit, 'memory in use');
  figures[USED] = used;
  figures[LIMIT] = limit;
}

/** Memory that cannot be given back. @throws NoDataError where it cannot be so much */
export function putHeld(figures: Figures, held: number, limit: number): void {
  figures[HELD_SHARE] = percentOf(held, limit, 'memory that is held');
  figures[HELD] = held;
}

/** The same of a scope that may have no limit: then the bytes alone, and the reason for that. */
export function putScopeMemory(figures: Figures, used: number, limit: number): void {
  if (Number.isFinite(limit)) {
    putMemory(figures, used, limit);
    return;
  }
  figures[USED] = used;
  throw new NoDataError('no memory limit is seen, and /proc/meminfo does not say what there is');
}

export function putScopeHeld(figures: Figures, held: number, limit: number): void {
  if (Number.isFinite(limit)) putHeld(figures, held, limit);
  else figures[HELD] = held;
}
