import assert from 'node:assert/strict';
import { mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { ConfigError } from '../../src/errors.ts';
import type { Task, TaskMetadata } from '../../src/metadata/ecs.ts';
import { derive } from '../../src/metrics/derive.ts';
import { selectSource } from '../../src/sources/select.ts';
import { makeRoot, type Root } from '../support/root.ts';
import { selectOptions } from '../support/sources.ts';

const MEBIBYTE = 1024 * 1024;
const MEMINFO = 'MemTotal: 2097152 kB\nMemFree: 1048576 kB\nMemAvailable: 1572864 kB\n';
const MOUNTS = '1 0 0:1 / /sys/fs/cgroup ro - cgroup2 cgroup rw\n';

let root: Root;

beforeEach(() => {
  root = makeRoot({
    'proc/stat': 'cpu  100 0 0 100 0 0 0 0\n',
    'proc/meminfo': MEMINFO,
    'proc/self/cgroup': '0::/\n',
    'proc/self/mountinfo': MOUNTS,
    'sys/devices/system/cpu/online': '0-3\n',
  });
});

afterEach(() => root.remove());

function link(path: string, target: string): void {
  const place = join(root.path, path);
  mkdirSync(dirname(place), { recursive: true });
  rmSync(place, { force: true });
  symlinkSync(target, place);
}

/** A container's own cgroup files, as seen at a folder. */
function container(
  folder: string,
  usageUsec: number,
  bytes: number,
  limits = ['max', 'max'],
): void {
  const [cpuMax = 'max', memoryMax = 'max'] = limits;
  root.write({
    [`${folder}/cpu.stat`]: `usage_usec ${usageUsec}\nnr_periods 0\nnr_throttled 0\n`,
    [`${folder}/cpu.max`]: `${cpuMax} 100000\n`,
    [`${folder}/memory.current`]: `${bytes}\n`,
    [`${folder}/memory.stat`]: 'inactive_file 0\n',
    [`${folder}/memory.max`]: `${memoryMax}\n`,
    [`${folder}/cgroup.procs`]: '1\n7\n',
  });
}

function ownContainer(usageUsec = 1000, bytes = MEBIBYTE): void {
  link('proc/self/ns/cgroup', 'cgroup:[4026532169]');
  link('proc/self/ns/pid', 'pid:[4026532170]');
  container('sys/fs/cgroup', usageUsec, bytes);
}

/** A process of a container in the shared PID namespace. */
function processOf(pid: number, folder: string, comm = 'app'): void {
  root.write({ [`proc/${pid}/comm`]: `${comm}\n`, [`proc/${pid}/cgroup`]: `0::/../${folder}\n` });
  link(`proc/${pid}/root`, join(root.path, 'containers', folder));
}

const METADATA: Task = {
  cluster: 'c',
  arn: 'arn:aws:ecs:eu-west-1:1:task/c/t',
  family: 'f',
  launchType: 'EC2',
  availabilityZone: 'eu-west-1a',
  cores: 0.5,
  memoryBytes: 512 * MEBIBYTE,
  containers: [{ id: 'own', name: 'agent', type: 'NORMAL' }],
};

function metadataOf(task: Task): () => Promise<TaskMetadata> {
  return () =>
    Promise.resolve({
      task: () => Promise.resolve(task),
      ownId: () => Promise.resolve('own'),
      stats: () => Promise.resolve([]),
    });
}

async function chosen(over: Parameters<typeof selectOptions>[1] = {}): Promise<string> {
  const { source } = await selectSource(selectOptions(root, over));
  const described = source.describe();
  source.close();
  return described;
}

describe('the scope', () => {
  test('is the host where nothing says that this is a container', async () => {
    assert.match(await chosen(), /^scope=host source=host/);
  });

  test('is the host in a service with limits of its own: a monitor must not watch itself', async () => {
    root.write({ 'proc/self/cgroup': '0::/system.slice/agent.service\n' });
    container('sys/fs/cgroup/system.slice/agent.service', 1, 1, ['50000', '1000000']);
    assert.match(await chosen(), /^scope=host/);
  });

  test('is the container in a cgroup namespace of its own', async () => {
    ownContainer();
    assert.match(await chosen(), /^scope=container source=cgroup cgroup=v2 cpu\.limit=4 \(online/);
  });

  const signs: Readonly<Record<string, () => Parameters<typeof selectOptions>[1]>> = {
    '/.dockerenv': () => {
      root.write({ '.dockerenv': '' });
      return {};
    },
    '/run/.containerenv': () => {
      root.write({ 'run/.containerenv': '' });
      return {};
    },
    'the environment of Kubernetes': () => ({
      own: { environment: { KUBERNETES_SERVICE_HOST: '10.0.0.1' }, pid: 7 },
    }),
    'the cgroup path': () => ({}),
  };
  for (const [sign, make] of Object.entries(signs)) {
    test(`is the container by ${sign}`, async () => {
      root.write({ 'proc/self/cgroup': '0::/docker/0123\n' });
      if (sign !== 'the cgroup path') root.write({ 'proc/self/cgroup': '0::/pod/0123\n' });
      container('sys/fs/cgroup/pod/0123', 1, 1);
      container('sys/fs/cgroup/docker/0123', 1, 1);
      assert.match(await chosen(make()), /^scope=container/);
    });
  }

  test('is the host, with a warning, in a container whose group cannot be read', async () => {
    link('proc/self/ns/cgroup', 'cgroup:[4026532169]');
    const options = selectOptions(root);
    const { source } = await selectSource(options);
    assert.match(source.describe(), /^scope=host/);
    assert.match(options.warnings.join(), /in a container whose control group cannot be read/);
    source.close();
  });

  test('that is forced and not there is an error naming what was looked for', async () => {
    for (const [scope, what] of [
      ['task', /got task, .*ECS_CONTAINER_METADATA_URI_V4 is not set/],
      ['container', /got container, .*whole machine's/],
      [
        { cgroup: '/nowhere' },
        /got cgroup:\/nowhere, .*\/sys\/fs\/cgroup\/nowhere\/cpu\.stat: ENOENT/,
      ],
    ] as const) {
      await assert.rejects(selectSource(selectOptions(root, { scope })), (error) => {
        assert.ok(error instanceof ConfigError);
        assert.match(error.message, what);
        return true;
      });
    }
  });

  test('says of every source why it was not chosen, or that it was', async () => {
    const { candidates, source } = await selectSource(selectOptions(root, { tryAll: true }));
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
  });
});

describe('alone', () => {
  const ALONE = /holds nothing but the agent/;

  test('in its container the agent warns loudly', async () => {
    ownContainer();
    root.write({ 'sys/fs/cgroup/cgroup.procs': '7\n' });
    const options = selectOptions(root, { own: { environment: {}, pid: 7 } });
    (await selectSource(options)).source.close();
    assert.match(options.warnings.join(), ALONE);
  });

  test('but for an init the agent warns as well', async () => {
    ownContainer();
    root.write({ 'sys/fs/cgroup/cgroup.procs': '1\n7\n', 'proc/1/comm': 'tini\n' });
    const options = selectOptions(root, { own: { environment: {}, pid: 7 } });
    (await selectSource(options)).source.close();
    assert.match(options.warnings.join(), ALONE);
  });

  test('is no agent beside a job', async () => {
    ownContainer();
    root.write({ 'sys/fs/cgroup/cgroup.procs': '1\n7\n', 'proc/1/comm': 'sh\n' });
    const options = selectOptions(root, { own: { environment: {}, pid: 7 } });
    (await selectSource(options)).source.close();
    assert.deepEqual(options.warnings, []);
  });
});

describe('a task', () => {
  test('that holds the agent alone is its own files with the task’s limits', async () => {
    ownContainer();
    const described = await chosen({ metadata: metadataOf(METADATA) });
    assert.match(described, /^scope=task source=cgroup/);
    assert.match(described, /cpu\.limit=0\.5 \(task metadata\)/);
    assert.match(described, /mem\.limit=512MiB \(task metadata\)/);
  });

  const sibling = { id: 'app', name: 'app', type: 'NORMAL' };
  const pause = { id: 'net', name: 'net', type: 'CNI_PAUSE' };

  test('whose other container is the network’s counts as alone', async () => {
    ownContainer();
    const task = { ...METADATA, containers: [...METADATA.containers, pause] };
    assert.match(await chosen({ metadata: metadataOf(task) }), /^scope=task source=cgroup/);
  });

  test('with others out of sight is read from the metadata endpoint', async () => {
    ownContainer();
    const task = { ...METADATA, containers: [...METADATA.containers, sibling] };
    assert.match(await chosen({ metadata: metadataOf(task) }), /^scope=task source=task-metadata/);
  });

  test('with others in sight is the sum of their files, under the task’s limits', async () => {
    ownContainer();
    container('containers/agent/sys/fs/cgroup', 0, MEBIBYTE);
    container('containers/app/sys/fs/cgroup', 0, MEBIBYTE);
    processOf(1, 'agent');
    processOf(9, 'app');
    const task = { ...METADATA, containers: [...METADATA.containers, sibling] };
    const described = await chosen({ metadata: metadataOf(task) });
    assert.match(described, /^scope=task source=siblings containers=2 cpu\.limit=0\.5/);
  });

  test('whose endpoint does not answer is said, and the container is measured', async () => {
    ownContainer();
    const broken: TaskMetadata = {
      task: () => Promise.reject(new Error('HTTP 500')),
      ownId: () => Promise.reject(new Error('HTTP 500')),
      stats: () => Promise.reject(new Error('HTTP 500')),
    };
    const options = selectOptions(root, { metadata: () => Promise.resolve(broken) });
    const { source } = await selectSource(options);
    assert.match(source.describe(), /^scope=container/);
    assert.match(options.warnings.join(), /task metadata does not answer.*HTTP 500/);
    source.close();
  });
});

describe('a pod that shares its PID namespace', () => {
  function pod(): void {
    ownContainer();
    container('containers/agent/sys/fs/cgroup', 1_000_000, 10 * MEBIBYTE, ['50000', '104857600']);
    container('containers/app/sys/fs/cgroup', 5_000_000, 20 * MEBIBYTE, ['150000', '209715200']);
    container('containers/pause/sys/fs/cgroup', 0, MEBIBYTE);
    processOf(1, 'pause', 'pause');
    processOf(7, 'agent');
    processOf(8, 'app');
    processOf(9, 'app');
  }

  test('is the sum of all its containers but the pause one, over the sum of their limits', async () => {
    pod();
    const { source } = await selectSource(selectOptions(root));
    assert.match(source.describe(), /^scope=task source=siblings containers=2 cpu\.limit=2 /);
    const before = source.read(0);
    container('containers/agent/sys/fs/cgroup', 1_100_000, 10 * MEBIBYTE, ['50000', '104857600']);
    container('containers/app/sys/fs/cgroup', 5_900_000, 20 * MEBIBYTE, ['150000', '209715200']);
    const sample = derive(before, source.read(1000));
    assert.equal(sample.cpuCores, 1);
    assert.equal(sample.cpu, 50);
    assert.equal(sample.memory, 10);
    source.close();
  });

  test('a container that joins adds nothing of its past', async () => {
    pod();
    const { source } = await selectSource(selectOptions(root));
    const before = source.read(0);
    container('containers/late/sys/fs/cgroup', 900_000_000, MEBIBYTE);
    processOf(11, 'late');
    const after = source.read(10_000);
    const joined = derive(before, after);
    assert.match(source.describe(), /containers=3/);
    assert.equal(joined.cpuCores, 0);
    container('containers/late/sys/fs/cgroup', 901_000_000, MEBIBYTE);
    assert.equal(derive(after, source.read(11_000)).cpuCores, 1);
    source.close();
  });

  test('a container that leaves takes nothing from the others', async () => {
    pod();
    const { source } = await selectSource(selectOptions(root));
    const before = source.read(0);
    rmSync(join(root.path, 'containers/app'), { recursive: true });
    rmSync(join(root.path, 'proc/8'), { recursive: true });
    rmSync(join(root.path, 'proc/9'), { recursive: true });
    container('containers/agent/sys/fs/cgroup', 6_000_000, 10 * MEBIBYTE, ['50000', '104857600']);
    const sample = derive(before, source.read(10_000));
    assert.equal(sample.cpuCores, 0.5);
    source.close();
  });

  test('whose files the kernel hides is a container, and the reason names what is missing', async () => {
    ownContainer();
    root.write({ 'proc/7/cgroup': '0::/\n', 'proc/8/cgroup': '0::/../app\n' });
    const { source, candidates } = await selectSource(selectOptions(root));
    assert.match(source.describe(), /^scope=container/);
    const why = candidates.find(({ name }) => name === 'siblings')?.why ?? '';
    assert.match(why, /same user, and CAP_SYS_PTRACE/);
    source.close();
  });

  test('in the host’s PID namespace everything is visible, and nothing is a sibling', async () => {
    pod();
    link('proc/self/ns/pid', 'pid:[4026531836]');
    assert.match(await chosen(), /^scope=container/);
  });
});
