import { NoDataError, ParseError } from '../errors.ts';
import { AVAILABLE_HINT, MEMINFO_HEAD_BYTES, memory } from '../kernel/meminfo.ts';
import {
  IDLE,
  IOWAIT,
  parseStat,
  STAT_HEAD_BYTES,
  STEAL,
  TICK_FIELDS,
  USER,
} from '../kernel/stat.ts';
import { putTicks, ticksFit } from '../metrics/cpu.ts';
import type { Figures, Meter } from '../metrics/figures.ts';
import { putHeld, putMemory } from '../metrics/memory.ts';
import { commonMeters } from './common.ts';
import { RESCAN_MS } from './limits.ts';
import { Machine } from './machine.ts';
import { meter, sourceOf } from './meters.ts';
import { type SourceOptions, withoutSelf } from './options.ts';
import { HOST_TROUBLE, troubleMeters } from './pressure.ts';
import type { RootFile, RootFs } from './rootfs.ts';
import type { Source } from './source.ts';
import { swapMeter } from './swap.ts';

/** A tick is 10 ms on every machine that Node runs on. */
const USEC_A_TICK = 10_000;
/** Within this time every machine's ticks have grown. */
const STANDING_MS = 100;

/** The whole machine: all its CPUs, all its memory. */
export function openHostSource(fs: RootFs, options: SourceOptions): Source {
  const { memoryMode, wanted } = options;
  const machine = new Machine(fs);
  return sourceOf(
    () => `scope=host source=host cpu=/proc/stat mem=/proc/meminfo mem.mode=${memoryMode}`,
    {
      cpu: new TicksMeter(fs, machine, options),
      memory: memoryMeter(fs, machine, options),
      'held memory':
        wanted.has('memoryHeld') || wanted.has('memoryHeldShare') ? heldMeter(machine) : undefined,
      swap: wanted.has('swap') ? swapMeter(fs) : undefined,
      ...troubleMeters(fs, HOST_TROUBLE, options),
      ...commonMeters(fs, options),
    },
    fs.close,
  );
}

/** Busy time of all CPUs, from /proc/stat. Steal is busy: somebody wanted to run and could not. */
export class TicksMeter implements Meter {
  readonly #fs: RootFs;
  readonly #stat: RootFile;
  readonly #machine: Machine;
  readonly #options: SourceOptions;
  readonly #cores: () => number;
  #before = new Float64Array(TICK_FIELDS);
  #now = new Float64Array(TICK_FIELDS);
  #atMs = Number.NaN;
  #online = Number.NaN;
  #rescanMs = Number.NEGATIVE_INFINITY;

  /** @param cores what counts as 100 %; all CPUs that are online where it gives Infinity */
  constructor(
    fs: RootFs,
    machine: Machine,
    options: SourceOptions,
    cores: () => number = () => Number.POSITIVE_INFINITY,
  ) {
    this.#fs = fs;
    this.#stat = fs.file('/proc/stat');
    this.#machine = machine;
    this.#options = options;
    this.#cores = cores;
  }

  measure(nowMs: number, figures: Figures): void {
    const earlier = this.#now;
    const ticks = this.#before;
    const end = this.#stat.head(STAT_HEAD_BYTES);
    const problem = parseStat(this.#fs.buffer, end, ticks);
    if (problem !== '') throw new ParseError(this.#stat.path, problem);
    if (this.#options.excludeSelf) {
      ticks[USER] = (ticks[USER] ?? 0) - this.#options.selfUsage().cpuUsec / USEC_A_TICK;
    }
    this.#before = earlier;
    this.#now = ticks;
    const spanMs = nowMs - this.#atMs;
    this.#atMs = nowMs;
    if (nowMs - this.#rescanMs >= RESCAN_MS) this.#readOnline(nowMs);
    if (spanMs > 0) this.#put(figures, spanMs);
  }

  #put(figures: Figures, spanMs: number): void {
    const before = this.#before;
    const now = this.#now;
    let busy = 0;
    let idle = 0;
    let steal = 0;
    for (let place = 0; place < TICK_FIELDS; place += 1) {
      const grown = (now[place] ?? 0) - (before[place] ?? 0);
      if (grown > 0) {
        if (place === IDLE || place === IOWAIT) idle += grown;
        else busy += grown;
        if (place === STEAL) steal = grown;
      } else if (grown < 0 && place === IDLE) {
        // Idle time never shrinks but where a CPU went offline: the aggregate changes its source then.
        this.#rescanMs = Number.NEGATIVE_INFINITY;
        return;
      }
      // The kernel documents that iowait may shrink, and others do by a tick: that is no time passed.
    }
    if (busy + idle <= 0 && spanMs >= STANDING_MS) {
      throw new NoDataError(`${this.#stat.path} stands still: it does not count CPU time here`);
    }
    if (!ticksFit(busy + idle, spanMs, this.#online)) this.#checkOnline(busy + idle, spanMs);
    else putTicks(figures, busy, steal, idle, this.#online, this.#cores());
  }

  /** More CPUs than were known are a new baseline; else it is more than there can be. */
  #checkOnline(ticks: number, spanMs: number): void {
    const known = this.#online;
    this.#readOnline(this.#atMs);
    if (this.#online !== known) return;
    throw new NoDataError(
      `${this.#stat.path} grew by ${ticks} ticks within ${Math.round(spanMs)} ms on ${known} CPUs, which cannot be`,
    );
  }

  #readOnline(nowMs: number): void {
    this.#online = this.#machine.countOnline();
    this.#rescanMs = nowMs;
  }
}

/** MemTotal less MemAvailable, which nearly all kernels say in the first lines. */
function memoryMeter(fs: RootFs, machine: Machine, options: SourceOptions): Meter {
  const meminfo = fs.file('/proc/meminfo');
  return meter((_nowMs, figures) => {
    if (options.memoryMode === 'workingset') {
      const end = meminfo.head(MEMINFO_HEAD_BYTES);
      const total = memory(fs.buffer, end, 'MemTotal:');
      const available = memory(fs.buffer, end, 'MemAvailable:', AVAILABLE_HINT);
      // 0 (odd kernels) and more than the total (seen under LXC) are no answers.
      if (available > 0 && available <= total) {
        putMemory(figures, withoutSelf(total - available, options), total);
        return;
      }
    }
    const { used, limit } = machine.readMemory(options.memoryMode);
    putMemory(figures, withoutSelf(used, options), limit);
  });
}

function heldMeter(machine: Machine): Meter {
  return meter((_nowMs, figures) => {
    const { held, limit } = machine.readHeld();
    putHeld(figures, held, limit);
  });
}
