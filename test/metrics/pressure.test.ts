import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { putSpace, putStalled } from '../../src/metrics/pressure.ts';
import { putBy, type Told } from '../support/figures.ts';

function stalled(usec: number, spanMs: number): Told {
  return putBy((figures) => putStalled(figures, 'cpuPressure', usec, spanMs));
}

describe('pressure', () => {
  const rows: [what: string, usec: number, spanMs: number, told: Told][] = [
    ['is the share of time in which some task waited', 250_000, 1000, { cpuPressure: 25 }],
    ['is 0 where none waited', 0, 1000, { cpuPressure: 0 }],
    ['is all where one always waited', 1_000_000, 1000, { cpuPressure: 100 }],
    ['reckoned at another instant is still all', 1_090_000, 1000, { cpuPressure: 100 }],
    ['is absent where the counter ran backwards', -10, 1000, {}],
    ['is absent where no time has passed', 10, 0, {}],
    ['is absent where time ran backwards', 10, -900, {}],
    ['is absent after a first reading', Number.NaN, Number.NaN, {}],
  ];
  for (const [what, usec, spanMs, told] of rows) {
    test(what, () => assert.deepEqual(stalled(usec, spanMs), told));
  }

  test('of more time than there was is said', () => {
    assert.throws(() => stalled(1_200_000, 1000), {
      name: 'NoDataError',
      message: /time of waiting is 120 %/,
    });
  });

  test('of CPU and of memory have each their place', () => {
    const told = putBy((figures) => {
      putStalled(figures, 'cpuPressure', 100_000, 1000);
      putStalled(figures, 'memoryPressure', 200_000, 1000);
    });
    assert.deepEqual(told, { cpuPressure: 10, memoryPressure: 20 });
  });
});

describe('space', () => {
  for (const series of ['swap', 'disk', 'ephemeralStorage'] as const) {
    test(`of ${series} is the share of what there is`, () => {
      const told = putBy((figures) => putSpace(figures, series, 3, 4));
      assert.deepEqual(told, { [series]: 75 });
    });

    test(`of ${series} is absent where there is none, and where there is more than all`, () => {
      const told = putBy((figures) => {
        for (const used of [0, 5]) {
          assert.throws(() => putSpace(figures, series, used, 0), { name: 'NoDataError' });
        }
        assert.throws(() => putSpace(figures, series, 5, 4), { name: 'NoDataError' });
      });
      assert.deepEqual(told, {});
    });
  }
});
