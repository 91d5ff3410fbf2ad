import { execFile } from 'node:child_process';
import { cpus } from 'node:os';
import type { Clock } from '../clock.ts';
import { NoDataError, reasonOf } from '../errors.ts';
import { parseVmStat } from '../kernel/vmstat.ts';
import type { Group, MachineTicks, Missing, Source } from '../metrics/reading.ts';
import type { SourceOptions } from './options.ts';
import { gauge, sourceOf } from './readers.ts';

/** A child process takes some milliseconds of CPU. */
const POLL_MS = 5000;
const TIMEOUT_MS = 1000;
const MOST_OUTPUT_BYTES = 64 * 1024;
/** os.cpus() gives milliseconds, a tick is 10. */
const MS_A_TICK = 10;

export interface MacOptions extends SourceOptions {
  readonly clock: Clock;
  /** Where vm_stat and sysctl are looked for, as PATH. */
  readonly path: string;
}

/**
 * A Mac: CPU from the kernel's own ticks by way of Node, memory from vm_stat, which is asked beside the
 * sampling and never holds it up.
 */
export function openMacSource({ clock, path, wanted, ownUse }: MacOptions): Source {
  const stop = new AbortController();
  let memory: Group<{ used: number; limit: number }> | Missing | undefined;
  let total: Promise<number> | undefined;
  let cancel = clock.after(0, poll);

  function poll(): void {
    const run = (command: string, ...argv: string[]): Promise<string> =>
      output(command, argv, path, stop.signal);
    total ??= run('sysctl', '-n', 'hw.memsize').then(Number);
    Promise.all([run('vm_stat'), total])
      .then(([vmStat, limit]) => {
        if (!(limit > 0)) throw new NoDataError('sysctl hw.memsize gave no number');
        memory = { at: clock.monoMs(), key: '', values: { used: parseVmStat(vmStat), limit } };
      })
      .catch((error) => {
        memory = { missing: reasonOf(error) };
        total = undefined;
      })
      .then(() => {
        if (!stop.signal.aborted) cancel = clock.after(POLL_MS, poll);
      });
  }

  /** Each result is handed over once; a failure stays until there is a result. */
  function newest(): typeof memory {
    const result = memory;
    if (result !== undefined && !('missing' in result)) memory = undefined;
    return result;
  }

  const wantsAgent = wanted.has('agentCpu') || wanted.has('agentMemory');
  return sourceOf(
    () => 'scope=host source=macos cpu=os.cpus mem=vm_stat',
    { ticks: gauge(readTicks), memory: newest, agent: wantsAgent ? gauge(ownUse) : undefined },
    () => {
      stop.abort();
      cancel();
    },
  );
}

/** macOS counts neither waiting for disks nor steal; its ticks wrap after 497 days, which is a baseline. */
function readTicks(): MachineTicks {
  const all = cpus();
  if (all.length === 0) throw new NoDataError('os.cpus() lists no CPU');
  const sum = (field: 'user' | 'nice' | 'sys' | 'idle'): number =>
    all.reduce((total, { times }) => total + times[field] / MS_A_TICK, 0);
  const ticks = { user: sum('user'), nice: sum('nice'), system: sum('sys'), idle: sum('idle') };
  const never = { iowait: 0, irq: 0, softirq: 0, steal: 0 };
  return { ticks: { ...ticks, ...never }, online: all.length, cores: all.length };
}

/** @throws NoDataError where the command is not there, fails, or takes too long */
function output(
  command: string,
  argv: readonly string[],
  path: string,
  signal: AbortSignal,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = {
      env: { PATH: path, LC_ALL: 'C' },
      timeout: TIMEOUT_MS,
      // One that hangs may not heed SIGTERM, and would never be asked again.
      killSignal: 'SIGKILL' as const,
      maxBuffer: MOST_OUTPUT_BYTES,
      signal,
    };
    execFile(command, argv, options, (error, stdout) => {
      if (error === null) resolve(stdout);
      else reject(new NoDataError(`${command}: ${error.message}`, { cause: error }));
    });
  });
}
