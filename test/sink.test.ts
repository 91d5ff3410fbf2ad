import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { Place } from '../src/aws/aws.ts';
import { systemClock } from '../src/clock.ts';
import { createPost } from '../src/cloudwatch/post.ts';
import { CloudwatchSink } from '../src/cloudwatch/sink.ts';
import { createLog } from '../src/log.ts';
import type { ClosedWindow, Datum } from '../src/metrics/aggregate.ts';
import { type Cloudwatch, startCloudwatch } from './support/cloudwatch.ts';
import * as fault from './support/faults.ts';
import { placeAt } from './support/place.ts';

const clock = systemClock();
/** Right now, in whole minutes: the strict server refuses what is too old. */
const MINUTE = 60_000;
const NOW = Math.floor(Date.now() / MINUTE) * MINUTE;

let cloudwatch: Cloudwatch;
let logged: string[];

beforeEach(async () => {
  cloudwatch = await startCloudwatch();
  logged = [];
});

afterEach(() => cloudwatch.close());

/** @param random what every jitter is drawn as: 0 for no delay, nearly 1 for the longest */
function sinkOf(random = 0): CloudwatchSink {
  const log = createLog({
    level: 'info',
    format: 'text',
    clock,
    write: (line) => logged.push(line),
  });
  const place = placeAt(cloudwatch.url);
  const locate = (): Promise<Place> => Promise.resolve(place);
  const post = createPost({ locate, clock, log, userAgent: 'test/1', gzipFromBytes: 10_240 });
  return new CloudwatchSink({
    publication: {
      namespace: 'Sink',
      dimensions: [{ Name: 'ServiceName', Value: 's' }],
      highResolution: false,
    },
    post,
    clock,
    log,
    random: () => random,
  });
}

function windowOf(index: number, data: readonly Datum[] = [datumOf([index])]): ClosedWindow {
  const startMs = NOW - index * MINUTE;
  return { startMs, endMs: startMs + MINUTE, samples: 1, data };
}

function datumOf(values: readonly number[], counts?: readonly number[]): Datum {
  const common = {
    name: 'CPUUtilization',
    unit: 'Percent',
    samples: 1,
    least: 0,
    most: 1,
  } as const;
  return counts === undefined ? { ...common, values } : { ...common, values, counts };
}

const soon = (): number => clock.monoMs() + 5000;

describe('the CloudWatch sink', () => {
  test('sends each window as one request, in order, over one connection', async () => {
    const sink = sinkOf();
    for (const index of [3, 2, 1]) sink.accept(windowOf(index));
    assert.deepEqual(await sink.flush(soon()), { sent: 3, lost: 0 });
    assert.deepEqual(
      cloudwatch.accepted.map(({ data }) => data[0]?.Value),
      [3, 2, 1],
    );
  });

  test('compresses a large body, and splits what is beyond the limits', async () => {
    const sink = sinkOf();
    const values = Array.from({ length: 150 }, (_, index) => index + 0.0625);
    const counts = values.map(() => 1);
    sink.accept(
      windowOf(
        1,
        Array.from({ length: 120 }, () => datumOf(values, counts)),
      ),
    );
    assert.deepEqual(await sink.flush(soon()), { sent: 1, lost: 0 });
    assert.equal(cloudwatch.accepted.length, 2);
    assert.ok(cloudwatch.accepted.every(({ gzip }) => gzip));
    assert.ok(cloudwatch.accepted.every(({ uncompressedBytes }) => uncompressedBytes <= 1_000_000));
    const datums = cloudwatch.accepted.reduce((sum, { data }) => sum + data.length, 0);
    assert.equal(datums, 120);
  });

  for (const [name, make] of Object.entries({
    throttling: fault.throttling,
    'a server error': fault.internalServiceError,
    unavailability: fault.serviceUnavailable,
    'a timeout with an empty body': fault.requestTimeout,
    'a reset before reading': fault.resetBeforeReading,
    'a reset in the middle of the body': fault.resetMidBody,
    'an answer cut in the middle': fault.cutMidAnswer,
    'a page of a proxy': () => fault.htmlPage(200),
    'truncated XML': fault.truncatedXml,
    'another service': fault.wrongRoot,
  })) {
    test(`tries again after ${name}`, async () => {
      cloudwatch.play(make());
      const sink = sinkOf();
      sink.accept(windowOf(1));
      assert.deepEqual(await sink.flush(soon()), { sent: 1, lost: 0 });
      assert.ok(logged.some((line) => line.includes('trying again')));
    });
  }

  test('does not repeat what will be refused again, and says code and message', async () => {
    cloudwatch.play(fault.refusal(400, 'InvalidParameterValue', 'The value x is invalid.'));
    const sink = sinkOf();
    sink.accept(windowOf(1));
    assert.deepEqual(await sink.flush(soon()), { sent: 0, lost: 1 });
    assert.equal(cloudwatch.requests.length, 1);
    assert.match(
      logged.join('\n'),
      /warn .*is lost attempts=1 code=InvalidParameterValue reason="The value x is invalid\."/,
    );
  });

  test('follows no redirect', async () => {
    cloudwatch.play(fault.redirect('http://127.0.0.1:1/'));
    const sink = sinkOf();
    sink.accept(windowOf(1));
    assert.deepEqual(await sink.flush(soon()), { sent: 0, lost: 1 });
  });

  test('the flush does not wait for the end of a back-off', async () => {
    cloudwatch.play(fault.throttling(), fault.throttling());
    const sink = sinkOf(0.999);
    sink.accept(windowOf(1));
    await cloudwatch.waitFor(({ requests }) => requests.length === 1);
    const begun = clock.monoMs();
    assert.deepEqual(await sink.flush(soon()), { sent: 1, lost: 0 });
    // Two back-offs would be 3 s.
    assert.ok(clock.monoMs() - begun < 900);
  });

  test('the flush ends at its deadline, with an attempt under way', async () => {
    cloudwatch.play(fault.stall());
    const sink = sinkOf();
    sink.accept(windowOf(1));
    await cloudwatch.waitFor(({ requests }) => requests.length === 1);
    assert.deepEqual(await sink.flush(clock.monoMs() + 200), { sent: 0, lost: 1 });
  });

  test('windows that wait for a service that hangs are bounded, and the loss is said', async () => {
    cloudwatch.play(fault.stall());
    const sink = sinkOf();
    for (let index = 0; index < 70; index += 1) sink.accept(windowOf(index));
    assert.equal(sink.status()['windowsWaiting'], 60);
    assert.equal(logged.filter((line) => line.includes('too many windows wait')).length, 9);
    await sink.flush(clock.monoMs() + 100);
  });
});
