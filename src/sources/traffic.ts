import { NoDataError, ParseError } from '../errors.ts';
import { type BlockBytes, parseIoStat, parseServiceBytes } from '../kernel/blockio.ts';
import { type NetworkBytes, parseNetDev } from '../kernel/netdev.ts';
import type { Meter } from '../metrics/figures.ts';
import { putBlock, putNetwork } from '../metrics/traffic.ts';
import { meter, optional } from './meters.ts';
import type { RootFs } from './rootfs.ts';

const NET_DEV = '/proc/net/dev';

/** Bytes in and out of the network namespace, without the loopback. */
export function networkMeter(fs: RootFs): Meter {
  const file = fs.file(NET_DEV);
  const now: NetworkBytes = { received: Number.NaN, transmitted: Number.NaN };
  const before = { ...now };
  return meter((_nowMs, figures) => {
    const end = file.whole();
    const interfaces = parseNetDev(fs.buffer, end, now);
    if (interfaces === 0) throw new NoDataError(`${NET_DEV}: no interface but the loopback`);
    putNetwork(figures, now.received - before.received, now.transmitted - before.transmitted);
    before.received = now.received;
    before.transmitted = now.transmitted;
  });
}

/** Where a group's block I/O is counted. */
export interface BlockFile {
  readonly version: 1 | 2;
  readonly path: string;
}

/**
 * Bytes that a group read from and wrote to block devices.
 *
 * @param where @throws NoDataError
 */
export function blockMeter(fs: RootFs, where: () => BlockFile): Meter {
  const now: BlockBytes = { read: Number.NaN, written: Number.NaN };
  const before = { ...now };
  let known: BlockFile | undefined;
  return meter((_nowMs, figures) => {
    known ??= thereIs(fs, where());
    const file = fs.file(known.path);
    // io.stat is empty until something was read or written.
    parseBlock(
      known,
      fs.buffer,
      optional(() => file.whole(), 0),
      now,
    );
    if (Number.isNaN(now.read)) {
      // Whatever is counted later has happened since.
      [before.read, before.written] = [0, 0];
      throw new NoDataError(`${known.path}: no device is counted`);
    }
    putBlock(figures, now.read - before.read, now.written - before.written);
    before.read = now.read;
    before.written = now.written;
  });
}

/** @throws NoDataError, ParseError */
export function readBlock(fs: RootFs, where: BlockFile, into: BlockBytes): void {
  const { path } = thereIs(fs, where);
  // io.stat is empty until something was read or written.
  const bytes = Buffer.from(fs.text(path), 'latin1');
  parseBlock(where, bytes, bytes.length, into);
  if (!(into.read >= 0 && into.written >= 0)) throw new ParseError(path, 'no bytes');
}

function thereIs(fs: RootFs, where: BlockFile): BlockFile {
  if (fs.has(where.path)) return where;
  throw new NoDataError(`${where.path}: not there`);
}

function parseBlock({ version }: BlockFile, bytes: Buffer, end: number, into: BlockBytes): void {
  if (version === 2) parseIoStat(bytes, end, into);
  else parseServiceBytes(bytes, end, into);
}
