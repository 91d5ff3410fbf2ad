import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Agent, type AgentOptions } from '../../src/agent.ts';
import { createLog } from '../../src/log.ts';
import type { ClosedWindow } from '../../src/metrics/aggregate.ts';
import { CATALOG, defaultMetrics } from '../../src/metrics/catalog.ts';
import type { Reading, Sample, Source } from '../../src/metrics/reading.ts';
import type { Sink } from '../../src/sinks/sink.ts';
import { type DrivenClock, drivenClock } from '../support/clock.ts';

/** 2026-01-01T00:00:00Z, a whole minute. */
const NOON = Date.UTC(2026, 0, 1, 12);
const MINUTE = 60_000;

/** A machine whose CPUs are half busy: 1 tick in 10 ms of user time, 1 of idle. */
function halfBusy(nowMs: number): Reading {
  const ticks = nowMs / 10;
  const zero = { nice: 0, system: 0, iowait: 0, irq: 0, softirq: 0, steal: 0 };
  return {
    ticks: {
      at: nowMs,
      key: '0-1',
      values: { ticks: { user: ticks, idle: ticks, ...zero }, online: 2, cores: 2 },
    },
    memory: { at: nowMs, key: '', values: { used: 250, limit: 1000 } },
  };
}

interface Rig {
  readonly agent: Agent;
  readonly clock: DrivenClock;
  readonly windows: ClosedWindow[];
  readonly samples: { sample: Sample; wallMs: number }[];
  /** Monotonic times of all readings. */
  readonly reads: number[];
  readonly logged: string[];
}

interface RigOptions extends Partial<AgentOptions> {
  readonly clock?: DrivenClock;
  readonly read?: Source['read'];
  readonly wallMs?: number;
}

function rig(options: RigOptions = {}): Rig {
  const clock = options.clock ?? drivenClock(options.wallMs ?? NOON);
  const windows: ClosedWindow[] = [];
  const samples: { sample: Sample; wallMs: number }[] = [];
  const reads: number[] = [];
  const logged: string[] = [];
  const read = options.read ?? halfBusy;
  const source: Source = {
    describe: () => 'scope=test',
    read(nowMs) {
      reads.push(nowMs);
      return read(nowMs);
    },
    close: () => undefined,
  };
  const sink: Sink = {
    accept: (window) => windows.push(window),
    flush: () =>
      Promise.resolve({ sent: windows.length, spooled: 0, lost: 0, lostAtEnd: 0, isStuck: false }),
    status: () => ({}),
  };
  const log = createLog({
    level: 'debug',
    format: 'text',
    clock,
    write: (line) => logged.push(line),
  });
  const agent = new Agent({
    source,
    sink,
    clock,
    log,
    intervalMs: 900,
    periodMs: MINUTE,
    aligned: true,
    aggregate: {
      metrics: defaultMetrics('median'),
      statistics: 'median',
      valuesPerDatum: 150,
      compatFraction: false,
    },
    onSample: (sample, wallMs) => samples.push({ sample, wallMs }),
    ...options,
  });
  return { agent, clock, windows, samples, reads, logged };
}

function values(window: ClosedWindow | undefined): Record<string, readonly number[]> {
  return Object.fromEntries((window?.data ?? []).map(({ name, values }) => [name, values]));
}

describe('the tick', () => {
  test('the first reading is a baseline and no sample', () => {
    const { agent, clock, samples, reads } = rig();
    agent.start();
    clock.advance(899);
    assert.deepEqual([reads.length, samples.length], [1, 0]);
    clock.advance(1);
    assert.equal(samples.length, 1);
    const { tick, cpu, memory } = samples[0]?.sample ?? {};
    assert.deepEqual([tick, cpu, memory], [1, 50, 25]);
  });

  test('a late tick moves no other, and one less than half a second after it is skipped', () => {
    const inTime = drivenClock(NOON);
    let late = true;
    const clock: DrivenClock = {
      ...inTime,
      after: (ms, run) => {
        const lateness = late ? 600 : 0;
        late = false;
        return inTime.after(ms + lateness, run);
      },
    };
    const { agent, reads } = rig({ clock });
    agent.start();
    clock.advance(3600);
    const [first = 0] = reads;
    assert.deepEqual(
      reads.map((at) => at - first),
      [0, 1500, 2700, 3600],
    );
  });
});

describe('a source that is slower than the ticks', () => {
  test('is held against its own last reading, and gives no sample in between', () => {
    const { agent, clock, samples } = rig({
      read: (nowMs) => ((nowMs - 1000) % 2700 === 0 ? halfBusy(nowMs) : {}),
    });
    agent.start();
    clock.advance(2 * 2700);
    assert.deepEqual(
      samples.map(({ sample }) => sample.cpu),
      [50, 50],
    );
  });
});

describe('windows', () => {
  test('are aligned to the wall clock and labelled with their start, the first one partial', () => {
    const { agent, clock, windows } = rig({ wallMs: NOON + 45_000 });
    agent.start();
    clock.advance(MINUTE + 16_000);
    assert.deepEqual(
      windows.map(({ startMs, endMs }) => [startMs - NOON, endMs - NOON]),
      [
        [0, MINUTE],
        [MINUTE, 2 * MINUTE],
      ],
    );
    assert.equal(windows[0]?.samples, 16);
    assert.ok([66, 67].includes(windows[1]?.samples ?? 0));
  });

  test('carry the median and the maximum', () => {
    const { agent, clock, windows } = rig();
    agent.start();
    clock.advance(MINUTE + 900);
    assert.deepEqual(values(windows[0]), {
      CPUUtilization: [50],
      MemoryUtilization: [25],
      MaxMemoryUtilization: [25],
    });
  });

  test('every sample is in exactly one window', async () => {
    const { agent, clock, windows, samples } = rig({ periodMs: 7000 });
    agent.start();
    clock.advance(100_000);
    await agent.stop(clock.monoMs() + 8000);
    const counted = windows.reduce((sum, window) => sum + window.samples, 0);
    assert.equal(counted, samples.length);
    assert.equal(new Set(windows.map(({ startMs }) => startMs)).size, windows.length);
  });

  test('a window in which nothing could be measured sends nothing', async () => {
    const nothing: Reading = { ticks: { missing: 'gone' }, memory: { missing: 'gone' } };
    const { agent, clock, windows } = rig({ read: () => nothing });
    agent.start();
    clock.advance(3 * MINUTE);
    await agent.stop(clock.monoMs());
    assert.deepEqual(windows, []);
  });

  test('SampleCount counts the samples', () => {
    const metrics = CATALOG.filter(({ name }) => name === 'SampleCount');
    const aggregate = {
      metrics,
      statistics: 'median',
      valuesPerDatum: 150,
      compatFraction: false,
    } as const;
    const { agent, clock, windows } = rig({ aggregate });
    agent.start();
    clock.advance(MINUTE + 900);
    assert.deepEqual(values(windows[0]), { SampleCount: [windows[0]?.samples] });
  });
});

describe('a wall clock that jumps', () => {
  test('forward closes the window at once and loses no sample', () => {
    const { agent, clock, windows, samples } = rig();
    agent.start();
    clock.advance(9000);
    clock.setWall(NOON + 3_600_000 + 5000);
    clock.advance(MINUTE);
    assert.deepEqual(
      windows.map(({ startMs }) => startMs - NOON),
      [0, 3_600_000],
    );
    assert.equal(windows[0]?.samples, 10);
    assert.ok((windows[0]?.samples ?? 0) + (windows[1]?.samples ?? 0) <= samples.length);
  });

  test('back by seconds keeps the window open until its end comes again', async () => {
    const { agent, clock, windows, samples } = rig();
    agent.start();
    clock.advance(30_000);
    clock.setWall(NOON + 10_000);
    clock.advance(49_000);
    assert.equal(windows.length, 0);
    clock.advance(2000);
    assert.deepEqual(
      windows.map(({ startMs }) => startMs - NOON),
      [0],
    );
    await agent.stop(clock.monoMs());
    const counted = windows.reduce((sum, window) => sum + window.samples, 0);
    assert.equal(counted, samples.length);
  });

  test('back over a boundary labels no window twice', () => {
    const { agent, clock, windows } = rig();
    agent.start();
    clock.advance(MINUTE + 5000);
    clock.setWall(NOON + 50_000);
    clock.advance(3 * MINUTE);
    const starts = windows.map(({ startMs }) => startMs);
    assert.deepEqual(starts, [...new Set(starts)].sort());
  });

  test('back by a year is followed, and said', () => {
    const { agent, clock, windows, logged } = rig();
    agent.start();
    clock.advance(30_000);
    const yearBefore = NOON - 365 * 24 * 60 * MINUTE;
    clock.setWall(yearBefore);
    clock.advance(2 * MINUTE);
    assert.deepEqual(
      windows.map(({ startMs }) => startMs),
      [NOON, yearBefore],
    );
    assert.equal(logged.filter((line) => line.includes('set back')).length, 1);
  });
});

describe('the stop', () => {
  test('takes a last sample where half a second has passed', async () => {
    const { agent, clock, windows, samples } = rig();
    agent.start();
    clock.advance(900 + 500);
    await agent.stop(clock.monoMs() + 8000);
    assert.equal(samples.length, 2);
    assert.equal(windows[0]?.samples, 2);
    assert.equal(windows[0]?.endMs, NOON + 1400);
  });

  test('skips a last sample that would be younger', async () => {
    const { agent, clock, samples } = rig();
    agent.start();
    clock.advance(900 + 499);
    await agent.stop(clock.monoMs() + 8000);
    assert.equal(samples.length, 1);
  });

  test('takes the only sample of a job that lived 0.3 s', async () => {
    const { agent, clock, windows } = rig();
    agent.start();
    clock.advance(300);
    await agent.stop(clock.monoMs() + 8000);
    assert.deepEqual(values(windows[0])['CPUUtilization'], [50]);
  });

  test('leaves no task behind, and a second call gets the same answer', async () => {
    const { agent, clock, reads } = rig();
    agent.start();
    clock.advance(5000);
    const first = agent.stop(clock.monoMs() + 8000);
    const second = agent.stop(clock.monoMs() + 8000);
    assert.equal(await first, await second);
    const before = reads.length;
    clock.advance(MINUTE);
    assert.deepEqual([clock.pending(), reads.length], [0, before]);
  });

  test('one window that is not aligned lasts from the start to the stop', async () => {
    const { agent, clock, windows } = rig({ aligned: false, wallMs: NOON + 17_000 });
    agent.start();
    clock.advance(MINUTE);
    await agent.stop(clock.monoMs() + 8000);
    assert.deepEqual(
      windows.map(({ startMs, endMs }) => [startMs - NOON, endMs - NOON]),
      [[17_000, 77_000]],
    );
    assert.equal(windows[0]?.samples, 67);
  });
});

describe('a group that cannot be read', () => {
  test('is said once, comes back by itself, and the other goes on', () => {
    let broken = false;
    const { agent, clock, samples, logged } = rig({
      read: (nowMs) =>
        broken ? { ...halfBusy(nowMs), ticks: { missing: '/proc/stat: ENOENT' } } : halfBusy(nowMs),
    });
    agent.start();
    clock.advance(900);
    broken = true;
    clock.advance(3 * 900);
    broken = false;
    clock.advance(2 * 900);
    assert.deepEqual(
      samples.map(({ sample }) => [sample.cpu, sample.memory]),
      [
        [50, 25],
        [undefined, 25],
        [undefined, 25],
        [undefined, 25],
        [undefined, 25],
        [50, 25],
      ],
    );
    const warnings = logged.filter((line) => line.includes(' warn '));
    assert.equal(warnings.length, 2);
    assert.match(warnings[0] ?? '', /ticks cannot be measured reason="\/proc\/stat: ENOENT"/);
    assert.match(warnings[1] ?? '', /ticks is measured again/);
  });
});
