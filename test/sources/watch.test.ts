import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { Task } from '../../src/metadata/ecs.ts';
import { type WatchedSource, watchSource } from '../../src/sources/watch.ts';
import { MEBIBYTE, makePod, metadataOf, type Pod, taskOf } from '../support/pod.ts';
import { lookAgainAfter, type SelectRig, sampleAt, selectOptions } from '../support/sources.ts';

let pod: Pod;
let source: WatchedSource | undefined;

beforeEach(() => {
  pod = makePod();
});

afterEach(() => {
  source?.close();
  source = undefined;
  pod.remove();
});

/** A watched source, and how often it has looked. */
interface Watch {
  readonly options: SelectRig;
  readonly source: WatchedSource;
  readonly looks: () => number;
}

async function watch(over: Parameters<typeof selectOptions>[1] = {}): Promise<Watch> {
  let looks = 0;
  const options = selectOptions(pod, {
    ...over,
    onTry: (name) => {
      if (name === 'task' || name === 'container') looks += 1;
    },
  });
  source = await watchSource(options);
  const perLook = looks;
  return { options, source, looks: () => looks / perLook };
}

/** The agent's container in a pod that shares its PID namespace, beside the sandbox. */
function sidecar(): void {
  pod.own({ usageUsec: 0, bytes: 20 * MEBIBYTE });
  pod.write({ 'sys/fs/cgroup/cgroup.procs': '7\n' });
  pod.container('agent', { usageUsec: 0, bytes: 20 * MEBIBYTE, cores: 0.5 });
  pod.container('pause', { bytes: 200_000 });
  pod.process('self', '/', { in: 'agent' });
  pod.process(1, '/../pause', { in: 'pause', comm: 'pause' });
  pod.process(7, '/', { in: 'agent', comm: 'node' });
}

const APP = { id: 'app', name: 'app', type: 'NORMAL', status: 'RUNNING' };

describe('what was chosen is asked again', () => {
  /** The spans after which it was asked again, in seconds. */
  async function pacesOf({ options, looks }: Watch, times: number): Promise<number[]> {
    const paces: number[] = [];
    for (let time = 0; time < times; time += 1) {
      const before = looks();
      let seconds = 0;
      while (looks() === before) {
        seconds += 1;
        await lookAgainAfter(options.clock, 1000);
      }
      paces.push(seconds);
    }
    return paces;
  }

  test('every 60 s once it is settled', async () => {
    assert.deepEqual(await pacesOf(await watch(), 3), [60, 60, 60]);
  });

  test('after 1, 2, 4 … 30 s while it is waited for', async () => {
    pod.own({});
    const metadata = metadataOf(() => new Error('HTTP 500'));
    const watched = await watch({ metadata, scope: 'task' });
    assert.deepEqual(await pacesOf(watched, 8), [1, 2, 4, 8, 16, 30, 30, 30]);
  });

  test('after 1, 2, 4 … 30 s while the agent is alone', async () => {
    sidecar();
    const watched = await watch({ own: { environment: {}, pid: 7 } });
    assert.deepEqual(await pacesOf(watched, 7), [1, 2, 4, 8, 16, 30, 30]);
  });

  test('by no more than one timer, and not at all after it was closed', async () => {
    const { options, source: watched } = await watch();
    assert.equal(options.clock.pending(), 1);
    await lookAgainAfter(options.clock, 60_000);
    assert.equal(options.clock.pending(), 1);
    watched.close();
    assert.equal(options.clock.pending(), 0);
  });

  test('and a look that is under way when it is closed leaves nothing behind', async () => {
    sidecar();
    const { options, source: watched } = await watch({ own: { environment: {}, pid: 7 } });
    pod.container('app', {});
    pod.process(20, '/../app', { in: 'app' });
    options.clock.advance(1000);
    watched.close();
    for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual([options.clock.pending(), watched.history.length], [0, 0]);
  });
});

describe('a sidecar that starts before its app', () => {
  test('measures itself with a warning, and the sum of both from the app’s start on', async () => {
    sidecar();
    const { options, source: watched } = await watch({ own: { environment: {}, pid: 7 } });
    assert.match(watched.describe(), /^scope=container/);
    assert.equal(options.warnings.length, 1);
    sampleAt(watched, 0);
    pod.group('sys/fs/cgroup', { usageUsec: 10_000, bytes: 20 * MEBIBYTE });
    assert.equal(sampleAt(watched, 1000).cpuCores, 0.01);

    pod.container('app', { usageUsec: 7_000_000, bytes: 100 * MEBIBYTE, cores: 1 });
    pod.process(20, '/../app', { in: 'app' });
    await lookAgainAfter(options.clock, 1000);
    assert.match(watched.describe(), /^scope=task source=siblings containers=2 cpu\.limit=1\.5 /);
    // No figure spans two scopes.
    const first = sampleAt(watched, 2000);
    assert.deepEqual([first.cpu, first.memoryUsed], [undefined, 120 * MEBIBYTE]);
    pod.container('app', { usageUsec: 7_740_000, bytes: 100 * MEBIBYTE, cores: 1 });
    pod.container('agent', { usageUsec: 10_000, bytes: 20 * MEBIBYTE, cores: 0.5 });
    assert.equal(sampleAt(watched, 3000).cpu, 50);
  });

  test('says the change in one line, and keeps it', async () => {
    sidecar();
    const { options, source: watched } = await watch({ own: { environment: {}, pid: 7 } });
    const before = watched.scopeNumber;
    pod.container('app', { bytes: 100 * MEBIBYTE });
    pod.process(20, '/../app', { in: 'app' });
    options.warnings.length = 0;
    await lookAgainAfter(options.clock, 1000);
    await lookAgainAfter(options.clock, 60_000);
    assert.deepEqual(options.warnings, watched.history);
    assert.equal(watched.history.length, 1);
    assert.match(
      watched.history[0] ?? '',
      /^the scope changes from container to task, by the files of its containers: scope=task /,
    );
    assert.notEqual(watched.scopeNumber, before);
  });

  test('tells the caller of the change at the next measuring, once', async () => {
    sidecar();
    const { options, source: watched } = await watch({ own: { environment: {}, pid: 7 } });
    const figures = new Float64Array(64);
    watched.measure(0, figures);
    assert.equal(watched.measure(1000, figures), false);
    pod.container('app', {});
    pod.process(20, '/../app', { in: 'app' });
    await lookAgainAfter(options.clock, 1000);
    assert.equal(watched.measure(2000, figures), true);
    assert.equal(watched.measure(3000, figures), false);
  });

  test('and outlives it goes back to its own container', async () => {
    sidecar();
    pod.container('app', {});
    pod.process(20, '/../app', { in: 'app' });
    const { options, source: watched } = await watch({ own: { environment: {}, pid: 7 } });
    assert.match(watched.describe(), /source=siblings/);
    pod.gone('proc/20', 'containers/app');
    await lookAgainAfter(options.clock, 60_000);
    assert.match(watched.describe(), /^scope=container/);
    assert.match(options.warnings.join('\n'), /holds nothing but the agent/);
  });
});

describe('a container that is hidden', () => {
  function hidden(): void {
    sidecar();
    pod.container('app', { usageUsec: 1_000_000, bytes: 100 * MEBIBYTE });
    pod.process(20, '/../app', { comm: 'java', uid: 1000 });
  }

  test('keeps all figures away, and the log says who cannot read whom and what to do', async () => {
    hidden();
    const { options, source: watched } = await watch({
      own: { environment: {}, pid: 7, user: '0' },
    });
    const sample = sampleAt(watched, 0);
    assert.deepEqual([sample.cpu, sample.memory], [undefined, undefined]);
    const said = options.warnings.join('\n');
    assert.match(said, /user 0 may not read java \(process 20, user 1000\)/);
    assert.match(said, /run the agent as the same user, or as root with the capability SYS_PTRACE/);
    assert.doesNotMatch(said, /shareProcessNamespace/);
    assert.match(watched.describe(), /^scope=none: 1 other container is visible/);
  });

  test('is in the sum once it can be read', async () => {
    hidden();
    const { options, source: watched } = await watch();
    sampleAt(watched, 0);
    await lookAgainAfter(options.clock, 1000);
    assert.match(watched.describe(), /^scope=none/);
    pod.process(20, '/../app', { in: 'app', comm: 'java', uid: 1000 });
    await lookAgainAfter(options.clock, 2000);
    assert.match(watched.describe(), /^scope=task source=siblings containers=2/);
    assert.equal(sampleAt(watched, 3000).memoryUsed, 120 * MEBIBYTE);
    assert.equal(watched.history.length, 1);
  });
});

describe('a task whose metadata', () => {
  let answer: Task | Error;
  const metadata = metadataOf(() => answer);

  beforeEach(() => {
    pod.own({ bytes: 20 * MEBIBYTE });
    pod.write({ 'sys/fs/cgroup/cgroup.procs': '7\n' });
  });

  test('answers 500, then 200: nothing until then, and the task from then on', async () => {
    answer = new Error('HTTP 500');
    const { options, source: watched } = await watch({ metadata });
    const sample = sampleAt(watched, 0);
    assert.deepEqual([sample.cpu, sample.memory], [undefined, undefined]);
    assert.match(options.warnings.join(), /task metadata does not answer.*HTTP 500/);
    assert.match(watched.absent.get('CPU and memory') ?? '', /HTTP 500/);
    answer = taskOf(APP);
    await lookAgainAfter(options.clock, 1000);
    assert.match(watched.describe(), /^scope=task source=task-metadata .*containers=2/);
  });

  test('never answers: the own container after two minutes, said once and loudly', async () => {
    answer = new Error('ECONNREFUSED');
    const { options, source: watched } = await watch({ metadata });
    for (let second = 1; second < 120; second += 1) {
      await lookAgainAfter(options.clock, 1000);
      assert.match(watched.describe(), /^scope=none/, `after ${second} s`);
    }
    for (let second = 0; second < 300; second += 1) await lookAgainAfter(options.clock, 1000);
    assert.match(watched.describe(), /^scope=container/);
    const loud = options.warnings.filter((line) => /never answered within two minutes/.test(line));
    assert.equal(loud.length, 1);
    // And when it answers all the same, the task takes over.
    answer = taskOf(APP);
    await lookAgainAfter(options.clock, 60_000);
    assert.match(watched.describe(), /^scope=task source=task-metadata/);
  });

  test('never answers and is forced: it is waited for, however long', async () => {
    answer = new Error('HTTP 500');
    const { options, source: watched } = await watch({ metadata, scope: 'task' });
    for (let time = 0; time < 20; time += 1) await lookAgainAfter(options.clock, 30_000);
    assert.match(watched.describe(), /^scope=none: task metadata does not answer/);
    answer = taskOf(APP);
    await lookAgainAfter(options.clock, 30_000);
    assert.match(watched.describe(), /^scope=task source=task-metadata/);
  });

  test('lists an app that has not started: nothing until it runs', async () => {
    answer = taskOf({ ...APP, status: 'PULLED' });
    const { options, source: watched } = await watch({ metadata });
    assert.match(watched.describe(), /^scope=none: the task has app, which has not started yet/);
    assert.equal(sampleAt(watched, 0).memory, undefined);
    answer = taskOf(APP);
    await lookAgainAfter(options.clock, 1000);
    assert.match(watched.describe(), /^scope=task source=task-metadata .*containers=2/);
  });

  test('lists only the agent at first: the app is measured a minute late', async () => {
    answer = taskOf();
    const { options, source: watched } = await watch({
      metadata,
      own: { environment: {}, pid: 7 },
    });
    assert.match(watched.describe(), /^scope=task source=cgroup/);
    assert.match(
      options.warnings.join(),
      /no other container \(yet\): one that starts is measured/,
    );
    for (let second = 0; second < 62; second += 1) await lookAgainAfter(options.clock, 1000);
    answer = taskOf(APP);
    for (let second = 0; second < 30; second += 1) await lookAgainAfter(options.clock, 1000);
    assert.match(watched.describe(), /^scope=task source=task-metadata .*containers=2/);
    assert.equal(watched.history.length, 1);
  });

  test('fails for a while keeps what it said last', async () => {
    answer = taskOf(APP);
    const { options, source: watched } = await watch({ metadata });
    answer = new Error('HTTP 500');
    await lookAgainAfter(options.clock, 60_000);
    await lookAgainAfter(options.clock, 60_000);
    assert.match(watched.describe(), /source=task-metadata .*containers=2/);
    assert.deepEqual(watched.history, []);
  });

  test('tells other limits: they hold from the next look on, without a new baseline', async () => {
    answer = taskOf();
    const { options, source: watched } = await watch({ metadata });
    sampleAt(watched, 0);
    answer = { ...taskOf(), memoryBytes: 1024 * MEBIBYTE };
    await lookAgainAfter(options.clock, 60_000);
    pod.group('sys/fs/cgroup', { usageUsec: 15_000_000, bytes: 20 * MEBIBYTE });
    const { cpu, memoryLimit } = sampleAt(watched, 60_000);
    assert.deepEqual([cpu, memoryLimit], [50, 1024 * MEBIBYTE]);
    assert.deepEqual(watched.history, []);
  });
});

describe('a scope that is forced', () => {
  test('to a task waits for the first other container of a shared namespace', async () => {
    sidecar();
    const { options, source: watched } = await watch({ scope: 'task' });
    assert.match(watched.describe(), /^scope=none: no processes of another container are visible/);
    assert.equal(sampleAt(watched, 0).memory, undefined);
    pod.container('app', {});
    pod.process(20, '/../app', { in: 'app' });
    await lookAgainAfter(options.clock, 1000);
    assert.match(watched.describe(), /^scope=task source=siblings containers=2/);
  });

  test('to a task stays it when the last other container has ended', async () => {
    pod.own({});
    pod.container('agent', {});
    pod.container('app', {});
    pod.process('self', '/', { in: 'agent' });
    pod.process(7, '/', { in: 'agent' });
    pod.process(20, '/../app', { in: 'app' });
    const { options, source: watched } = await watch({ scope: 'task' });
    pod.gone('proc/20', 'containers/app');
    await lookAgainAfter(options.clock, 60_000);
    assert.match(watched.describe(), /^scope=none/);
    assert.equal(sampleAt(watched, 60_000).memory, undefined);
    pod.container('app', {});
    pod.process(21, '/../app', { in: 'app' });
    await lookAgainAfter(options.clock, 1000);
    assert.match(watched.describe(), /source=siblings containers=2/);
  });

  test('to a group by its path waits for it, and for it again when it was removed', async () => {
    const { options, source: watched } = await watch({ scope: { cgroup: '/jobs/1' } });
    assert.match(watched.describe(), /^scope=none: there is no group \/jobs\/1 yet/);
    pod.group('sys/fs/cgroup/jobs/1', { bytes: 5 * MEBIBYTE });
    await lookAgainAfter(options.clock, 1000);
    assert.match(watched.describe(), /^scope=cgroup source=cgroup/);
    assert.equal(sampleAt(watched, 1000).memoryUsed, 5 * MEBIBYTE);
    pod.gone('sys/fs/cgroup/jobs');
    await lookAgainAfter(options.clock, 60_000);
    assert.match(watched.describe(), /^scope=none/);
    assert.equal(watched.history.length, 2);
  });

  test('to the host stays the host, whatever appears', async () => {
    sidecar();
    const { options, source: watched } = await watch({ scope: 'host' });
    pod.container('app', {});
    pod.process(20, '/../app', { in: 'app' });
    await lookAgainAfter(options.clock, 60_000);
    assert.match(watched.describe(), /^scope=host/);
    assert.deepEqual(watched.history, []);
  });
});

test('a machine’s process that is moved into a container is followed', async () => {
  const { options, source: watched } = await watch();
  assert.match(watched.describe(), /^scope=host/);
  pod.write({ 'proc/self/cgroup': '0::/docker/0123\n' });
  pod.group('sys/fs/cgroup/docker/0123', { bytes: 3 * MEBIBYTE, limitBytes: 30 * MEBIBYTE });
  await lookAgainAfter(options.clock, 60_000);
  assert.equal(sampleAt(watched, 60_000).memory, 10);
});
