import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { systemClock } from '../../src/clock.ts';
import { Sender } from '../../src/delivery/sender.ts';
import type { Service } from '../../src/delivery/service.ts';
import type { Verdict } from '../../src/delivery/verdict.ts';
import type { ClosedWindow, Datum } from '../../src/metrics/aggregate.ts';
import { type Cloudwatch, startCloudwatch } from '../support/service/cloudwatch.ts';
import * as fault from '../support/service/faults.ts';
import { datumOf, MINUTE, type Over, type SinkRig, sinkTo, windowAt } from '../support/sink.ts';

const clock = systemClock();
/** Right now, in whole minutes: the strict server refuses what is too old. */
const NOW = Math.floor(Date.now() / MINUTE) * MINUTE;
const NONE = { sent: 0, spooled: 0, lost: 0, lostAtEnd: 0, isStuck: false };

let cloudwatch: Cloudwatch;
const rigs: SinkRig[] = [];

beforeEach(async () => {
  cloudwatch = await startCloudwatch();
});

afterEach(async () => {
  await cloudwatch.close();
  for (const { sink } of rigs.splice(0)) await sink.flush(clock.monoMs());
});

function rigOf(over: Over = {}): SinkRig {
  const rig = sinkTo(cloudwatch.url, over);
  rigs.push(rig);
  return rig;
}

/** So many minutes ago, with that number as its value. */
function windowOf(ago: number, data: readonly Datum[] = [datumOf([ago])]): ClosedWindow {
  return windowAt(NOW - ago * MINUTE, data);
}

/** The values of each request, in its order. */
function requests(): (number | undefined)[][] {
  return cloudwatch.accepted.map(({ data }) => data.map(({ Value }) => Value));
}

const soon = (): number => clock.monoMs() + 5000;

describe('a sink', () => {
  test('sends a window by itself when its time comes', async () => {
    const { sink } = rigOf();
    sink.accept(windowOf(1));
    await cloudwatch.waitFor(({ accepted }) => accepted.length === 1);
    assert.deepEqual(requests(), [[1]]);
  });

  test('ends a flush early where its deadline is brought forward', async () => {
    await cloudwatch.refuse();
    const { sink } = rigOf();
    sink.accept(windowOf(1));
    const beganMs = clock.monoMs();
    const flushed = sink.flush(beganMs + 60_000);
    sink.hurry?.(beganMs + 200);
    sink.hurry?.(beganMs + 60_000);
    assert.equal((await flushed).lostAtEnd, 1);
    assert.ok(clock.monoMs() - beganMs < 5000);
  });

  test('brings what has piled up in one request, the newest first and then from the oldest on', async () => {
    await cloudwatch.refuse();
    const { sink } = rigOf();
    for (const ago of [5, 4, 3, 2, 1]) sink.accept(windowOf(ago));
    await cloudwatch.listenAgain();
    assert.deepEqual(await sink.flush(soon()), { ...NONE, sent: 5 });
    assert.deepEqual(requests(), [[1, 5, 4, 3, 2]]);
  });

  test('compresses a large body, and splits what is beyond the limits', async () => {
    const { sink } = rigOf();
    const values = Array.from({ length: 150 }, (_, index) => index + 0.0625);
    const counts = values.map(() => 1);
    const large = Array.from({ length: 120 }, () => datumOf(values, counts));
    sink.accept(windowOf(1, large));
    assert.deepEqual(await sink.flush(soon()), { ...NONE, sent: 1 });
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
    'an access that is denied': () => fault.refusal(403, 'AccessDenied', 'no'),
    'a redirect, which is not followed': () => fault.redirect('http://127.0.0.1:1/'),
  })) {
    test(`keeps the window through ${name}`, async () => {
      cloudwatch.play(make());
      const { sink } = rigOf();
      sink.accept(windowOf(1));
      await cloudwatch.waitFor(({ requests: all }) => all.length === 1);
      assert.deepEqual(await sink.flush(soon()), { ...NONE, sent: 1 });
    });
  }

  test('sends a request that is too large by halves', async () => {
    cloudwatch.play(fault.entityTooLarge(), fault.entityTooLarge());
    const { sink } = rigOf();
    for (const ago of [8, 7, 6, 5, 4, 3, 2, 1]) sink.accept(windowOf(ago));
    assert.deepEqual(await sink.flush(soon()), { ...NONE, sent: 8 });
    assert.deepEqual(requests(), [
      [1, 8],
      [2, 7, 6, 5],
      [3, 4],
    ]);
  });

  test('sets datums aside that the service names, says so, and sends the rest', async () => {
    const message = [
      'The value NaN for parameter MetricData.member.2.Value is invalid.',
      'The parameter MetricData.member.3.Timestamp must specify a time within the past two weeks.',
    ].join('\n');
    cloudwatch.play(fault.refusal(400, 'InvalidParameterValue', message));
    const { sink, logged } = rigOf();
    for (const ago of [4, 3, 2, 1]) sink.accept(windowOf(ago));
    assert.deepEqual(await sink.flush(soon()), { ...NONE, sent: 2, lost: 2, lostAtEnd: 2 });
    assert.deepEqual(requests(), [[1, 2]]);
    const text = logged.join('\n');
    assert.match(text, /^warn the service does not take some of the data .*code=Invalid.*NaN/m);
    assert.match(text, /^warn datums that the service does not take are given up datums=2$/m);
    assert.match(text, /^warn windows are lost windows=2 why=refused$/m);
  });

  test('the flush does not wait for the end of a back-off', async () => {
    cloudwatch.play(fault.serviceUnavailable(), fault.serviceUnavailable());
    // The longest waits that can be drawn: minutes, in the end.
    const { sink } = rigOf({ random: () => 0.999 });
    sink.accept(windowOf(1));
    await cloudwatch.waitFor(({ requests: all }) => all.length === 1);
    assert.deepEqual(await sink.flush(soon()), { ...NONE, sent: 1 });
    assert.equal(cloudwatch.requests.length, 3);
  });

  test('an attempt of the flush has half of what remains, so that a second one can follow', async () => {
    cloudwatch.play(fault.stall());
    const { sink } = rigOf();
    sink.accept(windowOf(1));
    assert.deepEqual(await sink.flush(clock.monoMs() + 1000), { ...NONE, sent: 1 });
    assert.equal(cloudwatch.requests.length, 2);
  });

  test('the flush ends at its deadline, whatever is under way, and what waits is lost', async () => {
    cloudwatch.play(() => fault.stall());
    const { sink } = rigOf();
    for (const ago of [2, 1]) sink.accept(windowOf(ago));
    await cloudwatch.waitFor(({ requests: all }) => all.length === 1);
    const { loss, ...outcome } = await sink.flush(clock.monoMs() + 300);
    assert.deepEqual(outcome, { ...NONE, lost: 2, lostAtEnd: 2 });
    assert.match(loss?.reason ?? '', /^no answer within \d+ ms$/);
    assert.equal((loss?.toMs ?? 0) - (loss?.fromMs ?? 0), 2 * MINUTE);
  });

  test('what is not ready yet makes windows wait, and is said once', async () => {
    let isKnown = false;
    const { sink, logged, hasSaid } = rigOf({
      resolve: (dimensions) =>
        isKnown ? Promise.resolve(dimensions) : Promise.reject(new Error('no answer for @az')),
    });
    sink.accept(windowOf(1));
    await hasSaid(/debug cannot publish yet/);
    isKnown = true;
    assert.deepEqual(await sink.flush(soon()), { ...NONE, sent: 1 });
    const said = logged.filter((line) => line.startsWith('warn '));
    assert.match(said[0] ?? '', /^warn cannot publish yet, windows wait .*no answer for @az/);
    assert.match(said[1] ?? '', /^warn publishing again /);
    assert.equal(said.length, 2);
  });

  test('a refusal is one loud line with its remedy, not one an attempt', async () => {
    cloudwatch.play(() => fault.refusal(403, 'AccessDenied', 'not authorized'));
    const remedyFor = ({ code }: Verdict): string => `a remedy for ${code}`;
    const { sink, logged } = rigOf({ remedyFor });
    sink.accept(windowOf(1));
    await cloudwatch.waitFor(({ requests: all }) => all.length === 1);
    const { loss, ...outcome } = await sink.flush(soon());
    assert.deepEqual(outcome, { ...NONE, lost: 1, lostAtEnd: 1 });
    assert.equal(loss?.reason, 'not authorized');
    const errors = logged.filter((line) => line.startsWith('error '));
    assert.equal(errors.length, 1);
    assert.match(errors[0] ?? '', /^error publishing is refused, .*remedy="a remedy for AccessD/);
  });

  test('one bad moment is no warning, three in a row are one', async () => {
    cloudwatch.play(...Array.from({ length: 5 }, fault.serviceUnavailable));
    const { sink, logged, hasSaid } = rigOf();
    sink.accept(windowOf(1));
    await cloudwatch.waitFor(({ accepted }) => accepted.length === 1);
    const levels = logged.map((line) => line.slice(0, 31));
    await hasSaid(/publishing again/);
    assert.equal(levels.filter((line) => line.startsWith('info an attempt to publish')).length, 2);
    assert.equal(levels.filter((line) => line.startsWith('warn publishing fails')).length, 1);
    cloudwatch.play(fault.serviceUnavailable());
    sink.accept(windowOf(0));
    await cloudwatch.waitFor(({ accepted }) => accepted.length === 2);
    assert.equal(logged.filter((line) => line.startsWith('warn ')).length, 2);
  });

  test('says once an hour that some of what was accepted is missing', async () => {
    const { sink, logged, hasSaid } = rigOf({
      post: () =>
        Promise.resolve({
          kind: 'accepted',
          code: '',
          message: '1 of 2 points has an unknown unit',
          requestId: '',
          members: [],
          waitMs: 0,
          rejected: 1,
        }),
    });
    for (const [index, ago] of [2, 1].entries()) {
      sink.accept(windowOf(ago, [datumOf([ago]), datumOf([ago])]));
      await hasSaid(/^info published datums=2 /, index + 1);
    }
    assert.deepEqual(await sink.flush(soon()), { ...NONE, sent: 2 });
    const warnings = logged.filter((line) => line.startsWith('warn '));
    const reason = 'datums=1 reason="1 of 2 points has an unknown unit"';
    assert.deepEqual(warnings, [
      `warn the service does not take some of the data ${reason}`,
      'warn datums that the service does not take are given up datums=1',
      'warn datums that the service does not take are given up datums=1',
    ]);
  });

  test('tells its own health', async () => {
    cloudwatch.play(fault.serviceUnavailable());
    const seen: Record<string, number[]> = {};
    const { sink } = rigOf({
      health: (series, value) => {
        seen[series] = [...(seen[series] ?? []), value];
      },
    });
    sink.accept(windowOf(1));
    await sink.flush(soon());
    const { publishLatency = [], ...counts } = seen;
    assert.deepEqual(counts, { windowsSent: [0, 1], windowsDropped: [0], publishErrors: [0, 1] });
    assert.ok(publishLatency.length === 1 && (publishLatency[0] ?? 0) > 0);
  });
});

describe('a service of another kind', () => {
  /** Its bodies are lists, of three at most. */
  const MOST = 3;

  test('gets bodies of its own form, within its own limits, with whose each window is', async () => {
    const bodies: string[][] = [];
    const service: Service<readonly string[]> = {
      limits: { maxDatums: 8, maxAgeMs: 3_600_000, maxHintMs: 0 },
      encode(batch) {
        const lines = batch.flatMap(({ data, startMs, endMs, publication }) =>
          data.map(({ name, values }) =>
            [publication.namespace, endMs - startMs, name, values].join(' '),
          ),
        );
        const body = lines.slice(0, MOST);
        return { body, datums: body.length, bytes: body.join().length };
      },
      post({ body }) {
        bodies.push([...body]);
        const nothing = { code: '', message: '', requestId: '', members: [], waitMs: 0 };
        return Promise.resolve({ ...nothing, kind: 'accepted' });
      },
    };
    const log = { error: nothing, warn: nothing, notice: nothing, info: nothing, debug: nothing };
    function nothing(): void {
      // What it says is of no matter here.
    }
    const sender = new Sender({
      service,
      publication: { namespace: 'Other', dimensions: [], highResolution: false },
      resolve: (dimensions) => Promise.resolve(dimensions),
      prepare: () => Promise.resolve({}),
      periodMs: MINUTE,
      jitterMs: MINUTE,
      bufferBytes: 64 * 1024,
      health: nothing,
      remedyFor: () => undefined,
      clock,
      log,
      random: () => 0.5,
    });
    sender.accept(windowOf(70));
    for (const ago of [3, 2]) sender.accept(windowOf(ago, [datumOf([ago]), datumOf([ago + 0.5])]));
    assert.deepEqual(await sender.flush(soon()), { ...NONE, sent: 3 });
    assert.deepEqual(bodies.flat(), [
      'Other 60000 CPUUtilization 2',
      'Other 60000 CPUUtilization 2.5',
      'Other 60000 CPUUtilization 70',
      'Other 60000 CPUUtilization 3',
      'Other 60000 CPUUtilization 3.5',
    ]);
    assert.ok(bodies.every(({ length }) => length <= MOST));
  });
});
