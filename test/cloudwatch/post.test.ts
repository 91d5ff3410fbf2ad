import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { Destination } from '../../src/aws/aws.ts';
import type { Identity } from '../../src/aws/credentials/identity.ts';
import { createSkew } from '../../src/aws/skew.ts';
import { type Clock, systemClock } from '../../src/clock.ts';
import { encodePage, type Form } from '../../src/cloudwatch/form.ts';
import { createPost } from '../../src/cloudwatch/post.ts';
import type { Page, Post } from '../../src/delivery/service.ts';
import { ConfigError } from '../../src/errors.ts';
import { createHttpClient } from '../../src/net/http.ts';
import { rigs } from '../support/aws/aws.ts';
import { destinationAt } from '../support/aws/destination.ts';
import {
  type Cloudwatch,
  CREDENTIALS,
  REGION,
  startCloudwatch,
} from '../support/service/cloudwatch.ts';

const on = rigs();
const HOUR = 3_600_000;
const { signal } = new AbortController();
let cloudwatch: Cloudwatch;

beforeEach(async () => {
  cloudwatch = await startCloudwatch();
});
afterEach(() => cloudwatch.close());

interface Scene {
  /** Given out one after the other, the next one after an invalidation. */
  readonly keys?: readonly string[];
  readonly sessionToken?: string;
  readonly clock?: Clock;
  readonly locate?: (place: Destination) => Promise<Destination>;
}

function postOf(scene: Scene = {}): { post: Post<Form>; invalidated: string[] } {
  const { keys = [CREDENTIALS.accessKeyId], clock = systemClock() } = scene;
  const invalidated: string[] = [];
  const current = (): Identity => ({
    ...CREDENTIALS,
    ...(scene.sessionToken === undefined ? {} : { sessionToken: scene.sessionToken }),
    accessKeyId: keys[Math.min(invalidated.length, keys.length - 1)] ?? '',
    provider: 'a test',
    isManaged: true,
  });
  const place: Destination = {
    region: { name: REGION, isFips: false, from: 'a test' },
    endpoint: new URL(cloudwatch.url),
    credentials: {
      resolve: () => Promise.resolve(current()),
      invalidate: (key) => invalidated.push(key),
    },
    setting: () => undefined,
    http: createHttpClient(),
    clock,
    skew: createSkew(clock),
  };
  const locate = (): Promise<Destination> => scene.locate?.(place) ?? Promise.resolve(place);
  const post = createPost({ locate, clock, userAgent: 'test/1' });
  return { post, invalidated };
}

function pageAt(ms: number): Page<Form> {
  const publication = { namespace: 'Post', dimensions: [], highResolution: false };
  const data = [{ name: 'M', unit: 'Count', values: [1] }];
  return encodePage([{ startMs: ms, endMs: ms + 60_000, data, publication }]);
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
      const { kind } = await post(pageAt(Date.now()), 5000, signal);
      assert.equal(kind, 'accepted');
      assert.deepEqual(invalidated, [CREDENTIALS.accessKeyId]);
      const keys = cloudwatch.requests.map(({ headers }) => headers['authorization'] ?? '');
      assert.match(keys[1] ?? '', /Credential=AKIDNEW\//);
    });
  }

  test('with none but the same ones it is not sent again, and the request waits', async () => {
    expired();
    const { post } = postOf();
    const { kind, code } = await post(pageAt(Date.now()), 5000, signal);
    assert.deepEqual([kind, code], ['unready', 'ExpiredToken']);
    assert.equal(cloudwatch.requests.length, 1);
  });

  for (const sessionToken of ['token-of-OLD', undefined]) {
    test(`a key that is unknown is asked for anew, ${sessionToken ? 'temporary' : 'lasting'}`, async () => {
      const token = sessionToken === undefined ? undefined : { sessionToken };
      cloudwatch.credentials.push({ ...CREDENTIALS, accessKeyId: 'AKIDNEW', ...token });
      expired('InvalidClientTokenId');
      const keys = [CREDENTIALS.accessKeyId, 'AKIDNEW'];
      const { post, invalidated } = postOf({ keys, ...token });
      assert.equal((await post(pageAt(Date.now()), 5000, signal)).kind, 'accepted');
      assert.deepEqual(invalidated, [CREDENTIALS.accessKeyId]);
    });
  }

  test('a key that is unknown, and is the only one, is denied', async () => {
    expired('UnrecognizedClientException');
    const { post } = postOf();
    assert.equal((await post(pageAt(Date.now()), 5000, signal)).kind, 'denied');
    assert.equal(cloudwatch.requests.length, 1);
  });

  test('access that is denied leaves them alone', async () => {
    expired('AccessDenied');
    const { post, invalidated } = postOf({ keys: [CREDENTIALS.accessKeyId, 'AKIDNEW'] });
    assert.equal((await post(pageAt(Date.now()), 5000, signal)).kind, 'denied');
    assert.deepEqual(invalidated, []);
  });
});

describe('a proxy that repeats what it was sent', () => {
  /** Of 33 characters, and of a session's usual length. */
  const tokens = ['SESSIONTOKENVALUEabcdefghijklmnop', `IQoJb3JpZ2lu${'aB3/+'.repeat(100)}==`];
  for (const sessionToken of tokens) {
    for (const [how, shown] of [
      ['as a page', (text: string) => `<html><body>Blocked: ${text}</body></html>`],
      ['as text', (text: string) => `Blocked request: ${text}`],
      ['as a message', (text: string) => `<E><Code>Blocked</Code><Message>${text}</Message></E>`],
      ['at a great length', (text: string) => `${'-'.repeat(240)} ${text}`],
    ] as const) {
      test(`${how} is quoted without secrets (${sessionToken.length} characters)`, async () => {
        const accessKeyId = 'AKIAIOSFODNN7EXAMPLE';
        cloudwatch.play(({ headers }) => {
          const text = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
          const body = shown(text.sort().reverse().join(' '));
          return { kind: 'answer', answer: { status: 403, headers: {}, body } };
        });
        const { post } = postOf({ keys: [accessKeyId], sessionToken });
        const verdict = await post(pageAt(Date.now()), 5000, signal);
        const text = JSON.stringify(verdict);
        const [, signature = '?'] =
          /Signature=([\da-f]+)/.exec(cloudwatch.requests[0]?.headers['authorization'] ?? '') ?? [];
        assert.equal(signature.length, 64);
        for (const secret of [sessionToken.slice(0, 16), signature.slice(0, 16), accessKeyId]) {
          assert.ok(!text.includes(secret), text);
        }
        assert.match(verdict.message, how === 'as a page' ? /^$/ : /x-amz-date/);
      });
    }
  }

  test('leaves what CloudWatch says of roles and metrics', async () => {
    const message =
      'User: arn:aws:sts::123456789012:assumed-role/ecsTaskRole-of-the-billing-service/0f9de17a6465404e8b1b2356dc13c2f8 is not authorized to perform: cloudwatch:PutMetricData';
    const body = `<ErrorResponse><Error><Code>AccessDenied</Code><Message>${message}</Message></Error></ErrorResponse>`;
    cloudwatch.play({ kind: 'answer', answer: { status: 403, headers: {}, body } });
    const { post } = postOf();
    const verdict = await post(pageAt(Date.now()), 5000, signal);
    assert.equal(verdict.message, message);
  });
});

describe('a clock that is wrong', () => {
  const off = (ms: number | undefined): number => Math.abs((ms ?? Number.NaN) - Date.now());
  const stamps = (): number[] =>
    cloudwatch.accepted.map(({ data }) => Date.parse(data[0]?.Timestamp ?? ''));
  const statuses = (): unknown[] => cloudwatch.requests.map(({ status }) => status);

  for (const hours of [-3, 1, 3, 400]) {
    test(`costs one corrected retry, once, and windows get the right time (${hours} h)`, async () => {
      const { monoMs, wallMs, after } = systemClock();
      const clock = { monoMs, after, wallMs: () => wallMs() + hours * HOUR };
      const { post } = postOf({ clock });
      assert.equal((await post(pageAt(clock.wallMs()), 5000, signal)).kind, 'accepted');
      assert.deepEqual(statuses(), [403, 200]);
      assert.equal((await post(pageAt(clock.wallMs()), 5000, signal)).kind, 'accepted');
      assert.deepEqual(statuses(), [403, 200, 200]);
      for (const stamp of stamps()) assert.ok(off(stamp) < 5000, `${off(stamp)} ms off`);
    });

    test(`by ${hours} h, and then set right: what comes then is not shifted`, async () => {
      const { monoMs, wallMs, after } = systemClock();
      let wrongMs = hours * HOUR;
      const clock = { monoMs, after, wallMs: () => wallMs() + wrongMs };
      const { post } = postOf({ clock });
      await post(pageAt(clock.wallMs()), 5000, signal);
      wrongMs = 0;
      assert.equal((await post(pageAt(clock.wallMs()), 5000, signal)).kind, 'accepted');
      assert.deepEqual(statuses(), [403, 200, 200]);
      assert.ok(off(stamps().at(-1)) < 5000, `${off(stamps().at(-1))} ms off`);
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

  for (const [code, seconds, times] of [
    ['AccessDeniedException', 270, 2],
    ['AccessDeniedException', 230, 1],
    ['AuthFailure', 270, 2],
    ['AccessDenied', 270, 1],
  ] as const) {
    test(`${code}, ${seconds} s off: asked ${times === 2 ? 'once more' : 'once'}`, async () => {
      const { monoMs, wallMs, after } = systemClock();
      const clock = { monoMs, after, wallMs: () => wallMs() - seconds * 1000 };
      expired(code);
      const { post } = postOf({ clock });
      await post(pageAt(wallMs()), 5000, signal);
      assert.equal(cloudwatch.requests.length, times);
    });
  }

  test('a wrong secret is no clock: it is not sent again', async () => {
    cloudwatch.credentials.splice(0, 1, { ...CREDENTIALS, secretAccessKey: 'another' });
    const { post } = postOf();
    const { kind, code } = await post(pageAt(Date.now()), 5000, signal);
    assert.deepEqual([kind, code], ['denied', 'SignatureDoesNotMatch']);
    assert.equal(cloudwatch.requests.length, 1);
  });
});

describe('what is not there yet', () => {
  test('makes the request wait, with the reason', async () => {
    const { post } = postOf({ locate: () => Promise.reject(new ConfigError('here', 'no region')) });
    const { kind, message } = await post(pageAt(Date.now()), 5000, signal);
    assert.deepEqual([kind, message], ['unready', 'here: no region']);
    assert.equal(cloudwatch.requests.length, 0);
  });

  test('is waited for no longer than the attempt may take', async () => {
    const { post } = postOf({ locate: () => new Promise(() => undefined) });
    const { kind } = await post(pageAt(Date.now()), 50, signal);
    assert.equal(kind, 'unready');
  });
});

test('the application’s id of the SDKs’ settings is in the user agent', async (t) => {
  const seen: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    seen.push(request.headers['user-agent']);
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const address = server.address();
  const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/`;
  for (const id of ['billing', 'a b(c)', undefined]) {
    const setting = (variable: string): string | undefined =>
      variable === 'AWS_SDK_UA_APP_ID' ? id : undefined;
    const locate = (): Promise<Destination> => Promise.resolve({ ...destinationAt(url), setting });
    await createPost({ locate, clock: systemClock(), userAgent: 'x/1' })(pageAt(0), 5000, signal);
  }
  assert.deepEqual(seen, ['x/1 app/billing', 'x/1 app/a-b-c-', 'x/1']);
});

test('what was being asked for is said where that takes too long', async () => {
  const { aws } = await on({
    environment: {},
    connect: () => ({ send: () => new Promise(() => undefined), close: () => undefined }),
  });
  const post = createPost({ ...aws, clock: systemClock(), userAgent: 'x/1' });
  const { kind, message } = await post(pageAt(0), 50, signal);
  const told = 'it took too long to find out the region, of instance metadata';
  assert.deepEqual([kind, message], ['unready', told]);
});
