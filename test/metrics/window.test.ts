import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { SERIES, type Series } from '../../src/metrics/figures.ts';
import { Column, WINDOW_CAPACITY, Window } from '../../src/metrics/window.ts';
import { figuresOf } from '../support/figures.ts';

function columnOf(capacity: number, values: readonly number[]): Column {
  const column = new Column(capacity);
  for (const value of values) column.add(value);
  return column;
}

function numbersOf(window: Window, series: Series): number[] {
  return [...(window.column(series)?.sorted() ?? [])];
}

describe('a column', () => {
  const cases: [what: string, capacity: number, values: number[], sorted: number[]][] = [
    ['without numbers is empty', 3, [], []],
    ['keeps what fits', 3, [2, 1], [1, 2]],
    ['keeps exactly its capacity', 3, [3, 1, 2], [1, 2, 3]],
    ['lets the oldest go for the newest', 3, [9, 8, 1, 2], [1, 2, 8]],
    ['goes round more than once', 2, [1, 2, 3, 4, 5, 6, 7], [6, 7]],
    ['of one number holds the last', 1, [5, 4, 3], [3]],
    ['sorts by value, not by text', 5, [10, 9, 100, 1], [1, 9, 10, 100]],
    ['keeps equal numbers', 5, [7, 7, 7], [7, 7, 7]],
  ];
  for (const [what, capacity, values, sorted] of cases) {
    test(what, () => {
      const column = columnOf(capacity, values);
      assert.deepEqual([...column.sorted()], sorted);
      assert.equal(column.length, sorted.length);
    });
  }

  for (const length of [63, 64, 65, 128, 129, 1000]) {
    test(`grows to ${length} numbers and loses none`, () => {
      const values = Array.from({ length }, (_, index) => length - index);
      assert.deepEqual([...columnOf(WINDOW_CAPACITY, values).sorted()], values.reverse());
    });
  }

  test('whose capacity is no power of two grows up to it, and then goes round', () => {
    const values = Array.from({ length: 250 }, (_, index) => index);
    assert.deepEqual([...columnOf(100, values).sorted()], values.slice(150));
  });

  test('is empty after clear(), and fills anew', () => {
    const column = columnOf(3, [9, 9, 9, 9]);
    column.clear();
    assert.equal(column.length, 0);
    assert.deepEqual([...column.sorted()], []);
    column.add(1);
    assert.deepEqual([...column.sorted()], [1]);
  });

  test('hands out an array of its own', () => {
    const column = columnOf(3, [2, 1]);
    column.sorted().fill(0);
    assert.deepEqual([...column.sorted()], [1, 2]);
    column.add(3);
    assert.deepEqual([...column.sorted()], [1, 2, 3]);
  });

  test('holds the last numbers added, whatever is added and cleared', () => {
    const step = fc.oneof(
      { weight: 20, arbitrary: fc.double({ noNaN: true, noDefaultInfinity: true }) },
      { weight: 1, arbitrary: fc.constant('clear' as const) },
    );
    const steps = fc.array(step, { maxLength: 500, size: 'max' });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 200 }), steps, (capacity, all) => {
        const column = new Column(capacity);
        let naive: number[] = [];
        for (const one of all) {
          if (one === 'clear') {
            column.clear();
            naive = [];
          } else {
            column.add(one);
            naive = [...naive, one].slice(-capacity);
          }
        }
        const expected = Float64Array.from(naive).sort();
        assert.deepEqual(column.sorted(), expected);
        assert.equal(column.length, naive.length);
      }),
    );
  });
});

describe('a window', () => {
  test('keeps what is published, and no other', () => {
    const window = new Window(['cpu', 'memory']);
    window.add('cpu', 5);
    window.add('memory', 7);
    window.add('swap', 9);
    window.add('cpu', 6);
    assert.deepEqual(numbersOf(window, 'cpu'), [5, 6]);
    assert.deepEqual(numbersOf(window, 'memory'), [7]);
    assert.equal(window.column('swap'), undefined);
    window.addFigures(figuresOf({ cpu: 1, swap: 9 }));
    assert.equal(window.column('swap'), undefined);
    assert.equal(window.column('samples'), undefined);
  });

  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    test(`keeps ${value} out`, () => {
      const window = new Window(['cpu', 'memory', 'samples']);
      window.add('cpu', value);
      assert.deepEqual(numbersOf(window, 'cpu'), []);
      window.add('cpu', 1);
      assert.equal(window.addFigures(figuresOf({ cpu: value })), false);
      assert.equal(window.samples, 0);
      assert.equal(window.addFigures(figuresOf({ cpu: value, memory: 2 })), true);
      assert.deepEqual(numbersOf(window, 'cpu'), [1]);
      assert.deepEqual(numbersOf(window, 'memory'), [2]);
      assert.deepEqual(numbersOf(window, 'samples'), [1]);
    });
  }

  test('takes a 0 for a number', () => {
    const window = new Window(['cpu']);
    window.add('cpu', 0);
    assert.equal(window.addFigures(figuresOf({ cpu: 0 })), true);
    assert.deepEqual(numbersOf(window, 'cpu'), [0, 0]);
  });

  test('takes of figures what they tell', () => {
    const window = new Window();
    window.addFigures(figuresOf({ cpu: 5 }));
    window.addFigures(figuresOf({ memory: 7 }));
    assert.equal(window.addFigures(figuresOf({})), false);
    assert.deepEqual(numbersOf(window, 'cpu'), [5]);
    assert.deepEqual(numbersOf(window, 'memory'), [7]);
    assert.equal(window.samples, 2);
  });

  test('takes each series from its own place', () => {
    const window = new Window();
    window.addFigures(figuresOf(Object.fromEntries(SERIES.map((name, at) => [name, at + 100]))));
    for (const [at, name] of SERIES.entries()) {
      // The tick is the window's own: one for each sample.
      assert.ok(numbersOf(window, name).includes(name === 'samples' ? 1 : at + 100), name);
    }
  });

  test('CPU and memory together are one sample, and so is what is not published', () => {
    const window = new Window(['cpu', 'memory', 'samples']);
    window.addFigures(figuresOf({ cpu: 5, memory: 7 }));
    assert.equal(window.addFigures(figuresOf({ swap: 7 })), true);
    assert.equal(window.addFigures(figuresOf({})), false);
    assert.equal(window.samples, 2);
    assert.deepEqual(numbersOf(window, 'samples'), [1, 1]);
  });

  test('a single number from elsewhere is no sample', () => {
    const window = new Window();
    window.add('publishErrors', 1);
    assert.equal(window.samples, 0);
    assert.deepEqual(numbersOf(window, 'samples'), []);
    assert.deepEqual(numbersOf(window, 'publishErrors'), [1]);
  });

  test('counts as many samples as it holds, from none', () => {
    const window = new Window(['cpu', 'samples'], 2);
    assert.equal(window.samples, 0);
    for (let sample = 1; sample <= 3; sample += 1) window.addFigures(figuresOf({ cpu: sample }));
    assert.equal(window.samples, 2);
    assert.deepEqual(numbersOf(window, 'cpu'), [2, 3]);
    assert.deepEqual(numbersOf(window, 'samples'), [1, 1]);
  });

  test('is empty after clear(), in all columns', () => {
    const window = new Window();
    window.addFigures(figuresOf({ cpu: 5, memory: 7 }));
    window.clear();
    assert.equal(window.samples, 0);
    for (const series of SERIES) assert.deepEqual(numbersOf(window, series), []);
    window.addFigures(figuresOf({ cpu: 1 }));
    assert.deepEqual(numbersOf(window, 'cpu'), [1]);
  });

  test('keeps nothing of the figures themselves, which serve the next sample', () => {
    const window = new Window();
    const figures = figuresOf({ cpu: 5 });
    window.addFigures(figures);
    figures.fill(9);
    assert.deepEqual(numbersOf(window, 'cpu'), [5]);
  });

  test('holds the longest period at the shortest interval', () => {
    const window = new Window();
    for (let sample = 0; sample < 36_000; sample += 1) window.add('cpu', sample);
    assert.equal(window.column('cpu')?.length, 36_000);
    assert.equal(numbersOf(window, 'cpu')[0], 0);
  });
});
