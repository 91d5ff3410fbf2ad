import type { Series } from '../metrics/figures.ts';
import { blockFileOf } from './account.ts';
import { GpuMeter, type GpuOptions } from './gpu.ts';
import { sourceOf } from './meters.ts';
import type { RootFs } from './rootfs.ts';
import { ownCgroups } from './select.ts';
import type { Source } from './source.ts';
import { blockMeter, networkMeter } from './traffic.ts';

/** Network, block I/O and GPUs, which are the same in every scope: of where the agent is. */
export function openExtra(fs: RootFs, wanted: ReadonlySet<Series>, gpuOptions: GpuOptions): Source {
  const wants = (...names: readonly Series[]): boolean => names.some((name) => wanted.has(name));
  const gpu = wants('gpu', 'gpuMemory') ? new GpuMeter(gpuOptions) : undefined;
  const meters = {
    network: wants('networkReceive', 'networkTransmit') ? networkMeter(fs) : undefined,
    'block I/O': wants('blockRead', 'blockWrite')
      ? blockMeter(fs, () => blockFileOf(fs, ownCgroups(fs)))
      : undefined,
    GPU: gpu,
  };
  return sourceOf(
    () => '',
    meters,
    () => gpu?.close(),
  );
}

/** What is measured for the receipt alone, by the names of its meters. */
const QUIET: Readonly<Record<string, readonly Series[]>> = {
  'held memory': ['memoryHeld', 'memoryHeldShare'],
  'OOM kills': ['oomKills'],
  throttling: ['cpuThrottled'],
  GPU: ['gpu', 'gpuMemory'],
};

/** A source that does not speak of the absence of what nobody asked for. */
export function hushed(source: Source, asked: ReadonlySet<Series>): Source {
  const isQuiet = (name: string): boolean =>
    QUIET[name]?.every((series) => !asked.has(series)) === true;
  return {
    describe: () => source.describe(),
    measure: source.measure,
    get absent() {
      return new Map([...source.absent].filter(([name]) => !isQuiet(name)));
    },
    get scopeNumber() {
      return source.scopeNumber;
    },
    close: () => source.close(),
  };
}

/** A source, and more figures beside its own. */
export function withExtra(main: Source, extra: Source): Source {
  return {
    describe: () => main.describe(),
    measure(nowMs, figures) {
      const hasChanged = main.measure(nowMs, figures);
      return extra.measure(nowMs, figures) || hasChanged;
    },
    get absent() {
      return new Map([...main.absent, ...extra.absent]);
    },
    get scopeNumber() {
      return main.scopeNumber;
    },
    close() {
      extra.close();
      main.close();
    },
  };
}
