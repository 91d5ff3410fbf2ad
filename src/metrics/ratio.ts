import { NoDataError } from '../errors.ts';

/** A few percent: what two readings of different instants explain. */
const SLACK = 0.05;

/**
 * A part of a whole in percent. What clocks explain is clamped: a few percent above the whole.
 *
 * @param what the part in words, for the reason
 * @param slack how far above the whole (a share of it) is explained
 * @throws NoDataError where the part is more than there is, which no rounding explains
 */
export function percentOf(
  part: number,
  whole: number,
  what: string,
  slack: number = SLACK,
): number {
  const share = part / whole;
  if (share <= 1) return share < 0 ? 0 : share * 100;
  if (share <= 1 + slack) return 100;
  throw new NoDataError(
    `${what} is ${Math.round(share * 100)} % of what there is, which cannot be`,
  );
}
