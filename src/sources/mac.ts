import { execFile } from 'node:child_process';
import { cpus } from 'node:os';
import type { Clock } from '../clock.ts';
import { NoDataError, reasonOf } from '../errors.ts';
import { parseVmStat } from '../kernel/vmstat.ts';
import { putTicks } from '../metrics/cpu.ts';
import type { Figures, Meter } from '../metrics/figures.ts';
import { putMemory } from '../metrics/memory.ts';
import { AgentMeter } from './common.ts';
import { meter, sourceOf } from './meters.ts';
import type { SourceOptions } from './options.ts';
import type { Source } from './source.ts';

/** A child process takes some milliseconds of CPU. */
const POLL_MS = 5000;
const TIMEOUT_MS = 1000;
const MOST_OUTPUT_BYTES = 64 * 1024;

export interface MacOptions extends SourceOptions {
  readonly clock: Clock;
  /** Where vm_stat and sysctl are looked for, as PATH. */
  readonly path: string;
}

/**
 * A Mac: CPU from the kernel's own ticks by way of Node, memory from vm_stat, which is asked beside the
 * sampling and never holds it up.
 */
export function openMacSource({ clock, path, ...options }: MacOptions): Source {
  const { wanted } = options;
  const stop = new AbortController();
  let memory: { readonly used: number; readonly limit: number } | undefined;
  let failure = '';
  let total: Promise<number> | undefined;
  let cancel = clock.after(0, poll);

  function poll(): void {
    const run = (command: string, ...argv: string[]): Promise<string> =>
      output(command, argv, path, stop.signal);
    total ??= run('sysctl', '-n', 'hw.memsize').then(Number);
    Promise.all([run('vm_stat'), total])
      .then(([vmStat, limit]) => {
        if (!(limit > 0)) throw new NoDataError('sysctl hw.memsize gave no number');
        memory = { used: parseVmStat(vmStat), limit };
        failure = '';
      })
      .catch((error) => {
        failure = reasonOf(error);
        total = undefined;
      })
      .then(() => {
        if (!stop.signal.aborted) cancel = clock.after(POLL_MS, poll);
      });
  }

  /** Each result is handed over once; a failure stays until there is a result. */
  const memoryMeter = meter((_nowMs, figures) => {
    if (failure !== '') throw new NoDataError(failure);
    if (memory !== undefined) putMemory(figures, memory.used, memory.limit);
    memory = undefined;
  });
  const wantsAgent = wanted.has('agentCpu') || wanted.has('agentMemory');
  return sourceOf(
    () => 'scope=host source=macos cpu=os.cpus mem=vm_stat',
    {
      cpu: new MacTicksMeter(),
      memory: memoryMeter,
      agent: wantsAgent ? new AgentMeter(options) : undefined,
    },
    () => {
      stop.abort();
      cancel();
    },
  );
}

/** macOS counts neither waiting for disks nor steal; its ticks wrap after 497 days: a baseline. */
class MacTicksMeter implements Meter {
  #busy = Number.NaN;
  #idle = Number.NaN;
  #count = 0;

  measure(_nowMs: number, figures: Figures): void {
    const all = cpus();
    if (all.length === 0) throw new NoDataError('os.cpus() lists no CPU');
    let busy = 0;
    let idle = 0;
    for (const { times } of all) {
      busy += times.user + times.nice + times.sys;
      idle += times.idle;
    }
    const [busyGrown, idleGrown] = [busy - this.#busy, idle - this.#idle];
    const isSame = this.#count === all.length;
    [this.#busy, this.#idle, this.#count] = [busy, idle, all.length];
    if (!isSame || !(busyGrown >= 0 && idleGrown >= 0)) return;
    putTicks(figures, busyGrown, 0, idleGrown, all.length, Number.POSITIVE_INFINITY);
  }
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
