import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { codeOf, reasonOf } from '../errors.ts';
import { inheritedDescriptors } from './descriptors.ts';

/** How a job ended. */
export interface JobEnd {
  /** The exit code, or what a shell says in its place: 128 and the signal, 127, 126. */
  readonly code: number;
  readonly signal: NodeJS.Signals | undefined;
  /** Why it could not be started. */
  readonly notStarted: string | undefined;
  /** Monotonic. */
  readonly endedMs: number;
}

export interface Job {
  readonly pid: number | undefined;
  readonly ended: Promise<JobEnd>;
  kill(signal: NodeJS.Signals): void;
}

/** As a shell says it. */
const NOT_FOUND = 127;
const NOT_EXECUTABLE = 126;
const BY_SIGNAL = 128;

/**
 * Starts the job: no shell, our standard streams as they are, our process group.
 *
 * @param signals the system's numbers by name
 */
export function startJob(
  command: readonly string[],
  env: Readonly<Record<string, string>>,
  signals: Readonly<Record<string, number>>,
  nowMs: () => number,
): Job {
  const [file = '', ...argv] = command;
  let child: ChildProcess;
  try {
    child = spawn(file, argv, { stdio: streams(), env });
  } catch (error) {
    // An argument list that is too long, among others, is thrown.
    const ended = Promise.resolve(notStarted(error, nowMs()));
    return { pid: undefined, ended, kill: () => undefined };
  }
  const ended = new Promise<JobEnd>((resolve) => {
    child.once('error', (error) => {
      if (child.pid === undefined) resolve(notStarted(error, nowMs()));
    });
    child.once('exit', (code, signal) => {
      resolve({
        code: code ?? BY_SIGNAL + (signals[signal ?? ''] ?? 0),
        signal: signal ?? undefined,
        notStarted: undefined,
        endedMs: nowMs(),
      });
    });
  });
  return {
    pid: child.pid,
    ended,
    kill: (signal) => {
      child.kill(signal);
    },
  };
}

/** The standard streams, and what else we came with. */
function streams(): StdioOptions {
  const beyond = inheritedDescriptors();
  const last = Math.max(2, ...beyond);
  return Array.from({ length: last + 1 }, (_, fd) => {
    return fd <= 2 || beyond.includes(fd) ? 'inherit' : 'ignore';
  });
}

function notStarted(error: unknown, endedMs: number): JobEnd {
  const code = codeOf(error) === 'ENOENT' ? NOT_FOUND : NOT_EXECUTABLE;
  return { code, signal: undefined, notStarted: reasonOf(error), endedMs };
}
