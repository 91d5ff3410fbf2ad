/**
 * A child of soak.test.ts: the loop, the outbox, delivery, encoding, signing and judging in one real
 * process, a window each tick, on a clock that runs as fast as it can. Where no URL is named the wire is
 * short: what is sent is answered in place. Prints what it takes after each number of windows that its
 * arguments name, and what is left at the end.
 *
 * Arguments: root of a host, URL of a service or nothing, folder of a spool or nothing, numbers of windows.
 */
import { readdirSync } from 'node:fs';
import { Agent } from '../../../src/agent.ts';
import type { Destination } from '../../../src/aws/aws.ts';
import { createSkew } from '../../../src/aws/skew.ts';
import { createPost } from '../../../src/cloudwatch/post.ts';
import { Sender } from '../../../src/delivery/sender.ts';
import type { Adopt, PendingWindows } from '../../../src/delivery/store.ts';
import { createLog } from '../../../src/log.ts';
import { defaultMetrics } from '../../../src/metrics/catalog.ts';
import { Labels } from '../../../src/metrics/labels.ts';
import { Window } from '../../../src/metrics/window.ts';
import { createHttpClient, type HttpAnswer } from '../../../src/net/http.ts';
import { cloudwatchService } from '../../../src/sinks/cloudwatch.ts';
import { openDisk } from '../../../src/spool/disk.ts';
import { Spool } from '../../../src/spool/spool.ts';
import { drivenClock } from '../clock.ts';
import { sourceOn } from './source.ts';
import { taken } from './taken.ts';

const [root = '/', url = '', folder = '', ...marks] = process.argv.slice(2);
const SECOND = 1000;
/** One request in so many fails, and is tried again. */
const FAILURE = 50;
/** So many in which nothing was asked for: what follows one thing begins a turn later. */
const QUIET_TURNS = url === '' && folder === '' ? 1 : 4;
const ANSWER =
  '<PutMetricDataResponse><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></PutMetricDataResponse>';

const clock = drivenClock(Date.UTC(2026, 0, 1));
const log = createLog({ level: 'error', format: 'text', clock, write: () => undefined });
let requests = 0;
/** What was asked of the wire and of the disk, and has not come yet. */
let underWay = 0;
let appended = 0;

async function counted<T>(work: Promise<T>): Promise<T> {
  underWay += 1;
  try {
    return await work;
  } finally {
    underWay -= 1;
  }
}

function inPlace(): Promise<HttpAnswer> {
  requests += 1;
  const headers = { date: new Date(clock.wallMs()).toUTCString() };
  const isGood = requests % FAILURE !== 0;
  return Promise.resolve({ status: isGood ? 200 : 503, headers, body: isGood ? ANSWER : '' });
}

function openSpool(pending: PendingWindows, adopt: Adopt): Spool {
  const disk = new Proxy(openDisk(folder), {
    get: (real, name) => {
      const method = Reflect.get(real, name);
      if (name === 'append') appended += 1;
      return (...given: unknown[]) => counted(Promise.resolve(Reflect.apply(method, real, given)));
    },
  });
  const limitBytes = 64 * 1024 * 1024;
  const namespace = 'Soak';
  const output = 'cloudwatch';
  return new Spool({
    disk,
    limitBytes,
    owner: 'abc',
    output,
    namespace,
    clock,
    log,
    pending,
    adopt,
  });
}

/** As an idle process does between two windows: what was promised is done. */
async function quiet(): Promise<void> {
  for (let turns = 0; turns < QUIET_TURNS; turns = underWay > 0 ? 0 : turns + 1) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const wire = createHttpClient();
const place: Destination = {
  region: { name: 'eu-west-1', isFips: false, from: 'a soak' },
  endpoint: new URL(url || 'https://monitoring.eu-west-1.amazonaws.com/'),
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
    send: (request) => (url === '' ? inPlace() : counted(wire.send(request))),
    close: wire.close,
  },
  clock,
  skew: createSkew(clock),
};
// Node opens one descriptor more with the first write.
process.stdout.write('');
const before = { descriptors: descriptors(), listeners: listeners() };
const metrics = defaultMetrics('median');
const series = new Set(metrics.map((metric) => metric.series));
const source = await sourceOn(root, clock, series);
const window = new Window(series);
const dimensions = [{ Name: 'ServiceName', Value: 'soak' }];
const sink = new Sender({
  publication: { namespace: 'Soak', dimensions, highResolution: true },
  resolve: (given) => Promise.resolve(given),
  prepare: () => Promise.resolve({}),
  service: cloudwatchService(
    createPost({ locate: () => Promise.resolve(place), clock, userAgent: 'soak/1' }),
  ),
  periodMs: SECOND,
  jitterMs: SECOND / 4,
  bufferBytes: 4 * 1024 * 1024,
  openStore: folder === '' ? undefined : openSpool,
  health: (name, value) => window.add(name, value),
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
  window,
  labels: new Labels({ clock, uptimeMs: clock.monoMs, periodMs: SECOND, isAligned: true }),
  aggregate: {
    metrics,
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
    await quiet();
    if (windows % 1000 === 0) globalThis.gc?.();
  }
  process.stdout.write(`${JSON.stringify(taken())}\n`);
}
const stopping = agent.stop(clock.monoMs() + 8 * SECOND);
for (let turn = 0; turn < 100; turn += 1) {
  await quiet();
  clock.advance(100);
}
const { lost } = await stopping;
wire.close();
await quiet();
const { windowsSent } = sink.status();
process.stdout.write(
  `${JSON.stringify({
    windowsSent,
    appended,
    lost,
    tasks: clock.pending(),
    descriptors: descriptors() - before.descriptors,
    listeners: listeners() - before.listeners,
  })}\n`,
);
