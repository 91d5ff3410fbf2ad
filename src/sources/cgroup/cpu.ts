// Over 200 lines: what a container may use, and what it uses, are held against one another here.
import { NoDataError } from '../../errors.ts';
import { countCpus } from '../../kernel/cpus.ts';
import { coresFit, limitFits, utilization } from '../../metrics/cpu.ts';
import { type Figures, type Meter, PLACES } from '../../metrics/figures.ts';
import { coresText, knownLimit, RESCAN_MS, saidCores, taskLimit, tightest } from '../limits.ts';
import type { Machine } from '../machine.ts';
import { failureOf } from '../meters.ts';
import { type RootFs, shown } from '../rootfs.ts';
import { type Cgroups, isPath, pathOf } from './hierarchy.ts';
import { type CpuLevel, cpuLevels } from './levels.ts';
import type { ContainerOptions, ContainerPart, Limited } from './options.ts';

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
      throttling: options.wanted.has('cpuThrottled') ? new ThrottlingMeter(limits) : undefined,
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

/** What a container may use of CPU, at each level: read again every ten seconds. */
class CpuLimits {
  readonly #fs: RootFs;
  readonly #machine: Machine;
  readonly #cgroups: Cgroups;
  readonly #parents: readonly CpuLevel[];
  readonly #options: ContainerOptions;
  readonly own: CpuLevel;
  /** The container's own level first, with all that limits it; then limited levels above it. */
  loads: readonly [Limited<CpuLevel>, ...Limited<CpuLevel>[]];
  /** Levels that have a quota. */
  quotas: readonly CpuLevel[] = [];
  online = Number.NaN;
  #scannedMs = Number.NEGATIVE_INFINITY;

  constructor(
    fs: RootFs,
    machine: Machine,
    cgroups: Cgroups,
    own: CpuLevel,
    parents: readonly CpuLevel[],
    options: ContainerOptions,
  ) {
    this.#fs = fs;
    this.#machine = machine;
    this.#cgroups = cgroups;
    this.own = own;
    this.#parents = parents;
    this.#options = options;
    this.loads = [{ level: own, value: Number.POSITIVE_INFINITY, from: 'nothing' }];
  }

  /** Reads the limits anew when they are older than {@link RESCAN_MS}. */
  refresh(nowMs: number): void {
    if (nowMs - this.#scannedMs >= RESCAN_MS) this.rescan(nowMs);
  }

  rescan(nowMs: number): void {
    const { own } = this;
    const { cpuBase, taskLimits } = this.#options;
    this.#scannedMs = nowMs;
    this.online = this.#machine.countOnline();
    const online = knownLimit(this.online, 'online CPUs');
    const cores = tightest(
      online,
      this.#cpuset(),
      { value: own.readLimit(), from: `quota of ${shown(own.folder)}` },
      taskLimit(taskLimits?.cores),
      saidCores(this.#options),
    );
    const limited = this.#parents.map((level) => ({
      level,
      value: level.readLimit(),
      from: `quota of ${shown(level.folder)}`,
    }));
    const above = limited.filter(({ value }) => value < online.value);
    this.quotas = [own, ...this.#parents].filter((level) => Number.isFinite(level.readLimit()));
    this.loads =
      cpuBase === 'host' ? [{ level: own, ...online }] : [{ level: own, ...cores }, ...above];
    // A level that is not read now has no baseline when it is read again.
    const isRead = (level: CpuLevel): boolean => this.loads.some((load) => load.level === level);
    for (const level of this.#parents) if (!isRead(level)) level.usageNs = Number.NaN;
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
  #advance(loads: CpuLimits['loads'], spanMs: number): void {
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
  #above({ level, value }: Limited<CpuLevel>, spanMs: number, nowMs: number): number {
    const { cores } = level;
    const isPossible = (): boolean => coresFit(cores, spanMs, this.#limits.online);
    if (isPossible() && limitFits(cores, value, spanMs)) return 1;
    this.#limits.rescan(nowMs);
    if (!isPossible()) {
      throw new NoDataError(
        `${shown(level.path)} grew by ${Math.round(cores * 100) / 100} cores on ${this.#limits.online} CPUs, which cannot be`,
      );
    }
    const again = this.#limits.loads.find((load) => load.level === level);
    return utilization(cores, again?.value ?? value, spanMs) / 100;
  }

  /** The agent's own CPU time since the last reading, where it is to be left out. */
  #selfGrown(): number {
    const before = this.#selfNs;
    this.#selfNs = this.#options.selfUsage().cpuUsec * NANOSECONDS_A_USEC;
    return this.#selfNs - before;
  }
}

/** The share of throttled periods, of the level that throttles most: a parent's shows there only. */
class ThrottlingMeter implements Meter {
  readonly #limits: CpuLimits;

  constructor(limits: CpuLimits) {
    this.#limits = limits;
  }

  measure(nowMs: number, figures: Figures): void {
    this.#limits.refresh(nowMs);
    const { quotas } = this.#limits;
    if (quotas.length === 0) throw new NoDataError('no CPU quota at any visible level');
    let most = Number.NaN;
    for (const level of quotas) {
      const share = throttledShare(level);
      if (!(most >= share)) most = share;
    }
    if (!Number.isNaN(most)) figures[PLACES.cpuThrottled] = most;
  }
}

/** Percent of the periods since the last reading; NaN where there were none. */
export function throttledShare(level: CpuLevel): number {
  const periods = level.readPeriods();
  const throttled = level.readThrottled();
  const grown = periods - level.periods;
  const less = throttled - level.throttled;
  level.periods = periods;
  level.throttled = throttled;
  return grown > 0 && less >= 0 ? Math.min(100, (100 * less) / grown) : Number.NaN;
}
