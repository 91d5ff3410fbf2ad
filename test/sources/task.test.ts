// Over 200 lines: one endpoint, its documents, the source on it, and the program on that.
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { NoDataError } from '../../src/errors.ts';
import { type ContainerStats, openTaskMetadata } from '../../src/metadata/ecs.ts';
import { derive, latest } from '../../src/metrics/derive.ts';
import { isMissing, type Reading, type Sample, type Series } from '../../src/metrics/reading.ts';
import { createHttpClient } from '../../src/net/http.ts';
import { openHost } from '../../src/sources/rootfs.ts';
import { openTaskSource, type TaskOptions } from '../../src/sources/task.ts';
import {
  type ContainerShape,
  containerDocument,
  type Path,
  type StatsShape,
  startTaskServer,
  statsV1,
  statsV2,
  type TaskServer,
  type TaskShape,
  taskDocument,
} from '../support/aws/task-metadata.ts';
import { type DrivenClock, drivenClock } from '../support/clock.ts';
import { runAgent } from '../support/program.ts';
import { makeRoot, type Root } from '../support/root.ts';
import { Waiting } from '../support/waiting.ts';

const MIB = 1024 * 1024;
/** The wall clock at the first reading of the statistics. */
const WALL = Date.parse('2026-03-01T12:00:00.000Z');
const SECOND_NS = 1e9;
const DEADLINE_MS = 10_000;

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
      launchType: 'FARGATE',
      availabilityZone: 'us-west-2d',
      cores: 0.25,
      memoryBytes: 512 * MIB,
      storage: { used: 261 * MIB, limit: 20_496 * MIB },
      containers: [
        { id: 'app-1', name: 'app-1', type: 'NORMAL' },
        { id: 'agent-2', name: 'agent-2', type: 'NORMAL' },
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
    quotaPeriods: { periods: 20, throttled: 5 },
    before: { at: WALL - 1000, cpuNanoseconds: 2 * SECOND_NS },
  };
  for (const [version, stats] of Object.entries({ 1: statsV1, 2: statsV2 })) {
    test(`statistics with the keys of cgroup version ${version}`, async () => {
      assert.deepEqual(await statsOf({ 'app-1': stats(shape) }), [expected]);
    });
  }

  test('slabs of version 2 are cache too, as in a container’s own files', async () => {
    const stats = structuredClone(statsV2(shape));
    const text = JSON.stringify(stats).replace('"slab":0', `"slab":${10 * MIB}`);
    const [read] = await statsOf({ a: JSON.parse(text) });
    assert.equal(read?.cache, 60 * MIB);
  });

  const oddities: [what: string, stats: unknown, left: string[]][] = [
    ['null, as of a container that has just begun or ended', { a: null, b: statsV2(shape) }, ['b']],
    [
      'read in the year 1',
      { a: { ...asObject(statsV1(shape)), read: '0001-01-01T00:00:00Z' }, b: statsV1(shape) },
      ['b'],
    ],
    ['without memory', { a: { ...asObject(statsV2(shape)), memory_stats: {} } }, []],
    ['without CPU', { a: { ...asObject(statsV2(shape)), cpu_stats: {} } }, []],
    ['without a time', { a: { ...asObject(statsV2(shape)), read: undefined } }, []],
    ['of another form', { a: 'none', b: 5, c: [], d: {} }, []],
    ['none at all', {}, []],
  ];
  for (const [what, stats, left] of oddities) {
    test(`statistics that are ${what}: ${left.length} are left`, async () => {
      const ids = (await statsOf(stats)).map(({ id }) => id);
      assert.deepEqual(ids, left);
    });
  }

  test('there is no reading before the first, which says the year 1', async () => {
    const { before: _, ...first } = shape;
    const [stats] = await statsOf({ a: statsV1(first) });
    assert.equal(stats?.before, undefined);
    assert.equal(stats?.at, WALL);
  });

  test('a reading before that is not before is none', async () => {
    const before = { read: WALL, cpu: 2 * SECOND_NS };
    const [stats] = await statsOf({ a: statsV2({ ...shape, before }) });
    assert.equal(stats?.before, undefined);
  });

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

  async function statsOf(stats: unknown): Promise<readonly ContainerStats[]> {
    const server = await serve({ '/task/stats': stats });
    return openTaskMetadata(server.uri, http).stats(signal);
  }
});

interface Bench {
  readonly server: TaskServer;
  readonly clock: DrivenClock;
  readonly root: Root;
  readonly describe: () => string;
  /** Lets time pass, and waits until the poll that fell due has been answered and dealt with. */
  poll(ms?: number): Promise<void>;
  /** Reads once and derives, as the loop does. */
  sample(): Sample;
  /** All that a poll has brought: reads until nothing new comes. */
  samples(): Sample[];
  reading(): Reading;
}

const MACHINE = {
  'proc/meminfo': 'MemTotal: 8388608 kB\nMemFree: 4194304 kB\nMemAvailable: 4194304 kB\n',
  'proc/stat': 'cpu  1000 0 0 1000 0 0 0 0 0 0\n',
  'sys/devices/system/cpu/online': '0-1\n',
};

async function bench(
  shape: TaskShape,
  options: Partial<TaskOptions> = {},
  stats: unknown = {},
): Promise<Bench> {
  const server = await serve({ '/task': taskDocument(shape), '/task/stats': stats });
  const metadata = openTaskMetadata(server.uri, http);
  const root = makeRoot(MACHINE);
  const clock = drivenClock(WALL);
  const waiting = new Waiting();
  const told: DrivenClock = {
    ...clock,
    after(delayMs, run) {
      const cancel = clock.after(delayMs, run);
      waiting.changed();
      return cancel;
    },
  };
  const wanted = new Set<Series>(['cpuThrottled', 'ephemeralStorage']);
  const source = openTaskSource(openHost(root.path), {
    metadata,
    task: await metadata.task(signal),
    ownId: SIDECAR.id,
    clock: told,
    wanted,
    memoryMode: 'workingset',
    cpuBase: 'limit',
    excludeSelf: false,
    ownUse: () => ({ cpuUsec: 0, residentBytes: 0, anonymousBytes: 0 }),
    ...options,
  });
  closing.push(() => {
    source.close();
    root.remove();
  });
  let before: Reading | undefined;
  const made: Bench = {
    server,
    clock,
    root,
    describe: () => source.describe(),
    reading: () => source.read(clock.monoMs()),
    async poll(ms = 5000) {
      clock.advance(ms);
      const state = (): string => `${clock.pending()} polls are scheduled`;
      await waiting.until(() => clock.pending() === 1, DEADLINE_MS, state);
    },
    sample() {
      const reading = made.reading();
      const sample = before === undefined ? {} : derive(before, reading);
      before = latest(before, reading);
      return sample;
    },
    samples() {
      const all: Sample[] = [];
      for (;;) {
        // No time passes between, so whatever is read comes from the polls.
        const reading = made.reading();
        if (reading.cpu === undefined && reading.memory === undefined) return all;
        all.push(before === undefined ? {} : derive(before, reading));
        before = latest(before, reading);
      }
    },
  };
  return made;
}

/** Statistics at `second`, of containers that each use `cores` since `second` 0, in 100 MiB less 20. */
function at(second: number, cores: Readonly<Record<string, number>>): Record<string, unknown> {
  const one = (each: number): unknown => {
    const nanoseconds = (seconds: number): number => (1000 + seconds * each) * SECOND_NS;
    return statsV2({
      read: WALL + second * 1000,
      cpu: nanoseconds(second),
      before: { read: WALL + second * 1000 - 1000, cpu: nanoseconds(second - 1) },
      usage: 100 * MIB,
      inactiveFile: 20 * MIB,
      cache: 50 * MIB,
    });
  };
  return Object.fromEntries(Object.entries(cores).map(([id, each]) => [id, one(each)]));
}

/** 160 MiB of 512. */
const TWO_OF_512 = (100 * 160) / 512;

describe('the source of a task', () => {
  test('its first CPU figure comes with the first answer, from the reading before', async () => {
    const task = await bench(FARGATE, {}, at(0, { 'app-1': 0.1, 'agent-2': 0.025 }));
    assert.deepEqual(task.samples(), [], 'nothing before the first answer');
    await task.poll(0);
    const [baseline, first, ...more] = task.samples();
    assert.deepEqual(baseline, {}, 'no figure of the reading before');
    assertNear(first?.cpu, 50);
    assertNear(first?.cpuCores, 0.125);
    assertNear(first?.memory, TWO_OF_512);
    assert.equal(first?.memoryUsed, 160 * MIB);
    assert.equal(first?.memoryLimit, 512 * MIB);
    assert.deepEqual(more, []);
  });

  test('without a reading before, memory comes first and CPU with the next answer', async () => {
    const first = { read: WALL, cpu: SECOND_NS, usage: 100 * MIB };
    const stats = { 'app-1': statsV1(first), 'agent-2': statsV1(first) };
    const task = await bench(FARGATE, {}, stats);
    assert.deepEqual(task.sample(), {}, 'the loop has read before the endpoint answers');
    await task.poll(0);
    const samples = task.samples();
    assert.deepEqual(
      samples.map(({ memoryUsed, cpu }) => [memoryUsed, cpu]),
      [[200 * MIB, undefined]],
    );
    const later = { read: WALL + 5000, cpu: SECOND_NS * 1.5, usage: 100 * MIB };
    set(task, { 'app-1': statsV1(later), 'agent-2': statsV1(later) });
    await task.poll();
    assertNear(task.samples()[0]?.cpuCores, 0.2);
  });

  test('with a reading before of one container only, no sum of one is made', async () => {
    const stats = at(0, { 'app-1': 0.1 });
    const fresh = statsV2({ read: WALL, cpu: 5, usage: 100 * MIB, inactiveFile: 20 * MIB });
    const task = await bench(FARGATE, {}, { ...stats, 'agent-2': fresh });
    task.sample();
    await task.poll(0);
    const samples = task.samples();
    assert.deepEqual(
      samples.map(({ cpu, memoryUsed }) => [cpu, memoryUsed]),
      [[undefined, 160 * MIB]],
    );
  });

  test('each answer is one sample, over what each container used between its readings', async () => {
    const task = await bench(FARGATE, {}, at(0, { 'app-1': 0.1, 'agent-2': 0 }));
    await task.poll(0);
    task.samples();
    set(task, at(5, { 'app-1': 0.2, 'agent-2': 0.05 }));
    await task.poll();
    const samples = task.samples();
    // 1000.0 s at second 0, and 1001.0 and 1000.25 at second 5.
    assert.equal(samples.length, 1);
    assertNear(samples[0]?.cpu, 100);
    assertNear(samples[0]?.cpuCores, 0.25);
    assert.deepEqual(task.samples(), [], 'handed over once');
  });

  test('a container above the limit is 100 %, and its cores tell how much', async () => {
    const task = await bench(FARGATE, {}, at(0, { 'app-1': 0.3, 'agent-2': 0 }));
    await task.poll(0);
    const [, first] = task.samples();
    assert.equal(first?.cpu, 100);
    assertNear(first?.cpuCores, 0.3);
  });

  test('an answer with the same reading is nothing new', async () => {
    const task = await bench(FARGATE, {}, at(0, { 'app-1': 0.1, 'agent-2': 0 }));
    await task.poll(0);
    task.samples();
    await task.poll();
    assert.deepEqual(task.samples(), []);
    set(task, at(10, { 'app-1': 0.1, 'agent-2': 0 }));
    await task.poll();
    assertNear(task.samples()[0]?.cpuCores, 0.1);
  });

  test('one container that stands still holds the sum back until it has moved', async () => {
    const task = await bench(FARGATE, {}, at(0, { 'app-1': 0.1, 'agent-2': 0.05 }));
    await task.poll(0);
    task.samples();
    set(task, { ...at(0, { 'agent-2': 0.05 }), ...at(5, { 'app-1': 0.1 }) });
    await task.poll();
    assert.deepEqual(task.samples(), []);
    set(task, { ...at(10, { 'agent-2': 0.05 }), ...at(5, { 'app-1': 0.1 }) });
    await task.poll();
    const samples = task.samples();
    assert.equal(samples.length, 1);
    assertNear(samples[0]?.cpuCores, 0.15);
    assert.equal(samples[0]?.memoryUsed, 160 * MIB);
  });

  test('containers read every 20 s, each at its own time, never make a sum too small', async () => {
    // As the ECS agent does with ECS_POLL_METRICS.
    const containers = { 'app-1': 0.1, 'agent-2': 0.05 };
    const task = await bench(FARGATE, {}, at(0, containers));
    await task.poll(0);
    task.samples();
    const seen: Sample[] = [];
    for (let second = 5; second <= 120; second += 5) {
      const [app, agent] = [second - (second % 20), second - ((second + 5) % 20)];
      const stats = {
        ...at(app, { 'app-1': 0.1 }),
        ...at(Math.max(0, agent), { 'agent-2': 0.05 }),
      };
      set(task, stats);
      await task.poll();
      seen.push(...task.samples());
    }
    assert.ok(seen.length >= 5, `${seen.length} samples in two minutes`);
    for (const { cpuCores, memoryUsed } of seen) {
      assertNear(cpuCores, 0.15);
      assert.equal(memoryUsed, 160 * MIB);
    }
  });

  test('a container that stands still for good is left out, and stays out', async () => {
    const task = await bench(FARGATE, {}, at(0, { 'app-1': 0.1, 'agent-2': 0.05 }));
    await task.poll(0);
    task.samples();
    const seen: [number | undefined, number | undefined][] = [];
    for (let second = 5; second <= 120; second += 5) {
      set(task, { ...at(0, { 'agent-2': 0.05 }), ...at(second, { 'app-1': 0.1 }) });
      await task.poll();
      for (const { memoryUsed, cpuCores } of task.samples()) seen.push([memoryUsed, cpuCores]);
    }
    assert.ok(seen.length >= 15, `${seen.length} samples in two minutes`);
    for (const [memoryUsed, cpuCores] of seen) {
      assert.equal(memoryUsed, 80 * MIB);
      assertNear(cpuCores, 0.1);
    }
  });

  test('a container that joins adds nothing of the time before', async () => {
    const task = await bench(FARGATE, {}, at(0, { 'app-1': 0.1 }));
    await task.poll(0);
    task.samples();
    set(task, at(5, { 'app-1': 0.1, 'late-4': 0.05 }));
    await task.poll();
    assertNear(task.samples()[0]?.cpuCores, 0.1);
    set(task, at(10, { 'app-1': 0.1, 'late-4': 0.05 }));
    await task.poll();
    const [both] = task.samples();
    assertNear(both?.cpuCores, 0.15);
    assert.equal(both?.memoryUsed, 160 * MIB);
  });

  for (const [what, gone] of [
    ['is no longer listed', {}],
    ['is null', { 'agent-2': null }],
  ] as const) {
    test(`a container that ${what} is no longer part of the sum`, async () => {
      const task = await bench(FARGATE, {}, at(0, { 'app-1': 0.1, 'agent-2': 0.05 }));
      await task.poll(0);
      task.samples();
      set(task, { ...at(5, { 'app-1': 0.1 }), ...gone });
      await task.poll();
      const [left] = task.samples();
      assertNear(left?.cpuCores, 0.1);
      assert.equal(left?.memoryUsed, 80 * MIB);
    });
  }

  test('a restart, whose counter begins anew, is a baseline and no negative load', async () => {
    const task = await bench(FARGATE, {}, at(0, { 'app-1': 0.1, 'agent-2': 0.05 }));
    await task.poll(0);
    task.samples();
    const restarted = (second: number): unknown =>
      statsV2({ read: WALL + second * 1000, cpu: second * 0.2 * SECOND_NS, usage: MIB });
    set(task, { ...at(5, { 'agent-2': 0.05 }), 'app-1': restarted(5) });
    await task.poll();
    assertNear(task.samples()[0]?.cpuCores, 0.05);
    set(task, { ...at(10, { 'agent-2': 0.05 }), 'app-1': restarted(10) });
    await task.poll();
    assertNear(task.samples()[0]?.cpuCores, 0.25);
  });

  test('the network’s pause container is not part of the sum', async () => {
    const stats = at(0, { 'app-1': 0.1, 'agent-2': 0.05, 'pause-3': 1 });
    const task = await bench({ ...EC2, limits: FARGATE.limits ?? {} }, {}, stats);
    await task.poll(0);
    const [, first] = task.samples();
    assertNear(first?.cpuCores, 0.15);
    assert.equal(first?.memoryUsed, 160 * MIB);
  });

  test('throttling and ephemeral storage are told where they are wanted and there', async () => {
    const stats = (periods: number, throttled: number): unknown => {
      const read = WALL + periods * 100;
      return statsV2({ read, cpu: SECOND_NS, usage: MIB, periods, throttled });
    };
    const task = await bench(FARGATE, {}, { 'app-1': stats(10, 5) });
    task.sample();
    await task.poll(0);
    assertNear(task.samples()[0]?.ephemeralStorage, (100 * 261) / 20_496);
    set(task, { 'app-1': stats(60, 15) });
    await task.poll();
    assertNear(task.samples()[0]?.cpuThrottled, 20);

    const unasked = await bench(FARGATE, { wanted: new Set() }, { 'app-1': stats(10, 5) });
    await unasked.poll(0);
    assert.deepEqual(Object.keys(unasked.reading()), ['cpu', 'memory']);
  });
});

describe('what is 100 %', () => {
  const MEMORY_TOTAL = 8192 * MIB;
  const rows: [
    what: string,
    shape: TaskShape,
    options: Partial<TaskOptions>,
    cores: number,
    bytes: number,
    line: RegExp,
  ][] = [
    [
      'the task’s limits',
      FARGATE,
      {},
      0.25,
      512 * MIB,
      /cpu\.limit=0\.25 \(task metadata\) mem\.limit=512MiB \(task metadata\)/,
    ],
    [
      'the machine, where the task has no limits',
      EC2,
      {},
      2,
      MEMORY_TOTAL,
      /cpu\.limit=2 \(online CPUs\) mem\.limit=8192MiB \(MemTotal\)/,
    ],
    [
      'the machine, where the limits are above it',
      { ...EC2, limits: { CPU: 4, Memory: 16_384 } },
      {},
      2,
      MEMORY_TOTAL,
      /cpu\.limit=2 \(online CPUs\) mem\.limit=8192MiB \(MemTotal\)/,
    ],
    [
      'the sum of the containers’ limits, the pause container aside',
      {
        ...EC2,
        containers: [{ ...APP, memory: 256 }, { ...SIDECAR, memory: 64 }, PAUSE],
      },
      {},
      2,
      320 * MIB,
      /mem\.limit=320MiB \(task metadata\)/,
    ],
    [
      'the machine, where one container has no limit',
      { ...EC2, containers: [{ ...APP, memory: 256 }, SIDECAR] },
      {},
      2,
      MEMORY_TOTAL,
      /MemTotal/,
    ],
    [
      'all CPUs of the machine with --cpu-base host',
      FARGATE,
      { cpuBase: 'host' },
      2,
      512 * MIB,
      /cpu\.limit=2 \(online CPUs\)/,
    ],
  ];
  for (const [what, shape, options, cores, bytes, line] of rows) {
    test(`is ${what}`, async () => {
      const task = await bench(shape, options, at(0, { 'app-1': 0.1 }));
      assert.match(task.describe(), /^scope=task source=task-metadata cpu\.limit=/);
      assert.match(task.describe(), line);
      await task.poll(0);
      const [, first] = task.samples();
      assertNear(first?.cpu, (100 * 0.1) / cores);
      assert.equal(first?.memoryLimit, bytes);
    });
  }

  const modes = { workingset: 80, usage: 100, 'free-cache': 50 } as const;
  for (const [mode, mebibytes] of Object.entries(modes)) {
    test(`--memory-mode ${mode} of 100 MiB, 50 of them cache and 20 inactive, is ${mebibytes}`, async () => {
      const memoryMode = mode === 'usage' || mode === 'free-cache' ? mode : 'workingset';
      const task = await bench(FARGATE, { memoryMode }, at(0, { 'app-1': 0.1 }));
      await task.poll(0);
      assert.equal(task.samples()[1]?.memoryUsed, mebibytes * MIB);
      assert.match(task.describe(), new RegExp(`mem\\.mode=${mode} `));
    });
  }

  test('limits that change are taken over within a minute', async () => {
    const task = await bench(FARGATE, {}, at(0, { 'app-1': 0.1 }));
    task.server.answers.set(
      '/task',
      taskDocument({ ...FARGATE, limits: { CPU: 1, Memory: 1024 } }),
    );
    for (let second = 0; second < 60; second += 5) {
      set(task, at(second, { 'app-1': 0.1 }));
      await task.poll(second === 0 ? 0 : 5000);
      task.samples();
    }
    set(task, at(60, { 'app-1': 0.1 }));
    await task.poll();
    const [last] = task.samples();
    assertNear(last?.cpu, 10);
    assert.equal(last?.memoryLimit, 1024 * MIB);
  });

  test('--exclude-self takes the agent’s own CPU and anonymous memory out', async () => {
    let cpuUsec = 0;
    const ownUse = () => ({ cpuUsec, residentBytes: 50 * MIB, anonymousBytes: 10 * MIB });
    const stats = at(0, { 'app-1': 0.1, 'agent-2': 0.05 });
    const task = await bench(FARGATE, { excludeSelf: true, ownUse }, stats);
    await task.poll(0);
    task.samples();
    cpuUsec = 0.2 * 1e6;
    set(task, at(5, { 'app-1': 0.1, 'agent-2': 0.05 }));
    await task.poll();
    const [sample] = task.samples();
    assertNear(sample?.cpuCores, 0.15 - 0.2 / 5);
    assert.equal(sample?.memoryUsed, 150 * MIB);
  });
});

describe('an endpoint that fails', () => {
  const TOO_MANY = { status: 429, body: '' };

  test('is asked every 5 s, and after failures at 10, 20, 40 and at most 60 s', async () => {
    const task = await bench(EC2, {}, at(0, { 'app-1': 0.1 }));
    await task.poll(0);
    task.server.answers.set('/task/stats', TOO_MANY);
    const asked = (): number => task.server.asked.filter((path) => path === '/task/stats').length;
    for (const pauseMs of [5000, 10_000, 20_000, 40_000, 60_000, 60_000]) {
      const before = asked();
      task.clock.advance(pauseMs - 1);
      assert.equal(asked(), before, `not before ${pauseMs} ms`);
      await task.poll(1);
      assert.equal(asked(), before + 1, `after ${pauseMs} ms`);
    }
    set(task, at(300, { 'app-1': 0.1 }));
    await task.poll(60_000);
    const before = asked();
    await task.poll(5000);
    assert.equal(asked(), before + 1, 'one answer, and all is as before');
  });

  test('one without statistics yet is asked at the usual pace', async () => {
    const task = await bench(FARGATE, {}, { 'app-1': null, 'agent-2': null });
    await task.poll(0);
    set(task, at(5, { 'app-1': 0.1, 'agent-2': 0.05 }));
    await task.poll(5000);
    assertNear(task.samples()[1]?.cpuCores, 0.15);
  });

  test('is not missed for 30 s, and then for a reason that is told', async () => {
    const task = await bench(EC2, {}, at(0, { 'app-1': 0.1 }));
    await task.poll(0);
    task.samples();
    task.server.answers.set('/task/stats', { status: 500, body: '' });
    await task.poll(5000);
    await task.poll(10_000);
    task.clock.advance(15_000);
    assert.deepEqual(task.reading(), {});
    task.clock.advance(1);
    const { cpu, memory, ticks } = task.reading();
    for (const group of [cpu, memory]) {
      assert.ok(group !== undefined && isMissing(group));
      assert.equal(group.missing, 'task metadata /task/stats: HTTP 500');
    }
    assert.equal(ticks, undefined, 'the machine is not the task’s alone');
  });

  test('that never answered gives nothing either', async () => {
    const task = await bench(EC2, {}, 'no object');
    await task.poll(0);
    task.clock.advance(9000);
    assert.deepEqual(task.reading(), {});
    await task.poll(1000);
    task.clock.advance(20_001);
    const { memory } = task.reading();
    assert.ok(memory !== undefined && isMissing(memory));
  });

  test('comes back with a baseline, so that the gap is in no figure', async () => {
    const task = await bench(EC2, {}, at(0, { 'app-1': 1 }));
    await task.poll(0);
    task.samples();
    task.server.answers.set('/task/stats', TOO_MANY);
    await task.poll(5000);
    task.clock.advance(26_000);
    assert.deepEqual(task.sample(), {});
    set(task, at(40, { 'app-1': 0.1 }));
    await task.poll(10_000);
    const [first] = task.samples();
    assert.equal(first?.cpu, undefined);
    assert.equal(first?.memoryUsed, 80 * MIB);
    set(task, at(45, { 'app-1': 0.1 }));
    await task.poll();
    assertNear(task.samples()[0]?.cpuCores, 0.1);
  });

  test('on Fargate the machine’s CPU time stands in, since the machine is the task’s alone', async () => {
    const task = await bench(FARGATE, {}, at(0, { 'app-1': 0.1 }));
    await task.poll(0);
    task.samples();
    const fail = async (): Promise<void> => {
      task.server.answers.set('/task/stats', TOO_MANY);
      await task.poll(5000);
      task.clock.advance(30_000);
    };
    await fail();
    assert.deepEqual(task.sample(), {}, 'a baseline of another clock');
    task.root.write({ 'proc/stat': 'cpu  1009 0 0 1171 0 0 0 0 0 0\n' });
    task.clock.advance(900);
    // 9 of 180 ticks on two CPUs: a tenth of a core, of 0.25.
    const stood = task.sample();
    assertNear(stood.cpu, 40);
    assertNear(stood.cpuCores, 0.1);
    assert.equal(stood.memory, undefined, 'the machine’s memory is not the task’s');

    task.root.write({ 'proc/stat': 'cpu  1009 0 0 5171 0 0 0 0 0 0\n' });
    set(task, at(60, { 'app-1': 0.1 }));
    await task.poll(20_000);
    task.samples();
    set(task, at(65, { 'app-1': 0.1 }));
    await task.poll();
    assertNear(task.samples()[0]?.cpuCores, 0.1);
    await fail();
    assert.deepEqual(task.sample(), {}, 'a new baseline: the time between was told already');
  });

  test('whose readings all stand still is one that fails', async () => {
    const task = await bench(FARGATE, {}, at(0, { 'app-1': 0.1 }));
    await task.poll(0);
    task.samples();
    for (let poll = 0; poll < 13; poll += 1) await task.poll();
    const { cpu } = task.reading();
    assert.ok(cpu !== undefined && isMissing(cpu));
  });

  test('files of the machine that cannot be read are a reason, and nothing is thrown', async () => {
    const task = await bench(FARGATE, {}, at(0, { 'app-1': 0.1 }));
    task.root.write({ 'proc/meminfo': '' });
    await task.poll(0);
    const { cpu } = task.reading();
    assert.ok(cpu !== undefined && !isMissing(cpu));
    const { memory } = task.reading();
    assert.ok(memory !== undefined && isMissing(memory));
    assert.match(memory.missing, /^\/proc\/meminfo: /);
  });

  test('closed, it is not asked again', async () => {
    const server = await serve({ '/task': taskDocument(EC2), '/task/stats': {} });
    const metadata = openTaskMetadata(server.uri, http);
    const clock = drivenClock(WALL);
    const root = makeRoot(MACHINE);
    const source = openTaskSource(openHost(root.path), {
      metadata,
      task: await metadata.task(signal),
      ownId: '',
      clock,
      wanted: new Set(),
      memoryMode: 'workingset',
      cpuBase: 'limit',
      excludeSelf: false,
      ownUse: () => ({ cpuUsec: 0, residentBytes: 0, anonymousBytes: 0 }),
    });
    source.close();
    root.remove();
    clock.advance(60_000);
    assert.deepEqual([clock.pending(), server.asked], [0, ['/task']]);
  });
});

describe('the program in a task', () => {
  const NAMES = [
    '--dry-run',
    '--once',
    '--period',
    '1',
    '--interval',
    '0.5',
    '--log-format',
    'json',
  ];

  test('beside another container it shows the sum over the task’s limits', async () => {
    const stats = at(0, { 'app-1': 0.1, 'agent-2': 0.025 });
    const server = await serve({
      '': containerDocument(SIDECAR),
      '/task': taskDocument(FARGATE),
      '/task/stats': stats,
    });
    const environment = { ECS_CONTAINER_METADATA_URI_V4: server.uri };
    const { code, stdout, stderr } = await runAgent([...NAMES, '--period', '3'], { environment });
    assert.equal(code, 0, stderr);
    assert.match(stderr, /scope=task source=task-metadata cpu\.limit=0\.25 \(task metadata\)/);
    assert.deepEqual(figuresOf(stdout), [
      ['CPUUtilization', 50],
      ['MemoryUtilization', TWO_OF_512],
      ['MaxMemoryUtilization', TWO_OF_512],
    ]);
  });

  test('where the endpoint fails it says so and goes on without the task', async () => {
    const server = await serve({ '/task': { status: 500, body: '' } });
    const environment = { ECS_CONTAINER_METADATA_URI_V4: server.uri };
    const { code, stderr } = await runAgent(NAMES, { environment });
    assert.equal(code, 0, stderr);
    assert.match(stderr, /task metadata does not answer.*task metadata \/task: HTTP 500/);
    assert.equal(server.asked.length, 2, 'twice at most');
  });

  test('--scope task where the endpoint fails names what was looked for, and exits with 2', async () => {
    const server = await serve({});
    const environment = { ECS_CONTAINER_METADATA_URI_V4: server.uri };
    const { code, stderr } = await runAgent([...NAMES, '--scope', 'task'], { environment });
    assert.equal(code, 2, stderr);
    assert.match(stderr, /--scope: got task, which is not there: task: task metadata: .*HTTP 404/);
  });
});

function figuresOf(stdout: string): [unknown, unknown][] {
  const lines = stdout.split('\n').filter((line) => line.startsWith('{"type":"window"'));
  assert.equal(lines.length, 1, stdout);
  const window: { request: { MetricData: { MetricName: string; Value: number }[] } } = JSON.parse(
    lines[0] ?? '',
  );
  return window.request.MetricData.map(({ MetricName, Value }) => [MetricName, Value]);
}

function set(task: Bench, stats: unknown): void {
  task.server.answers.set('/task/stats', stats);
}

function asObject(value: unknown): object {
  assert.ok(typeof value === 'object' && value !== null);
  return value;
}

function assertNear(actual: number | undefined, expected: number): void {
  assert.ok(
    actual !== undefined && Math.abs(actual - expected) < 1e-6,
    `${actual}, not ${expected}`,
  );
}
