import { constants } from 'node:fs';
import { access, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { codeOf, failure } from '../errors.ts';
import { writeFileApart } from '../run/write-file.ts';
import type { Way } from './way.ts';

/** A FIFO without a reader is an error, and no wait. */
const FLAGS = constants.O_WRONLY | constants.O_APPEND | constants.O_NONBLOCK;
const MODE = 0o640;
const APART_MS = 10_000;
/** A full disk took a part of a line. */
const TORN = 'TORN_LINE';

/** As {@link append}, in a process of its own. */
const APPENDER = `
const { closeSync, openSync, readFileSync, writeSync }=require('fs');
try {
  const bytes = readFileSync(0);
  const fd = openSync(process.argv[1], ${FLAGS | constants.O_CREAT}, ${MODE});
  const written = writeSync(fd, bytes);
  closeSync(fd);
  if (written < bytes.length) throw { code: '${TORN}' };
} catch (error) {
  process.stderr.write(error.code || 'failed');
  process.exitCode = 1;
}`;

/**
 * Appends lines to a file, one write each. It is opened anew for each, so that one that was rotated or
 * removed is let go of.
 *
 * @param threads counts calls that hold a thread
 * @param apart Node, for a process that writes: a disk that does not answer then holds no thread of ours
 */
export function fileWay(path: string, threads: { held: number }, apart?: string): Way {
  let isTorn = false;
  return {
    async send(line) {
      // What was cut is ended, so that it spoils no other line.
      const text = `${isTorn ? '\n' : ''}${line}\n`;
      try {
        if (apart !== undefined) await writeFileApart(apart, path, text, APART_MS, APPENDER);
        else await held(threads, () => append(path, text));
        isTorn = false;
      } catch (error) {
        isTorn ||= codeOf(error) === TORN;
        throw error;
      }
    },
    close: () => undefined,
  };
}

async function append(path: string, text: string): Promise<void> {
  const bytes = Buffer.from(text);
  const file = await open(path, FLAGS | constants.O_CREAT, MODE);
  try {
    const { bytesWritten } = await file.write(bytes);
    if (bytesWritten < bytes.length) throw failure(TORN, `${path}: the disk is full`);
  } finally {
    await file.close();
  }
}

async function held<T>(threads: { held: number }, work: () => Promise<T>): Promise<T> {
  threads.held += 1;
  try {
    return await work();
  } finally {
    threads.held -= 1;
  }
}

/** Whether lines can be put there. It makes nothing. @throws Error with the system's code */
export function lookAtFile(path: string, threads: { held: number }): Promise<void> {
  return held(threads, async () => {
    try {
      await (await open(path, FLAGS)).close();
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error;
      await access(dirname(path), constants.W_OK | constants.X_OK);
    }
  });
}
