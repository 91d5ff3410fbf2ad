import { CATALOG } from '../../src/metrics/catalog.ts';
import { createFigures, figureOf, SERIES, type Series } from '../../src/metrics/figures.ts';
import type { SourceOptions } from '../../src/sources/options.ts';
import { openRootFs, type RootFs } from '../../src/sources/rootfs.ts';
import type { SelectOptions } from '../../src/sources/select.ts';
import type { Source } from '../../src/sources/source.ts';
import { type DrivenClock, drivenClock } from './clock.ts';
import type { Root } from './root.ts';

/** Everything wanted, nothing special. */
export function sourceOptions(over: Partial<SourceOptions> = {}): SourceOptions {
  return {
    memoryMode: 'workingset',
    cpuBase: 'limit',
    excludeSelf: false,
    wanted: new Set(CATALOG.map(({ series }) => series)),
    selfUsage: () => ({ cpuUsec: 0, residentBytes: 0, anonymousBytes: 0 }),
    ...over,
  };
}

export interface SelectRig extends SelectOptions {
  readonly clock: DrivenClock;
  readonly warnings: string[];
}

/** A selection on a root that says nothing of this process, and a clock that stands. */
export function selectOptions(
  root: Root,
  over: Partial<SelectOptions & { readonly clock: DrivenClock }> = {},
): SelectRig {
  const warnings: string[] = [];
  const fs: RootFs = over.fs ?? openRootFs(root.path);
  return {
    ...sourceOptions(),
    scope: 'auto',
    fs,
    clock: drivenClock(Date.UTC(2026, 0, 1)),
    platform: 'linux',
    own: undefined,
    metadata: () => Promise.resolve(undefined),
    warn: (message) => warnings.push(message),
    ...over,
    warnings,
  };
}

/** What one measuring told; a series that it does not tell is not there. */
export type Sample = Readonly<Partial<Record<Series, number>>>;

export function sampleAt(source: Source, nowMs: number): Sample {
  const figures = createFigures();
  source.measure(nowMs, figures);
  const told = SERIES.flatMap((series) => {
    const value = figureOf(figures, series);
    return value === undefined ? [] : [[series, value] as const];
  });
  return Object.fromEntries(told);
}

/** Lets time pass until what is chosen is asked again, and waits until it has been. */
export async function lookAgainAfter(clock: DrivenClock, ms: number): Promise<void> {
  clock.advance(ms);
  while (clock.pending() === 0) await new Promise((resolve) => setImmediate(resolve));
}
