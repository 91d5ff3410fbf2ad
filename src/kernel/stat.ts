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

import { afterKey, numberAt, skipBlanks, skipDigits } from './text.ts';

/** Ticks since boot, over all CPUs. */
export interface CpuTicks {
  readonly user: number;
  readonly nice: number;
  readonly system: number;
  readonly idle: number;
  readonly iowait: number;
  readonly irq: number;
  readonly softirq: number;
  readonly steal: number;
}

/** The line is complete within this many bytes: ten counters of at most 20 digits. */
export const STAT_HEAD_BYTES = 256;

/** user, nice, system and idle have been there always. */
const LEAST_FIELDS = 4;
const FIELDS = 8;

/** @throws SyntaxError where no line `cpu ` with at least four numbers begins the text */
export function parseStat(text: string): CpuTicks {
  const ticks = [0, 0, 0, 0, 0, 0, 0, 0];
  let at = afterKey(text, 'cpu ');
  if (at < 0) throw new SyntaxError('no line "cpu "');
  for (let field = 0; field < FIELDS; field += 1) {
    at = skipBlanks(text, at);
    const value = numberAt(text, at);
    if (Number.isNaN(value)) {
      if (field >= LEAST_FIELDS && endsLine(text, at)) break;
      throw new SyntaxError(`field ${field + 1} of the line "cpu " is not a number`);
    }
    ticks[field] = value;
    at = skipDigits(text, at);
  }
  const [user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, steal = 0] =
    ticks;
  return { user, nice, system, idle, iowait, irq, softirq, steal };
}

function endsLine(text: string, at: number): boolean {
  return at >= text.length || text[at] === '\n' || text[at] === '\r';
}
