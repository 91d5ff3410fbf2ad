import {
  createFigures,
  type Figures,
  figureOf,
  type Meter,
  PLACES,
  SERIES,
  type Series,
} from '../../src/metrics/figures.ts';

/** Figures by the names of their series; what is not there tells nothing. */
export type Told = { readonly [series in Series]?: number };

/** The figures that an object names. */
export function figuresOf(told: Told): Figures {
  const figures = createFigures();
  for (const series of SERIES) figures[PLACES[series]] = told[series] ?? Number.NaN;
  return figures;
}

/** What figures tell, as an object: of some series, or of all that tell something. */
export function toldBy(figures: Figures, only: readonly Series[] = SERIES): Told {
  const told: { [series in Series]?: number } = {};
  for (const series of only) {
    const value = figureOf(figures, series);
    if (value !== undefined) told[series] = value;
  }
  return told;
}

/** What is put into figures that told nothing before. */
export function putBy(put: (figures: Figures) => void): Told {
  const figures = createFigures();
  put(figures);
  return toldBy(figures);
}

/** What one call of a meter tells. */
export function measuredBy(meter: Pick<Meter, 'measure'>, nowMs: number): Told {
  return putBy((figures) => meter.measure(nowMs, figures));
}

/** To nine digits behind the point, which no share of ours needs. */
export function rounded(told: Told): Told {
  const entries = Object.entries(told).map(([series, value]) => [
    series,
    Math.round(value * 1e9) / 1e9,
  ]);
  return Object.fromEntries(entries);
}
