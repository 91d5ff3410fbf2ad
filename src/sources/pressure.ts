import { NoDataError, ParseError } from '../errors.ts';
import { parseSwap } from '../kernel/meminfo.ts';
import { parseMounts } from '../kernel/mountinfo.ts';
import { parseStalledUsec } from '../kernel/pressure.ts';
import { keyedNumber } from '../kernel/text.ts';
import type { Fill, Series } from '../metrics/reading.ts';
import type { SourceOptions } from './options.ts';
import { type GroupReaders, gauge, readNumber } from './readers.ts';
import type { Host } from './rootfs.ts';

/** Pressure files are two lines of about 70 bytes. */
const PRESSURE_BYTES = 512;
/** A file system fills slowly; asking it is a system call on another's code. */
const DISK_EVERY_MS = 30_000;
/**
 * Local file systems. Any other type may be a network's, and one call on a dead one blocks the agent
 * for good.
 */
const LOCAL_TYPES = new Set(
  'ext2 ext3 ext4 xfs btrfs f2fs zfs overlay tmpfs ramfs erofs squashfs bcachefs'.split(' '),
);

/** Where a scope's counters of trouble are; nothing where the scope has none. */
export interface TroubleFiles {
  readonly cpuPressure?: string;
  readonly memoryPressure?: string;
  /** A file with a line `oom_kill N`. */
  readonly oomKills?: string;
}

export const HOST_TROUBLE: TroubleFiles = {
  cpuPressure: '/proc/pressure/cpu',
  memoryPressure: '/proc/pressure/memory',
  oomKills: '/proc/vmstat',
};

/** Pressure and OOM kills, as far as they are wanted. */
export function troubleReaders(
  host: Host,
  files: TroubleFiles,
  { wanted }: SourceOptions,
): GroupReaders {
  const stalled = (path: string): GroupReaders['cpuPressure'] => {
    const file = host.file(path);
    return gauge(() => readNumber(file, file.head(PRESSURE_BYTES), parseStalledUsec));
  };
  const kills = (path: string): GroupReaders['oomKills'] => {
    const file = host.file(path);
    return gauge(() => readNumber(file, file.read(), (text) => keyedNumber(text, 'oom_kill ')));
  };
  const when = <Reader>(
    series: Series,
    path: string | undefined,
    read: (path: string) => Reader,
  ) => (path !== undefined && wanted.has(series) ? read(path) : undefined);
  return {
    cpuPressure: when('cpuPressure', files.cpuPressure, stalled),
    memoryPressure: when('memoryPressure', files.memoryPressure, stalled),
    oomKills: when('oomKills', files.oomKills, kills),
  };
}

/** What is the same in every scope: the root file system, and the agent itself. */
export function commonReaders(host: Host, { wanted, ownUse }: SourceOptions): GroupReaders {
  const wantsAgent = wanted.has('agentCpu') || wanted.has('agentMemory');
  return {
    disk: wanted.has('disk') ? gauge(readDisk(host)) : undefined,
    agent: wantsAgent ? gauge(ownUse) : undefined,
  };
}

/** The machine's swap. A machine without any has nothing to report. */
export function readSwap(host: Host): () => Fill {
  const meminfo = host.file('/proc/meminfo');
  return () => {
    const swap = parseSwap(meminfo.read());
    if (!(swap.limit > 0)) throw new NoDataError('no swap: SwapTotal is 0');
    if (Number.isNaN(swap.used)) throw new ParseError(meminfo.path, 'no line "SwapFree:"');
    return swap;
  };
}

function readDisk(host: Host): (nowMs: number) => Fill {
  const mountinfo = host.file('/proc/self/mountinfo');
  let last: { readonly fill: Fill; readonly at: number } | undefined;
  return (nowMs) => {
    if (last !== undefined && nowMs - last.at < DISK_EVERY_MS) return last.fill;
    const type = parseMounts(mountinfo.read()).find(({ point }) => point === '/')?.type ?? 'none';
    if (!LOCAL_TYPES.has(type)) {
      throw new NoDataError(`/ is of the type ${type}, which may be a network's: not asked`);
    }
    last = { fill: host.fileSystem('/'), at: nowMs };
    return last.fill;
  };
}
