import { type Program, start } from '../program.ts';
import type { Cgroup, Counters } from './cgroup.ts';
import type { Load } from './load.ts';
import type { Place } from './place.ts';

/** For whatever starts, on an emulated machine too. */
export const START_MS = 90_000;
const LIFETIME_MS = 180_000;

/** A window that a load with a hog ends before its time. */
export const HOG_SECONDS = 60;

export interface Sample {
  readonly CPUUtilization?: number;
  readonly MemoryUtilization?: number;
}

/** What one run of the agent said, and what the kernel counted meanwhile. */
export interface Measured {
  readonly code: number | string;
  readonly stdout: string;
  readonly stderr: string;
  /** The words of the start line: `scope`, `source`, `cpu.limit`, `mem.limit`. */
  readonly scope: Readonly<Record<string, string>>;
  /** Messages at warn and error level. */
  readonly warnings: readonly string[];
  readonly samples: readonly Sample[];
  /** The window's data, by metric name. */
  readonly metrics: Readonly<Record<string, number>>;
  /** Read by us, right after the agent's baseline and after each of its samples. */
  readonly truth: readonly Counters[];
}

interface Line extends Sample {
  readonly type: 'sample' | 'window';
  readonly request?: { readonly MetricData: readonly Datum[] };
}

interface Datum {
  readonly MetricName: string;
  readonly Value?: number;
}

interface LogLine {
  readonly level: string;
  readonly message: string;
}

/** The agent's command line, with samples as JSON on stdout. */
export function agentCommand(
  { node, agent }: Place,
  seconds: number,
  flags: readonly string[],
): string[] {
  const output = ['--log-format', 'json', '--log-level', 'info'];
  return [node, agent, '--dry-run', '--once', '--period', String(seconds), ...output, ...flags];
}

/** A load, and a command beside it, or none: then the load says `ready` and stays. */
export function loadCommand(
  { node, load }: Place,
  what: Load,
  command: readonly string[] = [],
): string[] {
  return [node, load, JSON.stringify(what), ...command];
}

/** The command in a cgroup: the shell joins, and then becomes the command. */
export function inCgroup(cgroup: Cgroup, command: readonly string[]): string[] {
  const join = 'while [ "$1" != -- ]; do echo $$ >"$1/cgroup.procs" || exit 125; shift; done';
  return ['sh', '-c', `${join}; shift; exec "$@"`, 'join', ...cgroup.dirs, '--', ...command];
}

/** Runs a command to its end that runs the agent, wherever; the truth is the sum of these cgroups. */
export function measure(
  command: readonly string[],
  ...cgroups: readonly Cgroup[]
): Promise<Measured> {
  return measureBeside(command, cgroups, () => Promise.resolve());
}

/** The same, with something that is done meanwhile. */
export async function measureBeside(
  command: readonly string[],
  cgroups: readonly Cgroup[],
  act: (agent: Program) => Promise<void>,
): Promise<Measured> {
  const [file = '', ...argv] = command;
  const program = start(file, argv, { lifetimeMs: LIFETIME_MS });
  const readings: (Counters | undefined)[] = [];
  program.child.stderr?.on('data', () => {
    if (readings.length === 0 && program.stderr().includes('scope=')) readings.push(sumOf(cgroups));
  });
  program.child.stdout?.on('data', (text: string) => {
    if (text.includes('"type":"sample"')) readings.push(sumOf(cgroups));
  });
  await act(program);
  const code = await program.ended;
  const truth = readings.filter((reading) => reading !== undefined);
  return { code, truth, ...told(program.stdout(), program.stderr()) };
}

/** Resolves when the agent has taken so many samples. */
export function untilSamples(agent: Program, count: number): Promise<void> {
  const taken = (): number => agent.stdout().split('"type":"sample"').length - 1;
  return agent.until(`${count} samples`, () => taken() >= count, START_MS);
}

/** Nothing as soon as one of them is gone. */
function sumOf(cgroups: readonly Cgroup[]): Counters | undefined {
  const all = cgroups.map((cgroup) => cgroup.counters()).filter((one) => one !== undefined);
  if (all.length === 0 || all.length < cgroups.length) return undefined;
  return all.reduce((sum, one) => ({
    atMs: one.atMs,
    cpuSec: sum.cpuSec + one.cpuSec,
    workingSet: sum.workingSet + one.workingSet,
    usage: sum.usage + one.usage,
    oomKills: sum.oomKills + one.oomKills,
    periods: sum.periods + one.periods,
    throttled: sum.throttled + one.throttled,
  }));
}

function told(stdout: string, stderr: string): Omit<Measured, 'code' | 'truth'> {
  const lines = jsonLines<Line>(stdout);
  const log = jsonLines<LogLine>(stderr);
  const start = log.find(({ message }) => message.startsWith('scope='))?.message ?? '';
  const data = lines.flatMap(({ request }) => request?.MetricData ?? []);
  return {
    stdout,
    stderr,
    scope: Object.fromEntries(
      [...start.matchAll(/(\S+?)=(\S+)/g)].map(([, name = '', value = '']) => [name, value]),
    ),
    warnings: log
      .filter(({ level }) => level === 'warn' || level === 'error')
      .map(({ message }) => message),
    samples: lines.filter(({ type }) => type === 'sample'),
    metrics: Object.fromEntries(
      data.map(({ MetricName, Value }) => [MetricName, Value ?? Number.NaN]),
    ),
  };
}

/** The lines that are objects in JSON; a runtime may have its own word between them. */
function jsonLines<Shape>(text: string): Shape[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('{') && line.endsWith('}'))
    .map((line) => JSON.parse(line));
}

/** Cores in use between the first and the last reading of the kernel's counters. */
export function coresUsed({ truth }: Measured): number {
  const [first, last] = [truth[0], truth.at(-1)];
  if (first === undefined || last === undefined) return Number.NaN;
  return ((last.cpuSec - first.cpuSec) / (last.atMs - first.atMs)) * 1000;
}

/** Of what the agent said, each sample by its span: the last one's is shorter. */
export function meanCpuPercent({ samples, truth }: Measured): number {
  const ends = truth.slice(1);
  const spans = ends.map(({ atMs }, index) => atMs - (truth[index]?.atMs ?? Number.NaN));
  const parts = spans.map((span, index) => span * (samples[index]?.CPUUtilization ?? Number.NaN));
  return mean(parts) / mean(spans);
}

/** Of the periods with a quota, those in which it ran out, in percent. */
export function throttledPercent({ truth }: Measured): number {
  const [first, last] = [truth[0], truth.at(-1)];
  if (first === undefined || last === undefined) return Number.NaN;
  return (100 * (last.throttled - first.throttled)) / (last.periods - first.periods);
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The upper one of an even number. */
export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

/**
 * The working set in percent of that limit, over the readings that belong to samples: as a median,
 * since the last of them may come when the container is already ending.
 */
export function memoryPercent({ truth }: Measured, limitMiB: number): number {
  return median(truth.slice(1).map(({ workingSet }) => (100 * workingSet) / (limitMiB * 2 ** 20)));
}
