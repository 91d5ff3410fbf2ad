import { readFileSync, statSync, writeSync } from 'node:fs';
import process from 'node:process';

/** What a check of health goes by. Times as ISO 8601 has them. */
interface Status {
  readonly state: string;
  readonly time: string;
  readonly periodSeconds: number;
  readonly pid: number;
  readonly pidNamespace?: number;
  readonly upSeconds?: number;
  readonly lastSample?: string;
  readonly lastAccepted?: string;
  readonly notMeasured?: string;
  readonly windowsWaiting?: number;
  readonly windowsLost?: number;
}

const STDOUT = 1;
const PERIODS = 3;
const LEAST_SECONDS = 180;

/**
 * Whether the agent that keeps a status file is alive, in a sentence. The loop lives, and measures or says why
 * not; that CloudWatch cannot be reached is no sickness: a restart would lose what waits.
 *
 * @param path of the status file
 * @param maxAge in seconds; by default three periods of the agent, at least 180
 */
export function healthOf(path: string, maxAge?: number): readonly [isHealthy: boolean, string] {
  try {
    // A FIFO would keep us.
    if (!statSync(path).isFile()) return [false, `sick: ${path} is not an ordinary file`];
    const status: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (isStatus(status)) return judged(status, maxAge);
  } catch (error) {
    if (!(error instanceof SyntaxError)) {
      return [false, `sick: ${error}; is there an agent with --status-file ${path}?`];
    }
  }
  return [false, `sick: ${path} is torn, or not what --status-file writes`];
}

function judged(status: Status, maxAge: number | undefined): readonly [boolean, string] {
  const { state, pid, time, lastSample, notMeasured, upSeconds = 0 } = status;
  const most = maxAge || Math.max(LEAST_SECONDS, PERIODS * status.periodSeconds);
  const age = ageOf(time);
  const since = lastSample === undefined ? upSeconds : ageOf(lastSample);
  const sick = (how: string): [boolean, string] => [
    false,
    `sick: the agent, process ${pid}, ${how}`,
  ];
  if (state === 'ended') return sick(`ended ${age} s ago`);
  if (isGone(status)) return sick('is gone without a last word');
  if (age < -most) return sick(`told of itself ${-age} s in the future: a clock was set`);
  if (!(age <= most)) return sick(`told of itself ${age} s ago, expected at most ${most}`);
  if (since <= most) {
    const sampled = lastSample === undefined ? 'no sample yet' : `sampled ${since} s ago`;
    return [true, `healthy: ${sampled}${deliveryOf(status)}`];
  }
  if (notMeasured) return [true, `healthy, but for ${since} s no sample: ${notMeasured}`];
  return sick(`has not sampled for ${since} s and gives no reason`);
}

/** The sentence on standard output, and its exit code. */
export function tellHealth(path: string, maxAge?: number): void {
  const [isHealthy, sentence] = healthOf(path, maxAge);
  process.exitCode = isHealthy ? 0 : 1;
  try {
    // The stream would cost 2.5 MB. Who writes the file writes no commands to a terminal.
    writeSync(STDOUT, `${sentence.replace(/\p{Cc}/gu, ' ')}\n`);
  } catch (error) {
    // Nobody reads it: the exit code says it too.
    if (!(error instanceof Error && 'code' in error)) throw error;
  }
}

function deliveryOf({ lastAccepted, windowsWaiting = 0, windowsLost = 0 }: Status): string {
  const sent = lastAccepted === undefined ? 'none' : `the last ${ageOf(lastAccepted)} s ago`;
  return `; requests accepted: ${sent}; windows waiting ${windowsWaiting}, lost ${windowsLost}`;
}

/** Known in the same PID namespace alone. */
function isGone({ pid, pidNamespace: namespace }: Status): boolean {
  if (namespace === undefined || namespace !== pidNamespace()) return false;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ESRCH';
  }
}

/** Nothing where there are no namespaces. */
export function pidNamespace(): number | undefined {
  return statSync('/proc/self/ns/pid', { throwIfNoEntry: false })?.ino;
}

/** In whole seconds. */
function ageOf(time: string): number {
  return Math.round((Date.now() - Date.parse(time)) / 1000);
}

function isStatus(value: unknown): value is Status {
  const { state, time, pid, periodSeconds } = Object(value);
  const types = [typeof state, typeof time, typeof pid, typeof periodSeconds];
  return types.join() === 'string,string,number,number';
}
