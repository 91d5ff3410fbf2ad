// Over 200 lines: the table of signs, and how each of them is found, belong together.
import type { Environment } from '../environment.ts';
import { parseByteLimit, parseCfsQuota, parseCpuMax } from '../kernel/limits.ts';
import { type Cgroups, isPath, type Resolved } from './cgroup/hierarchy.ts';
import { containerDepth, namesOf } from './cgroup/names.ts';
import { NO_LIMIT_BYTES } from './limits.ts';
import { isHierarchyRoot } from './place.ts';
import { type RootFs, shown } from './rootfs.ts';

/** Inodes of the first namespaces, fixed in the kernel's include/linux/proc_ns.h. */
const INITIAL_CGROUP = 'cgroup:[4026531835]';
const INITIAL_PID = 'pid:[4026531836]';

const MARKER_FILES = ['/.dockerenv', '/run/.containerenv'];
const MARKER_VARIABLES = [
  'container',
  'KUBERNETES_SERVICE_HOST',
  'ECS_CONTAINER_METADATA_URI_V4',
  'ECS_CONTAINER_METADATA_URI',
  'AWS_BATCH_JOB_ID',
];
/** What systemd gives each unit: where a namespace hides the path, it tells that there is one. */
const UNIT_VARIABLE = 'INVOCATION_ID';
/** What stands as process 1 of a machine. */
const MACHINE_INITS = /^(?:systemd|init|init\(.*|openrc-init|runit|s6-svscan|launchd|busybox)$/;
/** What may stand as process 1 above an agent that is alone all the same. */
const SMALL_INITS = new Set(['tini', 'dumb-init', 'docker-init', 'catatonit']);

/** A strong sign decides. */
const STRONG = 8;
/** Signs and counter-signs that are not strong decide by so much together. */
const ENOUGH = 2;

/** Something that speaks for a container (above 0) or for a machine (below 0). */
export interface Sign {
  readonly weight: number;
  readonly text: string;
}

/** What signs are found in. */
interface Seen {
  readonly fs: RootFs;
  readonly cgroups: Cgroups;
  readonly environment: Environment;
}

/**
 * The signs, and what each weighs. A weak one never decides alone, nor do several against what a
 * machine shows. docs/which-number.md has this table.
 */
export const SIGNS: readonly {
  readonly weight: number;
  readonly find: (seen: Seen) => string | undefined;
}[] = [
  { weight: STRONG, find: namedPath },
  { weight: STRONG, find: ownGroupMounted },
  { weight: STRONG, find: runtimeVariable },
  { weight: STRONG, find: containedNamespace },
  { weight: 4, find: privateNamespace },
  { weight: 3, find: limitedGroup },
  { weight: 2, find: unmountedGroup },
  { weight: 1, find: ownPidNamespace },
  { weight: 1, find: ({ fs }) => MARKER_FILES.find(fs.has) },
  { weight: 1, find: partialMount },
  {
    weight: -1,
    find: ({ fs }) => when(isLink(fs, 'pid', INITIAL_PID), 'the initial PID namespace'),
  },
  {
    weight: -1,
    find: ({ fs }) => when(isLink(fs, 'cgroup', INITIAL_CGROUP), 'the initial cgroup namespace'),
  },
  { weight: -1, find: machineInit },
  { weight: -1, find: systemdPath },
  {
    weight: -1,
    find: ({ environment }) =>
      when((environment[UNIT_VARIABLE] ?? '') !== '', `the variable ${UNIT_VARIABLE} of systemd`),
  },
];

/** All signs that are there. */
export function signsOf(fs: RootFs, cgroups: Cgroups, environment: Environment): readonly Sign[] {
  const seen = { fs, cgroups, environment };
  return SIGNS.flatMap(({ weight, find }) => {
    const text = find(seen);
    return text === undefined ? [] : [{ weight, text }];
  });
}

/** Whether the signs make a container. */
export function isContainer(signs: readonly Sign[]): boolean {
  if (signs.some(({ weight }) => weight >= STRONG)) return true;
  return signs.reduce((sum, { weight }) => sum + weight, 0) >= ENOUGH;
}

/** The signs in words: `+8 the variable container, -1 the initial PID namespace`. */
export function signsText(signs: readonly Sign[]): string {
  if (signs.length === 0) return 'no sign of a container or a machine';
  return signs.map(({ weight, text }) => `${weight > 0 ? '+' : ''}${weight} ${text}`).join(', ');
}

function when(condition: boolean, text: string): string | undefined {
  return condition ? text : undefined;
}

function isLink(fs: RootFs, namespace: 'cgroup' | 'pid', target: string): boolean {
  return fs.link(`/proc/self/ns/${namespace}`) === target;
}

/** Kernels before 4.6 have no such link, and only the first namespace. */
export function hasOwnCgroupNamespace(fs: RootFs): boolean {
  const link = fs.link('/proc/self/ns/cgroup');
  return link !== '' && link !== INITIAL_CGROUP;
}

/** In the host's every process of the machine is visible, which is no task. */
export function hasOwnPidNamespace(fs: RootFs): boolean {
  const link = fs.link('/proc/self/ns/pid');
  return link !== '' && link !== INITIAL_PID;
}

function namedPath({ cgroups }: Seen): string | undefined {
  const path = cgroups.paths.find((one) => containerDepth(one) > 0);
  return path === undefined ? undefined : `a container's name in the cgroup path ${shown(path)}`;
}

/** A runtime mounts the own group where the whole hierarchy would be. */
function ownGroupMounted({ cgroups }: Seen): string | undefined {
  return when(cgroups.isOwnMounted, 'a cgroup mount that shows the own group alone');
}

function runtimeVariable({ environment }: Seen): string | undefined {
  const name = MARKER_VARIABLES.find((one) => (environment[one] ?? '') !== '');
  if (name !== undefined) return `the variable ${name}`;
  const isEcs = environment['AWS_EXECUTION_ENV']?.startsWith('AWS_ECS_') === true;
  return when(isEcs, 'the variable AWS_EXECUTION_ENV');
}

/** A unit of systemd may have a namespace, too: but neither limits nor processes of its own. */
function containedNamespace({ fs, cgroups }: Seen): string | undefined {
  if (!isBelowNamespace(fs, cgroups)) return undefined;
  if (hasOwnPidNamespace(fs)) return 'cgroup and PID namespaces of its own';
  return when(hasLimits(fs, cgroups), 'a cgroup namespace of its own with limits');
}

function privateNamespace({ fs, cgroups }: Seen): string | undefined {
  return when(
    isBelowNamespace(fs, cgroups) && !hasOwnPidNamespace(fs),
    'a cgroup namespace of its own',
  );
}

/**
 * A namespace of its own that shows a part of the hierarchy. Distributions under WSL2 have one that
 * shows all of it, and are machines.
 */
function isBelowNamespace(fs: RootFs, cgroups: Cgroups): boolean {
  return hasOwnCgroupNamespace(fs) && !isWhole(fs, cgroups);
}

function isWhole(fs: RootFs, { cpu, memory }: Cgroups): boolean {
  return [memory, cpu].some((place) => {
    if (!isPath(place)) return false;
    const { folders, version } = place;
    return isHierarchyRoot(fs, version, folders[folders.length - 1] ?? '');
  });
}

/** Whoever starts a job in a sandbox of its own (bubblewrap) gives it a group of its own with limits. */
function limitedGroup(seen: Seen): string | undefined {
  const { fs, cgroups } = seen;
  if (hasOwnCgroupNamespace(fs) || systemdPath(seen) !== undefined) return undefined;
  return when(hasLimits(fs, cgroups), 'limits on a group that is no unit of systemd');
}

/** More cores than any machine has. */
const NO_LIMIT_CORES = 2 ** 20;

function foldersOf(place: Resolved): readonly { version: 1 | 2; folder: string }[] {
  if (!isPath(place)) return [];
  return place.folders.map((folder) => ({ version: place.version, folder }));
}

/** At the own level, or at one above it. */
function hasLimits(fs: RootFs, { cpu, memory }: Cgroups): boolean {
  const cores = foldersOf(cpu).map(({ version, folder }) => {
    const text = (name: string): string => fs.text(`${folder}/${name}`);
    return version === 2
      ? parseCpuMax(text('cpu.max'))
      : parseCfsQuota(text('cpu.cfs_quota_us'), text('cpu.cfs_period_us'));
  });
  const bytes = foldersOf(memory).map(({ version, folder }) => {
    const name = version === 2 ? 'memory.max' : 'memory.limit_in_bytes';
    return parseByteLimit(fs.text(`${folder}/${name}`));
  });
  return Math.min(...cores) < NO_LIMIT_CORES || Math.min(...bytes) < NO_LIMIT_BYTES;
}

/**
 * A machine mounts the hierarchies in which its processes have groups; a sandbox with processes of its
 * own may cover them.
 */
function unmountedGroup({ fs, cgroups }: Seen): string | undefined {
  if (!hasOwnPidNamespace(fs)) return undefined;
  const isGrouped = cgroups.paths.some((path) => namesOf(path).length > 0);
  const { cpu, cpuacct, memory } = cgroups;
  const isThere = [cpu, cpuacct, memory].some((one) => isPath(one) && fs.has(one.folders[0]));
  return when(isGrouped && !isThere, 'a control group whose folder is mounted nowhere');
}

function ownPidNamespace({ fs }: Seen): string | undefined {
  return when(hasOwnPidNamespace(fs), 'a PID namespace of its own');
}

function partialMount({ cgroups }: Seen): string | undefined {
  return when(cgroups.isPartial, 'a cgroup mount of a part of the hierarchy');
}

function machineInit({ fs }: Seen): string | undefined {
  const comm = fs.text('/proc/1/comm').trim();
  return when(MACHINE_INITS.test(comm), `${comm} as process 1`);
}

function systemdPath({ cgroups }: Seen): string | undefined {
  const isUnit = (name: string): boolean => /\.(?:slice|service|scope)$/.test(name);
  const path = cgroups.paths.find((one) => isUnit(namesOf(one)[0] ?? ''));
  return path === undefined ? undefined : `the unit of systemd ${shown(path)}`;
}

/** Whether a cgroup holds nothing but the agent, and perhaps the init that started it. */
export function isAlone(fs: RootFs, folder: string, pid: number): boolean {
  const all = fs.text(`${folder}/cgroup.procs`).split('\n');
  const own = String(pid);
  const others = all.filter((line) => line !== '' && line !== own);
  const isInit = (other: string): boolean => SMALL_INITS.has(fs.text(`/proc/${other}/comm`).trim());
  // With an init system the agent, like all others, sits in a group further down.
  return all.includes(own) && others.every(isInit);
}
