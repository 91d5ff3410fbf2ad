import type { Clock } from '../../../src/clock.ts';
import type { Series } from '../../../src/metrics/figures.ts';
import { openRootFs } from '../../../src/sources/rootfs.ts';
import { type WatchedSource, watchSource } from '../../../src/sources/watch.ts';

/** What is measured on a root that says nothing of this process. */
export function sourceOn(
  root: string,
  clock: Clock,
  wanted: ReadonlySet<Series>,
): Promise<WatchedSource> {
  return watchSource({
    memoryMode: 'workingset',
    cpuBase: 'limit',
    excludeSelf: false,
    wanted,
    selfUsage: () => ({ cpuUsec: 0, residentBytes: 0, anonymousBytes: 0 }),
    scope: 'auto',
    fs: openRootFs(root),
    clock,
    platform: 'linux',
    own: undefined,
    metadata: () => Promise.resolve(undefined),
    warn: () => undefined,
  });
}
