import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { CATALOG } from '../../src/metrics/catalog.ts';
import type { RunFacts } from '../../src/report/facts.ts';
import { receiptOf } from '../../src/report/receipt.ts';

const DOCS = ['jobs', 'receipt']
  .map((page) => readFileSync(new URL(`../../docs/${page}.md`, import.meta.url), 'utf8'))
  .join('\n');
const peak = { value: 1, atMs: 0 };

/** A run of which everything is known. */
const WHOLE: RunFacts = {
  command: 'python',
  startMs: 0,
  durationMs: 60_000,
  exitCode: 137,
  signal: 'SIGKILL',
  wasAsked: false,
  isNotStarted: false,
  system: 'batch',
  scope: 'container',
  tallied: {
    samples: 100,
    cpuMedianCores: 1,
    cpuP95Cores: 1,
    cpuPeakCores: peak,
    cpuLimitCores: 2,
    heldPeak: peak,
    workingSetPeak: peak,
    memoryLimitBytes: 10,
    gpuMostPercent: 1,
    gpuMemoryMostPercent: 1,
    oomKills: 0,
  },
  cpuSeconds: 1,
  periods: 1,
  throttled: 0,
  kernelPeak: peak,
  swapPeakBytes: 0,
  oomKills: 0,
  oomLevel: undefined,
  largest: [],
  blockRead: 1,
  blockWritten: 1,
  networkReceived: 1,
  networkTransmitted: 1,
  windowsSent: 1,
  windowsSpooled: 0,
  windowsLost: 0,
};

describe('docs/jobs.md and docs/receipt.md', () => {
  test('has a row for each field of the receipt, and for no other', () => {
    const [, table = ''] = /<!-- receipt -->\n(.*)<!-- \/receipt -->/s.exec(DOCS) ?? [];
    const cells = [...table.matchAll(/^\| ([^|]+) \|/gm)].map(([, cell = '']) => cell);
    const named = cells.flatMap((cell) => [...cell.matchAll(/`(\w+)`/g)].map(([, name]) => name));
    const fields = new Set([
      ...Object.keys(receiptOf(WHOLE)),
      ...Object.keys(receiptOf({ ...WHOLE, durationMs: 1 })),
    ]);
    assert.deepEqual(named.sort(), [...fields].sort());
  });

  test('asks Logs Insights for fields that are there', () => {
    const [, query = ''] = /(filter type = .*? by bin)/s.exec(DOCS) ?? [];
    const receipt = receiptOf(WHOLE);
    const asked = [...query.matchAll(/(?:filter|and|pct\(|max\(|sum\() ?(\w+)/g)];
    assert.ok(asked.length >= 5);
    for (const [, name = ''] of asked) assert.ok(name in receipt, name);
  });

  test('filters the log by what a failed job’s line says', () => {
    const [, type, outcome] = /\$\.type = "(\w+)" && \$\.outcome = "(\w+)"/.exec(DOCS) ?? [];
    const receipt = receiptOf(WHOLE);
    assert.deepEqual([receipt['type'], receipt['outcome']], [type, outcome]);
  });

  test('alarms on a metric that there is', () => {
    const names = [...DOCS.matchAll(/(?:MetricName: |--metric-name )(\w+)/g)].map(
      ([, name]) => name,
    );
    assert.equal(names.length, 2);
    for (const name of names) assert.ok(CATALOG.some((metric) => metric.name === name));
  });
});
