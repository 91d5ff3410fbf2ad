import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { StandardUnit } from '@aws-sdk/client-cloudwatch';
import { CATALOG, defaultMetrics, namedMetrics } from '../../src/metrics/catalog.ts';
import { SERIES } from '../../src/metrics/figures.ts';

const UNITS: readonly string[] = Object.values(StandardUnit);

const DOCUMENTED = readFileSync(new URL('../../docs/metrics.md', import.meta.url), 'utf8').split(
  '\n',
);

test('names are unique', () => {
  const names = CATALOG.map(({ name }) => name);
  assert.deepEqual([...new Set(names)], names);
});

describe('each metric', () => {
  for (const { name, unit } of CATALOG) {
    test(`${name} carries a unit that CloudWatch knows`, () => assert.ok(UNITS.includes(unit)));

    test(`${name} is a name that CloudWatch and a list between commas take`, () => {
      assert.match(name, /^[A-Za-z][A-Za-z0-9]{0,254}$/);
    });

    test(`${name} has its row in docs/metrics.md, with its unit and whether it is published unasked`, () => {
      const published = defaultMetrics('median').some((metric) => metric.name === name);
      const row = `| \`${name}\` | ${unit} | `;
      const line = DOCUMENTED.find((one) => one.startsWith(row));
      assert.match(line ?? '', published ? / \| yes \|$/ : /[a-z].* \| by `--metrics` \|$/);
    });
  }
});

test('the first metrics keep their names, units and meaning: dashboards hang on them', () => {
  const rows = CATALOG.slice(0, 5).map(({ name, unit, series, reduce }) => [
    name,
    unit,
    series,
    reduce,
  ]);
  assert.deepEqual(rows, [
    ['CPUUtilization', 'Percent', 'cpu', 'median'],
    ['MemoryUtilization', 'Percent', 'memory', 'median'],
    ['MaxMemoryUtilization', 'Percent', 'memory', 'max'],
    ['MaxCPUUtilization', 'Percent', 'cpu', 'max'],
    ['SampleCount', 'Count', 'samples', 'sum'],
  ]);
});

test('each series that is measured can be published', () => {
  const published = new Set(CATALOG.map(({ series }) => series));
  assert.deepEqual(
    SERIES.filter((series) => !published.has(series)),
    // The busiest card is the receipt's alone.
    ['gpuMost'],
  );
});

test('memory that is held is published by name, in bytes and as a share', () => {
  const rows = namedMetrics(['MemoryHeldUtilization', 'MemoryHeldBytes'], 'median') ?? [];
  assert.deepEqual(
    rows.map(({ name, unit, series, reduce, unasked }) => [name, unit, series, reduce, unasked]),
    [
      ['MemoryHeldBytes', 'Bytes', 'memoryHeld', 'median', []],
      ['MemoryHeldUtilization', 'Percent', 'memoryHeldShare', 'median', []],
    ],
  );
});

test('unasked, a distribution leaves out the maximum that it carries itself', () => {
  const names = (statistics: 'median' | 'distribution'): string[] =>
    defaultMetrics(statistics).map(({ name }) => name);
  assert.deepEqual(names('median'), [
    'CPUUtilization',
    'MemoryUtilization',
    'MaxMemoryUtilization',
  ]);
  assert.deepEqual(names('distribution'), ['CPUUtilization', 'MemoryUtilization']);
});
