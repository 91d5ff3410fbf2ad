import { NoDataError, ParseError } from '../errors.ts';
import { keyedNumber } from '../kernel/bytes.ts';
import { parseStalledUsec } from '../kernel/pressure.ts';
import { type Meter, PLACES, type Series } from '../metrics/figures.ts';
import { putStalled } from '../metrics/pressure.ts';
import { meter, type NamedMeters } from './meters.ts';
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
    when(series, () => pressureMeter(fs, series, files[series]));
  return {
    'CPU pressure': stalled('cpuPressure'),
    'memory pressure': stalled('memoryPressure'),
    'OOM kills': when('oomKills', () => oomKillsMeter(fs, files.oomKills)),
  };
}

/** The file at a path. @throws NoDataError where the scope has none */
function fileAt(fs: RootFs, path: string | undefined): RootFile {
  if (path === undefined) throw new NoDataError('there is no such counter in this scope');
  return fs.file(path);
}

function pressureMeter(
  fs: RootFs,
  series: 'cpuPressure' | 'memoryPressure',
  path: string | undefined,
): Meter {
  let before = Number.NaN;
  let beforeMs = Number.NaN;
  return meter((nowMs, figures) => {
    const file = fileAt(fs, path);
    const end = file.head(PRESSURE_BYTES);
    const stalledUsec = parseStalledUsec(fs.buffer, end);
    if (Number.isNaN(stalledUsec))
      throw new ParseError(shown(file.path), 'no line "some" with a total');
    const grown = stalledUsec - before;
    const spanMs = nowMs - beforeMs;
    before = stalledUsec;
    beforeMs = nowMs;
    putStalled(figures, series, grown, spanMs);
  });
}

function oomKillsMeter(fs: RootFs, path: string | undefined): Meter {
  let before = Number.NaN;
  return meter((_nowMs, figures) => {
    const file = fileAt(fs, path);
    const end = file.whole();
    const kills = keyedNumber(fs.buffer, end, 'oom_kill ');
    if (Number.isNaN(kills))
      throw new ParseError(shown(file.path), 'no line "oom_kill" with a number');
    const grown = kills - before;
    before = kills;
    if (grown >= 0) figures[PLACES.oomKills] = grown;
  });
}
