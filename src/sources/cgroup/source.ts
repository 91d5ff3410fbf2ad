import { NoDataError, ParseError } from '../../errors.ts';
import type { Source } from '../../metrics/reading.ts';
import { RESCAN_MS, type TaskLimits } from '../limits.ts';
import { openMachine } from '../machine.ts';
import type { SourceOptions } from '../options.ts';
import { commonReaders, type TroubleFiles, troubleReaders } from '../pressure.ts';
import { optional, sourceOf } from '../readers.ts';
import type { Host } from '../rootfs.ts';
import { type ContainerPart, openContainerCpu } from './cpu.ts';
import { type Cgroups, isPlace } from './hierarchy.ts';
import { openContainerMemory } from './memory.ts';

export interface ContainerOptions extends SourceOptions {
  /** How the scope is called: `container`, `task` (alone in it), or `cgroup`, a path that was named. */
  readonly scope: 'container' | 'task' | 'cgroup';
  readonly taskLimits?: TaskLimits;
}

/**
 * One container by its control group: CPU as a share of the tightest limit, memory as the share of the
 * tightest limit, over all levels that are visible. When the process is moved to another group, the
 * source follows.
 *
 * @param resolve where the folders are now
 * @throws NoDataError where neither CPU nor memory of the container can be read
 */
export function openCgroupSource(
  host: Host,
  resolve: () => Cgroups,
  options: ContainerOptions,
): Source {
  let cgroups = resolve();
  let inner = openContainer(host, cgroups, options);
  let checkedMs: number | undefined;
  return {
    describe: () => inner.describe(),
    read(nowMs) {
      checkedMs ??= nowMs;
      if (nowMs - checkedMs >= RESCAN_MS) {
        checkedMs = nowMs;
        const found = resolve();
        if (foldersOf(found) !== foldersOf(cgroups)) {
          inner = optional(() => openContainer(host, found, options), inner);
          cgroups = found;
        }
      }
      return inner.read(nowMs);
    },
    close: host.close,
  };
}

function foldersOf({ cpu, cpuacct, memory }: Cgroups): string {
  return JSON.stringify([cpu, cpuacct, memory]);
}

function openContainer(host: Host, cgroups: Cgroups, options: ContainerOptions): Source {
  const machine = openMachine(host);
  const cpu = part(() => openContainerCpu(host, machine, cgroups, options), 'cpu');
  const memory = part(() => openContainerMemory(host, machine, cgroups, options), 'memory');
  if (cpu.failure !== undefined && memory.failure !== undefined) {
    throw new NoDataError(`${cpu.failure}; ${memory.failure}`);
  }
  const version = [cgroups.memory, cgroups.cpu].find(isPlace)?.version;
  return sourceOf(
    () =>
      [
        `scope=${options.scope} source=cgroup cgroup=v${version}`,
        cpu.describe(),
        memory.describe(),
        `online=${machine.countOnline()}`,
      ].join(' '),
    {
      ...cpu.readers,
      ...memory.readers,
      ...troubleReaders(host, troubleFiles(cgroups), options),
      ...commonReaders(host, options),
    },
    host.close,
  );
}

interface Part extends ContainerPart {
  readonly failure?: string;
}

/** One half may be missing, as memory on kernels without its controller; never both. */
function part(open: () => ContainerPart, name: 'cpu' | 'memory'): Part {
  try {
    return open();
  } catch (error) {
    if (!(error instanceof NoDataError || error instanceof ParseError)) throw error;
    const missing = error.message;
    return {
      readers: { [name]: () => ({ missing }) },
      describe: () => `${name}=none (${missing})`,
      failure: missing,
    };
  }
}

/** Version 1 has no pressure files; its OOM counter came with Linux 4.13. */
function troubleFiles({ cpu, memory }: Cgroups): TroubleFiles {
  if (!isPlace(memory)) return {};
  const [folder] = memory.folders;
  if (memory.version === 1) return { oomKills: `${folder}/memory.oom_control` };
  return {
    ...(isPlace(cpu) ? { cpuPressure: `${cpu.folders[0]}/cpu.pressure` } : undefined),
    memoryPressure: `${folder}/memory.pressure`,
    oomKills: `${folder}/memory.events`,
  };
}
