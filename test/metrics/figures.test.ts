import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createFigures, figureOf, PLACES, SERIES } from '../../src/metrics/figures.ts';
import { figuresOf, putBy, rounded, toldBy } from '../support/figures.ts';

describe('figures', () => {
  test('tell nothing when they are new', () => {
    const figures = createFigures();
    assert.equal(figures.length, SERIES.length);
    for (const series of SERIES) assert.equal(figureOf(figures, series), undefined);
    assert.deepEqual(toldBy(figures), {});
  });

  test('have one place for each series, and no other', () => {
    const places = SERIES.map((series) => PLACES[series]);
    assert.deepEqual(
      [...places].sort((a, b) => a - b),
      [...SERIES.keys()],
    );
  });

  test('tell a 0, which is not nothing', () => {
    const figures = createFigures();
    figures[PLACES.cpu] = 0;
    assert.equal(figureOf(figures, 'cpu'), 0);
    assert.equal(figureOf(figures, 'memory'), undefined);
  });

  test('become an object and come back', () => {
    const told = { cpu: 0, memory: 25.5, publishErrors: 3 };
    assert.deepEqual(toldBy(figuresOf(told)), told);
    assert.deepEqual(toldBy(figuresOf(told), ['memory', 'swap']), { memory: 25.5 });
    assert.deepEqual(
      putBy((figures) => figures.fill(1)),
      Object.fromEntries(SERIES.map((series) => [series, 1])),
    );
    assert.deepEqual(rounded({ cpu: 100 / 3 }), { cpu: 33.333333333 });
  });
});
