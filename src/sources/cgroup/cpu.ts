import { NoDataError } from '../../errors.ts';
import { countCpus } from '../../kernel/cpus.ts';
import type { CpuLoad, QuotaPeriods } from '../../metrics/reading.ts';
import { coresText, type Limit, type Limited, rescanned, taskLimit, tightest } from '../limits.ts';
import type { Machine } from '../machine.ts';
import { type GroupReaders, gauge, optional } from '../readers.ts';
import type { Host, HostFile } from '../rootfs.ts';
import { type Cgroups, isPlace, placeOf, type Resolved } from './hierarchy.ts';
import { type CpuLevel, cpuLevels } from './levels.ts';
import type { ContainerOptions } from './source.ts';

const LIST_BYTES = 4096;
const NANOSECONDS_A_USEC = 1000;

/** Half of a container: its readers, and its words of the start line. */
export interface ContainerPart {
  readonly readers: GroupReaders;
  describe(): string;
}

/** @throws NoDataError, ParseError where the container's CPU time cannot be read */
export function openContainerCpu(
  host: Host,
  machine: Machine,
  cgroups: Cgroups,
  options: ContainerOptions,
): ContainerPart {
  const { wanted, ownUse, excludeSelf, cpuBase } = options;
  const place = placeOf(cgroups.cpu);
  const accounting = place.version === 2 ? place : placeOf(cgroups.cpuacct);
  const [own, ...parents] = cpuLevels(host, place, accounting);
  if (own === undefined) throw new NoDataError('no folder counts CPU time');
  own.readUsage();
  const cpuset = cpusetFile(host, cgroups.cpuset);

  const scan = () => {
    const online: Limit = { value: machine.countOnline(), from: 'online CPUs' };
    const listed = countCpus(
      cpuset === undefined ? '' : optional(() => cpuset.head(LIST_BYTES), ''),
    );
    const cores = tightest(
      online,
      { value: Number.isNaN(listed) ? online.value : listed, from: 'cpuset' },
      { value: own.readLimit(), from: `quota of ${own.folder}` },
      taskLimit(options.taskLimits?.cores),
    );
    const above = parents
      .map((level) => ({ level, value: level.readLimit(), from: `quota of ${level.folder}` }))
      .filter(({ value }) => value < online.value);
    const quotas = [own, ...parents].filter((level) => Number.isFinite(level.readLimit()));
    const loads: readonly [Limited<CpuLevel>, ...Limited<CpuLevel>[]] =
      cpuBase === 'host' ? [{ level: own, ...online }] : [{ level: own, ...cores }, ...above];
    return { loads, quotas };
  };
  const current = rescanned(scan);

  const readCpu = (nowMs: number): CpuLoad[] => {
    const ownNs = excludeSelf ? ownUse().cpuUsec * NANOSECONDS_A_USEC : 0;
    return current(nowMs).loads.map(({ level, value }) => ({
      cores: value,
      counters: [{ key: level.folder, at: nowMs, nanoseconds: level.readUsage() - ownNs }],
    }));
  };
  const readThrottling = (nowMs: number): QuotaPeriods[] => {
    const { quotas } = current(nowMs);
    if (quotas.length === 0) throw new NoDataError('no CPU quota at any visible level');
    return quotas.map((level) => ({ key: level.folder, ...level.readPeriods() }));
  };
  return {
    readers: {
      cpu: gauge(readCpu),
      throttling: wanted.has('cpuThrottled') ? gauge(readThrottling) : undefined,
    },
    describe: () => `${coresText(tightest(...scan().loads))} cpu.dir=${own.folder}`,
  };
}

function cpusetFile(host: Host, resolved: Resolved): HostFile | undefined {
  if (!isPlace(resolved)) return undefined;
  const [folder] = resolved.folders;
  const names = ['cpuset.cpus.effective', 'cpuset.effective_cpus', 'cpuset.cpus'];
  const name = names.find((file) => host.has(`${folder}/${file}`));
  return name === undefined ? undefined : host.file(`${folder}/${name}`);
}
