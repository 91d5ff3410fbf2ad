// Over 200 lines: one source on one endpoint, what it sums, what it leaves out, and the program on it.
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { openTaskMetadata } from '../../src/metadata/ecs.ts';
import type { Series } from '../../src/metrics/figures.ts';
import { createHttpClient } from '../../src/net/http.ts';
import { openRootFs } from '../../src/sources/rootfs.ts';
import type { Source } from '../../src/sources/source.ts';
import { openTaskSource, type TaskOptions } from '../../src/sources/task.ts';
import {
  type ContainerShape,
  containerDocument,
  type Path,
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
import { type Sample, sampleAt, sourceOptions } from '../support/sources.ts';
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
const LATE: ContainerShape = { id: 'late-4', name: 'worker' };

const FARGATE: TaskShape = {
  launchType: 'FARGATE',
  containers: [APP, SIDECAR],
  limits: { CPU: 0.25, Memory: 512 },
  storage: { Utilized: 261, Reserved: 20_496 },
};
const EC2: TaskShape = { launchType: 'EC2', containers: [APP, SIDECAR, PAUSE] };

interface Rig {
  readonly server: TaskServer;
  readonly clock: DrivenClock;
  readonly root: Root;
  readonly source: Source;
  /** Lets time pass, and waits until the poll that fell due has been answered and dealt with. */
  poll(ms?: number): Promise<void>;
  /** Measures once, as a tick does. */
  sample(): Sample;
  /** Why a group is absent; undefined where it is not. */
  why(name: string): string | undefined;
  /** How often a path was asked for. */
  asked(path: Path): number;
}

const MACHINE = {
  'proc/meminfo': 'MemTotal: 8388608 kB\nMemFree: 4194304 kB\nMemAvailable: 4194304 kB\n',
  'proc/stat': 'cpu  1000 0 0 1000 0 0 0 0 0 0\n',
  'sys/devices/system/cpu/online': '0-1\n',
};
const WANTED: readonly Series[] = [
  ...(['cpu', 'cpuCores', 'cpuThrottled', 'memory', 'memoryUsed', 'memoryLimit'] as const),
  'ephemeralStorage',
];

async function rig(
  shape: TaskShape,
  options: Partial<TaskOptions> = {},
  stats: unknown = {},
): Promise<Rig> {
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
  const source = openTaskSource(openRootFs(root.path), {
    ...sourceOptions({ wanted: new Set(WANTED) }),
    metadata,
    task: await metadata.task(signal),
    ownId: SIDECAR.id,
    clock: told,
    ...options,
  });
  closing.push(() => {
    source.close();
    root.remove();
  });
  return {
    server,
    clock,
    root,
    source,
    sample: () => sampleAt(source, clock.monoMs()),
    why: (name) => source.absent.get(name),
    asked: (path) => server.asked.filter((one) => one === path).length,
    async poll(ms = 5000) {
      clock.advance(ms);
      const state = (): string => `${clock.pending()} polls are scheduled`;
      await waiting.until(() => clock.pending() === 1, DEADLINE_MS, state);
    },
  };
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
const BOTH = { 'app-1': 0.1, 'agent-2': 0.05 };
const ONE = { 'app-1': 0.1, 'agent-2': 0 };

describe('the source of a task', () => {
  test('its first CPU figure comes with the first answer, from the reading before', async () => {
    const task = await rig(FARGATE, {}, at(0, { 'app-1': 0.1, 'agent-2': 0.025 }));
    assert.deepEqual(task.sample(), {}, 'nothing before the first answer');
    await task.poll(0);
    const first = task.sample();
    assertNear(first.cpu, 50);
    assertNear(first.cpuCores, 0.125);
    assertNear(first.memory, TWO_OF_512);
    assert.equal(first.memoryUsed, 160 * MIB);
    assert.equal(first.memoryLimit, 512 * MIB);
    assert.deepEqual(task.sample(), {}, 'handed over once');
  });

  test('without a reading before, memory comes first and CPU with the next answer', async () => {
    const first = { read: WALL, cpu: SECOND_NS, usage: 100 * MIB };
    const task = await rig(FARGATE, {}, { 'app-1': statsV1(first), 'agent-2': statsV1(first) });
    await task.poll(0);
    const { memoryUsed, cpu } = task.sample();
    assert.deepEqual([memoryUsed, cpu], [200 * MIB, undefined]);
    const later = { read: WALL + 5000, cpu: SECOND_NS * 1.5, usage: 100 * MIB };
    set(task, { 'app-1': statsV1(later), 'agent-2': statsV1(later) });
    await task.poll();
    assertNear(task.sample().cpuCores, 0.2);
  });

  test('precpu_stats that is empty while preread is set makes no figure out of nothing', async () => {
    const first = Object.entries(at(0, BOTH)).map(([id, stats]) => {
      return [id, { ...asObject(stats), precpu_stats: {} }];
    });
    const task = await rig(FARGATE, {}, Object.fromEntries(first));
    await task.poll(0);
    const { memoryUsed, cpu } = task.sample();
    assert.deepEqual([memoryUsed, cpu], [160 * MIB, undefined]);
    set(task, at(5, BOTH));
    await task.poll();
    assertNear(task.sample().cpuCores, 0.15);
  });

  test('with a reading before of one container only, no sum of one is made', async () => {
    const stats = at(0, { 'app-1': 0.1 });
    const fresh = statsV2({ read: WALL, cpu: 5, usage: 100 * MIB, inactiveFile: 20 * MIB });
    const task = await rig(FARGATE, {}, { ...stats, 'agent-2': fresh });
    await task.poll(0);
    const { cpu, memoryUsed } = task.sample();
    assert.deepEqual([cpu, memoryUsed], [undefined, 160 * MIB]);
  });

  test('each answer is one sample, over what each container used between its readings', async () => {
    const task = await rig(FARGATE, {}, at(0, { 'app-1': 0.1, 'agent-2': 0 }));
    await task.poll(0);
    task.sample();
    set(task, at(5, { 'app-1': 0.2, 'agent-2': 0.05 }));
    await task.poll();
    // 1000.0 s at second 0, and 1001.0 and 1000.25 at second 5.
    const sample = task.sample();
    assertNear(sample.cpu, 100);
    assertNear(sample.cpuCores, 0.25);
    assert.deepEqual(task.sample(), {}, 'handed over once');
  });

  test('ticks that are rarer than answers take the newest, and the CPU time of all', async () => {
    const task = await rig(FARGATE, {}, at(0, { 'app-1': 0.1, 'agent-2': 0 }));
    await task.poll(0);
    task.sample();
    set(task, at(5, { 'app-1': 0.1, 'agent-2': 0 }));
    await task.poll();
    set(task, at(10, { 'app-1': 0.2, 'agent-2': 0 }));
    await task.poll();
    assertNear(task.sample().cpuCores, 0.2);
    assert.deepEqual(task.sample(), {}, 'none is left over');
  });

  test('a container a little above the limit is 100 %, and its cores tell how much', async () => {
    const task = await rig(FARGATE, {}, at(0, { 'app-1': 0.3, 'agent-2': 0 }));
    await task.poll(0);
    const first = task.sample();
    assert.equal(first.cpu, 100);
    assertNear(first.cpuCores, 0.3);
  });

  test('more than the limit allows is absent, with a reason that stands until there is news', async () => {
    const task = await rig(FARGATE, {}, at(0, BOTH));
    await task.poll(0);
    task.sample();
    set(task, at(5, { 'app-1': 0.6, 'agent-2': 0 }));
    await task.poll();
    for (let tick = 0; tick < 4; tick += 1) {
      assert.equal(task.sample().cpu, undefined);
      assert.match(task.why('cpu') ?? '', /0\.6 cores were in use of 0\.25, which cannot be/);
      task.clock.advance(900);
    }
  });

  test('more than the machine has is no figure at all', async () => {
    const task = await rig(EC2, {}, at(0, BOTH));
    await task.poll(0);
    task.sample();
    set(task, at(5, { 'app-1': 90, 'agent-2': 0 }));
    await task.poll();
    const { cpu, cpuCores, memoryUsed } = task.sample();
    assert.deepEqual([cpu, cpuCores, memoryUsed], [undefined, undefined, 160 * MIB]);
    assert.match(task.why('cpu') ?? '', /90 cores were in use on 2 CPUs, which cannot be/);
  });

  test('an answer with the same reading is nothing new', async () => {
    const task = await rig(FARGATE, {}, at(0, { 'app-1': 0.1, 'agent-2': 0 }));
    await task.poll(0);
    task.sample();
    await task.poll();
    assert.deepEqual(task.sample(), {});
    set(task, at(10, { 'app-1': 0.1, 'agent-2': 0 }));
    await task.poll();
    assertNear(task.sample().cpuCores, 0.1);
  });

  test('one container that stands still holds the sum back until it has moved', async () => {
    const task = await rig(FARGATE, {}, at(0, BOTH));
    await task.poll(0);
    task.sample();
    set(task, { ...at(0, { 'agent-2': 0.05 }), ...at(5, { 'app-1': 0.1 }) });
    await task.poll();
    assert.deepEqual(task.sample(), {});
    set(task, { ...at(10, { 'agent-2': 0.05 }), ...at(5, { 'app-1': 0.1 }) });
    await task.poll();
    const sample = task.sample();
    assertNear(sample.cpuCores, 0.15);
    assert.equal(sample.memoryUsed, 160 * MIB);
  });

  test('containers read every 20 s, each at its own time, never make a sum too small', async () => {
    // As the ECS agent does with ECS_POLL_METRICS.
    const task = await rig(FARGATE, {}, at(0, BOTH));
    await task.poll(0);
    task.sample();
    const seen: Sample[] = [];
    for (let second = 5; second <= 120; second += 5) {
      const [app, agent] = [second - (second % 20), second - ((second + 5) % 20)];
      set(task, {
        ...at(app, { 'app-1': 0.1 }),
        ...at(Math.max(0, agent), { 'agent-2': 0.05 }),
      });
      await task.poll();
      const sample = task.sample();
      if (sample.memoryUsed !== undefined) seen.push(sample);
      assert.deepEqual([...task.source.absent.keys()], [], 'a slow pace is no failure');
    }
    assert.ok(seen.length >= 5, `${seen.length} samples in two minutes`);
    for (const { cpuCores, memoryUsed } of seen) {
      assertNear(cpuCores, 0.15);
      assert.equal(memoryUsed, 160 * MIB);
    }
  });

  test('a running container that stands still for good: no sum without it, and its name is said', async () => {
    const task = await rig(FARGATE, {}, at(0, BOTH));
    await task.poll(0);
    task.sample();
    for (let second = 5; second <= 120; second += 5) {
      set(task, { ...at(0, { 'agent-2': 0.05 }), ...at(second, { 'app-1': 0.1 }) });
      await task.poll();
      assert.equal(task.sample().memoryUsed, undefined);
    }
    const why = /no new statistics of agent-2, which runs: a sum without it would be wrong/;
    assert.match(task.why('memory') ?? '', why);
    assert.match(task.why('task statistics') ?? '', why);
  });

  test('one that stands still because it has stopped is left out, and stays out', async () => {
    const task = await rig(FARGATE, {}, at(0, BOTH));
    await task.poll(0);
    task.sample();
    list(task, { ...FARGATE, containers: [APP, { ...SIDECAR, status: 'STOPPED' }] });
    const seen: Sample[] = [];
    for (let second = 5; second <= 120; second += 5) {
      set(task, { ...at(0, { 'agent-2': 0.05 }), ...at(second, { 'app-1': 0.1 }) });
      await task.poll();
      const sample = task.sample();
      if (sample.memoryUsed !== undefined) seen.push(sample);
    }
    assert.ok(seen.length >= 15, `${seen.length} samples in two minutes`);
    for (const { memoryUsed, cpuCores } of seen) {
      assert.equal(memoryUsed, 80 * MIB);
      assertNear(cpuCores, 0.1);
    }
  });

  test('a container that joins is in the sum at once, and nothing of the time before', async () => {
    const task = await rig(EC2, {}, at(0, BOTH));
    await task.poll(0);
    task.sample();
    list(task, { ...EC2, containers: [APP, SIDECAR, PAUSE, LATE] });
    set(task, { ...at(5, BOTH), 'late-4': fresh(5, 0.2) });
    await task.poll();
    const joined = task.sample();
    assert.equal(task.asked('/task'), 2, 'somebody whom /task had not listed');
    assert.equal(joined.memoryUsed, 161 * MIB);
    assert.equal(joined.cpu, undefined, 'it has no baseline yet');
    set(task, { ...at(10, BOTH), 'late-4': fresh(10, 0.2) });
    await task.poll();
    assertNear(task.sample().cpuCores, 0.35);
    assert.equal(task.asked('/task'), 2, 'all are known');
  });

  test('one that has statistics and is not listed is no member, and no sum is made without it', async () => {
    const task = await rig(EC2, {}, at(0, { ...BOTH, 'late-4': 0.2 }));
    await task.poll(0);
    assert.deepEqual(task.sample(), {});
    assert.match(task.why('cpu') ?? '', /statistics of late-4, which \/task does not list/);
    assert.match(task.why('memory') ?? '', /late-4/);
    list(task, { ...EC2, containers: [APP, SIDECAR, LATE] });
    set(task, at(1, { ...BOTH, 'late-4': 0.2 }));
    await task.poll(1000);
    assertNear(task.sample().cpuCores, 0.35);
    assert.equal(task.asked('/task'), 2, 'again after a second, and not before');
  });

  test('the task is asked again at most once a second, however long they differ', async () => {
    const task = await rig(EC2, {}, at(0, { ...BOTH, 'late-4': 0.2 }));
    await task.poll(0);
    for (let second = 1; second <= 30; second += 1) {
      const before = task.asked('/task');
      set(task, at(second, { ...BOTH, 'late-4': 0.2 }));
      await task.poll(1000);
      assert.ok(task.asked('/task') <= before + 1);
    }
    assert.ok(task.asked('/task') >= 6, `${task.asked('/task')} times in 30 s`);
  });

  for (const status of ['CREATED', 'PULLED', 'NONE', 'MANIFEST_PULLED']) {
    test(`one that is listed as ${status} and has statistics that move is asked about at once`, async () => {
      const containers = [APP, SIDECAR, { ...LATE, status }];
      const task = await rig({ ...EC2, containers }, {}, at(0, BOTH));
      await task.poll(0);
      assertNear(task.sample().cpuCores, 0.15);
      list(task, { ...EC2, containers: [APP, SIDECAR, LATE] });
      set(task, at(5, { ...BOTH, 'late-4': 0.2 }));
      await task.poll();
      assert.equal(task.asked('/task'), 2);
      assertNear(task.sample().cpuCores, 0.35);
    });
  }

  test('a container that is no longer listed is no longer part of the sum', async () => {
    const task = await rig(FARGATE, {}, at(0, BOTH));
    await task.poll(0);
    task.sample();
    set(task, at(5, { 'app-1': 0.1 }));
    list(task, { ...FARGATE, containers: [APP] });
    await task.poll();
    const left = task.sample();
    assertNear(left.cpuCores, 0.1);
    assert.equal(left.memoryUsed, 80 * MIB);
  });

  for (const [what, status] of [
    ['has stopped', 'STOPPED'],
    ['was given up', 'ZOMBIE'],
  ]) {
    test(`neither the last statistics nor the limit of one that ${what} count`, async () => {
      const limited = [
        { ...APP, memory: 256 },
        { ...SIDECAR, memory: 64 },
      ];
      const task = await rig({ ...EC2, containers: limited }, {}, at(0, BOTH));
      await task.poll(0);
      assert.equal(task.sample().memoryLimit, 320 * MIB);
      const containers = [
        { ...APP, memory: 256 },
        { ...SIDECAR, memory: 64, status: status ?? '' },
      ];
      list(task, { ...EC2, containers });
      set(task, { ...at(5, { 'app-1': 0.1 }), 'agent-2': null });
      await task.poll();
      const left = task.sample();
      assertNear(left.cpuCores, 0.1);
      assert.deepEqual([left.memoryUsed, left.memoryLimit], [80 * MIB, 256 * MIB]);
      set(task, { ...at(10, { 'app-1': 0.1 }), ...at(0, { 'agent-2': 0.05 }) });
      await task.poll();
      assert.equal(task.sample().memoryUsed, 80 * MIB, 'its last statistics, left there');
      assert.match(task.source.describe(), / containers=1$/);
    });
  }

  test('a restart, whose counter begins anew, is a baseline and no negative load', async () => {
    const task = await rig(FARGATE, {}, at(0, BOTH));
    await task.poll(0);
    task.sample();
    set(task, { ...at(5, { 'agent-2': 0.05 }), 'app-1': fresh(5, 0.2) });
    await task.poll();
    const { cpu, memoryUsed } = task.sample();
    assert.deepEqual([cpu, memoryUsed], [undefined, 81 * MIB], 'no sum without the app');
    set(task, { ...at(10, { 'agent-2': 0.05 }), 'app-1': fresh(10, 0.2) });
    await task.poll();
    assertNear(task.sample().cpuCores, 0.25);
  });

  test('a restart with a reading before has its load of that', async () => {
    const task = await rig(FARGATE, {}, at(0, BOTH));
    await task.poll(0);
    task.sample();
    const before = { read: WALL + 4000, cpu: 0.1 * SECOND_NS };
    const app = { read: WALL + 5000, cpu: 0.3 * SECOND_NS, usage: MIB, before };
    set(task, { ...at(5, { 'agent-2': 0.05 }), 'app-1': statsV2(app) });
    await task.poll();
    assertNear(task.sample().cpuCores, 0.25);
  });

  test('a restart under another identity leaves the old one out', async () => {
    const task = await rig(EC2, {}, at(0, BOTH));
    await task.poll(0);
    task.sample();
    list(task, { ...EC2, containers: [{ ...APP, status: 'STOPPED' }, SIDECAR, LATE] });
    set(task, { ...at(5, { 'agent-2': 0.05, 'late-4': 0.2 }), ...at(0, { 'app-1': 0.1 }) });
    await task.poll();
    const swapped = task.sample();
    assertNear(swapped.cpuCores, 0.25);
    assert.equal(swapped.memoryUsed, 160 * MIB);
  });

  test('two containers that swap their identities are neither lost nor counted twice', async () => {
    const task = await rig(EC2, {}, at(0, BOTH));
    await task.poll(0);
    task.sample();
    set(task, at(5, { 'app-1': 0.05, 'agent-2': 0.1 }));
    await task.poll();
    assertNear(task.sample().cpuCores, 0.15);
  });

  test('the network’s pause container is not part of the sum', async () => {
    const stats = at(0, { ...BOTH, 'pause-3': 1 });
    const task = await rig({ ...EC2, limits: FARGATE.limits ?? {} }, {}, stats);
    await task.poll(0);
    const first = task.sample();
    assertNear(first.cpuCores, 0.15);
    assert.equal(first.memoryUsed, 160 * MIB);
    assert.equal(task.asked('/task'), 1);
  });

  test('throttling and ephemeral storage are told where they are wanted and there', async () => {
    const stats = (periods: number, throttled: number): unknown => {
      const read = WALL + periods * 100;
      return statsV2({ read, cpu: SECOND_NS, usage: MIB, periods, throttled });
    };
    const shape = { ...FARGATE, containers: [APP] };
    const task = await rig(shape, {}, { 'app-1': stats(10, 5) });
    await task.poll(0);
    assertNear(task.sample().ephemeralStorage, (100 * 261) / 20_496);
    set(task, { 'app-1': stats(60, 15) });
    await task.poll();
    assertNear(task.sample().cpuThrottled, 20);

    const unasked = await rig(shape, { wanted: new Set() }, at(0, { 'app-1': 0.1 }));
    await unasked.poll(0);
    assert.deepEqual(Object.keys(unasked.sample()), [
      ...['cpu', 'cpuCores', 'memory', 'memoryUsed', 'memoryLimit'],
    ]);
  });
});

describe('a running container that lacks something', () => {
  const empty = (own: object): ((stats: unknown) => unknown) => {
    return (stats) => ({ ...asObject(stats), ...own });
  };
  const rows: [
    what: string,
    of: (stats: unknown) => unknown,
    cpu: number | undefined,
    memory: number | undefined,
  ][] = [
    ['all: null', () => null, undefined, undefined],
    ['all: missing', () => undefined, undefined, undefined],
    ['all: read in the year 1', empty({ read: '0001-01-01T00:00:00Z' }), undefined, undefined],
    ['all: read at "1"', empty({ read: '1' }), undefined, undefined],
    ['memory: memory_stats is empty', empty({ memory_stats: {} }), 0.15, undefined],
    ['memory: memory_stats is null', empty({ memory_stats: null }), 0.15, undefined],
    ['memory: no usage', empty({ memory_stats: { limit: 5, stats: {} } }), 0.15, undefined],
    ['CPU: cpu_stats is empty', empty({ cpu_stats: {} }), undefined, 160],
    ['CPU: cpu_usage is empty', empty({ cpu_stats: { cpu_usage: {} } }), undefined, 160],
    [
      'CPU: a counter at 0',
      empty({ cpu_stats: { cpu_usage: { total_usage: 0 } } }),
      undefined,
      160,
    ],
  ];
  for (const [what, change, cpu, memory] of rows) {
    test(`${what}: no sum of the rest, and its name is said until it has it again`, async () => {
      const task = await rig({ ...EC2, containers: [{ ...APP, name: 'web' }, SIDECAR] });
      const some = (second: number): Record<string, unknown> => {
        const stats = at(second, BOTH);
        return { ...stats, 'app-1': change(stats['app-1']) };
      };
      set(task, at(0, BOTH));
      await task.poll(0);
      assertNear(task.sample().cpuCores, 0.15);
      for (const [second, pauseMs] of [
        [5, 5000],
        [10, 3200],
      ] as const) {
        set(task, some(second));
        await task.poll(pauseMs);
        const sample = task.sample();
        if (cpu === undefined) assert.equal(sample.cpuCores, undefined);
        else assertNear(sample.cpuCores, cpu);
        assert.equal(sample.memoryUsed, memory === undefined ? undefined : memory * MIB);
        for (const tick of [1, 2]) {
          task.clock.advance(900);
          assert.deepEqual(task.sample(), {}, `tick ${tick} after ${second} s`);
          assert.equal(task.why('cpu') === undefined, cpu !== undefined, 'it is not taken back');
          assert.equal(task.why('memory') === undefined, memory !== undefined);
        }
      }
      const why = task.why('cpu') ?? task.why('memory') ?? '';
      assert.match(why, /no figure of web, which runs: a sum without it would be wrong/);
      set(task, at(15, BOTH));
      await task.poll(3200);
      const whole = await soon(task);
      assertNear(whole.cpuCores, 0.15);
      assert.deepEqual([...task.source.absent], []);
    });
  }

  test('its name is its identity where it has no other', async () => {
    const containers = [{ ...APP, name: '' }, SIDECAR];
    const task = await rig({ ...EC2, containers }, {}, at(0, { 'agent-2': 0.05 }));
    await task.poll(0);
    task.sample();
    assert.match(task.why('cpu') ?? '', /no figure of app-1, which runs/);
  });

  test('none has any: their names are said after half a minute', async () => {
    const task = await rig(EC2, {}, { 'app-1': null, 'agent-2': null });
    await task.poll(0);
    await task.poll(1000);
    for (let poll = 0; poll < 6; poll += 1) await task.poll();
    task.sample();
    assert.match(task.why('cpu') ?? '', /no statistics of app-1, agent-2/);
  });

  test('memory without details is all that is used, and describe() says so', async () => {
    const bare = Object.entries(at(0, BOTH)).map(([id, stats]) => {
      return [id, { ...asObject(stats), memory_stats: { usage: 100 * MIB } }];
    });
    const task = await rig(FARGATE, {}, Object.fromEntries(bare));
    await task.poll(0);
    assert.equal(task.sample().memoryUsed, 200 * MIB);
    assert.match(task.source.describe(), /mem\.mode=workingset \(page cache included\) /);
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
      'the sum of the containers’ limits, where the task’s is above it',
      {
        ...EC2,
        limits: { CPU: 1, Memory: 1024 },
        containers: [
          { ...APP, memory: 256 },
          { ...SIDECAR, memory: 64 },
        ],
      },
      {},
      1,
      320 * MIB,
      /cpu\.limit=1 \(task metadata\) mem\.limit=320MiB \(task metadata\)/,
    ],
    [
      'the limits of those that run',
      {
        ...EC2,
        containers: [
          { ...APP, memory: 256 },
          { ...SIDECAR, memory: 64 },
          { ...LATE, memory: 128, status: 'STOPPED' },
        ],
      },
      {},
      2,
      320 * MIB,
      /mem\.limit=320MiB/,
    ],
    [
      'what --cpu-limit and --memory-limit say, where that is tighter',
      FARGATE,
      { saidCores: 0.2, saidBytes: 300 * MIB },
      0.2,
      300 * MIB,
      /cpu\.limit=0\.2 \(--cpu-limit\) mem\.limit=300MiB \(--memory-limit\)/,
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
      const task = await rig(shape, options, at(0, ONE));
      assert.match(task.source.describe(), /^scope=task source=task-metadata cpu\.limit=/);
      assert.match(task.source.describe(), line);
      await task.poll(0);
      const first = task.sample();
      assertNear(first.cpu, (100 * 0.1) / cores);
      assert.equal(first.memoryLimit, bytes);
    });
  }

  const modes = { workingset: 160, usage: 200, 'free-cache': 100 } as const;
  for (const [mode, mebibytes] of Object.entries(modes)) {
    test(`--memory-mode ${mode} of 200 MiB, 100 of them cache and 40 inactive, is ${mebibytes}`, async () => {
      const memoryMode = mode === 'usage' || mode === 'free-cache' ? mode : 'workingset';
      const task = await rig(FARGATE, { memoryMode }, at(0, ONE));
      await task.poll(0);
      assert.equal(task.sample().memoryUsed, mebibytes * MIB);
      assert.match(task.source.describe(), new RegExp(`mem\\.mode=${mode} `));
    });
  }

  test('limits that change are taken over within a minute', async () => {
    const task = await rig(FARGATE, {}, at(0, ONE));
    task.server.answers.set(
      '/task',
      taskDocument({ ...FARGATE, limits: { CPU: 1, Memory: 1024 } }),
    );
    for (let second = 0; second < 60; second += 5) {
      set(task, at(second, ONE));
      await task.poll(second === 0 ? 0 : 5000);
      task.sample();
    }
    set(task, at(60, ONE));
    await task.poll();
    const last = task.sample();
    assertNear(last.cpu, 10);
    assert.equal(last.memoryLimit, 1024 * MIB);
  });

  test('--exclude-self takes the agent’s own CPU and anonymous memory out', async () => {
    let cpuUsec = 0;
    const selfUsage = () => ({ cpuUsec, residentBytes: 50 * MIB, anonymousBytes: 10 * MIB });
    const stats = at(0, BOTH);
    const task = await rig(FARGATE, { excludeSelf: true, selfUsage }, stats);
    await task.poll(0);
    task.sample();
    cpuUsec = 0.2 * 1e6;
    set(task, at(5, BOTH));
    await task.poll();
    const sample = task.sample();
    assertNear(sample.cpuCores, 0.15 - 0.2 / 5);
    assert.equal(sample.memoryUsed, 150 * MIB);
  });
});

describe('an endpoint that fails', () => {
  const TOO_MANY = { status: 429, body: '' };

  test('is asked every 5 s, and after failures at 10, 20, 40 and at most 60 s', async () => {
    const task = await rig(EC2, {}, at(0, ONE));
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
    set(task, at(300, ONE));
    await task.poll(60_000);
    const before = asked();
    await task.poll(5000);
    assert.equal(asked(), before + 1, 'one answer, and all is as before');
  });

  test('one without statistics yet is asked again after a second, then at the usual pace', async () => {
    const task = await rig(FARGATE, {}, { 'app-1': null, 'agent-2': null });
    await task.poll(0);
    assert.deepEqual(task.sample(), {});
    await task.poll(1000);
    assert.deepEqual([task.asked('/task'), task.asked('/task/stats')], [2, 2]);
    set(task, at(6, BOTH));
    await task.poll(5000);
    assertNear(task.sample().cpuCores, 0.15);
    assert.deepEqual([...task.source.absent], []);
  });

  test('is not missed for 30 s, and then for a reason that is told', async () => {
    const task = await rig(EC2, {}, at(0, ONE));
    await task.poll(0);
    task.sample();
    task.server.answers.set('/task/stats', { status: 500, body: '' });
    await task.poll(5000);
    await task.poll(10_000);
    task.clock.advance(15_000);
    assert.deepEqual([task.sample(), [...task.source.absent]], [{}, []]);
    task.clock.advance(1);
    assert.deepEqual(task.sample(), {}, 'the machine is not the task’s alone');
    for (const name of ['task statistics', 'cpu', 'memory', 'throttling']) {
      assert.equal(task.why(name), 'task metadata /task/stats: HTTP 500', name);
    }
  });

  test('that never answered gives nothing either', async () => {
    const task = await rig(EC2, {}, 'no object');
    await task.poll(0);
    task.clock.advance(9000);
    assert.deepEqual(task.sample(), {});
    await task.poll(1000);
    task.clock.advance(20_001);
    task.sample();
    assert.match(task.why('memory') ?? '', /\/task\/stats: no JSON object/);
  });

  test('whose /task fails while somebody unknown has statistics makes no sum', async () => {
    const task = await rig(EC2, {}, at(0, BOTH));
    await task.poll(0);
    task.sample();
    task.server.answers.set('/task', { status: 500, body: '' });
    set(task, at(5, { ...BOTH, 'late-4': 0.2 }));
    await task.poll();
    assert.deepEqual(task.sample(), {});
    list(task, { ...EC2, containers: [APP, SIDECAR, LATE] });
    set(task, at(15, { ...BOTH, 'late-4': 0.2 }));
    await task.poll(10_000);
    assertNear(task.sample().cpuCores, 0.35);
  });

  test('comes back with the load of the last second, so that the gap is in no figure', async () => {
    const task = await rig(EC2, {}, at(0, { 'app-1': 1, 'agent-2': 0 }));
    await task.poll(0);
    task.sample();
    task.server.answers.set('/task/stats', TOO_MANY);
    await task.poll(5000);
    task.clock.advance(9000);
    await task.poll(1000);
    task.clock.advance(16_000);
    assert.deepEqual(task.sample(), {});
    assert.equal(task.why('cpu'), 'task metadata /task/stats: HTTP 429');
    set(task, at(40, ONE));
    await task.poll(10_000);
    const first = await soon(task);
    assertNear(first.cpuCores, 0.1);
    assert.equal(first.memoryUsed, 160 * MIB);
    set(task, at(50, ONE));
    await task.poll(4500);
    assertNear(task.sample().cpuCores, 0.1);
  });

  test('on Fargate the machine’s CPU time stands in, since the machine is the task’s alone', async () => {
    const task = await rig(FARGATE, {}, at(0, ONE));
    await task.poll(0);
    task.sample();
    const fail = async (): Promise<void> => {
      task.server.answers.set('/task/stats', TOO_MANY);
      await task.poll(5000);
      task.clock.advance(9999);
      await task.poll(1);
      task.clock.advance(19_999);
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
    assert.match(
      task.why('task statistics') ?? '',
      /HTTP 429; the machine's \/proc\/stat stands in/,
    );

    task.root.write({ 'proc/stat': 'cpu  1009 0 0 5171 0 0 0 0 0 0\n' });
    task.clock.advance(1_000_000);
    await task.poll(0);
    set(task, at(1060, ONE));
    await task.poll(60_000);
    assertNear((await soon(task)).cpuCores, 0.1);
    await fail();
    assert.deepEqual(task.sample(), {}, 'a new baseline: the time between was told already');
  });

  test('on Fargate nothing stands in before it has answered once', async () => {
    const task = await rig(FARGATE, {}, { status: 500, body: '' });
    await task.poll(0);
    task.clock.advance(9999);
    await task.poll(1);
    task.clock.advance(19_999);
    await task.poll(1);
    task.clock.advance(1);
    assert.deepEqual(task.sample(), {});
    task.root.write({ 'proc/stat': 'cpu  1009 0 0 1171 0 0 0 0 0 0\n' });
    task.clock.advance(900);
    assert.deepEqual(task.sample(), {});
    assert.equal(task.why('cpu'), 'task metadata /task/stats: HTTP 500');
    assert.equal(task.why('task statistics'), 'task metadata /task/stats: HTTP 500');
  });

  test('on Fargate nothing stands in for a container that lacks its CPU time', async () => {
    const task = await rig(FARGATE, {}, at(0, BOTH));
    await task.poll(0);
    task.sample();
    for (let second = 5; second <= 60; second += 5) {
      set(task, { ...at(second, { 'agent-2': 0.05 }), 'app-1': null });
      await task.poll();
      assert.equal(task.sample().cpu, undefined);
      assert.match(task.why('cpu') ?? '', /no figure of app-1/);
    }
  });

  test('whose readings all stand still is one that fails', async () => {
    const task = await rig(EC2, {}, at(0, ONE));
    await task.poll(0);
    task.sample();
    for (let poll = 0; poll < 13; poll += 1) await task.poll();
    task.sample();
    assert.match(task.why('cpu') ?? '', /no new statistics of app-1, agent-2/);
  });

  test('a missing /proc/meminfo costs nothing where the task has a limit', async () => {
    const task = await rig(FARGATE, {}, at(0, ONE));
    task.root.write({ 'proc/meminfo': '' });
    await task.poll(0);
    const { cpu, memory } = task.sample();
    assertNear(cpu, 40);
    assertNear(memory, TWO_OF_512);
    assert.deepEqual([...task.source.absent], []);
    assert.match(task.source.describe(), /mem\.limit=512MiB/);
  });

  test('no list of CPUs costs nothing where the task has a limit, and the share where it has none', async () => {
    for (const [shape, cpu] of [
      [FARGATE, 40],
      [EC2, undefined],
    ] as const) {
      const task = await rig(shape, {}, at(0, ONE));
      task.root.write({ 'proc/stat': '', 'sys/devices/system/cpu/online': '' });
      await task.poll(0);
      const sample = task.sample();
      if (cpu === undefined) assert.equal(sample.cpu, undefined);
      else assertNear(sample.cpu, cpu);
      assertNear(sample.cpuCores, 0.1);
    }
  });

  test('closed, it is not asked again', async () => {
    const task = await rig(EC2);
    task.source.close();
    task.clock.advance(60_000);
    assert.deepEqual([task.clock.pending(), task.server.asked], [0, ['/task']]);
  });

  test('closed while it is being asked, it is not asked again either', async () => {
    const task = await rig(EC2, {}, at(0, BOTH));
    task.clock.advance(0);
    task.source.close();
    for (let turn = 0; turn < 20; turn += 1) await new Promise((done) => setImmediate(done));
    assert.equal(task.clock.pending(), 0);
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

  test('where the endpoint fails it says so, and publishes nothing in the task’s name', async () => {
    const server = await serve({ '/task': { status: 500, body: '' } });
    const environment = { ECS_CONTAINER_METADATA_URI_V4: server.uri };
    const { stdout, stderr } = await runAgent(NAMES, { environment });
    assert.match(stderr, /task metadata does not answer.*task metadata \/task: HTTP 500/);
    assert.doesNotMatch(stdout, /CPUUtilization|MemoryUtilization/);
  });

  test('where it answers a second later, the task is measured from then on', async () => {
    let asked = 0;
    const server = await serve({
      '': containerDocument(SIDECAR),
      '/task': () => {
        asked += 1;
        return asked === 1 ? { status: 500, body: '' } : taskDocument(FARGATE);
      },
      '/task/stats': at(0, { 'app-1': 0.1, 'agent-2': 0.025 }),
    });
    const environment = { ECS_CONTAINER_METADATA_URI_V4: server.uri };
    const { code, stdout, stderr } = await runAgent([...NAMES, '--period', '4'], { environment });
    assert.equal(code, 0, stderr);
    assert.match(stderr, /the scope changes from nothing .* to task, by its metadata: scope=task/);
    assert.deepEqual(figuresOf(stdout)[0], ['CPUUtilization', 50]);
  });

  test('--scope task waits for an endpoint that fails, and says what for', async () => {
    const server = await serve({});
    const environment = { ECS_CONTAINER_METADATA_URI_V4: server.uri };
    const { stdout, stderr } = await runAgent([...NAMES, '--scope', 'task'], { environment });
    assert.match(stderr, /task metadata does not answer.*HTTP 404/);
    assert.doesNotMatch(stdout, /CPUUtilization/);
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

function set(task: Rig, stats: unknown): void {
  task.server.answers.set('/task/stats', stats);
}

function list(task: Rig, shape: TaskShape): void {
  task.server.answers.set('/task', taskDocument(shape));
}

/** Statistics of a container that began at second 0 without a reading before. */
function fresh(second: number, cores: number): unknown {
  return statsV2({ read: WALL + second * 1000, cpu: second * cores * SECOND_NS, usage: MIB });
}

/** All that the ticks of the next ten seconds tell: what was absent is tried that often. */
async function soon(task: Rig): Promise<Sample> {
  let all: Sample = {};
  for (let tick = 0; tick < 11; tick += 1) {
    all = { ...all, ...task.sample() };
    if (tick < 10) task.clock.advance(tick === 0 ? 500 : 0);
  }
  return all;
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
