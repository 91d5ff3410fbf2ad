import { parseByteLimit, parseCfsQuota, parseCpuMax } from '../../kernel/limits.ts';
import { keyedNumber } from '../../kernel/text.ts';
import type { MemoryMode } from '../options.ts';
import { optional, readNumber } from '../readers.ts';
import type { Host, HostFile } from '../rootfs.ts';
import type { Place } from './hierarchy.ts';

const NUMBER_BYTES = 64;
const CPU_STAT_BYTES = 512;
/** About 2 kB on version 2 of recent kernels. */
const MEMORY_STAT_BYTES = 8192;
const NANOSECONDS_A_USEC = 1000;

/** CPU at one folder of a hierarchy. */
export interface CpuLevel {
  readonly folder: string;
  /** Cores that the quota allows here; Infinity for none. */
  readLimit(): number;
  /** CPU time of all below, in ns since the folder was made. @throws NoDataError, ParseError */
  readUsage(): number;
  /** Periods of the quota, and those throttled. @throws NoDataError, ParseError */
  readPeriods(): { periods: number; throttled: number };
}

/** Memory at one folder of a hierarchy. */
export interface MemoryLevel {
  readonly folder: string;
  /** Bytes; Infinity for none, and for version 1's way of saying so it is at least the machine's. */
  readLimit(): number;
  /** Bytes in use. @throws NoDataError, ParseError */
  readUsed(): number;
}

/**
 * The levels of a place, the container's own first.
 *
 * @param accounting where version 1 counts CPU time, which may be another hierarchy
 */
export function cpuLevels(host: Host, cpu: Place, accounting: Place): CpuLevel[] {
  return cpu.folders.flatMap((folder, index) => {
    if (cpu.version === 2) return [unifiedCpu(host, folder)];
    // With hierarchies of other depths no parent can be matched with its counter.
    const isParallel = cpu.folders.length === accounting.folders.length;
    const counted = isParallel || index === 0 ? accounting.folders[index] : undefined;
    return counted === undefined ? [] : [legacyCpu(host, folder, counted)];
  });
}

export function memoryLevels(host: Host, place: Place, mode: MemoryMode): MemoryLevel[] {
  const level = place.version === 2 ? unifiedMemory : legacyMemory;
  return place.folders.map((folder) => level(host, folder, mode));
}

function unifiedCpu(host: Host, folder: string): CpuLevel {
  const max = host.file(`${folder}/cpu.max`);
  const stat = host.file(`${folder}/cpu.stat`);
  return {
    folder,
    readLimit: () => optional(() => parseCpuMax(max.head(NUMBER_BYTES)), Number.POSITIVE_INFINITY),
    readUsage: () =>
      readNumber(stat, stat.head(CPU_STAT_BYTES), (text) => keyedNumber(text, 'usage_usec ')) *
      NANOSECONDS_A_USEC,
    readPeriods: () => readPeriods(stat),
  };
}

function legacyCpu(host: Host, folder: string, counted: string): CpuLevel {
  const quota = host.file(`${folder}/cpu.cfs_quota_us`);
  const period = host.file(`${folder}/cpu.cfs_period_us`);
  const stat = host.file(`${folder}/cpu.stat`);
  const usage = host.file(`${counted}/cpuacct.usage`);
  return {
    folder,
    readLimit: () =>
      optional(
        () => parseCfsQuota(quota.head(NUMBER_BYTES), period.head(NUMBER_BYTES)),
        Number.POSITIVE_INFINITY,
      ),
    readUsage: () => readNumber(usage, usage.head(NUMBER_BYTES), Number.parseFloat),
    readPeriods: () => readPeriods(stat),
  };
}

function readPeriods(stat: HostFile): { periods: number; throttled: number } {
  const text = stat.head(CPU_STAT_BYTES);
  return {
    periods: readNumber(stat, text, (lines) => keyedNumber(lines, 'nr_periods ')),
    throttled: readNumber(stat, text, (lines) => keyedNumber(lines, 'nr_throttled ')),
  };
}

function unifiedMemory(host: Host, folder: string, mode: MemoryMode): MemoryLevel {
  const max = host.file(`${folder}/memory.max`);
  const current = host.file(`${folder}/memory.current`);
  const stat = host.file(`${folder}/memory.stat`);
  return {
    folder,
    readLimit: () =>
      optional(() => parseByteLimit(max.head(NUMBER_BYTES)), Number.POSITIVE_INFINITY),
    readUsed: () => used(current, stat, mode, ['inactive_file '], ['file ', 'slab ']),
  };
}

/** The keys that begin with total_ count what is below as well; very old kernels lack them. */
function legacyMemory(host: Host, folder: string, mode: MemoryMode): MemoryLevel {
  const limit = host.file(`${folder}/memory.limit_in_bytes`);
  const usage = host.file(`${folder}/memory.usage_in_bytes`);
  const stat = host.file(`${folder}/memory.stat`);
  return {
    folder,
    // What the parents allow, though their folders may be hidden from here.
    readLimit: () =>
      Math.min(
        optional(() => parseByteLimit(limit.head(NUMBER_BYTES)), Number.POSITIVE_INFINITY),
        optional(
          () => orInfinity(keyedNumber(stat.head(MEMORY_STAT_BYTES), 'hierarchical_memory_limit ')),
          Number.POSITIVE_INFINITY,
        ),
      ),
    readUsed: () =>
      used(usage, stat, mode, ['total_inactive_file ', 'inactive_file '], ['total_cache ']),
  };
}

/**
 * @param inactive the page cache that can be had back at once: the first key that is there
 * @param cached all of the page cache (and slabs): the sum of these keys
 */
function used(
  usage: HostFile,
  stat: HostFile,
  mode: MemoryMode,
  inactive: readonly string[],
  cached: readonly string[],
): number {
  const bytes = readNumber(usage, usage.head(NUMBER_BYTES), Number.parseFloat);
  if (mode === 'usage') return bytes;
  const text = stat.head(MEMORY_STAT_BYTES);
  const values = (mode === 'workingset' ? inactive : cached).map((key) => keyedNumber(text, key));
  const there = values.filter((value) => !Number.isNaN(value));
  const [first = 0] = there;
  const reclaimable = mode === 'workingset' ? first : there.reduce((sum, value) => sum + value, 0);
  return Math.max(0, bytes - reclaimable);
}

function orInfinity(value: number): number {
  return Number.isNaN(value) ? Number.POSITIVE_INFINITY : value;
}
