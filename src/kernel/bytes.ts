/**
 * How kernel text is read on the tick: as bytes where they lie. No text, no split, no object: a
 * whole-file parse of meminfo as text costs 7 MB of resident memory in 250 ticks. A text is a buffer
 * and its end; what lies behind the end is of an earlier reading.
 */

const LINE_FEED = 10;
const RETURN = 13;
const SPACE = 32;
const TAB = 9;
const ZERO = 48;
const NINE = 57;
/** So many are told apart: 15 digits are exact in a double, 16 are not. */
const EXACT = 1e15;
const ROOM = EXACT / 10;

/**
 * The position right after `key` where `key` begins a line, or -1.
 *
 * @param key in latin1, with its delimiter, e.g. `MemTotal:` or `cpu `, so that no longer key matches
 * @param hint where it stood the last time: most files keep their lines in place
 */
export function afterKey(bytes: Buffer, end: number, key: string, hint: number = 0): number {
  let at = hint;
  while (at - hint < key.length && bytes[at] === key.charCodeAt(at - hint)) at += 1;
  const isThere = at - hint === key.length && at <= end;
  if (isThere && (hint === 0 || bytes[hint - 1] === LINE_FEED)) return at;
  at = bytes.indexOf(key, 0, 'latin1');
  while (at > 0 && at < end && bytes[at - 1] !== LINE_FEED) {
    at = bytes.indexOf(key, at + 1, 'latin1');
  }
  const after = at + key.length;
  return at < 0 || after > end ? -1 : after;
}

/** The first position at or after `from` that holds neither a space nor a tab. */
export function skipBlanks(bytes: Buffer, end: number, from: number): number {
  let at = from;
  while (at < end && (bytes[at] === SPACE || bytes[at] === TAB)) at += 1;
  return at;
}

/**
 * The unsigned decimal number at `from`, or NaN where no digit stands. Above 2^53 the last digits
 * are lost, which no ratio of ours can show; differences of such counters want {@link lowDigitsAt}.
 */
export function numberAt(bytes: Buffer, end: number, from: number): number {
  let value = Number.NaN;
  for (let at = from; at < end; at += 1) {
    const digit = (bytes[at] ?? 0) - ZERO;
    if (digit < 0 || digit > NINE - ZERO) break;
    value = at === from ? digit : value * 10 + digit;
  }
  return value;
}

/** The number at `from` modulo 10^15, exactly; NaN where no digit stands. */
export function lowDigitsAt(bytes: Buffer, end: number, from: number): number {
  let value = Number.NaN;
  for (let at = from; at < end; at += 1) {
    const digit = (bytes[at] ?? 0) - ZERO;
    if (digit < 0 || digit > NINE - ZERO) break;
    if (value >= ROOM) value %= ROOM;
    value = at === from ? digit : value * 10 + digit;
  }
  return value;
}

/**
 * What a counter has grown by, from two of its {@link lowDigitsAt}: exact for any number of digits.
 * Below 0 where it ran backwards; either way by less than half of 10^15.
 */
export function grownBy(before: number, now: number): number {
  const grown = now - before;
  if (grown < -EXACT / 2) return grown + EXACT;
  return grown > EXACT / 2 ? grown - EXACT : grown;
}

/**
 * The numbers that stand from `from` on, with blanks between them.
 *
 * @param into takes as many as it has room for
 * @returns how many there are; where something else than a blank or the line's end follows, less one
 *   and negative: -3 for two numbers and then no number
 */
export function numbersAt(bytes: Buffer, end: number, from: number, into: Float64Array): number {
  let count = 0;
  let value = -1;
  for (let at = from; at <= end && count < into.length; at += 1) {
    const byte = at < end ? (bytes[at] ?? LINE_FEED) : LINE_FEED;
    if (byte >= ZERO && byte <= NINE) {
      value = value < 0 ? byte - ZERO : value * 10 + (byte - ZERO);
      continue;
    }
    if (value >= 0) {
      into[count] = value;
      count += 1;
      value = -1;
    }
    if (byte === LINE_FEED || byte === RETURN) return count;
    if (byte !== SPACE && byte !== TAB) return -1 - count;
  }
  return count;
}

/** The number behind `key` at the beginning of a line, or NaN where the key or its number is not. */
export function keyedNumber(bytes: Buffer, end: number, key: string, hint: number = 0): number {
  const at = afterKey(bytes, end, key, hint);
  return at < 0 ? Number.NaN : numberAt(bytes, end, skipBlanks(bytes, end, at));
}
