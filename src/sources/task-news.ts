// Over 200 lines: what is asked, when, and whether the answers are whole follow from one another.
import type { Clock } from '../clock.ts';
import { reasonOf } from '../errors.ts';
import type { ContainerStats, Task, TaskContainer, TaskMetadata } from '../metadata/ecs.ts';

/** The ECS agent renews statistics every second or more, and answers 40 requests a second at most. */
export const POLL_MS = 5000;
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
/** Longer than a few lost answers. */
const FAILING_MS = 30_000;

/** By the identity of the container. */
type Stats = ReadonlyMap<string, ContainerStats | undefined>;

/** Statistics of each running container at one poll, or why they are not whole. */
export interface News {
  readonly stats: readonly ContainerStats[];
  /** Why there is no sum of their CPU time; empty where there is one. */
  readonly cpuProblem: string;
  readonly memoryProblem: string;
}

export interface NewsOptions {
  readonly metadata: TaskMetadata;
  /** As it was when the source was chosen. */
  readonly task: Task;
  readonly clock: Clock;
}

/** Containers of the task itself that run: neither the network's, nor those that have stopped. */
export function runningMembers({ containers }: Task): readonly TaskContainer[] {
  return containers.filter(({ type, status }) => type === 'NORMAL' && isRunning(status));
}

/** Containers of the task itself that are listed and have not started yet. */
export function comingMembers({ containers }: Task): readonly TaskContainer[] {
  return containers.filter(
    ({ type, status }) => type === 'NORMAL' && !isRunning(status) && !ENDED.has(status),
  );
}

/** All others lead to RUNNING. @see https://github.com/aws/amazon-ecs-agent, ContainerStatus */
const ENDED = new Set(['STOPPED', 'ZOMBIE']);

function isRunning(status: string): boolean {
  return status === '' || status === 'RUNNING' || status === 'RESOURCES_PROVISIONED';
}

/** Containers as people know them. */
export function namesOf(containers: readonly TaskContainer[]): string {
  return containers.map(({ name, id }) => name || id).join(', ');
}

/** Asks the endpoint beside the sampling, which never waits for it. */
export class TaskPoller {
  readonly #options: NewsOptions;
  readonly #stop = new AbortController();
  task: Task;
  /** What came last. Its counters go on, so that whoever misses some news misses nothing. */
  news: News | undefined;
  #answeredMs: number;
  #failure = 'task metadata has not answered yet';
  #taskMs: number;
  /** When each container had been read that was handed over last. */
  #last: ReadonlyMap<string, number> = new Map();
  /** The same of all that had statistics at the last poll. */
  #seen: ReadonlyMap<string, number> = new Map();
  #standing = 0;
  #failedMs = POLL_MS;
  #cancel: () => void;

  constructor(options: NewsOptions) {
    this.#options = options;
    this.task = options.task;
    this.#answeredMs = options.clock.monoMs();
    this.#taskMs = this.#answeredMs;
    this.#cancel = options.clock.after(0, this.#poll);
  }

  /** Why nothing has come for long; empty while that is not so. */
  problemAt(nowMs: number): string {
    return nowMs - this.#answeredMs > FAILING_MS ? this.#failure : '';
  }

  close(): void {
    this.#stop.abort();
    this.#cancel();
  }

  readonly #poll = (): void => {
    this.#ask()
      .then(
        (pauseMs) => {
          this.#failedMs = POLL_MS;
          return pauseMs;
        },
        (error) => {
          this.#failure = reasonOf(error);
          this.#failedMs = Math.min(this.#failedMs * 2, LONGEST_POLL_MS);
          return this.#failedMs;
        },
      )
      .then((pauseMs) => {
        if (this.#stop.signal.aborted) return;
        this.#cancel = this.#options.clock.after(pauseMs, this.#poll);
      });
  };

  /** @returns how long to wait for the next poll */
  async #ask(): Promise<number> {
    const { metadata, clock } = this.#options;
    if (clock.monoMs() - this.#taskMs >= TASK_EVERY_MS) await this.#askTask();
    const stats = await metadata.stats(this.#stop.signal);
    const isDoubtful = this.#standing >= STALE_POLLS || this.#differs(stats);
    const sinceMs = clock.monoMs() - this.#taskMs;
    const isTooSoon = sinceMs < LEAST_TASK_MS;
    if (isDoubtful && !isTooSoon) await this.#askTask();
    this.#take(stats);
    return isDoubtful && isTooSoon ? LEAST_TASK_MS - sinceMs : POLL_MS;
  }

  async #askTask(): Promise<void> {
    this.#taskMs = this.#options.clock.monoMs();
    this.task = await this.#options.metadata.task(this.#stop.signal);
  }

  /**
   * Whether somebody has statistics and is not known, or is known and has none, or has new ones and is
   * not said to run.
   */
  #differs(stats: Stats): boolean {
    const { containers } = this.task;
    const known = new Set(containers.map(({ id }) => id));
    if (![...stats.keys()].every((id) => known.has(id))) return true;
    return containers.some(({ id, type, status }) => {
      if (type !== 'NORMAL') return false;
      const at = stats.get(id)?.at;
      return isRunning(status) ? at === undefined : at !== undefined && at !== this.#seen.get(id);
    });
  }

  /** A sum over some containers would be a wrong number: it waits until all have moved. */
  #take(stats: Stats): void {
    const all = [...stats.values()].flatMap((one) => one ?? []);
    this.#seen = new Map(all.map(({ id, at }) => [id, at]));
    const members = runningMembers(this.task);
    const there = members.flatMap(({ id }) => stats.get(id) ?? []);
    const standing = members.filter(({ id }) => {
      const at = stats.get(id)?.at;
      return at !== undefined && at === this.#last.get(id);
    });
    if (there.length === 0 || standing.length > 0) {
      this.#standing += 1;
      this.#failure =
        standing.length > 0
          ? `task metadata has no new statistics of ${namesOf(standing)}, which runs: a sum without it would be wrong`
          : `task metadata has no statistics of ${namesOf(members) || 'any container'}`;
      return;
    }
    this.#standing = 0;
    this.#last = new Map(there.map(({ id, at }) => [id, at]));
    this.#answeredMs = this.#options.clock.monoMs();
    const unlisted = this.#unlisted(all);
    this.news = {
      stats: there,
      cpuProblem: unlisted || lackingText(members, stats, ({ cpuNanoseconds }) => cpuNanoseconds),
      memoryProblem: unlisted || lackingText(members, stats, ({ memoryUsage }) => memoryUsage),
    };
  }

  /** Why the list of containers cannot be trusted; empty where it can be. */
  #unlisted(all: readonly ContainerStats[]): string {
    const known = new Set(this.task.containers.map(({ id }) => id));
    const ids = all.map(({ id }) => id).filter((id) => !known.has(id));
    if (ids.length === 0) return '';
    return `task metadata has statistics of ${ids.join(', ')}, which /task does not list`;
  }
}

/** Which running containers lack a figure; empty where none does. */
function lackingText(
  members: readonly TaskContainer[],
  stats: Stats,
  figure: (stats: ContainerStats) => number,
): string {
  const without = members.filter(({ id }) => {
    const one = stats.get(id);
    return one === undefined || Number.isNaN(figure(one));
  });
  if (without.length === 0) return '';
  return `task metadata has no figure of ${namesOf(without)}, which runs: a sum without it would be wrong`;
}
