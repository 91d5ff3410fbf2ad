import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { CATALOG } from '../../src/metrics/catalog.ts';

const SIZES = ['Bytes', 'Kilobytes', 'Megabytes', 'Gigabytes', 'Terabytes'];
const BITS = ['Bits', 'Kilobits', 'Megabits', 'Gigabits', 'Terabits'];
/** @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html */
const UNITS = [
  ...['Seconds', 'Microseconds', 'Milliseconds', 'Percent', 'Count', 'Count/Second', 'None'],
  ...[...SIZES, ...BITS].flatMap((unit) => [unit, `${unit}/Second`]),
];

test('CloudWatch knows 27 units', () => assert.equal(new Set(UNITS).size, 27));

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

    test(`${name} is described in the README`, () => {
      const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
      assert.ok(readme.includes(`\`${name}\``));
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
    ['SampleCount', 'Count', 'tick', 'sum'],
  ]);
});
