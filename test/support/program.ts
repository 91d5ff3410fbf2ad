import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { said } from './said.ts';

/** The built agent. */
export const AGENT: string = fileURLToPath(new URL('../../dist/agent.js', import.meta.url));

/** Longest wait for anything that a child does; a failing test ends by it, a passing one never waits. */
export const DEADLINE_MS = 20_000;
/** No child lives longer than this, so that a failing test cannot hang. */
const LIFETIME_MS = 90_000;

/** A child process whose output can be waited for. */
export interface Program {
  readonly child: ChildProcess;
  stdout(): string;
  stderr(): string;
  /** Resolves as soon as all output so far fits. @throws Error with the output at the deadline */
  until(what: string, fits: (program: Program) => boolean, deadlineMs?: number): Promise<void>;
  /** The exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>;
  kill(signal: NodeJS.Signals): void;
}

export interface ProgramOptions {
  readonly environment?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Runs the command in a process group of its own. */
  readonly detached?: boolean;
  /** It is ended after that. */
  readonly lifetimeMs?: number;
}

/** Starts a command with an environment of its own: PATH and what is given, nothing else. */
export function start(
  command: string,
  argv: readonly string[],
  options: ProgramOptions = {},
): Program {
  const child = spawn(command, argv, {
    env: { PATH: process.env['PATH'] ?? '', ...options.environment },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: options.detached ?? false,
    ...(options.cwd === undefined ? undefined : { cwd: options.cwd }),
  });
  const output = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output.stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    output.stderr += text;
  });
  const { lifetimeMs = LIFETIME_MS } = options;
  const lifetime = setTimeout(() => child.kill('SIGKILL'), lifetimeMs);
  const ended = once(child, 'close').then(([code, signal]) => {
    clearTimeout(lifetime);
    return code ?? signal;
  });

  const program: Program = {
    child,
    ended,
    stdout: () => output.stdout,
    stderr: () => output.stderr,
    kill: (signal) => {
      child.kill(signal);
    },
    until: (what, fits, deadlineMs = DEADLINE_MS) =>
      new Promise((resolve, reject) => {
        const settle = (finish: () => void): void => {
          clearTimeout(timer);
          child.stdout.off('data', look);
          child.stderr.off('data', look);
          child.off('close', closed);
          finish();
        };
        const report = (): Error =>
          new Error(`no ${what}\nstdout: ${output.stdout}\nstderr: ${output.stderr}`);
        const look = (): void => {
          if (fits(program)) settle(resolve);
        };
        const closed = (): void => settle(() => (fits(program) ? resolve() : reject(report())));
        const timer = setTimeout(() => settle(() => reject(report())), deadlineMs);
        child.stdout.on('data', look);
        child.stderr.on('data', look);
        child.on('close', closed);
        look();
      }),
  };
  return program;
}

/** Starts the built agent with this Node. What it says is kept for the search for secrets. */
export function startAgent(argv: readonly string[], options: ProgramOptions = {}): Program {
  const program = start(process.execPath, [AGENT, ...argv], options);
  program.ended.then(() => said(program.stdout() + program.stderr()));
  return program;
}

/** Runs the agent to its end. */
export async function runAgent(
  argv: readonly string[],
  options: ProgramOptions = {},
): Promise<{ code: number | NodeJS.Signals; stdout: string; stderr: string }> {
  const program = startAgent(argv, options);
  const code = await program.ended;
  return { code, stdout: program.stdout(), stderr: program.stderr() };
}
