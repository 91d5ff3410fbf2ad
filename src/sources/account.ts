import { NoDataError } from '../errors.ts';
import { parseNetDev } from '../kernel/netdev.ts';
import { type Cgroups, isPath, type Resolved } from './cgroup/hierarchy.ts';
import { isAnswer } from './meters.ts';
import type { RootFs } from './rootfs.ts';
import { type BlockFile, readBlock } from './traffic.ts';

/** Counters of the own container; NaN for what is not counted here. */
export interface Totals {
  readonly cpuSeconds: number;
  readonly periods: number;
  readonly throttled: number;
  readonly oomKills: number;
  readonly blockRead: number;
  readonly blockWritten: number;
  readonly networkReceived: number;
  readonly networkTransmitted: number;
}

/** A limit of memory, and whose it is. */
export interface MemoryLevelNow {
  readonly folder: string;
  readonly limitBytes: number;
  /** How often an allocation failed at this very limit; NaN where that is not told. */
  readonly failures: number;
}

/** A process and what it holds, at the highest reading. */
export interface LargeProcess {
  readonly name: string;
  readonly bytes: number;
}

const NANOSECONDS = 1e9;
const MICROSECONDS = 1e6;
/** No limit, as version 1 writes it, is a number beyond any machine. */
const MOST_BYTES = 2 ** 60;
const PAGE_BYTES = 4096;
const LARGEST = 3;

/** Reads what the receipt says of the whole run. Nothing of it throws. */
export class Account {
  readonly #fs: RootFs;
  readonly #cgroups: Cgroups;
  #lastLargest: readonly number[] = [];

  constructor(fs: RootFs, cgroups: Cgroups) {
    this.#fs = fs;
    this.#cgroups = cgroups;
  }

  read(): Totals {
    const cpu = this.#text(this.#cgroups.cpu, 'cpu.stat');
    const block = { read: Number.NaN, written: Number.NaN };
    try {
      readBlock(this.#fs, blockFileOf(this.#fs, this.#cgroups), block);
    } catch (error) {
      if (!isAnswer(error)) throw error;
    }
    const net = { received: Number.NaN, transmitted: Number.NaN };
    const dev = Buffer.from(this.#fs.text('/proc/net/dev'), 'latin1');
    const hasNetwork = parseNetDev(dev, dev.length, net) > 0;
    return {
      cpuSeconds: this.#cpuSeconds(cpu),
      periods: keyed(cpu, 'nr_periods'),
      throttled: keyed(cpu, 'nr_throttled'),
      oomKills: this.#oomKills(),
      blockRead: block.read,
      blockWritten: block.written,
      networkReceived: hasNetwork ? net.received : Number.NaN,
      networkTransmitted: hasNetwork ? net.transmitted : Number.NaN,
    };
  }

  /** The kernel's own peak, page cache included; NaN where it keeps none (before Linux 5.19 on version 2). */
  peakBytes(): number {
    const { memory } = this.#cgroups;
    const name =
      isPath(memory) && memory.version === 1 ? 'memory.max_usage_in_bytes' : 'memory.peak';
    const text = this.#text(memory, name).trim();
    return /^\d+$/.test(text) ? Number(text) : Number.NaN;
  }

  /** Swap in use; NaN where it is not counted. */
  swapBytes(): number {
    const { memory } = this.#cgroups;
    const number = (name: string): number => {
      const text = this.#text(memory, name).trim();
      return /^\d+$/.test(text) ? Number(text) : Number.NaN;
    };
    if (!isPath(memory) || memory.version === 2) return number('memory.swap.current');
    // Version 1 counts both together.
    const swap = number('memory.memsw.usage_in_bytes') - number('memory.usage_in_bytes');
    return Math.max(swap, 0);
  }

  /** The limited levels, the container's own first. */
  levels(): readonly MemoryLevelNow[] {
    const { memory } = this.#cgroups;
    if (!isPath(memory)) return [];
    const limit = memory.version === 1 ? 'memory.limit_in_bytes' : 'memory.max';
    return memory.folders.flatMap((folder) => {
      const limitBytes = Number(this.#fs.text(`${folder}/${limit}`).trim() || Number.NaN);
      if (!(limitBytes > 0 && limitBytes < MOST_BYTES)) return [];
      const failures =
        memory.version === 1
          ? Number(this.#fs.text(`${folder}/memory.failcnt`).trim() || Number.NaN)
          : keyed(this.#fs.text(`${folder}/memory.events.local`), 'oom');
      return [{ folder, limitBytes, failures }];
    });
  }

  /**
   * The largest processes of the own group, within so much time: those of the last look first, then the
   * youngest, which a job's are.
   *
   * @param exceptPid ourselves
   */
  largest(exceptPid: number, isTimeOver: () => boolean): readonly LargeProcess[] {
    const found: { pid: number; bytes: number }[] = [];
    const pids = this.#pids().filter((pid) => pid > 0 && pid !== exceptPid);
    pids.sort((one, other) => other - one);
    const again = this.#lastLargest.filter((pid) => pids.includes(pid));
    for (const pid of new Set([...again, ...pids])) {
      // size resident shared text lib data dt, in pages: what is shared with files can be given back.
      const [, resident, shared] = this.#fs.text(`/proc/${pid}/statm`).split(' ').map(Number);
      const bytes = ((resident ?? 0) - (shared ?? 0)) * PAGE_BYTES;
      if (bytes > 0) found.push({ pid, bytes });
      if (isTimeOver()) break;
    }
    found.sort((one, other) => other.bytes - one.bytes);
    const largest = found.slice(0, LARGEST);
    this.#lastLargest = largest.map(({ pid }) => pid);
    return largest.map(({ pid, bytes }) => {
      const name = Buffer.from(this.#fs.text(`/proc/${pid}/comm`).trim(), 'latin1');
      return { name: name.toString('utf8') || String(pid), bytes };
    });
  }

  /** Of the own group: in a PID namespace that is shared, /proc has others' as well. */
  #pids(): readonly number[] {
    const own = this.#text(this.#cgroups.memory, 'cgroup.procs').trim();
    return (own === '' ? this.#fs.list('/proc') : own.split('\n')).map(Number);
  }

  #cpuSeconds(stat: string): number {
    const { cpuacct } = this.#cgroups;
    if (isPath(cpuacct) && cpuacct.version === 1) {
      return Number(this.#text(cpuacct, 'cpuacct.usage').trim() || Number.NaN) / NANOSECONDS;
    }
    return keyed(stat, 'usage_usec') / MICROSECONDS;
  }

  #oomKills(): number {
    const { memory } = this.#cgroups;
    const isLegacy = isPath(memory) && memory.version === 1;
    return keyed(this.#text(memory, isLegacy ? 'memory.oom_control' : 'memory.events'), 'oom_kill');
  }

  #text(place: Resolved, name: string): string {
    return isPath(place) ? this.#fs.text(`${place.folders[0]}/${name}`) : '';
  }
}

/** @throws NoDataError where there is no such controller */
export function blockFileOf(fs: RootFs, { blkio }: Cgroups): BlockFile {
  if (!isPath(blkio)) throw new NoDataError(blkio.unresolved);
  const [folder] = blkio.folders;
  if (blkio.version === 2) return { version: 2, path: `${folder}/io.stat` };
  const own = `${folder}/blkio.throttle.io_service_bytes`;
  // Groups below are in it since Linux 4.16.
  const recursive = `${own}_recursive`;
  return { version: 1, path: fs.has(recursive) ? recursive : own };
}

function keyed(text: string, key: string): number {
  const [, digits] = new RegExp(`^${key} (\\d+)$`, 'm').exec(text) ?? [];
  return digits === undefined ? Number.NaN : Number(digits);
}
