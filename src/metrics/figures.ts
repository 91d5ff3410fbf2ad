/** What can be drawn as a line over time. `samples` is 1 for each sample that was taken. */
export const SERIES = [
  'samples',
  'cpu',
  'cpuCores',
  'cpuThrottled',
  'cpuSteal',
  'memory',
  'memoryUsed',
  'memoryLimit',
  'memoryHeld',
  'memoryHeldShare',
  'oomKills',
  'cpuPressure',
  'memoryPressure',
  'swap',
  'disk',
  'ephemeralStorage',
  'networkReceive',
  'networkTransmit',
  'blockRead',
  'blockWrite',
  'gpu',
  'gpuMost',
  'gpuMemory',
  'jobDuration',
  'jobFailures',
  'agentCpu',
  'agentMemory',
  'windowsSent',
  'windowsDropped',
  'publishLatency',
  'publishErrors',
] as const;

export type Series = (typeof SERIES)[number];

/** What delivery says of itself. */
export type HealthSeries = 'windowsSent' | 'windowsDropped' | 'publishLatency' | 'publishErrors';

/**
 * One instant's figures: a number a series, at the series' place; NaN is "nothing to tell".
 * Percentages are 0 to 100. One object serves all ticks.
 */
export type Figures = Float64Array;

/** Where each series' number is. */
export const PLACES: Readonly<Record<Series, number>> = placesOf(SERIES);

function placesOf(names: readonly Series[]): Record<Series, number> {
  const entries = names.map((name, place) => [name, place] as const);
  return Object.fromEntries(entries) as Record<Series, number>;
}

/** Figures that tell nothing yet. */
export function createFigures(): Figures {
  return new Float64Array(SERIES.length).fill(Number.NaN);
}

/** One series' number; undefined where there is nothing to tell. */
export function figureOf(figures: Figures, series: Series): number | undefined {
  const value = figures[PLACES[series]];
  return value === undefined || Number.isNaN(value) ? undefined : value;
}

/**
 * One thing that can be measured. It holds its own baseline, and puts what has happened since its last
 * call at fixed places.
 */
export interface Meter {
  /**
   * @param nowMs monotonic
   * @throws NoDataError, ParseError: the reason for there being nothing
   */
  measure(nowMs: number, figures: Figures): void;
}
