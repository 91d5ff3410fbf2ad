import assert from 'node:assert/strict';
import { cpus, totalmem } from 'node:os';
import { after, before, describe, test } from 'node:test';
import { coresUsed, type Measured, mean } from '../support/lab/agent.ts';
import {
  assertCpuTruth,
  assertEnded,
  assertMemoryTruth,
  assertScope,
  assertWithin,
  saidAlone,
} from '../support/lab/assert.ts';
import { assertHidden, HIDDEN } from '../support/lab/hidden.ts';
import { closeLab, type Lab, labLacks, openLab } from '../support/lab/lab.ts';
import { measurePod, type Pod } from '../support/lab/sidecar.ts';
import { type Listed, startLabTask } from '../support/lab/task.ts';

const APP: Pod['app'] = {
  load: { spin: 1, pinMiB: 50 },
  limits: { cores: 0.5, memoryMiB: 160 },
};
const SIDECAR: Pod['sidecar'] = { limits: { cores: 0.5, memoryMiB: 96 } };
/** Some 3 s: the agent takes one every 0.9 s. */
const LATE = 4;

describe('a sidecar in the PID namespace of another container', { skip: labLacks('runc') }, () => {
  let lab: Lab;

  before(async () => {
    lab = await openLab();
  });
  after(closeLab);

  /** The app has half a core, which it uses up, and 160 MiB, of which it pins 50. */
  function run(name: string, pod: Partial<Pod> = {}): Promise<Measured> {
    return measurePod(lab, name, {
      cgroup: lab.cgroup.child(name),
      cgroupNamespace: false,
      app: APP,
      sidecar: SIDECAR,
      seconds: 5,
      flags: [],
      runFlags: [],
      ...pod,
    });
  }

  function assertBoth(both: Measured): void {
    assertEnded(both);
    assertWithin(coresUsed(both), [0.48, 0.62], 'cores, by the kernel', both);
    assertScope(both, { source: 'siblings', 'cpu.limit': '1', 'mem.limit': '256MiB' });
    assertWithin(both.metrics['CPUUtilization'], [46, 62], 'CPUUtilization', both);
    assertCpuTruth(both, 1);
    assertMemoryTruth(both, 256);
    assert.equal(saidAlone(both), 0, both.stderr);
  }

  test('where both have limits: their use over the sum of these, the pause container left out', async () => {
    const both = await run('both');
    assertBoth(both);
    assert.match(both.stderr, /source=siblings containers=2 /);
  });

  test('where one has no limits: their use over what the machine has', async () => {
    const one = await run('one', { sidecar: { limits: {} } });
    assertScope(one, { source: 'siblings' });
    assertCpuTruth(one, cpus().length);
    assertMemoryTruth(one, totalmem() / 2 ** 20);
    assert.equal(saidAlone(one), 0, one.stderr);
  });

  test('a container whose group lies in the app’s is counted once, by the app’s limits', async () => {
    const app = { ...APP, load: { pinMiB: 20 }, inner: { spin: 1, pinMiB: 50 } };
    const nested = await run('nested', { app });
    assertBoth(nested);
    assert.match(nested.stderr, /source=siblings containers=2 /);
  });

  test('the same with cgroup namespaces, where no path names the other', async () => {
    const app = { ...APP, load: { pinMiB: 20 }, inner: { spin: 1, pinMiB: 50 } };
    const nested = await run('nested-ns', { app, cgroupNamespace: true });
    assertBoth(nested);
    assert.match(nested.stderr, /source=siblings containers=2 /);
  });

  for (const { what, name, app, sidecar } of HIDDEN) {
    test(`${what}: nothing rather than the agent’s own use, and who cannot read whom`, async () => {
      const hidden = await run(name, {
        app: { ...APP, ...app },
        sidecar: { ...SIDECAR, ...sidecar },
      });
      assertHidden(hidden, sidecar.user ?? 0, app.user ?? 0);
    });
  }

  for (const [what, name, app, sidecar] of [
    ['both as user 1000', 'same', { user: 1000 }, { user: 1000 }],
    [
      'root with SYS_PTRACE and user 1000',
      'ptrace',
      { user: 1000 },
      { capabilities: ['CAP_SYS_PTRACE'] },
    ],
    ['root and user 0', 'root', {}, {}],
  ] as const) {
    test(`${what}: the sum of both`, async () => {
      assertBoth(await run(name, { app: { ...APP, ...app }, sidecar: { ...SIDECAR, ...sidecar } }));
    });
  }

  test('as another user, --explain names what is missing', async () => {
    const sidecar = { ...SIDECAR, user: 1000 };
    const { stdout } = await run('explain', { sidecar, flags: ['--explain'] });
    assert.match(stdout, /user 1000 may not read node [^"]*same user[^"]*SYS_PTRACE/);
  });

  test('that starts before its app: itself with a warning, then the sum and nothing in between', async () => {
    const late = await run('late', { lateBy: LATE, seconds: 14 });
    assertEnded(late);
    assertScope(late, { scope: 'container', 'cpu.limit': '0.5', 'mem.limit': '96MiB' });
    assert.equal(saidAlone(late), 1, late.stderr);
    assert.doesNotMatch(late.warnings.join('\n'), /shareProcessNamespace/);
    const changes = late.warnings.filter((text) => text.startsWith('the scope changes'));
    assert.equal(changes.length, 1, late.stderr);
    assert.match(
      changes[0] ?? '',
      /from container to task.*source=siblings containers=2 cpu\.limit=1 /,
    );
    assertLate(late);
  });

  test('by task metadata, before its app: itself, nothing while the app is being created, the sum', async () => {
    const cgroup = lab.cgroup.child('task');
    const app: Listed = { name: 'app', cgroup: cgroup.child('app'), status: '' };
    const agent = { name: 'agent', cgroup: cgroup.child('sidecar'), status: 'RUNNING' };
    const server = await startLabTask([agent, app], { CPU: 1, Memory: 256 });
    const environment = { ECS_CONTAINER_METADATA_URI_V4: server.uri };
    const late = await run('task', {
      isApart: true,
      lateBy: LATE,
      seconds: 25,
      sidecar: { ...SIDECAR, environment },
      onApp: (state) => {
        app.status = state;
      },
    });
    await server.close();
    assertEnded(late);
    assertScope(late, {
      scope: 'task',
      source: 'cgroup',
      'cpu.limit': '0.5',
      'mem.limit': '96MiB',
    });
    const changes = late.warnings.filter((text) => text.startsWith('the scope changes'));
    assert.match(changes.at(-1) ?? '', /to task, by its metadata: scope=task source=task-metadata/);
    assertLate(late);
  });

  /** The app uses half of one core together with the agent’s; before that there was the agent alone. */
  function assertLate(late: Measured): void {
    assertWithin(late.metrics['CPUUtilization'], [44, 62], 'CPUUtilization', late);
    const memory = Math.max(...late.truth.map(({ workingSet }) => workingSet));
    const percent = (100 * memory) / (256 * 2 ** 20);
    const { MaxMemoryUtilization } = late.metrics;
    assertWithin(MaxMemoryUtilization, [percent - 3, percent + 3], 'MaxMemoryUtilization', late);
    const all = late.samples.map(({ CPUUtilization = Number.NaN }) => CPUUtilization);
    const own = all.slice(0, LATE);
    assert.ok(mean(own) < 20, `the agent alone: ${JSON.stringify(all)}`);
  }
});
