import type { Writable } from 'node:stream';
import type { Clock } from '../clock.ts';

/** Where lines go. A reader that stalls must not hold up the sampling. */
export interface Lines {
  /** Takes a line without its line feed; false where it was left out, since too much waits. */
  write(line: string): boolean;
  /** Resolves when what was taken is out, or at the deadline (monotonic). */
  drained(deadlineMs: number): Promise<void>;
}

/** A few minutes of samples. */
const MAX_WAITING_BYTES = 64 * 1024;

/** Lines to a stream whose reader may stall: beyond a bounded buffer they are left out. */
export function linesTo(stream: Writable, clock: Clock): Lines {
  return {
    write(line) {
      if (stream.writableLength > MAX_WAITING_BYTES || stream.destroyed) return false;
      stream.write(`${line}\n`);
      return true;
    },
    drained(deadlineMs) {
      if (stream.writableLength === 0) return Promise.resolve();
      return new Promise((resolve) => {
        const cancel = clock.after(Math.max(0, deadlineMs - clock.monoMs()), resolve);
        stream.write('', () => {
          cancel();
          resolve();
        });
      });
    },
  };
}
