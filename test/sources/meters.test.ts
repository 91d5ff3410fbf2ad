import assert from 'node:assert/strict';
import { rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { NoDataError, ParseError } from '../../src/errors.ts';
import { createFigures, type Figures, PLACES, SERIES } from '../../src/metrics/figures.ts';
import type { Cgroups, ControllerPath } from '../../src/sources/cgroup/hierarchy.ts';
import type { ContainerOptions } from '../../src/sources/cgroup/options.ts';
import { openCgroupSource } from '../../src/sources/cgroup/source.ts';
import { AgentMeter } from '../../src/sources/common.ts';
import { openHostSource, TicksMeter } from '../../src/sources/host.ts';
import { Machine } from '../../src/sources/machine.ts';
import { meter, sourceOf } from '../../src/sources/meters.ts';
import type { SelfUsage, SourceOptions } from '../../src/sources/options.ts';
import { HOST_TROUBLE, troubleMeters } from '../../src/sources/pressure.ts';
import { openRootFs } from '../../src/sources/rootfs.ts';
import { openSiblingSource } from '../../src/sources/siblings.ts';
import type { Source } from '../../src/sources/source.ts';
import { measuredBy, rounded, type Told, toldBy } from '../support/figures.ts';
import { makeRoot, type Root } from '../support/root.ts';

const MIB = 1024 * 1024;
const NOTHING_USED: SelfUsage = { cpuUsec: 0, residentBytes: 0, anonymousBytes: 0 };

/** Everything wanted, nothing special. */
function optionsOf(over: Partial<SourceOptions> = {}): SourceOptions {
  return {
    memoryMode: 'workingset',
    cpuBase: 'limit',
    excludeSelf: false,
    wanted: new Set(SERIES),
    selfUsage: () => NOTHING_USED,
    ...over,
  };
}

type Files = Readonly<Record<string, string>>;

function rootOf(t: TestContext, files: Files): Root {
  const root = makeRoot(files);
  t.after(() => root.remove());
  return root;
}

/** What a source tells at an instant, of CPU and memory or of what else is named. */
function told(
  source: Pick<Source, 'measure'>,
  nowMs: number,
  only: readonly (typeof SERIES)[number][] = ['cpu', 'cpuCores', 'memory'],
): Told {
  const figures = createFigures();
  source.measure(nowMs, figures);
  return rounded(toldBy(figures, only));
}

const FIELDS = ['user', 'nice', 'system', 'idle', 'iowait', 'irq', 'softirq', 'steal'] as const;
type Ticks = Partial<Record<(typeof FIELDS)[number], number>>;

/** A line of /proc/stat in which each counter stands at `base`, and by so much above it. */
function stat(growth: Ticks = {}, base = 1000): Files {
  const counts = FIELDS.map((field) => base + (growth[field] ?? 0));
  return { 'proc/stat': `cpu  ${counts.join(' ')} 0 0\n` };
}

function each(growth: number): Ticks {
  return Object.fromEntries(FIELDS.map((field) => [field, growth]));
}

interface TicksRig {
  readonly meter: TicksMeter;
  readonly root: Root;
}

function ticksRig(
  t: TestContext,
  over: Partial<SourceOptions> = {},
  cores = Number.POSITIVE_INFINITY,
): TicksRig {
  const root = rootOf(t, { ...stat(), 'sys/devices/system/cpu/online': '0-3\n' });
  const fs = openRootFs(root.path);
  t.after(() => fs.close());
  return { root, meter: new TicksMeter(fs, new Machine(fs), optionsOf(over), () => cores) };
}

describe('the ticks of a machine', () => {
  const shares: [what: string, growth: Ticks, percent: number][] = [
    ['only idle', { idle: 90 }, 0],
    ['only user', { user: 90 }, 100],
    ['half user, half idle', { user: 45, idle: 45 }, 50],
    ['nice, which is busy', { nice: 30, idle: 60 }, 100 / 3],
    ['system, which is busy', { system: 30, idle: 60 }, 100 / 3],
    ['irq, which is busy', { irq: 30, idle: 60 }, 100 / 3],
    ['softirq, which is busy', { softirq: 30, idle: 60 }, 100 / 3],
    ['steal, which is busy', { steal: 30, idle: 60 }, 100 / 3],
    ['iowait, which is idle', { user: 30, iowait: 60 }, 100 / 3],
    ['only iowait', { iowait: 90 }, 0],
    ['only steal', { steal: 90 }, 100],
    ['one of each', each(1), 75],
    ['iowait that ran backwards, as no time', { user: 30, idle: 60, iowait: -500 }, 100 / 3],
    ['user that ran backwards, as no time', { user: -1, system: 30, idle: 60 }, 100 / 3],
    ['steal that ran backwards, as no time', { steal: -900, system: 30, idle: 60 }, 100 / 3],
  ];
  for (const [what, growth, percent] of shares) {
    test(`of ${what}, are ${percent.toFixed(1)} %`, (t) => {
      const { meter: ticks, root } = ticksRig(t);
      assert.deepEqual(measuredBy(ticks, 0), {}, 'a first reading is a baseline');
      root.write(stat(growth));
      const { cpu, cpuCores } = rounded(measuredBy(ticks, 900));
      const expected = rounded({ cpu: percent, cpuCores: percent / 25 });
      assert.deepEqual({ cpu, cpuCores }, expected);
    });
  }

  const absent: [what: string, growth: Ticks, reason: RegExp | undefined][] = [
    ['iowait backwards and nothing else', { iowait: -5 }, /stands still/],
    ['nothing at all (gVisor)', {}, /stands still/],
    ['idle backwards by one tick', { user: 90, idle: -1 }, undefined],
    ['idle backwards by a CPU that went', { user: 90, idle: -900 }, undefined],
    ['all backwards (another kernel)', each(-999), undefined],
    ['more than there can be', { user: 900 }, /grew by 900 ticks within 900 ms on 4 CPUs/],
    ['steal that ran wild', { steal: 2e8 }, /which cannot be/],
  ];
  for (const [what, growth, reason] of absent) {
    test(`of ${what}, are absent, and what follows counts again`, (t) => {
      const { meter: ticks, root } = ticksRig(t);
      measuredBy(ticks, 0);
      root.write(stat(growth));
      const measure = (): Told => measuredBy(ticks, 900);
      if (reason === undefined) assert.deepEqual(measure(), {});
      else assert.throws(measure, { name: 'NoDataError', message: reason });
      const later = { ...growth, user: (growth.user ?? 0) + 45, idle: (growth.idle ?? 0) + 45 };
      root.write(stat(later));
      assert.equal(measuredBy(ticks, 1800).cpu, 50);
    });
  }

  test('that stand still for a moment are nothing to speak of', (t) => {
    const { meter: ticks } = ticksRig(t);
    measuredBy(ticks, 0);
    assert.deepEqual(measuredBy(ticks, 50), {});
  });

  test('of a guest are inside user and do not count twice', (t) => {
    const { meter: ticks, root } = ticksRig(t);
    // 60 ticks of user, all of them guest, beside 40 idle: 60 %, not 75.
    root.write({ 'proc/stat': 'cpu  100 0 0 100 0 0 0 0 100 0\n' });
    measuredBy(ticks, 0);
    root.write({ 'proc/stat': 'cpu  160 0 0 140 0 0 0 0 160 0\n' });
    assert.equal(measuredBy(ticks, 900).cpu, 60);
  });

  test('past 2^53 still give a share', (t) => {
    const { meter: ticks, root } = ticksRig(t);
    root.write(stat({}, 2 ** 60));
    measuredBy(ticks, 0);
    root.write(stat({ user: 256, idle: 256 }, 2 ** 60));
    assert.equal(measuredBy(ticks, 9000).cpu, 50);
  });

  for (const [what, nowMs] of [
    ['no time has passed', 900],
    ['time has run backwards', 0],
  ] as const) {
    test(`are absent where ${what}`, (t) => {
      const { meter: ticks, root } = ticksRig(t);
      measuredBy(ticks, 900);
      root.write(stat({ user: 90 }));
      assert.deepEqual(measuredBy(ticks, nowMs), {});
    });
  }

  test('count from the first reading that succeeds', (t) => {
    const { meter: ticks, root } = ticksRig(t);
    root.write({ 'proc/stat': '' });
    assert.throws(() => measuredBy(ticks, 0), { name: 'NoDataError', message: /empty \(masked/ });
    root.write(stat({}));
    assert.deepEqual(measuredBy(ticks, 900), {});
    root.write(stat({ user: 45, idle: 45 }));
    assert.equal(measuredBy(ticks, 1800).cpu, 50);
  });

  test('count over a reading that failed, from the one before it', (t) => {
    const { meter: ticks, root } = ticksRig(t);
    measuredBy(ticks, 0);
    for (const text of ['', 'cpu  9999 9999 x 1\n', 'cpu0 1 2 3 4\n', '<html>']) {
      root.write({ 'proc/stat': text });
      assert.throws(() => measuredBy(ticks, 900), text === '' ? NoDataError : ParseError);
    }
    root.write(stat({ user: 180, idle: 540 }));
    assert.deepEqual(rounded(measuredBy(ticks, 1800)), { cpu: 25, cpuCores: 1, cpuSteal: 0 });
  });

  test('after more CPUs came are a baseline at once, then of so many', (t) => {
    const { meter: ticks, root } = ticksRig(t);
    measuredBy(ticks, 0);
    root.write({ ...stat({ user: 360, idle: 360 }), 'sys/devices/system/cpu/online': '0-7\n' });
    assert.deepEqual(measuredBy(ticks, 900), {});
    root.write(stat({ user: 720, idle: 720 }));
    assert.deepEqual(measuredBy(ticks, 1800), { cpu: 50, cpuCores: 4, cpuSteal: 0 });
  });

  test('after a CPU went are a baseline at once, then of so many', (t) => {
    const { meter: ticks, root } = ticksRig(t);
    measuredBy(ticks, 0);
    root.write({ ...stat({ idle: -200 }), 'sys/devices/system/cpu/online': '0,2\n' });
    assert.deepEqual(measuredBy(ticks, 900), {});
    root.write(stat({ user: 90, idle: -110 }));
    assert.deepEqual(measuredBy(ticks, 1800), { cpu: 50, cpuCores: 1, cpuSteal: 0 });
  });

  test('ask every ten seconds how many CPUs are online', (t) => {
    const { meter: ticks, root } = ticksRig(t);
    measuredBy(ticks, 0);
    root.write({ ...stat({ user: 45, idle: 45 }), 'sys/devices/system/cpu/online': '0-1\n' });
    assert.equal(measuredBy(ticks, 9900).cpuCores, 2);
    root.write(stat({ user: 90, idle: 90 }));
    assert.equal(measuredBy(ticks, 10_800).cpuCores, 1);
  });

  test('of CPUs that only /proc/stat lists are of so many; without a list there are no cores', (t) => {
    const { meter: ticks, root } = ticksRig(t);
    rmSync(join(root.path, 'sys'), { recursive: true });
    const lines = 'cpu0 1 2 3 4\ncpu3 1 2 3 4\n';
    root.write({ 'proc/stat': `${stat()['proc/stat']}${lines}` });
    measuredBy(ticks, 0);
    root.write({ 'proc/stat': `${stat({ user: 45, idle: 45 })['proc/stat']}${lines}` });
    assert.deepEqual(measuredBy(ticks, 900), { cpu: 50, cpuCores: 1, cpuSteal: 0 });
    root.write(stat({ user: 90, idle: 90 }));
    assert.deepEqual(measuredBy(ticks, 10_800), { cpu: 50, cpuSteal: 0 });
  });

  test('of a task’s machine count by the task’s cores', (t) => {
    const { meter: ticks, root } = ticksRig(t, {}, 2);
    measuredBy(ticks, 0);
    root.write(stat({ steal: 10, user: 15, idle: 75 }));
    assert.deepEqual(rounded(measuredBy(ticks, 900)), { cpu: 50, cpuCores: 1, cpuSteal: 10 });
  });

  test('are told without the agent’s own, where that is wanted', (t) => {
    let cpuUsec = 5_000_000;
    const selfUsage = (): SelfUsage => ({ ...NOTHING_USED, cpuUsec });
    const { meter: ticks, root } = ticksRig(t, { excludeSelf: true, selfUsage });
    measuredBy(ticks, 0);
    // 300 ms are 30 ticks.
    cpuUsec += 300_000;
    root.write(stat({ user: 60, idle: 30 }));
    assert.equal(measuredBy(ticks, 900).cpu, 50);
  });

  test('are 0 to 100 percent or absent, whatever the counters do', (t) => {
    const root = rootOf(t, { ...stat(), 'sys/devices/system/cpu/online': '0-3\n' });
    const fs = openRootFs(root.path);
    // 2^46 ticks are 22,000 years.
    const count = fc.oneof(fc.nat(1000), fc.nat({ max: 2 ** 46 }));
    const counts = fc.array(count, { minLength: 8, maxLength: 8 });
    fc.assert(
      fc.property(counts, counts, fc.integer({ min: 1, max: 10_000 }), (before, now, spanMs) => {
        const ticks = new TicksMeter(fs, new Machine(fs), optionsOf());
        root.write({ 'proc/stat': `cpu  ${before.join(' ')}\n` });
        measuredBy(ticks, 0);
        root.write({ 'proc/stat': `cpu  ${now.join(' ')}\n` });
        try {
          const { cpu } = measuredBy(ticks, spanMs);
          assert.ok(cpu === undefined || (cpu >= 0 && cpu <= 100), String(cpu));
        } catch (error) {
          if (!(error instanceof NoDataError)) throw error;
        }
      }),
      { numRuns: 300 },
    );
    fs.close();
  });
});

describe('the memory of a machine', () => {
  const ZONES = 'Node 0, zone  DMA\n        low      0\nNode 0, zone  Normal\n        low      1\n';
  // 100 - 4 + (60 - 4) + (20 - 4), in KiB
  const ESTIMATED = 1000 - 168;
  const OLD =
    'MemTotal: 1000 kB\nMemFree: 100 kB\nActive(file): 40 kB\nInactive(file): 20 kB\nSReclaimable: 20 kB\n';
  const rows: [what: string, meminfo: string, usedKib: number][] = [
    ['MemAvailable', 'MemTotal: 1000 kB\nMemFree: 20 kB\nMemAvailable: 400 kB\n', 600],
    ['MemAvailable that is the total', 'MemTotal: 1000 kB\nMemAvailable: 1000 kB\n', 0],
    ['MemAvailable before MemTotal', 'MemAvailable: 400 kB\nMemTotal: 1000 kB\n', 600],
    [
      'MemAvailable far behind, after a table of 2.4',
      `        total:    used:\nMem:  260579328 136073216 124506112        0  4915200 94064640 7 7 7 7 7 7 7 7\nMemTotal: 1000 kB\nMemAvailable: 400 kB\n`,
      600,
    ],
    ['an estimate where MemAvailable is missing', OLD, ESTIMATED],
    ['an estimate where MemAvailable is 0', `${OLD}MemAvailable: 0 kB\n`, ESTIMATED],
    [
      'an estimate where MemAvailable is above the total',
      `${OLD}MemAvailable: 1001 kB\n`,
      ESTIMATED,
    ],
    ['an estimate where MemAvailable has no number', `${OLD}MemAvailable: kB\n`, ESTIMATED],
  ];
  for (const [what, meminfo, usedKib] of rows) {
    test(`is told by ${what}`, (t) => {
      const root = rootOf(t, { ...stat(), 'proc/meminfo': meminfo, 'proc/zoneinfo': ZONES });
      const source = openHostSource(openRootFs(root.path), optionsOf());
      t.after(() => source.close());
      assert.deepEqual(told(source, 0, ['memory', 'memoryUsed', 'memoryLimit']), {
        memory: usedKib / 10,
        memoryUsed: usedKib * 1024,
        memoryLimit: 1000 * 1024,
      });
    });
  }

  const WRAPPED = '18446744073709547520 kB';
  const absent: [what: string, meminfo: string, mode: SourceOptions['memoryMode'], why: RegExp][] =
    [
      ['a masked file', '', 'workingset', /empty/],
      ['no MemTotal', 'MemAvailable: 400 kB\n', 'workingset', /MemTotal/],
      ['a total of 0 (LXCFS)', 'MemTotal: 0 kB\nMemAvailable: 4 kB\n', 'workingset', /MemTotal/],
      ['a total without a number', 'MemTotal: kB\n', 'workingset', /MemTotal/],
      ['nothing but the total', 'MemTotal: 1000 kB\n', 'workingset', /MemFree/],
      ['no MemFree, for usage', 'MemTotal: 1000 kB\n', 'usage', /MemFree/],
      ['a wrapped MemFree', `MemTotal: 9 kB\nMemFree: ${WRAPPED}\n`, 'workingset', /cannot be/],
      ['a wrapped MemFree, for usage', `MemTotal: 9 kB\nMemFree: ${WRAPPED}\n`, 'usage', /cannot/],
      [
        'a wrapped MemFree, without cache',
        `MemTotal: 9 kB\nMemFree: ${WRAPPED}\n`,
        'free-cache',
        /cannot be/,
      ],
      [
        'an estimate above the total',
        'MemTotal: 1000 kB\nMemFree: 900 kB\nCached: 900 kB\n',
        'workingset',
        /cannot be/,
      ],
    ];
  for (const [what, meminfo, memoryMode, why] of absent) {
    test(`is absent with ${what}, and CPU is not`, (t) => {
      const root = rootOf(t, {
        ...stat(),
        'proc/meminfo': meminfo,
        'sys/devices/system/cpu/online': '0-3\n',
      });
      const source = openHostSource(openRootFs(root.path), optionsOf({ memoryMode }));
      t.after(() => source.close());
      told(source, 0);
      root.write(stat({ user: 45, idle: 45 }));
      assert.deepEqual(told(source, 900, ['cpu', 'memory', 'memoryUsed']), { cpu: 50 });
      assert.match(source.absent.get('memory') ?? '', why);
    });
  }

  test('needs no reading before, and no time between', (t) => {
    const files = { 'proc/meminfo': 'MemTotal: 1000 kB\nMemAvailable: 250 kB\n' };
    const root = rootOf(t, files);
    const source = openHostSource(openRootFs(root.path), optionsOf());
    t.after(() => source.close());
    assert.equal(told(source, 0).memory, 75);
    root.write({ 'proc/meminfo': 'MemTotal: 1000 kB\nMemAvailable: 500 kB\n' });
    assert.equal(told(source, 0).memory, 50);
  });

  test('is told without the agent’s own, where that is wanted and known', (t) => {
    const root = rootOf(t, { 'proc/meminfo': 'MemTotal: 1000 kB\nMemAvailable: 250 kB\n' });
    for (const [anonymousBytes, percent] of [
      [102_400, 65],
      [Number.NaN, 75],
    ] as const) {
      const selfUsage = (): SelfUsage => ({ ...NOTHING_USED, anonymousBytes });
      const options = optionsOf({ excludeSelf: true, selfUsage });
      const source = openHostSource(openRootFs(root.path), options);
      assert.equal(told(source, 0).memory, percent);
      source.close();
    }
  });

  test('that is held, and swap, are figures of their own, each absent by itself', (t) => {
    const root = rootOf(t, {
      'proc/meminfo':
        'MemTotal: 1000 kB\nMemFree: 200 kB\nMemAvailable: 700 kB\nCached: 600 kB\nShmem: 100 kB\nSwapTotal: 100 kB\nSwapFree: 75 kB\n',
    });
    const source = openHostSource(openRootFs(root.path), optionsOf());
    t.after(() => source.close());
    const wanted = ['memory', 'memoryHeldShare', 'swap'] as const;
    assert.deepEqual(told(source, 0, wanted), { memory: 30, memoryHeldShare: 30, swap: 25 });
    root.write({
      'proc/meminfo': `MemTotal: 1000 kB\nMemFree: 200 kB\nMemAvailable: 700 kB\nSwapTotal: 100 kB\nSwapFree: ${WRAPPED}\n`,
    });
    assert.deepEqual(told(source, 900, wanted), { memory: 30 });
    assert.match(source.absent.get('held memory') ?? '', /held/);
    assert.match(source.absent.get('swap') ?? '', /which cannot be/);
  });
});

describe('counters of trouble', () => {
  function trouble(t: TestContext, files: Files): { source: Source; root: Root } {
    const root = rootOf(t, files);
    const fs = openRootFs(root.path);
    const named = troubleMeters(fs, HOST_TROUBLE, optionsOf());
    const source = sourceOf(() => '', named, fs.close);
    t.after(() => source.close());
    return { source, root };
  }

  const SHOWN = ['cpuPressure', 'memoryPressure', 'oomKills'] as const;
  const counters = (cpu: number, memory: number, kills: number): Files => ({
    'proc/pressure/cpu': `some avg10=9.00 avg60=9.00 avg300=9.00 total=${cpu}\n`,
    'proc/pressure/memory': `some avg10=9.00 total=${memory}\nfull avg10=9.00 total=77\n`,
    'proc/vmstat': `nr_free_pages 5\noom_kill ${kills}\noom_kill_x 99\n`,
  });

  test('tell what happened since the last reading, the first of which is a baseline', (t) => {
    const { source, root } = trouble(t, counters(500_000, 20, 3));
    assert.deepEqual(told(source, 0, SHOWN), {});
    root.write(counters(750_000, 20, 5));
    assert.deepEqual(told(source, 1000, SHOWN), {
      cpuPressure: 25,
      memoryPressure: 0,
      oomKills: 2,
    });
    assert.deepEqual(told(source, 2000, SHOWN), { cpuPressure: 0, memoryPressure: 0, oomKills: 0 });
  });

  test('that ran backwards are of another life, and a baseline', (t) => {
    const { source, root } = trouble(t, counters(500_000, 500_000, 3));
    told(source, 0, SHOWN);
    root.write(counters(10, 600_000, 1));
    assert.deepEqual(told(source, 1000, SHOWN), { memoryPressure: 10 });
    root.write(counters(100_010, 600_000, 1));
    assert.deepEqual(told(source, 2000, SHOWN), {
      cpuPressure: 10,
      memoryPressure: 0,
      oomKills: 0,
    });
  });

  test('of pressure are absent where no time has passed', (t) => {
    const { source, root } = trouble(t, counters(0, 0, 0));
    told(source, 1000, SHOWN);
    root.write(counters(9, 9, 0));
    assert.deepEqual(told(source, 1000, ['cpuPressure', 'memoryPressure']), {});
  });

  test('that cannot be are absent with a reason', (t) => {
    const { source, root } = trouble(t, counters(0, 0, 0));
    told(source, 0, SHOWN);
    root.write(counters(5_000_000, 0, 0));
    assert.deepEqual(told(source, 1000, ['cpuPressure']), {});
    assert.match(source.absent.get('CPU pressure') ?? '', /500 %/);
  });

  test('that are missing do not hide the others', (t) => {
    const { source, root } = trouble(t, { 'proc/vmstat': 'oom_kill 1\n' });
    told(source, 0, SHOWN);
    root.write({ 'proc/vmstat': 'oom_kill 2\n', 'proc/pressure/cpu': 'full total=7\n' });
    assert.deepEqual(told(source, 1000, SHOWN), { oomKills: 1 });
    assert.match(source.absent.get('CPU pressure') ?? '', /no line "some" with a total/);
    assert.match(source.absent.get('memory pressure') ?? '', /ENOENT/);
    root.write({ 'proc/vmstat': 'nr_free_pages 1\n' });
    assert.deepEqual(told(source, 2000, SHOWN), {});
    assert.match(source.absent.get('OOM kills') ?? '', /no line "oom_kill"/);
  });

  test('of a scope that has none say so', () => {
    const named = troubleMeters(openRootFs('/'), {}, optionsOf());
    const source = sourceOf(
      () => '',
      named,
      () => undefined,
    );
    assert.deepEqual(told(source, 0, SHOWN), {});
    assert.equal(source.absent.size, 3);
  });
});

test('the agent’s own CPU counts from its second reading, its memory from the first', () => {
  let usage: SelfUsage = { ...NOTHING_USED, cpuUsec: 1000, residentBytes: 50 };
  const own = new AgentMeter(optionsOf({ selfUsage: () => usage }));
  assert.deepEqual(measuredBy(own, 0), { agentMemory: 50 });
  usage = { ...usage, cpuUsec: 3000, residentBytes: 60 };
  assert.deepEqual(measuredBy(own, 1000), { agentCpu: 0.2, agentMemory: 60 });
  assert.deepEqual(measuredBy(own, 1000), { agentMemory: 60 });
});

/** A control group of version 2, by its counters. */
interface Group {
  readonly seconds?: number;
  readonly cores?: number;
  readonly periods?: number;
  readonly throttled?: number;
  readonly mib?: number;
  readonly limitMib?: number;
}

function group(folder: string, of: Group): Files {
  const { seconds = 0, cores, periods = 0, throttled = 0, mib = 10, limitMib } = of;
  const usec = Math.round(seconds * 1e6);
  return {
    [`${folder}/cpu.stat`]: `usage_usec ${usec}\nnr_periods ${periods}\nnr_throttled ${throttled}\n`,
    [`${folder}/cpu.max`]: `${cores === undefined ? 'max' : cores * 1e5} 100000\n`,
    [`${folder}/memory.current`]: `${mib * MIB}\n`,
    [`${folder}/memory.max`]: `${limitMib === undefined ? 'max' : limitMib * MIB}\n`,
    [`${folder}/memory.stat`]: 'anon 0\ninactive_file 0\n',
  };
}

const MACHINE: Files = {
  'sys/devices/system/cpu/online': '0-3\n',
  'proc/meminfo': `MemTotal: ${1000 * 1024} kB\nMemAvailable: ${500 * 1024} kB\n`,
};

function cgroupsAt(cpu: ControllerPath, cpuacct = cpu, memory = cpu): Cgroups {
  const cpuset = { unresolved: 'not mounted' };
  return {
    cpu,
    cpuacct,
    cpuset,
    memory,
    blkio: cpuset,
    isPartial: true,
    isOwnMounted: true,
    paths: [],
  };
}

function at(...folders: [string, ...string[]]): Cgroups {
  return cgroupsAt({ version: 2, folders, isMachine: false });
}

interface ContainerRig {
  readonly root: Root;
  readonly source: Source;
}

function containerRig(
  t: TestContext,
  files: Files,
  resolve: () => Cgroups = () => at('/cg/own', '/cg'),
  over: Partial<ContainerOptions> = {},
): ContainerRig {
  const root = rootOf(t, { ...MACHINE, ...files });
  const options = { ...optionsOf(), scope: 'container', isOwn: true, ...over } as const;
  const source = openCgroupSource(openRootFs(root.path), resolve, options);
  t.after(() => source.close());
  return { root, source };
}

const CPU = ['cpu', 'cpuCores'] as const;

describe('the CPU time of a container', () => {
  test('is the share of its limit; a first reading is a baseline', (t) => {
    const { root, source } = containerRig(t, group('cg/own', { seconds: 7, cores: 0.5 }));
    assert.deepEqual(told(source, 0, CPU), {});
    root.write(group('cg/own', { seconds: 7.25, cores: 0.5 }));
    assert.deepEqual(told(source, 1000, CPU), { cpu: 50, cpuCores: 0.25 });
  });

  test('a little above its limit is all of it', (t) => {
    const { root, source } = containerRig(t, group('cg/own', { seconds: 7, cores: 0.5 }));
    told(source, 0);
    root.write(group('cg/own', { seconds: 7.52, cores: 0.5 }));
    assert.deepEqual(told(source, 1000, CPU), { cpu: 100, cpuCores: 0.52 });
  });

  test('far above its limit is absent with a reason', (t) => {
    const { root, source } = containerRig(t, group('cg/own', { seconds: 7, cores: 0.5 }));
    told(source, 0);
    root.write(group('cg/own', { seconds: 8, cores: 0.5 }));
    assert.equal(told(source, 1000, CPU).cpu, undefined);
    assert.match(source.absent.get('cpu') ?? '', /1 cores were in use of 0.5, which cannot be/);
  });

  test('above what all CPUs can do is absent with a reason', (t) => {
    const { root, source } = containerRig(t, group('cg/own', { seconds: 7 }));
    told(source, 0);
    root.write(group('cg/own', { seconds: 7000 }));
    assert.deepEqual(told(source, 1000, CPU), {});
    assert.match(source.absent.get('cpu') ?? '', /on 4 CPUs, which cannot be/);
  });

  test('after more CPUs came is the share of all, at once', (t) => {
    const { root, source } = containerRig(t, group('cg/own', { seconds: 7 }));
    told(source, 0);
    root.write({
      ...group('cg/own', { seconds: 13 }),
      'sys/devices/system/cpu/online': '0-7\n',
    });
    assert.deepEqual(told(source, 1000, CPU), { cpu: 75, cpuCores: 6 });
  });

  test('against a limit that was raised is the share of the new one, at once', (t) => {
    const { root, source } = containerRig(t, group('cg/own', { seconds: 7, cores: 0.5 }));
    told(source, 0);
    root.write(group('cg/own', { seconds: 8.5, cores: 2 }));
    assert.deepEqual(told(source, 1000, CPU), { cpu: 75, cpuCores: 1.5 });
  });

  test('of nested limits is the fullest level, and the cores are the container’s own', (t) => {
    const levels = (own: number, parent: number): Files => ({
      ...group('cg/own', { seconds: own, cores: 2 }),
      ...group('cg', { seconds: parent, cores: 0.5 }),
    });
    const { root, source } = containerRig(t, levels(1, 5));
    told(source, 0);
    root.write(levels(1.2, 5.4));
    assert.deepEqual(told(source, 1000, CPU), { cpu: 80, cpuCores: 0.2 });
    root.write(levels(2.8, 5.4));
    assert.deepEqual(told(source, 2000, CPU), { cpu: 80, cpuCores: 1.6 });
  });

  test('whose counter ran backwards (a restart) is absent, and a baseline', (t) => {
    const { root, source } = containerRig(t, group('cg/own', { seconds: 7 }));
    told(source, 0);
    root.write(group('cg/own', { seconds: 1 }));
    assert.deepEqual(told(source, 1000, CPU), {});
    assert.equal(source.absent.has('cpu'), false);
    root.write(group('cg/own', { seconds: 2 }));
    assert.deepEqual(told(source, 2000, CPU), { cpu: 25, cpuCores: 1 });
  });

  test('is absent where no time has passed', (t) => {
    const { root, source } = containerRig(t, group('cg/own', { seconds: 7 }));
    told(source, 1000);
    root.write(group('cg/own', { seconds: 8 }));
    assert.deepEqual(told(source, 1000, CPU), {});
  });

  test('after a reading that failed is a baseline: no lifetime is added to one sample', (t) => {
    const { root, source } = containerRig(t, group('cg/own', { seconds: 7 }));
    told(source, 0);
    root.write({ 'cg/own/cpu.stat': '' });
    assert.deepEqual(told(source, 1000), { memory: 1 }, 'memory goes on');
    assert.match(source.absent.get('cpu') ?? '', /empty/);
    root.write(group('cg/own', { seconds: 9 }));
    assert.deepEqual(told(source, 2000, CPU), {});
    root.write(group('cg/own', { seconds: 10 }));
    assert.deepEqual(told(source, 3000, CPU), { cpu: 25, cpuCores: 1 });
    assert.equal(source.absent.has('cpu'), false);
  });

  test('of levels one of which failed has no baseline at any', (t) => {
    const levels = (own: number, parent: number): Files => ({
      ...group('cg/own', { seconds: own }),
      ...group('cg', { seconds: parent, cores: 0.5 }),
    });
    const { root, source } = containerRig(t, levels(1, 5));
    told(source, 0);
    root.write({ ...levels(1.1, 5.1), 'cg/cpu.stat': 'user_usec 5\n' });
    assert.deepEqual(told(source, 1000, CPU), {});
    assert.match(source.absent.get('cpu') ?? '', /no line "usage_usec"/);
    root.write(levels(1.2, 5.2));
    assert.deepEqual(told(source, 2000, CPU), {});
    root.write(levels(1.3, 5.3));
    assert.deepEqual(told(source, 3000, CPU), { cpu: 20, cpuCores: 0.1 });
  });

  test('that stands at 0 where this very process runs is not counted, and 0 % elsewhere', (t) => {
    for (const isOwn of [true, false]) {
      const files = group('cg/own', { seconds: 0 });
      const { source } = containerRig(t, files, () => at('/cg/own'), { isOwn });
      told(source, 0);
      assert.deepEqual(told(source, 1000, CPU), isOwn ? {} : { cpu: 0, cpuCores: 0 });
      const reason = source.absent.get('cpu');
      if (isOwn) assert.match(reason ?? '', /stands at 0, though this process runs there/);
      else assert.equal(reason, undefined);
    }
  });

  test('is told without the agent’s own, where that is wanted', (t) => {
    let cpuUsec = 5_000_000;
    const selfUsage = (): SelfUsage => ({ ...NOTHING_USED, cpuUsec });
    const over = { excludeSelf: true, selfUsage };
    const files = group('cg/own', { seconds: 7, cores: 0.5 });
    const { root, source } = containerRig(t, files, () => at('/cg/own'), over);
    told(source, 0);
    cpuUsec += 50_000;
    root.write(group('cg/own', { seconds: 7.25, cores: 0.5 }));
    assert.deepEqual(told(source, 1000, CPU), { cpu: 40, cpuCores: 0.2 });
  });

  test('in another group is followed there, as another scope with a baseline of its own', (t) => {
    let here = at('/cg/own');
    const files = { ...group('cg/own', { seconds: 7 }), ...group('cg/new', { seconds: 99 }) };
    const { root, source } = containerRig(t, files, () => here);
    told(source, 0);
    here = at('/cg/new');
    root.write(group('cg/own', { seconds: 8 }));
    assert.deepEqual(told(source, 1000, CPU), { cpu: 25, cpuCores: 1 }, 'looked at every 10 s');
    assert.equal(source.scopeNumber, 0);
    const figures = createFigures();
    assert.equal(source.measure(10_000, figures), true, 'and it is said');
    assert.deepEqual(toldBy(figures, CPU), {});
    assert.equal(source.scopeNumber, 1);
    root.write(group('cg/new', { seconds: 100 }));
    assert.deepEqual(told(source, 11_000, CPU), { cpu: 25, cpuCores: 1 });
  });

  test('of version 1 is exact past 2^53 ns', (t) => {
    const place = (folder: string): ControllerPath => ({
      version: 1,
      folders: [folder],
      isMachine: false,
    });
    const files = (ns: string): Files => ({
      'cg/cpu/cpu.cfs_quota_us': '50000\n',
      'cg/cpu/cpu.cfs_period_us': '100000\n',
      'cg/acct/cpuacct.usage': `${ns}\n`,
      'cg/memory/memory.usage_in_bytes': `${10 * MIB}\n`,
    });
    const cgroups = cgroupsAt(place('/cg/cpu'), place('/cg/acct'), place('/cg/memory'));
    const { root, source } = containerRig(t, files('999999999999999999'), () => cgroups);
    told(source, 0);
    root.write(files('1000000000100000000'));
    assert.deepEqual(told(source, 1000, CPU), { cpu: 20.0000002, cpuCores: 0.100000001 });
  });
});

describe('throttling of a container', () => {
  const THROTTLED = ['cpuThrottled'] as const;

  function levels(own: [number, number], parent: [number, number]): Files {
    return {
      ...group('cg/own', { seconds: 1, cores: 1, periods: own[0], throttled: own[1] }),
      ...group('cg', { seconds: 1, cores: 2, periods: parent[0], throttled: parent[1] }),
    };
  }

  test('is that of the level that throttles most, since the last reading', (t) => {
    const { root, source } = containerRig(t, levels([0, 0], [100, 40]));
    assert.deepEqual(told(source, 0, THROTTLED), {});
    root.write(levels([9, 0], [109, 46]));
    assert.deepEqual(told(source, 900, THROTTLED), rounded({ cpuThrottled: (100 * 6) / 9 }));
    root.write(levels([18, 9], [118, 46]));
    assert.deepEqual(told(source, 1800, THROTTLED), { cpuThrottled: 100 });
  });

  test('is 0 where none was, and absent where no period has passed', (t) => {
    const { root, source } = containerRig(t, levels([0, 0], [100, 40]));
    told(source, 0, THROTTLED);
    assert.deepEqual(told(source, 900, THROTTLED), {});
    root.write(levels([0, 0], [109, 40]));
    assert.deepEqual(told(source, 1800, THROTTLED), { cpuThrottled: 0 });
  });

  test('whose counters ran backwards is a baseline', (t) => {
    const { root, source } = containerRig(t, levels([50, 20], [50, 20]));
    told(source, 0, THROTTLED);
    root.write(levels([10, 1], [60, 10]));
    assert.deepEqual(told(source, 900, THROTTLED), {});
    root.write(levels([20, 2], [70, 10]));
    assert.deepEqual(told(source, 1800, THROTTLED), { cpuThrottled: 10 });
  });

  test('is absent with a reason where there is no quota', (t) => {
    const { source } = containerRig(t, group('cg/own', { seconds: 1 }));
    assert.deepEqual(told(source, 0, THROTTLED), {});
    assert.match(source.absent.get('throttling') ?? '', /no CPU quota/);
  });
});

describe('the memory of a container', () => {
  test('is that of the level that is fullest', (t) => {
    const { source } = containerRig(t, {
      ...group('cg/own', { mib: 20, limitMib: 100 }),
      ...group('cg', { mib: 90, limitMib: 150 }),
    });
    assert.deepEqual(told(source, 0, ['memory', 'memoryUsed', 'memoryLimit']), {
      memory: 60,
      memoryUsed: 90 * MIB,
      memoryLimit: 150 * MIB,
    });
  });

  test('far above its limit is absent, unless that was raised meanwhile', (t) => {
    const { root, source } = containerRig(t, group('cg/own', { mib: 50, limitMib: 100 }));
    assert.equal(told(source, 0).memory, 50);
    root.write(group('cg/own', { mib: 150, limitMib: 300 }));
    assert.equal(told(source, 900).memory, 50);
    root.write(group('cg/own', { mib: 900, limitMib: 300 }));
    assert.equal(told(source, 1800).memory, undefined);
    assert.match(source.absent.get('memory') ?? '', /300 % of what there is, which cannot be/);
  });

  test('without memory.stat includes the page cache, which the description says', (t) => {
    const { 'cg/own/memory.stat': _stat, ...files } = group('cg/own', { mib: 50, limitMib: 100 });
    const { root, source } = containerRig(t, files);
    assert.equal(told(source, 0).memory, 50);
    assert.match(source.describe(), /page cache included/);
    root.write({ 'cg/own/memory.stat': `inactive_file ${20 * MIB}\n` });
    assert.equal(told(source, 10_000).memory, 30);
    assert.doesNotMatch(source.describe(), /page cache included/);
  });

  test('that is held does not move when files are read', (t) => {
    const texts = (cacheMib: number): Files => ({
      ...group('cg/own', { mib: 256 + cacheMib, limitMib: 1000 }),
      'cg/own/memory.stat': [
        `anon ${200 * MIB}`,
        `file ${(10 + cacheMib) * MIB}`,
        `kernel_stack ${MIB}`,
        `pagetables ${2 * MIB}`,
        `sock ${3 * MIB}`,
        `shmem ${10 * MIB}`,
        'inactive_file 0',
        `slab_reclaimable ${20 * MIB}`,
        `slab_unreclaimable ${40 * MIB}`,
        '',
      ].join('\n'),
    });
    const { root, source } = containerRig(t, texts(0));
    const wanted = ['memory', 'memoryHeld', 'memoryHeldShare'] as const;
    const held = { memoryHeld: 256 * MIB, memoryHeldShare: 25.6 };
    assert.deepEqual(told(source, 0, wanted), { memory: 25.6, ...held });
    root.write(texts(512));
    assert.deepEqual(told(source, 900, wanted), { memory: 76.8, ...held });
    root.write({ 'cg/own/memory.stat': 'file 5\n' });
    assert.deepEqual(told(source, 1800, wanted), { memory: 76.8 });
    assert.match(source.absent.get('held memory') ?? '', /no line "anon"/);
  });
});

describe('members', () => {
  const ids = { a: 'a'.repeat(64), b: 'b'.repeat(64), c: 'c'.repeat(64) } as const;
  type Name = keyof typeof ids;
  const pids: Readonly<Record<Name, string>> = { a: '10', b: '20', c: '30' };

  function folderOf(name: Name): string {
    return `proc/${pids[name]}/root/sys/fs/cgroup`;
  }

  /** A container seen through its process. */
  function member(name: Name, of: Group): Files {
    return {
      ...group(folderOf(name), of),
      [`proc/${pids[name]}/cgroup`]: `0::/docker/${ids[name]}\n`,
      [`proc/${pids[name]}/comm`]: `job-${name}\n`,
      [`proc/${pids[name]}/stat`]: `${pids[name]} (job) S 1 1\n`,
      [`proc/${pids[name]}/status`]: 'Uid:\t1000\t1000\t1000\t1000\n',
    };
  }

  interface CrewRig {
    readonly root: Root;
    readonly source: Source;
  }

  /** The agent runs in member a. */
  function crewRig(t: TestContext, files: Files, over: Partial<SourceOptions> = {}): CrewRig {
    const root = rootOf(t, { ...MACHINE, ...files });
    symlinkSync(pids.a, join(root.path, 'proc/self'));
    const options = { ...optionsOf(over), user: '1000' };
    const source = openSiblingSource(openRootFs(root.path), options);
    t.after(() => source.close());
    return { root, source };
  }

  const both = (a: Group, b: Group): Files => ({ ...member('a', a), ...member('b', b) });

  test('are differenced one by one and then summed', (t) => {
    const { root, source } = crewRig(t, both({ seconds: 1, mib: 10 }, { seconds: 900, mib: 30 }));
    assert.deepEqual(told(source, 0), { memory: 4 });
    root.write(both({ seconds: 1.5, mib: 10 }, { seconds: 900.5, mib: 30 }));
    assert.deepEqual(told(source, 1000), { cpu: 25, cpuCores: 1, memory: 4 });
  });

  test('that join add nothing of their past: the sum waits for their baseline', (t) => {
    const { root, source } = crewRig(t, both({ seconds: 1 }, { seconds: 2 }));
    told(source, 0);
    root.write({ ...both({ seconds: 2 }, { seconds: 3 }), ...member('c', { seconds: 900 }) });
    assert.equal(told(source, 1000).cpuCores, 2, 'who is there is asked every 10 s');
    root.write({ ...both({ seconds: 2 }, { seconds: 3 }), ...member('c', { seconds: 901 }) });
    assert.deepEqual(told(source, 10_500), { memory: 3 });
    root.write({ ...both({ seconds: 2.5 }, { seconds: 3.5 }), ...member('c', { seconds: 902 }) });
    assert.deepEqual(told(source, 11_500), { cpu: 50, cpuCores: 2, memory: 3 });
  });

  test('that leave take nothing away from what the others used', (t) => {
    const files = { ...both({ seconds: 1 }, { seconds: 2 }), ...member('c', { seconds: 50 }) };
    const { root, source } = crewRig(t, files);
    told(source, 0);
    told(source, 9500);
    rmSync(join(root.path, `proc/${pids.c}`), { recursive: true });
    root.write(both({ seconds: 1.5 }, { seconds: 2.5 }));
    assert.deepEqual(told(source, 10_500), { cpu: 25, cpuCores: 1, memory: 2 });
  });

  test('one of which began anew have no sum in that sample', (t) => {
    const { root, source } = crewRig(t, both({ seconds: 1 }, { seconds: 50 }));
    told(source, 0);
    root.write(both({ seconds: 1.5 }, { seconds: 0.1 }));
    assert.deepEqual(told(source, 1000), { memory: 2 });
    root.write(both({ seconds: 2 }, { seconds: 0.6 }));
    assert.deepEqual(told(source, 2000), { cpu: 25, cpuCores: 1, memory: 2 });
  });

  test('one of which fails now have no sum, and no part of it; then all have a new baseline', (t) => {
    const { root, source } = crewRig(t, both({ seconds: 1 }, { seconds: 50 }));
    told(source, 0);
    root.write({ [`${folderOf('b')}/cpu.stat`]: '' });
    assert.deepEqual(told(source, 500), { memory: 2 });
    assert.match(source.absent.get('cpu') ?? '', /cpu\.stat: empty/);
    root.write(both({ seconds: 2 }, { seconds: 60 }));
    assert.deepEqual(told(source, 1000), { memory: 2 });
    root.write(both({ seconds: 2.5 }, { seconds: 60.5 }));
    assert.deepEqual(told(source, 2000), { cpu: 25, cpuCores: 1, memory: 2 });
  });

  test('one of whose memory cannot be read have CPU and no memory, and the reason names the file', (t) => {
    const { root, source } = crewRig(t, both({ seconds: 1 }, { seconds: 50 }));
    told(source, 0);
    root.write({ [`${folderOf('b')}/memory.current`]: '' });
    told(source, 1000);
    assert.deepEqual(told(source, 2000), { cpu: 0, cpuCores: 0 });
    assert.match(source.absent.get('memory') ?? '', /memory\.current: empty/);
  });

  test('that used more than all CPUs can have no figure; after more CPUs came they have one', (t) => {
    const { root, source } = crewRig(t, both({ seconds: 1 }, { seconds: 2 }));
    told(source, 0);
    root.write(both({ seconds: 1 }, { seconds: 7002 }));
    assert.deepEqual(told(source, 1000), { memory: 2 });
    assert.match(source.absent.get('cpu') ?? '', /7000 cores on 4 CPUs, which cannot be/);
    root.write(both({ seconds: 4 }, { seconds: 7005 }));
    root.write({ 'sys/devices/system/cpu/online': '0-7\n' });
    assert.deepEqual(told(source, 2000), { cpu: 75, cpuCores: 6, memory: 2 });
  });

  test('count against the sum of their limits where each has one, else the machine', (t) => {
    const limited = (cores: number | undefined): Files => {
      const limits = cores === undefined ? {} : { cores, limitMib: 100 };
      return both({ seconds: 1, cores: 0.5, limitMib: 100 }, { seconds: 1, ...limits });
    };
    for (const [cores, expected] of [
      [1.5, { cpu: 50, cpuCores: 1, memory: 10 }],
      [undefined, { cpu: 25, cpuCores: 1, memory: 2 }],
    ] as const) {
      const { root, source } = crewRig(t, limited(cores));
      told(source, 0);
      for (const name of ['a', 'b'] as const) {
        root.write({ [`${folderOf(name)}/cpu.stat`]: 'usage_usec 1500000\n' });
      }
      assert.deepEqual(told(source, 1000), expected);
    }
  });

  test('are told without the agent’s own, which is in its own container only', (t) => {
    let cpuUsec = 0;
    const selfUsage = (): SelfUsage => ({
      cpuUsec,
      residentBytes: 0,
      anonymousBytes: 10 * MIB,
    });
    const over = { excludeSelf: true, selfUsage };
    const { root, source } = crewRig(t, both({ seconds: 1 }, { seconds: 2 }), over);
    told(source, 0);
    cpuUsec += 200_000;
    root.write(both({ seconds: 1.5 }, { seconds: 2.1 }));
    assert.deepEqual(told(source, 1000), { cpu: 10, cpuCores: 0.4, memory: 1 });
  });
});

describe('a source made of meters', () => {
  function failing(error: () => Error | undefined): { source: Source; tries: number[] } {
    const tries: number[] = [];
    const named = {
      odd: meter((nowMs) => {
        tries.push(nowMs);
        const thrown = error();
        if (thrown !== undefined) throw thrown;
      }),
      good: meter((_nowMs: number, figures: Figures) => {
        figures[PLACES.memory] = 5;
      }),
      unwanted: undefined,
    };
    return {
      source: sourceOf(
        () => '',
        named,
        () => undefined,
      ),
      tries,
    };
  }

  test('notes why something is absent, says when that changes, and goes on with the rest', () => {
    let error: Error | undefined = new NoDataError('gone');
    const { source } = failing(() => error);
    const figures = createFigures();
    assert.equal(source.measure(0, figures), true);
    assert.deepEqual([...source.absent], [['odd', 'gone']]);
    assert.deepEqual(toldBy(figures), { memory: 5 });
    assert.equal(source.measure(900, figures), false, 'the same again is no news');
    error = new ParseError('/proc/x', 'torn');
    assert.equal(source.measure(9000, figures), true, 'another reason is');
    assert.deepEqual([...source.absent], [['odd', '/proc/x: torn']]);
    error = undefined;
    assert.equal(source.measure(60_000, figures), true);
    assert.equal(source.absent.size, 0);
    assert.equal(source.measure(60_900, figures), false);
  });

  test('tries what fails less and less often, and every ten seconds at least', () => {
    const { source, tries } = failing(() => new NoDataError('gone'));
    for (let nowMs = 0; nowMs <= 60_000; nowMs += 100) source.measure(nowMs, createFigures());
    const pauses = tries.slice(1).map((triedMs, index) => triedMs - (tries[index] ?? 0));
    assert.deepEqual(pauses, [100, 500, 1000, 2000, 4000, 8000, 10_000, 10_000, 10_000, 10_000]);
  });

  test('tries at once again what came back and went again', () => {
    let error: Error | undefined = new NoDataError('gone');
    const { source, tries } = failing(() => error);
    for (let nowMs = 0; nowMs <= 20_000; nowMs += 100) source.measure(nowMs, createFigures());
    error = undefined;
    for (let nowMs = 20_100; nowMs <= 40_000; nowMs += 100) source.measure(nowMs, createFigures());
    error = new NoDataError('gone');
    const before = tries.length;
    source.measure(40_100, createFigures());
    source.measure(40_200, createFigures());
    assert.equal(tries.length, before + 2);
  });

  test('hands on a fault of ours', () => {
    const { source } = failing(() => new TypeError('a fault'));
    assert.throws(() => source.measure(0, createFigures()), { name: 'TypeError' });
    assert.equal(source.absent.size, 0);
  });
});
