// Over 200 lines: CPU and memory of one folder, in both versions of the kernel’s files.
import { NoDataError, ParseError } from '../../errors.ts';
import { afterKey, grownBy, keyedNumber, lowDigitsAt, numberAt } from '../../kernel/bytes.ts';
import { parseByteLimit, parseCfsQuota, parseCpuMax } from '../../kernel/limits.ts';
import { NUMBER_BYTES, readKeyed, readNumber } from '../files.ts';
import { optional } from '../meters.ts';
import type { MemoryMode } from '../options.ts';
import type { RootFile, RootFs } from '../rootfs.ts';
import type { ControllerPath } from './hierarchy.ts';

const CPU_STAT_BYTES = 512;
const USAGE = 'usage_usec ';
/** About 2 kB on version 2 of recent kernels. */
const MEMORY_STAT_BYTES = 8192;
const NANOSECONDS_A_USEC = 1000;
const NANOSECONDS_A_MS = 1e6;
/** Counters are compared by their last 15 digits (`grownBy`). */
const COUNTER_SPAN = 1e15;

/** CPU at one folder of a hierarchy. */
export class CpuLevel {
  readonly folder: string;
  readonly #fs: RootFs;
  readonly #version: 1 | 2;
  readonly #stat: RootFile;
  readonly #usage: RootFile;
  /** Counters of the last reading; NaN before the first. */
  usageNs: number = Number.NaN;
  /** Cores in use between the two last readings; NaN where that cannot be told. */
  cores: number = Number.NaN;
  periods: number = Number.NaN;
  throttled: number = Number.NaN;

  /** @param counted where version 1 counts CPU time, which may be another hierarchy */
  constructor(fs: RootFs, version: 1 | 2, folder: string, counted: string) {
    this.folder = folder;
    this.#fs = fs;
    this.#version = version;
    this.#stat = fs.file(`${folder}/cpu.stat`);
    this.#usage = version === 2 ? this.#stat : fs.file(`${counted}/cpuacct.usage`);
  }

  /** The file that counts CPU time. */
  get path(): string {
    return this.#usage.path;
  }

  /** Cores that the quota allows here; Infinity for none. */
  readLimit(): number {
    const text = (name: string): string =>
      optional(() => this.#fs.file(`${this.folder}/${name}`).text(), '');
    return this.#version === 2
      ? parseCpuMax(text('cpu.max'))
      : parseCfsQuota(text('cpu.cfs_quota_us'), text('cpu.cfs_period_us'));
  }

  /**
   * CPU time of all below since the folder was made, in ns, modulo 10^15.
   *
   * @throws NoDataError, ParseError
   */
  readUsageNs(): number {
    const isLegacy = this.#version === 1;
    const end = this.#usage.head(isLegacy ? NUMBER_BYTES : CPU_STAT_BYTES);
    const { buffer } = this.#fs;
    const usage = isLegacy ? lowDigitsAt(buffer, end, 0) : keyedNumber(buffer, end, USAGE);
    if (Number.isNaN(usage))
      throw new ParseError(
        this.path,
        isLegacy ? 'no number' : 'no line "usage_usec" with a number',
      );
    return isLegacy ? usage : (usage * NANOSECONDS_A_USEC) % COUNTER_SPAN;
  }

  /**
   * Reads the CPU time anew and keeps what it grew by as {@link cores}: NaN after a first reading, or
   * where the counter ran backwards (a restart).
   *
   * @param lessNs CPU time within the span that is not to be counted
   * @throws NoDataError, ParseError
   */
  advance(spanMs: number, lessNs: number): void {
    const before = this.usageNs;
    this.cores = Number.NaN;
    this.usageNs = Number.NaN;
    this.usageNs = this.readUsageNs();
    const grownNs = grownBy(before, this.usageNs);
    // The agent's own time is read at another instant, so it may be more than that of its group.
    if (spanMs > 0 && grownNs >= 0) {
      this.cores = Math.max(0, grownNs - lessNs) / (spanMs * NANOSECONDS_A_MS);
    }
  }

  /** Periods of the quota since the folder was made. @throws NoDataError, ParseError */
  readPeriods(): number {
    return readKeyed(this.#fs, this.#stat, CPU_STAT_BYTES, 'nr_periods ');
  }

  /** Of these the throttled ones. @throws NoDataError, ParseError */
  readThrottled(): number {
    return readKeyed(this.#fs, this.#stat, CPU_STAT_BYTES, 'nr_throttled ');
  }
}

/** What counts as reclaimable, and what as held, by the kernel's names in memory.stat. */
interface MemoryWords {
  readonly current: string;
  readonly limit: string;
  readonly events: string;
  /** The page cache that can be had back at once: the first key that is there. */
  readonly inactive: readonly string[];
  /** All of the page cache (and slabs): the sum of these keys. */
  readonly cached: readonly string[];
  /** What cannot be given back: the sum of these keys, the first of which is always there. */
  readonly held: readonly (readonly string[])[];
}

/** The keys that begin with total_ count what is below as well; very old kernels lack them. */
const WORDS: Readonly<Record<1 | 2, MemoryWords>> = {
  1: {
    current: 'memory.usage_in_bytes',
    limit: 'memory.limit_in_bytes',
    events: 'memory.oom_control',
    inactive: ['total_inactive_file ', 'inactive_file '],
    cached: ['total_cache '],
    held: [
      ['total_rss ', 'rss '],
      ['total_shmem ', 'shmem '],
    ],
  },
  2: {
    current: 'memory.current',
    limit: 'memory.max',
    events: 'memory.events',
    inactive: ['inactive_file '],
    cached: ['file ', 'slab '],
    held: [
      ['anon '],
      ['shmem '],
      ['slab_unreclaimable '],
      ['kernel_stack '],
      ['pagetables '],
      ['sock '],
    ],
  },
};

/** Memory at one folder of a hierarchy. */
export class MemoryLevel {
  readonly folder: string;
  readonly #fs: RootFs;
  readonly #version: 1 | 2;
  readonly #mode: MemoryMode;
  readonly #words: MemoryWords;
  readonly #current: RootFile;
  readonly #stat: RootFile;
  readonly #kernel: RootFile;
  readonly #events: RootFile;
  #inactiveAt = 0;
  /** memory.stat is not there (gVisor): then the page cache is in what is used. */
  lacksStat: boolean = false;
  /** OOM kills at the last reading; NaN before the first. */
  kills: number = Number.NaN;

  constructor(fs: RootFs, version: 1 | 2, folder: string, mode: MemoryMode) {
    this.folder = folder;
    this.#fs = fs;
    this.#version = version;
    this.#mode = mode;
    this.#words = WORDS[version];
    this.#current = fs.file(`${folder}/${this.#words.current}`);
    this.#stat = fs.file(`${folder}/memory.stat`);
    this.#kernel = fs.file(`${folder}/memory.kmem.usage_in_bytes`);
    this.#events = fs.file(`${folder}/${this.#words.events}`);
  }

  /** Bytes; Infinity for none, and for version 1's way of saying so it is at least the machine's. */
  readLimit(): number {
    return Math.min(this.readOwnLimit(), this.readLimitAbove());
  }

  /** The same of this very level. */
  readOwnLimit(): number {
    const file = this.#fs.file(`${this.folder}/${this.#words.limit}`);
    return parseByteLimit(optional(() => file.text(), ''));
  }

  /** The tightest of this level and its parents in version 1, though their folders may be hidden. */
  readLimitAbove(): number {
    if (this.#version === 2) return Number.POSITIVE_INFINITY;
    const end = this.#readStat();
    const above = keyedNumber(this.#fs.buffer, end, 'hierarchical_memory_limit ');
    return above > 0 ? above : Number.POSITIVE_INFINITY;
  }

  /** Bytes in use. @throws NoDataError, ParseError */
  readUsed(): number {
    const bytes = readNumber(this.#fs, this.#current);
    if (this.#mode === 'usage' || this.lacksStat) return bytes;
    let end: number;
    try {
      end = this.#stat.head(MEMORY_STAT_BYTES);
    } catch (error) {
      if (!(error instanceof NoDataError)) throw error;
      this.lacksStat = true;
      return bytes;
    }
    const less =
      this.#mode === 'workingset' ? this.#inactive(end) : this.#sum(end, this.#words.cached);
    return bytes > less ? bytes - less : 0;
  }

  /** Bytes that cannot be given back. @throws NoDataError, ParseError */
  readHeld(): number {
    const [[always = ''] = []] = this.#words.held;
    let held = 0;
    readKeyed(this.#fs, this.#stat, MEMORY_STAT_BYTES, this.#version === 2 ? always : 'rss ');
    const end = this.#readStat();
    for (const keys of this.#words.held) held += this.#first(end, keys);
    if (this.#version === 1) held += optional(() => readNumber(this.#fs, this.#kernel), 0);
    return held;
  }

  get killsPath(): string {
    return this.#events.path;
  }

  /** OOM kills since the folder was made; NaN where the kernel does not count them. @throws NoDataError */
  readKills(): number {
    const end = this.#events.whole();
    return keyedNumber(this.#fs.buffer, end, 'oom_kill ');
  }

  /** Looks again whether memory.stat is there. */
  rescan(): void {
    this.lacksStat = false;
    this.#readStat();
  }

  /** How many bytes of memory.stat there are; 0 where it is not there. */
  #readStat(): number {
    const end = optional(() => this.#stat.head(MEMORY_STAT_BYTES), 0);
    this.lacksStat = end === 0;
    return end;
  }

  /** Most often its line is where it was. */
  #inactive(end: number): number {
    const { buffer } = this.#fs;
    const [key = ''] = this.#words.inactive;
    const at = afterKey(buffer, end, key, this.#inactiveAt);
    if (at < 0) return this.#first(end, this.#words.inactive);
    this.#inactiveAt = at - key.length;
    const value = numberAt(buffer, end, at);
    return Number.isNaN(value) ? 0 : value;
  }

  #first(end: number, keys: readonly string[]): number {
    for (const key of keys) {
      const value = keyedNumber(this.#fs.buffer, end, key);
      if (!Number.isNaN(value)) return value;
    }
    return 0;
  }

  #sum(end: number, keys: readonly string[]): number {
    let sum = 0;
    for (const key of keys) {
      const value = keyedNumber(this.#fs.buffer, end, key);
      if (!Number.isNaN(value)) sum += value;
    }
    return sum;
  }
}

/**
 * The levels of a place, the container's own first.
 *
 * @param accounting where version 1 counts CPU time, which may be another hierarchy
 */
export function cpuLevels(fs: RootFs, cpu: ControllerPath, accounting: ControllerPath): CpuLevel[] {
  return cpu.folders.flatMap((folder, depth) => {
    if (cpu.version === 2) return [new CpuLevel(fs, 2, folder, folder)];
    // With hierarchies of other depths no parent can be matched with its counter.
    const isParallel = cpu.folders.length === accounting.folders.length;
    const counted = isParallel || depth === 0 ? accounting.folders[depth] : undefined;
    return counted === undefined ? [] : [new CpuLevel(fs, 1, folder, counted)];
  });
}

export function memoryLevels(fs: RootFs, place: ControllerPath, mode: MemoryMode): MemoryLevel[] {
  return place.folders.map((folder) => new MemoryLevel(fs, place.version, folder, mode));
}
