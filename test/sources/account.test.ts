import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Account } from '../../src/sources/account.ts';
import type { Resolved } from '../../src/sources/cgroup/hierarchy.ts';
import { openRootFs } from '../../src/sources/rootfs.ts';
import { makeRoot } from '../support/root.ts';

const GROUP = '/sys/fs/cgroup/job';
const PAGE = 4096;
const NONE: Resolved = { unresolved: 'not here' };

test('the largest processes are the own group’s, whoever else is seen in a shared PID namespace', (t) => {
  const root = makeRoot();
  t.after(() => root.remove());
  const processes = [
    [7, 'agent', 900],
    [8, 'python', 500],
    [9, 'worker', 600],
    [10, 'stranger', 9000],
  ] as const;
  for (const [pid, name, pages] of processes) {
    root.write({
      [`/proc/${pid}/statm`]: `9999 ${pages} 100 1 0 1 0\n`,
      [`/proc/${pid}/comm`]: `${name}\n`,
    });
  }
  const memory: Resolved = { version: 2, folders: [GROUP], isMachine: false };
  const places = { cpu: NONE, cpuacct: NONE, cpuset: NONE, memory, blkio: NONE };
  const account = new Account(openRootFs(root.path), {
    ...places,
    isPartial: false,
    isOwnMounted: false,
    paths: [],
  });
  const names = (): readonly string[] => account.largest(7, () => false).map(({ name }) => name);
  // Without a list of its own, what can be seen.
  assert.deepEqual(names(), ['stranger', 'worker', 'python']);
  root.write({ [`${GROUP}/cgroup.procs`]: '7\n8\n9\n' });
  const own = account.largest(7, () => false);
  assert.deepEqual(own, [
    { name: 'worker', bytes: 500 * PAGE },
    { name: 'python', bytes: 400 * PAGE },
  ]);
});
