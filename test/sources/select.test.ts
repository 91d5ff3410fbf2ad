import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { ConfigError } from '../../src/errors.ts';
import type { SelectOptions } from '../../src/sources/select.ts';
import { watchSource } from '../../src/sources/watch.ts';
import { MEBIBYTE, makePod, metadataOf, type Pod, taskOf } from '../support/pod.ts';
import { sampleAt, selectOptions } from '../support/sources.ts';

type Over = Parameters<typeof selectOptions>[1];

let pod: Pod;

beforeEach(() => {
  pod = makePod();
});

afterEach(() => pod.remove());

/** What is chosen, in its own words. */
async function chosen(over: Over = {}): Promise<string> {
  const source = await watchSource(selectOptions(pod, over));
  const described = source.describe();
  source.close();
  return described;
}

/** What was said of the choice. */
async function warningsOf(over: Over = {}): Promise<string> {
  const options = selectOptions(pod, over);
  (await watchSource(options)).close();
  return options.warnings.join('\n');
}

describe('the scope', () => {
  test('is the host where nothing says that this is a container', async () => {
    assert.match(await chosen(), /^scope=host source=host/);
  });

  test('is the host in a service with limits of its own: a monitor must not watch itself', async () => {
    pod.write({ 'proc/self/cgroup': '0::/system.slice/agent.service\n' });
    pod.group('sys/fs/cgroup/system.slice/agent.service', { cores: 0.5, limitBytes: MEBIBYTE });
    assert.match(await chosen(), /^scope=host/);
  });

  test('is the container in a cgroup namespace of its own', async () => {
    pod.own({});
    assert.match(await chosen(), /^scope=container source=cgroup cgroup=v2 cpu\.limit=4 \(online/);
  });

  test('is the container by the variables of Kubernetes', async () => {
    pod.write({ 'proc/self/cgroup': '0::/some/0123\n' });
    pod.group('sys/fs/cgroup/some/0123', {});
    const environment = { KUBERNETES_SERVICE_HOST: '10.0.0.1' };
    assert.match(await chosen({ own: { environment, pid: 7 } }), /^scope=container/);
  });

  test('is the container by its name in the cgroup path', async () => {
    pod.write({ 'proc/self/cgroup': '0::/docker/0123\n' });
    pod.group('sys/fs/cgroup/docker/0123', {});
    assert.match(await chosen(), /^scope=container/);
  });

  for (const marker of ['.dockerenv', 'run/.containerenv']) {
    test(`is not the container by /${marker} alone, which images leave behind`, async () => {
      pod.write({ 'proc/self/cgroup': '0::/some/0123\n', [marker]: '' });
      pod.group('sys/fs/cgroup/some/0123', {});
      assert.match(await chosen(), /^scope=host/);
    });
  }

  test('is the host, with a warning, in a container whose group cannot be read', async () => {
    pod.link({
      'proc/self/ns/cgroup': 'cgroup:[4026532169]',
      'proc/self/ns/pid': 'pid:[4026532170]',
    });
    pod.write({ 'proc/self/root/file': '' });
    assert.match(await chosen(), /^scope=host/);
    assert.match(await warningsOf(), /in a container whose control group cannot be read/);
  });

  const missing: readonly [scope: SelectOptions['scope'], what: RegExp][] = [
    ['task', /got task, .*ECS_CONTAINER_METADATA_URI_V4 is not set.*this is no container/],
    ['container', /got container, .*whole machine's/],
  ];
  for (const [scope, what] of missing) {
    test(`${JSON.stringify(scope)} that is forced and cannot be is an error`, async () => {
      await assert.rejects(watchSource(selectOptions(pod, { scope })), (error) => {
        assert.ok(error instanceof ConfigError);
        assert.match(error.message, what);
        return true;
      });
    });
  }

  for (const paths of [['proc'], ['proc/stat', 'proc/meminfo', 'proc/self', 'proc/1']]) {
    test(`of a root without ${paths.length > 1 ? 'anything in proc/' : 'proc/'} is an error of --root`, async () => {
      pod.gone(...paths);
      await assert.rejects(
        watchSource(selectOptions(pod)),
        (error) => error instanceof ConfigError && error.setting === '--root',
      );
    });
  }

  test('says of every source why it was not chosen, or that it was', async () => {
    const source = await watchSource(selectOptions(pod, { tryAll: true }));
    const { candidates } = source;
    source.close();
    assert.deepEqual(
      candidates.map(({ name, isChosen }) => [name, isChosen]),
      [
        ['macos', false],
        ['task', false],
        ['siblings', false],
        ['container', false],
        ['host', true],
      ],
    );
    assert.ok(candidates.every(({ why }) => why !== ''));
    const container = candidates.find(({ name }) => name === 'container')?.why;
    assert.match(container ?? '', /this is no container: no sign of a container or a machine/);
  });

  test('prints the signs that were seen, with their weights', async () => {
    pod.link({ 'proc/self/ns/cgroup': 'cgroup:[4026531835]' });
    pod.write({ '.dockerenv': '', 'proc/1/comm': 'systemd\n' });
    const source = await watchSource(selectOptions(pod, { tryAll: true }));
    source.close();
    const why = source.candidates.find(({ name }) => name === 'container')?.why ?? '';
    assert.match(
      why,
      /\+1 \/\.dockerenv, -1 the initial cgroup namespace, -1 systemd as process 1/,
    );
  });
});

describe('alone', () => {
  const ALONE = /holds nothing but the agent/;
  const own = { environment: {}, pid: 7 };

  /** The processes of the own group, and what process 1 is. */
  function holds(pids: readonly number[], comm: string): void {
    pod.own({});
    pod.write({ 'sys/fs/cgroup/cgroup.procs': `${pids.join('\n')}\n`, 'proc/1/comm': comm });
  }

  test('in its container the agent warns loudly', async () => {
    holds([7], 'node\n');
    assert.match(await warningsOf({ own }), ALONE);
  });

  for (const comm of ['tini', 'dumb-init', 'docker-init', 'catatonit']) {
    test(`but for ${comm} the agent warns as well`, async () => {
      holds([1, 7], `${comm}\n`);
      assert.match(await warningsOf({ own }), ALONE);
    });
  }

  test('is no agent beside a job', async () => {
    holds([1, 7], 'sh\n');
    assert.equal(await warningsOf({ own }), '');
  });

  const advices: readonly [what: string, environment: Readonly<Record<string, string>>, RegExp][] =
    [
      ['on Kubernetes', { KUBERNETES_SERVICE_HOST: '10.0.0.1' }, /shareProcessNamespace: true/],
      ['on ECS', { ECS_CONTAINER_METADATA_URI: 'http://169.254.170.2/v3/x' }, /Kubernetes|ECS/],
      ['elsewhere', {}, /--pid container:NAME/],
    ];
  for (const [what, environment, advice] of advices) {
    test(`${what} the warning says what to do`, async () => {
      holds([7], 'node\n');
      assert.match(await warningsOf({ own: { environment, pid: 7 } }), advice);
    });
  }

  test('in a shared namespace the warning does not advise to share it', async () => {
    holds([7], 'pause\n');
    pod.process(1, '/../pause', { in: 'pause', comm: 'pause' });
    pod.container('pause', { bytes: 200_000 });
    const environment = { KUBERNETES_SERVICE_HOST: '10.0.0.1' };
    const said = await warningsOf({ own: { environment, pid: 7 } });
    assert.match(said, ALONE);
    assert.match(said, /namespace is shared, and no other container has started yet/);
    assert.doesNotMatch(said, /shareProcessNamespace/);
  });
});

describe('a task', () => {
  const app = { id: 'app', name: 'app', type: 'NORMAL', status: 'RUNNING' };

  test('that holds the agent alone is its own files with the task’s limits', async () => {
    pod.own({});
    const described = await chosen({ metadata: metadataOf(() => taskOf()) });
    assert.match(described, /^scope=task source=cgroup/);
    assert.match(described, /cpu\.limit=0\.5 \(task metadata\)/);
    assert.match(described, /mem\.limit=512MiB \(task metadata\)/);
  });

  test('where the endpoint was reached, the warning does not advise to reach it', async () => {
    pod.own({});
    pod.write({ 'sys/fs/cgroup/cgroup.procs': '7\n' });
    const environment = { ECS_CONTAINER_METADATA_URI_V4: 'http://169.254.170.2/v4/x' };
    const own = { environment, pid: 7 };
    const said = await warningsOf({ own, metadata: metadataOf(() => taskOf()) });
    assert.match(said, /holds nothing but the agent/);
    assert.doesNotMatch(said, /metadata endpoint be reached/);
  });

  test('whose other container is the network’s counts as alone', async () => {
    pod.own({});
    const pause = { id: 'net', name: 'net', type: 'CNI_PAUSE', status: 'RUNNING' };
    const metadata = metadataOf(() => taskOf(pause));
    assert.match(await chosen({ metadata }), /^scope=task source=cgroup/);
  });

  test('whose other container has stopped counts as alone', async () => {
    pod.own({});
    const metadata = metadataOf(() => taskOf({ ...app, status: 'STOPPED' }));
    assert.match(await chosen({ metadata }), /^scope=task source=cgroup/);
  });

  test('with others out of sight is read from the metadata endpoint', async () => {
    pod.own({});
    const metadata = metadataOf(() => taskOf(app));
    assert.match(await chosen({ metadata }), /^scope=task source=task-metadata/);
  });

  /** The agent and an app that share a PID namespace. */
  function shared(): void {
    pod.own({});
    pod.container('agent', {});
    pod.container('app', {});
    pod.process('self', '/', { in: 'agent' });
    pod.process(1, '/', { in: 'agent' });
    pod.process(9, '/../app', { in: 'app' });
  }

  test('with others in sight is the sum of their files, under the task’s limits', async () => {
    shared();
    const described = await chosen({ metadata: metadataOf(() => taskOf(app)) });
    assert.match(described, /^scope=task source=siblings containers=2 cpu\.limit=0\.5/);
  });

  test('of which one cannot be read is read from the endpoint, which is whole', async () => {
    shared();
    pod.gone('proc/9/root');
    const metadata = metadataOf(() => taskOf(app));
    assert.match(await chosen({ metadata }), /^scope=task source=task-metadata/);
  });

  test('of which more are listed than are in sight is read from the endpoint', async () => {
    shared();
    const log = { ...app, id: 'log', name: 'log' };
    const metadata = metadataOf(() => taskOf(app, log));
    assert.match(await chosen({ metadata }), /^scope=task source=task-metadata/);
  });
});

describe('a pod that shares its PID namespace', () => {
  function start(): void {
    pod.own({});
    pod.container('agent', {
      usageUsec: 1_000_000,
      bytes: 10 * MEBIBYTE,
      cores: 0.5,
      limitBytes: 100 * MEBIBYTE,
    });
    pod.container('app', {
      usageUsec: 5_000_000,
      bytes: 20 * MEBIBYTE,
      cores: 1.5,
      limitBytes: 200 * MEBIBYTE,
    });
    pod.container('pause', { bytes: MEBIBYTE });
    pod.process(1, '/../pause', { in: 'pause', comm: 'pause' });
    pod.process(7, '/../agent', { in: 'agent' });
    pod.process(8, '/../app', { in: 'app' });
    pod.process(9, '/../app', { in: 'app' });
  }

  test('is the sum of all its containers but the pause one, over the sum of their limits', async () => {
    start();
    const source = await watchSource(selectOptions(pod));
    assert.match(source.describe(), /^scope=task source=siblings containers=2 cpu\.limit=2 /);
    sampleAt(source, 0);
    pod.container('agent', { usageUsec: 1_100_000, bytes: 10 * MEBIBYTE });
    pod.container('app', { usageUsec: 5_900_000, bytes: 20 * MEBIBYTE });
    const { cpuCores, cpu, memory } = sampleAt(source, 1000);
    assert.deepEqual([cpuCores, cpu, memory], [1, 50, 10]);
    source.close();
  });

  test('a container that joins adds nothing of its past', async () => {
    start();
    const source = await watchSource(selectOptions(pod));
    sampleAt(source, 0);
    pod.container('late', { usageUsec: 900_000_000, bytes: MEBIBYTE });
    pod.process(11, '/../late', { in: 'late' });
    // What it has used since it joined is not known yet: no figure rather than one without it.
    const joined = sampleAt(source, 10_000);
    assert.match(source.describe(), /containers=3/);
    assert.equal(joined.cpuCores, undefined);
    assert.equal(joined.memoryUsed, 31 * MEBIBYTE);
    pod.container('late', { usageUsec: 901_000_000, bytes: MEBIBYTE });
    assert.equal(sampleAt(source, 11_000).cpuCores, 1);
    source.close();
  });

  test('the last other container leaves, and the agent alone is not the pod', async () => {
    start();
    const source = await watchSource(selectOptions(pod));
    sampleAt(source, 0);
    pod.gone('containers/app', 'proc/8', 'proc/9');
    pod.container('agent', { usageUsec: 6_000_000, bytes: 10 * MEBIBYTE, cores: 0.5 });
    const { cpuCores, memoryUsed } = sampleAt(source, 10_000);
    assert.deepEqual([cpuCores, memoryUsed], [undefined, undefined]);
    assert.match(source.absent.get('cpu') ?? '', /^no other container is visible any more$/);
    source.close();
  });

  test('in the host’s PID namespace everything is visible, and nothing is a sibling', async () => {
    start();
    pod.link({ 'proc/self/ns/pid': 'pid:[4026531836]' });
    assert.match(await chosen(), /^scope=container/);
  });
});
