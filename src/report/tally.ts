import { type Figures, PLACES } from '../metrics/figures.ts';
import { Histogram } from './histogram.ts';

const { cpuCores: CORES, cpu: CPU, memoryUsed: USED, memoryHeld: HELD } = PLACES;
const { memoryLimit: LIMIT, gpuMost: GPU, gpuMemory: GPU_MEMORY, oomKills: KILLS } = PLACES;

/** The highest value, and when; NaN for none. */
export interface Peak {
  readonly value: number;
  /** Wall-clock milliseconds. */
  readonly atMs: number;
}

/** What a run's samples say, whatever their number. */
export interface Tallied {
  readonly samples: number;
  readonly cpuMedianCores: number;
  readonly cpuP95Cores: number;
  readonly cpuPeakCores: Peak;
  /** The tightest limit, from what was used and its share of that; NaN where nothing was used. */
  readonly cpuLimitCores: number;
  readonly heldPeak: Peak;
  readonly workingSetPeak: Peak;
  readonly memoryLimitBytes: number;
  readonly gpuMostPercent: number;
  readonly gpuMemoryMostPercent: number;
  readonly oomKills: number;
}

const LEAST_CORES = 1e-4;
const MOST_CORES = 1e4;
const HUNDRED = 100;

class Highest {
  value = Number.NaN;
  atMs = Number.NaN;

  /** @returns whether it is a new peak */
  take(value: number, atMs: number): boolean {
    if (Number.isNaN(value) || value <= this.value) return false;
    this.value = value;
    this.atMs = atMs;
    return true;
  }
}

/** Adds a run's samples up in a constant amount of memory: hours at 0.1 s cost what a minute does. */
export class Tally {
  readonly #cores = new Histogram(LEAST_CORES, MOST_CORES);
  readonly #coresPeak = new Highest();
  readonly #heldPeak = new Highest();
  readonly #usedPeak = new Highest();
  readonly #gpu = new Highest();
  readonly #gpuMemory = new Highest();
  #samples = 0;
  #limitCores = Number.NaN;
  #limitBytes = Number.NaN;
  #oomKills = Number.NaN;

  /** @returns whether more memory is held than ever before */
  add(figures: Figures, wallMs: number): boolean {
    const at = (place: number): number => figures[place] ?? Number.NaN;
    const cores = at(CORES);
    this.#samples += 1;
    this.#cores.add(cores);
    this.#coresPeak.take(cores, wallMs);
    this.#usedPeak.take(at(USED), wallMs);
    this.#gpu.take(at(GPU), wallMs);
    this.#gpuMemory.take(at(GPU_MEMORY), wallMs);
    const percent = at(CPU);
    // 100 % is clamped, and says of the limit only that it is not above this.
    if (percent > 0 && percent < HUNDRED) this.#limitCores = (cores * HUNDRED) / percent;
    if (at(LIMIT) > 0) this.#limitBytes = at(LIMIT);
    if (at(KILLS) >= 0) this.#oomKills = at(KILLS) + (this.#oomKills || 0);
    return this.#heldPeak.take(at(HELD), wallMs);
  }

  get result(): Tallied {
    return {
      samples: this.#samples,
      cpuMedianCores: this.#cores.quantile(0.5),
      cpuP95Cores: this.#cores.quantile(0.95),
      cpuPeakCores: { value: this.#coresPeak.value, atMs: this.#coresPeak.atMs },
      cpuLimitCores: this.#limitCores,
      heldPeak: { value: this.#heldPeak.value, atMs: this.#heldPeak.atMs },
      workingSetPeak: { value: this.#usedPeak.value, atMs: this.#usedPeak.atMs },
      memoryLimitBytes: this.#limitBytes,
      gpuMostPercent: this.#gpu.value,
      gpuMemoryMostPercent: this.#gpuMemory.value,
      oomKills: this.#oomKills,
    };
  }
}
