import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type CpuTicks, parseStat } from '../../src/kernel/stat.ts';
import { derive, latest } from '../../src/metrics/derive.ts';
import type {
  CpuLoad,
  Fill,
  Group,
  MachineTicks,
  Missing,
  QuotaPeriods,
  Reading,
  Sample,
} from '../../src/metrics/reading.ts';

const NONE: Missing = { missing: 'not asked' };
const IDLE: CpuTicks = {
  user: 1000,
  nice: 1000,
  system: 1000,
  idle: 1000,
  iowait: 1000,
  irq: 1000,
  softirq: 1000,
  steal: 1000,
};

function cpuAt(at: number, ticks: CpuTicks, key = '0-3'): Group<MachineTicks> {
  return { at, key, values: { ticks, online: 4, cores: 4 } };
}

function cpuReading(ticks: Group<MachineTicks> | Missing): Reading {
  return { ticks, memory: NONE };
}

function memoryReading(limit: number, available: number): Reading {
  return { ticks: NONE, memory: { at: 1, key: '', values: { used: limit - available, limit } } };
}

/** The three figures that every scope has. */
function basics({ tick, cpu, memory }: Sample): Sample {
  const round = (value: number | undefined): number | undefined =>
    value === undefined ? undefined : Math.round(value * 1e9) / 1e9;
  return { tick, cpu: round(cpu), memory };
}

/** What is derived when each counter has grown by so many ticks within 900 ms. */
function afterGrowth(growth: Partial<CpuTicks>): Sample {
  const later = { ...IDLE };
  let field: keyof CpuTicks;
  for (field in growth) later[field] += growth[field] ?? 0;
  return derive(cpuReading(cpuAt(0, IDLE)), cpuReading(cpuAt(900, later)));
}

describe('CPU', () => {
  const shares: [what: string, growth: Partial<CpuTicks>, percent: number | undefined][] = [
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
    ['one of each', mapAll(1), 75],
    ['iowait that ran backwards, as no time', { user: 30, idle: 60, iowait: -500 }, 100 / 3],
    ['user that ran backwards, as no time', { user: -1, system: 30, idle: 60 }, 100 / 3],
    ['steal that ran backwards, as no time', { steal: -900, system: 30, idle: 60 }, 100 / 3],
    ['iowait backwards and nothing else, as nothing known', { iowait: -5 }, undefined],
    ['idle backwards by one tick, as nothing known', { user: 90, idle: -1 }, undefined],
    ['idle backwards by a CPU that went, as nothing known', { user: 90, idle: -900 }, undefined],
    ['all backwards (another kernel), as nothing known', mapAll(-999), undefined],
    ['nothing at all (gVisor), as nothing known', {}, undefined],
  ];
  for (const [what, growth, percent] of shares) {
    test(`of ${what}, is ${percent === undefined ? 'absent' : `${percent.toFixed(1)} %`}`, () => {
      const tick = percent === undefined ? undefined : 1;
      const cpu = percent === undefined ? undefined : Math.round(percent * 1e9) / 1e9;
      assert.deepEqual(basics(afterGrowth(growth)), { tick, cpu, memory: undefined });
    });
  }

  test('guest is inside user and does not count twice', () => {
    // 60 ticks of user, all of them guest, beside 40 idle: 60 %, not 75.
    const before = parseStat('cpu  100 0 0 100 0 0 0 0 100 0\n');
    const now = parseStat('cpu  160 0 0 140 0 0 0 0 160 0\n');
    const sample = derive(cpuReading(cpuAt(0, before)), cpuReading(cpuAt(900, now)));
    assert.equal(sample.cpu, 60);
  });

  const busy = { ...IDLE, user: 1090 };
  const pairs: [
    what: string,
    before: Group<MachineTicks> | Missing,
    now: Group<MachineTicks> | Missing,
  ][] = [
    ['other CPUs are online', cpuAt(0, IDLE, '0-3'), cpuAt(900, busy, '0-2')],
    ['no time has passed', cpuAt(900, IDLE), cpuAt(900, busy)],
    ['time has run backwards', cpuAt(900, IDLE), cpuAt(0, busy)],
    ['the first reading failed', NONE, cpuAt(900, busy)],
    ['the second reading failed', cpuAt(0, IDLE), NONE],
    ['both failed', NONE, NONE],
  ];
  for (const [what, before, now] of pairs) {
    test(`is absent where ${what}, and so is the tick`, () => {
      const sample = derive(cpuReading(before), cpuReading(now));
      assert.deepEqual(basics(sample), { tick: undefined, cpu: undefined, memory: undefined });
    });
  }

  test('counters past 2^53 still give a share', () => {
    const huge = { ...IDLE, user: 2 ** 60, idle: 2 ** 60 };
    const later = { ...huge, user: 2 ** 60 + 2 ** 12, idle: 2 ** 60 + 2 ** 12 };
    const sample = derive(cpuReading(cpuAt(0, huge)), cpuReading(cpuAt(900, later)));
    assert.equal(sample.cpu, 50);
  });

  test('whatever the counters do, it is 0 to 100 or absent', () => {
    // 2^46 ticks are 22,000 years.
    const counter = fc.oneof(fc.nat(1000), fc.nat({ max: 2 ** 46 }));
    const ticks = fc.record({
      user: counter,
      nice: counter,
      system: counter,
      idle: counter,
      iowait: counter,
      irq: counter,
      softirq: counter,
      steal: counter,
    });
    fc.assert(
      fc.property(ticks, ticks, (before, now) => {
        const { cpu, tick } = derive(cpuReading(cpuAt(0, before)), cpuReading(cpuAt(1, now)));
        if (cpu === undefined) assert.equal(tick, undefined);
        else assert.ok(cpu >= 0 && cpu <= 100 && tick === 1);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('memory', () => {
  const shares: [total: number, available: number, percent: number][] = [
    [1000, 1000, 0],
    [1000, 0, 100],
    [1000, 250, 75],
    [24684084 * 1024, 24133880 * 1024, (100 * 550204) / 24684084],
    [2 ** 52, 2 ** 51, 50],
  ];
  for (const [total, available, percent] of shares) {
    test(`with ${available} of ${total} bytes available is ${percent.toFixed(2)} %`, () => {
      const { memory = Number.NaN } = derive(memoryReading(1, 1), memoryReading(total, available));
      assert.ok(Math.abs(memory - percent) < 1e-9, String(memory));
    });
  }

  test('needs no reading before, and no time between', () => {
    const nothing: Reading = { ticks: NONE, memory: NONE };
    const sample = derive(nothing, memoryReading(1000, 250));
    assert.deepEqual(basics(sample), { tick: 1, cpu: undefined, memory: 75 });
    const now = memoryReading(1000, 500);
    assert.deepEqual(basics(derive(now, now)), { tick: 1, cpu: undefined, memory: 50 });
  });

  test('that is missing is absent, and CPU is not', () => {
    const sample = derive(
      { ...memoryReading(1000, 250), ticks: cpuAt(0, IDLE) },
      cpuReading(cpuAt(900, { ...IDLE, user: 1090 })),
    );
    assert.deepEqual(basics(sample), { tick: 1, cpu: 100, memory: undefined });
  });

  test('and CPU together are one tick', () => {
    const before = { ...memoryReading(1000, 250), ticks: cpuAt(0, IDLE) };
    const now = { ...memoryReading(1000, 250), ticks: cpuAt(900, { ...IDLE, idle: 1090 }) };
    assert.deepEqual(basics(derive(before, now)), { tick: 1, cpu: 0, memory: 75 });
  });
});

describe('CPU of containers', () => {
  const SECOND = 1e9;

  /** A load of counters `key: seconds of CPU`, read at an instant. */
  function load(cores: number, at: number, seconds: Readonly<Record<string, number>>): CpuLoad {
    const counters = Object.entries(seconds).map(([key, value]) => ({
      key,
      at,
      nanoseconds: value * SECOND,
    }));
    return { cores, counters };
  }

  function between(before: readonly CpuLoad[], now: readonly CpuLoad[]): Sample {
    const reading = (values: readonly CpuLoad[], at: number): Reading => ({
      cpu: { at, key: '', values },
    });
    return derive(reading(before, 0), reading(now, 1000));
  }

  test('is the share of the limit, and never more than all of it', () => {
    const half = between([load(0.5, 0, { a: 7 })], [load(0.5, 1000, { a: 7.25 })]);
    assert.deepEqual([half.cpu, half.cpuCores], [50, 0.25]);
    const over = between([load(0.5, 0, { a: 7 })], [load(0.5, 1000, { a: 7.52 })]);
    assert.equal(over.cpu, 100);
  });

  test('of nested limits is the fullest level, and the cores are the container’s own', () => {
    const before = [load(2, 0, { own: 0 }), load(0.5, 0, { parent: 0 })];
    const now = [load(2, 1000, { own: 0.2 }), load(0.5, 1000, { parent: 0.4 })];
    const { cpu, cpuCores } = between(before, now);
    assert.deepEqual([cpu, cpuCores], [80, 0.2]);
  });

  test('adds up the deltas of each container: one that joins adds nothing of its past', () => {
    const { cpuCores } = between([load(4, 0, { a: 1 })], [load(4, 1000, { a: 1.5, b: 900 })]);
    assert.equal(cpuCores, 0.5);
  });

  test('a container that restarts or leaves takes nothing away', () => {
    const before = [load(4, 0, { a: 1, b: 50, c: 9 })];
    const { cpuCores } = between(before, [load(4, 1000, { a: 1.5, b: 0.1 })]);
    assert.equal(cpuCores, 0.5);
  });

  test('is absent where no counter can be compared', () => {
    assert.equal(between([load(4, 0, { a: 1 })], [load(4, 1000, { b: 2 })]).cpu, undefined);
    assert.equal(between([load(4, 1000, { a: 1 })], [load(4, 1000, { a: 2 })]).cpu, undefined);
    assert.equal(between([load(4, 0, { a: 2 })], [load(4, 1000, { a: 1 })]).cpu, undefined);
  });
});

describe('what else can be told', () => {
  const group = <Values>(at: number, values: Values): Group<Values> => ({ at, key: '', values });

  test('throttling is that of the level that throttles most', () => {
    const periods = (own: number[], parent: number[]): readonly QuotaPeriods[] => [
      { key: 'own', periods: own[0] ?? 0, throttled: own[1] ?? 0 },
      { key: 'parent', periods: parent[0] ?? 0, throttled: parent[1] ?? 0 },
    ];
    const before: Reading = { throttling: group(0, periods([0, 0], [100, 40])) };
    const now: Reading = { throttling: group(900, periods([9, 0], [109, 46])) };
    assert.equal(derive(before, now).cpuThrottled, (100 * 6) / 9);
    assert.equal(derive(before, before).cpuThrottled, undefined, 'no period has passed');
  });

  test('pressure is the share of time in which some task waited', () => {
    const now: Reading = { cpuPressure: group(1000, 750_000), memoryPressure: group(1000, 10) };
    const before: Reading = { cpuPressure: group(0, 500_000), memoryPressure: group(0, 20) };
    const { cpuPressure, memoryPressure } = derive(before, now);
    assert.deepEqual([cpuPressure, memoryPressure], [25, undefined]);
  });

  test('OOM kills are those since the last reading, and none of another life', () => {
    const kills = (count: number): Reading => ({ oomKills: group(0, count) });
    assert.equal(derive(kills(3), kills(5)).oomKills, 2);
    assert.equal(derive(kills(3), kills(3)).oomKills, 0);
    assert.equal(derive(kills(3), kills(1)).oomKills, undefined);
    assert.equal(derive({}, kills(7)).oomKills, undefined);
  });

  test('swap, disk and ephemeral storage are shares of what there is, absent where there is none', () => {
    const fill = (used: number, limit: number): Group<Fill> => group(0, { used, limit });
    const now: Reading = { swap: fill(1, 4), disk: fill(3, 4), ephemeralStorage: fill(0, 0) };
    const { swap, disk, ephemeralStorage } = derive({}, now);
    assert.deepEqual([swap, disk, ephemeralStorage], [25, 75, undefined]);
  });

  test('the agent’s own CPU is a share of one core', () => {
    const use = (at: number, cpuUsec: number): Reading => ({
      agent: group(at, { cpuUsec, residentBytes: 50 }),
    });
    const { agentCpu, agentMemory } = derive(use(0, 1000), use(1000, 3000));
    assert.deepEqual([agentCpu, agentMemory], [0.2, 50]);
  });

  test('steal is a share of all time, and the machine of a task counts by the task’s cores', () => {
    const at = (ms: number, ticks: CpuTicks): Reading => ({
      ticks: { at: ms, key: '0-3', values: { ticks, online: 4, cores: 2 } },
    });
    const sample = derive(at(0, IDLE), at(900, { ...IDLE, steal: 1010, user: 1015, idle: 1075 }));
    assert.deepEqual([sample.cpu, sample.cpuCores, sample.cpuSteal], [50, 1, 10]);
  });
});

test('a group without news keeps its last reading, and one that failed has none', () => {
  const before: Reading = { memory: NONE, oomKills: { at: 0, key: '', values: 1 } };
  assert.deepEqual(latest(before, {}), before);
  assert.deepEqual(latest(before, { oomKills: NONE }), { memory: NONE, oomKills: NONE });
  assert.deepEqual(latest(undefined, before), before);
});

function mapAll(growth: number): CpuTicks {
  return {
    user: growth,
    nice: growth,
    system: growth,
    idle: growth,
    iowait: growth,
    irq: growth,
    softirq: growth,
    steal: growth,
  };
}
