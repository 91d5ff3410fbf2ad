import assert from 'node:assert/strict';
import { createServer, type RequestListener } from 'node:http';
import { after, describe, test } from 'node:test';
import { systemClock } from '../../src/clock.ts';
import { AwsError, ConfigError, NoDataError } from '../../src/errors.ts';
import { createImds, type Imds, imdsSettings } from '../../src/metadata/imds.ts';
import { createHttpClient } from '../../src/net/http.ts';
import { drivenClock } from '../support/clock.ts';

const http = createHttpClient();
const closing: (() => void)[] = [() => http.close()];
after(() => {
  for (const close of closing) close();
});

const { signal } = new AbortController();
const TTL = 'x-aws-ec2-metadata-token-ttl-seconds';

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => {
    server.close();
    server.closeAllConnections();
  });
  const address = server.address();
  return `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
}

function settings(environment: Record<string, string>): ReturnType<typeof imdsSettings> {
  return imdsSettings((variable) => environment[variable]);
}

/** A service by what it answers: method and path to status and body, one after the other. */
async function imdsOf(
  answers: Record<string, [status: number, body: string][]>,
  clock = drivenClock(0),
): Promise<{ imds: Imds; seen: string[] }> {
  const seen: string[] = [];
  const endpoint = await serve((request, response) => {
    const what = `${request.method} ${request.url}`;
    const token = request.headers['x-aws-ec2-metadata-token'];
    seen.push(token === undefined ? what : `${what} ${token}`);
    const list = answers[what] ?? [];
    const [status, body] = (list.length > 1 ? list.shift() : list[0]) ?? [404, 'none'];
    response.writeHead(status, { [TTL]: '21600' }).end(body);
  });
  const at = settings({ AWS_EC2_METADATA_SERVICE_ENDPOINT: `${endpoint}/` });
  return { imds: createImds(at, http, clock), seen };
}

const PUT = 'PUT /latest/api/token';
const GET = 'GET /latest/meta-data/instance-id';
const PATH = '/latest/meta-data/instance-id';

describe('instance metadata', () => {
  test('a token is fetched once and serves every path, also at the same time', async () => {
    const { imds, seen } = await imdsOf({ [PUT]: [[200, 'tok']], [GET]: [[200, 'i-1\n']] });
    const ids = await Promise.all([imds.get(PATH, signal), imds.get(PATH, signal)]);
    assert.deepEqual(ids, ['i-1', 'i-1']);
    assert.deepEqual(seen, [PUT, `${GET} tok`, `${GET} tok`]);
  });

  test('a path that is not there is nothing, and no failure', async () => {
    const { imds } = await imdsOf({ [PUT]: [[200, 'tok']] });
    assert.equal(await imds.get(PATH, signal), undefined);
  });

  test('a 401 gets a new token, once', async () => {
    const tokens: [number, string][] = [
      [200, 'old'],
      [200, 'new'],
    ];
    const { imds, seen } = await imdsOf({
      [PUT]: tokens,
      [GET]: [
        [401, ''],
        [200, 'i-2'],
      ],
    });
    assert.equal(await imds.get(PATH, signal), 'i-2');
    assert.deepEqual(seen, [PUT, `${GET} old`, PUT, `${GET} new`]);
  });

  test('a token is renewed two minutes before its end', async () => {
    const clock = drivenClock(0);
    const answers = { [PUT]: [[200, 'tok']] as [number, string][] };
    const { imds, seen } = await imdsOf({ ...answers, [GET]: [[200, 'i-1']] }, clock);
    await imds.get(PATH, signal);
    clock.advance(21_479_000);
    await imds.get(PATH, signal);
    assert.equal(seen.filter((what) => what === PUT).length, 1);
    clock.advance(1001);
    await imds.get(PATH, signal);
    assert.equal(seen.filter((what) => what === PUT).length, 2);
  });

  test('a 5xx is tried again, three times in all', async () => {
    const hurried = { ...drivenClock(0), after: systemClock().after };
    const bad: [number, string] = [503, ''];
    const answers = { [PUT]: [bad, bad, [200, 'tok'] as [number, string]], [GET]: [bad] };
    const { imds, seen } = await imdsOf(answers, hurried);
    await assert.rejects(imds.get(PATH, signal), AwsError);
    assert.deepEqual(seen, [PUT, PUT, PUT, `${GET} tok`, `${GET} tok`, `${GET} tok`]);
  });

  for (const status of [400, 403, 404, 405]) {
    test(`${status} for the token is no instance metadata, and version 1 is not asked`, async () => {
      const { imds, seen } = await imdsOf({ [PUT]: [[status, '']], [GET]: [[200, 'i-1']] });
      await assert.rejects(imds.get(PATH, signal), NoDataError);
      assert.deepEqual(seen, [PUT]);
    });
  }

  test('a line feed at the token’s end is none of it', async () => {
    const { imds, seen } = await imdsOf({ [PUT]: [[200, 'tok\n']], [GET]: [[200, 'i-1']] });
    assert.equal(await imds.get(PATH, signal), 'i-1');
    assert.deepEqual(seen, [PUT, `${GET} tok`]);
  });

  test('a page in the token’s place is no token', async () => {
    const { imds } = await imdsOf({ [PUT]: [[200, '<html>log in\n</html>']] });
    await assert.rejects(imds.get(PATH, signal), AwsError);
  });

  test('a token’s answer that never comes hints at the hop limit', async () => {
    const endpoint = await serve(() => undefined);
    const slow = settings({
      AWS_EC2_METADATA_SERVICE_ENDPOINT: endpoint,
      AWS_METADATA_SERVICE_TIMEOUT: '0.1',
    });
    const imds = createImds(slow, http, systemClock());
    await assert.rejects(
      imds.get(PATH, signal),
      (error) => error instanceof NoDataError && /hop limit/.test(error.message),
    );
  });

  test('nothing there is said without the hint', async () => {
    const imds = createImds(
      settings({ AWS_EC2_METADATA_SERVICE_ENDPOINT: 'http://127.0.0.1:1' }),
      http,
      systemClock(),
    );
    await assert.rejects(
      imds.get(PATH, signal),
      (error) => error instanceof NoDataError && /ECONNREFUSED$/.test(error.message),
    );
  });

  test('switched off, it is not asked', async () => {
    const off = createImds(settings({ AWS_EC2_METADATA_DISABLED: 'True' }), http, drivenClock(0));
    await assert.rejects(off.get(PATH, signal), NoDataError);
  });
});

describe('its settings', () => {
  const rows: [environment: Record<string, string>, endpoint: string][] = [
    [{}, 'http://169.254.169.254'],
    [{ AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE: 'ipV6' }, 'http://[fd00:ec2::254]'],
    [{ AWS_EC2_METADATA_SERVICE_ENDPOINT: 'http://[::1]:80/' }, 'http://[::1]:80'],
    [{ AWS_EC2_METADATA_SERVICE_ENDPOINT: 'http://h:1/base//' }, 'http://h:1/base'],
  ];
  for (const [environment, endpoint] of rows) {
    test(`${JSON.stringify(environment)} asks ${endpoint}`, () => {
      assert.equal(settings(environment).endpoint, endpoint);
    });
  }

  const wrong: Record<string, string>[] = [
    { AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE: 'IPv5' },
    { AWS_EC2_METADATA_SERVICE_ENDPOINT: 'not a uri' },
    { AWS_EC2_METADATA_SERVICE_ENDPOINT: 'ftp://host' },
    { AWS_METADATA_SERVICE_TIMEOUT: 'soon' },
    { AWS_METADATA_SERVICE_NUM_ATTEMPTS: '0' },
  ];
  for (const environment of wrong) {
    test(`${JSON.stringify(environment)} is refused`, () => {
      assert.throws(() => settings(environment), ConfigError);
    });
  }
});
