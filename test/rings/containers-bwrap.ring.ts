import assert from 'node:assert/strict';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import {
  agentCommand,
  coresUsed,
  inCgroup,
  loadCommand,
  type Measured,
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
} from '../support/lab/assert.ts';
import { CGROUPS, type Cgroup } from '../support/lab/cgroup.ts';
import { closeLab, type Lab, labLacks, openLab } from '../support/lab/lab.ts';

const SECONDS = 5;
/** This machine's files in namespaces of its own. */
const SANDBOX = [
  ...['bwrap', '--ro-bind', '/', '/', '--dev', '/dev', '--proc', '/proc'],
  ...['--unshare-pid', '--die-with-parent'],
];

describe('bubblewrap in a cgroup whose parent has the limits', { skip: labLacks('bwrap') }, () => {
  let lab: Lab;

  before(async () => {
    lab = await openLab();
  });
  after(closeLab);

  /** Parent: half a core and 200 MiB. Child: nothing of its own. */
  function makeChild(name: string): Cgroup {
    return lab.cgroup.child(name).make({ cores: 0.5, memoryMiB: 200 }).child('in').make();
  }

  function run(
    cgroup: Cgroup,
    flags: readonly string[],
    { truth = cgroup, metrics = 'all' } = {},
  ): Promise<Measured> {
    const agent = agentCommand(lab, SECONDS, ['--metrics', metrics]);
    const command = loadCommand(lab, { spin: 1, pinMiB: 50 }, agent);
    return measure(inCgroup(cgroup, [...SANDBOX, ...flags, ...command]), truth);
  }

  test('the parent’s limits are found, and its throttling', async () => {
    const child = makeChild('seen');
    const seen = await run(child, [], { truth: lab.cgroup.child('seen') });
    assertEnded(seen);
    assertWithin(coresUsed(seen), [0.48, 0.52], 'cores, by the kernel', seen);
    const limits = { 'cpu.limit': '0.5', 'mem.limit': '200MiB' };
    assertScope(seen, { scope: 'container', source: 'cgroup', ...limits });
    assertWithin(seen.metrics['CPUUtilization'], [97, 100], 'CPUUtilization', seen);
    assertCpuTruth(seen, 0.5);
    assertMemoryTruth(seen, 200);
    assertThrottled(seen);
    assert.match(
      child.read('cpu.stat'),
      /^nr_throttled 0$/m,
      'the child itself is never throttled',
    );
  });

  test('the container’s own folder mounted over the hierarchy, as by Docker: the quota above cannot be seen, the memory limit can', async () => {
    const child = makeChild('over');
    const mounts = child.dirs.flatMap((dir) => {
      return ['--ro-bind', dir, dir.slice(0, -child.path.length)];
    });
    const over = await run(child, ['--tmpfs', CGROUPS, ...mounts]);
    assertScope(over, { scope: 'container', source: 'cgroup', 'mem.limit': '200MiB' });
    assertMemoryTruth(over, 200);
    assertCpuTruth(over, cpus().length);
    assertAbsent(over, ['CPUThrottled']);
  });

  const unreachable: [what: string, flags: readonly string[]][] = [
    ['a cgroup namespace whose mounts begin above it', ['--unshare-cgroup']],
    ['no cgroup file system at all', ['--tmpfs', join(CGROUPS, '..')]],
  ];
  for (const [what, flags] of unreachable) {
    test(`${what}: the right number, or the host’s with a warning`, async () => {
      const child = makeChild(flags.join('').replaceAll(/\W/g, ''));
      const hidden = await run(child, flags, { metrics: 'default' });
      assertEnded(hidden);
      if (hidden.scope['scope'] === 'container') assertCpuTruth(hidden, 0.5);
      else {
        assertScope(hidden, { scope: 'host' });
        assert.match(
          hidden.warnings.join('\n'),
          /\bhost\b/,
          'its numbers must not come in silence',
        );
      }
    });
  }
});
