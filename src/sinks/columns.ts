/** These take one column on every terminal. */
const NARROW = /^[ -~▁-█…]$/;

/** Columns that a text takes at most. Terminals disagree about what is not ASCII: that counts twice. */
export function columnsOf(text: string): number {
  let columns = 0;
  for (const char of text) columns += NARROW.test(char) ? 1 : 2;
  return columns;
}

/** A foreign text, without what a terminal would obey or could not show. */
export function harmless(text: string, isUtf8: boolean): string {
  return text.replace(isUtf8 ? /[\p{C}\p{Zl}\p{Zp}]/gu : /[^ -~]/gu, '?');
}

/** As much of a text as has room, with an ellipsis for the rest. */
export function cut(text: string, columns: number, isUtf8: boolean): string {
  if (columnsOf(text) <= columns) return text;
  const ellipsis = (isUtf8 ? '…' : '...').slice(0, Math.max(0, columns));
  return head(text, columns - ellipsis.length) + ellipsis;
}

/** A text in lines of so many columns at most, broken at blanks where that is possible. */
export function fold(text: string, columns: number): string[] {
  const lines: string[] = [];
  let rest = text;
  while (columnsOf(rest) > columns) {
    // A character that is wider than a line has one of its own.
    const most = head(rest, columns) || [...rest].slice(0, 1).join('');
    const blank = rest[most.length] === ' ' ? most.length : most.lastIndexOf(' ');
    const line = blank > most.length / 2 ? rest.slice(0, blank) : most;
    lines.push(line);
    rest = rest.slice(line.length).trimStart();
  }
  return rest === '' && lines.length > 0 ? lines : [...lines, rest];
}

function head(text: string, columns: number): string {
  let taken = '';
  let left = columns;
  for (const char of text) {
    left -= columnsOf(char);
    if (left < 0) break;
    taken += char;
  }
  return taken;
}
