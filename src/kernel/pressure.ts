/**
 * Pressure stall information: /proc/pressure/cpu, and cpu.pressure of a cgroup:
 *
 *     some avg10=2.08 avg60=0.57 avg300=0.12 total=549320
 *     full avg10=0.00 avg60=0.00 avg300=0.00 total=0
 *
 * total is in µs. Since Linux 4.20, where the kernel was built with it and not told `psi=0`.
 *
 * @see https://docs.kernel.org/accounting/psi.html
 */

import { afterKey, numberAt } from './bytes.ts';

const TOTAL = 'total=';

/** Microseconds in which at least one task waited; NaN where the text does not say. */
export function parseStalledUsec(bytes: Buffer, end: number): number {
  const line = afterKey(bytes, end, 'some ');
  const at = line < 0 ? -1 : bytes.indexOf(TOTAL, line, 'latin1');
  const next = bytes.indexOf('\n', line, 'latin1');
  const isOfLine = at >= 0 && !(next >= line && next < at);
  return isOfLine ? numberAt(bytes, end, at + TOTAL.length) : Number.NaN;
}
