/**
 * /proc/stat, the first line:
 *
 *     cpu  10132153 290696 3084719 46828483 16683 0 25195 175628 0 0
 *
 * user nice system idle iowait irq softirq steal guest guest_nice, in ticks of 10 ms, summed over
 * all possible CPUs. guest is already inside user and guest_nice inside nice, so both are left out.
 * irq and softirq came with 2.6.0, steal with 2.6.11: a field that is not there is 0.
 *
 * @see https://docs.kernel.org/filesystems/proc.html#miscellaneous-kernel-statistics-in-proc-stat
 */

import { afterKey, numbersAt } from './bytes.ts';

/** The places of a line's numbers. */
export const USER = 0;
export const NICE = 1;
export const SYSTEM = 2;
export const IDLE = 3;
export const IOWAIT = 4;
export const IRQ = 5;
export const SOFTIRQ = 6;
export const STEAL = 7;
export const TICK_FIELDS = 8;

/** The line is complete within this many bytes: ten counters of at most 20 digits. */
export const STAT_HEAD_BYTES = 256;

/** user, nice, system and idle have been there always. */
const LEAST_FIELDS = 4;

/**
 * Ticks since boot, over all CPUs.
 *
 * @param ticks takes the numbers, a place each
 * @returns what is wrong with the text; empty where a line `cpu ` with at least four numbers begins it
 */
export function parseStat(bytes: Buffer, end: number, ticks: Float64Array): string {
  const at = afterKey(bytes, end, 'cpu ');
  if (at < 0) return 'no line "cpu "';
  const count = numbersAt(bytes, end, at, ticks);
  if (count < LEAST_FIELDS) {
    const wrong = count < 0 ? -count : count + 1;
    return `field ${wrong} of the line "cpu " is not a number`;
  }
  for (let field = count; field < TICK_FIELDS; field += 1) ticks[field] = 0;
  return '';
}

/** How many CPUs have a line of their own, which only those that are online have; 0 where none has. */
export function countCpuLines(text: string): number {
  return text.match(/^cpu\d+ /gm)?.length ?? 0;
}
