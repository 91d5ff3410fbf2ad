import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Where cgroup file systems are mounted: one (v2), or a folder for each controller (v1). */
export const CGROUPS = '/sys/fs/cgroup';

/** The controllers that are asked for something here. */
const CONTROLLERS = ['cpu', 'cpuacct', 'cpuset', 'memory'];
/** CFS bandwidth control's usual period. */
const PERIOD_US = 100_000;

export interface Limits {
  /** A quota, in cores. */
  readonly cores?: number;
  readonly memoryMiB?: number;
  /** The cpuset: `1`, `0-3`. */
  readonly cpus?: string;
}

/** What the kernel counts about a cgroup, as read by the test and not by the agent. */
export interface Counters {
  readonly atMs: number;
  readonly cpuSec: number;
  /** Usage without inactive page cache, in bytes. */
  readonly workingSet: number;
  /** All memory that is charged, page cache included, in bytes. */
  readonly usage: number;
  readonly oomKills: number;
  readonly periods: number;
  readonly throttled: number;
}

/** A cgroup by its path below the root of every hierarchy. */
export class Cgroup {
  readonly #version: 1 | 2;
  readonly path: string;

  constructor(version: 1 | 2, path: string) {
    this.#version = version;
    this.path = path;
  }

  child(name: string): Cgroup {
    return new Cgroup(this.#version, join(this.path, name));
  }

  /** Its folders; a process is in it when it is in each. */
  get dirs(): string[] {
    if (this.#version === 2) return [join(CGROUPS, this.path)];
    return CONTROLLERS.map((controller) => join(CGROUPS, controller, this.path));
  }

  make(limits: Limits = {}): this {
    if (this.#version === 2) offerControllers(dirname(this.path));
    for (const dir of this.dirs) mkdirSync(dir, { recursive: true });
    if (this.#version === 1) this.#inheritCpuset();
    const { cores, memoryMiB, cpus } = limits;
    if (cores !== undefined) this.#writeQuota(cores * PERIOD_US);
    if (memoryMiB !== undefined) {
      const bytes = String(memoryMiB * 2 ** 20);
      this.write(this.#version === 1 ? 'memory.limit_in_bytes' : 'memory.max', bytes);
    }
    if (cpus !== undefined) this.write('cpuset.cpus', cpus);
    return this;
  }

  /** `memory.stat` lies in the folder of `memory` (v1). */
  read(file: string): string {
    return readFileSync(this.#fileOf(file), 'latin1');
  }

  write(file: string, text: string): void {
    writeFileSync(this.#fileOf(file), text);
  }

  /** Nothing where the cgroup is gone, as a runtime removes it when its container ends. */
  counters(): Counters | undefined {
    try {
      return this.#version === 1 ? this.#countersV1() : this.#countersV2();
    } catch (error) {
      if (this.dirs.every((dir) => existsSync(dir))) throw error;
      return undefined;
    }
  }

  #countersV1(): Counters {
    const memory = numbersOf(this.read('memory.stat'));
    const cpu = numbersOf(this.read('cpu.stat'));
    const usage = Number(this.read('memory.usage_in_bytes'));
    return {
      atMs: performance.now(),
      cpuSec: Number(this.read('cpuacct.usage')) / 1e9,
      workingSet: usage - (memory['total_inactive_file'] ?? Number.NaN),
      usage,
      oomKills: numbersOf(this.read('memory.oom_control'))['oom_kill'] ?? Number.NaN,
      periods: cpu['nr_periods'] ?? Number.NaN,
      throttled: cpu['nr_throttled'] ?? Number.NaN,
    };
  }

  #countersV2(): Counters {
    const memory = numbersOf(this.read('memory.stat'));
    const cpu = numbersOf(this.read('cpu.stat'));
    const usage = Number(this.read('memory.current'));
    return {
      atMs: performance.now(),
      cpuSec: (cpu['usage_usec'] ?? Number.NaN) / 1e6,
      workingSet: usage - (memory['inactive_file'] ?? Number.NaN),
      usage,
      oomKills: numbersOf(this.read('memory.events'))['oom_kill'] ?? Number.NaN,
      periods: cpu['nr_periods'] ?? Number.NaN,
      throttled: cpu['nr_throttled'] ?? Number.NaN,
    };
  }

  #writeQuota(quotaUs: number): void {
    if (this.#version === 1) this.write('cpu.cfs_quota_us', String(quotaUs));
    else this.write('cpu.max', `${quotaUs} ${PERIOD_US}`);
  }

  /** A new v1 cpuset has no CPUs and takes no process. */
  #inheritCpuset(): void {
    for (const file of ['cpuset.cpus', 'cpuset.mems']) {
      const parent = readFileSync(join(CGROUPS, 'cpuset', dirname(this.path), file), 'latin1');
      if (this.read(file).trim() === '') this.write(file, parent.trim());
    }
  }

  #fileOf(file: string): string {
    if (this.#version === 2) return join(CGROUPS, this.path, file);
    return join(CGROUPS, file.slice(0, file.indexOf('.')), this.path, file);
  }
}

/** From the root down to this one: a v2 cgroup has the controllers that its parent offers. */
function offerControllers(path: string): void {
  if (path !== '/') offerControllers(dirname(path));
  const dir = join(CGROUPS, path);
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, 'cgroup.subtree_control'), '+cpu +cpuset +memory +pids');
}

/** Lines of a word and a number. */
function numbersOf(text: string): Readonly<Record<string, number>> {
  const rows = text.trimEnd().split('\n');
  return Object.fromEntries(
    rows.map((row): [string, number] => {
      const [name = '', value] = row.split(' ');
      return [name, Number(value)];
    }),
  );
}
