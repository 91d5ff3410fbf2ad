import assert from 'node:assert/strict';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { findMembers } from '../../src/sources/members.ts';
import { openRootFs, type RootFs } from '../../src/sources/rootfs.ts';
import { openSiblingSource, refusalText } from '../../src/sources/siblings.ts';
import type { Source } from '../../src/sources/source.ts';
import { MEBIBYTE, makePod, type Pod } from '../support/pod.ts';
import { sampleAt, sourceOptions } from '../support/sources.ts';

let pod: Pod;
let fs: RootFs;
let source: Source | undefined;

/** The agent's container in a pod that shares its PID namespace, with its sandbox as process 1. */
beforeEach(() => {
  pod = makePod();
  fs = openRootFs(pod.path);
  pod.own({});
  pod.container('pause', { bytes: 200_000 });
  pod.process(1, '/../pause', { in: 'pause', comm: 'pause', ticks: 2, pages: 1, threads: 1 });
  agent(0);
  pod.process('self', '/', { in: 'agent' });
  pod.process(7, '/', { in: 'agent', comm: 'node' });
});

afterEach(() => {
  source?.close();
  source = undefined;
  fs.close();
  pod.remove();
});

/** The agent's own group: a hundredth of a core, 20 MiB of 100. */
function agent(second: number): void {
  const usageUsec = 1_000_000 + 10_000 * second;
  pod.container('agent', {
    usageUsec,
    bytes: 20 * MEBIBYTE,
    cores: 0.5,
    limitBytes: 100 * MEBIBYTE,
  });
}

/** An app of half a core, 100 MiB of 300. */
function app(second: number, name = 'app'): void {
  const usageUsec = 1_000_000 + 500_000 * second;
  pod.container(name, { usageUsec, bytes: 100 * MEBIBYTE, cores: 1, limitBytes: 300 * MEBIBYTE });
}

function open(over: Parameters<typeof sourceOptions>[0] = {}): Source {
  source = openSiblingSource(fs, { ...sourceOptions(over), user: '1000' });
  return source;
}

/** PIDs of the containers that are found, and of those that are hidden. */
function seen(): { readonly found: string[]; readonly hidden: string[] } {
  const { found, hidden } = findMembers(fs, 'workingset');
  return { found: found.map(({ pid }) => pid), hidden: hidden.map(({ pid }) => pid) };
}

describe('who is a member:', () => {
  test('each container by one of its processes, and the sandbox not', () => {
    app(0);
    pod.process(20, '/../app', { in: 'app' });
    pod.process(21, '/../app', { in: 'app' });
    assert.deepEqual(seen(), { found: ['7', '20'], hidden: [] });
  });

  for (const uid of [0, 1000, 65_534]) {
    test(`a container of user ${uid} that may not be read is hidden, with its name`, () => {
      pod.process(20, '/../app', { comm: 'java', uid });
      pod.process(22, '/../app', { comm: 'worker', uid });
      const { hidden } = findMembers(fs, 'workingset');
      assert.deepEqual(hidden, [{ pid: '20', comm: 'java', uid: String(uid) }]);
      assert.match(
        refusalText(hidden, '1000'),
        new RegExp(`user 1000 may not read java \\(process 20, user ${uid}\\):`),
      );
    });
  }

  test('two hidden containers are two, however many processes they have', () => {
    pod.process(20, '/../app', { comm: 'java', uid: 0 });
    pod.process(21, '/../log', { comm: 'fluent-bit', uid: 0 });
    pod.process(22, '/../app', { comm: 'java', uid: 0 });
    assert.deepEqual(seen(), { found: ['7'], hidden: ['20', '21'] });
    assert.match(refusalText(findMembers(fs, 'workingset').hidden, '1'), /2 other containers are/);
  });

  test('one that could not be read as the same user is not advised to be that user', () => {
    pod.process(20, '/../app', { comm: 'java', uid: 1000 });
    const { hidden } = findMembers(fs, 'workingset');
    assert.doesNotMatch(refusalText(hidden, '1000'), /same user/);
    assert.match(refusalText(hidden, '1000'), /as root with the capability SYS_PTRACE/);
    assert.match(refusalText(hidden, '0'), /as the same user, or as root with/);
  });

  test('a container that is just being started is none yet, whether it can be read or not', () => {
    pod.process(20, '/../app', { comm: 'runc:[2:INIT]' });
    app(0);
    pod.process(21, '/../log', { in: 'app', comm: 'runc:[1:CHILD]' });
    assert.deepEqual(seen(), { found: ['7'], hidden: [] });
  });

  const workers: readonly [what: string, cgroup: string][] = [
    ['its group', '/../app'],
    ['a group below it', '/../app/workers'],
    ['the group of its init system', '/../app/system.slice/nginx.service'],
  ];
  for (const [what, cgroup] of workers) {
    test(`workers of another user in ${what} are the readable container’s`, () => {
      app(0);
      pod.process(20, '/../app', { in: 'app' });
      pod.process(30, cgroup, { comm: 'nginx', uid: 101 });
      assert.deepEqual(seen(), { found: ['7', '20'], hidden: [] });
    });
  }

  test('workers of another user in the agent’s own container are no sibling', () => {
    pod.process(30, '/', { comm: 'postgres', uid: 70 });
    pod.process(31, '/inner', { comm: 'postgres', uid: 70 });
    assert.deepEqual(seen(), { found: ['7'], hidden: [] });
  });

  test('other services of a guest whose agent is one of them, not as root, are no siblings', () => {
    pod.gone('proc/1', 'proc/7');
    pod.process('self', '/system.slice/agent.service', { in: 'agent', uid: 1000 });
    pod.process(90, '/system.slice/agent.service', { in: 'agent', uid: 1000 });
    pod.process(1, '/init.scope', { comm: 'systemd' });
    pod.process(91, '/system.slice/nginx.service', { comm: 'nginx' });
    pod.process(92, '/system.slice/docker-ab.scope', { comm: 'postgres', uid: 70 });
    assert.deepEqual(seen(), { found: ['90'], hidden: [] });
  });

  test('other services of a sibling with an init system are that one’s', () => {
    app(0);
    pod.process(20, '/../app/system.slice/ssh.service', { in: 'app' });
    pod.process(21, '/../app/system.slice/nginx.service', { comm: 'nginx', uid: 33 });
    pod.process(22, '/../app/init.scope', { comm: 'systemd' });
    assert.deepEqual(seen(), { found: ['7', '20'], hidden: [] });
  });

  for (const state of ['Z', 'X']) {
    test(`a process in the state ${state} has ended, and is none`, () => {
      pod.process(20, '/../app', { comm: 'java', uid: 0, state });
      assert.deepEqual(seen(), { found: ['7'], hidden: [] });
    });
  }

  test('a name with blanks and brackets hides no state', () => {
    pod.process(20, '/../app', { comm: 'a) Z (b', uid: 0 });
    pod.process(21, '/../log', { comm: 'a) S (b', uid: 0, state: 'Z' });
    assert.deepEqual(seen().hidden, ['20']);
  });

  test('the names of groups may lie outside ASCII', () => {
    const wire = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');
    pod.container('größe', { bytes: MEBIBYTE });
    pod.process(20, wire('/../größe'), { in: 'größe' });
    pod.process(21, wire('/../größe/leaf'), { uid: 5 });
    assert.deepEqual(seen(), { found: ['7', '20'], hidden: [] });
  });
});

describe('a sandbox is', () => {
  function first(
    comm: string,
    more: Parameters<Pod['process']>[2],
    group: Parameters<Pod['container']>[1],
  ): void {
    pod.container('first', group);
    pod.process(1, '/../first', { in: 'first', comm, ...more });
  }
  const small = { ticks: 2, pages: 200, threads: 1 };

  for (const comm of ['pause', 'catatonit', 'pod', 'something-new']) {
    test(`process 1 that is called ${comm} and does nothing`, () => {
      first(comm, small, { usageUsec: 30_000, bytes: 300_000 });
      assert.deepEqual(seen().found, ['7']);
    });
  }

  test('one that may not be read but does nothing, whatever its name', () => {
    pod.gone('proc/1');
    pod.process(1, '/../first', { comm: 'something-new', uid: 65_535, ...small });
    assert.deepEqual(seen(), { found: ['7'], hidden: [] });
  });

  test('no limit for the others: theirs are the pod’s', () => {
    first('catatonit', small, { usageUsec: 30_000, bytes: 300_000 });
    app(0);
    pod.process(20, '/../app', { in: 'app' });
    assert.match(open().describe(), /containers=2 cpu\.limit=1\.5 .*mem\.limit=400MiB/);
  });

  const apps: readonly [
    what: string,
    more: Parameters<Pod['process']>[2],
    group: Parameters<Pod['container']>[1],
  ][] = [
    ['has used CPU time', { ...small, ticks: 900 }, { usageUsec: 9_000_000, bytes: 300_000 }],
    ['holds memory', { ...small, pages: 5000 }, { usageUsec: 30_000, bytes: 20 * MEBIBYTE }],
    ['has a limit of memory', small, { usageUsec: 30_000, bytes: 300_000, limitBytes: MEBIBYTE }],
    ['has a quota', small, { usageUsec: 30_000, bytes: 300_000, cores: 1 }],
    ['runs threads', { ...small, threads: 7 }, { usageUsec: 30_000, bytes: 3 * MEBIBYTE }],
  ];
  for (const [what, more, group] of apps) {
    test(`not an app as process 1 that ${what}`, () => {
      first('server', more, group);
      assert.deepEqual(seen().found, ['1', '7']);
    });
  }

  test('not an app that may not be read', () => {
    pod.gone('proc/1');
    pod.process(1, '/../first', { comm: 'server', uid: 5 });
    assert.deepEqual(seen(), { found: ['7'], hidden: ['1'] });
  });

  test('not process 1 of a container that has others', () => {
    first('catatonit', small, { usageUsec: 30_000, bytes: 300_000 });
    pod.process(2, '/../first', { in: 'first', comm: 'server' });
    assert.deepEqual(seen().found, ['1', '7']);
  });

  test('not the agent itself, where it is process 1', () => {
    pod.gone('proc/1', 'proc/7');
    pod.process(1, '/', { in: 'agent', comm: 'node', ...small });
    pod.container('agent', { bytes: MEBIBYTE });
    assert.deepEqual(seen().found, ['1']);
  });
});

describe('a container inside another is counted there:', () => {
  /** An app of 300 MiB in which Docker runs containers without limits. */
  function dind(): void {
    app(0);
    pod.process(20, '/../app', { in: 'app', comm: 'dockerd' });
  }

  test('by its name below the other’s', () => {
    dind();
    pod.container('inner', { usageUsec: 1, bytes: 60 * MEBIBYTE });
    pod.process(21, '/../app/docker/01', { in: 'inner' });
    assert.deepEqual(seen().found, ['7', '20']);
    assert.match(open().describe(), /containers=2 cpu\.limit=1\.5 .*mem\.limit=400MiB/);
    assert.equal(sampleAt(open(), 0).memoryUsed, 120 * MEBIBYTE);
  });

  test('by its name, two containers deep', () => {
    dind();
    for (const [pid, path] of [
      [21, 'docker/01'],
      [22, 'docker/01/docker/02'],
    ] as const) {
      pod.container(`inner${pid}`, {});
      pod.process(pid, `/../app/${path}`, { in: `inner${pid}` });
    }
    assert.deepEqual(seen().found, ['7', '20']);
  });

  test('by its folder, where the other’s processes all sit in a group of their own', () => {
    app(0);
    pod.process(20, '/../app/daemon', { in: 'app', comm: 'dockerd' });
    pod.group('containers/app/sys/fs/cgroup/docker/01', {});
    pod.write({ 'containers/inner/etc': '' });
    pod.link({
      'containers/inner/sys/fs/cgroup': join(pod.path, 'containers/app/sys/fs/cgroup/docker/01'),
    });
    pod.process(21, '/../app/docker/01', { in: 'inner' });
    assert.deepEqual(seen().found, ['7', '20']);
  });

  test('in the agent’s own container as well', () => {
    pod.container('inner', {});
    pod.process(21, '/docker/01', { in: 'inner' });
    assert.deepEqual(seen(), { found: ['7'], hidden: [] });
  });

  test('and a hidden one too: nobody has to read it', () => {
    dind();
    pod.process(21, '/../app/docker/01', { comm: 'postgres', uid: 70 });
    assert.deepEqual(seen(), { found: ['7', '20'], hidden: [] });
  });

  test('but one whose name only begins like it is another', () => {
    dind();
    app(0, 'app2');
    pod.process(21, '/../app2', { in: 'app2' });
    assert.deepEqual(seen().found, ['7', '20', '21']);
  });
});

describe('a privileged container', () => {
  /** The machine's hierarchy as /sys/fs/cgroup of a container. */
  function node(name: string): void {
    pod.write({
      'node/cgroup.procs': '1\n',
      'node/cpu.stat': 'usage_usec 99000000\n',
      [`containers/${name}/etc`]: '',
    });
    pod.link({ [`containers/${name}/sys/fs/cgroup`]: join(pod.path, 'node') });
  }

  test('is read at its own group, and not as the machine', () => {
    node('app');
    pod.group('node/kubepods.slice/kubepods-pod1.slice/app', {
      usageUsec: 5,
      bytes: 50 * MEBIBYTE,
      limitBytes: 60 * MEBIBYTE,
    });
    pod.process(20, '/../app', { in: 'app' });
    assert.deepEqual(seen(), { found: ['7', '20'], hidden: [] });
    const { memoryUsed, memoryLimit } = sampleAt(open(), 0);
    assert.deepEqual([memoryUsed, memoryLimit], [70 * MEBIBYTE, 160 * MEBIBYTE]);
  });

  test('and another one are two, though they have one and the same hierarchy', () => {
    for (const [pid, name] of [
      [20, 'app'],
      [21, 'log'],
    ] as const) {
      node(name);
      pod.group(`node/kubepods.slice/kubepods-pod1.slice/${name}`, { bytes: 50 * MEBIBYTE });
      pod.process(pid, `/../${name}`, { in: name });
    }
    assert.deepEqual(seen(), { found: ['7', '20', '21'], hidden: [] });
    assert.equal(sampleAt(open(), 0).memoryUsed, 120 * MEBIBYTE);
  });

  test('whose group is nowhere in it is hidden, and not the machine', () => {
    node('app');
    pod.process(20, '/../app', { in: 'app' });
    assert.deepEqual(seen(), { found: ['7'], hidden: ['20'] });
  });
});

describe('the sum', () => {
  function start(over: Parameters<typeof sourceOptions>[0] = {}): Source {
    app(0);
    pod.process(20, '/../app', { in: 'app', comm: 'java' });
    const opened = open(over);
    sampleAt(opened, 0);
    agent(1);
    app(1);
    return opened;
  }

  test('is of all, over the sum of their limits', () => {
    const { cpu, cpuCores, memory, memoryHeld } = sampleAt(start(), 1000);
    assert.deepEqual([cpu, cpuCores, memory, memoryHeld], [34, 0.51, 30, 120 * MEBIBYTE]);
  });

  test('is absent while one of them fails, and names its file', () => {
    const opened = start();
    pod.gone('containers/app/sys/fs/cgroup/memory.current');
    // The kept descriptor has the old file: what the kernel removes gives ENODEV there.
    fs.close();
    const { cpuCores, memory, memoryUsed } = sampleAt(opened, 1000);
    assert.deepEqual([cpuCores, memory, memoryUsed], [0.51, undefined, undefined]);
    assert.match(opened.absent.get('memory') ?? '', /^\/proc\/20\/root\S*memory\.current: ENOENT$/);
  });

  test('is absent where the last other one has ended: the agent alone is not the task', () => {
    const opened = start();
    pod.gone('containers/app', 'proc/20');
    fs.close();
    sampleAt(opened, 1000);
    agent(2);
    const { cpuCores, memoryUsed } = sampleAt(opened, 2500);
    assert.deepEqual([cpuCores, memoryUsed], [undefined, undefined]);
    for (const name of ['cpu', 'memory']) {
      assert.equal(opened.absent.get(name), 'no other container is visible any more');
    }
  });

  test('is absent from the next scan on where one is hidden that was not there before', () => {
    const opened = start();
    pod.process(30, '/../late', { comm: 'envoy', uid: 1337 });
    assert.notEqual(sampleAt(opened, 1000).cpu, undefined);
    const { cpu, memory } = sampleAt(opened, 10_000);
    assert.deepEqual([cpu, memory], [undefined, undefined]);
    assert.match(opened.absent.get('cpu') ?? '', /envoy \(process 30, user 1337\)/);
    pod.gone('proc/30');
    sampleAt(opened, 20_000);
    assert.equal(sampleAt(opened, 21_000).memory, 30);
  });

  test('is there again a second after the hidden one is, and not at the next scan only', () => {
    app(0);
    pod.process(20, '/../app', { in: 'app' });
    pod.process(21, '/../log', { comm: 'fluent-bit', uid: 7 });
    const both = open();
    assert.equal(sampleAt(both, 0).memoryUsed, undefined);
    pod.gone('proc/21');
    assert.equal(sampleAt(both, 1000).memoryUsed, 120 * MEBIBYTE);
  });

  test('a counter that began anew (a restart) is a new baseline', () => {
    const opened = start();
    sampleAt(opened, 1000);
    pod.container('app', { usageUsec: 400, bytes: MEBIBYTE });
    assert.equal(sampleAt(opened, 2000).cpuCores, undefined);
    pod.container('app', { usageUsec: 250_400, bytes: MEBIBYTE });
    assert.equal(sampleAt(opened, 3000).cpuCores, 0.25);
  });

  test('has CPU where one group lacks the memory controller, and memory has a reason', () => {
    app(0);
    pod.process(20, '/../app', { in: 'app', comm: 'java' });
    pod.gone('containers/app/sys/fs/cgroup/memory.current');
    const opened = open();
    sampleAt(opened, 0);
    agent(1);
    pod.write({ 'containers/app/sys/fs/cgroup/cpu.stat': 'usage_usec 1500000\n' });
    const { cpu, memory } = sampleAt(opened, 1000);
    assert.deepEqual([cpu, memory], [34, undefined]);
    assert.match(opened.absent.get('memory') ?? '', /memory\.current: ENOENT/);
  });

  test('without a limit of one of them is held against what the machine has', () => {
    app(0);
    pod.container('free', { bytes: 136 * MEBIBYTE });
    pod.process(20, '/../app', { in: 'app' });
    pod.process(21, '/../free', { in: 'free' });
    const opened = open();
    const { memory, memoryLimit } = sampleAt(opened, 0);
    assert.deepEqual([memory, memoryLimit], [12.5, 2048 * MEBIBYTE]);
    assert.match(opened.describe(), /cpu\.limit=4 \(online CPUs\)/);
  });

  test('needs neither meminfo nor a list of CPUs where each has limits', () => {
    pod.gone('proc/meminfo', 'proc/stat', 'sys/devices');
    const opened = start();
    assert.match(opened.describe(), /cpu\.limit=1\.5 .*mem\.limit=400MiB .*online=unknown/);
    const { cpu, memory } = sampleAt(opened, 1000);
    assert.deepEqual([cpu, memory], [34, 30]);
  });

  test('without memory.stat (gVisor) is usage itself', () => {
    app(0);
    pod.process(20, '/../app', { in: 'app' });
    pod.gone('containers/app/sys/fs/cgroup/memory.stat');
    assert.equal(sampleAt(open(), 0).memoryUsed, 120 * MEBIBYTE);
  });

  test('with limits that were said counts the tightest', () => {
    const opened = start({ saidCores: 1.02, saidBytes: 240 * MEBIBYTE });
    assert.match(
      opened.describe(),
      /cpu\.limit=1\.02 \(--cpu-limit\) mem\.limit=240MiB \(--memory/,
    );
    const { cpu, memory } = sampleAt(opened, 1000);
    assert.deepEqual([cpu, memory], [50, 50]);
  });

  test('with --cpu-base host is of all CPUs', () => {
    assert.equal(sampleAt(start({ cpuBase: 'host' }), 1000).cpu, 12.75);
  });

  test('with --exclude-self takes the agent out of its own container only', () => {
    let cpuUsec = 0;
    const selfUsage = () => ({ cpuUsec, residentBytes: 1, anonymousBytes: 20 * MEBIBYTE });
    const wanted = new Set(['cpu', 'cpuCores', 'memory'] as const);
    const opened = start({ excludeSelf: true, selfUsage, wanted });
    // A millisecond more than its group, which is read at another instant.
    cpuUsec = 11_000;
    const { cpuCores, memoryUsed } = sampleAt(opened, 1000);
    assert.deepEqual([cpuCores, memoryUsed], [0.5, 100 * MEBIBYTE]);
  });
});

describe('containers of version 1', () => {
  function legacy(name: string, second: number, folder = 'cpu,cpuacct'): void {
    const base = `containers/${name}/sys/fs/cgroup`;
    pod.write({
      [`${base}/${folder}/cpuacct.usage`]: `${1e9 + 5e8 * second}\n`,
      [`${base}/${folder}/cpu.cfs_quota_us`]: '100000\n',
      [`${base}/${folder}/cpu.cfs_period_us`]: '100000\n',
      [`${base}/memory/memory.usage_in_bytes`]: `${100 * MEBIBYTE}\n`,
      [`${base}/memory/memory.limit_in_bytes`]: `${200 * MEBIBYTE}\n`,
      [`${base}/memory/memory.stat`]: 'cache 0\nrss 7\ntotal_inactive_file 0\ntotal_rss 7\n',
    });
  }

  test('of which one is privileged: its group is in the machine’s hierarchy', () => {
    legacy('agent1', 0);
    legacy('app1', 0);
    pod.write({ 'containers/app1/sys/fs/cgroup/memory/release_agent': '\n' });
    // On top is the machine; the container is below, by its own path.
    const below = (second: number): void =>
      pod.write({
        'containers/app1/sys/fs/cgroup/cpu,cpuacct/docker/app1/cpuacct.usage': `${25e7 * second}\n`,
        'containers/app1/sys/fs/cgroup/memory/docker/app1/memory.usage_in_bytes': `${MEBIBYTE}\n`,
      });
    below(1);
    for (const [pid, name] of [
      [7, 'agent1'],
      [20, 'app1'],
    ] as const) {
      pod.process(pid, '', { in: name });
      pod.write({
        [`proc/${pid}/cgroup`]: `4:memory:/docker/${name}\n2:cpu,cpuacct:/docker/${name}\n`,
      });
    }
    const opened = open();
    sampleAt(opened, 0);
    legacy('agent1', 1);
    legacy('app1', 1);
    below(2);
    const { cpuCores, memoryUsed } = sampleAt(opened, 1000);
    assert.deepEqual([cpuCores, memoryUsed], [0.75, 101 * MEBIBYTE]);
  });

  for (const folder of ['cpu,cpuacct', 'cpuacct,cpu', 'cpuacct']) {
    test(`are summed where CPU time is counted in ${folder}`, () => {
      for (const [pid, name] of [
        [7, 'agent1'],
        [20, 'app1'],
      ] as const) {
        legacy(name, 0, folder);
        pod.process(pid, `/${name}`, { in: name });
        pod.write({
          [`proc/${pid}/cgroup`]: `4:memory:/docker/${name}\n2:cpu,cpuacct:/docker/${name}\n`,
        });
      }
      const opened = open();
      sampleAt(opened, 0);
      legacy('agent1', 1, folder);
      legacy('app1', 1, folder);
      const { cpuCores, memory } = sampleAt(opened, 1000);
      assert.deepEqual([cpuCores, memory], [1, 50]);
    });
  }
});
