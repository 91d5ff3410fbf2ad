import { columnsOf, cut } from './columns.ts';

/** SGR: bold, faint, and of the colors that every theme sets two that are readable on dark and on light. */
export type Style = '' | '1' | '2' | '31' | '36';
export const PLAIN = '';
export const BOLD = '1';
export const DIM = '2';
export const RED = '31';
export const CYAN = '36';

export type Part = readonly [style: Style, text: string];
export type Line = readonly Part[];

/** Room for an ellipsis, of ASCII too. */
const ELLIPSIS = 3;
const LEAST_GAP = 2;

export function widthOf(line: Line): number {
  return columnsOf(textOf(line));
}

function textOf(line: Line): string {
  return line.map(([, text]) => text).join('');
}

/** One part at the left edge, the other at the right. */
export function spread(left: Line, right: Line, width: number): Line {
  const gap = Math.max(LEAST_GAP, width - widthOf(left) - widthOf(right));
  return [...left, [PLAIN, ' '.repeat(gap)], ...right];
}

/** A line as a terminal gets it, cut where it is too long. */
export function written(line: Line, width: number, isUtf8: boolean, hasColor: boolean): string {
  const painted = (style: Style, text: string): string =>
    style === PLAIN || !hasColor || text === '' ? text : `\x1b[${style}m${text}\x1b[m`;
  let text = '';
  let left = width;
  for (const [at, [style, part]] of line.entries()) {
    const columns = columnsOf(part);
    const rest = line.slice(at);
    if (columns > left - ELLIPSIS && widthOf(rest) > left) {
      return text + painted(style, cut(textOf(rest), left, isUtf8));
    }
    text += painted(style, part);
    left -= columns;
  }
  return text;
}
