import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import {
  agentCommand,
  coresUsed,
  inCgroup,
  loadCommand,
  measure,
  measureBeside,
} from '../support/lab/agent.ts';
import {
  assertCpuTruth,
  assertEnded,
  assertMemoryTruth,
  assertScope,
  assertThrottled,
  assertWithin,
} from '../support/lab/assert.ts';
import { closeLab, type Lab, labLacks, openLab } from '../support/lab/lab.ts';
import { type Program, start } from '../support/program.ts';

const SECONDS = 5;
const METRICS = ['--metrics', 'all'];

describe('a plain cgroup of version 1', { skip: labLacks() }, () => {
  let lab: Lab;

  before(async () => {
    lab = await openLab();
  });
  after(closeLab);

  test('named by --scope cgroup:PATH, it is measured from outside, by its parent’s limits', async () => {
    const parent = lab.cgroup.child('job').make({ cores: 0.5, memoryMiB: 200 });
    const child = parent.child('step').make();
    const [file = '', ...argv] = inCgroup(child, loadCommand(lab, { spin: 1, pinMiB: 50 }));
    const load = start(file, argv);
    await load.until('load', ({ stdout }) => stdout().includes('ready'));
    const agent = agentCommand(lab, SECONDS, ['--scope', `cgroup:${child.path}`, ...METRICS]);
    const named = await measure(agent, parent);
    load.kill('SIGKILL');
    await load.ended;
    assertEnded(named);
    assertWithin(coresUsed(named), [0.48, 0.52], 'cores, by the kernel', named);
    assertScope(named, { 'cpu.limit': '0.5', 'mem.limit': '200MiB' });
    assertWithin(named.metrics['CPUUtilization'], [97, 100], 'CPUUtilization', named);
    assertCpuTruth(named, 0.5);
    assertMemoryTruth(named, 200);
    assertThrottled(named);
  });

  test('named and not there, it is waited for, and measured from when it is', async () => {
    const late = lab.cgroup.child('late');
    const agent = agentCommand(lab, 12, ['--scope', `cgroup:${late.path}`, ...METRICS]);
    let load: Program | undefined;
    const waited = await measureBeside(agent, [late], async (program) => {
      await program.until('a warning', ({ stderr }) => stderr().includes('there is no group'));
      late.make({ cores: 0.5, memoryMiB: 200 });
      const [file = '', ...argv] = inCgroup(late, loadCommand(lab, { spin: 1, pinMiB: 50 }));
      load = start(file, argv);
    });
    load?.kill('SIGKILL');
    await load?.ended;
    assert.ok(waited.warnings[0]?.includes(late.path), waited.stderr);
    assertScope(waited, { scope: 'none:' });
    assert.match(waited.warnings.join('\n'), /the scope changes from nothing .*cpu\.limit=0\.5 /);
    assertWithin(waited.metrics['CPUUtilization'], [97, 100], 'CPUUtilization', waited);
    assertWithin(waited.metrics['MemoryUtilization'], [25, 60], 'MemoryUtilization', waited);
  });

  test('the agent’s own, in the host’s namespaces, leaves it a monitor of the host', async () => {
    const service = lab.cgroup.child('service').make({ cores: 0.5, memoryMiB: 128 });
    const own = await measure(inCgroup(service, agentCommand(lab, 3, [])), service);
    assertEnded(own);
    // A machine that was made from an image of a container carries its mark, and is taken for one.
    const isMarked = existsSync('/.dockerenv') || existsSync('/run/.containerenv');
    assertScope(own, { scope: isMarked ? 'container' : 'host' });
  });
});
