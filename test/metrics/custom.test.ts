import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Custom } from '../../src/metrics/custom.ts';
import type { Statistics, Unit } from '../../src/metrics/metric.ts';

function custom(statistics: Statistics = 'median'): Custom {
  let seed = 1;
  return new Custom({
    statistics,
    valuesPerDatum: 150,
    isName: (name) => name !== '',
    isUnit: (unit): unit is Unit => unit === 'Count' || unit === 'None' || unit === 'Milliseconds',
    random: () => {
      seed = (seed * 16_807) % 2_147_483_647;
      return seed / 2_147_483_647;
    },
  });
}

test('counts are summed, all else has a median', () => {
  const puts = custom();
  for (const value of [1, 2, 3]) puts.put('Orders', value, 'Count');
  for (const value of [9, 1, 5]) puts.put('Latency', value, 'Milliseconds');
  puts.put('Depth', -2);
  assert.deepEqual(puts.take(), [
    { name: 'Orders', unit: 'Count', values: [6], samples: 3, least: 1, most: 3 },
    { name: 'Latency', unit: 'Milliseconds', values: [5], samples: 3, least: 1, most: 9 },
    { name: 'Depth', unit: 'None', values: [-2], samples: 1, least: -2, most: -2 },
  ]);
});

test('a window that has gone is forgotten, its names are not', () => {
  const puts = custom();
  puts.put('Orders', 5, 'Count');
  puts.take();
  assert.deepEqual(puts.take(), []);
  puts.put('Orders', 1);
  assert.deepEqual(puts.take()[0]?.values, [1]);
  assert.equal(puts.names, 1);
});

test('without a unit it is the one that the name had first; with another it is another metric', () => {
  const puts = custom();
  puts.put('A', 1, 'Count');
  puts.put('A', 2);
  puts.put('A', 7, 'Milliseconds');
  puts.put('A', 8, 'None');
  assert.deepEqual(
    puts.take().map(({ unit, values }) => [unit, values]),
    [
      ['Count', [3]],
      ['None', [8]],
      ['Milliseconds', [7]],
    ],
  );
});

test('a distribution has all values with their counts, and counts are sums all the same', () => {
  const puts = custom('distribution');
  for (const value of [3, 1, 3]) puts.put('Latency', value, 'Milliseconds');
  puts.put('Orders', 2, 'Count');
  const latency = { name: 'Latency', unit: 'Milliseconds', samples: 3, least: 1, most: 3 };
  assert.deepEqual(puts.take(), [
    { ...latency, values: [1, 3], counts: [1, 2] },
    { name: 'Orders', unit: 'Count', values: [2], samples: 1, least: 2, most: 2 },
  ]);
});

test('of very many numbers the counts add up, the extremes stay, and the percentiles are right', () => {
  const puts = custom('distribution');
  const all = 100_000;
  for (let index = 0; index < all; index += 1) puts.put('Latency', (index * 7919) % all, 'None');
  const data = puts.take();
  assert.ok(data.every(({ values }) => values.length <= 150));
  const counts = data.flatMap((datum) => datum.counts ?? []);
  const values = data.flatMap((datum) => datum.values);
  assert.equal(Math.round(counts.reduce((sum, count) => sum + count, 0)), all);
  assert.deepEqual([values[0], values.at(-1)], [0, 100_000]);
  assert.deepEqual([data[0]?.least, data[0]?.most, data[0]?.samples], [0, all - 1, all]);
  let below = 0;
  const p90 = values.find((_, index) => {
    below += counts[index] ?? 0;
    return below >= 0.9 * all;
  });
  assert.ok(Math.abs((p90 ?? 0) - 90_000) < 1500, String(p90));
});

test('the median of more than are kept is right', () => {
  const puts = custom();
  for (let index = 0; index < 100_000; index += 1) puts.put('A', (index * 7919) % 100_000);
  const [median = 0] = puts.take()[0]?.values ?? [];
  assert.ok(Math.abs(median - 50_000) < 3000, String(median));
});

describe('is not taken, counted, and never thrown', () => {
  const CASES: readonly [what: string, put: readonly unknown[], why: string][] = [
    ['an empty name', ['', 1], 'name'],
    ['no name', [undefined, 1], 'name'],
    ['a symbol', [Symbol('a'), 1], 'name'],
    ['an object without a text', [{ toString: null }, 1], 'name'],
    ['no value', ['A'], 'value'],
    ['NaN', ['A', Number.NaN], 'value'],
    ['an infinity', ['A', Number.POSITIVE_INFINITY], 'value'],
    ['too large a number', ['A', 2 ** 361], 'value'],
    ['a text', ['A', '1'], 'value'],
    ['a bigint', ['A', 1n], 'value'],
    ['a unit in lower case', ['A', 1, 'count'], 'unit'],
    ['null for a unit', ['A', 1, null], 'unit'],
  ];
  for (const [what, [name, value, unit], why] of CASES) {
    test(what, () => {
      const puts = custom();
      assert.equal(puts.put(name, value, unit), why);
      assert.deepEqual([puts.lost, puts.names, puts.take()], [1, 0, []]);
    });
  }

  test('the 1,001st name; the first go on', () => {
    const puts = custom();
    for (let index = 0; index < 1000; index += 1) {
      assert.equal(puts.put(`name ${index}`, 1, 'Count'), undefined);
    }
    assert.equal(puts.put('one more', 1), 'full');
    assert.equal(puts.put('name 0', 1, 'None'), 'full');
    assert.equal(puts.put('name 999', 1), undefined);
    assert.deepEqual([puts.names, puts.lost, puts.take().length], [1000, 2, 1000]);
  });
});

test('the largest number that CloudWatch takes is taken', () => {
  const puts = custom();
  assert.equal(puts.put('A', 2 ** 360), undefined);
  assert.equal(puts.put('A', -(2 ** 360)), undefined);
});
