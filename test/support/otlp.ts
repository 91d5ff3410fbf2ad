import fc from 'fast-check';
import type { WaitingDatum } from '../../src/delivery/packing.ts';
import type { Publishable } from '../../src/delivery/service.ts';
import { CATALOG } from '../../src/metrics/catalog.ts';
import type { Statistics } from '../../src/metrics/metric.ts';
import type { Publication } from '../../src/metrics/publication.ts';
import { UNITS } from './service/put-metric-data.ts';

export const WINDOW_MS = 60_000;
const START_MS = Date.UTC(2026, 0, 1, 12);

export const PUBLICATION: Publication = {
  namespace: 'TestNamespace',
  dimensions: [
    { Name: 'ServiceName', Value: 'FooService' },
    { Name: 'Stage', Value: 'caf\u00e9 "x"' },
    { Name: 'host.name', Value: 'ip-10-0-0-1' },
  ],
  highResolution: false,
};

/** A window with a figure for each metric of the catalog. */
export function catalogWindow(statistics: Statistics): Publishable {
  const data = CATALOG.map(({ name, unit, reduce }, index): WaitingDatum => {
    const value = unit === 'Percent' ? index + 0.25 : (index + 1) * 1000;
    if (statistics === 'median' || reduce !== 'median') return { name, unit, values: [value] };
    return { name, unit, values: [0, value, value + 1], counts: [1, 60, 6] };
  });
  return { startMs: START_MS, endMs: START_MS + WINDOW_MS, data, publication: PUBLICATION };
}

const value = fc.oneof(
  fc.double({ min: 0, max: 100, noNaN: true }),
  fc.integer({ min: 0, max: 2 ** 50 }),
  fc.double({ min: -1e12, max: 1e12, noNaN: true }),
  fc.constantFrom(0, 5e-324, 1e300, 1.7e308, -1e300),
);
const names = fc.oneof(
  fc.constantFrom(...CATALOG.map(({ name }) => name)),
  fc.string({ minLength: 1, maxLength: 12 }).map((text) => `X${text.replace(/[ ]|refused/g, '')}`),
);
const datum = fc
  .record({
    name: names,
    unit: fc.constantFrom(...UNITS),
    values: fc.uniqueArray(value, { minLength: 1, maxLength: 20, selector: (one) => one + 0 }),
    isCounted: fc.boolean(),
    count: fc.integer({ min: 1, max: 100_000 }),
  })
  .map(({ name, unit, values, isCounted, count }): WaitingDatum => {
    if (!isCounted) return { name, unit, values: values.slice(0, 1) };
    return { name, unit, values, counts: values.map((_, index) => count + index) };
  });
const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 });
const publication = fc
  .record({
    namespace: fc.constantFrom('A', 'B', 'C'),
    pairs: fc.dictionary(fc.stringMatching(/^[A-Z][a-z]{0,9}$/), text, { maxKeys: 30 }),
  })
  .map(({ namespace, pairs }): Publication => {
    const dimensions = Object.entries(pairs).map(([Name, Value]) => ({ Name, Value }));
    return { namespace, dimensions, highResolution: false };
  });

/** Windows as delivery puts them together: of several publications, whole or in part, some with one metric twice. */
export const batches: fc.Arbitrary<Publishable[]> = fc
  .record({
    publications: fc.array(publication, { minLength: 1, maxLength: 3 }),
    windows: fc.array(
      fc.record({
        which: fc.nat(),
        startMs: fc.integer({ min: 1, max: 2 ** 42 }),
        lengthMs: fc.integer({ min: 0, max: 3_600_000 }),
        data: fc.uniqueArray(datum, { minLength: 1, maxLength: 8, selector: ({ name }) => name }),
      }),
      { minLength: 1, maxLength: 6 },
    ),
  })
  .map(({ publications, windows }) =>
    windows
      .flatMap(({ which, startMs, lengthMs, data }) => {
        const one = publications[which % publications.length];
        return one && [{ startMs, endMs: startMs + lengthMs, data, publication: one }];
      })
      .flatMap((window) => window ?? []),
  );
