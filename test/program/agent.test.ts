import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Agent, type AgentOptions } from '../../src/agent.ts';
import { createLog } from '../../src/log.ts';
import type { ClosedWindow } from '../../src/metrics/aggregate.ts';
import { CATALOG, defaultMetrics } from '../../src/metrics/catalog.ts';
import { type Figures, PLACES } from '../../src/metrics/figures.ts';
import { Labels } from '../../src/metrics/labels.ts';
import { Window } from '../../src/metrics/window.ts';
import type { Sink } from '../../src/sinks/sink.ts';
import type { Source } from '../../src/sources/source.ts';
import { type DrivenClock, drivenClock } from '../support/clock.ts';
import { type Told, toldBy } from '../support/figures.ts';

/** 2026-01-01T12:00:00Z, a whole minute. */
const NOON = Date.UTC(2026, 0, 1, 12);
const SECOND = 1000;
const MINUTE = 60_000;
const HOUR = 3_600_000;

/** What a source measures at an instant; `scope` where it is another one than before. */
interface Measured {
  readonly told?: Told;
  readonly absent?: Readonly<Record<string, string>>;
  readonly scope?: number;
}

/** A machine whose CPUs are half busy, which takes two readings to tell. */
function halfBusy(_nowMs: number, isFirst: boolean): Measured {
  return { told: isFirst ? { memory: 25 } : { cpu: 50, memory: 25 } };
}

/** A source by what it measures. */
class MadeSource implements Source {
  readonly absent = new Map<string, string>();
  /** Monotonic times of all readings. */
  readonly reads: number[] = [];
  scopeNumber: number;
  isClosed = false;
  readonly #measure: (nowMs: number, isFirst: boolean) => Measured;

  constructor(measure: (nowMs: number, isFirst: boolean) => Measured, scope: number) {
    this.#measure = measure;
    this.scopeNumber = scope;
  }

  describe(): string {
    return `scope=test-${this.scopeNumber}`;
  }

  measure(nowMs: number, figures: Figures): boolean {
    const {
      told = {},
      absent = {},
      scope = this.scopeNumber,
    } = this.#measure(nowMs, this.reads.length === 0);
    this.reads.push(nowMs);
    let series: keyof Told;
    for (series in told) figures[PLACES[series]] = told[series] ?? Number.NaN;
    const before = JSON.stringify([...this.absent, this.scopeNumber]);
    this.scopeNumber = scope;
    this.absent.clear();
    for (const [name, reason] of Object.entries(absent)) this.absent.set(name, reason);
    return before !== JSON.stringify([...this.absent, this.scopeNumber]);
  }

  close(): void {
    this.isClosed = true;
  }
}

interface Sampled {
  readonly told: Told;
  readonly wallMs: number;
}

interface Rig {
  readonly agent: Agent;
  readonly clock: DrivenClock;
  readonly source: MadeSource;
  readonly window: Window;
  readonly windows: ClosedWindow[];
  readonly samples: Sampled[];
  readonly reads: readonly number[];
  readonly logged: string[];
  readonly hurried: readonly number[];
}

interface RigOptions extends Partial<AgentOptions> {
  readonly uptimeMs?: () => number;
  readonly clock?: DrivenClock;
  readonly measure?: (nowMs: number, isFirst: boolean) => Measured;
  readonly scope?: number;
  readonly wallMs?: number;
}

function rig({ measure = halfBusy, scope = 0, wallMs = NOON, ...over }: RigOptions = {}): Rig {
  const clock = over.clock ?? drivenClock(wallMs);
  const { periodMs = MINUTE, aligned: isAligned = true } = over;
  const { uptimeMs = () => clock.monoMs() + 5000 } = over;
  const windows: ClosedWindow[] = [];
  const samples: Sampled[] = [];
  const logged: string[] = [];
  const hurried: number[] = [];
  const source = new MadeSource(measure, scope);
  const window = over.window ?? new Window();
  const outcome = { spooled: 0, lost: 0, lostAtEnd: 0, isStuck: false };
  const sink: Sink = {
    accept: (closed) => windows.push(closed),
    flush: () => Promise.resolve({ sent: windows.length, ...outcome }),
    hurry: (deadlineMs) => hurried.push(deadlineMs),
    status: () => ({}),
  };
  const write = (line: string): void => {
    logged.push(line);
  };
  const agent = new Agent({
    source,
    sink,
    clock,
    log: createLog({ level: 'debug', format: 'text', clock, write }),
    intervalMs: 900,
    periodMs: MINUTE,
    aligned: true,
    window,
    labels: new Labels({ clock, uptimeMs, periodMs, isAligned }),
    aggregate: {
      metrics: defaultMetrics('median'),
      statistics: 'median',
      valuesPerDatum: 150,
      compatFraction: false,
    },
    onSample: (figures, atMs) => samples.push({ told: toldBy(figures), wallMs: atMs }),
    ...over,
  });
  return { agent, clock, source, window, windows, samples, reads: source.reads, logged, hurried };
}

/** When windows begin and end, in ms from noon. */
function spans(windows: readonly ClosedWindow[]): [startMs: number, endMs: number][] {
  return windows.map(({ startMs, endMs }) => [startMs - NOON, endMs - NOON]);
}

function starts(windows: readonly ClosedWindow[]): number[] {
  return windows.map(({ startMs }) => startMs - NOON);
}

function countOf(windows: readonly ClosedWindow[]): number {
  return windows.reduce((sum, { samples }) => sum + samples, 0);
}

function values(window: ClosedWindow | undefined): Record<string, readonly number[]> {
  return Object.fromEntries((window?.data ?? []).map(({ name, values }) => [name, values]));
}

describe('the tick', () => {
  test('the first measurement is a baseline and no sample', () => {
    const { agent, clock, samples, reads, window } = rig();
    agent.start();
    clock.advance(899);
    assert.deepEqual([reads.length, samples.length, window.samples], [1, 0, 0]);
    clock.advance(1);
    assert.deepEqual(samples, [{ told: { cpu: 50, memory: 25 }, wallMs: NOON + 900 }]);
    assert.equal(window.samples, 1);
  });

  test('each measurement begins with figures that tell nothing', () => {
    let told: Told = { cpu: 50, memory: 25 };
    const { agent, clock, samples } = rig({ measure: () => ({ told }) });
    agent.start();
    clock.advance(900);
    told = { cpu: 60 };
    clock.advance(900);
    assert.deepEqual(
      samples.map((sample) => sample.told),
      [{ cpu: 50, memory: 25 }, { cpu: 60 }],
    );
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
  test('gives no sample in between', () => {
    const { agent, clock, samples, reads, window } = rig({
      measure: (nowMs, isFirst) => ((nowMs - 1000) % 2700 === 0 ? halfBusy(nowMs, isFirst) : {}),
    });
    agent.start();
    clock.advance(2 * 2700);
    assert.deepEqual(
      samples.map(({ told }) => told.cpu),
      [50, 50],
    );
    assert.deepEqual([reads.length, window.samples], [7, 2]);
  });
});

describe('windows', () => {
  test('are aligned to the wall clock and labelled with their start, the first one partial', () => {
    const { agent, clock, windows } = rig({ wallMs: NOON + 45_000 });
    agent.start();
    clock.advance(MINUTE + 16_000);
    assert.deepEqual(spans(windows), [
      [0, MINUTE],
      [MINUTE, 2 * MINUTE],
    ]);
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
    assert.equal(countOf(windows), samples.length);
    assert.equal(new Set(windows.map(({ startMs }) => startMs)).size, windows.length);
  });

  test('a window in which nothing could be measured sends nothing', async () => {
    const absent = { cpu: 'gone', memory: 'gone' };
    const { agent, clock, windows, samples } = rig({ measure: () => ({ absent }) });
    agent.start();
    clock.advance(3 * MINUTE);
    await agent.stop(clock.monoMs());
    assert.deepEqual([windows, samples], [[], []]);
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
    assert.deepEqual(values(windows[0]), { SampleCount: [66] });
    assert.equal(windows[0]?.samples, 66);
  });

  test('the first one is called by the minute in which it began, however late in it', () => {
    const { agent, clock, windows } = rig({ wallMs: NOON + 59_400, intervalMs: 100 });
    agent.start();
    clock.advance(61 * SECOND);
    assert.deepEqual(starts(windows), [0, MINUTE]);
    assert.equal(windows[0]?.samples, 5);
  });

  test('a number that no source measures goes into the open one', () => {
    const metrics = CATALOG.filter(({ name }) => name === 'PublishErrors');
    const aggregate = {
      metrics,
      statistics: 'median',
      valuesPerDatum: 150,
      compatFraction: false,
    } as const;
    const { agent, clock, windows, samples } = rig({ aggregate });
    agent.start();
    clock.advance(30 * SECOND);
    agent.note('publishErrors', 1);
    agent.note('publishErrors', 2);
    clock.advance(31 * SECOND);
    agent.note('publishErrors', 5);
    clock.advance(MINUTE);
    assert.deepEqual(windows.map(values), [{ PublishErrors: [3] }, { PublishErrors: [5] }]);
    assert.equal(windows[0]?.samples, 66);
    assert.equal(samples.length, countOf(windows) + 1);
  });
});

/** 10:41, in ms from noon. */
const FORENOON = -79 * MINUTE;

describe('a wall clock that is set', () => {
  const steps: [what: string, byMs: number, atMs: number, labels: number[]][] = [
    ['forward by two hours', 2 * HOUR, 30 * SECOND, [2 * HOUR, 2 * HOUR + MINUTE]],
    ['back by two hours', -2 * HOUR, 30 * SECOND, [-2 * HOUR, -2 * HOUR + MINUTE]],
    ['forward by a year', 8760 * HOUR, 9 * SECOND, [8760 * HOUR, 8760 * HOUR + MINUTE]],
    ['back by a year', -8760 * HOUR, 55 * SECOND, [-8760 * HOUR, -8760 * HOUR + MINUTE]],
  ];
  for (const [what, byMs, atMs, labels] of steps) {
    test(`${what} in the middle of a window is what that window is called by, and said`, () => {
      const { agent, clock, windows, samples, logged } = rig({ wallMs: NOON + FORENOON });
      agent.start();
      clock.advance(MINUTE + atMs);
      clock.setWall(clock.wallMs() + byMs);
      clock.advance(2 * MINUTE - atMs + SECOND);
      assert.deepEqual(starts(windows), [
        FORENOON,
        ...labels.map((label) => FORENOON + MINUTE + label),
      ]);
      for (const { startMs, endMs } of windows) assert.equal(endMs - startMs, MINUTE);
      assert.ok(samples.length - countOf(windows) <= 2, 'no sample is lost');
      const said = logged.filter((line) => line.includes('the wall clock was set'));
      assert.equal(said.length, 1);
      assert.match(said[0] ?? '', new RegExp(`bySeconds=${byMs / SECOND}`));
    });
  }

  test('to the middle of a minute begins no window before its time, and skips no minute', () => {
    const { agent, clock, windows } = rig();
    agent.start();
    clock.advance(30 * SECOND);
    // 12:00:30 becomes 12:05:50: the window that began at 12:00 began at 12:05:20.
    clock.setWall(NOON + 5 * MINUTE + 50 * SECOND);
    clock.advance(31 * SECOND);
    assert.deepEqual(starts(windows), [5 * MINUTE]);
    // The next one began at 12:06:20, and ends with its minute.
    clock.advance(40 * SECOND);
    clock.advance(MINUTE);
    assert.deepEqual(
      starts(windows),
      [5, 6, 7].map((minute) => minute * MINUTE),
    );
  });

  test('back by seconds gives windows of their own labels, and loses no sample', async () => {
    const { agent, clock, windows, samples } = rig();
    agent.start();
    clock.advance(30 * SECOND);
    clock.setWall(NOON + 10 * SECOND);
    clock.advance(3 * MINUTE);
    await agent.stop(clock.monoMs());
    const labels = starts(windows);
    assert.deepEqual(
      labels,
      [...new Set(labels)].sort((a, b) => a - b),
    );
    assert.equal(countOf(windows), samples.length);
  });

  test('back over a boundary labels no window twice', () => {
    const { agent, clock, windows } = rig();
    agent.start();
    clock.advance(MINUTE + 5000);
    clock.setWall(NOON + 50 * SECOND);
    clock.advance(3 * MINUTE);
    const labels = starts(windows);
    assert.deepEqual([...new Set(labels)], labels);
  });

  test('back by hours that were published: their labels are a second beside those', () => {
    const { agent, clock, windows } = rig();
    agent.start();
    clock.advance(5 * HOUR + 30 * SECOND);
    clock.setWall(clock.wallMs() - 3 * HOUR);
    clock.advance(4 * HOUR);
    const labels = starts(windows);
    assert.equal(new Set(labels).size, labels.length);
    const after = labels.slice(5 * 60);
    // From 14:00 on again; the hours after 17:00 have not been published before.
    const expected = Array.from({ length: after.length }, (_, minute) => {
      const label = 2 * HOUR + minute * MINUTE;
      return label < 5 * HOUR ? label + SECOND : label;
    });
    assert.deepEqual(after, expected);
  });

  test('again and again labels no window twice', () => {
    const { agent, clock, windows } = rig({ periodMs: 10 * SECOND });
    agent.start();
    for (let step = 0; step < 200; step += 1) {
      clock.advance(37 * SECOND);
      clock.setWall(NOON + ((step * 7919) % 600) * SECOND + step);
    }
    const labels = starts(windows);
    assert.ok(labels.length > 500);
    assert.equal(new Set(labels).size, labels.length);
  });

  test('within windows of a second labels none twice', () => {
    const { agent, clock, windows } = rig({ periodMs: SECOND, intervalMs: 500 });
    agent.start();
    clock.advance(30 * SECOND);
    clock.setWall(NOON + 10 * SECOND);
    clock.advance(30 * SECOND);
    const labels = starts(windows);
    assert.ok(labels.length >= 55);
    assert.equal(new Set(labels).size, labels.length);
  });

  test('counts for the one window of a run that is not aligned, too', async () => {
    const { agent, clock, windows } = rig({ aligned: false });
    agent.start();
    clock.advance(30 * SECOND);
    clock.setWall(clock.wallMs() + HOUR);
    clock.advance(30 * SECOND);
    await agent.stop(clock.monoMs());
    assert.deepEqual(spans(windows), [[HOUR, HOUR + MINUTE]]);
  });
});

describe('a machine that was suspended', () => {
  test('keeps the label of the window in which that was', () => {
    const inTime = drivenClock(NOON);
    let suspendedMs = 0;
    const { agent, clock, windows, logged } = rig({
      clock: inTime,
      uptimeMs: () => inTime.monoMs() + suspendedMs,
    });
    agent.start();
    clock.advance(30 * SECOND);
    suspendedMs = 2 * HOUR;
    clock.setWall(clock.wallMs() + suspendedMs);
    clock.advance(2 * MINUTE);
    assert.deepEqual(starts(windows), [0, 2 * HOUR + MINUTE]);
    assert.deepEqual(spans(windows)[0], [0, MINUTE]);
    assert.deepEqual(
      logged.filter((line) => line.includes('was set')),
      [],
    );
  });

  test('and whose clock was set besides is called by what was set', () => {
    const inTime = drivenClock(NOON);
    let suspendedMs = 0;
    const { agent, clock, windows } = rig({
      clock: inTime,
      uptimeMs: () => inTime.monoMs() + suspendedMs,
    });
    agent.start();
    clock.advance(30 * SECOND);
    suspendedMs = 2 * HOUR;
    clock.setWall(clock.wallMs() + 3 * HOUR);
    clock.advance(MINUTE);
    assert.deepEqual(starts(windows), [HOUR]);
  });

  test('where the time since the boot is not known is called by the clock', () => {
    const { agent, clock, windows } = rig({ uptimeMs: () => Number.NaN });
    agent.start();
    clock.advance(30 * SECOND);
    clock.setWall(clock.wallMs() + HOUR);
    clock.advance(MINUTE);
    assert.deepEqual(starts(windows), [HOUR]);
  });
});

describe('a wall clock that is slowly corrected', () => {
  /** One that runs by so much faster or slower than the monotonic one. */
  function slewed(share: number): DrivenClock {
    const inTime = drivenClock(NOON);
    const startMs = inTime.monoMs();
    return { ...inTime, wallMs: () => inTime.wallMs() + (inTime.monoMs() - startMs) * share };
  }

  for (const share of [0.0005, -0.0005]) {
    for (const periodMs of [10 * SECOND, MINUTE, HOUR]) {
      const how = share > 0 ? 'hastened' : 'slowed';
      test(`and ${how} moves no window of ${periodMs / SECOND} s into another bucket`, () => {
        const { agent, clock, windows, samples, logged } = rig({ clock: slewed(share), periodMs });
        agent.start();
        clock.advance(20 * periodMs + 20 * SECOND);
        const labels = starts(windows);
        assert.deepEqual(
          labels,
          Array.from(labels, (_, index) => index * periodMs),
        );
        // The last one is closed by the first tick behind its end.
        const periods = (clock.wallMs() - NOON) / periodMs;
        assert.ok(labels.length > periods - 1.2 && labels.length < periods + 0.1);
        const each = periodMs / 900;
        for (const { samples: count } of windows) {
          assert.ok(count > each - 2 - each / 1000 && count < each + 2 + each / 1000, `${count}`);
        }
        assert.ok(samples.length - countOf(windows) <= each + 2);
        assert.deepEqual(
          logged.filter((line) => line.includes('was set')),
          [],
        );
      });
    }
  }

  test('by a second in one step moves no window either', () => {
    const { agent, clock, windows } = rig({ periodMs: 10 * SECOND });
    agent.start();
    clock.advance(15 * SECOND);
    clock.setWall(clock.wallMs() - 900);
    clock.advance(45 * SECOND);
    assert.deepEqual(
      starts(windows),
      [0, 10, 20, 30, 40].map((second) => second * SECOND),
    );
  });
});

describe('a scope that changes', () => {
  /** The second scope tells other numbers, after a baseline of its own. */
  function moving(changeMs: number): (nowMs: number, isFirst: boolean) => Measured {
    let hasChanged = false;
    return (nowMs, isFirst) => {
      if (nowMs - 1000 < changeMs) return halfBusy(nowMs, isFirst);
      const told: Told = hasChanged ? { cpu: 10, memory: 5 } : { memory: 5 };
      hasChanged = true;
      return { told, scope: 1 };
    };
  }

  test('leaves nothing of the scope before in the window, and that is said', () => {
    const { agent, clock, windows, logged } = rig({ measure: moving(30 * SECOND) });
    agent.start();
    clock.advance(MINUTE + SECOND);
    assert.deepEqual(values(windows[0]), {
      CPUUtilization: [10],
      MemoryUtilization: [5],
      MaxMemoryUtilization: [5],
    });
    assert.deepEqual(starts(windows), [0]);
    // Ticks at 0.9, 1.8 … 29.7 s were of the scope before.
    assert.equal(windows[0]?.samples, 66 - 33);
    const said = logged.filter((line) => line.includes('the scope has changed'));
    assert.equal(said.length, 1);
    assert.match(said[0] ?? '', /scope="?scope=test-1"? samplesDiscarded=33/);
  });

  test('leaves closed windows as they are', () => {
    const { agent, clock, windows } = rig({ measure: moving(MINUTE + 30 * SECOND) });
    agent.start();
    clock.advance(2 * MINUTE + SECOND);
    assert.deepEqual(
      windows.map((window) => values(window)['CPUUtilization']),
      [[50], [10]],
    );
  });

  test('before the first measurement is none', () => {
    const { agent, clock, logged } = rig({ scope: 3, measure: (...at) => halfBusy(...at) });
    agent.start();
    clock.advance(MINUTE);
    assert.deepEqual(
      logged.filter((line) => line.includes('the scope has changed')),
      [],
    );
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
    const { agent, clock, reads, source } = rig();
    agent.start();
    clock.advance(5000);
    const first = agent.stop(clock.monoMs() + 8000);
    const second = agent.stop(clock.monoMs() + 8000);
    assert.equal(await first, await second);
    const before = reads.length;
    clock.advance(MINUTE);
    assert.deepEqual([clock.pending(), reads.length, source.isClosed], [0, before, true]);
  });

  test('one window that is not aligned lasts from the start to the stop', async () => {
    const { agent, clock, windows } = rig({ aligned: false, wallMs: NOON + 17_000 });
    agent.start();
    clock.advance(MINUTE);
    await agent.stop(clock.monoMs() + 8000);
    assert.deepEqual(spans(windows), [[17_000, 77_000]]);
    assert.equal(windows[0]?.samples, 67);
  });
});

describe('hurry', () => {
  test('publishes what there is, and the rest under its own first second', async () => {
    const { agent, clock, windows, samples } = rig();
    agent.start();
    clock.advance(10_500);
    agent.hurry(Number.POSITIVE_INFINITY);
    assert.deepEqual(spans(windows), [[0, 10_500]]);
    clock.advance(5000);
    await agent.stop(clock.monoMs());
    assert.deepEqual(starts(windows), [0, 10_000]);
    assert.equal(countOf(windows), samples.length);
  });

  test('after the stop adds no window, and hands its deadline on', async () => {
    const { agent, clock, windows, reads, hurried } = rig();
    agent.start();
    clock.advance(10_500);
    const stopped = agent.stop(clock.monoMs() + 8000);
    const [closed, read] = [windows.length, reads.length];
    clock.advance(1000);
    agent.hurry(4242);
    await stopped;
    assert.deepEqual([windows.length, reads.length, hurried], [closed, read, [4242]]);
  });
});

describe('what cannot be measured', () => {
  test('is said once, comes back by itself, and the rest goes on', () => {
    let absent: Readonly<Record<string, string>> = {};
    const { agent, clock, samples, logged } = rig({
      measure: (nowMs, isFirst) =>
        'cpu' in absent ? { told: { memory: 25 }, absent } : halfBusy(nowMs, isFirst),
    });
    agent.start();
    clock.advance(900);
    absent = { cpu: '/proc/stat: ENOENT' };
    clock.advance(3 * 900);
    absent = {};
    clock.advance(2 * 900);
    assert.deepEqual(
      samples.map(({ told }) => [told.cpu, told.memory]),
      [
        [50, 25],
        [undefined, 25],
        [undefined, 25],
        [undefined, 25],
        [50, 25],
        [50, 25],
      ],
    );
    const warnings = logged.filter((line) => line.includes(' warn '));
    assert.equal(warnings.length, 2);
    assert.match(warnings[0] ?? '', /cpu cannot be measured reason="\/proc\/stat: ENOENT"/);
    assert.match(warnings[1] ?? '', /cpu is measured again/);
  });

  test('for another reason than before is not said again', () => {
    const reasons = ['ENOENT', 'EACCES', 'empty', 'EACCES'];
    const { agent, clock, logged } = rig({
      measure: () => ({ told: { memory: 25 }, absent: { cpu: reasons.shift() ?? 'gone' } }),
    });
    agent.start();
    clock.advance(20 * 900);
    const warnings = logged.filter((line) => line.includes(' warn '));
    assert.equal(warnings.length, 1);
    assert.match(warnings[0] ?? '', /cpu cannot be measured reason=ENOENT/);
  });

  test('with all metrics asked for is no warning where the scope never had it, but for CPU and memory', () => {
    let told: Told = {};
    let absent: Record<string, string> = { swap: 'none', cpu: 'gone' };
    const { agent, clock, logged } = rig({ wantsAll: true, measure: () => ({ told, absent }) });
    const lines = (): string[] => logged.splice(0).map((line) => line.replace(/^\S+ /, ''));
    agent.start();
    assert.deepEqual(lines().slice(0, 2), [
      'info swap cannot be measured reason=none',
      'warn cpu cannot be measured reason=gone',
    ]);
    told = { memory: 25 };
    absent = {};
    clock.advance(900);
    assert.deepEqual(lines(), ['info swap is measured again', 'warn cpu is measured again']);
    absent = { swap: 'EIO' };
    clock.advance(900);
    assert.deepEqual(lines(), ['warn swap cannot be measured reason=EIO']);
  });

  test('from the first measurement on is said at the start', () => {
    const { agent, logged } = rig({ measure: () => ({ absent: { swap: 'none', cpu: 'gone' } }) });
    agent.start();
    const warnings = logged.filter((line) => line.includes(' warn '));
    assert.equal(warnings.length, 2);
  });
});

test('the state tells the last figures, and how many samples the open window holds', () => {
  let told: Told = { cpu: 100 / 3, memory: 25 };
  const { agent, clock } = rig({ measure: () => ({ told }) });
  agent.start();
  assert.deepEqual(agent.status(), {
    upSeconds: 0,
    samples: 0,
    samplesInWindow: 0,
    cpuPercent: undefined,
    memoryPercent: undefined,
    scope: agent.scope,
    lastSample: undefined,
    notMeasured: undefined,
  });
  clock.advance(9000);
  told = { memory: 50 };
  clock.advance(900);
  assert.deepEqual(agent.status(), {
    upSeconds: 10,
    samples: 11,
    samplesInWindow: 11,
    cpuPercent: 33.33,
    memoryPercent: 50,
    scope: agent.scope,
    lastSample: new Date(clock.wallMs()).toISOString(),
    notMeasured: undefined,
  });
});

test('figures that are not published are shown, and make no window', () => {
  const window = new Window(['swap']);
  const { agent, clock, windows, samples } = rig({ window });
  agent.start();
  clock.advance(MINUTE + 900);
  assert.deepEqual([windows.length, samples.length], [0, 67]);
  assert.equal(agent.status()['cpuPercent'], 50);
});
