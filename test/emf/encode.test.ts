import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { StorageResolution, type Unit } from 'aws-embedded-metrics';
import { MetricsContext } from 'aws-embedded-metrics/lib/logger/MetricsContext.js';
import { LogSerializer } from 'aws-embedded-metrics/lib/serializers/LogSerializer.js';
import fc from 'fast-check';
import type { WaitingDatum } from '../../src/delivery/packing.ts';
import {
  encodeEvents,
  logGroupOf,
  MAX_DATAGRAM_BYTES,
  MAX_EVENT_BYTES,
  MAX_METRICS,
  SPLIT_BYTES,
} from '../../src/emf/encode.ts';
import type { Publication } from '../../src/metrics/publication.ts';
import { type Read, readEvents } from '../support/emf.ts';
import { UNITS } from '../support/service/put-metric-data.ts';

/** 10,000 in the ring of .ci/run. */
const RUNS = Number(process.env['EMF_RUNS'] ?? 300);
const START = Date.UTC(2026, 10, 23, 8, 15);
const N: Publication = {
  namespace: 'Team/App',
  dimensions: [
    { Name: 'ServiceName', Value: 'web "1"' },
    { Name: 'Stage', Value: 'prod\\eu' },
  ],
  highResolution: false,
};
const WHOLE = { maxBytes: MAX_EVENT_BYTES };

function windowOf(data: readonly WaitingDatum[]): {
  startMs: number;
  endMs: number;
  data: readonly WaitingDatum[];
} {
  return { startMs: START, endMs: START + 60_000, data };
}

/** What must come out, by the datums alone. */
function expected(data: readonly WaitingDatum[], publication: Publication): Read[] {
  const found = new Map<string, Read>();
  for (const { name, unit, values, counts } of data) {
    const key = `${name} ${unit}`;
    const metric = found.get(key) ?? {
      namespace: publication.namespace,
      timestamp: START,
      dimensions: Object.fromEntries(
        publication.dimensions.map(({ Name, Value }) => [Name, Value]),
      ),
      name,
      unit,
      resolution: publication.highResolution ? 1 : 60,
      values: [],
    };
    found.set(key, metric);
    values.forEach((value, index) => {
      metric.values.push(...Array.from({ length: counts?.[index] ?? 1 }, () => value));
    });
  }
  return [...found.values()].filter(({ values }) => values.length > 0);
}

function comparable(all: readonly Read[]): string[] {
  const sorted = all.map((one) => ({ ...one, values: [...one.values].sort((a, b) => a - b) }));
  return sorted.map((one) => JSON.stringify(one)).sort();
}

test('a window is what the golden file says', () => {
  const data: WaitingDatum[] = [
    { name: 'CPUUtilization', unit: 'Percent', values: [12.5, 80.25], counts: [3, 1] },
    { name: 'MaxMemoryUtilization', unit: 'Percent', values: [42.1234] },
    { name: 'MemoryUsedBytes', unit: 'Bytes', values: [1_073_741_824] },
  ];
  const high = { ...N, highResolution: true };
  const { lines, left } = encodeEvents(windowOf(data), high, { ...WHOLE, logGroup: 'web-metrics' });
  assert.deepEqual(left, []);
  const path = fileURLToPath(new URL('../fixtures/golden/emf.jsonl', import.meta.url));
  const text = `${lines.join('\n')}\n`;
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(path, text);
  assert.equal(text, readFileSync(path, 'utf8'));
  assert.deepEqual(comparable(readEvents(lines)), comparable(expected(data, high)));
});

const name = fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 30 });
const number = fc
  .oneof(
    fc.double({ min: 0, max: 100, noNaN: true }),
    fc.double({ min: -(2 ** 360), max: 2 ** 360, noNaN: true }),
    fc.integer(),
  )
  .map((value) => value + 0);
const datum: fc.Arbitrary<WaitingDatum> = fc
  .record({
    name,
    unit: fc.constantFrom(...UNITS),
    pairs: fc.array(fc.tuple(number, fc.integer({ min: 1, max: 60 })), {
      minLength: 1,
      maxLength: 8,
    }),
    isOne: fc.boolean(),
  })
  .map(({ pairs, isOne, ...common }) =>
    isOne
      ? { ...common, values: pairs.slice(0, 1).map(([value]) => value) }
      : {
          ...common,
          values: pairs.map(([value]) => value),
          counts: pairs.map(([, count]) => count),
        },
  );
const publications = fc.record({
  namespace: name,
  highResolution: fc.boolean(),
  dimensions: fc.uniqueArray(
    fc.record({
      Name: fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 250 }),
      Value: fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 1024 }),
    }),
    { maxLength: 30, selector: ({ Name }) => Name, size: 'small' },
  ),
});
/** Mostly small, so that many can be looked at; some beyond what one event may hold. */
const windows = fc.oneof(
  { weight: 29, arbitrary: fc.array(datum, { maxLength: 6 }) },
  { weight: 1, arbitrary: fc.array(datum, { maxLength: 150, size: 'max' }) },
);

test('no event is beyond a limit, and nothing is lost or doubled', () => {
  fc.assert(
    fc.property(
      windows,
      publications,
      fc.constantFrom(MAX_EVENT_BYTES, MAX_DATAGRAM_BYTES, 4000, 1500),
      fc.option(fc.constant('a-group')),
      (data, publication, maxBytes, logGroup) => {
        const how = { maxBytes, ...(logGroup === null ? {} : { logGroup }) };
        const { lines, left } = encodeEvents(windowOf(data), publication, how);
        for (const line of lines) {
          assert.ok(Buffer.byteLength(line) <= maxBytes, `${line.length} of ${maxBytes}`);
          const event: { _aws: { CloudWatchMetrics: { Metrics: unknown[] }[] } } = JSON.parse(line);
          const held = event._aws.CloudWatchMetrics[0]?.Metrics.length ?? 0;
          assert.ok(held > 0 && held <= MAX_METRICS);
          assert.ok(held === 1 || Buffer.byteLength(line) <= SPLIT_BYTES);
        }
        const kept = (one: { name: string }): boolean => !left.includes(one.name);
        const read = readEvents(lines).filter(kept);
        assert.deepEqual(comparable(read), comparable(expected(data, publication).filter(kept)));
      },
    ),
    { numRuns: RUNS },
  );
});

describe('what has no place', () => {
  test('is a metric of a dimension’s name, and one that does not fit a datagram: both are named', () => {
    const data = [
      { name: 'Stage', unit: 'None', values: [1] },
      { name: '_aws', unit: 'None', values: [1] },
      { name: 'CPU', unit: 'Percent', values: [1] },
    ];
    const { lines, left } = encodeEvents(windowOf(data), N, WHOLE);
    assert.deepEqual(left, ['Stage', '_aws']);
    assert.deepEqual(
      readEvents(lines).map((one) => one.name),
      ['CPU'],
    );
    assert.deepEqual(encodeEvents(windowOf(data), N, { maxBytes: 200 }), {
      lines: [],
      left: ['Stage', '_aws', 'CPU'],
    });
  });

  test('is nothing at all: no event of an empty window, or of what is no number', () => {
    const none = { lines: [], left: [] };
    assert.deepEqual(encodeEvents(windowOf([]), N, WHOLE), none);
    const data = [{ name: 'A', unit: 'None', values: [Number.NaN, Number.POSITIVE_INFINITY] }];
    assert.deepEqual(encodeEvents(windowOf(data), N, WHOLE), none);
  });
});

test('a log group is named by the service, in what characters it may have', () => {
  assert.equal(logGroupOf(N), 'web__1_-metrics');
  const long = { ...N, dimensions: [{ Name: 'ServiceName', Value: 'x'.repeat(1024) }] };
  assert.equal(logGroupOf(long).length, 512);
});

describe('beside the client of AWS', () => {
  test('the same values become the same metrics', () => {
    const unique = fc.uniqueArray(datum, { maxLength: 120, selector: (one) => one.name });
    const simple = fc.uniqueArray(
      fc.record({
        Name: fc.stringMatching(/^D[a-z]{1,20}$/),
        Value: fc.stringMatching(/^[a-z ]*[a-z]$/),
      }),
      { minLength: 1, maxLength: 29, selector: ({ Name }) => Name },
    );
    fc.assert(
      fc.property(unique, simple, fc.boolean(), (some, dimensions, highResolution) => {
        const taken = new Set(['_aws', ...dimensions.map(({ Name }) => Name)]);
        // It takes no number beyond these, no old time and no blank name; "__proto__" it loses.
        const isSafe = (value: number): boolean => Math.abs(value) <= Number.MAX_SAFE_INTEGER;
        const data = some
          .filter(({ name }) => !taken.has(name) && name.trim() !== '' && name !== '__proto__')
          .filter(({ values }) => values.every(isSafe));
        const startMs = Date.now();
        const publication = { namespace: 'Team/App', dimensions, highResolution };
        const context = MetricsContext.empty();
        context.setNamespace(publication.namespace);
        context.setTimestamp(startMs);
        context.setDimensions(
          [Object.fromEntries(dimensions.map(({ Name, Value }) => [Name, Value]))],
          false,
        );
        for (const metric of expected(data, publication)) {
          for (const value of metric.values) {
            context.putMetric(
              metric.name,
              value,
              metric.unit as Unit,
              highResolution ? StorageResolution.High : StorageResolution.Standard,
            );
          }
        }
        const theirs = data.length === 0 ? [] : new LogSerializer().serialize(context);
        const ours = encodeEvents({ ...windowOf(data), startMs }, publication, WHOLE).lines;
        assert.deepEqual(comparable(readEvents(ours)), comparable(readEvents(theirs)));
      }),
      { numRuns: Math.min(RUNS, 1000) },
    );
  });
});
