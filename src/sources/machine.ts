import { NoDataError, ParseError } from '../errors.ts';
import { countCpus } from '../kernel/cpus.ts';
import {
  estimateAvailable,
  MEMINFO_HEAD_BYTES,
  parseMemory,
  usedWithCache,
  usedWithoutCache,
} from '../kernel/meminfo.ts';
import { type CpuTicks, parseStat, STAT_HEAD_BYTES } from '../kernel/stat.ts';
import { parseLowWatermarks } from '../kernel/zoneinfo.ts';
import type { Fill } from '../metrics/reading.ts';
import type { MemoryMode } from './options.ts';
import { optional, parsed } from './readers.ts';
import type { Host, HostFile } from './rootfs.ts';

/** Bytes of a page on every machine that lacks MemAvailable (kernels before 3.14, x86). */
const PAGE_BYTES = 4096;
/** A list of CPUs such as `0-191` or `0,2,4`; sysfs shows a page at most. */
const LIST_BYTES = 4096;

/** What /proc and /sys say of the whole machine. */
export interface Machine {
  readTicks(): CpuTicks;
  /** Which CPUs are online; empty where the kernel (or a partial root) does not say. */
  readOnline(): string;
  /** How many CPUs are online. @throws NoDataError */
  countOnline(): number;
  /** @throws NoDataError, ParseError */
  readMemory(mode: MemoryMode): Fill;
}

export function openMachine(host: Host): Machine {
  const stat = host.file('/proc/stat');
  const online = host.file('/sys/devices/system/cpu/online');
  const meminfo = host.file('/proc/meminfo');
  const zoneinfo = host.file('/proc/zoneinfo');

  return {
    readTicks: () => parsed(stat, stat.head(STAT_HEAD_BYTES), parseStat),
    readOnline: () => optional(() => online.head(LIST_BYTES), ''),
    countOnline,
    readMemory: (mode) => (mode === 'workingset' ? readInUse() : readByFormula(mode)),
  };

  function countOnline(): number {
    const listed = countCpus(optional(() => online.head(LIST_BYTES), ''));
    if (!Number.isNaN(listed)) return listed;
    const lines = stat.read().match(/^cpu\d+ /gm)?.length;
    if (lines === undefined) throw new NoDataError(`${online.path}: no list of CPUs`);
    return lines;
  }

  /** Nearly all kernels that say what is available say it in the first three lines. */
  function readInUse(): Fill {
    const head = meminfo.head(MEMINFO_HEAD_BYTES);
    if (!head.startsWith('MemTotal:')) return readWhole();
    const { total, available } = parsed(meminfo, head, parseMemory);
    return Number.isNaN(available) ? readWhole() : { used: total - available, limit: total };
  }

  function readWhole(): Fill {
    const text = meminfo.read();
    const { total, available: said } = parsed(meminfo, text, parseMemory);
    const available = Number.isNaN(said) ? estimateAvailable(text, lowWatermark(zoneinfo)) : said;
    if (Number.isNaN(available)) throw new ParseError(meminfo.path, 'no line "MemFree:"');
    return { used: total - available, limit: total };
  }

  function readByFormula(mode: 'usage' | 'free-cache'): Fill {
    const text = meminfo.read();
    const used = mode === 'usage' ? usedWithCache(text) : usedWithoutCache(text);
    if (Number.isNaN(used)) throw new ParseError(meminfo.path, 'no line "MemFree:"');
    return { used, limit: parsed(meminfo, text, parseMemory).total };
  }
}

function lowWatermark(zoneinfo: HostFile): number {
  return optional(() => parseLowWatermarks(zoneinfo.read()) * PAGE_BYTES, Number.NaN);
}
