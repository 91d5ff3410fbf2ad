import { CATALOG } from '../../src/metrics/catalog.ts';
import type { SourceOptions } from '../../src/sources/options.ts';
import { type Host, openHost } from '../../src/sources/rootfs.ts';
import type { SelectOptions } from '../../src/sources/select.ts';
import { drivenClock } from './clock.ts';
import type { Root } from './root.ts';

/** Everything wanted, nothing special. */
export function sourceOptions(over: Partial<SourceOptions> = {}): SourceOptions {
  return {
    memoryMode: 'workingset',
    cpuBase: 'limit',
    excludeSelf: false,
    wanted: new Set(CATALOG.map(({ series }) => series)),
    ownUse: () => ({ cpuUsec: 0, residentBytes: 0, anonymousBytes: 0 }),
    ...over,
  };
}

export interface SelectRig extends SelectOptions {
  readonly warnings: readonly string[];
}

/** A selection on a root that says nothing of this process. */
export function selectOptions(root: Root, over: Partial<SelectOptions> = {}): SelectRig {
  const warnings: string[] = [];
  const host: Host = over.host ?? openHost(root.path);
  return {
    ...sourceOptions(),
    scope: 'auto',
    host,
    clock: drivenClock(Date.UTC(2026, 0, 1)),
    platform: 'linux',
    own: undefined,
    metadata: () => Promise.resolve(undefined),
    warn: (message) => warnings.push(message),
    ...over,
    warnings,
  };
}
