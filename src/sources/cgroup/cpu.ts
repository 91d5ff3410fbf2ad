// Over 200 lines: what a container may use, and what it uses, are held against one another here.
import { NoDataError } from '../../errors.ts';
import { countCpus } from '../../kernel/cpus.ts';
import { coresFit, limitFits, utilization } from '../../metrics/cpu.ts';
import { type Figures, type Meter, PLACES } from '../../metrics/figures.ts';
import { coresLimit, coresText, knownLimit, type Limit, tightest } from '../limits.ts';
import type { Machine } from '../machine.ts';
import { failureOf, meter } from '../meters.ts';
import { type RootFs, shown } from '../rootfs.ts';
import { type Cgroups, isPath, pathOf } from './hierarchy.ts';
import { type CpuLevel, cpuLevels } from './levels.ts';
import { LevelLimits, type Limited, type Loads } from './limited.ts';
import type { ContainerOptions, ContainerPart } from './options.ts';

const NANOSECONDS_A_USEC = 1000;
const { cpu: CPU, cpuCores: CORES } = PLACES;

/** @throws NoDataError where no folder counts the container's CPU time */
export function openContainerCpu(
  fs: RootFs,
  machine: Machine,
  cgroups: Cgroups,
  options: ContainerOptions,
): ContainerPart {
  const place = pathOf(cgroups.cpu);
  const accounting = place.version === 2 ? place : pathOf(cgroups.cpuacct);
  const [own, ...parents] = cpuLevels(fs, place, accounting);
  if (own === undefined) throw new NoDataError('no folder counts CPU time');
  const failure = failureOf(() => own.readUsageNs());
  const limits = new CpuLimits(fs, machine, cgroups, own, parents, options);
  return {
    meters: {
      cpu: new ContainerCpuMeter(limits, options),
      throttling: options.wanted.has('cpuThrottled')
        ? throttlingMeter(limits, 'no CPU quota at any visible level')
        : undefined,
    },
    describe: () => {
      const unread = failureOf(() => own.readUsageNs());
      if (unread !== undefined) return `cpu=none (${unread})`;
      limits.rescan(0);
      return `${coresText(tightest(...limits.loads))} cpu.dir=${shown(own.folder)}`;
    },
    ...(failure === undefined ? undefined : { failure }),
  };
}

/** What a container may use of CPU. */
class CpuLimits extends LevelLimits<CpuLevel> {
  readonly #fs: RootFs;
  readonly #machine: Machine;
  readonly #cgroups: Cgroups;
  readonly #parents: readonly CpuLevel[];
  readonly #options: ContainerOptions;
  /** Levels that have a quota. */
  quotas: readonly CpuLevel[] = [];
  online = Number.NaN;

  constructor(
    fs: RootFs,
    machine: Machine,
    cgroups: Cgroups,
    own: CpuLevel,
    parents: readonly CpuLevel[],
    options: ContainerOptions,
  ) {
    super(own);
    this.#fs = fs;
    this.#machine = machine;
    this.#cgroups = cgroups;
    this.#parents = parents;
    this.#options = options;
  }

  protected scan(): Loads<CpuLevel> {
    const { own } = this;
    const { cpuBase, taskLimits = {} } = this.#options;
    this.online = this.#machine.countOnline();
    const quota = (level: CpuLevel): Limited<CpuLevel> => ({
      level,
      value: level.readLimit(),
      from: `quota of ${shown(level.folder)}`,
    });
    const [first, above] = [quota(own), this.#parents.map(quota)];
    const cores = coresLimit(this.#options, taskLimits, this.online, this.#cpuset(), first);
    this.quotas = [first, ...above]
      .filter(({ value }) => Number.isFinite(value))
      .map(({ level }) => level);
    const isTight = ({ value }: Limit): boolean =>
      cpuBase !== 'host' && value < knownLimit(this.online, '').value;
    const read = above.filter(isTight);
    // A level that is not read now has no baseline when it is read again.
    for (const { level } of above) {
      if (!read.some((load) => load.level === level)) level.usageNs = Number.NaN;
    }
    return [{ ...cores, level: own }, ...read];
  }

  /** The CPUs of the nearest level that has a list; a list of a parent's holds below it, too. */
  #cpuset(): { value: number; from: string } {
    const { cpuset } = this.#cgroups;
    const names = ['cpuset.cpus.effective', 'cpuset.effective_cpus', 'cpuset.cpus'];
    for (const folder of isPath(cpuset) ? cpuset.folders : []) {
      for (const name of names) {
        const listed = countCpus(this.#fs.text(`${folder}/${name}`));
        if (!Number.isNaN(listed)) return { value: listed, from: 'cpuset' };
      }
    }
    // What the kernel applies to this process, where no file says so.
    const status = this.#options.isOwn ? this.#fs.text('/proc/self/status') : '';
    const [, allowed = ''] = /^Cpus_allowed_list:\s*(\S+)/m.exec(status) ?? [];
    return knownLimit(countCpus(allowed), 'Cpus_allowed_list');
  }
}

/** CPU time against the tightest limit: of all levels, the one whose share is the largest. */
class ContainerCpuMeter implements Meter {
  readonly #limits: CpuLimits;
  readonly #options: ContainerOptions;
  #atMs = Number.NaN;
  #selfNs = Number.NaN;

  constructor(limits: CpuLimits, options: ContainerOptions) {
    this.#limits = limits;
    this.#options = options;
  }

  measure(nowMs: number, figures: Figures): void {
    const limits = this.#limits;
    limits.refresh(nowMs);
    const spanMs = nowMs - this.#atMs;
    this.#atMs = nowMs;
    const { loads } = limits;
    this.#advance(loads, spanMs);
    const used = limits.own.cores;
    if (Number.isNaN(used)) return;
    let fullest = Number.NaN;
    for (let depth = 0; depth < loads.length; depth += 1) {
      const load = loads[depth];
      if (load === undefined || Number.isNaN(load.level.cores)) continue;
      const { cores } = load.level;
      const share = cores <= load.value ? cores / load.value : this.#above(load, spanMs, nowMs);
      if (load.value !== Number.POSITIVE_INFINITY && !(fullest >= share)) fullest = share;
    }
    figures[CORES] = used;
    if (Number.isNaN(fullest)) {
      throw new NoDataError('no CPU limit is seen, and nothing says how many CPUs are online');
    }
    figures[CPU] = 100 * fullest;
  }

  /** Reads all levels. Where one fails, none has a baseline: their spans would differ. */
  #advance(loads: Loads<CpuLevel>, spanMs: number): void {
    const lessNs = this.#options.excludeSelf ? this.#selfGrown() : 0;
    try {
      for (let depth = 0; depth < loads.length; depth += 1) {
        loads[depth]?.level.advance(spanMs, lessNs);
      }
    } catch (error) {
      for (const { level } of loads) level.usageNs = Number.NaN;
      throw error;
    }
    const { own } = this.#limits;
    if (own.usageNs === 0 && this.#options.isOwn) {
      throw new NoDataError(`${shown(own.path)} stands at 0, though this process runs there`);
    }
  }

  /**
   * The share of a level that used more than its limit: the limit may have been raised since it was
   * read. @throws NoDataError where it is more than can be
   */
  #above(load: Limited<CpuLevel>, spanMs: number, nowMs: number): number {
    const { level, value } = load;
    const { cores } = level;
    const isPossible = (): boolean => coresFit(cores, spanMs, this.#limits.online);
    if (isPossible() && limitFits(cores, value, spanMs)) return 1;
    const again = this.#limits.again(load, nowMs);
    if (!isPossible()) {
      throw new NoDataError(
        `${shown(level.path)} grew by ${Math.round(cores * 100) / 100} cores on ${this.#limits.online} CPUs, which cannot be`,
      );
    }
    return utilization(cores, again, spanMs) / 100;
  }

  /** The agent's own CPU time since the last reading, where it is to be left out. */
  #selfGrown(): number {
    const before = this.#selfNs;
    this.#selfNs = this.#options.selfUsage().cpuUsec * NANOSECONDS_A_USEC;
    return this.#selfNs - before;
  }
}

/** The share of throttled periods, of the level that throttles most: a parent's shows there only. */
export function throttlingMeter(
  limits: { readonly quotas: readonly CpuLevel[]; refresh(nowMs: number): void },
  none: string,
): Meter {
  return meter((nowMs, figures) => {
    limits.refresh(nowMs);
    if (limits.quotas.length === 0) throw new NoDataError(none);
    let most = Number.NaN;
    for (const level of limits.quotas) {
      const share = throttledShare(level);
      if (!(most >= share)) most = share;
    }
    if (!Number.isNaN(most)) figures[PLACES.cpuThrottled] = most;
  });
}

/** Percent of the periods since the last reading; NaN where there were none. */
function throttledShare(level: CpuLevel): number {
  const periods = level.readPeriods();
  const throttled = level.readThrottled();
  const grown = periods - level.periods;
  const less = throttled - level.throttled;
  level.periods = periods;
  level.throttled = throttled;
  return grown > 0 && less >= 0 ? Math.min(100, (100 * less) / grown) : Number.NaN;
}
