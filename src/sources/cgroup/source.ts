import { NoDataError } from '../../errors.ts';
import type { Figures } from '../../metrics/figures.ts';
import { commonMeters } from '../common.ts';
import { RESCAN_MS } from '../limits.ts';
import { Machine } from '../machine.ts';
import { absentBecause, isAnswer, optional, sourceOf } from '../meters.ts';
import { type TroubleFiles, troubleMeters } from '../pressure.ts';
import type { RootFs } from '../rootfs.ts';
import type { Source } from '../source.ts';
import { openContainerCpu } from './cpu.ts';
import { type Cgroups, isPath } from './hierarchy.ts';
import { openContainerMemory } from './memory.ts';
import type { ContainerOptions, ContainerPart } from './options.ts';

/**
 * One container by its control group: CPU as a share of the tightest limit, memory as the share of the
 * tightest limit, over all levels that are visible. When the process is moved to another group, the
 * source follows, with a baseline of its own.
 *
 * @param resolve where the folders are now
 * @throws NoDataError where neither CPU nor memory of the container can be read
 */
export function openCgroupSource(
  fs: RootFs,
  resolve: () => Cgroups,
  options: ContainerOptions,
): Source {
  let cgroups = resolve();
  let inner = openContainer(fs, cgroups, options);
  let scopeNumber = 0;
  let checkedMs = Number.NaN;

  const follow = (nowMs: number): void => {
    checkedMs = nowMs;
    const found = resolve();
    if (foldersOf(found) === foldersOf(cgroups)) return;
    const opened = optional(() => openContainer(fs, found, options), undefined);
    if (opened === undefined) return;
    cgroups = found;
    scopeNumber += 1;
    inner = opened;
  };

  return {
    describe: () => inner.describe(),
    measure(nowMs: number, figures: Figures) {
      const before = inner;
      if (Number.isNaN(checkedMs)) checkedMs = nowMs;
      if (nowMs - checkedMs >= RESCAN_MS) follow(nowMs);
      return inner.measure(nowMs, figures) || inner !== before;
    },
    get absent() {
      return inner.absent;
    },
    get scopeNumber() {
      return scopeNumber;
    },
    close: fs.close,
  };
}

function foldersOf({ cpu, cpuacct, memory }: Cgroups): string {
  return JSON.stringify([cpu, cpuacct, memory]);
}

function openContainer(fs: RootFs, cgroups: Cgroups, options: ContainerOptions): Source {
  const machine = new Machine(fs);
  const cpu = part(() => openContainerCpu(fs, machine, cgroups, options), 'cpu');
  const memory = part(() => openContainerMemory(fs, machine, cgroups, options), 'memory');
  if (cpu.failure !== undefined && memory.failure !== undefined) {
    throw new NoDataError(`${cpu.failure}; ${memory.failure}`);
  }
  const version = [cgroups.memory, cgroups.cpu].find(isPath)?.version;
  return sourceOf(
    () =>
      [
        `scope=${options.scope} source=cgroup cgroup=v${version}`,
        cpu.describe(),
        memory.describe(),
        `online=${onlineText(machine)}`,
      ].join(' '),
    {
      ...cpu.meters,
      ...memory.meters,
      ...troubleMeters(fs, troubleFiles(cgroups), options),
      ...commonMeters(fs, options),
    },
    fs.close,
  );
}

/** How many CPUs are online, in words. */
export function onlineText(machine: Machine): string {
  const online = machine.countOnline();
  return Number.isNaN(online) ? 'unknown' : `${online}`;
}

/** One half may be missing, as memory on kernels without its controller; never both. */
function part(open: () => ContainerPart, name: 'cpu' | 'memory'): ContainerPart {
  try {
    return open();
  } catch (error) {
    if (!isAnswer(error)) throw error;
    const { message } = error;
    return {
      meters: { [name]: absentBecause(message) },
      describe: () => `${name}=none (${message})`,
      failure: message,
    };
  }
}

/** Version 1 has no pressure files; its OOM counter came with Linux 4.13. */
function troubleFiles({ cpu, memory }: Cgroups): TroubleFiles {
  if (!isPath(memory)) return {};
  const [folder] = memory.folders;
  if (memory.version === 1) return { oomKills: `${folder}/memory.oom_control` };
  return {
    ...(isPath(cpu) ? { cpuPressure: `${cpu.folders[0]}/cpu.pressure` } : undefined),
    memoryPressure: `${folder}/memory.pressure`,
    oomKills: `${folder}/memory.events`,
  };
}
