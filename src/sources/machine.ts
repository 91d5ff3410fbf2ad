import { NoDataError, ParseError } from '../errors.ts';
import { countCpus } from '../kernel/cpus.ts';
import {
  estimateAvailable,
  held,
  memory,
  usedWithCache,
  usedWithoutCache,
} from '../kernel/meminfo.ts';
import { countCpuLines } from '../kernel/stat.ts';
import { parseLowWatermarks } from '../kernel/zoneinfo.ts';
import { optional } from './meters.ts';
import type { MemoryMode } from './options.ts';
import type { RootFile, RootFs } from './rootfs.ts';

/** Bytes of a page on every machine that lacks MemAvailable (kernels before 3.14, x86). */
const PAGE_BYTES = 4096;

/** What /proc and /sys say of the whole machine. */
export class Machine {
  readonly #fs: RootFs;
  readonly #meminfo: RootFile;
  readonly #online: RootFile;

  constructor(fs: RootFs) {
    this.#fs = fs;
    this.#meminfo = fs.file('/proc/meminfo');
    this.#online = fs.file('/sys/devices/system/cpu/online');
  }

  /** How many CPUs are online; NaN where neither sysfs nor /proc/stat says. */
  countOnline(): number {
    const listed = countCpus(optional(() => this.#online.text(), ''));
    if (!Number.isNaN(listed)) return listed;
    return countCpuLines(this.#fs.text('/proc/stat')) || Number.NaN;
  }

  /** All bytes of memory; NaN where /proc/meminfo is masked, or says 0 (LXCFS). */
  total(): number {
    const end = optional(() => this.#meminfo.whole(), 0);
    const total = memory(this.#fs.buffer, end, 'MemTotal:');
    return total > 0 ? total : Number.NaN;
  }

  /** Bytes in use, and of how many. @throws NoDataError, ParseError */
  readMemory(mode: MemoryMode): { readonly used: number; readonly limit: number } {
    const end = this.#meminfo.whole();
    const limit = this.#checkedTotal(end);
    return { used: this.#used(end, limit, mode), limit };
  }

  /** Bytes that cannot be given back, and of how many. @throws NoDataError, ParseError */
  readHeld(): { readonly held: number; readonly limit: number } {
    const end = this.#meminfo.whole();
    const limit = this.#checkedTotal(end);
    const bytes = held(this.#fs.buffer, end);
    if (!(bytes >= 0 && bytes <= limit)) {
      throw new ParseError(this.#meminfo.path, 'its lines leave no bytes that are held');
    }
    return { held: bytes, limit };
  }

  #checkedTotal(end: number): number {
    const total = memory(this.#fs.buffer, end, 'MemTotal:');
    if (total > 0) return total;
    throw new ParseError(this.#meminfo.path, 'no line "MemTotal:" with a number above 0');
  }

  #used(end: number, total: number, mode: MemoryMode): number {
    const { buffer } = this.#fs;
    const said = mode === 'workingset' ? memory(buffer, end, 'MemAvailable:') : Number.NaN;
    if (said > 0 && said <= total) return total - said;
    // A number that ran below 0 (LXCFS): what is reckoned from it would be nonsense, too.
    if (memory(buffer, end, 'MemFree:') > total) {
      throw new NoDataError('/proc/meminfo: MemFree is above MemTotal, which cannot be');
    }
    if (mode !== 'workingset') {
      const used = mode === 'usage' ? usedWithCache(buffer, end) : usedWithoutCache(buffer, end);
      if (Number.isNaN(used)) throw new ParseError(this.#meminfo.path, 'no line "MemFree:"');
      return used;
    }
    const estimate = estimateAvailable(buffer, end, Number.NaN);
    if (Number.isNaN(estimate)) throw new ParseError(this.#meminfo.path, 'no line "MemFree:"');
    return this.#possible(total - this.#withWatermark(estimate), total);
  }

  /** The estimate again, with the watermarks of /proc/zoneinfo where it is there. */
  #withWatermark(estimate: number): number {
    const pages = parseLowWatermarks(this.#fs.text('/proc/zoneinfo'));
    if (Number.isNaN(pages)) return estimate;
    const end = this.#meminfo.whole();
    return estimateAvailable(this.#fs.buffer, end, pages * PAGE_BYTES);
  }

  #possible(used: number, total: number): number {
    if (used < 0 || used > total) {
      throw new NoDataError('/proc/meminfo: more is free than MemTotal, which cannot be');
    }
    return used;
  }
}
