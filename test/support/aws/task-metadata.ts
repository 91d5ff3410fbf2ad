import { createServer } from 'node:http';
import { Waiting } from '../waiting.ts';

/** An answer that is no document: a status, and a body that need not be JSON. */
export interface Bare {
  readonly status: number;
  readonly body: string;
}

/** The paths of the endpoint that the agent asks, below its base. */
export type Path = '' | '/task' | '/task/stats';

/** The task metadata endpoint of one container, version 4, on 127.0.0.1. */
export interface TaskServer {
  /** The value of ECS_CONTAINER_METADATA_URI_V4. */
  readonly uri: string;
  /**
   * What each path answers from now on: a document, a {@link Bare} answer, {@link SILENCE}, or a
   * function that makes one of these for each request.
   */
  readonly answers: Map<string, unknown>;
  /** The paths that were asked for, in order. */
  readonly asked: readonly string[];
  /** Resolves when so many requests for a path have come. @throws Error at the deadline */
  untilAsked(path: Path, times: number): Promise<void>;
  close(): Promise<void>;
}

/** No answer at all: the connection stays open. */
export const SILENCE: unique symbol = Symbol('no answer');

const BASE = '/v4/9f1c02d3e4b5a6978695a4b3c2d1e0f1-2862013447';
const DEADLINE_MS = 10_000;

/** @param answers what the paths answer at first; one that is left out is a 404 */
export async function startTaskServer(
  answers: Readonly<Partial<Record<Path, unknown>>>,
): Promise<TaskServer> {
  const now = new Map<string, unknown>(Object.entries(answers));
  const asked: string[] = [];
  const waiting = new Waiting();
  const server = createServer((request, response) => {
    const { url = '', method } = request;
    const path = url.startsWith(BASE) ? url.slice(BASE.length) : url;
    asked.push(path);
    const told = now.get(path);
    const answer: unknown = typeof told === 'function' ? told() : told;
    if (answer === SILENCE) {
      waiting.changed();
      return;
    }
    const isKnown = method === 'GET' && url.startsWith(BASE) && answer !== undefined;
    const { status, body } = isKnown ? rendered(answer) : { status: 404, body: 'not found' };
    response.writeHead(status, { 'content-type': 'application/json' }).end(body);
    waiting.changed();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    uri: `http://127.0.0.1:${port}${BASE}`,
    answers: now,
    asked,
    untilAsked: (path, times) =>
      waiting.until(
        () => asked.filter((one) => one === path).length >= times,
        DEADLINE_MS,
        () => `asked for ${JSON.stringify(asked)}`,
      ),
    close: async () => {
      waiting.fail(new Error('the server was closed during the wait'));
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

function rendered(answer: unknown): Bare {
  return isBare(answer) ? answer : { status: 200, body: JSON.stringify(answer) };
}

function isBare(answer: unknown): answer is Bare {
  return typeof answer === 'object' && answer !== null && 'status' in answer && 'body' in answer;
}

/** What `/task` says of one container. */
export interface ContainerShape {
  readonly id: string;
  readonly name?: string;
  readonly type?: string;
  /** KnownStatus; RUNNING where it is left out. */
  readonly status?: string;
  /** MiB; 0 for none. */
  readonly memory?: number;
}

export interface TaskShape {
  readonly launchType: 'EC2' | 'FARGATE';
  readonly containers: readonly ContainerShape[];
  /** vCPU and MiB; left out for a task without limits. */
  readonly limits?: { readonly CPU?: number; readonly Memory?: number };
  /** MiB. */
  readonly storage?: { readonly Utilized: number; readonly Reserved: number };
}

/** The last part of the ARN of {@link taskDocument}. */
export const TASK_ID = '158d1c8083dd49d6b527399fd6414f5c';

/** `/task` as the ECS agent and Fargate write it. */
export function taskDocument({ launchType, containers, limits, storage }: TaskShape): unknown {
  return {
    Cluster: 'arn:aws:ecs:us-west-2:111122223333:cluster/default',
    TaskARN: `arn:aws:ecs:us-west-2:111122223333:task/default/${TASK_ID}`,
    Family: 'curltest',
    ServiceName: 'MyService',
    Revision: '26',
    DesiredStatus: 'RUNNING',
    KnownStatus: 'RUNNING',
    ...(limits === undefined ? undefined : { Limits: limits }),
    PullStartedAt: '2020-10-02T00:43:06.202617438Z',
    PullStoppedAt: '2020-10-02T00:43:06.31288465Z',
    AvailabilityZone: 'us-west-2d',
    VPCID: 'vpc-1234567890abcdef0',
    LaunchType: launchType,
    Containers: containers.map(containerDocument),
    ...(storage === undefined ? undefined : { EphemeralStorageMetrics: storage }),
  };
}

/** A container, as `/task` lists it and as the endpoint's root describes the asking one. */
export function containerDocument(shape: ContainerShape): {
  readonly [name: string]: unknown;
} {
  const { id, name = id, type = 'NORMAL', status = 'RUNNING', memory } = shape;
  return {
    DockerId: id,
    Name: name,
    DockerName: `ecs-curltest-26-${name}-cca48e8dcadd97805600`,
    Image: '111122223333.dkr.ecr.us-west-2.amazonaws.com/app:latest',
    Labels: { 'com.amazonaws.ecs.container-name': name },
    DesiredStatus: 'RUNNING',
    KnownStatus: status,
    Limits: { CPU: 2, ...(memory === undefined ? undefined : { Memory: memory }) },
    CreatedAt: '2020-10-02T00:15:07.620912337Z',
    StartedAt: '2020-10-02T00:15:08.062559351Z',
    Type: type,
    LogDriver: 'awslogs',
  };
}

/** One container's statistics, in the agent's own terms. */
export interface StatsShape {
  /** Wall-clock milliseconds of this reading. */
  readonly read: number;
  /** Nanoseconds of CPU time since the container began. */
  readonly cpu: number;
  /** The reading before; left out where there was none, which the year 1 says. */
  readonly before?: { readonly read: number; readonly cpu: number };
  readonly usage: number;
  readonly inactiveFile?: number;
  /** All of the page cache, which is never less. */
  readonly cache?: number;
  readonly periods?: number;
  readonly throttled?: number;
}

const YEAR_1 = '0001-01-01T00:00:00Z';
/** What `memory_stats.limit` says of a container without one: a number of the machine's, not the task's. */
const NO_LIMIT = { v1: '9223372036854771712', v2: '4051226624' };

/** Docker's statistics with the keys of cgroup version 1. */
export function statsV1(shape: StatsShape): unknown {
  const { usage, inactiveFile = 0, cache = inactiveFile } = shape;
  return {
    ...commonStats(shape, { percpu_usage: [shape.cpu / 2, shape.cpu / 2] }),
    memory_stats: {
      usage,
      max_usage: usage * 2,
      limit: Number(NO_LIMIT.v1),
      stats: {
        // The keys without total_ are of this group alone, without those below it.
        cache: 1,
        inactive_file: 1,
        active_file: cache - inactiveFile,
        rss: usage - cache,
        hierarchical_memory_limit: Number(NO_LIMIT.v1),
        total_cache: cache,
        total_rss: usage - cache,
        total_shmem: 0,
        total_inactive_file: inactiveFile,
      },
    },
  };
}

/** Docker's statistics with the keys of cgroup version 2. */
export function statsV2(shape: StatsShape): unknown {
  const { usage, inactiveFile = 0, cache = inactiveFile } = shape;
  return {
    ...commonStats(shape, {}),
    memory_stats: {
      usage,
      limit: Number(NO_LIMIT.v2),
      stats: {
        anon: usage - cache,
        file: cache,
        inactive_file: inactiveFile,
        active_file: cache - inactiveFile,
        shmem: 0,
        slab: 0,
        workingset_refault_file: 0,
      },
    },
  };
}

function commonStats(shape: StatsShape, ofCpu: Readonly<Record<string, unknown>>): object {
  const { read, cpu, before, periods = 0, throttled = 0 } = shape;
  const cpuStats = (total: number): object => ({
    cpu_usage: {
      total_usage: total,
      ...ofCpu,
      usage_in_kernelmode: total / 4,
      usage_in_usermode: (total / 4) * 3,
    },
    system_cpu_usage: 13_939_680_000_000,
    online_cpus: 2,
    throttling_data: { periods, throttled_periods: throttled, throttled_time: 0 },
  });
  return {
    read: stampOf(read),
    preread: before === undefined ? YEAR_1 : stampOf(before.read),
    num_procs: 0,
    pids_stats: { current: 2 },
    networks: { eth1: { rx_bytes: 564655295, tx_bytes: 3043269 } },
    blkio_stats: { io_service_bytes_recursive: [] },
    storage_stats: {},
    cpu_stats: cpuStats(cpu),
    precpu_stats: before === undefined ? { cpu_usage: { total_usage: 0 } } : cpuStats(before.cpu),
  };
}

/** RFC 3339 with nanoseconds, as Go writes it. */
function stampOf(wallMs: number): string {
  return new Date(wallMs).toISOString().replace('Z', '617438Z');
}
