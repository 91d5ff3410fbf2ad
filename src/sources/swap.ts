import { NoDataError, ParseError } from '../errors.ts';
import { memory, swapTotal, swapUsed } from '../kernel/meminfo.ts';
import type { Meter } from '../metrics/figures.ts';
import { putSpace } from '../metrics/pressure.ts';
import { meter } from './meters.ts';
import type { RootFs } from './rootfs.ts';

/** The machine's swap. A machine without any has nothing to report. */
export function swapMeter(fs: RootFs): Meter {
  const meminfo = fs.file('/proc/meminfo');
  return meter((_nowMs, figures) => {
    const end = meminfo.whole();
    const total = swapTotal(fs.buffer, end);
    if (!(total > 0)) throw new NoDataError('no swap: SwapTotal is 0');
    // A number that ran below 0 (LXCFS).
    if (memory(fs.buffer, end, 'SwapFree:') > total) {
      throw new NoDataError('/proc/meminfo: SwapFree is above SwapTotal, which cannot be');
    }
    const used = swapUsed(fs.buffer, end);
    if (Number.isNaN(used)) throw new ParseError(meminfo.path, 'no line "SwapFree:"');
    putSpace(figures, 'swap', used, total);
  });
}
