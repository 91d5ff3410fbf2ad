import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { PLACES } from '../../src/metrics/figures.ts';
import { type WatchedSource, watchSource } from '../../src/sources/watch.ts';
import { MEBIBYTE, makePod, type Pod } from '../support/pod.ts';
import { sampleAt, selectOptions } from '../support/sources.ts';

const GROUP = 'sys/fs/cgroup';
const OWN = { environment: {}, pid: 7 };

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

async function open(over: Parameters<typeof selectOptions>[1] = {}): Promise<WatchedSource> {
  source = await watchSource(selectOptions(pod, over));
  return source;
}

/** The first line of /proc/stat; one CPU second is 100 ticks. */
function stat(ticks: Readonly<Record<'user' | 'idle' | 'steal', number>>): void {
  pod.write({ 'proc/stat': `cpu  ${ticks.user} 0 0 ${ticks.idle} 0 0 0 ${ticks.steal} 0 0\n` });
}

describe('more ticks than time are no figure:', () => {
  const jumps: readonly [what: string, grown: Parameters<typeof stat>[0]][] = [
    ['steal that jumps', { user: 2, idle: 98, steal: 200_000_000 }],
    ['user time that jumps', { user: 100_000, idle: 98, steal: 0 }],
    ['idle time that jumps', { user: 2, idle: 1_000_000, steal: 0 }],
  ];
  for (const [what, grown] of jumps) {
    test(`${what} is absent, with a reason`, async () => {
      stat({ user: 1000, idle: 1000, steal: 1000 });
      const opened = await open({ scope: 'host' });
      sampleAt(opened, 0);
      stat({ user: 1000 + grown.user, idle: 1000 + grown.idle, steal: 1000 + grown.steal });
      const figures = new Float64Array(64).fill(Number.NaN);
      assert.equal(opened.measure(1000, figures), true);
      const { cpu, cpuSteal } = PLACES;
      assert.deepEqual([figures[cpu], figures[cpuSteal]], [Number.NaN, Number.NaN]);
      assert.match(
        opened.absent.get('cpu') ?? '',
        /ticks within 1000 ms on 4 CPUs, which cannot be/,
      );
      const later = (user: number, idle: number): void =>
        stat({
          user: 1000 + grown.user + user,
          idle: 1000 + grown.idle + idle,
          steal: 1000 + grown.steal,
        });
      later(100, 300);
      sampleAt(opened, 2000);
      later(200, 600);
      assert.equal(sampleAt(opened, 3000).cpu, 25);
      assert.ok(!opened.absent.has('cpu'));
    });
  }

  test('what clocks explain is one: a tick that came late', async () => {
    stat({ user: 1000, idle: 1000, steal: 0 });
    const opened = await open({ scope: 'host' });
    sampleAt(opened, 0);
    stat({ user: 1420, idle: 1000, steal: 0 });
    assert.equal(sampleAt(opened, 1000).cpu, 100);
  });

  test('a /proc/stat that stands still (gVisor) says that CPU is missing', async () => {
    stat({ user: 0, idle: 0, steal: 0 });
    const opened = await open({ scope: 'host' });
    sampleAt(opened, 0);
    const { cpu, memory } = sampleAt(opened, 1000);
    assert.deepEqual([cpu, memory], [undefined, 25]);
    assert.match(opened.absent.get('cpu') ?? '', /\/proc\/stat stands still/);
  });

  test('counters that run backwards are no negative figure', async () => {
    stat({ user: 1000, idle: 1000, steal: 1000 });
    const opened = await open({ scope: 'host' });
    sampleAt(opened, 0);
    stat({ user: 900, idle: 1300, steal: 900 });
    const { cpu, cpuSteal } = sampleAt(opened, 1000);
    assert.deepEqual([cpu, cpuSteal], [0, 0]);
  });
});

describe('a wrapped number of /proc/meminfo', () => {
  const WRAPPED = 18_446_744_073_709_547_520n;
  const MODES = ['workingset', 'usage', 'free-cache'] as const;
  for (const memoryMode of MODES) {
    test(`as MemFree is no 0 % of ${memoryMode}`, async () => {
      pod.write({
        'proc/meminfo': `MemTotal: 2097152 kB\nMemFree: ${WRAPPED} kB\nMemAvailable: ${WRAPPED} kB\nBuffers: 0 kB\nCached: 12016 kB\n`,
      });
      const opened = await open({ scope: 'host', memoryMode });
      assert.equal(sampleAt(opened, 0).memory, undefined);
      assert.match(opened.absent.get('memory') ?? '', /MemFree is above MemTotal, which cannot be/);
      assert.ok(opened.absent.has('held memory'));
    });
  }

  test('as MemAvailable alone is estimated from the others', async () => {
    pod.write({
      'proc/meminfo': `MemTotal: 1000 kB\nMemFree: 100 kB\nMemAvailable: ${WRAPPED} kB\nCached: 150 kB\n`,
    });
    assert.equal(sampleAt(await open({ scope: 'host' }), 0).memory, 75);
  });

  test('as SwapFree is no 0 %', async () => {
    const swap = (free: bigint): string => `SwapTotal: 1000 kB\nSwapFree: ${free} kB\n`;
    pod.write({ 'proc/meminfo': `MemTotal: 1000 kB\nMemFree: 100 kB\n${swap(WRAPPED)}` });
    const opened = await open({ scope: 'host' });
    assert.equal(sampleAt(opened, 0).swap, undefined);
    assert.match(opened.absent.get('swap') ?? '', /SwapFree is above SwapTotal/);
    pod.write({ 'proc/meminfo': `MemTotal: 1000 kB\nMemFree: 100 kB\n${swap(750n)}` });
    assert.equal(sampleAt(opened, 60_000).swap, 25);
  });
});

describe('a container that', () => {
  /** CPU within a second of a container with a quota of one core, on four CPUs. */
  async function cpuOf(usageUsec: number, spanMs = 1000): Promise<number | undefined> {
    pod.own({ usageUsec: 1_000_000, cores: 1 });
    const opened = await open({ own: OWN });
    sampleAt(opened, 0);
    pod.own({ usageUsec: 1_000_000 + usageUsec, cores: 1 });
    return sampleAt(opened, spanMs).cpu;
  }

  test('has used a little more than its quota is full: that is its refills', async () => {
    assert.equal(await cpuOf(1_040_000), 100);
    assert.deepEqual([...(source?.absent.keys() ?? [])].includes('cpu'), false);
  });

  test('has used a refill more within a short span is full', async () => {
    assert.equal(await cpuOf(190_000, 100), 100);
  });

  test('has used far more than its quota has no figure', async () => {
    assert.equal(await cpuOf(2_000_000), undefined);
    assert.match(source?.absent.get('cpu') ?? '', /2 cores were in use of 1, which cannot be/);
  });

  test('has used more than all CPUs has no figure', async () => {
    assert.equal(await cpuOf(50_000_000), undefined);
    assert.match(source?.absent.get('cpu') ?? '', /grew by 50 cores on 4 CPUs, which cannot be/);
  });

  test('has had its quota raised has a figure of the new one', async () => {
    pod.own({ usageUsec: 1_000_000, cores: 1 });
    const opened = await open({ own: OWN });
    sampleAt(opened, 0);
    pod.own({ usageUsec: 3_000_000, cores: 4 });
    assert.equal(sampleAt(opened, 1000).cpu, 50);
  });

  test('counts no CPU time at all, though this process runs there, has no 0 %', async () => {
    pod.own({ usageUsec: 0, cores: 1 });
    const opened = await open({ own: OWN });
    sampleAt(opened, 0);
    const { cpu, memory } = sampleAt(opened, 1000);
    assert.deepEqual([cpu, memory !== undefined], [undefined, true]);
    assert.match(opened.absent.get('cpu') ?? '', /cpu\.stat stands at 0, though this process runs/);
  });

  test('has just been made, and is another’s, may have used nothing', async () => {
    pod.group(`${GROUP}/jobs/1`, { usageUsec: 0 });
    const opened = await open({ scope: { cgroup: '/jobs/1' }, own: OWN });
    sampleAt(opened, 0);
    assert.equal(sampleAt(opened, 1000).cpu, 0);
  });

  const memories: readonly [what: string, mebibytes: number, expected: number | undefined][] = [
    ['uses as much as its limit', 100, 100],
    ['uses a few percent more than its limit: two instants', 104, 100],
    ['uses far more than its limit', 150, undefined],
  ];
  for (const [what, mebibytes, expected] of memories) {
    test(`${what} has ${expected ?? 'no'} % of memory`, async () => {
      pod.own({ bytes: mebibytes * MEBIBYTE, limitBytes: 100 * MEBIBYTE });
      const { memory, memoryUsed } = sampleAt(await open(), 0);
      assert.equal(memory, expected);
      if (expected !== undefined) return;
      assert.equal(memoryUsed, undefined);
      assert.match(
        source?.absent.get('memory') ?? '',
        /is 150 % of what there is, which cannot be/,
      );
    });
  }

  test('has had its limit of memory raised has a figure of the new one', async () => {
    pod.own({ bytes: 50 * MEBIBYTE, limitBytes: 100 * MEBIBYTE });
    const opened = await open();
    sampleAt(opened, 0);
    pod.own({ bytes: 150 * MEBIBYTE, limitBytes: 200 * MEBIBYTE });
    assert.equal(sampleAt(opened, 1000).memory, 75);
  });

  test('has waited for longer than the time that has passed has no pressure', async () => {
    pod.own({});
    const some = (total: number): void =>
      pod.write({
        [`${GROUP}/cpu.pressure`]: `some avg10=0.00 avg60=0.00 avg300=0.00 total=${total}\n`,
      });
    some(1000);
    const opened = await open();
    sampleAt(opened, 0);
    some(5_001_000);
    assert.equal(sampleAt(opened, 1000).cpuPressure, undefined);
    assert.match(opened.absent.get('CPU pressure') ?? '', /which cannot be/);
  });

  test('has more swap in use than there is has no figure of it', async () => {
    pod.own({});
    pod.write({ [`${GROUP}/memory.swap.current`]: '900\n', [`${GROUP}/memory.swap.max`]: '100\n' });
    const opened = await open();
    assert.equal(sampleAt(opened, 0).swap, undefined);
    assert.match(opened.absent.get('swap') ?? '', /which cannot be/);
  });
});

describe('counters above 2^53', () => {
  const BASE = 9_007_199_254_740_993n;

  /** A container of version 1, whose counter is in nanoseconds. */
  function legacy(nanoseconds: bigint): void {
    pod.write({
      'proc/self/cgroup': '2:cpu,cpuacct:/docker/01\n1:memory:/docker/01\n',
      'proc/self/mountinfo': ['cpu,cpuacct', 'memory']
        .map((name) => `9 8 0:27 /docker/01 /${GROUP}/${name} ro - cgroup cgroup rw,${name}\n`)
        .join(''),
      [`${GROUP}/cpu,cpuacct/cpuacct.usage`]: `${nanoseconds}\n`,
      [`${GROUP}/memory/memory.usage_in_bytes`]: '1\n',
    });
  }

  const spans: readonly [what: string, before: bigint, grown: bigint, cores: number][] = [
    ['lose no nanosecond', BASE, 3n, 3e-9],
    ['count on where 15 digits come round', 9_999_999_999_999_999n, 500_000_000n, 0.5],
    ['of 20 digits count as well', 18_446_744_073_000_000_000n, 250_000_001n, 0.250000001],
  ];
  for (const [what, before, grown, cores] of spans) {
    test(what, async () => {
      legacy(before);
      const opened = await open();
      sampleAt(opened, 0);
      legacy(before + grown);
      assert.equal(sampleAt(opened, 1000).cpuCores, cores);
    });
  }

  test('of version 2 are of microseconds', async () => {
    pod.own({ usageUsec: 999_999_900_000 });
    const opened = await open();
    sampleAt(opened, 0);
    pod.own({ usageUsec: 1_000_000_400_000 });
    assert.equal(sampleAt(opened, 1000).cpuCores, 0.5);
  });
});

test('a pod that used more than all CPUs has no figure, not even of cores', async () => {
  pod.own({});
  for (const name of ['agent', 'app']) pod.container(name, { usageUsec: 1 });
  pod.process('self', '/', { in: 'agent' });
  pod.process(7, '/', { in: 'agent' });
  pod.process(20, '/../app', { in: 'app' });
  const opened = await open();
  sampleAt(opened, 0);
  pod.container('app', { usageUsec: 90_000_000 });
  const { cpu, cpuCores } = sampleAt(opened, 1000);
  assert.deepEqual([cpu, cpuCores], [undefined, undefined]);
  assert.match(opened.absent.get('cpu') ?? '', /on 4 CPUs, which cannot be/);
});
