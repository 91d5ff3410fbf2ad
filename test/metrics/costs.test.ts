import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import type { WaitingDatum } from '../../src/delivery/packing.ts';
import type { Publishable } from '../../src/delivery/service.ts';
import { encodeEvents, SPLIT_BYTES } from '../../src/emf/encode.ts';
import { CATALOG, defaultMetrics } from '../../src/metrics/catalog.ts';
import type { Metric } from '../../src/metrics/metric.ts';
import {
  bytesMonth,
  MONTH_HOURS,
  metricsMonth,
  metricsOf,
  PRICES,
  requestsMonth,
} from '../../src/metrics/price.ts';
import { encodePage } from '../../src/otlp/encode.ts';
import { withResource } from '../../src/otlp/resource.ts';

/** The README shows the same table. */
const PAGES = ['../../docs/costs.md', '../../README.md'].map(
  (path) => new URL(path, import.meta.url),
);
const MINUTE = 60_000;
const START = Date.UTC(2026, 9, 1);
const TASK = '0123456789abcdef0123456789abcdef';
const ARN = `arn:aws:ecs:us-east-1:123456789012:task/production/${TASK}`;
const JOB_MINUTES = 10;
const JOBS_A_MONTH = (10_000 * MONTH_HOURS) / 24;

/** An agent of an ECS task, told apart by the task's id. */
const DIMENSIONS = withResource(
  [
    { Name: 'ServiceName', Value: 'checkout' },
    { Name: 'TaskId', Value: TASK },
  ],
  {
    environment: { ECS_CONTAINER_METADATA_URI_V4: 'http://169.254.170.2/v4/x' },
    hostname: 'ip-10-0-1-23.ec2.internal',
    ownId: `${TASK}-1234567890`,
    task: {
      cluster: 'production',
      arn: ARN,
      family: 'checkout',
      launchType: 'FARGATE',
      serviceName: '',
      availabilityZone: 'us-east-1a',
      containers: [{ id: `${TASK}-1234567890`, name: 'agent', type: 'NORMAL', status: 'RUNNING' }],
    },
  },
);

function windowOf(metrics: readonly Metric[]): Publishable {
  const data = metrics.map(({ name, unit }, index): WaitingDatum => {
    return { name, unit, values: [12.3456 + index] };
  });
  const publication = {
    namespace: 'Shop/Production',
    dimensions: DIMENSIONS,
    highResolution: false,
  };
  return { startMs: START, endMs: START + MINUTE, data, publication };
}

/** Bytes as sent, and with the resource counted in each point. */
function otlpBytes(metrics: readonly Metric[]): readonly [least: number, most: number] {
  const { bytes } = encodePage([windowOf(metrics)], { isFraction: false });
  const alone = metrics.map(
    (metric) => encodePage([windowOf([metric])], { isFraction: false }).bytes,
  );
  return [bytes, alone.reduce((sum, one) => sum + one, 0)];
}

/** A line of EMF as it is written, and the 26 bytes that CloudWatch Logs counts for each event besides. */
function emfBytes(metrics: readonly Metric[]): number {
  const { publication, ...window } = windowOf(metrics);
  const dimensions = [
    { Name: 'ServiceName', Value: 'checkout' },
    { Name: 'TaskId', Value: TASK },
  ];
  const named = { ...publication, dimensions };
  const { lines } = encodeEvents(window, named, { maxBytes: SPLIT_BYTES });
  return lines.reduce((sum, line) => sum + Buffer.byteLength(line) + 26, 0);
}

const MEDIANS = defaultMetrics('median');
const DISTRIBUTION = metricsOf('distribution', MEDIANS, CATALOG);
const JOB = defaultMetrics('median', true);

/** Agents that run all the month. */
function agents(count: number): string[] {
  const [least, most] = otlpBytes(MEDIANS).map((bytes) =>
    bytesMonth(MINUTE, bytes * count, PRICES.otlpGigabyte),
  );
  const medians = metricsMonth(MEDIANS.length * count);
  const requests = requestsMonth(MINUTE, count);
  const logs = bytesMonth(MINUTE, emfBytes(MEDIANS) * count, PRICES.logsGigabyte);
  return [
    dollars(medians + requests),
    dollars(metricsMonth(DISTRIBUTION.length * count) + requests),
    range(least, most),
    dollars(medians + logs),
  ];
}

/** Jobs whose id is a dimension: each bills its metrics for an hour. */
function jobs(): string[] {
  const hours = (metrics: number): number => metricsMonth((metrics * JOBS_A_MONTH) / MONTH_HOURS);
  const requests = JOBS_A_MONTH * JOB_MINUTES * PRICES.request;
  const bytes = (plain: number, last: number, price: number): number =>
    (((JOB_MINUTES - 1) * plain + last) * JOBS_A_MONTH * price) / 1e9;
  const [plain, last] = [otlpBytes(MEDIANS), otlpBytes(JOB)];
  const distribution = JOB.length - MEDIANS.length + DISTRIBUTION.length;
  return [
    dollars(hours(JOB.length) + requests),
    dollars(hours(distribution) + requests),
    range(
      bytes(plain[0], last[0], PRICES.otlpGigabyte),
      bytes(plain[1], last[1], PRICES.otlpGigabyte),
    ),
    dollars(hours(JOB.length) + bytes(emfBytes(MEDIANS), emfBytes(JOB), PRICES.logsGigabyte)),
  ];
}

function dollars(amount: number): string {
  const digits = amount < 10 ? 2 : 0;
  return amount.toLocaleString('en-US', {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
}

function range(least = 0, most = 0): string {
  return `${dollars(least)} to ${dollars(most)}`;
}

test('the table of costs in the documentation is reckoned from the code’s prices', () => {
  const [least, most] = otlpBytes(MEDIANS);
  const row = (name: string, cells: readonly string[]): string =>
    `| ${[name, ...cells].join(' | ')} |`;
  const table = [
    row(`$ a month, prices of ${PRICES.asOf}`, ['medians', 'distribution', 'OTLP', 'EMF']),
    '|---|--:|--:|--:|--:|',
    ...[1, 100, 10_000].map((count) =>
      row(count === 1 ? '1 agent' : `${count.toLocaleString('en-US')} agents`, agents(count)),
    ),
    row('10,000 ten-minute jobs a day', jobs()),
    row('bytes of a window', ['', '', `${least} to ${most}`, String(emfBytes(MEDIANS))]),
  ].join('\n');
  for (const page of PAGES) {
    const text = readFileSync(page, 'utf8');
    const [before = '', rest = ''] = text.split('<!-- costs -->\n');
    const after = rest.slice(rest.indexOf('<!-- /costs -->'));
    const renewed = `${before}<!-- costs -->\n${table}\n${after}`;
    if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(page, renewed);
    assert.equal(readFileSync(page, 'utf8'), renewed);
  }
});
