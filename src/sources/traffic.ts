import { NoDataError, ParseError } from '../errors.ts';
import { type BlockBytes, parseIoStat, parseServiceBytes } from '../kernel/blockio.ts';
import { type NetworkBytes, parseNetDev } from '../kernel/netdev.ts';
import type { Figures, Meter } from '../metrics/figures.ts';
import { putBlock, putNetwork } from '../metrics/traffic.ts';
import { optional } from './meters.ts';
import type { RootFile, RootFs } from './rootfs.ts';

const NET_DEV = '/proc/net/dev';

/** Bytes in and out of the network namespace, without the loopback. */
export class NetworkMeter implements Meter {
  readonly #fs: RootFs;
  readonly #file: RootFile;
  readonly #now: NetworkBytes = { received: Number.NaN, transmitted: Number.NaN };
  #received = Number.NaN;
  #transmitted = Number.NaN;

  constructor(fs: RootFs) {
    this.#fs = fs;
    this.#file = fs.file(NET_DEV);
  }

  measure(_nowMs: number, figures: Figures): void {
    const end = this.#file.whole();
    const interfaces = parseNetDev(this.#fs.buffer, end, this.#now);
    if (interfaces === 0) throw new NoDataError(`${NET_DEV}: no interface but the loopback`);
    const { received, transmitted } = this.#now;
    putNetwork(figures, received - this.#received, transmitted - this.#transmitted);
    this.#received = received;
    this.#transmitted = transmitted;
  }
}

/** Where a group's block I/O is counted. */
export interface BlockFile {
  readonly version: 1 | 2;
  readonly path: string;
}

/** Bytes that a group read from and wrote to block devices. */
export class BlockMeter implements Meter {
  readonly #fs: RootFs;
  readonly #where: () => BlockFile;
  readonly #now: BlockBytes = { read: Number.NaN, written: Number.NaN };
  #read = Number.NaN;
  #written = Number.NaN;
  #file: BlockFile | undefined;

  /** @param where @throws NoDataError */
  constructor(fs: RootFs, where: () => BlockFile) {
    this.#fs = fs;
    this.#where = where;
  }

  measure(_nowMs: number, figures: Figures): void {
    const now = this.#now;
    this.#file ??= this.#found();
    const { version, path } = this.#file;
    const file = this.#fs.file(path);
    // io.stat is empty until something was read or written.
    const end = optional(() => file.whole(), 0);
    if (version === 2) parseIoStat(this.#fs.buffer, end, now);
    else parseServiceBytes(this.#fs.buffer, end, now);
    if (Number.isNaN(now.read)) {
      // Whatever is counted later has happened since.
      [this.#read, this.#written] = [0, 0];
      throw new NoDataError(`${path}: no device is counted`);
    }
    putBlock(figures, now.read - this.#read, now.written - this.#written);
    this.#read = now.read;
    this.#written = now.written;
  }

  #found(): BlockFile {
    const where = this.#where();
    if (!this.#fs.has(where.path)) throw new NoDataError(`${where.path}: not there`);
    return where;
  }
}

/** @throws NoDataError, ParseError */
export function readBlock(fs: RootFs, { version, path }: BlockFile, into: BlockBytes): void {
  if (!fs.has(path)) throw new NoDataError(`${path}: not there`);
  // io.stat is empty until something was read or written.
  const text = fs.text(path);
  const bytes = Buffer.from(text, 'latin1');
  if (version === 2) parseIoStat(bytes, bytes.length, into);
  else parseServiceBytes(bytes, bytes.length, into);
  if (!(into.read >= 0 && into.written >= 0)) throw new ParseError(path, 'no bytes');
}
