import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { Place } from '../src/aws/aws.ts';
import type { Identity } from '../src/aws/credentials.ts';
import { createSkew } from '../src/aws/skew.ts';
import { type Clock, systemClock } from '../src/clock.ts';
import { encodePages, type Page } from '../src/cloudwatch/form.ts';
import { createPost, type Post } from '../src/cloudwatch/post.ts';
import { ConfigError } from '../src/errors.ts';
import { createLog } from '../src/log.ts';
import { createHttpClient } from '../src/net/http.ts';
import { type Cloudwatch, CREDENTIALS, REGION, startCloudwatch } from './support/cloudwatch.ts';
import { said } from './support/said.ts';

const HOUR = 3_600_000;
const { signal } = new AbortController();
let cloudwatch: Cloudwatch;
let logged: string[];

beforeEach(async () => {
  cloudwatch = await startCloudwatch();
  logged = [];
});
afterEach(() => cloudwatch.close());

interface Scene {
  /** Given out one after the other, the next one after an invalidation. */
  readonly keys?: readonly string[];
  readonly clock?: Clock;
  readonly locate?: (place: Place) => Promise<Place>;
}

function postOf(scene: Scene = {}): { post: Post; invalidated: string[] } {
  const { keys = [CREDENTIALS.accessKeyId], clock = systemClock() } = scene;
  const invalidated: string[] = [];
  const current = (): Identity => ({
    ...CREDENTIALS,
    accessKeyId: keys[Math.min(invalidated.length, keys.length - 1)] ?? '',
    provider: 'a test',
    isManaged: true,
  });
  const place: Place = {
    region: { name: REGION, isFips: false, from: 'a test' },
    endpoint: new URL(cloudwatch.url),
    credentials: {
      resolve: () => Promise.resolve(current()),
      invalidate: (key) => invalidated.push(key),
    },
    http: createHttpClient(),
    clock,
    skew: createSkew(clock),
  };
  const log = createLog({
    level: 'debug',
    format: 'text',
    clock,
    write: (line) => logged.push(said(line)),
  });
  const locate = (): Promise<Place> => scene.locate?.(place) ?? Promise.resolve(place);
  const post = createPost({ locate, clock, log, userAgent: 'test/1', gzipFromBytes: 100_000 });
  return { post, invalidated };
}

function pageAt(ms: number): Page {
  const Timestamp = `${new Date(ms).toISOString().slice(0, 19)}Z`;
  const datum = { MetricName: 'M', Dimensions: [], Timestamp, Unit: 'Count', Value: 1 };
  return encodePages('Post', [datum])[0] ?? assert.fail();
}

function expired(code = 'ExpiredToken'): void {
  const body = `<ErrorResponse><Error><Code>${code}</Code></Error></ErrorResponse>`;
  cloudwatch.play({ kind: 'answer', answer: { status: 403, headers: {}, body } });
}

describe('credentials that have expired', () => {
  for (const code of ['ExpiredToken', 'InvalidToken']) {
    test(`49 ${code}: renewed, and sent once more within the attempt`, async () => {
      cloudwatch.credentials.push({ ...CREDENTIALS, accessKeyId: 'AKIDNEW' });
      expired(code);
      const { post, invalidated } = postOf({ keys: [CREDENTIALS.accessKeyId, 'AKIDNEW'] });
      const { outlook } = await post(pageAt(Date.now()), 5000, signal);
      assert.equal(outlook, 'accepted');
      assert.deepEqual(invalidated, [CREDENTIALS.accessKeyId]);
      const keys = cloudwatch.requests.map(({ headers }) => headers['authorization'] ?? '');
      assert.match(keys[1] ?? '', /Credential=AKIDNEW\//);
    });
  }

  test('with none but the same ones it is not sent again, and the request waits', async () => {
    expired();
    const { post } = postOf();
    const { outlook, code } = await post(pageAt(Date.now()), 5000, signal);
    assert.deepEqual([outlook, code], ['unready', 'ExpiredToken']);
    assert.equal(cloudwatch.requests.length, 1);
  });

  test('access that is denied leaves them alone', async () => {
    expired('AccessDenied');
    const { post, invalidated } = postOf({ keys: [CREDENTIALS.accessKeyId, 'AKIDNEW'] });
    assert.equal((await post(pageAt(Date.now()), 5000, signal)).outlook, 'refused');
    assert.deepEqual(invalidated, []);
  });
});

describe('a clock that is wrong', () => {
  for (const hours of [-3, 2, 400]) {
    test(`by ${hours} h costs one corrected retry, once, and then nothing`, async () => {
      const { monoMs, wallMs, after } = systemClock();
      const clock = { monoMs, after, wallMs: () => wallMs() + hours * HOUR };
      const { post } = postOf({ clock });
      const statuses = (): unknown[] => cloudwatch.requests.map(({ status }) => status);
      assert.equal((await post(pageAt(wallMs()), 5000, signal)).outlook, 'accepted');
      assert.deepEqual(statuses(), [403, 200]);
      assert.equal((await post(pageAt(clock.wallMs()), 5000, signal)).outlook, 'accepted');
      assert.deepEqual(statuses(), [403, 200, 200]);
      // Its datum is stamped by the service's clock as well.
      const stamp = Date.parse(cloudwatch.accepted[1]?.data[0]?.Timestamp ?? '');
      assert.ok(Math.abs(stamp - Date.now()) < 5000, `${stamp - Date.now()} ms off`);
    });
  }

  test('by less than the service minds changes nothing', async () => {
    const { monoMs, wallMs, after } = systemClock();
    const clock = { monoMs, after, wallMs: () => wallMs() - 200_000 };
    const { post } = postOf({ clock });
    await post(pageAt(wallMs()), 5000, signal);
    assert.deepEqual(
      cloudwatch.requests.map(({ status }) => status),
      [200],
    );
  });

  test('a wrong secret is no clock: it is not sent again', async () => {
    cloudwatch.credentials.splice(0, 1, { ...CREDENTIALS, secretAccessKey: 'another' });
    const { post } = postOf();
    const { outlook, code } = await post(pageAt(Date.now()), 5000, signal);
    assert.deepEqual([outlook, code], ['refused', 'SignatureDoesNotMatch']);
    assert.equal(cloudwatch.requests.length, 1);
  });
});

describe('what is not there yet', () => {
  test('is said once as it changes, and once when it is found', async () => {
    const reasons = ['no region', 'no region', 'no credentials', undefined, undefined];
    const { post } = postOf({
      locate: async (place) => {
        const reason = reasons.shift();
        if (reason !== undefined) throw new ConfigError('here', reason);
        return place;
      },
    });
    const outlooks = [];
    for (let index = 0; index < 5; index += 1) {
      outlooks.push((await post(pageAt(Date.now()), 5000, signal)).outlook);
    }
    assert.deepEqual(outlooks, ['unready', 'unready', 'unready', 'accepted', 'accepted']);
    const lines = logged.map((line) => line.replace(/^\S+ /, ''));
    assert.equal(lines.length, 3);
    assert.match(lines[0] ?? '', /^warn cannot publish yet, windows wait .*no region"$/);
    assert.match(lines[1] ?? '', /no credentials"$/);
    assert.match(lines[2] ?? '', /^warn ready to publish .*key=AKID…BACK$/);
  });

  test('is waited for no longer than the attempt may take', async () => {
    const { post } = postOf({ locate: () => new Promise(() => undefined) });
    const { outlook } = await post(pageAt(Date.now()), 50, signal);
    assert.equal(outlook, 'unready');
  });
});
