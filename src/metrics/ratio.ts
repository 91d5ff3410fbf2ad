import { NoDataError } from '../errors.ts';

/** A few percent: what two readings of different instants explain. */
const SLACK = 0.05;

/**
 * A part of a whole in percent. What clocks explain is clamped: a few percent below nothing or above
 * the whole.
 *
 * @param what the part in words, for the reason
 * @param slack how far above the whole (a share of it) is explained
 * @throws NoDataError where the part is more than there is or less than nothing, which no rounding
 *   explains, and where the whole is not known
 */
export function percentOf(
  part: number,
  whole: number,
  what: string,
  slack: number = SLACK,
): number {
  const share = part / whole;
  if (share >= 0 && share <= 1 && whole < Number.POSITIVE_INFINITY) return share * 100;
  if (!(whole > 0 && whole < Number.POSITIVE_INFINITY) || Number.isNaN(part)) {
    throw new NoDataError(`nothing says what share ${what} is`);
  }
  if (share >= -slack && share <= 1 + slack) return share < 0 ? 0 : 100;
  throw new NoDataError(
    `${what} is ${Math.round(share * 100)} % of what there is, which cannot be`,
  );
}
