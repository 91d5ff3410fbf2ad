import { NoDataError } from '../../errors.ts';
import { parseByteLimit } from '../../kernel/limits.ts';
import type { Figures, Meter } from '../../metrics/figures.ts';
import { putSpace } from '../../metrics/pressure.ts';
import { readNumber } from '../files.ts';
import { NO_LIMIT_BYTES } from '../limits.ts';
import { meter } from '../meters.ts';
import type { RootFs } from '../rootfs.ts';
import type { ControllerPath } from './hierarchy.ts';

/**
 * Swap of a container, of what it may use. Without a limit, or without accounting, there is nothing
 * to say.
 */
export function containerSwapMeter(
  fs: RootFs,
  { version, folders: [folder] }: ControllerPath,
): Meter {
  const read = (name: string): number => readNumber(fs, fs.file(`${folder}/${name}`));
  const limitIn = (name: string): number => {
    const file = fs.file(`${folder}/${name}`);
    return parseByteLimit(file.text());
  };
  const put = (figures: Figures, used: number, limit: number): void => {
    if (!(limit > 0 && limit < NO_LIMIT_BYTES)) throw new NoDataError('no limit on swap here');
    putSpace(figures, 'swap', used, limit);
  };
  if (version === 2) {
    return meter((_nowMs, figures) => {
      put(figures, read('memory.swap.current'), limitIn('memory.swap.max'));
    });
  }
  // Version 1 counts memory and swap together.
  return meter((_nowMs, figures) => {
    const used = read('memory.memsw.usage_in_bytes') - read('memory.usage_in_bytes');
    const limit = limitIn('memory.memsw.limit_in_bytes') - limitIn('memory.limit_in_bytes');
    put(figures, Math.max(0, used), limit);
  });
}
