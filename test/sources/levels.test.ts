import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { SelectOptions } from '../../src/sources/select.ts';
import { type WatchedSource, watchSource } from '../../src/sources/watch.ts';
import { MEBIBYTE, makePod, type Pod } from '../support/pod.ts';
import { type Sample, sampleAt, selectOptions } from '../support/sources.ts';

const POINT = 'sys/fs/cgroup';
const INITIAL = { 'proc/self/ns/cgroup': 'cgroup:[4026531835]' };
const PRIVATE = { 'proc/self/ns/cgroup': 'cgroup:[4026532441]' };
const NEVER = 1e12;

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

/** All that a group of version 2 tells; `cores` are in use of two, `mebibytes` of 100. */
function level(
  folder: string,
  { cores, mebibytes }: { readonly cores: number; readonly mebibytes: number },
): (second: number) => void {
  return (second) => {
    pod.group(folder, {
      usageUsec: 1_000_000 * (1 + cores * second),
      bytes: mebibytes * MEBIBYTE,
      cores: 2,
      limitBytes: 100 * MEBIBYTE,
    });
    const stalled = 1000 + 1_000_000 * cores * second * 0.1;
    pod.write({
      [`${folder}/cpu.pressure`]: `some avg10=0.00 avg60=0.00 avg300=0.00 total=${stalled}\n`,
      [`${folder}/memory.pressure`]: `some avg10=0.00 avg60=0.00 avg300=0.00 total=${stalled}\n`,
      [`${folder}/memory.events`]: `low 0\noom 0\noom_kill ${mebibytes * second}\n`,
      [`${folder}/memory.swap.current`]: `${mebibytes * MEBIBYTE}\n`,
      [`${folder}/memory.swap.max`]: `${200 * MEBIBYTE}\n`,
    });
  };
}

/** What is measured of the second between two instants of some levels. */
async function measure(
  levels: readonly ((second: number) => void)[],
  over: Partial<Omit<SelectOptions, 'clock'>> = {},
): Promise<Sample> {
  for (const lay of levels) lay(0);
  source = await watchSource(selectOptions(pod, { scope: 'container', ...over }));
  sampleAt(source, 0);
  for (const lay of levels) lay(1);
  return sampleAt(source, 1000);
}

describe('CPU, memory, swap, events and pressure are of one level:', () => {
  const rows: readonly [what: string, path: string, container: string][] = [
    [
      'Docker’s scope, in which systemd runs',
      'system.slice/docker-ab.scope/system.slice/a.service',
      'system.slice/docker-ab.scope',
    ],
    [
      'podman’s scope, in which it has a leaf',
      'user.slice/libpod-25.scope/container',
      'user.slice/libpod-25.scope',
    ],
    ['a group by its 64 digits', `machine/${'0a'.repeat(32)}/init`, `machine/${'0a'.repeat(32)}`],
    [
      'a container of a pod with cgroupfs',
      'kubepods/burstable/pod0a-1b/77/init.scope',
      'kubepods/burstable/pod0a-1b/77',
    ],
    [
      'a container of a pod with systemd',
      'kubepods.slice/kubepods-pod0a_1b.slice/cri-containerd-77.scope/x',
      'kubepods.slice/kubepods-pod0a_1b.slice/cri-containerd-77.scope',
    ],
    ['a container of an ECS task', 'ecs/task1/container1/app', 'ecs/task1/container1'],
    ['an LXC guest', 'lxc.payload.guest/system.slice/a.service', 'lxc.payload.guest'],
    [
      'Docker in an LXC guest: the inner one',
      'lxc.payload.guest/system.slice/docker-ab.scope',
      'lxc.payload.guest/system.slice/docker-ab.scope',
    ],
    [
      'no name, a leaf that is not to be seen: the nearest group with files',
      'lab/in/leaf',
      'lab/in',
    ],
  ];
  for (const [what, path, container] of rows) {
    test(what, async () => {
      pod.link(INITIAL);
      pod.write({ 'proc/self/cgroup': `0::/${path}\n` });
      // Above, the agent’s own level and beside: other figures than the container's.
      const levels = [level(`${POINT}/${container}`, { cores: 1, mebibytes: 40 })];
      if (path !== container && what.startsWith('no name') === false) {
        levels.push(level(`${POINT}/${path}`, { cores: 0.02, mebibytes: 2 }));
      }
      const sample = await measure(levels);
      assert.deepEqual(
        [sample.cpuCores, sample.cpu, sample.memory, sample.swap, sample.oomKills],
        [1, 50, 40, 20, 40],
        source?.describe(),
      );
      assert.deepEqual([sample.cpuPressure, sample.memoryPressure], [10, 10]);
    });
  }

  test('a leaf of threads has no files of memory: its parent is the container', async () => {
    pod.link(INITIAL);
    pod.write({
      'proc/self/cgroup': '0::/lab/app/threads\n',
      [`${POINT}/lab/app/threads/cpu.stat`]: 'usage_usec 5\n',
      [`${POINT}/lab/app/threads/cgroup.type`]: 'threaded\n',
    });
    const sample = await measure([level(`${POINT}/lab/app`, { cores: 0.5, mebibytes: 30 })]);
    assert.deepEqual([sample.cpuCores, sample.memory], [0.5, 30]);
  });

  test('with a namespace of its own the mount point, wherever the process is', async () => {
    pod.link(PRIVATE);
    pod.write({ 'proc/self/cgroup': '0::/system.slice/agent.service\n' });
    const sample = await measure([
      level(POINT, { cores: 1, mebibytes: 40 }),
      level(`${POINT}/system.slice/agent.service`, { cores: 0.01, mebibytes: 1 }),
    ]);
    assert.deepEqual([sample.cpu, sample.memory, sample.swap, sample.oomKills], [50, 40, 20, 40]);
  });
});

describe('a process that is moved to another group', () => {
  test('is followed within 10 s, with a baseline and a number of scope of their own', async () => {
    pod.link(INITIAL);
    pod.write({ 'proc/self/cgroup': '0::/docker/ab\n' });
    await measure([level(`${POINT}/docker/ab`, { cores: 0.5, mebibytes: 10 })]);
    assert.ok(source !== undefined);
    const { scopeNumber } = source;
    const moved = level(`${POINT}/docker/cd`, { cores: 1.5, mebibytes: 60 });
    moved(100);
    pod.write({ 'proc/self/cgroup': '0::/docker/cd\n' });
    assert.equal(sampleAt(source, 5000).memory, 10);
    const first = sampleAt(source, 11_000);
    assert.deepEqual([first.cpu, first.memory], [undefined, 60]);
    assert.notEqual(source.scopeNumber, scopeNumber);
    moved(101);
    assert.equal(sampleAt(source, 12_000).cpu, 75);
  });
});

describe('the tightest limit of all levels counts', () => {
  test('a parent’s with what is used there', async () => {
    pod.link(INITIAL);
    pod.write({ 'proc/self/cgroup': '0::/docker/ab\n' });
    const sample = await measure([
      level(`${POINT}/docker/ab`, { cores: 0.5, mebibytes: 10 }),
      level(`${POINT}/docker`, { cores: 1.5, mebibytes: 90 }),
    ]);
    assert.deepEqual([sample.cpu, sample.cpuCores, sample.memory], [75, 0.5, 90]);
  });
});

describe('CPUs of a container without a quota are those', () => {
  function unlimited(path: string): (second: number) => void {
    return (second) => pod.group(path, { usageUsec: 1 + 1_000_000 * second });
  }

  const own = { environment: {}, pid: 7 };

  test('of its own list', async () => {
    pod.link(PRIVATE);
    pod.write({ [`${POINT}/cpuset.cpus.effective`]: '1,3\n' });
    assert.equal((await measure([unlimited(POINT)])).cpu, 50);
  });

  test('of a list that only a parent has', async () => {
    pod.link(INITIAL);
    pod.write({
      'proc/self/cgroup': '0::/docker/ab\n',
      [`${POINT}/docker/cpuset.cpus.effective`]: '0-1\n',
    });
    assert.equal((await measure([unlimited(`${POINT}/docker/ab`)])).cpu, 50);
  });

  test('that the kernel allows this process, where no file says so', async () => {
    pod.link(PRIVATE);
    pod.write({ 'proc/self/status': 'Name:\tnode\nCpus_allowed:\t3\nCpus_allowed_list:\t0-1\n' });
    assert.equal((await measure([unlimited(POINT)], { own })).cpu, 50);
    assert.match(source?.describe() ?? '', /cpu\.limit=2 \(Cpus_allowed_list\)/);
  });

  test('but not those of this process where another root is read', async () => {
    pod.link(PRIVATE);
    pod.write({ 'proc/self/status': 'Cpus_allowed_list:\t0-1\n' });
    assert.equal((await measure([unlimited(POINT)])).cpu, 25);
  });

  test('of a list that is changed while the agent runs, 10 s later', async () => {
    pod.link(PRIVATE);
    pod.write({ [`${POINT}/cpuset.cpus.effective`]: '0-3\n' });
    assert.equal((await measure([unlimited(POINT)])).cpu, 25);
    pod.write({ [`${POINT}/cpuset.cpus.effective`]: '0-1\n' });
    unlimited(POINT)(11);
    assert.equal(source === undefined ? NEVER : sampleAt(source, 11_000).cpu, 50);
  });
});

describe('of several mounts of one hierarchy', () => {
  const unified = (root: string, point: string): string =>
    `9 8 0:27 ${root} ${point} ro,nosuid - cgroup2 cgroup rw\n`;
  const legacy = (root: string, point: string, controllers: string): string =>
    `9 8 0:27 ${root} ${point} ro,nosuid - cgroup cgroup rw,${controllers}\n`;
  const container = (folder: string) => level(folder, { cores: 1, mebibytes: 40 });
  const other = (folder: string) => level(folder, { cores: 0.1, mebibytes: 90 });

  const rows: readonly {
    readonly what: string;
    readonly links: Readonly<Record<string, string>>;
    readonly path: string;
    readonly mounts: string;
    readonly others: readonly string[];
  }[] = [
    {
      what: 'the host’s comes first, with a namespace of its own',
      links: PRIVATE,
      path: '/',
      mounts: unified('/../../..', '/host/sys/fs/cgroup') + unified('/', '/sys/fs/cgroup'),
      others: ['host/sys/fs/cgroup'],
    },
    {
      what: 'the host’s comes first, bound by itself',
      links: PRIVATE,
      path: '/',
      mounts: unified('/', '/a') + unified('/', '/sys/fs/cgroup'),
      others: ['a'],
    },
    {
      what: 'another container’s comes first',
      links: INITIAL,
      path: '/docker/01',
      mounts: unified('/docker/02', '/a') + unified('/docker/01', '/sys/fs/cgroup'),
      others: ['a'],
    },
    {
      what: 'another container’s comes first, in the usual place',
      links: INITIAL,
      path: '/docker/01',
      mounts:
        unified('/docker/02', '/sys/fs/cgroup/left') + unified('/docker/01', '/sys/fs/cgroup'),
      others: ['sys/fs/cgroup/left'],
    },
    {
      what: 'one without files comes first',
      links: PRIVATE,
      path: '/',
      mounts: unified('/', '/sys/fs/cgroup/unified') + unified('/', '/sys/fs/cgroup'),
      others: [],
    },
  ];
  for (const { what, links, path, mounts, others } of rows) {
    test(`${what}: the own one is read`, async () => {
      pod.link(links);
      pod.write({ 'proc/self/cgroup': `0::${path}\n`, 'proc/self/mountinfo': mounts });
      const sample = await measure([container(POINT), ...others.map(other)]);
      assert.deepEqual([sample.cpu, sample.memory], [50, 40], source?.describe());
    });
  }

  /** A container of version 1 in which the cpuset is mounted twice. */
  function laidLegacy(mounts: string): (second: number) => void {
    pod.link(INITIAL);
    pod.write({
      'proc/self/cgroup': '3:cpuset:/docker/01\n2:cpu,cpuacct:/docker/01\n1:memory:/docker/01\n',
      'proc/self/mountinfo': mounts,
    });
    return (second) =>
      pod.write({
        'sys/fs/cgroup/cpu,cpuacct/cpuacct.usage': `${1e9 * (1 + second)}\n`,
        'sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us': '-1\n',
        'sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us': '100000\n',
        'sys/fs/cgroup/memory/memory.usage_in_bytes': `${40 * MEBIBYTE}\n`,
        'sys/fs/cgroup/memory/memory.limit_in_bytes': `${100 * MEBIBYTE}\n`,
        'sys/fs/cgroup/memory/memory.stat': 'total_inactive_file 0\n',
      });
  }
  const OWN = '/docker/01';
  const BASE =
    legacy(OWN, '/sys/fs/cgroup/cpu,cpuacct', 'cpu,cpuacct') +
    legacy(OWN, '/sys/fs/cgroup/memory', 'memory');

  test('a cpuset without prefixes in its names comes first', async () => {
    const lay = laidLegacy(
      legacy('/', '/dev/cpuset', 'cpuset,noprefix') +
        BASE +
        legacy(OWN, '/sys/fs/cgroup/cpuset', 'cpuset'),
    );
    pod.write({
      'dev/cpuset/docker/01/cpus': '0-3\n',
      'sys/fs/cgroup/cpuset/cpuset.cpus': '0-1\n',
    });
    assert.equal((await measure([lay])).cpu, 50);
  });

  test('a cpuset may be called cpuset.effective_cpus', async () => {
    const lay = laidLegacy(BASE + legacy(OWN, '/sys/fs/cgroup/cpuset', 'cpuset'));
    pod.write({
      'sys/fs/cgroup/cpuset/cpuset.effective_cpus': '0-1\n',
      'sys/fs/cgroup/cpuset/cpuset.cpus': '\n',
    });
    assert.equal((await measure([lay])).cpu, 50);
  });

  test('below --root, a named group is found by the root’s own table', async () => {
    // The agent's own table has the host's mounts below /host, and its own ones.
    pod.write({
      'proc/self/mountinfo': unified('/', '/sys/fs/cgroup') + unified('/../..', '/host/cg'),
      'proc/1/mountinfo': unified('/', '/cg'),
    });
    const sample = await measure([container('cg/jobs/1'), other('sys/fs/cgroup/jobs/1')], {
      scope: { cgroup: '/jobs/1' },
    });
    assert.deepEqual([sample.cpu, sample.memory], [50, 40]);
    assert.match(source?.describe() ?? '', /mem\.dir=\/cg\/jobs\/1/);
  });

  test('below --root without process 1’s table, the agent’s own one serves', async () => {
    const sample = await measure([container('sys/fs/cgroup/jobs/1')], {
      scope: { cgroup: '/jobs/1' },
    });
    assert.deepEqual([sample.cpu, sample.memory], [50, 40]);
  });
});

describe('DiskUtilization asks a file system', () => {
  const root = (type: string): string => `1 0 8:1 / / rw - ${type} /dev/sda rw\n`;

  test('that the root’s own table calls local', async () => {
    pod.write({ 'proc/self/mountinfo': root('nfs4'), 'proc/1/mountinfo': root('ext4') });
    assert.notEqual((await measure([], { scope: 'host' })).disk, undefined);
  });

  test('and none that the root’s own table calls a network’s', async () => {
    pod.write({ 'proc/self/mountinfo': root('ext4'), 'proc/1/mountinfo': root('nfs4') });
    assert.equal((await measure([], { scope: 'host' })).disk, undefined);
    assert.match(source?.absent.get('disk') ?? '', /of the type nfs4/);
  });
});

describe('names outside ASCII', () => {
  const wire = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');

  test('of the own group are found, and read by people', async () => {
    pod.link(INITIAL);
    pod.write({ 'proc/self/cgroup': `0::${wire('/docker/größe-名')}\n` });
    const sample = await measure([level(`${POINT}/docker/größe-名`, { cores: 1, mebibytes: 40 })]);
    assert.deepEqual([sample.cpu, sample.memory], [50, 40]);
    assert.match(source?.describe() ?? '', /mem\.dir=\/sys\/fs\/cgroup\/docker\/größe-名/);
  });

  test('of a group that was named on the command line are found', async () => {
    const sample = await measure([level(`${POINT}/größe.slice/名`, { cores: 1, mebibytes: 40 })], {
      scope: { cgroup: '/größe.slice/名' },
    });
    assert.deepEqual([sample.cpu, sample.memory], [50, 40]);
  });
});
