import type { Bucket, Drawn } from './folds.ts';

/** One picture: a band from minimum to maximum over time, its limit, and marks. */
export interface Chart {
  readonly id: string;
  readonly title: string;
  /** What somebody who does not see it is told. */
  readonly description: string;
  readonly buckets: readonly Bucket[];
  readonly series: Drawn;
  /** A second line, thinner. */
  readonly beside?: Drawn;
  readonly lengthMs: number;
  /** A bucket's. */
  readonly widthMs: number;
  readonly top: number;
  readonly limit: number;
  /** Milliseconds since the beginning. */
  readonly marksMs: readonly number[];
  /** Spans that are underlined: the quota ran out there. */
  readonly underlinedMs: readonly (readonly [from: number, to: number])[];
}

const WIDTH = 640;
const HEIGHT = 160;
const UNDERLINE = 6;

/** An inline SVG that stretches to its place; its words stand around it, in the page's own type. */
export function chartSvg(chart: Chart): string {
  const { id, title, description, limit, top, lengthMs } = chart;
  const x = (ms: number): number => tenth((ms / Math.max(1, lengthMs)) * WIDTH);
  const y = (value: number): number => tenth(HEIGHT - (Math.min(value, top) / top) * HEIGHT);
  const parts = [band(chart, x, y)];
  if (chart.beside !== undefined) parts.push(line(chart, chart.beside, x, y));
  if (limit > 0 && limit <= top) {
    parts.push(`<path class="limit" d="M0 ${y(limit)}H${WIDTH}"/>`);
  }
  const under = chart.underlinedMs.map(([from, to]) => `M${x(from)} ${HEIGHT - 1}H${x(to)}`);
  if (under.length > 0) {
    parts.push(`<path class="out" stroke-width="${UNDERLINE}" d="${under.join('')}"/>`);
  }
  const marks = chart.marksMs.map((ms) => `M${x(ms)} 0V${HEIGHT}`);
  if (marks.length > 0) parts.push(`<path class="oom" d="${marks.join('')}"/>`);
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" role="img" aria-labelledby="${id}-t ${id}-d"><title id="${id}-t">${title}</title><desc id="${id}-d">${description}</desc>${parts.join('')}</svg>`;
}

/** Every maximum forth, every minimum back. Where nothing was measured there is a gap. */
function band({ buckets, series, widthMs }: Chart, x: Scale, y: Scale): string {
  const runs: Bucket[][] = [];
  let isOpen = false;
  for (const bucket of buckets) {
    if (bucket.folds[series] === undefined) isOpen = false;
    else if (isOpen) runs.at(-1)?.push(bucket);
    else {
      runs.push([bucket]);
      isOpen = true;
    }
  }
  const paths = runs.map((run) => {
    const corners = (end: 'min' | 'max'): string[] => {
      const points = run.map(({ atMs, folds }) => `${x(atMs)} ${y(folds[series]?.[end] ?? 0)}`);
      // The last one lasts as long as the others.
      const last = run.at(-1);
      if (last === undefined) return points;
      return [...points, `${x(last.atMs + widthMs)} ${y(last.folds[series]?.[end] ?? 0)}`];
    };
    return `M${[...corners('max'), ...corners('min').reverse()].join('L')}Z`;
  });
  return `<path class="band" d="${paths.join('')}"/>`;
}

function line({ buckets }: Chart, series: Drawn, x: Scale, y: Scale): string {
  const points = buckets.flatMap(({ atMs, folds }) => {
    const fold = folds[series];
    return fold === undefined ? [] : [`${x(atMs)} ${y(fold.max)}`];
  });
  return points.length === 0 ? '' : `<path class="beside" d="M${points.join('L')}"/>`;
}

type Scale = (value: number) => number;

function tenth(value: number): number {
  return Math.round(value * 10) / 10;
}
