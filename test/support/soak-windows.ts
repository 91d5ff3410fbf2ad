/**
 * A child of soak-windows.test.ts: the loop, the outbox, delivery, encoding, signing and judging in one real
 * process, a window each tick, on a clock that runs as fast as it can. Only the wire is short: what is
 * sent is answered in place. Prints the resident bytes after each number of windows that its arguments name,
 * and what is left at the end.
 */
import { readdirSync } from 'node:fs';
import { Agent } from '../../src/agent.ts';
import type { Place } from '../../src/aws/aws.ts';
import { createSkew } from '../../src/aws/skew.ts';
import { createPost } from '../../src/cloudwatch/post.ts';
import { CloudwatchSink } from '../../src/cloudwatch/sink.ts';
import { openHost } from '../../src/host.ts';
import { createLog } from '../../src/log.ts';
import { defaultMetrics } from '../../src/metrics/catalog.ts';
import { selectSource } from '../../src/sources/select.ts';
import { drivenClock } from './clock.ts';
import { sourceOptions } from './sources.ts';

const SECOND = 1000;
/** One request in so many fails, and is tried again. */
const FAILURE = 50;
const ANSWER =
  '<PutMetricDataResponse><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></PutMetricDataResponse>';

const [root = '/', ...marks] = process.argv.slice(2);
const clock = drivenClock(Date.UTC(2026, 0, 1));
const log = createLog({ level: 'error', format: 'text', clock, write: () => undefined });
let requests = 0;
const place: Place = {
  region: { name: 'eu-west-1', isFips: false, from: 'a soak' },
  endpoint: new URL('https://monitoring.eu-west-1.amazonaws.com/'),
  credentials: {
    resolve: () =>
      Promise.resolve({
        accessKeyId: 'AKIDSOAK',
        secretAccessKey: 'secret-of-SOAK',
        provider: 'a soak',
        isManaged: false,
      }),
    invalidate: () => undefined,
  },
  setting: () => undefined,
  http: {
    send: () => {
      requests += 1;
      const headers = { date: new Date(clock.wallMs()).toUTCString() };
      const isGood = requests % FAILURE !== 0;
      return Promise.resolve({ status: isGood ? 200 : 503, headers, body: isGood ? ANSWER : '' });
    },
    close: () => undefined,
  },
  clock,
  skew: createSkew(clock),
};
// Node opens one descriptor more with the first write.
process.stdout.write('');
const before = { descriptors: descriptors(), listeners: listeners() };
const { source } = await selectSource({
  ...sourceOptions(),
  scope: 'auto',
  host: openHost(root),
  clock,
  platform: 'linux',
  own: undefined,
  metadata: () => Promise.resolve(undefined),
  warn: () => undefined,
});
const dimensions = [{ Name: 'ServiceName', Value: 'soak' }];
const sink = new CloudwatchSink({
  publication: { namespace: 'Soak', dimensions, highResolution: true },
  resolve: (given) => Promise.resolve(given),
  prepare: () => Promise.resolve({}),
  post: createPost({ locate: () => Promise.resolve(place), clock, userAgent: 'soak/1' }),
  periodMs: SECOND,
  jitterMs: SECOND / 4,
  bufferBytes: 4 * 1024 * 1024,
  openSpool: undefined,
  health: (series, value) => agent.note(series, value),
  remedyFor: () => undefined,
  clock,
  log,
  random: Math.random,
});
const agent = new Agent({
  source,
  sink,
  clock,
  log,
  intervalMs: SECOND,
  periodMs: SECOND,
  aligned: true,
  aggregate: {
    metrics: defaultMetrics('median'),
    statistics: 'median',
    valuesPerDatum: 150,
    compatFraction: false,
  },
});

function descriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

function listeners(): number {
  return process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0);
}

agent.start();
let windows = 0;
for (const mark of marks.map(Number)) {
  while (windows < mark) {
    clock.advance(SECOND);
    windows += 1;
    // As an idle process does between two windows: what was promised is done.
    await new Promise((resolve) => setImmediate(resolve));
    if (windows % 1000 === 0) globalThis.gc?.();
  }
  process.stdout.write(`${process.memoryUsage.rss()}\n`);
}
const stopping = agent.stop(clock.monoMs() + 8 * SECOND);
for (let turn = 0; turn < 100; turn += 1) {
  await new Promise((resolve) => setImmediate(resolve));
  clock.advance(100);
}
const { lost } = await stopping;
const { windowsSent } = sink.status();
process.stdout.write(
  `${JSON.stringify({
    windowsSent,
    lost,
    tasks: clock.pending(),
    descriptors: descriptors() - before.descriptors,
    listeners: listeners() - before.listeners,
  })}\n`,
);
