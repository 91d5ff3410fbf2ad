import { readdirSync, readlinkSync } from 'node:fs';
import { systemCodeOf } from '../errors.ts';

/** Node closes what it came with up to here in whatever it starts; above it does not look. */
const LAST_CLOSED = 15;
const FIRST = 3;
const FOLDER = '/proc/self/fd';

/**
 * The descriptors beside the standard streams that we were started with (`3<file`, socket activation): the job
 * is to have them, too. Node's own are none of a file system, or pipes of which both ends are here.
 *
 * @param links what each descriptor is, as /proc/self/fd says it
 */
export function inheritedDescriptors(links: ReadonlyMap<number, string> = openLinks()): number[] {
  const all = [...links.values()];
  const isOwn = (what: string): boolean => {
    const isPair = what.startsWith('pipe:') && all.filter((other) => other === what).length > 1;
    return isPair || what.startsWith('anon_inode:');
  };
  return [...links]
    .filter(([fd, what]) => fd >= FIRST && fd <= LAST_CLOSED && !isOwn(what))
    .map(([fd]) => fd);
}

function openLinks(): Map<number, string> {
  try {
    return new Map(
      readdirSync(FOLDER).flatMap((name): [number, string][] => {
        const what = linkOf(`${FOLDER}/${name}`);
        return what === '' ? [] : [[Number(name), what]];
      }),
    );
  } catch (error) {
    // No /proc: nothing can be told apart.
    if (systemCodeOf(error) === undefined) throw error;
    return new Map();
  }
}

/** Empty for the one by which the folder was read. */
function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch (error) {
    if (systemCodeOf(error) === undefined) throw error;
    return '';
  }
}
