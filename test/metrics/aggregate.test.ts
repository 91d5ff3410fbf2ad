import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type AggregateOptions, aggregate, type Datum } from '../../src/metrics/aggregate.ts';
import { CATALOG } from '../../src/metrics/catalog.ts';
import type { Metric } from '../../src/metrics/metric.ts';
import { Window } from '../../src/metrics/window.ts';
import { figuresOf, type Told } from '../support/figures.ts';

const PLAIN: AggregateOptions = {
  metrics: CATALOG,
  statistics: 'median',
  valuesPerDatum: 150,
  compatFraction: false,
};
const SPREAD: AggregateOptions = { ...PLAIN, statistics: 'distribution' };

function metric(name: string): Metric {
  const row = CATALOG.find((one) => one.name === name);
  assert.ok(row !== undefined, name);
  return row;
}

function windowOf(samples: readonly Told[]): Window {
  const window = new Window();
  for (const sample of samples) window.addFigures(figuresOf(sample));
  return window;
}

function cpuWindow(values: readonly number[]): Window {
  return windowOf(values.map((cpu) => ({ cpu })));
}

/** The only datum of one metric over these CPU figures. */
function only(name: string, values: readonly number[], options = PLAIN): Datum {
  const data = aggregate(cpuWindow(values), { ...options, metrics: [metric(name)] });
  assert.equal(data.length, 1);
  const [datum] = data;
  assert.ok(datum !== undefined);
  return datum;
}

describe('median', () => {
  const cases: [values: number[], median: number][] = [
    [[5], 5],
    [[1, 3], 2],
    [[3, 1, 2], 2],
    [[4, 1, 3, 2], 2.5],
    [[0, 0, 100], 0],
    [[0, 0, 100, 100], 50],
    [[10, 9, 100], 10],
    [[7, 7, 7, 7], 7],
    [[33.333333, 33.333333, 0], 33.3333],
    [[100 / 3], 33.3333],
    [[0.00004], 0],
    [[99.99996], 100],
  ];
  for (const [values, median] of cases) {
    test(`of ${values.join(', ')} is ${median}`, () => {
      assert.deepEqual(only('CPUUtilization', values).values, [median]);
    });
  }
});

test('the maximum is the largest, not the last and not the longest text', () => {
  assert.deepEqual(only('MaxCPUUtilization', [9, 100, 20]).values, [100]);
  assert.deepEqual(only('MaxCPUUtilization', [0]).values, [0]);
});

test('SampleCount is the sum of the ticks, never a fraction', () => {
  const compat = { ...PLAIN, compatFraction: true };
  assert.deepEqual(only('SampleCount', [9, 9, 9]).values, [3]);
  assert.deepEqual(only('SampleCount', [9, 9, 9], compat).values, [3]);
  assert.equal(only('SampleCount', [9], compat).unit, 'Count');
});

test('a datum tells its name, unit, and the samples behind it', () => {
  assert.deepEqual(only('CPUUtilization', [30, 10, 20, 40]), {
    name: 'CPUUtilization',
    unit: 'Percent',
    values: [25],
    samples: 4,
    least: 10,
    most: 40,
  });
});

test('datums come in the order of the metrics asked for', () => {
  const metrics = ['SampleCount', 'MemoryUtilization', 'CPUUtilization'].map(metric);
  const data = aggregate(windowOf([{ cpu: 1, memory: 2 }]), { ...PLAIN, metrics });
  assert.deepEqual(
    data.map(({ name }) => name),
    ['SampleCount', 'MemoryUtilization', 'CPUUtilization'],
  );
});

describe('no datum', () => {
  for (const options of [PLAIN, SPREAD]) {
    test(`comes of a window that never got a sample (${options.statistics})`, () => {
      assert.deepEqual(aggregate(new Window(), options), []);
    });

    test(`comes of a window that was cleared (${options.statistics})`, () => {
      const window = cpuWindow([1, 2, 3]);
      window.clear();
      assert.deepEqual(aggregate(window, options), []);
    });

    test(`comes of a series without a number (${options.statistics})`, () => {
      const samples = [{ cpu: Number.NaN, memory: 5 }, { memory: 6 }];
      const names = aggregate(windowOf(samples), options).map(({ name }) => name);
      assert.deepEqual(names, ['MemoryUtilization', 'MaxMemoryUtilization', 'SampleCount']);
    });
  }

  test('comes of a series that is not published', () => {
    const window = new Window(['memory']);
    window.addFigures(figuresOf({ cpu: 1, memory: 2 }));
    const names = aggregate(window, PLAIN).map(({ name }) => name);
    assert.deepEqual(names, ['MemoryUtilization', 'MaxMemoryUtilization']);
  });

  test('comes without metrics', () => {
    assert.deepEqual(aggregate(cpuWindow([1]), { ...PLAIN, metrics: [] }), []);
  });
});

describe('--compat-fraction', () => {
  const COMPAT: AggregateOptions = { ...PLAIN, compatFraction: true };

  test('divides medians, maxima and the range by 100, and keeps the unit', () => {
    assert.deepEqual(only('CPUUtilization', [50, 25, 100], COMPAT), {
      name: 'CPUUtilization',
      unit: 'Percent',
      values: [0.5],
      samples: 3,
      least: 0.25,
      most: 1,
    });
    assert.deepEqual(only('MaxCPUUtilization', [50, 25], COMPAT).values, [0.5]);
  });

  test('keeps as many digits as percentages do', () => {
    assert.deepEqual(only('CPUUtilization', [100 / 3], COMPAT).values, [0.333333]);
    assert.deepEqual(only('CPUUtilization', [0.0123], COMPAT).values, [0.000123]);
  });

  test('divides the values of a distribution, and no count', () => {
    const datum = only('CPUUtilization', [50, 25, 50], { ...SPREAD, compatFraction: true });
    assert.deepEqual(
      [datum.values, datum.counts],
      [
        [0.25, 0.5],
        [1, 2],
      ],
    );
  });
});

describe('distribution', () => {
  test('carries each distinct value with its count, in ascending order', () => {
    const { values, counts } = only('CPUUtilization', [30, 10, 30, 10, 20, 30], SPREAD);
    assert.deepEqual(values, [10, 20, 30]);
    assert.deepEqual(counts, [2, 1, 3]);
  });

  test('counts values that are the same once rounded together', () => {
    const { values, counts } = only('CPUUtilization', [33.33331, 33.33334, 33.4], SPREAD);
    assert.deepEqual(values, [33.3333, 33.4]);
    assert.deepEqual(counts, [2, 1]);
  });

  test('leaves maxima and sums as one number', () => {
    const max = only('MaxCPUUtilization', [1, 2, 3], SPREAD);
    assert.deepEqual([max.values, max.counts], [[3], undefined]);
    const count = only('SampleCount', [1, 2, 3], SPREAD);
    assert.deepEqual([count.values, count.counts], [[3], undefined]);
  });

  const pages: [distinct: number, lengths: number[]][] = [
    [1, [1]],
    [149, [149]],
    [150, [150]],
    [151, [150, 1]],
    [300, [150, 150]],
    [301, [150, 150, 1]],
  ];
  for (const [distinct, lengths] of pages) {
    test(`of ${distinct} distinct values is ${lengths.length} datums`, () => {
      const values = Array.from({ length: distinct }, (_, index) => index / 4);
      // Each value twice, so that it is distinct values that are counted.
      const window = cpuWindow([...values, ...values]);
      const data = aggregate(window, { ...SPREAD, metrics: [metric('CPUUtilization')] });
      assert.deepEqual(
        data.map((datum) => datum.values.length),
        lengths,
      );
      assert.deepEqual(
        data.flatMap((datum) => datum.values),
        values,
      );
      assert.ok(data.every(({ counts = [] }) => counts.every((count) => count === 2)));
      assert.ok(data.every(({ samples, least }) => samples === 2 * distinct && least === 0));
    });
  }
});

describe('against a naive reckoning', () => {
  const percents = fc.array(fc.double({ min: 0, max: 100, noNaN: true }), {
    minLength: 1,
    maxLength: 400,
    size: 'max',
  });
  /** Half a step on either side of what was measured. */
  const HALF_STEP = 0.5e-4 + 1e-9;

  test('median, maximum and range are those of the sorted list', () => {
    fc.assert(
      fc.property(percents, (values) => {
        const sorted = [...values].sort((a, b) => a - b);
        const at = (index: number): number => sorted[index] ?? Number.NaN;
        const half = Math.floor(sorted.length / 2);
        const middle = sorted.length % 2 === 1 ? at(half) : (at(half - 1) + at(half)) / 2;
        const datum = only('CPUUtilization', values);
        // Two roundings: of the values, and of the mean of two.
        near(datum.values[0], middle, 2 * HALF_STEP);
        near(datum.least, at(0), HALF_STEP);
        near(datum.most, at(sorted.length - 1), HALF_STEP);
        near(only('MaxCPUUtilization', values).values[0], at(sorted.length - 1), HALF_STEP);
        assert.equal(datum.samples, values.length);
      }),
    );
  });

  test('a distribution is the sorted list again, in pages that are full but for the last', () => {
    const size = fc.integer({ min: 1, max: 200 });
    fc.assert(
      fc.property(percents, size, fc.boolean(), (values, valuesPerDatum, compatFraction) => {
        const options = { ...SPREAD, valuesPerDatum, compatFraction };
        const cpu = [metric('CPUUtilization')];
        const data = aggregate(cpuWindow(values), { ...options, metrics: cpu });
        const spread = data.flatMap((datum) =>
          datum.values.flatMap((value, index) =>
            Array.from({ length: datum.counts?.[index] ?? Number.NaN }, () => value),
          ),
        );
        const scale = compatFraction ? 100 : 1;
        const sorted = values.map((value) => value / scale).sort((a, b) => a - b);
        assert.equal(spread.length, sorted.length);
        for (const [index, value] of spread.entries()) {
          near(value, sorted[index] ?? Number.NaN, HALF_STEP / scale);
        }
        const distinct = data.flatMap((datum) => datum.values);
        assert.equal(new Set(distinct).size, distinct.length);
        assert.ok(data.slice(0, -1).every((datum) => datum.values.length === valuesPerDatum));
        assert.ok(data.every((datum) => datum.values.length === datum.counts?.length));
        assert.ok(data.every((datum) => datum.values.length <= valuesPerDatum));
      }),
    );
  });

  test('every number is finite and short, whatever was measured', () => {
    fc.assert(
      fc.property(fc.array(fc.double(), { maxLength: 30 }), fc.boolean(), (values, fraction) => {
        const options = { ...PLAIN, compatFraction: fraction };
        for (const datum of aggregate(cpuWindow(values.map(intoPercent)), options)) {
          for (const value of [...datum.values, datum.least, datum.most]) {
            assert.ok(Number.isFinite(value) && String(value).length <= 8, String(value));
          }
        }
      }),
    );
  });

  function near(actual: number | undefined, expected: number, tolerance: number): void {
    assert.ok(actual !== undefined && Math.abs(actual - expected) <= tolerance, String(actual));
  }

  function intoPercent(value: number): number {
    return Number.isFinite(value) ? Math.abs(value) % 100 : value;
  }
});
