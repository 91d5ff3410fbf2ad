/**
 * How kernel text is read on the tick: as bytes where they lie. No text, no split, no object: a
 * whole-file parse of meminfo as text costs 7 MB of resident memory in 250 ticks. A text is a buffer
 * and its end; what lies behind the end is of an earlier reading.
 */

const LINE_FEED = 10;
const SPACE = 32;
const TAB = 9;
const ZERO = 48;
const NINE = 57;
/** 15 digits are exact in a double, with room for the next one. */
const EXACT = 1e15;

/**
 * The position right after `key` where `key` begins a line, or -1.
 *
 * @param key in latin1, with its delimiter, e.g. `MemTotal:` or `cpu `, so that no longer key matches
 */
export function afterKey(bytes: Buffer, end: number, key: string): number {
  let at = bytes.indexOf(key, 0, 'latin1');
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
    value = at === from ? digit : value * 10 + digit;
    if (value >= EXACT) value %= EXACT;
  }
  return value;
}

/**
 * What a counter has grown by, from two of its {@link lowDigitsAt}: exact for any number of digits.
 * Below 0 where it ran backwards (by less than half of 10^15).
 */
export function grownBy(before: number, now: number): number {
  const grown = now - before;
  return grown < -EXACT / 2 ? grown + EXACT : grown;
}

/** The position after the digits that begin at `from`. */
export function skipDigits(bytes: Buffer, end: number, from: number): number {
  let at = from;
  while (at < end && (bytes[at] ?? 0) >= ZERO && (bytes[at] ?? 0) <= NINE) at += 1;
  return at;
}

/** The number behind `key` at the beginning of a line, or NaN where the key or its number is not. */
export function keyedNumber(bytes: Buffer, end: number, key: string): number {
  const at = afterKey(bytes, end, key);
  return at < 0 ? Number.NaN : numberAt(bytes, end, skipBlanks(bytes, end, at));
}
