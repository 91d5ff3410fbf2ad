import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { WaitingDatum } from '../../src/delivery/packing.ts';
import type { Publishable } from '../../src/delivery/service.ts';
import type { Publication } from '../../src/metrics/publication.ts';
import { encodePage, encodePages } from '../../src/otlp/encode.ts';
import { MAX_BODY_BYTES, MAX_POINTS } from '../../src/otlp/limits.ts';
import { otelName } from '../../src/otlp/names.ts';
import { batches, catalogWindow, PUBLICATION, WINDOW_MS } from '../support/otlp.ts';
import { decodeOtlp, type OtlpPoint } from '../support/service/otlp.ts';

/** OTLP_WINDOWS=100000 for a long run; a batch holds three and a half on average. */
const RUNS = Math.ceil(Number(process.env['OTLP_WINDOWS'] ?? 1000) / 3);
const GOLDEN = new URL('../fixtures/golden/', import.meta.url);

/** All pages of a batch, each decoded, with the limits that hold for each. */
function pagesOf(batch: readonly Publishable[], maxBytes?: number): OtlpPoint[][] {
  const pages: OtlpPoint[][] = [];
  let rest = [...batch];
  while (rest.length > 0) {
    const options = { isFraction: false, ...(maxBytes === undefined ? {} : { maxBytes }) };
    const { body, datums, bytes } = encodePage(rest, options);
    const text = body(0);
    assert.match(text, /^[ -~]*$/);
    assert.equal(bytes, text.length);
    const points = decodeOtlp(text);
    assert.ok(datums > 0);
    assert.ok(bytes <= (maxBytes ?? MAX_BODY_BYTES) || points.length === 1, `${bytes} bytes`);
    pages.push(points);
    rest = without(rest, datums);
  }
  return pages;
}

function without(batch: readonly Publishable[], datums: number): Publishable[] {
  let left = datums;
  return batch.flatMap((window) => {
    const data = window.data.slice(left);
    left = Math.max(0, left - window.data.length);
    return data.length === 0 ? [] : [{ ...window, data }];
  });
}

/** A point: what it is of and when, and its figure: the value, or how many values there are. */
type Line = readonly [point: string, figure: number];

/** What must arrive, in words that do not come from the encoder. */
function expected(batch: readonly Publishable[]): Line[] {
  return batch.flatMap(({ startMs, endMs, data, publication }) => {
    const lines = new Map<string, number>();
    data.forEach(({ name, unit, values, counts }, index) => {
      const { divisor } = otelName(name, unit, false);
      const key = [name, unit, counts === undefined ? index : 'histogram'].join('\t');
      const figures = counts ?? values.slice(0, 1).map((value) => value / divisor);
      lines.set(
        key,
        figures.reduce((sum, one) => sum + one, lines.get(key) ?? 0),
      );
    });
    return [...lines].map(([key, figure]): Line => {
      const [name = '', unit = '', last] = key.split('\t');
      const isHistogram = last === 'histogram';
      const otel = otelName(name, unit, false);
      const start = isHistogram || otel.isSum ? startMs : '';
      const of = [publication.namespace, otel.name, otel.attribute?.[1], start, endMs];
      return [[...of, isHistogram].join(' '), figure];
    });
  });
}

function arrived(points: readonly OtlpPoint[]): Line[] {
  return points.map(({ resource, name, attributes, startMs = '', timeMs, kind, value, count }) => {
    const isHistogram = kind === 'exponentialHistogram';
    const [attribute] = Object.values(attributes);
    const of = [resource['service.namespace'], name, attribute, startMs, timeMs];
    return [[...of, isHistogram].join(' '), (isHistogram ? count : value) ?? Number.NaN];
  });
}

/** The same points, with figures that are the same to a billionth. */
function assertSame(found: readonly Line[], wanted: readonly Line[]): void {
  const sorted = (lines: readonly Line[]): Line[] =>
    [...lines].sort(([a, x], [b, y]) => (a === b ? x - y : a < b ? -1 : 1));
  const [one, other] = [sorted(found), sorted(wanted)];
  assert.deepEqual(
    one.map(([point]) => point),
    other.map(([point]) => point),
  );
  one.forEach(([point, figure], index) => {
    const [, wish = Number.NaN] = other[index] ?? [];
    assert.ok(Math.abs(figure - wish) <= 1e-9 * Math.abs(wish), `${point}: ${figure} for ${wish}`);
  });
}

describe('a batch of windows as OTLP', () => {
  test('arrives whole and once, within the limits of each request', () => {
    fc.assert(
      fc.property(batches, fc.integer({ min: 400, max: 20_000 }), (batch, maxBytes) => {
        for (const most of [undefined, maxBytes]) {
          const points = pagesOf(batch, most).flat();
          assertSame(arrived(points), expected(batch));
        }
      }),
      { numRuns: RUNS },
    );
  });

  test('holds a thousand points, and what is more goes with the next', () => {
    const window = catalogWindow('median');
    const many = Array.from({ length: 50 }, (_, index) => ({
      ...window,
      startMs: window.startMs + index * 60_000,
      endMs: window.endMs + index * 60_000,
    }));
    const pages = pagesOf(many);
    assert.deepEqual(
      pages.map(({ length }) => length),
      [MAX_POINTS, 50 * window.data.length - MAX_POINTS],
    );
  });

  test('holds a megabyte, and what is more goes with the next', () => {
    const long = { Name: 'Long', Value: 'x'.repeat(1024) };
    const many = Array.from({ length: 900 }, (_, index): Publishable => {
      const publication = { ...PUBLICATION, namespace: `N${index}`, dimensions: [long] };
      return { ...catalogWindow('median'), data: [point('CPUUtilization', index)], publication };
    });
    const pages = pagesOf(many);
    assert.ok(pages.length > 1);
    assert.equal(pages.flat().length, 900);
  });

  test('leaves a distribution that a full batch has cut for the next one', () => {
    const data = Array.from({ length: 999 }, (_, index) => point(`M${index}`, index));
    const half = { name: 'CPUUtilization', unit: 'Percent', values: [1, 2], counts: [1, 1] };
    const window = {
      startMs: 0,
      endMs: WINDOW_MS,
      publication: PUBLICATION,
      data: [...data, half],
    };
    assert.equal(encodePage([window], { isFraction: false }).datums, 999);
    const { datums } = encodePage([{ ...window, data: [half, half] }], { isFraction: false });
    assert.equal(datums, 2);
  });

  test('makes one point of a distribution that lies in several datums', () => {
    const data = [
      { name: 'CPUUtilization', unit: 'Percent', values: [0, 12.5], counts: [2, 1] },
      { name: 'CPUUtilization', unit: 'Percent', values: [50, 100], counts: [1, 3] },
    ];
    const [page] = pagesOf([{ startMs: 0, endMs: WINDOW_MS, publication: PUBLICATION, data }]);
    assert.deepEqual(
      page?.map(({ count, sum, min, max, zeroCount }) => ({ count, sum, min, max, zeroCount })),
      [{ count: 7, sum: 3.625, min: 0, max: 1, zeroCount: 2 }],
    );
  });

  test('makes two points of one name with two units', () => {
    const common = { name: 'Size', values: [1, 2], counts: [1, 1] };
    const data = [
      { ...common, unit: 'Bytes' as const },
      { ...common, unit: 'Milliseconds' as const },
      { name: 'Left', unit: 'Count' as const, values: [-2] },
    ];
    const window = { startMs: 0, endMs: WINDOW_MS, data, publication: PUBLICATION };
    const text = encodePage([window], { isFraction: false }).body(0);
    const [size, time, left] = JSON.parse(text).resourceMetrics[0].scopeMetrics[0].metrics;
    assert.deepEqual([size.unit, time.unit, left.sum.isMonotonic], ['By', 's', false]);
  });

  test('names the datums behind a point', () => {
    const other: Publication = { ...PUBLICATION, namespace: 'Other' };
    const first = { startMs: 0, endMs: WINDOW_MS, publication: PUBLICATION };
    const { body } = encodePage(
      [
        { ...first, data: [point('A', 1), point('NetworkReceiveBytes', 2)] },
        { ...first, data: [point('NetworkTransmitBytes', 3), point('A', 4)], startMs: 1 },
        { ...first, publication: other, data: [point('A', 5)] },
      ],
      { isFraction: false },
    );
    assert.deepEqual(body.members(1, 1, 2), [4]);
    assert.deepEqual(body.members(1, 2, 1), [2]);
    assert.deepEqual(body.members(1, 2, 2), [3]);
    assert.deepEqual(body.members(2, 1, 1), [5]);
    assert.deepEqual(body.members(3, 1, 1), []);
    assert.deepEqual(body.members(1, 9, 1), []);
  });

  test('tells the time by the service’s clock', () => {
    const { body } = encodePage([catalogWindow('median')], { isFraction: false });
    const [early, late] = [decodeOtlp(body(0)), decodeOtlp(body(300_000.4))];
    assert.deepEqual(
      late.map(({ timeMs }) => timeMs),
      early.map(({ timeMs }) => timeMs + 300_000),
    );
  });

  test('leaves percentages that were published as fractions alone', () => {
    const window = { ...catalogWindow('median'), data: [point('CPUUtilization', 0.37, 'Percent')] };
    const [shared] = decodeOtlp(encodePage([window], { isFraction: true }).body(0));
    assert.equal(shared?.value, 0.37);
  });

  test('keeps labels below what a point may have, whoever named them', () => {
    const dimensions = Array.from({ length: 400 }, (_, index) => ({
      Name: `d${index}`,
      Value: 'é',
    }));
    const publication = { ...PUBLICATION, dimensions };
    decodeOtlp(
      encodePage([{ ...catalogWindow('median'), publication }], { isFraction: false }).body(0),
    );
  });
});

for (const statistics of ['median', 'distribution'] as const) {
  test(`a golden window of the whole catalog: ${statistics}`, () => {
    const pages = encodePages(catalogWindow(statistics), { isFraction: false });
    assert.equal(pages.length, 1);
    const value: unknown = JSON.parse(pages[0]?.body(0) ?? '');
    const text = `${JSON.stringify(value, null, 2)}\n`;
    const file = new URL(`otlp-${statistics}.json`, GOLDEN);
    if (process.env['UPDATE_GOLDEN'] === '1') {
      mkdirSync(GOLDEN, { recursive: true });
      writeFileSync(file, text);
    }
    assert.equal(text, readFileSync(file, 'utf8'));
  });
}

function point(name: string, value: number, unit = 'Count'): WaitingDatum {
  return { name, unit, values: [value] };
}
