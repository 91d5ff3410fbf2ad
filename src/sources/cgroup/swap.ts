import { NoDataError } from '../../errors.ts';
import { parseByteLimit } from '../../kernel/limits.ts';
import type { Fill } from '../../metrics/reading.ts';
import { readNumber } from '../readers.ts';
import type { Host } from '../rootfs.ts';
import type { Place } from './hierarchy.ts';

const NUMBER_BYTES = 64;
/** Version 1 writes about 2^63 for no limit; no machine has as much as this. */
const NO_LIMIT_BYTES = 2 ** 60;

/** Swap of a container, of what it may use. Without a limit, or without accounting, there is nothing to say. */
export function readSwapOf(host: Host, { version, folders: [folder] }: Place): () => Fill {
  const files = (names: readonly string[]) => names.map((name) => host.file(`${folder}/${name}`));
  const numbers = (names: readonly string[]): (() => number[]) => {
    const all = files(names);
    return () => all.map((file) => readNumber(file, file.head(NUMBER_BYTES), parseByteLimit));
  };
  if (version === 2) {
    const read = numbers(['memory.swap.current', 'memory.swap.max']);
    return () => limited(...pair(read()));
  }
  // Version 1 counts memory and swap together.
  const read = numbers([
    'memory.memsw.usage_in_bytes',
    'memory.usage_in_bytes',
    'memory.memsw.limit_in_bytes',
    'memory.limit_in_bytes',
  ]);
  return () => {
    const [both = 0, memory = 0, bothLimit = 0, limit = 0] = read();
    return limited(Math.max(0, both - memory), bothLimit - limit);
  };
}

function pair([used = 0, limit = 0]: readonly number[]): [number, number] {
  return [Number.isFinite(used) ? used : 0, limit];
}

function limited(used: number, limit: number): Fill {
  if (!(limit > 0 && limit < NO_LIMIT_BYTES)) throw new NoDataError('no limit on swap here');
  return { used, limit };
}
