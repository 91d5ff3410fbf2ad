import assert from 'node:assert/strict';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { SelectOptions } from '../../src/sources/select.ts';
import { type WatchedSource, watchSource } from '../../src/sources/watch.ts';
import { MEBIBYTE, makePod, type Pod } from '../support/pod.ts';
import { type Sample, sampleAt, selectOptions } from '../support/sources.ts';

const GROUP = 'sys/fs/cgroup';
const GIBIBYTE = 1024 * MEBIBYTE;

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

type Over = Partial<Omit<SelectOptions, 'clock'>>;

/** A second of half a core and 64 MiB in a container; `change` takes away what is not needed. */
async function measure(
  limits: { readonly cores?: number; readonly limitBytes?: number },
  change: () => void,
  over: Over = {},
): Promise<Sample> {
  const lay = (second: number): void => {
    pod.own({ usageUsec: 1_000_000 + 500_000 * second, bytes: 64 * MEBIBYTE, ...limits });
    change();
  };
  lay(0);
  source = await watchSource(selectOptions(pod, over));
  sampleAt(source, 0);
  lay(1);
  return sampleAt(source, 1000);
}

describe('each figure asks only for what it divides:', () => {
  const LIMITED = { cores: 1, limitBytes: 256 * MEBIBYTE };
  const lacks: readonly [what: string, take: () => void][] = [
    ['/proc/meminfo', () => pod.gone('proc/meminfo')],
    ['a /proc/meminfo that is not masked', () => pod.write({ 'proc/meminfo': '' })],
    ['a MemTotal above 0', () => pod.write({ 'proc/meminfo': 'MemTotal: 0 kB\nMemFree: 0 kB\n' })],
    ['/proc/stat', () => pod.gone('proc/stat')],
    ['a list of CPUs', () => pod.gone('sys/devices', 'proc/stat')],
    [
      'all of /proc but the own process (subset=pid)',
      () => pod.gone('proc/meminfo', 'proc/stat', 'sys/devices'),
    ],
    ['a cpuset', () => pod.gone(`${GROUP}/cpuset.cpus.effective`)],
  ];
  for (const [what, take] of lacks) {
    test(`a container with limits needs no ${what.replace(/^an? /, '')}`, async () => {
      const { cpu, memory, memoryLimit } = await measure(LIMITED, take);
      assert.deepEqual([cpu, memory, memoryLimit], [50, 25, 256 * MEBIBYTE]);
      assert.match(source?.describe() ?? '', /^scope=container .*cpu\.limit=1 .*mem\.limit=256MiB/);
    });
  }

  test('without a quota, CPUs are counted in /proc/stat where no list names them', async () => {
    const { cpu } = await measure({}, () => {
      pod.gone('sys/devices');
      pod.write({ 'proc/stat': 'cpu  1 0 0 1\ncpu0 1 0 0 1\ncpu1 1 0 0 1\nintr 5\n' });
    });
    assert.equal(cpu, 25);
  });

  test('without a quota and any number of CPUs there are cores, and a reason for no share', async () => {
    const take = (): void => pod.gone('sys/devices', 'proc/stat');
    const { cpu, cpuCores, memory } = await measure({ limitBytes: 256 * MEBIBYTE }, take);
    assert.deepEqual([cpu, cpuCores, memory], [undefined, 0.5, 25]);
    assert.match(
      source?.absent.get('cpu') ?? '',
      /no CPU limit is seen, and nothing says how many/,
    );
    assert.match(source?.describe() ?? '', /cpu\.limit=unknown .*online=unknown/);
  });

  test('without a limit and a MemTotal there are bytes, and a reason for no share', async () => {
    const take = (): void => pod.gone('proc/meminfo');
    const { cpu, memory, memoryUsed } = await measure({ cores: 1 }, take);
    assert.deepEqual([cpu, memory, memoryUsed], [50, undefined, 64 * MEBIBYTE]);
    assert.match(source?.absent.get('memory') ?? '', /no memory limit is seen/);
    assert.match(source?.describe() ?? '', /mem\.limit=unknown/);
  });

  test('a limit of MemTotal’s size or more is none', async () => {
    const { memoryLimit } = await measure({ limitBytes: 2 ** 62 }, () => undefined);
    assert.equal(memoryLimit, 2 * GIBIBYTE);
  });

  test('version 1’s huge number is no limit where there is no MemTotal, either', async () => {
    const take = (): void => pod.gone('proc/meminfo');
    const { memory, memoryUsed } = await measure({ limitBytes: 2 ** 63 - 4096 }, take);
    assert.deepEqual([memory, memoryUsed], [undefined, 64 * MEBIBYTE]);
  });

  for (const memoryMode of ['workingset', 'free-cache', 'usage'] as const) {
    test(`without memory.stat ${memoryMode} is usage itself, and described so`, async () => {
      const take = (): void => pod.gone(`${GROUP}/memory.stat`);
      const { memory } = await measure(LIMITED, take, { memoryMode });
      assert.equal(memory, 25);
      const words = memoryMode === 'usage' ? 'usage' : `${memoryMode} \\(page cache included\\)`;
      assert.match(source?.describe() ?? '', new RegExp(`mem\\.mode=${words}`));
      assert.ok(source?.absent.has('held memory'));
    });
  }

  test('memory.stat that appears later counts from the next scan on', async () => {
    const take = (): void => pod.gone(`${GROUP}/memory.stat`);
    assert.equal((await measure(LIMITED, take)).memory, 25);
    pod.own({ usageUsec: 6_000_000, bytes: 64 * MEBIBYTE, inactive: 32 * MEBIBYTE, ...LIMITED });
    assert.equal(source === undefined ? 0 : sampleAt(source, 11_000).memory, 12.5);
  });

  test('a machine without MemAvailable, CPU list and zoneinfo has both figures', async () => {
    pod.gone('sys/devices');
    const stat = (user: number): void =>
      pod.write({ 'proc/stat': `cpu  ${user} 0 0 100 0 0 0 0\n` });
    pod.write({ 'proc/meminfo': 'MemTotal: 1000 kB\nMemFree: 250 kB\n' });
    source = await watchSource(selectOptions(pod, { scope: 'host' }));
    stat(100);
    sampleAt(source, 0);
    stat(150);
    const { cpu, memory } = sampleAt(source, 1000);
    assert.deepEqual([cpu, memory], [100, 75]);
  });
});

describe('describing a source never throws', () => {
  /** All files and folders below the root, the deepest first. */
  function allBelow(path: string): string[] {
    return readdirSync(join(pod.path, path)).flatMap((name) => {
      const inner = join(path, name);
      const isFolder = statSync(join(pod.path, inner), { throwIfNoEntry: false })?.isDirectory();
      return isFolder === true ? [...allBelow(inner), inner] : [inner];
    });
  }

  const scopes: readonly [what: string, lay: () => void, scope: SelectOptions['scope']][] = [
    ['a container', () => pod.own({ cores: 1, limitBytes: GIBIBYTE }), 'container'],
    ['a machine', () => undefined, 'host'],
    ['a group by its path', () => pod.group(`${GROUP}/jobs`, { cores: 1 }), { cgroup: '/jobs' }],
    [
      'a pod',
      () => {
        pod.own({});
        for (const [pid, name] of [
          ['self', 'agent'],
          [7, 'agent'],
          [20, 'app'],
        ] as const) {
          pod.container(name, { cores: 1, limitBytes: GIBIBYTE });
          pod.process(pid, name === 'app' ? '/../app' : '/', { in: name });
        }
      },
      'task',
    ],
  ];
  for (const [what, lay, scope] of scopes) {
    for (const fault of ['missing', 'empty', 'odd'] as const) {
      test(`of ${what}, whatever is ${fault}, nor does measuring`, async () => {
        lay();
        const options = selectOptions(pod, { scope });
        source = await watchSource(options);
        sampleAt(source, 0);
        let nowMs = 0;
        for (const path of allBelow('')) {
          if (statSync(join(pod.path, path), { throwIfNoEntry: false })?.isFile() !== true)
            continue;
          if (fault === 'missing') pod.gone(path);
          else pod.write({ [path]: fault === 'empty' ? '' : '\u00ff odd: -1 x\n' });
          // What is kept open would still have the old text.
          options.fs.close();
          nowMs += 10_001;
          assert.ok(source.describe().startsWith('scope='), path);
          sampleAt(source, nowMs);
        }
        assert.ok(source.absent.size > 0);
      });
    }
  }
});

describe('a limit that nobody inside can see', () => {
  test('is said by --cpu-limit and --memory-limit, and described so', async () => {
    const said = { saidCores: 0.625, saidBytes: 128 * MEBIBYTE };
    const { cpu, memory, memoryLimit } = await measure({}, () => undefined, said);
    assert.deepEqual([cpu, memory, memoryLimit], [80, 50, 128 * MEBIBYTE]);
    assert.match(
      source?.describe() ?? '',
      /cpu\.limit=0\.625 \(--cpu-limit\) .*mem\.limit=128MiB \(--memory-limit\)/,
    );
  });

  const rows: readonly [
    what: string,
    limits: { readonly cores?: number; readonly limitBytes?: number },
    said: Over,
    expected: readonly number[],
  ][] = [
    [
      'what is seen where it is tighter',
      { cores: 1, limitBytes: 256 * MEBIBYTE },
      { saidCores: 2, saidBytes: GIBIBYTE },
      [50, 25],
    ],
    [
      'what is said where it is tighter',
      { cores: 2, limitBytes: GIBIBYTE },
      { saidCores: 1, saidBytes: 256 * MEBIBYTE },
      [50, 25],
    ],
    ['each by itself', { cores: 1 }, { saidCores: 2, saidBytes: 256 * MEBIBYTE }, [50, 25]],
    [
      'the machine where more is said than it has',
      {},
      { saidCores: 64, saidBytes: 999 * GIBIBYTE },
      [12.5, 3.125],
    ],
    ['all CPUs with --cpu-base host', {}, { saidCores: 1, cpuBase: 'host' }, [12.5, 3.125]],
  ];
  for (const [what, limits, said, expected] of rows) {
    test(`beside others: ${what}`, async () => {
      const { cpu, memory } = await measure(limits, () => undefined, said);
      assert.deepEqual([cpu, memory], expected);
    });
  }

  test('serves where nothing else says what there is', async () => {
    const take = (): void => pod.gone('proc/meminfo', 'proc/stat', 'sys/devices');
    const said = { saidCores: 1, saidBytes: 256 * MEBIBYTE };
    const { cpu, memory } = await measure({}, take, said);
    assert.deepEqual([cpu, memory], [50, 25]);
  });
});

describe('memory that is held', () => {
  const CACHED = 600 * MEBIBYTE;

  test('of version 2 is what cannot be given back, whatever the page cache', async () => {
    const stat = (cache: number): void =>
      pod.write({
        [`${GROUP}/memory.current`]: `${256 * MEBIBYTE + cache}\n`,
        [`${GROUP}/memory.stat`]: [
          `anon ${100 * MEBIBYTE}`,
          `file ${cache + 20 * MEBIBYTE}`,
          `kernel_stack ${MEBIBYTE}`,
          `pagetables ${2 * MEBIBYTE}`,
          `sock ${3 * MEBIBYTE}`,
          `shmem ${20 * MEBIBYTE}`,
          'inactive_anon 5',
          `active_file ${cache}`,
          'inactive_file 0',
          `slab_reclaimable ${50 * MEBIBYTE}`,
          `slab_unreclaimable ${2 * MEBIBYTE}`,
          `slab ${52 * MEBIBYTE}`,
          '',
        ].join('\n'),
      });
    const limits = { limitBytes: GIBIBYTE };
    const before = await measure(limits, () => stat(0));
    assert.deepEqual([before.memoryHeld, before.memoryHeldShare], [128 * MEBIBYTE, 12.5]);
    assert.ok(source !== undefined);
    stat(CACHED);
    const after = sampleAt(source, 2000);
    // The file was read often: the working set has it, and what is held has not.
    assert.deepEqual(
      [after.memoryHeld, after.memoryUsed],
      [128 * MEBIBYTE, 256 * MEBIBYTE + CACHED],
    );
  });

  test('of version 1 is rss, shared memory and the kernel’s own where it is counted', async () => {
    pod.write({
      'proc/self/cgroup': '2:cpu,cpuacct:/docker/01\n1:memory:/docker/01\n',
      'proc/self/mountinfo': ['cpu,cpuacct', 'memory']
        .map((name) => `9 8 0:27 /docker/01 /${GROUP}/${name} ro - cgroup cgroup rw,${name}\n`)
        .join(''),
      [`${GROUP}/cpu,cpuacct/cpuacct.usage`]: '1\n',
      [`${GROUP}/memory/memory.usage_in_bytes`]: `${256 * MEBIBYTE}\n`,
      [`${GROUP}/memory/memory.limit_in_bytes`]: `${512 * MEBIBYTE}\n`,
      [`${GROUP}/memory/memory.stat`]: [
        'cache 1',
        'rss 2',
        'shmem 3',
        `total_cache ${200 * MEBIBYTE}`,
        `total_rss ${40 * MEBIBYTE}`,
        `total_shmem ${20 * MEBIBYTE}`,
        'total_inactive_file 0',
        '',
      ].join('\n'),
    });
    source = await watchSource(selectOptions(pod));
    assert.equal(sampleAt(source, 0).memoryHeld, 60 * MEBIBYTE);
    pod.write({ [`${GROUP}/memory/memory.kmem.usage_in_bytes`]: `${4 * MEBIBYTE}\n` });
    const { memoryHeld, memoryHeldShare } = sampleAt(source, 60_000);
    assert.deepEqual([memoryHeld, memoryHeldShare], [64 * MEBIBYTE, 12.5]);
  });

  test('of a machine is the total less what is free and what can be had back', async () => {
    pod.write({
      'proc/meminfo': [
        'MemTotal: 1000 kB',
        'MemFree: 300 kB',
        'MemAvailable: 500 kB',
        'Buffers: 50 kB',
        'Cached: 250 kB',
        'Shmem: 60 kB',
        'SReclaimable: 40 kB',
        'SUnreclaim: 30 kB',
        '',
      ].join('\n'),
    });
    source = await watchSource(selectOptions(pod, { scope: 'host' }));
    const { memoryHeld, memoryHeldShare, memory } = sampleAt(source, 0);
    assert.deepEqual([memoryHeld, memoryHeldShare, memory], [420 * 1024, 42, 50]);
  });

  test('is not read where it is not wanted', async () => {
    pod.own({ limitBytes: GIBIBYTE });
    source = await watchSource(selectOptions(pod, { wanted: new Set(['cpu', 'memory'] as const) }));
    assert.deepEqual(Object.keys(sampleAt(source, 0)), ['memory', 'memoryUsed', 'memoryLimit']);
    assert.deepEqual([...source.absent], []);
  });
});
