// Over 200 lines: of several mounts and several levels one is chosen, and that in one place.
import { NoDataError } from '../../errors.ts';
import { parseMemberships, UNIFIED } from '../../kernel/cgroup.ts';
import { type Mount, parseMounts } from '../../kernel/mountinfo.ts';
import { containerDepth, namesOf } from './names.ts';

/** The controllers whose files are read. */
export type Controller = 'cpu' | 'cpuacct' | 'cpuset' | 'memory' | 'blkio';

/** The kernel's PATH_MAX. All parents of a longer one would take its square in memory. */
const LONGEST_PATH = 4096;
/** Where every runtime and systemd mount the hierarchies. */
const USUAL_POINT = '/sys/fs/cgroup';

/** Where one controller's files are. */
export interface ControllerPath {
  readonly version: 1 | 2;
  /** The container's folder first, then each parent that is visible, up to the mount point. */
  readonly folders: readonly [string, ...string[]];
  /** It is the root of the hierarchy: no container, all of the machine. */
  readonly isMachine: boolean;
}

/** A place, or why there is none. */
export type Resolved = ControllerPath | { readonly unresolved: string };

export interface Cgroups {
  readonly cpu: Resolved;
  readonly cpuacct: Resolved;
  readonly cpuset: Resolved;
  readonly memory: Resolved;
  readonly blkio: Resolved;
  /** Some controller shows only a part of its hierarchy, as in a container. */
  readonly isPartial: boolean;
  /** Where the hierarchies usually are, nothing but the own group is mounted. */
  readonly isOwnMounted: boolean;
  /** The paths that /proc/self/cgroup names. */
  readonly paths: readonly string[];
}

export interface CgroupTexts {
  /** /proc/self/cgroup */
  readonly memberships: string;
  /** /proc/self/mountinfo */
  readonly mounts: string;
  /** The process is in a cgroup namespace of its own. */
  readonly hasPrivateNamespace: boolean;
  /** A path to measure instead of the process's own, as in `--scope cgroup:/system.slice`. */
  readonly forcedPath?: string;
  /** Whether there is a file at a path. */
  readonly has: (path: string) => boolean;
}

/** Files by which a controller is known in a folder: one of them is there. */
const FILES: Readonly<Record<1 | 2, Readonly<Record<Controller, readonly string[]>>>> = {
  1: {
    cpu: ['cpu.stat', 'cpu.cfs_quota_us'],
    cpuacct: ['cpuacct.usage'],
    cpuset: ['cpuset.effective_cpus', 'cpuset.cpus'],
    memory: ['memory.usage_in_bytes'],
    blkio: ['blkio.throttle.io_service_bytes'],
  },
  2: {
    cpu: ['cpu.stat'],
    cpuacct: ['cpu.stat'],
    cpuset: ['cpuset.cpus.effective'],
    memory: ['memory.current'],
    blkio: ['io.stat'],
  },
};

/** Finds the folders of each controller. It takes any text, and does not throw. */
export function resolveCgroups(given: CgroupTexts): Cgroups {
  const paths = parseMemberships(given.memberships);
  const mounts = parseMounts(given.mounts).filter(({ type }) => type.startsWith('cgroup'));
  const texts = withoutPoint(given, mounts);
  const resolve = (controller: Controller): Resolved => {
    const legacy = mounts.filter(
      ({ type, options }) => type === 'cgroup' && options.includes(controller),
    );
    // A hybrid host lists memory in version 1 and mounts a unified hierarchy without controllers.
    const legacyPath = paths.get(controller);
    if (legacy.length > 0 && legacyPath !== undefined) {
      return choose(1, controller, legacy, legacyPath, texts);
    }
    const unified = mounts.filter(({ type }) => type === 'cgroup2');
    const path = paths.get(UNIFIED);
    if (unified.length === 0 || path === undefined || legacyPath !== undefined) {
      return { unresolved: `no hierarchy with ${controller} is mounted` };
    }
    return choose(2, controller, unified, path, texts);
  };
  return {
    cpu: resolve('cpu'),
    cpuacct: resolve('cpuacct'),
    cpuset: resolve('cpuset'),
    memory: resolve('memory'),
    blkio: resolve('blkio'),
    isPartial: mounts.some(({ root }) => root !== '/'),
    isOwnMounted: mounts.some(
      (mount) =>
        namesOf(mount.root).length > 0 &&
        isUsual(mount.point) &&
        [...paths.values()].some((path) => holds(mount, path)),
    ),
    paths: [...new Set(paths.values())],
  };
}

/** Who names a folder (`/sys/fs/cgroup/a`) means the group that it is of. */
function withoutPoint(texts: CgroupTexts, mounts: readonly Mount[]): CgroupTexts {
  const { forcedPath = '' } = texts;
  let longest = 0;
  for (const { point } of mounts) {
    const isBelow = point !== '/' && `${forcedPath}/`.startsWith(`${point}/`);
    if (isBelow && point.length > longest) longest = point.length;
  }
  return longest === 0 ? texts : { ...texts, forcedPath: forcedPath.slice(longest) || '/' };
}

export function isPath(resolved: Resolved): resolved is ControllerPath {
  return 'folders' in resolved;
}

/** @throws NoDataError where there is no such place */
export function pathOf(resolved: Resolved): ControllerPath {
  if (!isPath(resolved)) throw new NoDataError(resolved.unresolved);
  return resolved;
}

/** Whether a folder is the mount point of the usual place, or below it. */
function isUsual(point: string): boolean {
  return point === USUAL_POINT || point.startsWith(`${USUAL_POINT}/`);
}

/**
 * Of several mounts of one hierarchy: the one whose root holds the path, that has the files looked
 * for, and that is where hierarchies usually are.
 */
function choose(
  version: 1 | 2,
  controller: Controller,
  mounts: readonly Mount[],
  ownPath: string,
  texts: CgroupTexts,
): Resolved {
  const path = texts.forcedPath ?? ownPath;
  if (path.length > LONGEST_PATH) {
    return { unresolved: 'the path is longer than any of the kernel' };
  }
  let best: Resolved | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const mount of mounts) {
    const place = placeIn(version, controller, mount, path, texts);
    const penalty = penaltyOf(version, controller, mount, place, texts, path);
    if (penalty < least) [best, least] = [place, penalty];
  }
  return best ?? { unresolved: `no hierarchy with ${controller} is mounted` };
}

function penaltyOf(
  version: 1 | 2,
  controller: Controller,
  mount: Mount,
  place: Resolved,
  { has, forcedPath }: CgroupTexts,
  path: string,
): number {
  if (!isPath(place)) return 16;
  const [folder] = place.folders;
  const hasFiles = FILES[version][controller].some((name) => has(`${folder}/${name}`));
  const isHeld = forcedPath !== undefined || holds(mount, path);
  return (isHeld ? 0 : 8) + (hasFiles ? 0 : 4) + (isUsual(mount.point) ? 0 : 2);
}

/** Whether a path lies in the part of the hierarchy that is mounted. */
function holds(mount: Mount, path: string): boolean {
  const names = namesOf(path);
  return namesOf(mount.root).every((name, depth) => names[depth] === name);
}

/** The container's folder in one mount, and its parents there. */
function placeIn(
  version: 1 | 2,
  controller: Controller,
  mount: Mount,
  path: string,
  texts: CgroupTexts,
): Resolved {
  const { forcedPath, hasPrivateNamespace } = texts;
  // Mounted by someone outside our cgroup namespace, or moved out of its root: no name fits.
  const foreign = [mount.root, path].find((name) => namesOf(name).includes('..'));
  if (foreign !== undefined) {
    return { unresolved: `${mount.point} shows ${foreign}, which has no name here` };
  }
  const root = namesOf(mount.root);
  const names = namesOf(path);
  if (forcedPath !== undefined) {
    return { version, folders: chain(mount.point, names), isMachine: names.length === 0 };
  }
  if (!holds(mount, path)) return { version, folders: [mount.point], isMachine: false };
  const below = names.slice(root.length);
  // In a container the mount point is the container, even where the process sits further down.
  const isContainer = hasPrivateNamespace || root.length > 0;
  const depth = levelOf(version, controller, mount, below, isContainer, texts);
  const folders = chain(mount.point, below.slice(0, depth));
  return { version, folders, isMachine: !isContainer && folders.length === 1 };
}

/**
 * Which level below a mount point is the container: the one that carries a container's name; else the
 * mount point of a container; else the nearest one that has the controller's files, since a leaf of
 * rootless podman or of threads has none.
 */
function levelOf(
  version: 1 | 2,
  controller: Controller,
  mount: Mount,
  below: readonly string[],
  isContainer: boolean,
  { has }: CgroupTexts,
): number {
  const named = containerDepth(below.join('/'));
  if (named > 0) return named;
  if (isContainer) return 0;
  // CPU time is counted at every level of version 2; memory's files say where a group is whole.
  const files = FILES[version][version === 2 ? 'memory' : controller];
  for (let depth = below.length; depth > 0; depth -= 1) {
    const [folder] = chain(mount.point, below.slice(0, depth));
    if (files.some((name) => has(`${folder}/${name}`))) return depth;
  }
  return below.length;
}

/** `/sys/fs/cgroup` and `a`, `b` → …/a/b, …/a, the mount point. */
function chain(point: string, names: readonly string[]): [string, ...string[]] {
  const base = point === '/' ? '' : point;
  const folders = names.map((_, depth) => `${base}/${names.slice(0, depth + 1).join('/')}`);
  const [own = point, ...parents] = [...folders.reverse(), point];
  return [own, ...parents];
}
