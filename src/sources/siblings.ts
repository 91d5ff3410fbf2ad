// Over 200 lines: who the siblings are, and what is read of them, follow from the same names.
import { NoDataError } from '../errors.ts';
import type { CpuCounter, CpuLoad, Fill, Source } from '../metrics/reading.ts';
import type { Place } from './cgroup/hierarchy.ts';
import { type CpuLevel, cpuLevels, type MemoryLevel, memoryLevels } from './cgroup/levels.ts';
import {
  bytesText,
  coresText,
  type Limit,
  rescanned,
  type TaskLimits,
  taskLimit,
  tightest,
} from './limits.ts';
import { type Machine, openMachine } from './machine.ts';
import { lessOwn, type SourceOptions } from './options.ts';
import { commonReaders } from './pressure.ts';
import { gauge, optional, sourceOf } from './readers.ts';
import type { Host } from './rootfs.ts';

/** Where a container's cgroup files are below its root: version 2, then version 1's usual folders. */
const MOUNT = '/sys/fs/cgroup';
const NANOSECONDS_A_USEC = 1000;
const LEGACY_ACCOUNTING = ['cpuacct', 'cpu,cpuacct', 'cpuacct,cpu'];

/** A container that shares our PID namespace, seen through one of its processes. */
interface Sibling {
  /** What tells it from the others: which folder it has for /sys/fs/cgroup. */
  readonly key: string;
  readonly pid: string;
  readonly cpu: CpuLevel;
  readonly memory: MemoryLevel;
}

export interface Siblings {
  readonly found: readonly Sibling[];
  /** Processes of other containers whose files the kernel does not let us read. */
  readonly refused: number;
}

export interface SiblingOptions extends SourceOptions {
  readonly taskLimits?: TaskLimits;
}

/**
 * Finds the containers whose processes are visible, our own among them. Below /proc/<pid>/root stand
 * a container's own cgroup files; the kernel shows them to the same user with at least the same
 * capabilities.
 */
export function findSiblings(host: Host, { memoryMode }: SourceOptions): Siblings {
  const groups = new Map<string, string[]>();
  for (const pid of host.list('/proc').filter((name) => /^\d+$/.test(name))) {
    // Not the process's own group: a container with an init system has many.
    const key = identityOf(host, pid);
    if (key !== '') groups.set(key, [...(groups.get(key) ?? []), pid]);
  }
  const found: Sibling[] = [];
  let refused = 0;
  for (const [key, pids] of groups) {
    if (isPause(host, pids)) continue;
    const [pid = ''] = pids;
    const place = placesOf(host, `/proc/${pid}/root${MOUNT}`);
    const [cpu] = place === undefined ? [] : cpuLevels(host, place.cpu, place.accounting);
    const [memory] = place === undefined ? [] : memoryLevels(host, place.memory, memoryMode);
    const readable = cpu !== undefined && memory !== undefined && isReadable(cpu, memory);
    if (readable) found.push({ key, pid, cpu, memory });
    else refused += 1;
  }
  return { found, refused };
}

/** Where the folder is not for us to see, the text of the group at least tells that there is one. */
function identityOf(host: Host, pid: string): string {
  return host.identity(`/proc/${pid}/root${MOUNT}`) || host.text(`/proc/${pid}/cgroup`);
}

/** Kubernetes' pod sandbox: one process that waits for ever, which no limit is for. */
function isPause(host: Host, pids: readonly string[]): boolean {
  return pids.length === 1 && host.text(`/proc/${pids[0]}/comm`).trim() === 'pause';
}

function placesOf(
  host: Host,
  mount: string,
): { cpu: Place; accounting: Place; memory: Place } | undefined {
  const place = (version: 1 | 2, folder: string): Place => ({
    version,
    folders: [folder],
    isMachine: false,
  });
  if (host.has(`${mount}/memory.current`)) {
    const unified = place(2, mount);
    return { cpu: unified, accounting: unified, memory: unified };
  }
  const name = LEGACY_ACCOUNTING.find((folder) => host.has(`${mount}/${folder}/cpuacct.usage`));
  if (name === undefined) return undefined;
  const cpu = host.has(`${mount}/cpu/cpu.cfs_quota_us`) ? 'cpu' : name;
  return {
    cpu: place(1, `${mount}/${cpu}`),
    accounting: place(1, `${mount}/${name}`),
    memory: place(1, `${mount}/memory`),
  };
}

function isReadable(cpu: CpuLevel, memory: MemoryLevel): boolean {
  return optional(() => cpu.readUsage() >= 0 && memory.readUsed() >= 0, false);
}

/** What a scan found: who is there, and what they may use together. */
interface Scan {
  readonly found: readonly Sibling[];
  readonly cores: Limit;
  readonly bytes: Limit;
}

/**
 * The sum over all containers of a task or pod that share our PID namespace, read every tick.
 *
 * @throws NoDataError where no other container can be read
 */
export function openSiblingSource(host: Host, options: SiblingOptions): Source {
  const { memoryMode, excludeSelf, ownUse } = options;
  const machine = openMachine(host);
  const siblings = findSiblings(host, options);
  if (siblings.found.length < 2) throw new NoDataError(refusal(siblings));
  const ownKey = identityOf(host, 'self');
  let known = siblings.found;
  let scan: Scan;
  const current = rescanned(() => {
    known = seenAgain(host, known, options);
    scan = limitsOf(known, machine, options);
    return scan;
  });
  const readCpu = (nowMs: number): CpuLoad[] => {
    const { found, cores } = current(nowMs);
    const counters = found.flatMap(({ key, cpu }): CpuCounter[] => {
      const usage = optional(cpu.readUsage, Number.NaN);
      const ownNs = excludeSelf && key === ownKey ? ownUse().cpuUsec * NANOSECONDS_A_USEC : 0;
      return Number.isNaN(usage) ? [] : [{ key, at: nowMs, nanoseconds: usage - ownNs }];
    });
    return [{ cores: cores.value, counters }];
  };
  const readMemory = (nowMs: number): Fill => {
    const { found, bytes } = current(nowMs);
    const used = found.reduce((sum, { memory }) => sum + optional(memory.readUsed, 0), 0);
    return lessOwn({ used, limit: bytes.value }, options);
  };
  return sourceOf(
    () =>
      [
        `scope=task source=siblings containers=${known.length}`,
        coresText(scan.cores),
        bytesText(scan.bytes),
        `mem.mode=${memoryMode} online=${machine.countOnline()}`,
      ].join(' '),
    { cpu: gauge(readCpu), memory: gauge(readMemory), ...commonReaders(host, options) },
    host.close,
  );
}

/** Who is there now. Those seen before keep their descriptors, and those gone lose them. */
function seenAgain(
  host: Host,
  before: readonly Sibling[],
  options: SiblingOptions,
): readonly Sibling[] {
  const found = findSiblings(host, options).found.map(
    (sibling) =>
      before.find(({ key, cpu, memory }) => key === sibling.key && isReadable(cpu, memory)) ??
      sibling,
  );
  const kept = new Set(found.map(({ pid }) => pid));
  for (const { pid } of before) if (!kept.has(pid)) host.release(`/proc/${pid}`);
  return found;
}

/** What all may use: the sum of their limits where each has one, else what the machine has. */
function limitsOf(
  found: readonly Sibling[],
  machine: Machine,
  { cpuBase, taskLimits = {} }: SiblingOptions,
): Scan {
  const sum = (limits: readonly number[]): number => limits.reduce((all, one) => all + one, 0);
  const from = `limits of ${found.length} containers`;
  const online: Limit = { value: machine.countOnline(), from: 'online CPUs' };
  const total: Limit = { value: machine.readMemory('workingset').limit, from: 'MemTotal' };
  const cores = sum(found.map(({ cpu }) => cpu.readLimit()));
  const bytes = sum(
    found.map(({ memory }) => {
      const limit = memory.readLimit();
      return limit < total.value ? limit : Number.POSITIVE_INFINITY;
    }),
  );
  return {
    found,
    cores:
      cpuBase === 'host'
        ? online
        : tightest(online, { value: cores, from }, taskLimit(taskLimits.cores)),
    bytes: tightest(total, { value: bytes, from }, taskLimit(taskLimits.bytes)),
  };
}

function refusal({ found, refused }: Siblings): string {
  if (refused > 0) {
    return `${refused} containers are visible in /proc and the kernel does not show their files: it wants the same user, and CAP_SYS_PTRACE where they have more capabilities`;
  }
  return `processes of ${found.length === 0 ? 'no' : 'no other'} container are visible in /proc`;
}
