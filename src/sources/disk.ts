import { NoDataError } from '../errors.ts';
import { parseMounts } from '../kernel/mountinfo.ts';
import type { Meter } from '../metrics/figures.ts';
import { putSpace } from '../metrics/pressure.ts';
import { meter } from './meters.ts';
import { mountTable } from './mounts.ts';
import type { RootFs, Space } from './rootfs.ts';

/** A file system fills slowly; asking it is a system call on another's code. */
const DISK_EVERY_MS = 30_000;
/**
 * Local file systems. Any other type may be a network's, and one call on a dead one blocks the agent
 * for good.
 */
const LOCAL_TYPES = new Set(
  'ext2 ext3 ext4 xfs btrfs f2fs zfs overlay tmpfs ramfs erofs squashfs bcachefs'.split(' '),
);

/** The root file system, judged by the root's own table of mounts. */
export function diskMeter(fs: RootFs): Meter {
  let last: Space | undefined;
  let askedMs = Number.NEGATIVE_INFINITY;
  return meter((nowMs, figures) => {
    if (last === undefined || nowMs - askedMs >= DISK_EVERY_MS) {
      last = readSpace(fs);
      askedMs = nowMs;
    }
    putSpace(figures, 'disk', last.used, last.limit);
  });
}

function readSpace(fs: RootFs): Space {
  const mounts = parseMounts(mountTable(fs));
  const type = mounts.find(({ point }) => point === '/')?.type ?? 'none';
  if (!LOCAL_TYPES.has(type)) {
    throw new NoDataError(`/ is of the type ${type}, which may be a network's: not asked`);
  }
  return fs.space('/');
}
