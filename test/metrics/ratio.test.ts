import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { NoDataError } from '../../src/errors.ts';
import { percentOf } from '../../src/metrics/ratio.ts';

const { NaN: NONE, POSITIVE_INFINITY: INFINITE } = Number;

describe('a part of a whole', () => {
  const shares: [part: number, whole: number, percent: number][] = [
    [0, 4, 0],
    [1, 4, 25],
    [4, 4, 100],
    [1, 3, (1 / 3) * 100],
    [2 ** 51, 2 ** 52, 50],
    // What two readings of different instants explain.
    [102, 100, 100],
    [105, 100, 100],
    [-0.5, 100, 0],
    [-5, 100, 0],
  ];
  for (const [part, whole, percent] of shares) {
    test(`${part} of ${whole} is ${percent} %`, () => {
      assert.equal(percentOf(part, whole, 'a part'), percent);
    });
  }

  const impossible: [part: number, whole: number, message: RegExp][] = [
    [106, 100, /^a part is 106 % of what there is, which cannot be$/],
    [2 ** 64, 1000, /which cannot be/],
    [-6, 100, /^a part is -6 % of what there is, which cannot be$/],
    [1000 - 2 ** 64, 1000, /which cannot be/],
    [0, 0, /^nothing says what share a part is$/],
    [5, 0, /nothing says/],
    [5, -1, /nothing says/],
    [5, NONE, /nothing says/],
    [NONE, 100, /nothing says/],
    [5, INFINITE, /nothing says/],
    [INFINITE, INFINITE, /nothing says/],
  ];
  for (const [part, whole, message] of impossible) {
    test(`${part} of ${whole} is no figure`, () => {
      assert.throws(() => percentOf(part, whole, 'a part'), { name: 'NoDataError', message });
    });
  }

  test('may be above the whole by as much as is explained', () => {
    assert.equal(percentOf(110, 100, 'a part', 0.1), 100);
    assert.throws(() => percentOf(111, 100, 'a part', 0.1), NoDataError);
  });

  test('is 0 to 100 or no figure, whatever the numbers', () => {
    fc.assert(
      fc.property(fc.double(), fc.double(), (part, whole) => {
        try {
          const percent = percentOf(part, whole, 'a part');
          assert.ok(percent >= 0 && percent <= 100, String(percent));
        } catch (error) {
          if (!(error instanceof NoDataError)) throw error;
        }
      }),
      { numRuns: 1000 },
    );
  });
});
