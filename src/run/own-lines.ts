import { closeSync, constants, fstatSync, openSync, writeSync } from 'node:fs';
import type { Clock } from '../clock.ts';
import { codeOf } from '../errors.ts';

/** Lines of ours, to a reader that may stall. */
export interface OwnLines {
  /** @returns false where it was left out */
  write(line: string): boolean;
  drained(deadlineMs: number): Promise<void>;
}

/** A few minutes of lines. */
const MAX_WAITING_BYTES = 64 * 1024;
const RETRY_MS = 20;
const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = constants;

/**
 * Lines to a descriptor that the job shares, without a change to how the job has it: Node makes a pipe
 * non-blocking for all who share it when it opens a stream on it, and jobs then get EAGAIN. A pipe or a
 * terminal is opened anew. An ordinary file is not, whose position is shared, nor can a socket be: these
 * are written as they are.
 */
export function openOwnLines(fd: number, clock: Clock): OwnLines {
  let own: number | undefined;
  let waiting: Buffer<ArrayBufferLike> = Buffer.alloc(0);
  let isGone = false;
  let cancel: (() => void) | undefined;
  let onDrained: () => void = () => undefined;

  const pour = (): void => {
    cancel = undefined;
    own ??= openAnew(fd);
    try {
      while (waiting.length > 0) waiting = waiting.subarray(writeSync(own, waiting));
    } catch (error) {
      if (codeOf(error) === 'EAGAIN') cancel = clock.after(RETRY_MS, pour);
      else isGone = true;
    }
    if (isGone) waiting = Buffer.alloc(0);
    if (waiting.length === 0) onDrained();
  };

  return {
    write(line) {
      if (isGone || waiting.length > MAX_WAITING_BYTES) return false;
      waiting = Buffer.concat([waiting, Buffer.from(`${line}\n`)]);
      if (cancel === undefined) pour();
      return !isGone;
    },
    drained(deadlineMs) {
      if (waiting.length === 0) return Promise.resolve();
      return new Promise((resolve) => {
        const stop = clock.after(Math.max(0, deadlineMs - clock.monoMs()), resolve);
        onDrained = () => {
          stop();
          resolve();
        };
      });
    },
  };
}

function openAnew(fd: number): number {
  let own: number | undefined;
  try {
    if (fstatSync(fd).isFile()) return fd;
    own = openSync(`/proc/self/fd/${fd}`, O_WRONLY | O_NONBLOCK | O_NOCTTY);
    return own;
  } catch (error) {
    // ENXIO: a socket. EACCES: another user's pipe. ENOENT: no /proc here.
    if (codeOf(error) === undefined) throw error;
    if (own !== undefined) closeSync(own);
    return fd;
  }
}
