import { after, before, describe, test } from 'node:test';
import { agentCommand, coresUsed, loadCommand, measure } from '../support/lab/agent.ts';
import {
  assertCpuTruth,
  assertEnded,
  assertMemoryTruth,
  assertScope,
  assertThrottled,
  assertWithin,
} from '../support/lab/assert.ts';
import { closeLab, type Lab, labLacks, openLab } from '../support/lab/lab.ts';
import { containerCommand } from '../support/lab/oci.ts';

/** crun refuses hybrid hosts, so it sees none: in mounts of its own there is only version 1. */
const WITHOUT_UNIFIED = [
  ...['unshare', '--mount', '--propagation', 'private', 'sh', '-c'],
  ...['umount /sys/fs/cgroup/unified 2>/dev/null; exec "$@"', 'crun'],
];

describe('crun on cgroup v1', { skip: labLacks('crun', 'unshare') }, () => {
  let lab: Lab;

  before(async () => {
    lab = await openLab();
  });
  after(closeLab);

  test('half a core, 256 MiB, saturated: full, throttled, the working set over the limit', async () => {
    const cgroup = lab.cgroup.child('half');
    const command = containerCommand(lab, 'crun', 'half', {
      cgroup,
      limits: { cores: 0.5, memoryMiB: 256 },
      cgroupNamespace: true,
      args: (inside) => {
        const agent = agentCommand(inside, 5, ['--metrics', 'all']);
        return loadCommand(inside, { spin: 1, pinMiB: 50 }, agent);
      },
    });
    const half = await measure([...WITHOUT_UNIFIED, ...command], cgroup);
    assertEnded(half);
    assertWithin(coresUsed(half), [0.48, 0.52], 'cores, by the kernel', half);
    assertScope(half, { scope: 'container', 'cpu.limit': '0.5', 'mem.limit': '256MiB' });
    assertWithin(half.metrics['CPUUtilization'], [97, 100], 'CPUUtilization', half);
    assertCpuTruth(half, 0.5);
    assertMemoryTruth(half, 256);
    assertThrottled(half);
  });
});
