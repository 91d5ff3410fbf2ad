// Over 200 lines: who is there, who can be read and who lies in whom follow from the same processes.
import { parseMemberships, UNIFIED } from '../kernel/cgroup.ts';
import type { ControllerPath } from './cgroup/hierarchy.ts';
import { CpuLevel, MemoryLevel } from './cgroup/levels.ts';
import { containerDepth, namesOf } from './cgroup/names.ts';
import { hasOwnCgroupNamespace } from './detect.ts';
import { failureOf } from './meters.ts';
import type { MemoryMode } from './options.ts';
import type { RootFs } from './rootfs.ts';

/** Where a container's cgroup files are below its root: version 2, then version 1's usual folders. */
const MOUNT = '/sys/fs/cgroup';
const LEGACY_ACCOUNTING = ['cpuacct', 'cpu,cpuacct', 'cpuacct,cpu'];
/** What a container's own init system puts below the container's group. */
const INNER = /^(?:init|init\.scope|supervisor|container|payload|system\.slice|user\.slice)$/;
const INNER_TREE = /^(?:init\.scope|system\.slice)$/;
/** Programs that do nothing but hold a pod's namespaces: Kubernetes, podman, OpenShift. */
const SANDBOX_NAMES = new Set(['pause', 'catatonit', 'pod']);
/** What such a program has used at most, whatever its name: it waits for ever, and holds nothing. */
const SANDBOX_TICKS = 50;
const SANDBOX_NANOSECONDS = 5e8;
const SANDBOX_BYTES = 8 * 1024 * 1024;
const SANDBOX_PAGES = 1024;
/** Folders that are looked at for a group whose place is not known. */
const MOST_FOLDERS = 2000;

/** A container whose processes are visible, seen through one of them. */
export interface Member {
  /** What tells it from the others: which folder it has for /sys/fs/cgroup. */
  readonly key: string;
  readonly pid: string;
  readonly cpu: CpuLevel;
  readonly memory: MemoryLevel;
}

/** A container that is visible and cannot be read. */
export interface Hidden {
  /** Of one of its processes. */
  readonly pid: string;
  readonly comm: string;
  readonly uid: string;
}

export interface Members {
  readonly found: readonly Member[];
  readonly hidden: readonly Hidden[];
}

/** Processes that have one and the same /sys/fs/cgroup, or one and the same group. */
interface Party {
  readonly key: string;
  readonly pids: string[];
  /** The folder through which its files can be read; empty where they cannot be. */
  readonly mount: string;
  /** The names of its control group as this process sees it. */
  names: readonly string[];
}

/**
 * Finds the containers whose processes are visible, our own among them. Below /proc/<pid>/root stand
 * a container's own cgroup files; the kernel shows them to the same user with at least the same
 * capabilities. A container inside another is part of that one, and a pod's sandbox is none.
 */
export function findMembers(fs: RootFs, mode: MemoryMode): Members {
  const parties = outermost(fs, partiesOf(fs));
  const found: Member[] = [];
  const hidden: Hidden[] = [];
  for (const party of parties) {
    const member = party.mount === '' ? undefined : memberOf(fs, party, mode);
    if (isSandbox(fs, party, member)) continue;
    if (member !== undefined) found.push(member);
    else hidden.push(hiddenOf(fs, party));
  }
  return { found, hidden };
}

/** The container of this very process among the members; empty where it cannot be told. */
export function ownKey(fs: RootFs): string {
  return keyOf(fs, 'self', groupNames(fs.text('/proc/self/cgroup')));
}

/**
 * Which folder a process has for /sys/fs/cgroup. Privileged containers all have the machine's: there
 * the group tells them apart.
 */
function keyOf(fs: RootFs, pid: string, names: readonly string[]): string {
  const mount = `/proc/${pid}/root${MOUNT}`;
  const identity = fs.identity(mount);
  const isMachine = identity !== '' && isNode(fs, mount);
  return isMachine ? `${identity} ${containerOf(names).join('/')}` : identity;
}

/** Whether a process is another container's: then the PID namespace is shared. */
export function isForeign(fs: RootFs, pid: string): boolean {
  const text = fs.text(`/proc/${pid}/cgroup`);
  const [key, own] = [keyOf(fs, pid, groupNames(text)), ownKey(fs)];
  if (key !== '' && own !== '' && key !== own) return true;
  return text !== '' && !isBelow(containerOf(groupNames(text)), ownNames(fs));
}

/**
 * The names of our own container's group. In a cgroup namespace of its own the container is its root,
 * wherever the process sits below it (a service of an LXC guest).
 */
function ownNames(fs: RootFs): readonly string[] {
  if (hasOwnCgroupNamespace(fs)) return [];
  return containerOf(groupNames(fs.text('/proc/self/cgroup')));
}

/** Whether a member's files can be read now: a group may lack one controller. */
export function isReadable({ cpu, memory }: Member): boolean {
  return (
    failureOf(() => cpu.readUsageNs()) === undefined ||
    failureOf(() => memory.readUsed()) === undefined
  );
}

function partiesOf(fs: RootFs): Party[] {
  const parties = new Map<string, Party>();
  const unread: { readonly pid: string; readonly names: readonly string[] }[] = [];
  for (const pid of processes(fs)) {
    const names = groupNames(fs.text(`/proc/${pid}/cgroup`));
    const key = keyOf(fs, pid, names);
    if (key !== '') {
      const mount = `/proc/${pid}/root${MOUNT}`;
      const party = parties.get(key) ?? { key, pids: [], mount, names };
      party.pids.push(pid);
      party.names = common(party.names, names);
      parties.set(key, party);
    } else if (isAlive(fs, pid)) unread.push({ pid, names });
  }
  const [own, ours] = [ownKey(fs), ownNames(fs)];
  for (const party of parties.values()) {
    party.names = party.key === own ? ours : containerOf(party.names);
  }
  // Workers of another user inside a container that can be read are that container's.
  for (const { pid, names } of unread) {
    const home = [...parties.values()].find((party) => isBelow(names, party.names));
    const own = containerOf(names);
    if (home !== undefined && isBelow(own, home.names)) home.pids.push(pid);
    else if (!isBelow(own, ours))
      parties.set(`hidden:${own.join('/')}`, {
        key: own.join('/'),
        pids: [pid],
        mount: '',
        names: own,
      });
  }
  return [...parties.values()];
}

/** The oldest first, mostly: a container is known by the same one at each look. */
function processes(fs: RootFs): readonly string[] {
  const pids = fs.list('/proc').filter((name) => /^\d+$/.test(name));
  return pids.sort((one, other) => Number(one) - Number(other));
}

/** What stands behind a process's name in its stat, from its state on; the name may hold anything. */
function statFields(fs: RootFs, pid: string): readonly string[] {
  const text = fs.text(`/proc/${pid}/stat`);
  return text
    .slice(text.lastIndexOf(')') + 1)
    .trim()
    .split(' ');
}

/** Places of these fields, counted from the state. */
const STATE = 0;
const USER_TICKS = 11;
const SYSTEM_TICKS = 12;
const THREADS = 17;

/** A process that has ended and waits for its parent has no files, and is no member. */
function isAlive(fs: RootFs, pid: string): boolean {
  if (fs.text(`/proc/${pid}/cgroup`) === '') return false;
  const state = statFields(fs, pid)[STATE];
  return state !== 'Z' && state !== 'X';
}

/** Of version 2, or of version 1's memory, which are the ones that every container has. */
function groupNames(text: string): readonly string[] {
  const paths = parseMemberships(text);
  return namesOf(paths.get('memory') ?? paths.get(UNIFIED) ?? '');
}

function common(some: readonly string[], others: readonly string[]): readonly string[] {
  const end = some.findIndex((name, depth) => others[depth] !== name);
  return end < 0 ? some : some.slice(0, end);
}

/** The container that a group belongs to: what its name says, else without what lies within one. */
function containerOf(names: readonly string[]): readonly string[] {
  const depth = containerDepth(names.join('/'));
  if (depth > 0) return names.slice(0, depth);
  // Below the slice of an init system inside, each service has a group.
  const first = names.findIndex((name) => name !== '..');
  const slice = names.findIndex((name, at) => at > first && INNER_TREE.test(name));
  let end = slice < 0 ? names.length : slice;
  while (end > 0 && INNER.test(names[end - 1] ?? '')) end -= 1;
  return names.slice(0, end);
}

/** Whether a group is another one, or lies in it. The group of no names holds all but its parents. */
function isBelow(names: readonly string[], group: readonly string[]): boolean {
  if (group.length === 0) return names[0] !== '..';
  return group.every((name, depth) => names[depth] === name);
}

/** Without those that lie in another: they are counted there. */
function outermost(fs: RootFs, parties: readonly Party[]): readonly Party[] {
  return parties.filter(
    (party) => !parties.some((other) => other !== party && isInside(fs, party, other)),
  );
}

function isInside(fs: RootFs, party: Party, other: Party): boolean {
  const isDeeper = isBelow(party.names, other.names) && party.names.length > other.names.length;
  if (isDeeper) return true;
  if (other.mount === '' || party.mount === '') return false;
  // Names may be hidden by a namespace; the folder is the same one all the same.
  for (let from = 0; from < party.names.length; from += 1) {
    const tail = party.names.slice(from).join('/');
    if (!tail.startsWith('..') && fs.identity(`${other.mount}/${tail}`) === party.key) {
      return !isNode(fs, other.mount);
    }
  }
  return false;
}

/**
 * The root of the hierarchy: a machine's, not a container's. Files that each group of version 2 has but
 * the root; version 1 has one that only the root has.
 */
function isNode(fs: RootFs, mount: string): boolean {
  if (fs.has(`${mount}/memory/release_agent`)) return true;
  const names = ['cgroup.events', 'cpu.max', 'memory.current'];
  return fs.has(`${mount}/cgroup.controllers`) && !names.some((name) => fs.has(`${mount}/${name}`));
}

function memberOf(fs: RootFs, party: Party, mode: MemoryMode): Member | undefined {
  const place = isNode(fs, party.mount) ? placeBelow(fs, party) : placeOf(fs, party.mount);
  if (place === undefined) return undefined;
  const { cpu, accounting, memory } = place;
  const member: Member = {
    key: party.key,
    pid: party.pids[0] ?? '',
    cpu: new CpuLevel(fs, cpu.version, cpu.folders[0], accounting.folders[0]),
    memory: new MemoryLevel(fs, memory.version, memory.folders[0], mode),
  };
  return isReadable(member) ? member : undefined;
}

/** Where a container's files are. */
interface Place {
  readonly cpu: ControllerPath;
  readonly accounting: ControllerPath;
  readonly memory: ControllerPath;
}

/** In the machine's hierarchy. */
function placeBelow(fs: RootFs, party: Party): Place | undefined {
  const { mount, names } = party;
  if (fs.has(`${mount}/memory`)) return placeOf(fs, mount, `/${names.join('/')}`);
  const folder = folderBelow(fs, party);
  return folder === '' ? undefined : placeOf(fs, folder);
}

/** A privileged container has the machine's hierarchy: its own group is below it, by its name. */
function folderBelow(fs: RootFs, { mount, names }: Party): string {
  const wanted = names.filter((name) => name !== '..').join('/');
  const folders = [mount];
  for (let looked = 0; looked < folders.length && looked < MOST_FOLDERS; looked += 1) {
    const folder = folders[looked] ?? '';
    const inside = wanted === '' ? '' : `${folder}/${wanted}`;
    if (inside !== '' && fs.has(`${inside}/memory.current`)) return inside;
    for (const name of fs.list(folder)) {
      // Files of the kernel have a dot and a controller's name; folders of pods are slices or bare.
      if (name.endsWith('.slice') || !name.includes('.')) folders.push(`${folder}/${name}`);
    }
  }
  return '';
}

/** @param group version 1: below each controller's root, where that is the machine's */
function placeOf(fs: RootFs, mount: string, group: string = ''): Place | undefined {
  const place = (version: 1 | 2, folder: string): ControllerPath => ({
    version,
    folders: [folder],
    isMachine: false,
  });
  if (fs.has(`${mount}/cpu.stat`)) {
    const unified = place(2, mount);
    return { cpu: unified, accounting: unified, memory: unified };
  }
  const name = LEGACY_ACCOUNTING.find((one) => fs.has(`${mount}/${one}${group}/cpuacct.usage`));
  if (name === undefined) return undefined;
  const cpu = fs.has(`${mount}/cpu${group}/cpu.cfs_quota_us`) ? 'cpu' : name;
  return {
    cpu: place(1, `${mount}/${cpu}${group}`),
    accounting: place(1, `${mount}/${name}${group}`),
    memory: place(1, `${mount}/memory${group}`),
  };
}

/**
 * The sandbox of a pod: the group of process 1 with that one process, which has no limits of its own
 * and next to no CPU time and memory, or carries a name that such programs have.
 */
function isSandbox(fs: RootFs, { key, pids }: Party, member: Member | undefined): boolean {
  if (pids.length !== 1 || pids[0] !== '1' || key === ownKey(fs)) return false;
  const isNamed = SANDBOX_NAMES.has(fs.text('/proc/1/comm').trim());
  if (member === undefined) return fs.text('/proc/1/stat') === '' ? isNamed : isSmall(fs);
  const { cpu, memory } = member;
  const hasLimits = Number.isFinite(cpu.readLimit()) || memory.readLimit() < NO_LIMIT_BYTES;
  const isIdle =
    numberOr0(() => cpu.readUsageNs()) < SANDBOX_NANOSECONDS &&
    numberOr0(() => memory.readUsed()) < SANDBOX_BYTES;
  return !hasLimits && (isNamed || (isIdle && isSmall(fs)));
}

/** What a group that lacks a controller does not tell is 0. */
function numberOr0(read: () => number): number {
  let value = 0;
  const failure = failureOf(() => {
    value = read();
  });
  return failure === undefined ? value : 0;
}

/** Version 1 writes about 2^63 for no limit. */
const NO_LIMIT_BYTES = 2 ** 60;

/**
 * CPU time, memory and threads of process 1, which everybody may read: a small program that has just
 * been started has threads, most of the time, and a sandbox never. What is not told does not count.
 */
function isSmall(fs: RootFs): boolean {
  const fields = statFields(fs, '1');
  const [user, system] = [fields[USER_TICKS] ?? 0, fields[SYSTEM_TICKS] ?? 0];
  const threads = fields[THREADS] ?? 1;
  const [, resident = 0] = /^\d+ (\d+)/.exec(fs.text('/proc/1/statm')) ?? [];
  const isIdle = Number(user) + Number(system) < SANDBOX_TICKS;
  return isIdle && Number(resident) < SANDBOX_PAGES && Number(threads) === 1;
}

function hiddenOf(fs: RootFs, { pids }: Party): Hidden {
  const [pid = ''] = pids;
  const [, uid = '?'] = /^Uid:\s+(\d+)/m.exec(fs.text(`/proc/${pid}/status`)) ?? [];
  return { pid, comm: fs.text(`/proc/${pid}/comm`).trim() || '?', uid };
}
