// Over 200 lines: a task's figures, their limits and what stands in for them share what came last.
import { NoDataError } from '../errors.ts';
import type { ContainerStats } from '../metadata/ecs.ts';
import { coresFit, utilization } from '../metrics/cpu.ts';
import { type Figures, type Meter, PLACES } from '../metrics/figures.ts';
import { putScopeHeld, putScopeMemory } from '../metrics/memory.ts';
import { putSpace } from '../metrics/pressure.ts';
import { commonMeters } from './common.ts';
import { TicksMeter } from './host.ts';
import { bytesLimit, bytesText, coresLimit, coresText, type Limit } from './limits.ts';
import { Machine } from './machine.ts';
import { absentBecause, isAnswer, meter, type NamedMeters, sourceOf } from './meters.ts';
import { type MemoryMode, type SourceOptions, withoutSelf } from './options.ts';
import type { RootFs } from './rootfs.ts';
import type { Source } from './source.ts';
import { type News, type NewsOptions, POLL_MS, runningMembers, TaskPoller } from './task-news.ts';

const NANOSECONDS_A_USEC = 1000;
const NANOSECONDS_A_MS = 1e6;

export interface TaskOptions extends SourceOptions, NewsOptions {
  /** The identity of the agent's own container. */
  readonly ownId: string;
}

/** All containers of an ECS task, by the statistics that its metadata endpoint gives. */
export function openTaskSource(fs: RootFs, options: TaskOptions): Source {
  const { wanted } = options;
  const machine = new Machine(fs);
  const poller = new TaskPoller(options);
  const limits = new TaskLimitsNow(machine, poller, options);
  const board: Board = { news: undefined, problem: '' };
  const standIn = new StandIn(fs, machine, poller, options);
  const wantsHeld = wanted.has('memoryHeld') || wanted.has('memoryHeldShare');
  const inner = sourceOf(
    () => describeTask(poller, limits, options),
    {
      'task statistics': meter(() => {
        if (board.problem !== '') throw new NoDataError(`${board.problem}${standIn.text}`);
      }),
      cpu: new TaskCpuMeter(board, limits, options, standIn),
      memory: newsMeter(board, 'memoryProblem', putTaskMemory(limits, options)),
      'held memory': wantsHeld ? newsMeter(board, 'memoryProblem', putTaskHeld(limits)) : undefined,
      throttling: wanted.has('cpuThrottled')
        ? newsMeter(board, 'cpuProblem', throttling())
        : undefined,
      'ephemeral storage': wanted.has('ephemeralStorage')
        ? newsMeter(board, undefined, (_news, figures) => putStorage(poller, figures))
        : undefined,
      ...untoldMeters(options),
      ...commonMeters(fs, options),
    },
    () => {
      poller.close();
      fs.close();
    },
  );
  return Object.assign(inner, {
    measure: withTurn(inner.measure, (nowMs) => {
      board.news = poller.news;
      board.problem = poller.problemAt(nowMs);
    }),
  });
}

const UNTOLD = 'task metadata does not tell it';

/** What was asked for and is in no answer of the endpoint. */
function untoldMeters({ wanted }: TaskOptions): NamedMeters {
  return {
    'CPU pressure': wanted.has('cpuPressure') ? absentBecause(UNTOLD) : undefined,
    'memory pressure': wanted.has('memoryPressure') ? absentBecause(UNTOLD) : undefined,
    'OOM kills': wanted.has('oomKills') ? absentBecause(UNTOLD) : undefined,
    swap: wanted.has('swap') ? absentBecause(UNTOLD) : undefined,
  };
}

function describeTask(poller: TaskPoller, limits: TaskLimitsNow, options: TaskOptions): string {
  const { task, news } = poller;
  const hasCache = news?.stats.some(({ inactiveFile }) => Number.isNaN(inactiveFile)) === true;
  return [
    'scope=task source=task-metadata',
    coresText(limits.cores()),
    bytesText(limits.bytes()),
    `mem.mode=${options.memoryMode}${hasCache ? ' (page cache included)' : ''}`,
    `launch=${task.launchType} every=${POLL_MS / 1000}s containers=${runningMembers(task).length}`,
  ].join(' ');
}

/** What there is to tell, looked at once a tick. */
interface Board {
  news: News | undefined;
  /** Why nothing has come for long. */
  problem: string;
}

function withTurn(measure: Source['measure'], turn: (nowMs: number) => void): Source['measure'] {
  return (nowMs, figures) => {
    turn(nowMs);
    return measure(nowMs, figures);
  };
}

/**
 * Tells each news once. The reason for what cannot be told stands until there are others: else it
 * would be taken back at the next tick, which has nothing to tell.
 *
 * @param own what must be whole of the news
 */
function newsMeter(
  board: Board,
  own: 'cpuProblem' | 'memoryProblem' | undefined,
  put: (news: News, figures: Figures) => void,
): Meter {
  let told: News | undefined;
  let failure: Error | undefined;
  return meter((_nowMs, figures) => {
    const { news, problem } = board;
    const reason = problem || (own === undefined ? '' : news?.[own]) || '';
    if (reason !== '') throw new NoDataError(reason);
    if (news !== told && news !== undefined) {
      told = news;
      failure = failureIn(() => put(news, figures));
    }
    if (failure !== undefined) throw failure;
  });
}

/** The answer that an act ends in; undefined where it does its work. */
function failureIn(act: () => void): Error | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    if (!isAnswer(error)) throw error;
    return error;
  }
}

class TaskLimitsNow {
  readonly #machine: Machine;
  readonly #poller: TaskPoller;
  readonly #options: TaskOptions;

  constructor(machine: Machine, poller: TaskPoller, options: TaskOptions) {
    this.#machine = machine;
    this.#poller = poller;
    this.#options = options;
  }

  cores(): Limit {
    return coresLimit(this.#options, this.#poller.task, this.#machine.countOnline());
  }

  /** The task's own limit, and the sum of its containers' where each has one: the tightest counts. */
  bytes(): Limit {
    const { task } = this.#poller;
    const each = runningMembers(task).map(
      ({ memoryBytes = Number.POSITIVE_INFINITY }) => memoryBytes,
    );
    const value = each.reduce((sum, limit) => sum + limit, 0) || Number.POSITIVE_INFINITY;
    const all = { value, from: 'task metadata' };
    return bytesLimit(this.#options, { bytes: task.memoryBytes }, this.#machine.total(), all);
  }

  /** @throws NoDataError where so many cores cannot have been in use */
  checkPossible(cores: number, spanMs: number): void {
    const online = this.#machine.countOnline();
    if (coresFit(cores, spanMs, online)) return;
    const used = Math.round(cores * 100) / 100;
    throw new NoDataError(
      `by task metadata ${used} cores were in use on ${online} CPUs, which cannot be`,
    );
  }
}

/** What a counter is compared with. */
type Counted = Pick<ContainerStats, 'at' | 'cpuNanoseconds'>;

/** Of the counters of each container: differenced one by one, then summed. */
class TaskCpuMeter implements Meter {
  readonly #board: Board;
  readonly #limits: TaskLimitsNow;
  readonly #options: TaskOptions;
  readonly #standIn: StandIn;
  readonly #news: Meter;
  #before: ReadonlyMap<string, Counted> = new Map();

  constructor(board: Board, limits: TaskLimitsNow, options: TaskOptions, standIn: StandIn) {
    this.#board = board;
    this.#limits = limits;
    this.#options = options;
    this.#standIn = standIn;
    this.#news = newsMeter(board, 'cpuProblem', this.#put);
  }

  measure(nowMs: number, figures: Figures): void {
    const { problem, news } = this.#board;
    // What happened in a gap is in no figure.
    if (problem !== '' || (news?.cpuProblem ?? '') !== '') this.#before = new Map();
    if (problem === '') this.#standIn.end();
    else if (this.#standIn.measure(nowMs, figures)) return;
    this.#news.measure(nowMs, figures);
  }

  readonly #put = ({ stats }: News, figures: Figures): void => {
    const { used, spanMs } = this.#used(stats);
    if (Number.isNaN(used)) return;
    this.#limits.checkPossible(used, spanMs);
    figures[PLACES.cpuCores] = used;
    const { value } = this.#limits.cores();
    if (!Number.isFinite(value)) throw new NoDataError('nothing says how many CPUs are 100 %');
    figures[PLACES.cpu] = utilization(used, value, spanMs);
  };

  /** Cores in use by all; NaN where one has no reading before. */
  #used(stats: readonly ContainerStats[]): { used: number; spanMs: number } {
    const selfNs = this.#selfNs();
    let used = 0;
    let spanMs = Number.POSITIVE_INFINITY;
    const now = new Map<string, Counted>();
    for (const one of stats) {
      const ns = one.cpuNanoseconds - (one.id === this.#options.ownId ? selfNs : 0);
      now.set(one.id, { at: one.at, cpuNanoseconds: ns });
      const earlier = this.#earlier(one, ns, selfNs);
      const span = earlier === undefined ? Number.NaN : one.at - earlier.at;
      const grown = earlier === undefined ? Number.NaN : ns - earlier.cpuNanoseconds;
      used += grown >= 0 && span > 0 ? grown / (span * NANOSECONDS_A_MS) : Number.NaN;
      if (span < spanMs) spanMs = span;
    }
    this.#before = now;
    return { used, spanMs };
  }

  /** Our last reading, or the container's own where it is new to us or began anew. */
  #earlier({ id, before }: ContainerStats, ns: number, selfNs: number): Counted | undefined {
    const last = this.#before.get(id);
    if (last !== undefined && last.cpuNanoseconds <= ns) return last;
    // The container's own holds while nothing is taken out of it.
    return id === this.#options.ownId && selfNs !== 0 ? undefined : before;
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
  readonly #poller: TaskPoller;

  constructor(fs: RootFs, machine: Machine, poller: TaskPoller, options: TaskOptions) {
    this.#poller = poller;
    const { cpuBase, saidCores: said = Number.POSITIVE_INFINITY, task } = options;
    const cores = (): number =>
      cpuBase === 'host'
        ? Number.POSITIVE_INFINITY
        : Math.min(poller.task.cores ?? Number.POSITIVE_INFINITY, said);
    const isOwnMachine = task.launchType === 'FARGATE';
    this.#open = isOwnMachine ? () => new TicksMeter(fs, machine, options, cores) : undefined;
  }

  /** @returns whether there is anything that stands in */
  measure(nowMs: number, figures: Figures): boolean {
    if (this.#open === undefined || this.#poller.news === undefined) return false;
    this.#ticks ??= this.#open();
    this.#ticks.measure(nowMs, figures);
    return true;
  }

  /** What the reason for an absence adds. */
  get text(): string {
    const stands = this.#open !== undefined && this.#poller.news !== undefined;
    return stands ? "; the machine's /proc/stat stands in for CPU" : '';
  }

  /** Ticks of an earlier failure are no baseline: the time between was told already. */
  end(): void {
    this.#ticks = undefined;
  }
}

type Put = (news: News, figures: Figures) => void;

function putTaskMemory(limits: TaskLimitsNow, options: TaskOptions): Put {
  return ({ stats }, figures) => {
    let used = 0;
    for (const one of stats) used += usedBytes(one, options.memoryMode);
    putScopeMemory(figures, withoutSelf(used, options), limits.bytes().value);
  };
}

function putTaskHeld(limits: TaskLimitsNow): Put {
  return ({ stats }, figures) => {
    let held = 0;
    for (const one of stats) held += one.held;
    if (Number.isNaN(held)) throw new NoDataError('task metadata does not tell what is held');
    putScopeHeld(figures, held, limits.bytes().value);
  };
}

/** Of the container that is throttled most. */
function throttling(): Put {
  let before: ReadonlyMap<string, NonNullable<ContainerStats['quotaPeriods']>> = new Map();
  return ({ stats }, figures) => {
    const now = new Map<string, NonNullable<ContainerStats['quotaPeriods']>>();
    let most = Number.NaN;
    for (const { id, quotaPeriods } of stats) {
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
  };
}

function putStorage({ task }: TaskPoller, figures: Figures): void {
  const { storage } = task;
  if (storage === undefined) return;
  putSpace(figures, 'ephemeralStorage', storage.used, storage.limit);
}

/** Where the platform does not tell the cache, it is in what is used. */
function usedBytes({ memoryUsage, inactiveFile, cache }: ContainerStats, mode: MemoryMode): number {
  const less = mode === 'workingset' ? inactiveFile : cache;
  return mode === 'usage' || Number.isNaN(less) ? memoryUsage : Math.max(0, memoryUsage - less);
}
