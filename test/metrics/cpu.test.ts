import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { coresFit, putTicks, ticksFit, utilization } from '../../src/metrics/cpu.ts';
import { putBy, rounded, type Told } from '../support/figures.ts';

const { NaN: UNKNOWN, POSITIVE_INFINITY: ALL } = Number;

function ticks(busy: number, steal: number, idle: number, online = 4, cores = ALL): Told {
  return putBy((figures) => putTicks(figures, busy, steal, idle, online, cores));
}

describe('ticks of a machine', () => {
  const rows: [what: string, told: Told, expected: Told][] = [
    ['of which none is busy', ticks(0, 0, 360), { cpu: 0, cpuCores: 0, cpuSteal: 0 }],
    ['that are all busy', ticks(360, 0, 0), { cpu: 100, cpuCores: 4, cpuSteal: 0 }],
    ['that are half busy', ticks(180, 0, 180), { cpu: 50, cpuCores: 2, cpuSteal: 0 }],
    ['with stolen ones, a share of all', ticks(50, 10, 50), { cpu: 50, cpuCores: 2, cpuSteal: 10 }],
    ['that are all stolen', ticks(90, 90, 0), { cpu: 100, cpuCores: 4, cpuSteal: 100 }],
    ['that stand still', ticks(0, 0, 0), {}],
    ['past 2^53', ticks(2 ** 60, 0, 2 ** 60), { cpu: 50, cpuCores: 2, cpuSteal: 0 }],
    [
      'of a task, which count by the task’s cores',
      ticks(25, 10, 75, 4, 2),
      { cpu: 50, cpuCores: 1, cpuSteal: 10 },
    ],
    [
      'of which a task has all that it may use, and others the rest',
      ticks(75, 0, 25, 4, 2),
      { cpu: 100, cpuCores: 3, cpuSteal: 0 },
    ],
    [
      'of a task that may use more than there is',
      ticks(25, 0, 75, 4, 8),
      { cpu: 25, cpuCores: 1, cpuSteal: 0 },
    ],
    [
      'of CPUs whose number is not known: a share, and no cores',
      ticks(25, 0, 75, UNKNOWN),
      { cpu: 25, cpuSteal: 0 },
    ],
  ];
  for (const [what, told, expected] of rows) {
    test(what, () => assert.deepEqual(rounded(told), expected));
  }

  test('are no share of a task’s cores where nobody knows of how many CPUs they are', () => {
    const put = (): Told => ticks(25, 0, 75, UNKNOWN, 2);
    assert.throws(put, { name: 'NoDataError', message: /how many CPUs are online/ });
  });

  test('are 0 to 100 percent, whatever they are', () => {
    const count = fc.oneof(fc.nat(1000), fc.nat({ max: 2 ** 46 }));
    const cpus = fc.integer({ min: 1, max: 1024 });
    const limit = fc.oneof(fc.constant(ALL), fc.double({ min: 0.01, max: 2000, noNaN: true }));
    fc.assert(
      fc.property(count, count, count, cpus, limit, (used, steal, idle, online, cores) => {
        const { cpu, cpuCores, cpuSteal } = ticks(used + steal, steal, idle, online, cores);
        if (used + steal + idle === 0) return assert.equal(cpu, undefined);
        for (const percent of [cpu, cpuSteal]) {
          assert.ok(percent !== undefined && percent >= 0 && percent <= 100, String(percent));
        }
        assert.ok(cpuCores !== undefined && cpuCores >= 0 && cpuCores <= online);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('what can have been used', () => {
  // A tenth and 50 ms beyond the span are what clocks explain: at 900 ms, 1.1555… of each CPU.
  const fits: [cores: number, spanMs: number, cpus: number, isPossible: boolean][] = [
    [0, 900, 4, true],
    [4, 900, 4, true],
    [4.6, 900, 4, true],
    [4.63, 900, 4, false],
    [8, 900, 4, false],
    [2e8, 900, 4, false],
    [1.5, 100, 1, true],
    [1.7, 100, 1, false],
    [5, 10, 1, true],
    [8, 900, UNKNOWN, true],
    [UNKNOWN, 900, 4, true],
  ];
  for (const [cores, spanMs, cpus, isPossible] of fits) {
    const verb = isPossible ? 'can' : 'cannot';
    test(`${cores} cores within ${spanMs} ms ${verb} be of ${cpus} CPUs`, () => {
      assert.equal(coresFit(cores, spanMs, cpus), isPossible);
      // A tick is 10 ms.
      const [count, more] = [(cores * spanMs) / 10, 0.999];
      assert.equal(ticksFit(count * (isPossible ? more : 1), spanMs, cpus), isPossible);
    });
  }
});

describe('use against a limit', () => {
  const shares: [what: string, used: number, cores: number, percent: number][] = [
    ['nothing', 0, 0.5, 0],
    ['half of it', 0.25, 0.5, 50],
    ['all of it', 0.5, 0.5, 100],
    ['more than it, by the refills of the quota', 0.52, 0.5, 100],
    ['as much above it as a span of 1 s explains', 0.649, 0.5, 100],
  ];
  for (const [what, used, cores, percent] of shares) {
    test(`${what}: ${percent} %`, () => assert.equal(utilization(used, cores, 1000), percent));
  }

  test('that nothing explains is said, not cut', () => {
    assert.throws(() => utilization(0.66, 0.5, 1000), {
      name: 'NoDataError',
      message: '0.66 cores were in use of 0.5, which cannot be',
    });
    // Two refills weigh less in a longer span, and more in a shorter one.
    assert.throws(() => utilization(0.6, 0.5, 10_000), { name: 'NoDataError' });
    assert.equal(utilization(0.75, 0.5, 400), 100);
  });
});
