// Over 200 lines: one endpoint and the oddities of its documents.
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { NoDataError } from '../../src/errors.ts';
import { type ContainerStats, openTaskMetadata } from '../../src/metadata/ecs.ts';
import { createHttpClient } from '../../src/net/http.ts';
import {
  type ContainerShape,
  containerDocument,
  type Path,
  SILENCE,
  type StatsShape,
  startTaskServer,
  statsV1,
  statsV2,
  type TaskServer,
  type TaskShape,
  taskDocument,
} from '../support/aws/task-metadata.ts';

const MIB = 1024 * 1024;
/** The wall clock at the first reading of the statistics. */
const WALL = Date.parse('2026-03-01T12:00:00.000Z');
const SECOND_NS = 1e9;

const http = createHttpClient();
const { signal } = new AbortController();
const closing: (() => unknown)[] = [() => http.close()];
after(async () => {
  for (const close of closing) await close();
});

async function serve(answers: Partial<Record<Path, unknown>>): Promise<TaskServer> {
  const server = await startTaskServer(answers);
  closing.push(server.close);
  return server;
}

const APP: ContainerShape = { id: 'app-1' };
const SIDECAR: ContainerShape = { id: 'agent-2' };
const PAUSE: ContainerShape = { id: 'pause-3', name: '~internal~ecs~pause', type: 'CNI_PAUSE' };

const FARGATE: TaskShape = {
  launchType: 'FARGATE',
  containers: [APP, SIDECAR],
  limits: { CPU: 0.25, Memory: 512 },
  storage: { Utilized: 261, Reserved: 20_496 },
};
const EC2: TaskShape = { launchType: 'EC2', containers: [APP, SIDECAR, PAUSE] };

describe('the documents of the endpoint', () => {
  test('a Fargate task has its limits in cores and bytes, and its storage', async () => {
    const server = await serve({ '/task': taskDocument(FARGATE) });
    assert.deepEqual(await openTaskMetadata(server.uri, http).task(signal), {
      cluster: 'arn:aws:ecs:us-west-2:111122223333:cluster/default',
      arn: 'arn:aws:ecs:us-west-2:111122223333:task/default/158d1c8083dd49d6b527399fd6414f5c',
      family: 'curltest',
      serviceName: 'MyService',
      launchType: 'FARGATE',
      availabilityZone: 'us-west-2d',
      cores: 0.25,
      memoryBytes: 512 * MIB,
      storage: { used: 261 * MIB, limit: 20_496 * MIB },
      containers: [
        { id: 'app-1', name: 'app-1', type: 'NORMAL', status: 'RUNNING' },
        { id: 'agent-2', name: 'agent-2', type: 'NORMAL', status: 'RUNNING' },
      ],
    });
  });

  type Expected = number | undefined;
  const limits: [what: string, shape: TaskShape, cores: Expected, mebibytes: Expected][] = [
    ['without Limits', EC2, undefined, undefined],
    ['with only a CPU limit', { ...EC2, limits: { CPU: 1.5 } }, 1.5, undefined],
    ['with only a memory limit', { ...EC2, limits: { Memory: 300 } }, undefined, 300],
    [
      'with limits of 0, which are none',
      { ...EC2, limits: { CPU: 0, Memory: 0 } },
      undefined,
      undefined,
    ],
  ];
  for (const [what, shape, cores, mebibytes] of limits) {
    test(`a task ${what} has ${cores ?? 'no'} cores and ${mebibytes ?? 'no'} MiB`, async () => {
      const server = await serve({ '/task': taskDocument(shape) });
      const task = await openTaskMetadata(server.uri, http).task(signal);
      assert.equal(task.cores, cores);
      assert.equal(task.memoryBytes, mebibytes === undefined ? undefined : mebibytes * MIB);
      assert.equal(task.storage, undefined);
    });
  }

  test('a container has the memory limit of its own, where that is above 0', async () => {
    const containers = [
      { ...APP, memory: 128 },
      { ...SIDECAR, memory: 0 },
    ];
    const server = await serve({ '/task': taskDocument({ ...EC2, containers }) });
    const task = await openTaskMetadata(server.uri, http).task(signal);
    assert.deepEqual(
      task.containers.map(({ memoryBytes }) => memoryBytes),
      [128 * MIB, undefined],
    );
  });

  test('a container’s state is what the platform knows, not what it wants', async () => {
    const containers = [{ ...APP, status: 'CREATED' }, { ...SIDECAR, status: 'STOPPED' }, PAUSE];
    const server = await serve({ '/task': taskDocument({ ...EC2, containers }) });
    const task = await openTaskMetadata(server.uri, http).task(signal);
    assert.deepEqual(
      task.containers.map(({ status, type }) => [status, type]),
      [
        ['CREATED', 'NORMAL'],
        ['STOPPED', 'NORMAL'],
        ['RUNNING', 'CNI_PAUSE'],
      ],
    );
  });

  test('an endpoint that takes the request and says nothing is no data after a second', async () => {
    const server = await serve({ '/task': SILENCE });
    await assert.rejects(openTaskMetadata(server.uri, http).task(signal));
  });

  test('a variable that holds no URL is no data', async () => {
    await assert.rejects(openTaskMetadata('nonsense', http).task(signal), NoDataError);
  });

  test('the asking container is known by the root of the endpoint', async () => {
    const server = await serve({ '': containerDocument(SIDECAR) });
    assert.equal(await openTaskMetadata(server.uri, http).ownId(signal), 'agent-2');
    assert.equal(await openTaskMetadata(`${server.uri}/`, http).ownId(signal), 'agent-2');
  });

  const shape: StatsShape = {
    read: WALL,
    cpu: 3 * SECOND_NS,
    before: { read: WALL - 1000, cpu: 2 * SECOND_NS },
    usage: 100 * MIB,
    inactiveFile: 30 * MIB,
    cache: 50 * MIB,
    periods: 20,
    throttled: 5,
  };
  const expected: ContainerStats = {
    id: 'app-1',
    at: WALL,
    cpuNanoseconds: 3 * SECOND_NS,
    memoryUsage: 100 * MIB,
    inactiveFile: 30 * MIB,
    cache: 50 * MIB,
    held: 50 * MIB,
    quotaPeriods: { periods: 20, throttled: 5 },
    before: { at: WALL - 1000, cpuNanoseconds: 2 * SECOND_NS },
  };
  for (const [version, stats] of Object.entries({ 1: statsV1, 2: statsV2 })) {
    test(`statistics with the keys of cgroup version ${version}`, async () => {
      assert.deepEqual(await statsOf({ 'app-1': stats(shape) }), new Map([['app-1', expected]]));
    });
  }

  test('slabs of version 2 are cache too, as in a container’s own files', async () => {
    const stats = structuredClone(statsV2(shape));
    const text = JSON.stringify(stats).replace('"slab":0', `"slab":${10 * MIB}`);
    const read = await statsOf({ a: JSON.parse(text) });
    assert.equal(read.get('a')?.cache, 60 * MIB);
  });

  const oddities: [what: string, one: unknown][] = [
    ['null, as of a container that has just begun or ended', null],
    ['read in the year 1', { ...asObject(statsV1(shape)), read: '0001-01-01T00:00:00Z' }],
    ['without a time', { ...asObject(statsV2(shape)), read: undefined }],
    ['read at a year alone', { ...asObject(statsV2(shape)), read: '1' }],
    ['read on a day without a time', { ...asObject(statsV2(shape)), read: '2026-03-01' }],
    ['read at a time without a zone', { ...asObject(statsV2(shape)), read: '2026-03-01T12:00:00' }],
    [
      'read at a time in words',
      { ...asObject(statsV2(shape)), read: 'Sun, 01 Mar 2026 12:00 GMT' },
    ],
    ['read at a number', { ...asObject(statsV2(shape)), read: WALL }],
    ['read in a 13th month', { ...asObject(statsV2(shape)), read: '2026-13-01T12:00:00Z' }],
    ['a text', 'none'],
    ['a number', 5],
    ['a list', []],
    ['empty', {}],
  ];
  for (const [what, one] of oddities) {
    test(`statistics that are ${what} are none, and the container is there all the same`, async () => {
      const stats = await statsOf({ a: one, b: statsV2(shape) });
      assert.deepEqual([...stats.keys()], ['a', 'b']);
      assert.equal(stats.get('a'), undefined);
      assert.equal(stats.get('b')?.at, WALL);
    });
  }

  test('an instant may have another zone', async () => {
    const stats = await statsOf({
      a: { ...asObject(statsV2(shape)), read: '2026-03-01T14:00:00.5+02:00' },
    });
    assert.equal(stats.get('a')?.at, WALL + 500);
  });

  const halves: [what: string, over: object, cpu: number, memory: number][] = [
    ['memory_stats is empty', { memory_stats: {} }, 3 * SECOND_NS, Number.NaN],
    ['memory_stats is null', { memory_stats: null }, 3 * SECOND_NS, Number.NaN],
    ['memory_stats is missing', { memory_stats: undefined }, 3 * SECOND_NS, Number.NaN],
    ['memory is a 0 that nothing can have', { memory_stats: { usage: 0 } }, 3e9, Number.NaN],
    ['cpu_stats is empty', { cpu_stats: {} }, Number.NaN, 100 * MIB],
    ['cpu_stats is missing', { cpu_stats: undefined }, Number.NaN, 100 * MIB],
    [
      'its CPU time is a 0 that nothing can have',
      { cpu_stats: { cpu_usage: { total_usage: 0 } } },
      Number.NaN,
      100 * MIB,
    ],
    [
      'its CPU time is a text',
      { cpu_stats: { cpu_usage: { total_usage: '3000000000' } } },
      Number.NaN,
      100 * MIB,
    ],
  ];
  for (const [what, over, cpu, memory] of halves) {
    test(`where ${what}, the other half is there`, async () => {
      const stats = await statsOf({ a: { ...asObject(statsV2(shape)), ...over } });
      const { cpuNanoseconds, memoryUsage } = stats.get('a') ?? {};
      assert.deepEqual([cpuNanoseconds, memoryUsage], [cpu, memory]);
    });
  }

  test('memory without details has no cache that is known, nor what is held', async () => {
    const stats = await statsOf({
      a: { ...asObject(statsV2(shape)), memory_stats: { usage: 100 * MIB, stats: {} } },
    });
    const { memoryUsage, inactiveFile, cache, held } = stats.get('a') ?? {};
    assert.deepEqual(
      [memoryUsage, inactiveFile, cache, held],
      [100 * MIB, Number.NaN, Number.NaN, Number.NaN],
    );
  });

  test('there is no reading before the first, which says the year 1', async () => {
    const { before: _, ...first } = shape;
    const stats = (await statsOf({ a: statsV1(first) })).get('a');
    assert.equal(stats?.before, undefined);
    assert.equal(stats?.at, WALL);
  });

  test('a reading before that is not before is none', async () => {
    const before = { read: WALL, cpu: 2 * SECOND_NS };
    const stats = (await statsOf({ a: statsV2({ ...shape, before }) })).get('a');
    assert.equal(stats?.before, undefined);
  });

  for (const [what, precpu] of [
    ['empty', {}],
    ['missing', undefined],
    ['null', null],
    ['of a container that had used nothing', { cpu_usage: { total_usage: 0 } }],
    ['without its CPU time', { cpu_usage: {}, online_cpus: 2 }],
  ] as const) {
    test(`precpu_stats that is ${what} is no reading before, though preread is set`, async () => {
      const stats = await statsOf({ a: { ...asObject(statsV2(shape)), precpu_stats: precpu } });
      assert.equal(stats.get('a')?.before, undefined);
      assert.equal(stats.get('a')?.cpuNanoseconds, 3 * SECOND_NS);
    });
  }

  const refused: [what: string, status: number, body: string, message: RegExp][] = [
    ['429', 429, '', /^task metadata \/task: HTTP 429$/],
    ['500', 500, '{"Containers":[]}', /^task metadata \/task: HTTP 500$/],
    ['a redirect', 302, '', /HTTP 302$/],
    ['a page', 200, '<html>', /^task metadata \/task: no JSON object$/],
    ['half a document', 200, '{"Cluster":"de', /no JSON object$/],
    ['null', 200, 'null', /no JSON object$/],
    ['a number', 200, '5', /no JSON object$/],
    ['nothing', 200, '', /no JSON object$/],
  ];
  for (const [what, status, body, message] of refused) {
    test(`${what} in the place of a task is no data`, async () => {
      const server = await serve({ '/task': { status, body } });
      await assert.rejects(
        openTaskMetadata(server.uri, http).task(signal),
        (error) => error instanceof NoDataError && message.test(error.message),
      );
    });
  }

  async function statsOf(stats: unknown): Promise<ReadonlyMap<string, ContainerStats | undefined>> {
    const server = await serve({ '/task/stats': stats });
    return openTaskMetadata(server.uri, http).stats(signal);
  }
});

function asObject(value: unknown): object {
  assert.ok(typeof value === 'object' && value !== null);
  return value;
}
