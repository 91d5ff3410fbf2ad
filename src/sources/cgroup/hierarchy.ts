import { NoDataError } from '../../errors.ts';
import { parseMemberships, UNIFIED } from '../../kernel/cgroup.ts';
import { type Mount, parseMounts } from '../../kernel/mountinfo.ts';

/** The controllers whose files are read. */
export type Controller = 'cpu' | 'cpuacct' | 'cpuset' | 'memory';

/** The kernel's PATH_MAX. All parents of a longer one would take its square in memory. */
const LONGEST_PATH = 4096;

/** Where one controller's files are. */
export interface Place {
  readonly version: 1 | 2;
  /** The container's folder first, then each parent that is visible, up to the mount point. */
  readonly folders: readonly [string, ...string[]];
  /** It is the root of the hierarchy: no container, all of the machine. */
  readonly isMachine: boolean;
}

/** A place, or why there is none. */
export type Resolved = Place | { readonly unresolved: string };

export interface Cgroups {
  readonly cpu: Resolved;
  readonly cpuacct: Resolved;
  readonly cpuset: Resolved;
  readonly memory: Resolved;
  /** Some controller shows only a part of its hierarchy, as in a container. */
  readonly isPartial: boolean;
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
}

/** Finds the folders of each controller. It takes any text, and does not throw. */
export function resolveCgroups(texts: CgroupTexts): Cgroups {
  const paths = parseMemberships(texts.memberships);
  const mounts = parseMounts(texts.mounts).filter(({ type }) => type.startsWith('cgroup'));
  const resolve = (controller: Controller): Resolved => {
    const legacy = mounts.find(
      ({ type, options }) => type === 'cgroup' && options.includes(controller),
    );
    // A hybrid host lists memory in version 1 and mounts a unified hierarchy without controllers.
    if (legacy !== undefined && paths.has(controller)) {
      return place(1, legacy, paths.get(controller) ?? '/', texts);
    }
    const unified = mounts.find(({ type }) => type === 'cgroup2');
    const path = paths.get(UNIFIED);
    if (unified === undefined || path === undefined || paths.has(controller)) {
      return { unresolved: `no hierarchy with ${controller} is mounted` };
    }
    return place(2, unified, path, texts);
  };
  return {
    cpu: resolve('cpu'),
    cpuacct: resolve('cpuacct'),
    cpuset: resolve('cpuset'),
    memory: resolve('memory'),
    isPartial: mounts.some(({ root }) => root !== '/'),
    paths: [...new Set(paths.values())],
  };
}

export function isPlace(resolved: Resolved): resolved is Place {
  return 'folders' in resolved;
}

/** @throws NoDataError where there is no such place */
export function placeOf(resolved: Resolved): Place {
  if (!isPlace(resolved)) throw new NoDataError(resolved.unresolved);
  return resolved;
}

function place(version: 1 | 2, mount: Mount, ownPath: string, texts: CgroupTexts): Resolved {
  const { forcedPath, hasPrivateNamespace } = texts;
  const path = forcedPath ?? ownPath;
  if (path.length > LONGEST_PATH)
    return { unresolved: 'the path is longer than any of the kernel' };
  // Mounted by someone outside our cgroup namespace, or moved out of its root: no name fits.
  const foreign = [mount.root, path].find((name) => name.split('/').includes('..'));
  if (foreign !== undefined) {
    return { unresolved: `${mount.point} shows ${foreign}, which has no name here` };
  }
  // In a container the mount point is the container, even where the process sits further down.
  const isContainer = hasPrivateNamespace || mount.root !== '/';
  if (isContainer && forcedPath === undefined) {
    return { version, folders: [mount.point], isMachine: false };
  }
  const folders = chain(mount.point, path);
  return { version, folders, isMachine: folders.length === 1 };
}

/** `/sys/fs/cgroup` and `/a/b` → …/a/b, …/a, the mount point. */
function chain(point: string, path: string): [string, ...string[]] {
  const base = point === '/' ? '' : point;
  const names = path.split('/').filter((name) => name !== '' && name !== '.');
  const folders = names.map((_, depth) => `${base}/${names.slice(0, depth + 1).join('/')}`);
  const [own = point, ...parents] = [...folders.reverse(), point];
  return [own, ...parents];
}
