import { NoDataError, ParseError } from '../errors.ts';
import { keyedNumber } from '../kernel/bytes.ts';
import { parseStalledUsec } from '../kernel/pressure.ts';
import { type Figures, type Meter, PLACES, type Series } from '../metrics/figures.ts';
import { putStalled } from '../metrics/pressure.ts';
import type { NamedMeters } from './meters.ts';
import type { SourceOptions } from './options.ts';
import { type RootFile, type RootFs, shown } from './rootfs.ts';

/** Pressure files are two lines of about 70 bytes. */
const PRESSURE_BYTES = 512;

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
export function troubleMeters(
  fs: RootFs,
  files: TroubleFiles,
  { wanted }: SourceOptions,
): NamedMeters {
  const when = (series: Series, open: () => Meter): Meter | undefined =>
    wanted.has(series) ? open() : undefined;
  const stalled = (series: 'cpuPressure' | 'memoryPressure'): Meter | undefined =>
    when(series, () => new PressureMeter(fs, series, files[series]));
  return {
    'CPU pressure': stalled('cpuPressure'),
    'memory pressure': stalled('memoryPressure'),
    'OOM kills': when('oomKills', () => new OomKillsMeter(fs, files.oomKills)),
  };
}

/** The file at a path. @throws NoDataError where the scope has none */
function fileAt(fs: RootFs, path: string | undefined): RootFile {
  if (path === undefined) throw new NoDataError('there is no such counter in this scope');
  return fs.file(path);
}

class PressureMeter implements Meter {
  readonly #fs: RootFs;
  readonly #series: 'cpuPressure' | 'memoryPressure';
  readonly #path: string | undefined;
  #stalledUsec = Number.NaN;
  #atMs = Number.NaN;

  constructor(fs: RootFs, series: 'cpuPressure' | 'memoryPressure', path: string | undefined) {
    this.#fs = fs;
    this.#series = series;
    this.#path = path;
  }

  measure(nowMs: number, figures: Figures): void {
    const file = fileAt(this.#fs, this.#path);
    const end = file.head(PRESSURE_BYTES);
    const stalledUsec = parseStalledUsec(this.#fs.buffer, end);
    if (Number.isNaN(stalledUsec))
      throw new ParseError(shown(file.path), 'no line "some" with a total');
    const grown = stalledUsec - this.#stalledUsec;
    const spanMs = nowMs - this.#atMs;
    this.#stalledUsec = stalledUsec;
    this.#atMs = nowMs;
    putStalled(figures, this.#series, grown, spanMs);
  }
}

class OomKillsMeter implements Meter {
  readonly #fs: RootFs;
  readonly #path: string | undefined;
  #kills = Number.NaN;

  constructor(fs: RootFs, path: string | undefined) {
    this.#fs = fs;
    this.#path = path;
  }

  measure(_nowMs: number, figures: Figures): void {
    const file = fileAt(this.#fs, this.#path);
    const end = file.whole();
    const kills = keyedNumber(this.#fs.buffer, end, 'oom_kill ');
    if (Number.isNaN(kills))
      throw new ParseError(shown(file.path), 'no line "oom_kill" with a number');
    const grown = kills - this.#kills;
    this.#kills = kills;
    if (grown >= 0) figures[PLACES.oomKills] = grown;
  }
}
