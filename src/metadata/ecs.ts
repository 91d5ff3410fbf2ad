// Over 200 lines: the endpoint's client and the shapes of its documents, which nobody else reads.
import { NoDataError } from '../errors.ts';
import type { HttpClient } from '../net/http.ts';
import {
  isFields as isJson,
  type Fields as Json,
  parseFields,
  textOf as text,
  within,
} from './json.ts';

/** A container of a task, as `/task` describes it. */
export interface TaskContainer {
  readonly id: string;
  readonly name: string;
  /** NORMAL, CNI_PAUSE, … */
  readonly type: string;
  /** RUNNING, STOPPED, …; empty where the platform does not say. */
  readonly status: string;
  /** Bytes; absent for none. */
  readonly memoryBytes?: number;
}

export interface Task {
  readonly cluster: string;
  readonly arn: string;
  readonly family: string;
  /** Empty where the platform does not say, or the task belongs to no service. */
  readonly serviceName: string;
  /** EC2, FARGATE, … */
  readonly launchType: string;
  readonly availabilityZone: string;
  /** vCPU; absent for none. */
  readonly cores?: number;
  readonly memoryBytes?: number;
  /** Bytes; absent where the platform does not say. */
  readonly storage?: { readonly used: number; readonly limit: number };
  readonly containers: readonly TaskContainer[];
}

/**
 * CPU time and memory of one container at one instant, from `/task/stats`. What the platform does not
 * tell is NaN.
 */
export interface ContainerStats {
  readonly id: string;
  /** Milliseconds since 1970, of the reading by the container runtime. */
  readonly at: number;
  readonly cpuNanoseconds: number;
  readonly memoryUsage: number;
  /** Page cache that can be had back at once; NaN, like all cache, where there are no details. */
  readonly inactiveFile: number;
  /** All page cache, and slabs where they are told. */
  readonly cache: number;
  /** What cannot be given back. */
  readonly held: number;
  readonly quotaPeriods?: { readonly periods: number; readonly throttled: number };
  /** The reading before, where there was one. */
  readonly before?: { readonly at: number; readonly cpuNanoseconds: number };
}

/** The metadata endpoint of an ECS or Fargate task, version 4. */
export interface TaskMetadata {
  /** Both of these: @throws NoDataError where it does not answer as it should */
  task(signal: AbortSignal): Promise<Task>;
  /** The identity of the container that asks. */
  ownId(signal: AbortSignal): Promise<string>;
  /** By the container's identity; undefined for one that has no statistics (yet, or any more). */
  stats(signal: AbortSignal): Promise<ReadonlyMap<string, ContainerStats | undefined>>;
}

const TIMEOUT_MS = 1000;
const MEBIBYTE = 1024 * 1024;
const OK = 200;

/** @param base the value of ECS_CONTAINER_METADATA_URI_V4, or of the older one without the ending */
export function openTaskMetadata(base: string, http: HttpClient): TaskMetadata {
  const get = async (path: string, signal: AbortSignal): Promise<Json> => {
    const url = urlOf(base.replace(/\/$/, '') + path);
    const headers = { accept: 'application/json' };
    const { status, body } = await http.send({
      method: 'GET',
      url,
      headers,
      timeoutMs: TIMEOUT_MS,
      direct: true,
      signal,
    });
    if (status !== OK) throw new NoDataError(`task metadata ${path || '/'}: HTTP ${status}`);
    const fields = parseFields(body);
    if (fields === undefined) throw new NoDataError(`task metadata ${path || '/'}: no JSON object`);
    return fields;
  };
  return {
    task: async (signal) => toTask(await get('/task', signal)),
    ownId: async (signal) => text(await get('', signal), 'DockerId'),
    stats: async (signal) =>
      new Map(
        Object.entries(await get('/task/stats', signal)).map(([id, stats]) => [
          id,
          isJson(stats) ? toStats(id, stats) : undefined,
        ]),
      ),
  };
}

/** @throws NoDataError where the variable holds no URL */
function urlOf(text: string): URL {
  try {
    return new URL(text);
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause;
    throw new NoDataError('the task metadata’s variable holds no URL', { cause });
  }
}

function toTask(json: Json): Task {
  const containers = Array.isArray(json['Containers']) ? json['Containers'].filter(isJson) : [];
  const limits = part(json, 'Limits');
  const storage = part(json, 'EphemeralStorageMetrics');
  const [used, limit] = [number(storage, 'Utilized'), number(storage, 'Reserved')];
  return {
    cluster: text(json, 'Cluster'),
    arn: text(json, 'TaskARN'),
    family: text(json, 'Family'),
    serviceName: text(json, 'ServiceName'),
    launchType: text(json, 'LaunchType'),
    availabilityZone: text(json, 'AvailabilityZone'),
    ...above(0, 'cores', number(limits, 'CPU')),
    ...above(0, 'memoryBytes', number(limits, 'Memory') * MEBIBYTE),
    ...(limit > 0 && used >= 0
      ? { storage: { used: used * MEBIBYTE, limit: limit * MEBIBYTE } }
      : undefined),
    containers: containers.map((container) => ({
      id: text(container, 'DockerId'),
      name: text(container, 'Name'),
      type: text(container, 'Type'),
      status: text(container, 'KnownStatus'),
      ...above(0, 'memoryBytes', number(part(container, 'Limits'), 'Memory') * MEBIBYTE),
    })),
  };
}

/**
 * Docker's statistics, with the keys of cgroup version 1 (`total_…`) or 2. Nothing for a container that
 * has not been read yet, which says year 1.
 */
function toStats(id: string, json: Json): ContainerStats | undefined {
  const cpu = part(json, 'cpu_stats');
  const at = instantOf(text(json, 'read'));
  if (!(at > 0)) return undefined;
  const throttling = part(cpu, 'throttling_data');
  const [periods, throttled] = [
    number(throttling, 'periods'),
    number(throttling, 'throttled_periods'),
  ];
  return {
    id,
    at,
    cpuNanoseconds: positive(part(cpu, 'cpu_usage'), 'total_usage'),
    ...toMemory(part(json, 'memory_stats')),
    ...(periods > 0 ? { quotaPeriods: { periods, throttled } } : undefined),
    ...before(json, at),
  };
}

function toMemory(
  memory: Json,
): Pick<ContainerStats, 'memoryUsage' | 'inactiveFile' | 'cache' | 'held'> {
  const details = part(memory, 'stats');
  const none = Object.keys(details).length > 0 ? 0 : Number.NaN;
  const first = (...names: readonly string[]): number =>
    names.map((name) => number(details, name)).find((value) => value >= 0) ?? none;
  const isLegacy = 'total_rss' in details;
  return {
    memoryUsage: positive(memory, 'usage'),
    inactiveFile: first('total_inactive_file', 'inactive_file'),
    // Version 2 has no key for all of it.
    cache: first('total_cache', 'cache', 'file') + first('slab'),
    held: isLegacy
      ? first('total_rss') + first('total_shmem')
      : number(details, 'anon') +
        first('shmem') +
        first('slab_unreclaimable') +
        first('kernel_stack') +
        first('pagetables') +
        first('sock'),
  };
}

/** An empty `precpu_stats` beside a `preread` is no reading. */
function before(json: Json, at: number): Pick<ContainerStats, 'before'> {
  const beforeAt = instantOf(text(json, 'preread'));
  const cpuNanoseconds = positive(part(part(json, 'precpu_stats'), 'cpu_usage'), 'total_usage');
  const isThere = beforeAt > 0 && beforeAt < at && cpuNanoseconds > 0;
  return isThere ? { before: { at: beforeAt, cpuNanoseconds } } : {};
}

/** A day, a time and a zone: without a zone it would be local time. */
const ISO_8601 = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2})$/;

/** Milliseconds since 1970 of an instant as ISO 8601 writes it; NaN for anything else. */
function instantOf(text: string): number {
  return ISO_8601.test(text) ? Date.parse(text) : Number.NaN;
}

function part(json: Json, name: string): Json {
  return within(json, name) ?? {};
}

function number(json: Json, name: string): number {
  const value = json[name];
  return typeof value === 'number' ? value : Number.NaN;
}

/** Nothing that runs has used nothing: a 0 is Go's way to write what is not there. */
function positive(json: Json, name: string): number {
  const value = number(json, name);
  return value > 0 ? value : Number.NaN;
}

/** A property that is there only where its number is above `least`. */
function above<Name extends string>(
  least: number,
  name: Name,
  value: number,
): { [name in Name]?: number } {
  const property: { [name in Name]?: number } = {};
  if (value > least) property[name] = value;
  return property;
}
