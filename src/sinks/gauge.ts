import { median } from '../metrics/aggregate.ts';
import { BOLD, CYAN, DIM, type Line, type Part, PLAIN, RED, type Style, spread } from './line.ts';
import { bars, type Course, finite } from './spark.ts';

/** A figure in percent of its limit. */
export interface Gauge {
  readonly name: string;
  /** A number for each interval, the newest last; NaN where nothing could be measured. */
  readonly samples: readonly number[];
  /** `0.16 CPU`, of the newest sample; empty where it is not known. */
  readonly used: string;
  /** `0.5 CPU`; empty where it is not known. */
  readonly limit: string;
  /** Whether that is a limit, and not all that a machine has. */
  readonly isLimited: boolean;
}

export interface Drawing {
  /** Columns for the numbers. */
  readonly width: number;
  /** Columns and rows for the bars. */
  readonly barWidth: number;
  readonly height: number;
  /** Columns for the name; none of its own where that is 0. */
  readonly labelWidth: number;
  readonly isUtf8: boolean;
}

/** Nearly all of the limit. */
const HOT_PERCENT = 90;
/** `Memory` and a blank. */
const NARROW_LABEL = 7;
/** From here on there is room for what is used beside its share. */
const WIDER = 86;
const GAP: Part = [PLAIN, ' '];

/** What it is in numbers, and below that how it was. */
export function gaugeLines(gauge: Gauge, { samples, columns }: Course, how: Drawing): Line[] {
  const { name, used, limit, isLimited } = gauge;
  const { width, labelWidth } = how;
  const isWide = labelWidth > 0;
  const sorted = Float64Array.from(finite(samples)).sort();
  const gap = isWide ? '   ' : '  ';
  const percent = (value = Number.NaN, style: Style = PLAIN): Part => {
    const text = Number.isNaN(value) ? '-' : value.toFixed(isWide ? 1 : 0);
    return [style, `${text.padStart(isWide ? 5 : 3)} %`];
  };
  const numbers: Line = [
    [BOLD, name.padEnd(labelWidth || NARROW_LABEL)],
    [DIM, isWide ? 'now ' : ''],
    percent(samples.at(-1), BOLD),
    [DIM, width < WIDER || used === '' ? '' : ` (${used})`],
    [DIM, `${gap}median `],
    percent(median(sorted)),
    [DIM, `${gap}peak `],
    percent(sorted.at(-1)),
  ];
  const [first = [], ...rest] = barLines(columns, how);
  if (limit === '') return [numbers, first, ...rest];
  const whole: Part = [PLAIN, limit];
  if (!isWide) return [numbers, [...first, GAP, whole], ...rest];
  return [spread(numbers, [[DIM, isLimited ? 'limit ' : 'of '], whole], width), first, ...rest];
}

/** The newest column at the right, the scale before the first. */
function barLines(columns: readonly number[], how: Drawing): Line[] {
  const { barWidth, height, labelWidth, isUtf8 } = how;
  return bars(columns, height, isUtf8).map((row, at) => {
    const scale = height < 2 ? '' : at === 0 ? '100 %' : at === height - 1 ? '0 %' : '';
    const line: Part[] = [
      [DIM, `${scale} `.padStart(labelWidth).slice(0, labelWidth)],
      [PLAIN, ' '.repeat(Math.max(0, barWidth - columns.length))],
    ];
    for (const [column, bar] of [...row].entries()) {
      const style = (columns[column] ?? 0) < HOT_PERCENT ? CYAN : RED;
      const [last, text] = line.at(-1) ?? GAP;
      if (last === style) line[line.length - 1] = [style, text + bar];
      else line.push([style, bar]);
    }
    return line;
  });
}
