// Over 200 lines: what is asked, what is waited for and what it makes share one state.
import type { Clock } from '../clock.ts';
import { reasonOf } from '../errors.ts';
import type { ContainerStats, Task, TaskMetadata } from '../metadata/ecs.ts';
import {
  type CpuCounter,
  type CpuLoad,
  type Fill,
  isMissing,
  type Missing,
  type QuotaPeriods,
  type Reading,
  type Source,
} from '../metrics/reading.ts';
import { ticksReader } from './host.ts';
import { bytesText, coresText, type Limit, taskLimit, tightest } from './limits.ts';
import { openMachine } from './machine.ts';
import { lessOwn, type MemoryMode, type SourceOptions } from './options.ts';
import { commonReaders } from './pressure.ts';
import { gauge, sourceOf } from './readers.ts';
import type { Host } from './rootfs.ts';

/** The ECS agent renews statistics every second or more, and answers 40 requests a second at most. */
const POLL_MS = 5000;
const LONGEST_POLL_MS = 60_000;
/** Limits and containers of a task rarely change. */
const TASK_EVERY_POLLS = 12;
/**
 * A container whose statistics stand still for so many polls no longer counts. The ECS agent's slowest
 * pace is 20 s (ECS_POLLING_METRICS_WAIT_DURATION).
 */
const STALE_POLLS = 6;
const NANOSECONDS_A_USEC = 1000;
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

/** Statistics that have not been handed over. */
interface News {
  readonly stats: readonly ContainerStats[];
  /** Of the reading before the first, which only says where the CPU time stood. */
  readonly isBaseline: boolean;
}

/** All containers of an ECS task, by the statistics that its metadata endpoint gives. */
export function openTaskSource(host: Host, options: TaskOptions): Source {
  const { metadata, clock, wanted, memoryMode, cpuBase, excludeSelf, ownUse, ownId } = options;
  const machine = openMachine(host);
  const baseCores = cpuBase === 'host' ? undefined : options.task.cores;
  const microVm = ticksReader(machine, machine.readTicks, baseCores);
  const stop = new AbortController();
  const news: News[] = [];
  let task = options.task;
  /** When the containers had been read that were handed over last. */
  let last: ReadonlyMap<string, number> = new Map();
  let standing: ReadonlyMap<string, Standing> = new Map();
  let polls = 0;
  let answeredMs = clock.monoMs();
  let failure = 'no answer yet';
  let delayMs = POLL_MS;
  let cancel = clock.after(0, poll);

  function poll(): void {
    ask()
      .then(
        (isMoving) => {
          if (isMoving) answeredMs = clock.monoMs();
          else failure = 'task metadata has no statistics, or none that are new';
          delayMs = POLL_MS;
        },
        (error) => {
          failure = reasonOf(error);
          delayMs = Math.min(delayMs * 2, LONGEST_POLL_MS);
        },
      )
      .then(() => {
        if (!stop.signal.aborted) cancel = clock.after(delayMs, poll);
      });
  }

  /** Whether there were statistics that move. */
  async function ask(): Promise<boolean> {
    polls += 1;
    if (polls % TASK_EVERY_POLLS === 0) task = await metadata.task(stop.signal);
    const stats = counted(await metadata.stats(stop.signal), task);
    standing = stillStanding(standing, stats);
    const moving = stats.filter(({ id }) => (standing.get(id)?.polls ?? 0) < STALE_POLLS);
    // A sum over some containers would be a wrong number: wait until all have moved.
    if (moving.length > 0 && moving.every(({ id, at }) => last.get(id) !== at)) {
      const before = moving.flatMap(readingBefore);
      if (last.size === 0 && before.length === moving.length) {
        news.push({ stats: before, isBaseline: true });
      }
      last = new Map(moving.map(({ id, at }) => [id, at]));
      news.push({ stats: moving, isBaseline: false });
    }
    return moving.length > 0;
  }

  function cores(): Limit {
    const online: Limit = { value: machine.countOnline(), from: 'online CPUs' };
    return cpuBase === 'host' ? online : tightest(online, taskLimit(task.cores));
  }

  function bytes(): Limit {
    const total: Limit = { value: machine.readMemory('workingset').limit, from: 'MemTotal' };
    const each = task.containers
      .filter(({ type }) => type === 'NORMAL')
      .map(({ memoryBytes = Number.POSITIVE_INFINITY }) => memoryBytes);
    const all = each.reduce((sum, limit) => sum + limit, 0) || Number.POSITIVE_INFINITY;
    return tightest(total, taskLimit(task.memoryBytes ?? all));
  }

  function load(stats: readonly ContainerStats[]): CpuLoad[] {
    const ownNs = excludeSelf ? ownUse().cpuUsec * NANOSECONDS_A_USEC : 0;
    const counters = stats.map(
      ({ id, at, cpuNanoseconds }): CpuCounter => ({
        key: id,
        at,
        nanoseconds: cpuNanoseconds - (id === ownId ? ownNs : 0),
      }),
    );
    return [{ cores: cores().value, counters }];
  }

  function fill(stats: readonly ContainerStats[]): Fill {
    const used = stats.reduce((sum, one) => sum + usedBytes(one, memoryMode), 0);
    return lessOwn({ used, limit: bytes().value }, options);
  }

  function readingOf({ stats, isBaseline }: News, nowMs: number): Reading {
    const cpu = gauge(() => load(stats))(nowMs);
    if (isBaseline) return { cpu };
    const { storage } = task;
    const throttling = stats.flatMap(({ id, quotaPeriods }): QuotaPeriods[] =>
      quotaPeriods === undefined ? [] : [{ key: id, ...quotaPeriods }],
    );
    return {
      cpu,
      memory: gauge(() => fill(stats))(nowMs),
      ...(wanted.has('cpuThrottled') && throttling.length > 0
        ? { throttling: gauge(() => throttling)(nowMs) }
        : undefined),
      ...(wanted.has('ephemeralStorage') && storage !== undefined
        ? { ephemeralStorage: gauge(() => storage)(nowMs) }
        : undefined),
    };
  }

  function failing(nowMs: number): Reading {
    const missing: Missing = { missing: failure };
    if (task.launchType !== 'FARGATE') return { cpu: missing, memory: missing };
    // The machine is the task's alone, so its busy cores are the task's.
    const reason = `${failure}; the machine's /proc/stat stands in`;
    const ticks = microVm(nowMs);
    if (ticks === undefined || isMissing(ticks)) return { cpu: missing, memory: missing, ticks };
    // Not to be held against the ticks of an earlier failure: the time between was told already.
    const key = `${ticks.key} since ${answeredMs}`;
    return { cpu: { missing: reason }, memory: missing, ticks: { ...ticks, key } };
  }

  const common = sourceOf(
    () => '',
    commonReaders(host, options),
    () => undefined,
  );
  return {
    describe: () =>
      [
        'scope=task source=task-metadata',
        coresText(cores()),
        bytesText(bytes()),
        `mem.mode=${memoryMode} launch=${task.launchType} every=${POLL_MS / 1000}s`,
      ].join(' '),
    read(nowMs) {
      const next = news.shift();
      const isFailing = next === undefined && nowMs - answeredMs > FAILING_MS;
      const reading = next === undefined ? {} : readingOf(next, nowMs);
      return { ...common.read(nowMs), ...reading, ...(isFailing ? failing(nowMs) : undefined) };
    },
    close() {
      stop.abort();
      cancel();
      host.close();
    },
  };
}

/** Containers of the task itself, without the network's. The agent's own is among them. */
function counted(stats: readonly ContainerStats[], { containers }: Task): ContainerStats[] {
  const others = new Set(containers.filter(({ type }) => type !== 'NORMAL').map(({ id }) => id));
  return stats.filter(({ id }) => !others.has(id));
}

/** How long a container's reading has stood still. */
interface Standing {
  readonly at: number;
  readonly polls: number;
}

function stillStanding(
  before: ReadonlyMap<string, Standing>,
  stats: readonly ContainerStats[],
): Map<string, Standing> {
  return new Map(
    stats.map(({ id, at }) => {
      const earlier = before.get(id);
      return [id, { at, polls: earlier?.at === at ? earlier.polls + 1 : 0 }];
    }),
  );
}

function readingBefore(stats: ContainerStats): ContainerStats[] {
  return stats.before === undefined ? [] : [{ ...stats, ...stats.before }];
}

function usedBytes({ memoryUsage, inactiveFile, cache }: ContainerStats, mode: MemoryMode): number {
  const less = { workingset: inactiveFile, usage: 0, 'free-cache': cache };
  return Math.max(0, memoryUsage - less[mode]);
}
