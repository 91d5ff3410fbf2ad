import { parseMemberships, UNIFIED } from '../kernel/cgroup.ts';
import { CpuLevel, MemoryLevel } from './cgroup/levels.ts';
import { containerDepth, containerOf, isBelow, namesOf } from './cgroup/names.ts';
import { hasOwnCgroupNamespace } from './detect.ts';
import { failureOf } from './meters.ts';
import type { MemoryMode } from './options.ts';
import { isMachines, placeBelow, placeInside, placeOf } from './place.ts';
import { type Identified, identify, isAlive, isStarting, processes } from './process.ts';
import type { RootFs } from './rootfs.ts';
import { isSandbox } from './sandbox.ts';

/** Where a container's cgroup files are below its root. */
const MOUNT = '/sys/fs/cgroup';

/** A container whose processes are visible, seen through one of them. */
export interface Member {
  /** What tells it from the others: which folder it has for /sys/fs/cgroup. */
  readonly key: string;
  readonly pid: string;
  /** The group that it lies in, as far as this process sees it. */
  readonly parent: string;
  readonly cpu: CpuLevel;
  readonly memory: MemoryLevel;
}

export interface Members {
  readonly found: readonly Member[];
  readonly hidden: readonly Identified[];
}

/** Processes that have one and the same /sys/fs/cgroup, or one and the same group. */
interface Party {
  readonly key: string;
  readonly pids: string[];
  /** The folder through which its files can be read; empty where they cannot be. */
  readonly mount: string;
  /** That folder shows others as well: its own group is somewhere below. */
  readonly isShared: boolean;
  /** The names of its control group as this process sees it. */
  names: readonly string[];
}

/**
 * Finds the containers whose processes are visible, our own among them. Below /proc/<pid>/root stand
 * a container's own cgroup files; the kernel shows them to the same user with at least the same
 * capabilities. A container inside another is part of that one, and a pod's sandbox is none.
 */
export function findMembers(fs: RootFs, mode: MemoryMode): Members {
  const own = ownKey(fs);
  const parties = outermost(fs, partiesOf(fs));
  const found: Member[] = [];
  const hidden: Identified[] = [];
  for (const party of parties) {
    const member = party.mount === '' ? undefined : memberOf(fs, party, mode);
    if (party.key !== own && isSandbox(fs, party.pids, member)) continue;
    if (member !== undefined) found.push(member);
    else hidden.push(identify(fs, party.pids[0] ?? ''));
  }
  return { found, hidden };
}

/** The container of this very process among the members; empty where it cannot be told. */
export function ownKey(fs: RootFs): string {
  return keyOf(fs, 'self', groupNames(fs.text('/proc/self/cgroup')));
}

/**
 * Which folder a process has for /sys/fs/cgroup; empty where that may not be read. Privileged
 * containers all have the node's, which is a machine or a container itself: there the group tells
 * them apart.
 *
 * @param shared whether a folder shows more than a group, as far as it was looked at
 */
function keyOf(
  fs: RootFs,
  pid: string,
  names: readonly string[],
  shared: Map<string, boolean> = new Map(),
): string {
  const mount = `/proc/${pid}/root${MOUNT}`;
  const identity = fs.identity(mount);
  if (identity === '') return '';
  const group = containerOf(names);
  const key = `${identity} ${group.join('/')}`;
  const isShared =
    shared.get(key) ?? (isMachines(fs, mount) || placeInside(fs, mount, group) !== undefined);
  shared.set(key, isShared);
  return isShared ? key : identity;
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
 * wherever the process sits below it (a service of an LXC guest), unless the path has a container's
 * name: then the namespace is that of a node which is a container itself.
 */
function ownNames(fs: RootFs): readonly string[] {
  const names = groupNames(fs.text('/proc/self/cgroup'));
  const isNamed = containerDepth(names.join('/')) > 0;
  return hasOwnCgroupNamespace(fs) && !isNamed ? [] : containerOf(names);
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
  const shared = new Map<string, boolean>();
  const unread: { readonly pid: string; readonly names: readonly string[] }[] = [];
  for (const pid of processes(fs)) {
    if (isStarting(fs, pid)) continue;
    const names = groupNames(fs.text(`/proc/${pid}/cgroup`));
    const key = keyOf(fs, pid, names, shared);
    if (key !== '') {
      const mount = `/proc/${pid}/root${MOUNT}`;
      const isShared = shared.get(key) === true;
      const party = parties.get(key) ?? { key, pids: [], mount, isShared, names };
      party.pids.push(pid);
      party.names = common(party.names, names);
      parties.set(key, party);
    } else if (isAlive(fs, pid)) unread.push({ pid, names });
  }
  const [own, ours] = [ownKey(fs), ownNames(fs)];
  for (const party of parties.values()) {
    party.names = party.key === own ? ours : containerOf(party.names);
  }
  for (const { pid, names } of unread) {
    const group = containerOf(names);
    // Workers of another user inside a container that can be read are that container's.
    const home = [...parties.values()].find((party) => isBelow(group, party.names));
    if (home !== undefined) home.pids.push(pid);
    else if (!isBelow(group, ours)) {
      const key = `hidden:${group.join('/')}`;
      parties.set(key, { key, pids: [pid], mount: '', isShared: false, names: group });
    }
  }
  return [...parties.values()];
}

/** Version 1 has a path for each controller, and memory's may be switched off (`cgroup_disable`). */
const CONTROLLERS = ['memory', 'cpuacct', 'cpu', UNIFIED];

function groupNames(text: string): readonly string[] {
  const paths = parseMemberships(text);
  const controller = CONTROLLERS.find((name) => paths.has(name)) ?? UNIFIED;
  return namesOf(paths.get(controller) ?? '');
}

function common(some: readonly string[], others: readonly string[]): readonly string[] {
  const end = some.findIndex((name, depth) => others[depth] !== name);
  return end < 0 ? some : some.slice(0, end);
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
  if (other.mount === '' || party.mount === '' || other.isShared) return false;
  // Names may be hidden by a namespace; the folder is the same one all the same.
  for (let from = 0; from < party.names.length; from += 1) {
    const tail = party.names.slice(from).join('/');
    if (!tail.startsWith('..') && fs.identity(`${other.mount}/${tail}`) === party.key) return true;
  }
  return false;
}

function memberOf(fs: RootFs, party: Party, mode: MemoryMode): Member | undefined {
  const { mount, names } = party;
  const place = isMachines(fs, mount)
    ? placeBelow(fs, mount, names)
    : (placeInside(fs, mount, names) ?? placeOf(fs, mount));
  if (place === undefined) return undefined;
  const { cpu, accounting, memory } = place;
  const member: Member = {
    key: party.key,
    pid: party.pids[0] ?? '',
    parent: (names.length > 0 ? names.slice(0, -1) : ['..']).join('/'),
    cpu: new CpuLevel(fs, cpu.version, cpu.folders[0], accounting.folders[0]),
    memory: new MemoryLevel(fs, memory.version, memory.folders[0], mode),
  };
  return isReadable(member) ? member : undefined;
}
