import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type Measured, throttledPercent } from '../support/lab/agent.ts';
import {
  assertAbsent,
  assertEnded,
  assertMemoryTruth,
  assertMostlyThrottled,
  assertScope,
  assertWithin,
  saidAlone,
} from '../support/lab/assert.ts';
import { assertHidden, HIDDEN } from '../support/lab/hidden.ts';
import { closeLab, sweepLeftovers } from '../support/lab/lab.ts';
import { type Arrangement, bootGuest, type Guest, vmNeeds } from '../support/lab/vm.ts';

const MIB = 2 ** 20;
const needs = vmNeeds();
const skip = 'lacking' in needs ? needs.lacking : false;

/** The guest's clock is too coarse for CPU percentages: these are measured on the live machine. */
function describeGuest(
  arrangement: Arrangement,
  parameters: string,
  tests: (run: (name: string) => Measured) => void,
): void {
  describe(`a booted Debian kernel, cgroup ${arrangement}`, { skip }, () => {
    let guest: Guest;

    before(async () => {
      assert.ok('kernel' in needs);
      await sweepLeftovers();
      guest = await bootGuest(needs.kernel, arrangement, parameters);
    });
    after(closeLab);
    tests((name) => guest.run(name));
  });
}

/** As the kernel counted while the agent watched. */
function oomKills({ truth }: Measured): number {
  return (truth.at(-1)?.oomKills ?? 0) - (truth[0]?.oomKills ?? 0);
}

describeGuest('v2', 'psi=1', (run) => {
  test('the machine itself is host scope: the real root has no memory.current', () => {
    const machine = run('machine');
    assertEnded(machine);
    assertScope(machine, { scope: 'host' });
    assertAbsent(machine, ['SwapUtilization', 'EphemeralStorageUtilization']);
  });

  test('limits of a service’s own cgroup leave the agent a monitor of the host', () => {
    assertScope(run('service'), { scope: 'host' });
  });

  test('runc, a cgroup namespace, half a core of one CPU, 160 MiB', () => {
    const half = run('half');
    assertEnded(half);
    const limits = { 'cpu.limit': '0.5', 'mem.limit': '160MiB' };
    assertScope(half, { scope: 'container', source: 'cgroup', ...limits });
    assertMemoryTruth(half, 160);
    assert.equal(half.metrics['MemoryLimitBytes'], 160 * MIB);
    assertMostlyThrottled(half);
    assert.equal(saidAlone(half), 0, half.stderr);
  });

  test('the container’s pressure is there', () => {
    const { metrics, stderr } = run('half');
    assert.ok(metrics['CPUPressure'] !== undefined, stderr);
    assert.ok(metrics['MemoryPressure'] !== undefined, stderr);
  });

  test('crun, no cgroup namespace: a parent’s tighter limits are found, and its throttling', () => {
    const nested = run('nested');
    assertEnded(nested);
    const limits = { 'cpu.limit': '0.5', 'mem.limit': '200MiB' };
    assertScope(nested, { scope: 'container', source: 'cgroup', ...limits });
    assertMemoryTruth(nested, 200);
    assertMostlyThrottled(nested);
  });

  test('a cgroup namespace hides the parent’s limits: memory is a share of all there is', () => {
    const hidden = run('hidden');
    assertEnded(hidden);
    assertScope(hidden, { scope: 'container', source: 'cgroup' });
    assert.doesNotMatch(hidden.scope['mem.limit'] ?? '', /200/);
    assertWithin(hidden.metrics['MemoryUtilization'], [2, 8], 'MemoryUtilization', hidden);
    assertAbsent(hidden, ['CPUThrottled']);
    assert.ok(throttledPercent(hidden) >= 0, 'the parent has a quota');
  });

  test('what is written to a tmpfs counts as used memory', () => {
    const tmpfs = run('tmpfs');
    assertWithin(tmpfs.metrics['MemoryUtilization'], [37, 70], 'MemoryUtilization', tmpfs);
    assertMemoryTruth(tmpfs, 160);
  });

  test('400 MB of page cache do not pass for used memory', () => {
    const cache = run('cache');
    assertWithin((cache.truth[0]?.usage ?? 0) / MIB, [140, 160], 'MiB, by the kernel', cache);
    assertWithin(cache.metrics['MemoryUtilization'], [12, 40], 'MemoryUtilization', cache);
    assertMemoryTruth(cache, 160);
  });

  for (const [name, what] of [
    ['killed', 'by its own limit'],
    ['nestedKilled', 'by the parent’s limit'],
  ] as const) {
    test(`a child that the kernel ends ${what} is counted`, () => {
      const killed = run(name);
      assertEnded(killed);
      assert.ok(oomKills(killed) >= 1, `the kernel ended ${oomKills(killed)}`);
      assert.equal(killed.metrics['OOMKills'], oomKills(killed), killed.stderr);
    });
  }

  test('alone in its container, it says so in one warning', () => {
    const alone = run('alone');
    assertEnded(alone);
    assertScope(alone, { scope: 'container', 'mem.limit': '128MiB' });
    assert.equal(saidAlone(alone), 1, alone.stderr);
  });

  test('from a sidecar in the same PID namespace: the sum of app and sidecar over their limits', () => {
    const pod = run('pod');
    assertEnded(pod);
    assertScope(pod, { source: 'siblings', 'cpu.limit': '1', 'mem.limit': '256MiB' });
    assertMemoryTruth(pod, 256);
    assert.equal(saidAlone(pod), 0, pod.stderr);
  });

  test('from a sidecar that starts before its app: the sum, and nothing of the time before', () => {
    const late = run('podLate');
    assertEnded(late);
    assertScope(late, { scope: 'container', 'mem.limit': '96MiB' });
    const changes = late.warnings.filter((text) => text.startsWith('the scope changes'));
    assert.match(
      changes.join('\n'),
      /from container to task.*source=siblings containers=2 cpu\.limit=1 /,
    );
    assert.equal(late.metrics['MemoryLimitBytes'], 256 * MIB);
    const peak = Math.max(...late.truth.map(({ workingSet }) => workingSet));
    const percent = (100 * peak) / (256 * MIB);
    const { MaxMemoryUtilization } = late.metrics;
    assertWithin(MaxMemoryUtilization, [percent - 4, percent + 4], 'MaxMemoryUtilization', late);
  });

  test('a container whose group lies in the app’s is counted once, by the app’s limits', () => {
    const nested = run('podNested');
    assertEnded(nested);
    assertScope(nested, { source: 'siblings', 'cpu.limit': '1', 'mem.limit': '256MiB' });
    assert.match(nested.stderr, /source=siblings containers=2 /);
    assertMemoryTruth(nested, 256);
  });

  for (const { what, name, app, sidecar } of HIDDEN) {
    test(`${what}: nothing rather than the agent’s own use, and who cannot read whom`, () => {
      assertHidden(run(name), sidecar.user ?? 0, app.user ?? 0);
    });
  }

  for (const [name, what] of [
    ['hostMount', 'a'],
    ['hostMountBare', 'no'],
  ] as const) {
    test(`the machine’s root mounted at /host before all else, ${what} cgroup namespace: the own group`, () => {
      const own = run(name);
      assertEnded(own);
      assertScope(own, { scope: 'container', 'cpu.limit': '0.5', 'mem.limit': '160MiB' });
      assert.doesNotMatch(own.stderr, /\.dir=\/host\//, 'the nearest mount is the usual one');
      assertMemoryTruth(own, 160);
      assert.equal(saidAlone(own), 0, own.stderr);
    });
  }
});

describeGuest('v1', 'psi=0', (run) => {
  test('the machine itself is host scope, and without PSI there is no pressure', () => {
    const machine = run('machine');
    assertEnded(machine);
    assertScope(machine, { scope: 'host' });
    assertAbsent(machine, ['CPUPressure', 'MemoryPressure', 'SwapUtilization']);
  });

  test('cpu and cpuacct in one hierarchy: the parent’s memory limit is found, its quota cannot be', () => {
    const task = run('task');
    assertEnded(task);
    assertScope(task, { scope: 'container', source: 'cgroup', 'mem.limit': '150MiB' });
    assertMemoryTruth(task, 150);
    assertAbsent(task, ['CPUThrottled', 'CPUPressure', 'MemoryPressure']);
  });

  test('a cgroup namespace, half a core and 128 MiB of its own', () => {
    const own = run('own');
    assertEnded(own);
    assertScope(own, { scope: 'container', 'cpu.limit': '0.5', 'mem.limit': '128MiB' });
    assertMemoryTruth(own, 128);
    assertMostlyThrottled(own);
  });
});
