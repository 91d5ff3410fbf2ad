import type { RootFs } from './rootfs.ts';

/**
 * The table of mounts of the machine or container that the root shows. Below another machine's root,
 * /proc/self is this very process, which has mounts of its own: there process 1's table is the root's.
 */
export function mountTable(fs: RootFs): string {
  const ownTable = (): string => fs.text('/proc/self/mountinfo');
  return fs.root === '/' ? ownTable() : fs.text('/proc/1/mountinfo') || ownTable();
}
