// Over 200 lines: what goes where on the screen, and what goes first where there is no room, are one decision.
import { cut, fold, harmless } from './columns.ts';
import { type Gauge, gaugeLines } from './gauge.ts';
import { BOLD, DIM, type Line, type Part, PLAIN, RED, spread, widthOf, written } from './line.ts';
import { courseOf, type Pace } from './spark.ts';

/** All that a frame shows. */
export interface View extends Pace {
  /** In words: `this container`. */
  readonly scope: string;
  readonly source: string;
  /** CPU and memory. */
  readonly gauges: readonly Gauge[];
  /** What is to be published next: when, how much, where to. */
  readonly next: string;
  readonly datums: readonly string[];
  /** The model that is set first, then its like, then the other. */
  readonly prices: readonly Price[];
  /** Where and when these prices hold. */
  readonly pricesOf: string;
  readonly warnings: readonly string[];
}

/** What a month costs with one of the models: `medians`, `3 metrics`, `$1.34`. */
export type Price = readonly [model: string, billed: string, dollars: string];

/** The terminal. */
export interface Shape {
  readonly columns: number;
  readonly rows: number;
  readonly isUtf8: boolean;
  readonly hasColor: boolean;
}

/** A line as the terminal gets it, and how many columns it takes there at most. */
export interface Row {
  readonly text: string;
  readonly columns: number;
}

/** From this width on labels have a column of their own, so wide. */
const WIDE = 64;
const LABEL_WIDTH = 10;
/** Title, two gauges of two lines each, the next publication, a line of prices. */
const LEAST_LINES = 7;
const [USUAL_HEIGHT, MOST_HEIGHT] = [3, 6] as const;
/** At both sides: behind a full line it is the terminal that says where the cursor is. */
const MARGINS = 2;

/**
 * The lines of a frame: none wider than the terminal, and one less than it has rows, since the cursor rests
 * below them. What there is no room for is left out, the least important first.
 */
export function frame(told: View, shape: Shape): Row[] {
  const { columns, isUtf8, hasColor } = shape;
  const width = Math.max(1, columns - MARGINS);
  const rows = Math.max(0, shape.rows - 1);
  const edge = columns > MARGINS ? ' ' : '';
  const lines = laidOut(cleaned(told, isUtf8), width, rows, isUtf8);
  return lines.slice(0, rows).map((line) => ({
    text: edge + written(line, width, isUtf8, hasColor),
    columns: edge.length + Math.min(width, widthOf(line)),
  }));
}

function laidOut(view: View, width: number, rows: number, isUtf8: boolean): Line[] {
  const labelWidth = width < WIDE ? 0 : LABEL_WIDTH;
  let free = rows - LEAST_LINES;
  /** So many lines, or none. */
  const take = (lines: number): boolean => {
    if (lines > free) return false;
    free -= lines;
    return true;
  };
  const blank = (): Line[] => (take(1) ? [[]] : []);
  const labelled = (name: string, lines: readonly Line[], narrow = ''): Line[] =>
    lines.map((line, at) => {
      const label = at > 0 ? '' : labelWidth > 0 ? name : narrow;
      return [[DIM, label.padEnd(labelWidth)], ...line];
    });

  // In the order of their importance.
  const warnings = warningLines(view.warnings, width - labelWidth, free, isUtf8);
  take(warnings.length);
  const source: Line[] = take(1) ? [[[PLAIN, view.source]]] : [];
  const prices = priceLines(view, labelWidth > 0, take);
  const [cpuGap, nextGap, memoryGap, warningGap] = [blank(), blank(), blank(), blank()];
  if (warnings.length === 0 && take(1)) warnings.push(faint('no warnings'));
  let height = 1;
  while (height < USUAL_HEIGHT && take(2)) height += 1;
  const datums = view.datums.slice(0, Math.max(0, free));
  take(datums.length);
  const priceGap = datums.length > 0 ? blank() : [];
  while (height < MOST_HEIGHT && take(2)) height += 1;

  const { cpu, memory, spanMs } = drawn(view, width, height, labelWidth, isUtf8);
  return [
    title(view.scope, spanMs, width),
    ...labelled('Source', source, 'Source '),
    ...cpuGap,
    ...cpu,
    ...memoryGap,
    ...memory,
    ...nextGap,
    ...labelled('Next', [[[PLAIN, view.next]]], 'Next '),
    ...labelled('', datums.map(faint)),
    ...priceGap,
    ...labelled('Price', prices),
    ...(warnings.length > 0 ? warningGap : []),
    ...labelled('Warnings', warnings),
  ];
}

function faint(text: string): Line {
  return [[DIM, text]];
}

/** Both gauges, on bars of one width, and the time that these show. */
function drawn(
  view: View,
  width: number,
  height: number,
  labelWidth: number,
  isUtf8: boolean,
): { readonly cpu: Line[]; readonly memory: Line[]; readonly spanMs: number } {
  const { gauges, intervalMs } = view;
  const limits = labelWidth || 1 + Math.max(...gauges.map(({ limit }) => limit.length));
  const how = { width, barWidth: Math.max(1, width - limits), height, labelWidth, isUtf8 };
  let most = 0;
  const [cpu = [], memory = []] = gauges.map((gauge) => {
    const course = courseOf(gauge.samples, view, how.barWidth);
    most = Math.max(most, course.samples.length);
    return gaugeLines(gauge, course, how);
  });
  return { cpu, memory, spanMs: most * intervalMs };
}

/** Names, paths and reasons come from elsewhere. */
function cleaned(view: View, isUtf8: boolean): View {
  const clean = (text: string): string => harmless(text, isUtf8);
  return {
    ...view,
    scope: clean(view.scope),
    source: clean(view.source),
    next: clean(view.next),
    datums: view.datums.map(clean),
    warnings: view.warnings.map(clean),
  };
}

function title(scope: string, spanMs: number, width: number): Line {
  const name: Part = [BOLD, scope.charAt(0).toUpperCase() + scope.slice(1)];
  const isLong = spanMs >= 120_000;
  const span = faint(
    `last ${Math.round(spanMs / (isLong ? 60_000 : 1000))} ${isLong ? 'min' : 's'}`,
  );
  const full = spread([name, [DIM, '  dry run: nothing is sent; Ctrl-C ends it']], span, width);
  const lines = [full, spread([name], span, width)];
  return lines.find((line) => widthOf(line) <= width) ?? [name];
}

/** A line a model where there is room for that. */
function priceLines(view: View, isWide: boolean, take: (lines: number) => boolean): Line[] {
  const { prices, pricesOf } = view;
  if (!take(prices.length - 1)) {
    const [[, billed, dollars] = [], [likeModel, likeBilled, like] = [], [model, , other] = []] =
      prices;
    const line: Line = [[PLAIN, `${billed} ${dollars} a month, ${model} ${other}`]];
    const more: Line = [[PLAIN, `or ${likeBilled} ${like} as ${likeModel}`]];
    return take(1) ? [line, more] : [line];
  }
  const [gap, month] = isWide ? ['   ', ' a month'] : [' ', '/month'];
  const most = [0, 1, 2].map((at) => Math.max(...prices.map((price) => price[at]?.length ?? 0)));
  return prices.map((price, at) => {
    const texts = price.map((text, column) =>
      column === 0 ? text.padEnd(most[0] ?? 0) : text.padStart(most[column] ?? 0),
    );
    const note = isWide && at === prices.length - 1 ? gap + pricesOf : '';
    return [[at === 0 ? PLAIN : DIM, texts.join(gap) + month + note]];
  });
}

/** Folded where there is room for all, else cut, else the first of them and how many more there are. */
function warningLines(
  warnings: readonly string[],
  width: number,
  room: number,
  isUtf8: boolean,
): Line[] {
  const warning = (text: string, at = 0): Line =>
    at === 0
      ? [
          [RED, '! '],
          [PLAIN, text],
        ]
      : [[PLAIN, `  ${text}`]];
  const folded = warnings.flatMap((text) => fold(text, Math.max(1, width - 2)).map(warning));
  if (folded.length <= room) return folded;
  const count = warnings.length <= room ? warnings.length : Math.max(0, room - 1);
  const lines = warnings.slice(0, count).map((text) => warning(cut(text, width - 2, isUtf8)));
  if (count === warnings.length || room <= 0) return lines;
  return [
    ...lines,
    warning(`${count > 0 ? 'and ' : ''}${warnings.length - count} more warnings`, 1),
  ];
}
