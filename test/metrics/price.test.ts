import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CATALOG, defaultMetrics, namedMetrics } from '../../src/metrics/catalog.ts';
import {
  bytesMonth,
  metricsMonth,
  metricsOf,
  PRICES,
  requestsMonth,
} from '../../src/metrics/price.ts';

/** To a tenth of a cent. */
function assertDollars(actual: number, expected: number): void {
  assert.ok(Math.abs(actual - expected) < 0.001, `${actual}, expected ${expected}`);
}

describe('a month of metrics', () => {
  const cases: [count: number, dollars: number][] = [
    [0, 0],
    [3, 0.9],
    [10_000, 3000],
    [10_001, 3000.1],
    [250_000, 3000 + 24_000],
    [1_000_000, 3000 + 24_000 + 37_500],
    [1_000_050, 3000 + 24_000 + 37_500 + 1],
  ];
  for (const [count, dollars] of cases) {
    test(`${count} cost $${dollars}`, () => assertDollars(metricsMonth(count), dollars));
  }
});

test('a request a minute costs 44 cents a month, one a second 26 dollars', () => {
  assertDollars(requestsMonth(60_000), 0.438);
  assertDollars(requestsMonth(1000), 26.28);
  assertDollars(requestsMonth(60_000, 2), 0.876);
});

test('1,553 bytes a minute cost three cents a month over OTLP', () => {
  assertDollars(bytesMonth(60_000, 1553, PRICES.otlpGigabyte), 0.034);
});

describe('the same knowledge', () => {
  const names = (kind: 'median' | 'distribution', words: string[]): string[] =>
    metricsOf(kind, namedMetrics(words, 'median') ?? [], CATALOG).map(({ name }) => name);

  test('is three medians and maxima, or two distributions, whichever are published', () => {
    for (const published of ['median', 'distribution'] as const) {
      const metrics = defaultMetrics(published);
      assert.equal(metricsOf('median', metrics, CATALOG).length, 3);
      assert.equal(metricsOf('distribution', metrics, CATALOG).length, 2);
    }
  });

  test('keeps what is asked for by name', () => {
    const asked = ['CPUUtilization', 'MaxCPUUtilization', 'OOMKills', 'CPUThrottled'];
    assert.deepEqual(names('median', asked).length, 4);
    assert.deepEqual(names('distribution', asked).sort(), [
      'CPUThrottled',
      'CPUUtilization',
      'OOMKills',
    ]);
  });

  test('a maximum stands alone where its median is not published', () => {
    assert.deepEqual(names('distribution', ['MaxCPUUtilization']), ['MaxCPUUtilization']);
  });
});
