import { statfsSync } from 'node:fs';
import { rename, stat, unlink, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import process from 'node:process';
import { remoteTypeOf } from '../aws/mounts.ts';
import { type Clock, within } from '../clock.ts';
import { codeOf, failure, reasonOf } from '../errors.ts';
import type { Fields, Log } from '../log.ts';
import { lackOfThreads } from '../net/threads.ts';
import { writeFileApart } from '../run/write-file.ts';
import type { Sink } from '../sinks/sink.ts';
import { pidNamespace } from './healthy.ts';

export interface StatusFileOptions {
  readonly path: string;
  readonly periodMs: number;
  readonly clock: Clock;
  readonly log: Log;
  readonly pid: number;
  readonly version: string;
  readonly random: () => number;
  /** UV_THREADPOOL_SIZE */
  readonly poolSize: string | undefined;
  readonly threads: { held: number };
  /** A disk that does not answer may then hold no thread of ours: it would hold the job's end. */
  readonly isBesideJob: boolean;
}

/** A file that says how the agent is. It waits for nothing, holds nothing and never throws. */
export interface StatusFile {
  /** A sink whose end is told too. */
  around(sink: Sink): Sink;
  /** The first words at once, then a window at a time, at least once a minute. */
  begin(tell: () => Fields): void;
}

const LONGEST_MS = 60_000;
/** Of the time for the flush, kept for the last words, which may take longer where there is more left. */
const END_MS = 200;
/** Most that the last words may hold the end: room for two starts of a process on a busy machine. */
const LAST_MS = 3000;
/** So much sooner a process of its own is given up, so that the end finds it killed. */
const KILL_MS = 100;
/** For one writing by a process of its own. */
const APART_MS = 10_000;
/** A file system in memory always answers. @see linux/magic.h */
const TMPFS_MAGIC = 0x01021994;

function orNothing(error: unknown): undefined {
  if (codeOf(error) !== 'ENOENT') throw error;
}

export function openStatusFile(options: StatusFileOptions): StatusFile {
  const { path, periodMs, clock, log, pid, version, random, poolSize, threads } = options;
  const beside = `${path}.${random().toString(36).slice(2, 9)}.tmp`;
  let tell = (): Fields => ({});
  let cancel = (): void => undefined;
  let writing: Promise<void> | undefined;
  let busySinceMs = 0;
  let hurriedMs = Number.POSITIVE_INFINITY;
  let trouble = '';
  /** Tells what we have written last from what somebody else has. */
  let own: number | undefined;

  /** Said once, until it is over. */
  function report(reason: string): void {
    if (trouble !== reason) log.warn('the status file is not written', { file: path, reason });
    trouble = reason;
  }

  /** One at a time: what takes longer than a period is late, and not yet in trouble. */
  function turn(): void {
    cancel = clock.after(Math.min(periodMs, LONGEST_MS), turn);
    if (writing === undefined) {
      busySinceMs = clock.monoMs();
      writing = write('running', APART_MS).then(() => {
        writing = undefined;
      });
    } else if (clock.monoMs() - busySinceMs >= APART_MS) report('the disk does not answer');
  }

  /** After those that are on their way. */
  async function writeLast(endMs: number): Promise<void> {
    await writing;
    await write('ended', Math.max(0, endMs - KILL_MS - clock.monoMs()));
  }

  async function write(state: string, timeoutMs: number): Promise<void> {
    try {
      const status = {
        ...{ state, time: new Date(clock.wallMs()).toISOString(), periodSeconds: periodMs / 1000 },
        ...{ pid, pidNamespace: pidNamespace(), version, ...tell() },
      };
      await put(`${JSON.stringify(status)}\n`, timeoutMs);
      if (trouble !== '') log.warn('the status file is written again');
      trouble = '';
    } catch (error) {
      report(reasonOf(error));
    }
  }

  async function put(text: string, timeoutMs: number): Promise<void> {
    if (mayHang()) return writeFileApart(process.execPath, path, text, timeoutMs);
    const lack = lackOfThreads(poolSize);
    if (lack !== undefined) throw failure('EAGAIN', lack);
    threads.held += 1;
    try {
      await look();
      await writeFile(beside, text, { flag: 'wx' });
      own = (await stat(beside)).mtimeMs;
      await rename(beside, path);
    } catch (error) {
      await unlink(beside).catch(codeOf);
      throw error;
    } finally {
      threads.held -= 1;
    }
  }

  /** Whether what is there may be replaced. */
  async function look(): Promise<void> {
    const there = await stat(path).catch(orNothing);
    if (there === undefined) return;
    // A device or a FIFO would be gone.
    if (!there.isFile()) throw failure('EINVAL', `${path} is not an ordinary file`);
    if (own === undefined || own === there.mtimeMs) return;
    log.warn('another process writes the status file too', { file: path });
  }

  function mayHang(): boolean {
    if (remoteTypeOf(path) !== undefined) return true;
    return options.isBesideJob && statfsSync(dirname(path)).type !== TMPFS_MAGIC;
  }

  return {
    around: (sink) => ({
      accept: (window) => sink.accept(window),
      status: () => sink.status(),
      hurry(deadlineMs) {
        hurriedMs = deadlineMs;
        sink.hurry?.(deadlineMs - END_MS);
      },
      async flush(deadlineMs) {
        const outcome = await sink.flush(deadlineMs - END_MS);
        cancel();
        const leftMs = Math.max(
          0,
          Math.min(LAST_MS, Math.min(deadlineMs, hurriedMs) - clock.monoMs()),
        );
        await within(clock, leftMs, writeLast(clock.monoMs() + leftMs));
        return outcome;
      },
    }),
    begin(telling) {
      tell = telling;
      cancel = clock.after(0, turn);
    },
  };
}
