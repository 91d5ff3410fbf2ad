import assert from 'node:assert/strict';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import {
  agentCommand,
  coresUsed,
  HOG_SECONDS,
  loadCommand,
  type Measured,
  mean,
  measure,
} from '../support/lab/agent.ts';
import {
  assertAbsent,
  assertCpuTruth,
  assertEnded,
  assertMemoryTruth,
  assertScope,
  assertThrottled,
  assertWithin,
  saidAlone,
} from '../support/lab/assert.ts';
import { closeLab, type Lab, labLacks, makeSparseFile, openLab } from '../support/lab/lab.ts';
import type { Load } from '../support/lab/load.ts';
import { type Container, containerCommand } from '../support/lab/oci.ts';

const SECONDS = 5;
const MIB = 2 ** 20;
const CORES = cpus().length;
const LAST_CPU = String(CORES - 1);

describe('runc on cgroup v1', { skip: labLacks('runc', 'stress-ng') }, () => {
  let lab: Lab;

  before(async () => {
    lab = await openLab();
  });
  after(closeLab);

  /** The load and the agent in one container; without a load the agent is alone there. */
  function run(
    id: string,
    load: Load | undefined,
    container: Omit<Container, 'cgroup' | 'args'>,
    cgroup = lab.cgroup.child(id),
  ): Promise<Measured> {
    const args: Container['args'] = (inside) => {
      const seconds = load?.hog === true ? HOG_SECONDS : SECONDS;
      const agent = agentCommand(inside, seconds, ['--metrics', 'all']);
      return load === undefined ? agent : loadCommand(inside, load, agent);
    };
    return measure(containerCommand(lab, 'runc', id, { ...container, cgroup, args }), cgroup);
  }

  for (const cgroupNamespace of [false, true]) {
    const name = `half a core, 256 MiB, ${cgroupNamespace ? 'a' : 'no'} cgroup namespace, saturated`;
    describe(name, () => {
      let half: Measured;

      before(async () => {
        const limits = { cores: 0.5, memoryMiB: 256, ...(cgroupNamespace && { cpus: LAST_CPU }) };
        const id = cgroupNamespace ? 'half-ns' : 'half';
        half = await run(id, { spin: 1, pinMiB: 50 }, { limits, cgroupNamespace });
      });

      test('the lab does what it says', () => {
        assertEnded(half);
        assertWithin(coresUsed(half), [0.48, 0.52], 'cores, by the kernel', half);
      });

      test('the start line names the scope and its limits', () => {
        const limits = { 'cpu.limit': '0.5', 'mem.limit': '256MiB' };
        assertScope(half, { scope: 'container', source: 'cgroup', ...limits });
      });

      test('CPU is full', () => {
        assertWithin(half.metrics['CPUUtilization'], [97, 100], 'CPUUtilization', half);
        assertCpuTruth(half, 0.5);
        assertWithin(half.metrics['CPUCores'], [0.48, 0.52], 'CPUCores', half);
      });

      test('memory is the working set over the limit', () => {
        assertMemoryTruth(half, 256);
        assert.equal(half.metrics['MemoryLimitBytes'], 256 * MIB);
      });

      test('most periods are throttled, as many as the kernel says', () => assertThrottled(half));

      test('what cgroup v1 does not count is absent', () => {
        assertAbsent(half, ['CPUPressure', 'MemoryPressure', 'EphemeralStorageUtilization']);
      });

      test('with company it does not call itself alone', () => assert.equal(saidAlone(half), 0));
    });
  }

  test('stress-ng at 40 % in a quota of one core reads 40 %', async () => {
    const beside = ['stress-ng', '--cpu', '1', '--cpu-load', '40', '--temp-path', '/tmp'];
    const forty = await run('forty', { beside }, { limits: { cores: 1 } });
    const samples = forty.samples.map(({ CPUUtilization = Number.NaN }) => CPUUtilization);
    assertWithin(mean(samples), [36, 44], 'mean of CPUUtilization', forty);
    assertCpuTruth(forty, 1);
  });

  test('a cpuset of one core, no quota, busy, reads 100 %', async () => {
    const one = await run('cpuset', { spin: 1 }, { limits: { cpus: LAST_CPU } });
    assertWithin(one.metrics['CPUUtilization'], [96, 100], 'CPUUtilization', one);
    assertCpuTruth(one, 1);
    assertAbsent(one, ['CPUThrottled']);
  });

  test('without limits CPU is a share of the online ones, and memory of all there is', async () => {
    const free = await run('free', { spin: 1, pinMiB: 100 }, {});
    assertScope(free, { scope: 'container', source: 'cgroup' });
    assertWithin(coresUsed(free), [0.9, 1.1], 'cores, by the kernel', free);
    assertCpuTruth(free, CORES);
    assertMemoryTruth(free, totalmem() / MIB);
    const percent = (100 * 100 * MIB) / totalmem();
    assertWithin(free.metrics['MemoryUtilization'], [percent, 4 * percent], 'memory', free);
    assertAbsent(free, ['CPUThrottled']);
  });

  test('800 MB of page cache do not pass for used memory', async () => {
    const data = join(lab.folder, 'data');
    makeSparseFile(data, 800);
    const files = { '/app/data': data };
    const cache = await run(
      'cache',
      { pinMiB: 50, read: '/app/data' },
      {
        limits: { memoryMiB: 256 },
        files,
      },
    );
    const full = mean(cache.truth.map(({ usage }) => usage)) / MIB;
    assertWithin(full, [230, 256], 'MiB charged, cache included, by the kernel', cache);
    assertWithin(cache.metrics['MemoryUtilization'], [18, 45], 'MemoryUtilization', cache);
    assertMemoryTruth(cache, 256);
  });

  test('what is written to a tmpfs counts as used memory', async () => {
    const limits = { memoryMiB: 256 };
    const tmpfs = await run('tmpfs', { write: '/tmp/data', writeMiB: 100 }, { limits });
    assertWithin(tmpfs.metrics['MemoryUtilization'], [39, 70], 'MemoryUtilization', tmpfs);
    assertMemoryTruth(tmpfs, 256);
  });

  test('a parent’s lower memory limit, which cannot be seen itself, is found', async () => {
    const task = lab.cgroup.child('task').make({ memoryMiB: 200 });
    const limits = { memoryMiB: 400 };
    const nested = await run('nested', { pinMiB: 80 }, { limits }, task.child('nested'));
    assertScope(nested, { scope: 'container', 'mem.limit': '200MiB' });
    assertMemoryTruth(nested, 200);
    assert.equal(nested.metrics['MemoryLimitBytes'], 200 * MIB);
  });

  for (const cgroupNamespace of [false, true]) {
    const where = cgroupNamespace ? 'a' : 'no';
    test(`the machine’s root mounted at /host before all else, ${where} cgroup namespace: the own group`, async () => {
      const id = cgroupNamespace ? 'host-mount-ns' : 'host-mount';
      const limits = { cores: 0.5, memoryMiB: 256 };
      const container = { limits, cgroupNamespace, hostMount: true };
      const own = await run(id, { spin: 1, pinMiB: 50 }, container);
      assertEnded(own);
      assertScope(own, { scope: 'container', 'cpu.limit': '0.5', 'mem.limit': '256MiB' });
      assert.doesNotMatch(own.stderr, /\.dir=\/host\//, 'the nearest mount is the usual one');
      assertWithin(own.metrics['CPUUtilization'], [97, 100], 'CPUUtilization', own);
      assertCpuTruth(own, 0.5);
      assertMemoryTruth(own, 256);
      assertThrottled(own);
    });
  }

  test('a child that the kernel ends for want of memory is counted', async () => {
    const killed = await run('oom', { hog: true }, { limits: { memoryMiB: 160 } });
    const truth = (killed.truth.at(-1)?.oomKills ?? 0) - (killed.truth[0]?.oomKills ?? 0);
    assert.ok(truth >= 1, `the kernel ended ${truth}`);
    assert.equal(killed.metrics['OOMKills'], truth);
  });

  test('alone in its container, it says so in one warning', async () => {
    const alone = await run('alone', undefined, { limits: { memoryMiB: 256 } });
    assertEnded(alone);
    assertScope(alone, { scope: 'container', 'mem.limit': '256MiB' });
    assert.equal(saidAlone(alone), 1, alone.stderr);
  });
});
