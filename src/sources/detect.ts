import type { Cgroups } from './cgroup/hierarchy.ts';
import type { Host } from './rootfs.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

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
const CONTAINER_PATH = /\/(docker|ecs|kubepods|libpod|lxc|crio|containerd|buildkit)/;
/** What may stand as process 1 above an agent that is alone all the same. */
const INITS = new Set(['tini', 'dumb-init', 'docker-init', 'catatonit']);

/** Kernels before 4.6 have no such link, and only the first namespace. */
export function hasOwnCgroupNamespace(host: Host): boolean {
  const link = host.link('/proc/self/ns/cgroup');
  return link !== '' && link !== INITIAL_CGROUP;
}

/** In the host's every process of the machine is visible, which is no task. */
export function hasOwnPidNamespace(host: Host): boolean {
  const link = host.link('/proc/self/ns/pid');
  return link !== '' && link !== INITIAL_PID;
}

/** What says that this is a container; nothing where nothing does. */
export function signOfContainer(
  host: Host,
  cgroups: Cgroups,
  environment: Environment,
): string | undefined {
  if (hasOwnCgroupNamespace(host)) return 'a cgroup namespace of its own';
  if (cgroups.isPartial) return 'a cgroup mount of a part of the hierarchy';
  if (hasOwnPidNamespace(host)) return 'a PID namespace of its own';
  const file = MARKER_FILES.find(host.has);
  if (file !== undefined) return file;
  const variable = MARKER_VARIABLES.find((name) => (environment[name] ?? '') !== '');
  if (variable !== undefined) return `the variable ${variable}`;
  if (environment['AWS_EXECUTION_ENV']?.startsWith('AWS_ECS_')) return 'AWS_EXECUTION_ENV';
  const path = cgroups.paths.find((name) => CONTAINER_PATH.test(name));
  return path === undefined ? undefined : `the cgroup path ${path}`;
}

/** Whether a cgroup holds nothing but the agent, and perhaps the init that started it. */
export function isAlone(host: Host, folder: string, pid: number): boolean {
  const all = host.text(`${folder}/cgroup.procs`).split('\n');
  const own = String(pid);
  const others = all.filter((line) => line !== '' && line !== own);
  const isInit = (other: string): boolean => INITS.has(host.text(`/proc/${other}/comm`).trim());
  // With an init system the agent, like all others, sits in a group further down.
  return all.includes(own) && others.every(isInit);
}
