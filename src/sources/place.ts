import type { ControllerPath } from './cgroup/hierarchy.ts';
import { containerDepth } from './cgroup/names.ts';
import type { RootFs } from './rootfs.ts';

/** Version 1's usual folders. */
const LEGACY_ACCOUNTING = ['cpuacct', 'cpu,cpuacct', 'cpuacct,cpu'];
const UNIT = /\.(?:slice|service|scope)$/;
/** Folders that are looked at for a group whose place is not known. */
const MOST_FOLDERS = 2000;

/**
 * Whether a folder is the root of a hierarchy: a machine's, not a container's. Files that each group of
 * version 2 has but the root; version 1 has one that only the root has.
 */
export function isHierarchyRoot(fs: RootFs, version: 1 | 2, folder: string): boolean {
  if (version === 1) return fs.has(`${folder}/release_agent`);
  const names = ['cgroup.events', 'cpu.max', 'memory.current'];
  return fs.has(`${folder}/cgroup.procs`) && !names.some((name) => fs.has(`${folder}/${name}`));
}

/** Whether a container's /sys/fs/cgroup is the machine's, as a privileged one's may be. */
export function isMachines(fs: RootFs, mount: string): boolean {
  return isHierarchyRoot(fs, 1, `${mount}/memory`) || isHierarchyRoot(fs, 2, mount);
}

/** Where a container's files are. */
export interface Place {
  readonly cpu: ControllerPath;
  readonly accounting: ControllerPath;
  readonly memory: ControllerPath;
}

/** In the machine's hierarchy, the place of a group by its names. */
export function placeBelow(fs: RootFs, mount: string, names: readonly string[]): Place | undefined {
  if (fs.has(`${mount}/memory`)) return placeOf(fs, mount, `/${names.join('/')}`);
  const folder = folderBelow(fs, mount, names);
  return folder === '' ? undefined : placeOf(fs, folder);
}

/**
 * The place of a container's group where its /sys/fs/cgroup is that of a node which is a container
 * itself (kind, Docker in LXC): no root of a hierarchy, and the group lies below it by its name.
 */
export function placeInside(
  fs: RootFs,
  mount: string,
  names: readonly string[],
): Place | undefined {
  const known = names.filter((name) => name !== '..');
  for (let from = 0; containerDepth(known.slice(from).join('/')) > 0; from += 1) {
    const tail = known.slice(from).join('/');
    if (fs.has(`${mount}/${tail}/cpu.stat`)) return placeOf(fs, `${mount}/${tail}`);
    const isLegacy = !fs.has(`${mount}/cpu.stat`);
    const place = isLegacy ? placeOf(fs, mount, `/${tail}`) : undefined;
    if (place !== undefined) return place;
  }
  if (names[0] !== '..' || containerDepth(known.join('/')) === 0) return undefined;
  const folder = folderBelow(fs, mount, names);
  return folder === '' ? undefined : placeOf(fs, folder);
}

/** A privileged container has the machine's hierarchy: its own group is below it, by its name. */
function folderBelow(fs: RootFs, mount: string, names: readonly string[]): string {
  const wanted = names.filter((name) => name !== '..').join('/');
  const folders = [mount];
  for (let looked = 0; looked < folders.length && looked < MOST_FOLDERS; looked += 1) {
    const folder = folders[looked] ?? '';
    const inside = wanted === '' ? '' : `${folder}/${wanted}`;
    if (inside !== '' && fs.has(`${inside}/cpu.stat`)) return inside;
    for (const name of fs.list(folder)) {
      // Files of the kernel have a dot and a controller's name; folders are units or bare.
      if (UNIT.test(name) || !name.includes('.')) folders.push(`${folder}/${name}`);
    }
  }
  return '';
}

/** @param group version 1: below each controller's root, where that is the machine's */
export function placeOf(fs: RootFs, mount: string, group: string = ''): Place | undefined {
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
