import { lstatSync, readFileSync, readlinkSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { unlessRefused } from '../errors.ts';

/**
 * File systems behind which a server or another process may be that does not answer. Reading one then
 * hangs for good, in a state that only SIGKILL ends.
 */
const REMOTE =
  /^(?:nfs4?|cifs|smb3|smbfs|9p|ceph|glusterfs|afs|lustre|beegfs|gpfs|autofs|virtiofs|fuse(?:blk|ctl)?|fuse\.(?!fuse-overlayfs$).*)$/;
const MOUNTINFO = '/proc/self/mountinfo';
/** As the kernel has it. */
const MOST_LINKS = 40;

/** What a path lies on, where that may hang; nothing where it does not. Asks nothing of it itself. */
export function remoteTypeOf(path: string): string | undefined {
  const mounts = mountsNow();
  if (![...mounts.values()].some((type) => REMOTE.test(type))) return undefined;
  return typeOn(mounts, resolve(path), MOST_LINKS);
}

/** From the root down, so that no name is asked for below what may hang. */
function typeOn(mounts: Mounts, path: string, linksLeft: number): string | undefined {
  const parts = path.split('/').filter((part) => part !== '');
  let at = '/';
  for (const [index, part] of parts.entries()) {
    at = join(at, part);
    const type = mounts.get(at);
    if (type !== undefined && REMOTE.test(type)) return type;
    const target = linkAt(at);
    if (target === undefined) continue;
    const rest = parts.slice(index + 1);
    const whole = join(resolve(dirname(at), target), ...rest);
    return linksLeft > 0 ? typeOn(mounts, whole, linksLeft - 1) : undefined;
  }
  return undefined;
}

/** File-system types by mount point; of several on one point the last is on top. */
type Mounts = ReadonlyMap<string, string>;

/** @see https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html */
function mountsNow(): Mounts {
  const mounts = new Map<string, string>();
  for (const line of textOf(MOUNTINFO).split('\n')) {
    const [, point, type] = /^\S+ \S+ \S+ \S+ (\S+) .*? - (\S+) /.exec(line) ?? [];
    if (point !== undefined && type !== undefined) mounts.set(unescaped(point), type);
  }
  return mounts;
}

function unescaped(point: string): string {
  return point.replace(/\\([0-7]{3})/g, (_, octal) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
}

/** Nowhere but on Linux is there such a file. */
function textOf(path: string): string {
  return unlessRefused(() => readFileSync(path, 'utf8'), '');
}

function linkAt(path: string): string | undefined {
  // What is wrong with it is said by whoever reads it.
  return unlessRefused(
    () => (lstatSync(path).isSymbolicLink() ? readlinkSync(path) : undefined),
    undefined,
  );
}
