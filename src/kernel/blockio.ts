/**
 * io.stat of a cgroup (version 2), a line a device:
 *
 *     8:0 rbytes=90112 wbytes=4096 rios=22 wios=1 dbytes=0 dios=0
 *
 * blkio.throttle.io_service_bytes (version 1), some lines a device and a total:
 *
 *     8:0 Read 90112
 *     8:0 Write 4096
 *     Total 94208
 *
 * Both count what reached a device: page cache in between is not seen. Partitions are counted with their
 * disk, a device mapper beside the disks below it.
 *
 * @see https://docs.kernel.org/admin-guide/cgroup-v2.html#io-interface-files
 * @see https://docs.kernel.org/admin-guide/cgroup-v1/blkio-controller.html
 */

import { numberAt } from './bytes.ts';

/** Bytes read from and written to all devices. */
export interface BlockBytes {
  read: number;
  written: number;
}

/** Adds up what stands behind each ` rbytes=` and ` wbytes=`. An empty text is 0: nothing was read yet. */
export function parseIoStat(bytes: Buffer, end: number, into: BlockBytes): void {
  into.read = sumBehind(bytes, end, ' rbytes=');
  into.written = sumBehind(bytes, end, ' wbytes=');
}

/**
 * The same of version 1; NaN where no device is listed: since Linux 6.10 none is counted before some group
 * has a limit for it, and a total of 0 would be no truth.
 */
export function parseServiceBytes(bytes: Buffer, end: number, into: BlockBytes): void {
  const at = bytes.indexOf(' Read ', 0, 'latin1');
  const isCounted = at >= 0 && at < end;
  into.read = isCounted ? sumBehind(bytes, end, ' Read ') : Number.NaN;
  into.written = isCounted ? sumBehind(bytes, end, ' Write ') : Number.NaN;
}

function sumBehind(bytes: Buffer, end: number, key: string): number {
  let sum = 0;
  for (let at = bytes.indexOf(key, 0, 'latin1'); at >= 0 && at < end; ) {
    const from = at + key.length;
    const value = numberAt(bytes, end, from);
    if (!Number.isNaN(value)) sum += value;
    at = bytes.indexOf(key, from, 'latin1');
  }
  return sum;
}
