/**
 * /proc/net/dev, a line an interface of this network namespace, after two of headings:
 *
 *       eth0: 1296134     987    0    0    0     0          0         0   101010     765    0 …
 *
 * Received bytes come first, transmitted ones ninth.
 *
 * @see https://docs.kernel.org/filesystems/proc.html#networking-info-in-proc-net
 */

import { numbersAt, skipBlanks } from './bytes.ts';

const LINE_FEED = 10;
const COLON = 58;
const LOOPBACK = 'lo:';
const TRANSMIT_FIELD = 8;
const NUMBERS = new Float64Array(TRANSMIT_FIELD + 1);

/** Bytes of all interfaces but the loopback. */
export interface NetworkBytes {
  received: number;
  transmitted: number;
}

/** Adds the interfaces up, into `into`. @returns how many there are */
export function parseNetDev(bytes: Buffer, end: number, into: NetworkBytes): number {
  into.received = 0;
  into.transmitted = 0;
  let interfaces = 0;
  for (let line = 0; line < end; ) {
    const next = bytes.indexOf(LINE_FEED, line);
    const stop = next < 0 || next > end ? end : next;
    const name = skipBlanks(bytes, stop, line);
    const colon = bytes.indexOf(COLON, name);
    // Headings have bars and no colon; an alias such as eth0:1 is not counted by the kernel.
    if (colon >= 0 && colon < stop && bytes.indexOf(LOOPBACK, name, 'latin1') !== name) {
      const count = numbersAt(bytes, stop, skipBlanks(bytes, stop, colon + 1), NUMBERS);
      if (count > TRANSMIT_FIELD) {
        into.received += NUMBERS[0] ?? 0;
        into.transmitted += NUMBERS[TRANSMIT_FIELD] ?? 0;
        interfaces += 1;
      }
    }
    line = stop + 1;
  }
  return interfaces;
}
