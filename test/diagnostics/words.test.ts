import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { wordsOf } from '../../src/diagnostics/words.ts';

describe('what a source says of itself, in words', () => {
  const cases: [description: string, scope: string, source: string, cpuLimit: string][] = [
    [
      'scope=host source=host cpu=/proc/stat mem=/proc/meminfo mem.mode=workingset',
      'this host',
      '/proc/stat and /proc/meminfo, memory: working set',
      '',
    ],
    ['scope=host source=macos cpu=os.cpus mem=vm_stat', 'this host', 'os.cpus and vm_stat', ''],
    [
      'scope=container source=cgroup cgroup=v2 cpu.limit=0.5 (quota of /sys/fs/cgroup) cpu.dir=/sys/fs/cgroup mem.limit=512MiB (limit of /sys/fs/cgroup) mem.mode=workingset mem.dir=/sys/fs/cgroup online=4',
      'this container',
      'cgroup v2, memory: working set, in /sys/fs/cgroup',
      '0.5 CPU',
    ],
    [
      'scope=container source=cgroup cgroup=v1 cpu.limit=2 (--cpu-limit) cpu.dir=/c/cpu mem.limit=unknown mem.mode=usage (page cache included) mem.dir=/c/memory online=4',
      'this container',
      'cgroup v1, limits by --cpu-limit, memory: usage (page cache included), in /c/cpu and /c/memory',
      '2 CPU',
    ],
    [
      'scope=container source=cgroup cgroup=v1 cpu=none (no folder counts CPU time) mem.limit=256MiB (limit of /c) mem.mode=workingset mem.dir=/c online=4',
      'this container',
      'cgroup v1, memory: working set, in /c',
      '',
    ],
    [
      'scope=task source=task-metadata cpu.limit=unknown mem.limit=512MiB (task metadata) mem.mode=workingset launch=FARGATE every=2s containers=3',
      'this task, all its containers',
      'task metadata of 3 containers, limits by task metadata, memory: working set',
      '',
    ],
    [
      'scope=task source=siblings containers=2 hidden=1 cpu.limit=1 (task metadata) mem.limit=1024MiB (task metadata) mem.mode=workingset online=2',
      'this task, all its containers',
      'cgroups of 2 containers, 1 hidden, limits by task metadata, memory: working set',
      '1 CPU',
    ],
    [
      'scope=cgroup:/a b source=cgroup cgroup=v2 cpu.limit=unknown cpu.dir=/x mem.limit=unknown mem.mode=workingset mem.dir=/x online=2',
      'the cgroup:/a b',
      'cgroup v2, memory: working set, in /x',
      '',
    ],
    [
      'scope=none: task metadata does not answer yet',
      'nothing yet',
      'task metadata does not answer yet',
      '',
    ],
  ];
  for (const [description, scope, source, cpuLimit] of cases) {
    test(source, () => {
      const hasMemoryLimit = description.includes('MiB');
      assert.deepEqual(wordsOf(description), { scope, source, cpuLimit, hasMemoryLimit });
    });
  }
});
