import assert from 'node:assert/strict';
import { cpus, totalmem } from 'node:os';
import { after, before, describe, test } from 'node:test';
import { coresUsed, type Measured } from '../support/lab/agent.ts';
import {
  assertCpuTruth,
  assertEnded,
  assertMemoryTruth,
  assertScope,
  assertWithin,
  saidAlone,
} from '../support/lab/assert.ts';
import type { Limits } from '../support/lab/cgroup.ts';
import { closeLab, type Lab, labLacks, openLab } from '../support/lab/lab.ts';
import { measurePod } from '../support/lab/sidecar.ts';

describe('a sidecar in the PID namespace of another container', { skip: labLacks('runc') }, () => {
  let lab: Lab;

  before(async () => {
    lab = await openLab();
  });
  after(closeLab);

  /** The app has half a core, which it uses up, and 160 MiB, of which it pins 50. */
  function run(
    name: string,
    sidecar: { limits: Limits; user?: number },
    flags: readonly string[] = [],
  ): Promise<Measured> {
    return measurePod(lab, name, {
      cgroup: lab.cgroup.child(name),
      cgroupNamespace: false,
      app: { load: { spin: 1, pinMiB: 50 }, limits: { cores: 0.5, memoryMiB: 160 } },
      sidecar,
      seconds: 5,
      flags,
      runFlags: [],
    });
  }

  test('where both have limits: their use over the sum of these, the pause container left out', async () => {
    const both = await run('both', { limits: { cores: 0.5, memoryMiB: 96 } });
    assertEnded(both);
    assertWithin(coresUsed(both), [0.48, 0.62], 'cores, by the kernel', both);
    assertScope(both, { source: 'siblings', 'cpu.limit': '1', 'mem.limit': '256MiB' });
    assertWithin(both.metrics['CPUUtilization'], [46, 62], 'CPUUtilization', both);
    assertCpuTruth(both, 1);
    assertMemoryTruth(both, 256);
    assert.equal(saidAlone(both), 0, both.stderr);
  });

  test('where one has no limits: their use over what the machine has', async () => {
    const one = await run('one', { limits: {} });
    assertScope(one, { source: 'siblings' });
    assertCpuTruth(one, cpus().length);
    assertMemoryTruth(one, totalmem() / 2 ** 20);
    assert.equal(saidAlone(one), 0, one.stderr);
  });

  test('as another user, whom the kernel refuses: not a sum that is short of the app, but a warning', async () => {
    const refused = await run('refused', { limits: { cores: 0.5, memoryMiB: 96 }, user: 1000 });
    assertEnded(refused);
    assert.notEqual(refused.scope['source'], 'siblings', refused.stderr);
    assert.equal(saidAlone(refused), 1, refused.stderr);
  });

  test('as another user, --explain names what is missing', async () => {
    const asked = { limits: { cores: 0.5, memoryMiB: 96 }, user: 1000 };
    const { stdout } = await run('explain', asked, ['--explain']);
    assert.match(stdout, /same (?:user|uid)[^"]*CAP_SYS_PTRACE/);
  });
});
