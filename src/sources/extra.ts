import type { Series } from '../metrics/figures.ts';
import { blockFileOf } from './account.ts';
import { GpuMeter, type GpuOptions } from './gpu.ts';
import { sourceOf } from './meters.ts';
import type { RootFs } from './rootfs.ts';
import { ownCgroups } from './select.ts';
import type { Source } from './source.ts';
import { BlockMeter, NetworkMeter } from './traffic.ts';

/** Network, block I/O and GPUs, which are the same in every scope: of where the agent is. */
export function openExtra(
  fs: RootFs,
  wanted: ReadonlySet<Series>,
  gpuOptions: GpuOptions,
): Source {
  const wants = (...names: readonly Series[]): boolean => names.some((name) => wanted.has(name));
  const gpu = wants('gpu', 'gpuMemory') ? new GpuMeter(gpuOptions) : undefined;
  const meters = {
    network: wants('networkReceive', 'networkTransmit') ? new NetworkMeter(fs) : undefined,
    'block I/O': wants('blockRead', 'blockWrite')
      ? new BlockMeter(fs, () => blockFileOf(ownCgroups(fs)))
      : undefined,
    GPU: gpu,
  };
  return sourceOf(
    () => '',
    meters,
    () => gpu?.close(),
  );
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
