import assert from 'node:assert/strict';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { findMembers } from '../../src/sources/members.ts';
import { openRootFs, type RootFs } from '../../src/sources/rootfs.ts';
import { openSiblingSource } from '../../src/sources/siblings.ts';
import type { Source } from '../../src/sources/source.ts';
import { MEBIBYTE, makePod, type Pod } from '../support/pod.ts';
import { sampleAt, sourceOptions } from '../support/sources.ts';

let pod: Pod;
let fs: RootFs;
let source: Source | undefined;

beforeEach(() => {
  pod = makePod();
  fs = openRootFs(pod.path);
});

afterEach(() => {
  source?.close();
  source = undefined;
  fs.close();
  pod.remove();
});

function open(over: Parameters<typeof sourceOptions>[0] = {}): Source {
  source = openSiblingSource(fs, { ...sourceOptions(over), user: '1000' });
  return source;
}

function seen(): { readonly found: string[]; readonly hidden: string[] } {
  const { found, hidden } = findMembers(fs, 'workingset');
  return { found: found.map(({ pid }) => pid), hidden: hidden.map(({ pid }) => pid) };
}

/** A container of version 1: its own limit, and the tightest of it and its parents'. */
function legacy(name: string, ownLimit: number | string, above: number | string): void {
  const mount = `containers/${name}/sys/fs/cgroup`;
  pod.write({
    [`${mount}/cpu,cpuacct/cpuacct.usage`]: '1000000000\n',
    [`${mount}/cpu,cpuacct/cpu.cfs_quota_us`]: '-1\n',
    [`${mount}/cpu,cpuacct/cpu.cfs_period_us`]: '100000\n',
    [`${mount}/memory/memory.usage_in_bytes`]: `${50 * MEBIBYTE}\n`,
    [`${mount}/memory/memory.limit_in_bytes`]: `${ownLimit}\n`,
    [`${mount}/memory/memory.stat`]: `total_rss 1\nhierarchical_memory_limit ${above}\n`,
  });
}

const NO_LIMIT = '9223372036854771712';

describe('version 1', () => {
  /** Processes, each in a container below a pod; one without a folder may not be read. */
  function processes(line: (path: string) => string, hidden = ''): void {
    for (const [pid, name] of [
      ['self', 'agent'],
      [7, 'agent'],
      [20, 'app'],
    ] as const) {
      pod.process(pid, '', name === hidden ? { uid: 65534 } : { in: name });
      pod.write({ [`proc/${pid}/cgroup`]: line(`/pods/pod1/${name}`) });
    }
    pod.link({ 'proc/self/ns/pid': 'pid:[4026532170]' });
  }

  test('without the memory controller: a container that may not be read is hidden all the same', () => {
    legacy('agent', NO_LIMIT, NO_LIMIT);
    processes((path) => `3:cpu,cpuacct:${path}\n2:pids:${path}\n1:name=systemd:${path}\n`, 'app');
    assert.deepEqual(seen(), { found: ['7'], hidden: ['20'] });
  });

  test('a limit of the pod, which each member shows as above it, counts once', () => {
    for (const name of ['agent', 'app']) legacy(name, NO_LIMIT, 512 * MEBIBYTE);
    processes((path) => `4:memory:${path}\n3:cpu,cpuacct:${path}\n`);
    const { memoryUsed, memoryLimit } = sampleAt(open(), 0);
    assert.deepEqual([memoryUsed, memoryLimit], [100 * MEBIBYTE, 512 * MEBIBYTE]);
  });

  test('limits of the members that are together above the pod’s: the pod’s counts', () => {
    legacy('agent', 400 * MEBIBYTE, 400 * MEBIBYTE);
    legacy('app', NO_LIMIT, 512 * MEBIBYTE);
    processes((path) => `4:memory:${path}\n3:cpu,cpuacct:${path}\n`);
    assert.equal(sampleAt(open(), 0).memoryLimit, 512 * MEBIBYTE);
  });

  test('the pod’s limit is none of its sandbox, which is no member', () => {
    for (const name of ['agent', 'app']) legacy(name, 256 * MEBIBYTE, 256 * MEBIBYTE);
    legacy('pause', NO_LIMIT, 512 * MEBIBYTE);
    pod.write({ 'containers/pause/sys/fs/cgroup/memory/memory.usage_in_bytes': '300000\n' });
    pod.write({ 'containers/pause/sys/fs/cgroup/cpu,cpuacct/cpuacct.usage': '20000000\n' });
    processes((path) => `4:memory:${path}\n3:cpu,cpuacct:${path}\n`);
    pod.process(1, '', { in: 'pause', comm: 'pause', ticks: 2, pages: 1, threads: 1 });
    pod.write({ 'proc/1/cgroup': '4:memory:/pods/pod1/pause\n3:cpu,cpuacct:/pods/pod1/pause\n' });
    assert.deepEqual(seen(), { found: ['7', '20'], hidden: [] });
  });

  test('each in a parent of its own that has a limit: the sum of both', () => {
    for (const name of ['agent', 'app']) legacy(name, NO_LIMIT, 512 * MEBIBYTE);
    processes((path) => `4:memory:${path}/inner\n3:cpu,cpuacct:${path}\n`);
    assert.equal(sampleAt(open(), 0).memoryLimit, 1024 * MEBIBYTE);
  });
});

describe('a privileged container of a node that is a container itself (kind, Docker in LXC)', () => {
  const POD = 'kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod1.slice';
  const scope = (name: string): string => `cri-containerd-${name}.scope`;

  /** The node's own group is no root of a hierarchy: it has limits and events as any other. */
  beforeEach(() => {
    pod.group('node', { usageUsec: 9e7, bytes: 900 * MEBIBYTE });
    pod.write({ 'node/cgroup.events': 'populated 1\n' });
    pod.own({});
    pod.container('agent', { bytes: 20 * MEBIBYTE, limitBytes: 100 * MEBIBYTE });
    pod.group(`node/${POD}/${scope('app')}`, { bytes: 50 * MEBIBYTE, limitBytes: 60 * MEBIBYTE });
    pod.group(`node/${POD}/${scope('log')}`, { bytes: 5 * MEBIBYTE, limitBytes: 6 * MEBIBYTE });
    for (const name of ['app', 'log']) {
      pod.write({ [`containers/${name}/etc`]: '' });
      pod.link({ [`containers/${name}/sys/fs/cgroup`]: join(pod.path, 'node') });
    }
  });

  for (const [how, own, path] of [
    ['private', '/', (name: string) => `/../${scope(name)}`],
    ['the node’s', `/${POD}/${scope('agent')}`, (name: string) => `/${POD}/${scope(name)}`],
  ] as const) {
    test(`is read at its own group, and two are two; the agent’s namespace is ${how}`, () => {
      pod.process('self', own, { in: 'agent' });
      pod.process(7, own, { in: 'agent' });
      pod.process(20, path('app'), { in: 'app' });
      pod.process(21, path('log'), { in: 'log' });
      assert.deepEqual(seen(), { found: ['7', '20', '21'], hidden: [] });
      const { memoryUsed, memoryLimit } = sampleAt(open(), 0);
      assert.deepEqual([memoryUsed, memoryLimit], [75 * MEBIBYTE, 166 * MEBIBYTE]);
    });
  }
});

describe('figures of a pod that were asked for', () => {
  beforeEach(() => {
    pod.own({});
    pod.process('self', '/', { in: 'agent' });
    pod.process(7, '/', { in: 'agent' });
    pod.process(20, '/../app', { in: 'app' });
    counted(0, 0, 0);
  });

  /** A pod whose app is throttled, and in which both have kills. */
  function counted(periods: number, throttled: number, kills: number): void {
    for (const name of ['agent', 'app']) {
      const mount = `containers/${name}/sys/fs/cgroup`;
      pod.container(name, { usageUsec: 1, bytes: MEBIBYTE, cores: 0.5, limitBytes: 9 * MEBIBYTE });
      const share = name === 'app' ? throttled : 0;
      pod.write({
        [`${mount}/cpu.stat`]: `usage_usec 1\nnr_periods ${periods}\nnr_throttled ${share}\n`,
        [`${mount}/memory.events`]: `low 0\noom_kill ${kills}\n`,
      });
    }
  }

  test('throttling is that of the member that is throttled most, kills are of all', () => {
    const opened = open();
    sampleAt(opened, 0);
    counted(10, 4, 1);
    const { cpuThrottled, oomKills } = sampleAt(opened, 1000);
    assert.deepEqual([cpuThrottled, oomKills], [40, 2]);
  });

  test('kills of a member that began anew are a new baseline', () => {
    counted(0, 0, 7);
    const opened = open();
    sampleAt(opened, 0);
    counted(0, 0, 0);
    assert.equal(sampleAt(opened, 1000).oomKills, undefined);
    counted(0, 0, 1);
    assert.equal(sampleAt(opened, 2000).oomKills, 2);
  });

  test('what no sum can be made of has a reason', () => {
    const wanted = new Set(['cpu', 'cpuPressure', 'memoryPressure', 'swap'] as const);
    const opened = open({ wanted });
    sampleAt(opened, 0);
    const names = [...opened.absent.keys()].sort();
    assert.deepEqual(names, ['CPU pressure', 'memory pressure', 'swap']);
    for (const reason of opened.absent.values()) assert.match(reason, /of several containers/);
  });
});
