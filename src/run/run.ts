// Over 200 lines: the life of a job, from its start to the last deadline, is to be read in one piece.
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import type { Clock } from '../clock.ts';
import type { Environment } from '../environment.ts';
import { reasonOf, unlessRefused } from '../errors.ts';
import { type StopTimes, stayUntil, usualStopMs } from './deadline.ts';
import { intrusions, jobEnvironment } from './environment.ts';
import { type Job, type JobEnd, startJob } from './job.ts';
import { FORWARDED, type Forwarded, isToldByParent, isToldByTerminal, stateOf } from './signals.ts';

/** This process, as a parameter. */
export interface Self {
  readonly pid: number;
  readonly ppid: number;
  readonly isTerminal: boolean;
  on(signal: string, listener: () => void): void;
  off(signal: string): void;
  /** Ends or stops this very process. */
  raise(signal: string): void;
  exit(code: number): void;
}

/** All of a run that is known when it is over. */
export interface RunEnd extends JobEnd {
  /** The signal that ended it is one that somebody sent to us. */
  readonly wasAsked: boolean;
  /** Wall-clock milliseconds. */
  readonly startedWallMs: number;
  readonly durationMs: number;
}

/** What the agent does beside the job. */
export interface Beside {
  /**
   * What is measured so far goes now: somebody has asked the job to stop.
   *
   * @param deadlineMs monotonic; what finishes already does so by then
   */
  hurry(deadlineMs: number): void;
  /** The last window, the receipt, the report. @param deadlineMs monotonic */
  finish(end: RunEnd, deadlineMs: number): Promise<void>;
}

export interface RunSettings extends StopTimes {
  /** From SIGTERM until the job is killed; undefined for never. */
  readonly graceMs: number | undefined;
}

export interface RunOptions {
  readonly command: readonly string[];
  readonly environment: Environment;
  readonly self: Self;
  readonly clock: Clock;
  /** A line of ours about what is wrong. */
  readonly warn: (message: string) => void;
  /** Loads the agent; called when the job has been started. What it throws costs the figures alone. */
  readonly begin: (setUp: (settings: RunSettings) => void) => Promise<Beside>;
  /** When there is no agent, or it fails: the receipt all the same. */
  readonly finishAlone: (end: RunEnd) => Promise<void>;
}

/** Node's own default where nothing was parsed. */
const FLUSH_MS = 8000;
/** A job that stops does so at once, or has a reason not to. */
const STOP_LOOKS = [20, 100, 500];
const SIGINT = 'SIGINT';

/** Starts the job, passes on what comes for it, and ends as it did. It does not return. */
export async function runJob(options: RunOptions): Promise<void> {
  const { command, environment, clock, self } = options;
  let asked: number | undefined;
  let settings: RunSettings = {
    stopTimeoutMs: usualStopMs(environment),
    flushTimeoutMs: FLUSH_MS,
    graceMs: undefined,
  };
  let beside: Beside | undefined;
  const limit = new Limit(clock);
  const told = new Set<string>();
  const isParentTelling = isToldByParent(procText(`/proc/${self.ppid}/cmdline`), environment);

  const onSignal = (signal: Forwarded): void => {
    told.add(signal);
    const isTold = isParentTelling || isToldByTerminal(signal, procText('/proc/self/stat'));
    if (!isTold) job.kill(signal);
    if (signal === 'SIGTSTP') stopWith(job, options);
    if (signal !== 'SIGTERM' || asked !== undefined) return;
    asked = clock.monoMs();
    grace();
    // The job has ended, and we are still here.
    if (limit.ms < Number.POSITIVE_INFINITY) limit.bring(stayUntil(asked, asked, settings));
    beside?.hurry(limit.ms);
  };
  const grace = (): void => {
    const { graceMs } = settings;
    if (asked === undefined || graceMs === undefined) return;
    clock.after(Math.max(0, asked + graceMs - clock.monoMs()), () => {
      told.add('SIGKILL');
      job.kill('SIGKILL');
    });
  };

  for (const signal of FORWARDED) self.on(signal, () => onSignal(signal));
  const startedWallMs = clock.wallMs();
  const startedMs = clock.monoMs();
  const env = jobEnvironment(environment);
  const job = startJob(command, env, constants.signals, () => clock.monoMs());
  const begun = options
    .begin((given) => {
      settings = given;
      grace();
    })
    .then((one) => {
      beside = one;
      if (asked !== undefined) one.hurry(limit.ms);
    })
    .catch((error) => options.warn(`the job runs without the agent: ${reasonOf(error)}`));
  warnOfIntrusions(options);

  const end = await job.ended;
  limit.bring(stayUntil(end.endedMs, asked, settings));
  const wasAsked = end.signal !== undefined && told.has(end.signal);
  const run = { ...end, wasAsked, startedWallMs, durationMs: end.endedMs - startedMs };
  if (end.notStarted !== undefined) options.warn(`${command[0]}: ${end.notStarted}`);
  await finish(options, run, limit, async () => {
    await begun;
    return beside;
  });
  endAs(run, self);
}

/** What the agent has to do at the end, as long as there is time; at least the receipt. */
async function finish(
  { finishAlone, warn }: RunOptions,
  run: RunEnd,
  limit: Limit,
  besideOnceBegun: () => Promise<Beside | undefined>,
): Promise<void> {
  try {
    const work = async (): Promise<void> => {
      const beside = await besideOnceBegun();
      await (beside === undefined ? finishAlone(run) : beside.finish(run, limit.ms));
    };
    await Promise.race([work(), limit.over]);
  } catch (error) {
    warn(`the agent did not finish: ${reasonOf(error)}`);
    await finishAlone(run);
  }
}

function warnOfIntrusions({ environment, warn }: RunOptions): void {
  for (const name of intrusions(environment)) {
    const remedy = 'METRICS_AGENT_JOB_NODE_OPTIONS is for the job alone';
    warn(`NODE_OPTIONS has ${name}, which has loaded into the agent too; ${remedy}`);
  }
}

/** A person's Ctrl-C ends a shell's loop only if whoever it ran dies of it. */
function endAs({ code, signal }: RunEnd, self: Self): void {
  if (signal === SIGINT && self.isTerminal && self.pid !== 1) {
    self.off(SIGINT);
    self.raise(SIGINT);
  }
  self.exit(code);
}

/** Where the job has stopped, so do we: whoever waits for us must see it. CONT wakes both. */
function stopWith(job: Job, { clock, self }: RunOptions): void {
  const look = (place: number): void => {
    const afterMs = STOP_LOOKS[place];
    if (afterMs === undefined || job.pid === undefined) return;
    clock.after(afterMs, () => {
      if (stateOf(procText(`/proc/${job.pid}/stat`)) === 'T') self.raise('SIGSTOP');
      else look(place + 1);
    });
  };
  look(0);
}

/** What the kernel says of a process; empty where it does not. */
function procText(path: string): string {
  return unlessRefused(() => readFileSync(path, 'latin1'), '');
}

/** When the end is to be over. It can be brought forward. */
class Limit {
  ms = Number.POSITIVE_INFINITY;
  readonly over: Promise<void>;
  readonly #clock: Clock;
  #pass: () => void = () => undefined;
  #cancel: () => void = () => undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.over = new Promise((_, reject) => {
      this.#pass = () => reject(new Error('its time is over'));
    });
  }

  bring(ms: number): void {
    this.#cancel();
    this.ms = Math.min(this.ms, ms);
    this.#cancel = this.#clock.after(Math.max(0, this.ms - this.#clock.monoMs()), this.#pass);
  }
}
