// Over 200 lines: what is asked, what is waited for and what it makes share one state.
import type { Clock } from '../clock.ts';
import { NoDataError, reasonOf } from '../errors.ts';
import type { ContainerStats, Task, TaskContainer, TaskMetadata } from '../metadata/ecs.ts';
import { utilization } from '../metrics/cpu.ts';
import { type Figures, type Meter, PLACES } from '../metrics/figures.ts';
import { putHeld, putMemory } from '../metrics/memory.ts';
import { putSpace } from '../metrics/pressure.ts';
import { commonMeters } from './common.ts';
import { TicksMeter } from './host.ts';
import {
  bytesText,
  coresText,
  knownLimit,
  type Limit,
  saidBytes,
  saidCores,
  taskLimit,
  tightest,
} from './limits.ts';
import { Machine } from './machine.ts';
import { meter, sourceOf } from './meters.ts';
import { type MemoryMode, type SourceOptions, withoutSelf } from './options.ts';
import type { RootFs } from './rootfs.ts';
import type { Source } from './source.ts';

/** The ECS agent renews statistics every second or more, and answers 40 requests a second at most. */
const POLL_MS = 5000;
const LONGEST_POLL_MS = 60_000;
/** Limits and containers of a task rarely change. */
const TASK_EVERY_MS = 60_000;
/** Where what is there and what has statistics differ, the task is asked at once, but not more often. */
const LEAST_TASK_MS = 1000;
/**
 * Statistics that stand still for so many polls are none. The ECS agent's slowest pace is 20 s
 * (ECS_POLLING_METRICS_WAIT_DURATION).
 */
const STALE_POLLS = 6;
const NANOSECONDS_A_USEC = 1000;
const NANOSECONDS_A_MS = 1e6;
/** Longer than a few lost answers. */
const FAILING_MS = 30_000;

export interface TaskOptions extends SourceOptions {
  readonly metadata: TaskMetadata;
  /** As it was when the source was chosen. */
  readonly task: Task;
  /** The identity of the agent's own container. */
  readonly ownId: string;
  readonly clock: Clock;
}

/** Statistics that have not been handed over: of each running container, or why they are not whole. */
interface News {
  readonly stats: readonly ContainerStats[];
  readonly cpuProblem: string;
  readonly memoryProblem: string;
}

/** Containers of the task itself that run: neither the network's, nor those that have stopped. */
export function runningMembers({ containers }: Task): readonly TaskContainer[] {
  return containers.filter(({ type, status }) => type === 'NORMAL' && isRunning(status));
}

/** Containers of the task itself that are listed and have not started yet. */
export function comingMembers({ containers }: Task): readonly TaskContainer[] {
  return containers.filter(({ type, status }) => type === 'NORMAL' && COMING.has(status));
}

const COMING = new Set(['NONE', 'MANIFEST_PULLED', 'PULLED', 'CREATED']);

/** @see https://github.com/aws/amazon-ecs-agent, ContainerStatus */
function isRunning(status: string): boolean {
  return status === '' || status === 'RUNNING' || status === 'RESOURCES_PROVISIONED';
}

/** Asks the endpoint beside the sampling, which never waits for it. */
class Poller {
  readonly #options: TaskOptions;
  readonly #stop = new AbortController();
  readonly #news: News[] = [];
  task: Task;
  answeredMs: number;
  hasAnswered = false;
  failure = 'no answer yet';
  #taskMs: number;
  /** When each container had been read that was handed over last. */
  #last: ReadonlyMap<string, number> = new Map();
  #standing = 0;
  #delayMs = POLL_MS;
  #cancel: () => void;

  constructor(options: TaskOptions) {
    this.#options = options;
    this.task = options.task;
    this.answeredMs = options.clock.monoMs();
    this.#taskMs = this.answeredMs;
    this.#cancel = options.clock.after(0, this.#poll);
  }

  take(): News | undefined {
    return this.#news.shift();
  }

  close(): void {
    this.#stop.abort();
    this.#cancel();
  }

  readonly #poll = (): void => {
    const { clock } = this.#options;
    this.#ask()
      .then(
        () => {
          this.#delayMs = POLL_MS;
        },
        (error) => {
          this.failure = reasonOf(error);
          this.#delayMs = Math.min(this.#delayMs * 2, LONGEST_POLL_MS);
        },
      )
      .then(() => {
        if (!this.#stop.signal.aborted) this.#cancel = clock.after(this.#delayMs, this.#poll);
      });
  };

  async #ask(): Promise<void> {
    const { metadata, clock } = this.#options;
    const { signal } = this.#stop;
    if (clock.monoMs() - this.#taskMs >= TASK_EVERY_MS) await this.#askTask();
    const stats = await metadata.stats(signal);
    const isStanding = this.#standing >= STALE_POLLS;
    if ((isStanding || this.#differs(stats)) && clock.monoMs() - this.#taskMs >= LEAST_TASK_MS) {
      await this.#askTask();
    }
    const members = runningMembers(this.task);
    const there = members.flatMap(({ id }) => stats.get(id) ?? []);
    // A sum over some containers would be a wrong number: wait until all have moved.
    const isNew = there.length > 0 && there.every(({ id, at }) => this.#last.get(id) !== at);
    this.#standing = isNew ? 0 : this.#standing + 1;
    if (!isNew) {
      this.failure = 'task metadata has no statistics, or none that are new';
      return;
    }
    this.#last = new Map(there.map(({ id, at }) => [id, at]));
    this.answeredMs = clock.monoMs();
    this.hasAnswered = true;
    this.#news.push({
      stats: there,
      cpuProblem: problemOf(members, stats, ({ cpuNanoseconds }) => cpuNanoseconds),
      memoryProblem: problemOf(members, stats, ({ memoryUsage }) => memoryUsage),
    });
  }

  async #askTask(): Promise<void> {
    this.#taskMs = this.#options.clock.monoMs();
    this.task = await this.#options.metadata.task(this.#stop.signal);
  }

  /** Whether somebody has statistics and is not known, or is known and has none. */
  #differs(stats: ReadonlyMap<string, ContainerStats | undefined>): boolean {
    const known = new Set(this.task.containers.map(({ id }) => id));
    const isKnown = [...stats.keys()].every((id) => known.has(id));
    return !isKnown || runningMembers(this.task).some(({ id }) => stats.get(id) === undefined);
  }
}

/** Which running containers lack a figure; empty where none does. */
function problemOf(
  members: readonly TaskContainer[],
  stats: ReadonlyMap<string, ContainerStats | undefined>,
  figure: (stats: ContainerStats) => number,
): string {
  const without = members.filter(({ id }) => {
    const one = stats.get(id);
    return one === undefined || Number.isNaN(figure(one));
  });
  if (without.length === 0) return '';
  const names = without.map(({ name, id }) => name || id);
  return `task metadata has no figure of ${names.join(', ')}, which runs: a sum without it would be wrong`;
}

/** All containers of an ECS task, by the statistics that its metadata endpoint gives. */
export function openTaskSource(fs: RootFs, options: TaskOptions): Source {
  const { wanted, memoryMode } = options;
  const machine = new Machine(fs);
  const poller = new Poller(options);
  const limits = new TaskLimitsNow(machine, poller, options);
  const board: Board = { news: undefined, problem: '' };
  const standIn = new StandIn(fs, machine, poller, options);
  const wantsHeld = wanted.has('memoryHeld') || wanted.has('memoryHeldShare');
  const inner = sourceOf(
    () =>
      [
        `scope=task source=task-metadata containers=${runningMembers(poller.task).length}`,
        coresText(limits.cores()),
        bytesText(limits.bytes()),
        `mem.mode=${memoryMode} launch=${poller.task.launchType} every=${POLL_MS / 1000}s`,
      ].join(' '),
    {
      'task statistics': meter(() => {
        if (board.problem !== '') throw new NoDataError(`${board.problem}${standIn.text}`);
      }),
      cpu: new TaskCpuMeter(board, limits, options, standIn),
      memory: memoryMeter(board, limits, options),
      'held memory': wantsHeld ? heldMeter(board, limits) : undefined,
      throttling: wanted.has('cpuThrottled') ? throttlingMeter(board) : undefined,
      'ephemeral storage': wanted.has('ephemeralStorage') ? storageMeter(board, poller) : undefined,
      ...commonMeters(fs, options),
    },
    () => {
      poller.close();
      fs.close();
    },
  );
  return Object.assign(inner, {
    measure: withNews(inner.measure, (nowMs) => {
      board.news = poller.take();
      const isFailing = board.news === undefined && nowMs - poller.answeredMs > FAILING_MS;
      board.problem = isFailing ? poller.failure : '';
    }),
  });
}

/** What this tick has to tell. */
interface Board {
  news: News | undefined;
  /** Why nothing has come for long. */
  problem: string;
}

function withNews(measure: Source['measure'], turn: (nowMs: number) => void): Source['measure'] {
  return (nowMs, figures) => {
    turn(nowMs);
    return measure(nowMs, figures);
  };
}

/** @throws NoDataError where the news are not whole, or nothing has come for long */
function newsOf({ news, problem }: Board, own: 'cpuProblem' | 'memoryProblem'): News | undefined {
  const reason = news?.[own] || problem;
  if (reason !== '') throw new NoDataError(reason);
  return news;
}

class TaskLimitsNow {
  readonly #machine: Machine;
  readonly #poller: Poller;
  readonly #options: TaskOptions;

  constructor(machine: Machine, poller: Poller, options: TaskOptions) {
    this.#machine = machine;
    this.#poller = poller;
    this.#options = options;
  }

  cores(): Limit {
    const online = knownLimit(this.#machine.countOnline(), 'online CPUs');
    if (this.#options.cpuBase === 'host') return online;
    return tightest(online, taskLimit(this.#poller.task.cores), saidCores(this.#options));
  }

  bytes(): Limit {
    const { task } = this.#poller;
    const total = knownLimit(this.#machine.total(), 'MemTotal');
    const each = runningMembers(task).map(
      ({ memoryBytes = Number.POSITIVE_INFINITY }) => memoryBytes,
    );
    const all = each.reduce((sum, limit) => sum + limit, 0) || Number.POSITIVE_INFINITY;
    return tightest(total, taskLimit(task.memoryBytes ?? all), saidBytes(this.#options));
  }
}

/** Of the counters of each container: differenced one by one, then summed. */
class TaskCpuMeter implements Meter {
  readonly #board: Board;
  readonly #limits: TaskLimitsNow;
  readonly #options: TaskOptions;
  readonly #standIn: StandIn;
  #before: ReadonlyMap<string, Pick<ContainerStats, 'at' | 'cpuNanoseconds'>> = new Map();

  constructor(board: Board, limits: TaskLimitsNow, options: TaskOptions, standIn: StandIn) {
    this.#board = board;
    this.#limits = limits;
    this.#options = options;
    this.#standIn = standIn;
  }

  measure(nowMs: number, figures: Figures): void {
    const { news, problem } = this.#board;
    if (problem !== '' && this.#standIn.measure(nowMs, figures)) return;
    if (problem === '') this.#standIn.end();
    const whole = newsOf(this.#board, 'cpuProblem');
    if (whole === undefined || news === undefined) return;
    const { used, spanMs } = this.#used(whole.stats);
    if (Number.isNaN(used)) return;
    figures[PLACES.cpuCores] = used;
    const { value } = this.#limits.cores();
    if (!Number.isFinite(value)) throw new NoDataError('nothing says how many CPUs are 100 %');
    figures[PLACES.cpu] = utilization(used, value, spanMs);
  }

  /** Cores in use by all; NaN where one has no reading before, or began anew. */
  #used(stats: readonly ContainerStats[]): { used: number; spanMs: number } {
    const selfNs = this.#selfNs();
    let used = 0;
    let spanMs = Number.POSITIVE_INFINITY;
    const now = new Map<string, Pick<ContainerStats, 'at' | 'cpuNanoseconds'>>();
    for (const { id, at, cpuNanoseconds, before } of stats) {
      const ns = cpuNanoseconds - (id === this.#options.ownId ? selfNs : 0);
      now.set(id, { at, cpuNanoseconds: ns });
      // Its own reading before holds while nothing was taken out of it.
      const earlier = this.#before.get(id) ?? (selfNs === 0 ? before : undefined);
      const grown = earlier === undefined ? Number.NaN : ns - earlier.cpuNanoseconds;
      const span = earlier === undefined ? Number.NaN : at - earlier.at;
      used += grown >= 0 && span > 0 ? grown / (span * NANOSECONDS_A_MS) : Number.NaN;
      if (span < spanMs) spanMs = span;
    }
    this.#before = now;
    return { used, spanMs };
  }

  #selfNs(): number {
    const { excludeSelf, selfUsage } = this.#options;
    return excludeSelf ? selfUsage().cpuUsec * NANOSECONDS_A_USEC : 0;
  }
}

/** On Fargate the machine is the task's alone, so that its busy cores are the task's. */
class StandIn {
  readonly #open: (() => TicksMeter) | undefined;
  #ticks: TicksMeter | undefined;
  readonly #poller: Poller;

  constructor(fs: RootFs, machine: Machine, poller: Poller, options: TaskOptions) {
    this.#poller = poller;
    const cores = (): number =>
      options.cpuBase === 'host'
        ? Number.POSITIVE_INFINITY
        : (poller.task.cores ?? Number.POSITIVE_INFINITY);
    const isOwnMachine = options.task.launchType === 'FARGATE';
    this.#open = isOwnMachine ? () => new TicksMeter(fs, machine, options, cores) : undefined;
  }

  /** @returns whether there is anything that stands in */
  measure(nowMs: number, figures: Figures): boolean {
    if (this.#open === undefined || !this.#poller.hasAnswered) return false;
    this.#ticks ??= this.#open();
    this.#ticks.measure(nowMs, figures);
    return true;
  }

  /** What the reason for an absence adds. */
  get text(): string {
    const stands = this.#open !== undefined && this.#poller.hasAnswered;
    return stands ? "; the machine's /proc/stat stands in for CPU" : '';
  }

  /** Ticks of an earlier failure are no baseline: the time between was told already. */
  end(): void {
    this.#ticks = undefined;
  }
}

function memoryMeter(board: Board, limits: TaskLimitsNow, options: TaskOptions): Meter {
  return meter((_nowMs, figures) => {
    const news = newsOf(board, 'memoryProblem');
    if (news === undefined) return;
    let used = 0;
    for (const stats of news.stats) used += usedBytes(stats, options.memoryMode);
    used = withoutSelf(used, options);
    const { value } = limits.bytes();
    if (Number.isFinite(value)) putMemory(figures, used, value);
    else figures[PLACES.memoryUsed] = used;
  });
}

function heldMeter(board: Board, limits: TaskLimitsNow): Meter {
  return meter((_nowMs, figures) => {
    const news = newsOf(board, 'memoryProblem');
    if (news === undefined) return;
    let held = 0;
    for (const stats of news.stats) held += stats.held;
    if (Number.isNaN(held)) throw new NoDataError('task metadata does not tell what is held');
    const { value } = limits.bytes();
    if (Number.isFinite(value)) putHeld(figures, held, value);
    else figures[PLACES.memoryHeld] = held;
  });
}

/** Of the container that is throttled most. */
function throttlingMeter(board: Board): Meter {
  let before: ReadonlyMap<string, NonNullable<ContainerStats['quotaPeriods']>> = new Map();
  return meter((_nowMs, figures) => {
    const { news } = board;
    if (news === undefined) return;
    const now = new Map<string, NonNullable<ContainerStats['quotaPeriods']>>();
    let most = Number.NaN;
    for (const { id, quotaPeriods } of news.stats) {
      if (quotaPeriods === undefined) continue;
      now.set(id, quotaPeriods);
      const earlier = before.get(id);
      if (earlier === undefined || quotaPeriods.periods <= earlier.periods) continue;
      const grown = quotaPeriods.periods - earlier.periods;
      const share = (100 * (quotaPeriods.throttled - earlier.throttled)) / grown;
      if (!(most >= share)) most = share;
    }
    before = now;
    if (most >= 0) figures[PLACES.cpuThrottled] = Math.min(100, most);
  });
}

function storageMeter(board: Board, poller: Poller): Meter {
  return meter((_nowMs, figures) => {
    const { storage } = poller.task;
    if (board.news === undefined || storage === undefined) return;
    putSpace(figures, 'ephemeralStorage', storage.used, storage.limit);
  });
}

function usedBytes({ memoryUsage, inactiveFile, cache }: ContainerStats, mode: MemoryMode): number {
  if (mode === 'usage') return memoryUsage;
  return Math.max(0, memoryUsage - (mode === 'workingset' ? inactiveFile : cache));
}
