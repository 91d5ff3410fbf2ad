// Over 200 lines: the histories of a task, each on a real endpoint, told second by second.
import assert from 'node:assert/strict';
import { after, afterEach, describe, test } from 'node:test';
import { openTaskMetadata } from '../../src/metadata/ecs.ts';
import { createHttpClient } from '../../src/net/http.ts';
import { type WatchedSource, watchSource } from '../../src/sources/watch.ts';
import {
  type ContainerShape,
  containerDocument,
  SILENCE,
  startTaskServer,
  statsV2,
  type TaskServer,
  taskDocument,
} from '../support/aws/task-metadata.ts';
import { MEBIBYTE, makePod, type Pod } from '../support/pod.ts';
import { type Sample, type SelectRig, sampleAt, selectOptions } from '../support/sources.ts';

const SECOND_NS = 1e9;
const DEADLINE_MS = 10_000;
const HTTP_500 = { status: 500, body: '' };

const http = createHttpClient();
after(() => http.close());
const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** A container of the task, what it uses from the start on, and what its statistics lack. */
interface Container extends ContainerShape {
  readonly cores: number;
  /** Null, or with a half that is empty. */
  readonly change?: (stats: object) => unknown;
}

const AGENT: Container = { id: 'agent', cores: 0.01 };
const APP: Container = { id: 'app', cores: 0.2 };

/** What the endpoint tells now. */
interface World {
  containers: readonly Container[];
  limits: { readonly CPU: number; readonly Memory: number };
  /** In the place of each answer. */
  instead?: unknown;
}

interface Told extends Sample {
  readonly second: number;
}

interface Rig {
  readonly world: World;
  readonly pod: Pod;
  readonly server: TaskServer;
  readonly options: SelectRig;
  readonly source: WatchedSource;
  /** Lets seconds pass, with a sample at the end of each. */
  pass(seconds: number): Promise<readonly Told[]>;
  /** Lets seconds pass without any. */
  skip(seconds: number): Promise<void>;
}

/** The agent's own container in a task of one core and 512 MiB; it holds nothing but the agent. */
async function rig(world: Partial<World>, over: Partial<SelectRig> = {}): Promise<Rig> {
  const now: World = { containers: [AGENT], limits: { CPU: 1, Memory: 512 }, ...world };
  const pod = makePod();
  pod.own({ usageUsec: 1000, bytes: 20 * MEBIBYTE });
  pod.write({ 'sys/fs/cgroup/cgroup.procs': '7\n' });
  pod.process('self', '/');
  pod.process(7, '/', { comm: 'node' });
  const server = await startTaskServer({});
  const metadata = openTaskMetadata(server.uri, http);
  const options = selectOptions(pod, {
    own: { environment: { ECS_CONTAINER_METADATA_URI_V4: server.uri }, pid: 7, user: '0' },
    metadata: () => Promise.resolve(metadata),
    ...over,
  });
  const { clock } = options;
  const startMs = clock.monoMs();
  const tell = (document: () => unknown) => (): unknown => now.instead ?? document();
  server.answers.set(
    '',
    tell(() => containerDocument(AGENT)),
  );
  server.answers.set(
    '/task',
    tell(() => taskDocument({ launchType: 'EC2', ...now })),
  );
  server.answers.set(
    '/task/stats',
    tell(() => statsOf(now.containers, clock.wallMs(), (clock.monoMs() - startMs) / 1000)),
  );
  const source = await watchSource(options);
  closing.push(server.close, pod.remove, () => source.close());
  const step = async (): Promise<void> => {
    const second = (clock.monoMs() - startMs) / 1000 + 1;
    pod.own({ usageUsec: 1000 + second * 10_000, bytes: 20 * MEBIBYTE });
    pod.write({ 'sys/fs/cgroup/cgroup.procs': '7\n' });
    clock.advance(1000);
    await quiet(source, options);
  };
  return {
    world: now,
    pod,
    server,
    options,
    source,
    async skip(seconds) {
      for (let count = 0; count < seconds; count += 1) await step();
    },
    async pass(seconds) {
      const told: Told[] = [];
      for (let count = 0; count < seconds; count += 1) {
        await step();
        const sample = sampleAt(source, clock.monoMs());
        told.push({ second: (clock.monoMs() - startMs) / 1000, ...sample });
      }
      return told;
    },
  };
}

/** Each has used its cores since long ago; one that has stopped is told by its last statistics. */
function statsOf(
  containers: readonly Container[],
  wallMs: number,
  second: number,
): Record<string, unknown> {
  const entries = containers.map(({ id, cores, status = 'RUNNING', change }) => {
    if (status !== 'RUNNING') return [id, null];
    const cpu = (at: number): number => (1000 + at * cores) * SECOND_NS;
    const stats = statsV2({
      read: wallMs,
      cpu: cpu(second),
      before: { read: wallMs - 1000, cpu: cpu(second - 1) },
      usage: 100 * MEBIBYTE,
      inactiveFile: 20 * MEBIBYTE,
    });
    assert.ok(typeof stats === 'object' && stats !== null);
    return [id, change === undefined ? stats : change(stats)];
  });
  return Object.fromEntries(entries);
}

/** Waits until every answer is dealt with: the watch has its timer again, and the polls theirs. */
async function quiet(source: WatchedSource, { clock }: SelectRig): Promise<void> {
  const endMs = performance.now() + DEADLINE_MS;
  const timers = (): number => (source.describe().includes('source=task-metadata') ? 2 : 1);
  for (;;) {
    await new Promise((resolve) => setImmediate(resolve));
    if (clock.pending() === timers()) return;
    assert.ok(performance.now() < endMs, `${clock.pending()} timers, ${source.describe()}`);
  }
}

/** All that was told of CPU, each number once. */
function cores(told: readonly Told[]): readonly number[] {
  const all = told.flatMap(({ cpuCores }) => cpuCores ?? []);
  return [...new Set(all.map((value) => Math.round(value * 1e4) / 1e4))];
}

function memory(told: readonly Told[]): readonly number[] {
  return [...new Set(told.flatMap(({ memoryUsed }) => memoryUsed ?? []))].map(
    (bytes) => bytes / MEBIBYTE,
  );
}

/** None but these, and the last of them at the end: no figure spans two scopes. */
function assertOnly(told: readonly number[], expected: readonly number[]): void {
  assert.deepEqual(
    told.filter((value) => !expected.includes(value)),
    [],
  );
  assert.equal(told.at(-1), expected.at(-1));
}

function assertNothing(told: readonly Told[]): void {
  assert.deepEqual([cores(told), memory(told)], [[], []]);
}

describe('an app that comes a minute after the agent', () => {
  test('and is not listed until then: the agent’s own figures with a warning, then the sum', async () => {
    const task = await rig({});
    assert.match(task.options.warnings.join('\n'), /nothing but the agent.*no other container/);
    assert.match(task.source.describe(), /^scope=task source=cgroup /);
    const before = await task.pass(60);
    assert.deepEqual([cores(before), memory(before)], [[0.01], [20]]);
    task.options.warnings.length = 0;
    task.world.containers = [AGENT, APP];
    const later = await task.pass(60);
    const change = later.find(({ cpuCores = 0 }) => cpuCores > 0.1)?.second ?? Number.NaN;
    assert.ok(change <= 60 + 31 + 5, `measured at second ${change}`);
    assertOnly(cores(later), [0.01, 0.21]);
    assertOnly(memory(later), [20, 160]);
    assert.deepEqual(task.options.warnings, task.source.history);
    assert.match(
      task.options.warnings.join('\n'),
      /^the scope changes from task, which is the own container to task, by its metadata: scope=task source=task-metadata/,
    );
    assert.ok(task.source.scopeNumber > 0, 'no window spans the two');
  });

  for (const status of ['CREATED', 'PULLED']) {
    test(`and is listed as ${status}: nothing until it runs`, async () => {
      const task = await rig({ containers: [AGENT, { ...APP, name: 'web', status }] });
      assertNothing(await task.pass(60));
      assert.match(task.source.describe(), /^scope=none: the task has web, which has not started/);
      assert.deepEqual(task.options.warnings, ['the task has web, which has not started yet']);
      task.world.containers = [AGENT, APP];
      const later = await task.pass(45);
      assert.deepEqual([cores(later), memory(later)], [[0.21], [160]]);
    });
  }

  test('and the endpoint answers 500 until then: nothing, and then the sum', async () => {
    const task = await rig({ containers: [AGENT, APP], instead: HTTP_500 });
    assertNothing(await task.pass(60));
    const [warning = ''] = task.options.warnings;
    assert.match(warning, /task metadata does not answer.*HTTP 500/);
    assert.equal(task.options.warnings.length, 1);
    delete task.world.instead;
    const later = await task.pass(45);
    assert.deepEqual([cores(later), memory(later)], [[0.21], [160]]);
    assert.match(task.source.history.join('\n'), /^the scope changes from nothing \(task meta/);
  });

  test('and the endpoint keeps the connection open without a word: nothing, and then the sum', async () => {
    const task = await rig({ containers: [AGENT, APP], instead: SILENCE });
    assertNothing(await task.pass(2));
    delete task.world.instead;
    const later = await task.pass(12);
    assert.deepEqual([cores(later), memory(later)], [[0.21], [160]]);
  });

  test('and 500 comes while its container is being created, then a list without it', async () => {
    const task = await rig({ instead: HTTP_500 });
    assertNothing(await task.pass(10));
    delete task.world.instead;
    task.world.containers = [AGENT, { ...APP, status: 'CREATED' }];
    assertNothing(await task.pass(30));
    task.world.containers = [AGENT, APP];
    assert.deepEqual(cores(await task.pass(45)), [0.21]);
  });
});

describe('an endpoint that never answers', () => {
  test('leaves nothing for two minutes, and then, loudly, the own container', async () => {
    const task = await rig({ instead: HTTP_500 });
    assertNothing(await task.pass(119));
    const later = await task.pass(40);
    assert.deepEqual([cores(later), memory(later)], [[0.01], [20]]);
    const loud = task.options.warnings.filter((text) => text.includes('never answered within two'));
    assert.equal(loud.length, 1);
    assert.match(task.source.describe(), /^scope=container /);
  });

  test('and answers after all: the task takes over', async () => {
    const task = await rig({ containers: [AGENT, APP], instead: HTTP_500 });
    await task.skip(180);
    delete task.world.instead;
    const later = await task.pass(75);
    assertOnly(cores(later), [0.01, 0.21]);
    assert.match(task.source.describe(), /source=task-metadata/);
  });

  test('is waited for with --scope task, however long', async () => {
    const task = await rig({ containers: [AGENT, APP], instead: HTTP_500 }, { scope: 'task' });
    assertNothing(await task.pass(200));
    delete task.world.instead;
    assert.deepEqual(cores(await task.pass(45)), [0.21]);
  });
});

describe('a task whose containers change', () => {
  const LATE: Container = { id: 'late', name: 'worker', cores: 0.4 };

  test('has one more: in the sum from the next poll on, and no figure without it', async () => {
    const task = await rig({ containers: [AGENT, APP] });
    await task.skip(10);
    task.world.containers = [AGENT, APP, LATE];
    const told = await task.pass(30);
    assert.deepEqual(cores(told), [0.61]);
    assert.ok((told.find(({ memoryUsed }) => memoryUsed === 240 * MEBIBYTE)?.second ?? 99) <= 16);
    assert.deepEqual(task.source.history, []);
  });

  test('has one less', async () => {
    const task = await rig({ containers: [AGENT, APP, LATE] });
    assert.deepEqual(cores(await task.pass(10)), [0.61]);
    task.world.containers = [AGENT, APP, { ...LATE, status: 'STOPPED' }];
    const told = await task.pass(30);
    assert.deepEqual(cores(told.slice(5)), [0.21]);
    assert.deepEqual(memory(told.slice(5)), [160]);
  });

  test('loses all but the agent, which is then its own scope, until another app comes', async () => {
    const task = await rig({ containers: [AGENT, APP] });
    assert.deepEqual(cores(await task.pass(10)), [0.21]);
    task.world.containers = [AGENT, { ...APP, status: 'STOPPED' }];
    const alone = await task.pass(120);
    assert.deepEqual(cores(alone.slice(5)), [0.01]);
    assert.match(task.source.describe(), /^scope=task source=cgroup /);
    task.world.containers = [AGENT, { ...APP, status: 'STOPPED' }, LATE];
    const later = await task.pass(75);
    assertOnly(cores(later), [0.01, 0.41]);
    assert.match(task.source.describe(), /source=task-metadata/);
    assert.equal(task.source.history.length, 2);
  });

  test('has its app restarted under another identity: no figure of the old one, none without the new', async () => {
    const task = await rig({ containers: [AGENT, APP] });
    assert.deepEqual(cores(await task.pass(10)), [0.21]);
    const old = { ...APP, status: 'STOPPED' };
    task.world.containers = [AGENT, old, { ...LATE, status: 'CREATED' }];
    const between = await task.pass(20);
    assert.deepEqual(cores(between.slice(5)), [0.01]);
    task.world.containers = [AGENT, old, LATE];
    const later = await task.pass(60);
    assert.deepEqual(cores(later.slice(6)), [0.41]);
  });

  test('has two that swap their identities', async () => {
    const task = await rig({ containers: [AGENT, APP, LATE] });
    await task.skip(10);
    const swapped = [AGENT, { ...APP, name: 'worker' }, { ...LATE, name: 'app' }];
    task.world.containers = swapped;
    const told = await task.pass(20);
    assert.deepEqual([cores(told), memory(told)], [[0.61], [240]]);
  });

  test('has other limits: they hold within a minute', async () => {
    const task = await rig({ containers: [AGENT, APP] });
    await task.skip(5);
    task.world.limits = { CPU: 0.5, Memory: 1024 };
    const told = await task.pass(70);
    const last = told.filter(({ cpu }) => cpu !== undefined).at(-1);
    assert.ok(Math.abs((last?.cpu ?? 0) - 42) < 1e-6, `${last?.cpu}`);
    assert.equal(last?.memoryLimit, 1024 * MEBIBYTE);
  });

  test('has a container that lacks its statistics for a while: nothing, and its name is said', async () => {
    const task = await rig({ containers: [AGENT, APP] });
    await task.skip(10);
    task.world.containers = [AGENT, { ...APP, name: 'web', change: () => null }];
    const told = await task.pass(60);
    assertNothing(told.slice(5));
    assert.match(task.source.absent.get('cpu') ?? '', /no figure of web, which runs/);
    task.world.containers = [AGENT, APP];
    const later = await task.pass(30);
    assert.deepEqual([cores(later), memory(later)], [[0.21], [160]]);
    assert.ok((later.find(({ cpuCores }) => cpuCores !== undefined)?.second ?? 99) <= 85);
    assert.deepEqual(task.source.history, [], 'there is no other view that is whole');
  });
});

describe('another view of the same containers', () => {
  const change = (): null => null;

  /** The app and the agent in one PID namespace; `where` is whose files can be read. */
  function shared({ pod }: Rig, isReadable: boolean): void {
    pod.container('agent', { usageUsec: 1000, bytes: 20 * MEBIBYTE });
    pod.container('app', { usageUsec: 7_000_000, bytes: 100 * MEBIBYTE, cores: 1 });
    pod.process('self', '/', { in: 'agent' });
    pod.process(7, '/', { in: 'agent', comm: 'node' });
    pod.process(20, '/../app', isReadable ? { in: 'app' } : {});
  }

  test('is taken where statistics are not whole and the files can be read', async () => {
    const task = await rig({ containers: [AGENT, { ...APP, change }] });
    assertNothing(await task.pass(10));
    shared(task, true);
    const told = await task.pass(40);
    assert.match(task.source.describe(), /source=siblings containers=2/);
    assert.deepEqual(memory(told), [120]);
    assert.match(
      task.source.history.join('\n'),
      /from task, by its metadata to task, by the files/,
    );
  });

  test('is taken where files cannot be read and statistics are whole', async () => {
    const task = await rig({ containers: [AGENT, APP] });
    shared(task, false);
    const told = await task.pass(30);
    assert.deepEqual([cores(told), memory(told)], [[0.21], [160]]);
    assert.match(task.source.describe(), /source=task-metadata/);
  });

  test('is taken back when the files can no longer be read', async () => {
    const task = await rig({ containers: [AGENT, { ...APP, change }] });
    shared(task, true);
    await task.skip(75);
    assert.match(task.source.describe(), /source=siblings/);
    task.world.containers = [AGENT, APP];
    task.pod.gone('proc/20/root');
    const told = await task.pass(60);
    assert.match(task.source.describe(), /source=task-metadata/);
    assert.deepEqual(memory(told).slice(-1), [160]);
  });

  test('is none where neither is whole: never the own container, nor the machine', async () => {
    const task = await rig({ containers: [AGENT, { ...APP, change }] });
    shared(task, false);
    assertNothing(await task.pass(180));
  });
});
