import assert from 'node:assert/strict';
import { createServer, type ServerResponse } from 'node:http';
import { afterEach, describe, test } from 'node:test';
import { inspect } from 'node:util';
import type { AwsOptions } from '../../src/aws/aws.ts';
import type { Clock } from '../../src/clock.ts';
import { codeOf } from '../../src/errors.ts';
import { createHttpClient } from '../../src/net/http.ts';
import { LATER, NOW_MS, type Rig, rig, roleJson } from '../support/aws/aws.ts';
import { hurriedClock } from '../support/aws/elsewhere.ts';
import { send } from '../support/service/exchange.ts';

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const clean of cleanups.splice(0)) clean();
});

/** Of a test: what hangs for longer than all its limits together fails. */
const ENDS = { timeout: 5000 };
/** When limits come that are seconds long otherwise. */
const SOON_MS = 300;

/** What a server does with a request. */
type Deed = (response: ServerResponse, nth: number) => void;
/** By path; without one it is 404. */
type Deeds = Readonly<Record<string, Deed>>;

interface Served {
  readonly url: string;
  /** The paths of all requests so far. */
  readonly seen: string[];
}

async function serve(deeds: Deeds): Promise<Served> {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    const { url = '' } = request;
    const nth = seen.filter((path) => path === url).length;
    seen.push(url);
    (deeds[url] ?? says('none', 404))(response, nth);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => {
    server.close();
    server.closeAllConnections();
  });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return { url: `http://127.0.0.1:${port}`, seen };
}

function says(body: string, status = 200, headers: Record<string, string> = {}): Deed {
  return (response) => response.writeHead(status, headers).end(body);
}

/** One deed for the first request, another for those after it. */
function once(deed: Deed, then: Deed): Deed {
  return (response, nth) => (nth === 0 ? deed : then)(response, nth);
}

/** Bytes in place of an answer, and the connection's end. */
function writes(bytes: string): Deed {
  return (response) => response.socket?.end(bytes);
}

const ROLE = roleJson('HALF');
/** With the secret in it. */
const HALF = ROLE.slice(0, ROLE.indexOf('"Token"'));
const HEADERS = { 'content-type': 'application/json', 'content-length': String(ROLE.length) };
const PAGE = '<!DOCTYPE html>\n<html><body>Please log in</body></html>';

const hangs: Deed = () => undefined;
const drips: Deed = (response) => {
  const answer = { status: 200, headers: {}, body: 'x'.repeat(10_000) };
  send(answer, { kind: 'drip', everyMs: 20 }, response);
};
const cuts: Deed = (response) => {
  response.writeHead(200, HEADERS);
  send({ status: 200, headers: HEADERS, body: ROLE }, { kind: 'cut-mid-answer' }, response);
};
const resets: Deed = (response) => response.socket?.resetAndDestroy();
const floods: Deed = says('a'.repeat(1_100_000));

interface Host {
  readonly made: Rig;
  readonly seen: string[];
  /** The limits of each request as the agent set them: until it is connected, and until its end. */
  readonly limits: (readonly [connectMs: number | undefined, timeoutMs: number])[];
}

interface Where {
  readonly environment: (url: string) => Readonly<Record<string, string>>;
  readonly deeds: Deeds;
  /** The path whose limit comes soon. */
  readonly soon?: string | undefined;
  readonly clock?: Clock;
}

async function hostOf({
  environment,
  deeds,
  soon,
  clock = hurriedClock(NOW_MS),
}: Where): Promise<Host> {
  const { url, seen } = await serve(deeds);
  const limits: [number | undefined, number][] = [];
  const connect: AwsOptions['connect'] = (options) => {
    const client = createHttpClient(options);
    return {
      send: (request) => {
        const { connectMs, timeoutMs } = request;
        limits.push([connectMs, timeoutMs]);
        const isSoon = request.url.pathname === soon;
        return client.send(isSoon ? { ...request, timeoutMs: SOON_MS } : request);
      },
      close: client.close,
    };
  };
  const made = await rig({ environment: environment(url), connect, clock });
  cleanups.push(made.close);
  return { made, seen, limits };
}

/** What is told where there are no credentials, after a look for secrets. */
async function failureOf({ made }: Host): Promise<Error> {
  const error = await made.resolve().then(() => assert.fail('there are credentials'), errorOf);
  assert.doesNotMatch(
    [inspect(error, { depth: 9 }), ...made.logged].join('\n'),
    /(?:secret|token)-of-/,
  );
  return error;
}

function errorOf(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : assert.fail(inspect(thrown));
}

/** A 307 to another server, which answers with credentials. */
async function away(): Promise<{ leads: Deed; trap: string[] }> {
  const { url, seen } = await serve({ '/': says(roleJson('AWAY')) });
  return { leads: says('', 307, { location: `${url}/` }), trap: seen };
}

describe('a container’s endpoint', () => {
  const PATH = '/creds';

  function container(deed: Deed, more: Partial<Where> = {}): Promise<Host> {
    return hostOf({
      environment: (url) => ({
        AWS_CONTAINER_CREDENTIALS_FULL_URI: url + PATH,
        AWS_CONTAINER_AUTHORIZATION_TOKEN: 'token-of-pod',
      }),
      deeds: { [PATH]: deed },
      ...more,
    });
  }

  const NONE = 'the container’s credentials endpoint answered no credentials';
  const rows: [what: string, deed: Deed, code: string, message: RegExp][] = [
    ['closes half-way through its answer', cuts, 'ECONNRESET', /: (?:aborted|the answer was cut)$/],
    ['resets the connection', resets, 'ECONNRESET', /ECONNRESET|socket hang up/],
    ['answers a page', says(PAGE), 'HTTP 200', new RegExp(`^${NONE}$`)],
    [
      'answers an error with 200',
      says('{"code":"Failed","message":"no luck"}'),
      'Failed',
      new RegExp(`^${NONE}: Failed: no luck$`),
    ],
    [
      'answers with the token that it refuses',
      says('{"code":"Bad","message":"bad token token-of-pod"}'),
      'Bad',
      new RegExp(`^${NONE}: Bad: bad token …$`),
    ],
    [
      'answers a page of a code',
      says(JSON.stringify({ code: 'x'.repeat(500_000) })),
      'x'.repeat(80),
      new RegExp(`^${NONE}: x{80}$`),
    ],
    [
      'answers credentials without their token',
      says(roleJson('HALF', { Code: undefined, Token: undefined })),
      'HTTP 200',
      new RegExp(`^${NONE}$`),
    ],
    [
      'answers an end that never comes',
      says(roleJson('EVER', { Code: undefined }).replace(`"${LATER}"`, '1e999')),
      'HTTP 200',
      new RegExp(`^${NONE}$`),
    ],
    ['answers broken JSON', says(HALF), 'HTTP 200', new RegExp(`^${NONE}$`)],
    [
      'cuts an answer whose length it had not said',
      writes(`HTTP/1.0 200 OK\r\n\r\n${HALF}`),
      'HTTP 200',
      new RegExp(`^${NONE}$`),
    ],
    [
      'answers an end that is no instant',
      says(roleJson('SOON', { Code: undefined, Expiration: 'soon' })),
      'HTTP 200',
      new RegExp(`^${NONE}$`),
    ],
    ['answers more than a mebibyte', floods, 'EMSGSIZE', /: the answer is too long$/],
    [
      'speaks another protocol',
      writes('SSH-2.0-OpenSSH_9.6\r\n'),
      'HPE_INVALID_CONSTANT',
      /: Parse Error/,
    ],
    [
      'answers headers without an end',
      writes(`HTTP/1.1 200 OK\r\n${'a: b\r\n'.repeat(10_000)}`),
      'HPE_HEADER_OVERFLOW',
      /: Parse Error/,
    ],
  ];
  for (const [what, deed, code, message] of rows) {
    test(`that ${what} is asked three times`, ENDS, async () => {
      const host = await container(deed);
      const error = await failureOf(host);
      assert.equal(codeOf(error), code);
      assert.match(error.message, message);
      assert.deepEqual(host.seen, [PATH, PATH, PATH]);
    });
  }

  for (const [what, deed] of [
    ['hangs', hangs],
    ['answers a byte at a time', drips],
  ] as const) {
    test(`that ${what} has five seconds, three times`, ENDS, async () => {
      const host = await container(deed, { soon: PATH });
      const error = await failureOf(host);
      assert.equal(codeOf(error), 'TIMEOUT');
      assert.match(error.message, /^the container’s .* endpoint: no answer within 300 ms$/);
      assert.deepEqual(host.limits, Array(3).fill([2000, 5000]));
      assert.deepEqual(host.seen, [PATH, PATH, PATH]);
    });
  }

  test('that leads away is not followed, and gets no second request', ENDS, async () => {
    const { leads, trap } = await away();
    const host = await container(leads);
    const error = await failureOf(host);
    assert.equal(codeOf(error), 'HTTP 307');
    assert.deepEqual([host.seen, trap], [[PATH], []]);
  });

  for (const [what, deed] of [
    ['broken JSON', says(HALF)],
    ['a reset', resets],
    ['no answer', hangs],
  ] as const) {
    test(`that gives ${what} once gives credentials after that`, ENDS, async () => {
      const host = await container(once(deed, says(roleJson('GOOD'))), { soon: PATH });
      assert.equal((await host.made.resolve()).accessKeyId, 'GOOD');
      assert.deepEqual(host.seen, [PATH, PATH]);
    });
  }

  test('whose credentials have expired is believed, and left alone for a while', ENDS, async () => {
    const past = roleJson('OLD', { Expiration: '2026-11-23T07:00:00Z' });
    const { made, seen } = await container(says(past));
    const { accessKeyId, expiresMs } = await made.resolve();
    assert.deepEqual([accessKeyId, expiresMs], ['OLD', NOW_MS - 3_600_000]);
    assert.equal((await made.resolve()).accessKeyId, 'OLD');
    assert.deepEqual(seen, [PATH]);
  });

  test('that hangs holds a walk for ninety seconds in all', ENDS, async () => {
    const { after, ...rest } = hurriedClock(NOW_MS);
    const ends: (() => void)[] = [];
    const clock: Clock = {
      ...rest,
      after(delayMs, task) {
        if (delayMs !== 90_000) return after(delayMs, task);
        ends.push(task);
        return () => undefined;
      },
    };
    const host = await container(() => ends.shift()?.(), { clock });
    assert.equal(codeOf(await failureOf(host)), 'ABORT_ERR');
    assert.deepEqual(host.seen, [PATH]);
  });

  test('that hangs holds nobody for longer than that one waits', ENDS, async () => {
    const patience = new AbortController();
    const { made, seen } = await container(() => patience.abort());
    const resolving = made.aws.credentials.resolve(patience.signal);
    await assert.rejects(resolving, (error) => codeOf(error) === 'PENDING');
    assert.deepEqual(seen, [PATH]);
  });
});

describe('instance metadata', () => {
  const TOKEN = '/latest/api/token';
  const ROLES = '/latest/meta-data/iam/security-credentials/';
  const OF_ROLE = `${ROLES}web`;
  const CALLED: Readonly<Record<string, string>> = {
    [TOKEN]: 'the token',
    [ROLES]: 'the list of roles',
    [OF_ROLE]: 'the role',
  };
  const GOOD: Deeds = {
    [TOKEN]: says('token-of-imds'),
    [ROLES]: says('web'),
    [OF_ROLE]: says(roleJson('GOOD')),
  };

  function instance(deeds: Deeds, more: Partial<Where> = {}, seconds = '1'): Promise<Host> {
    return hostOf({
      environment: (url) => ({
        AWS_EC2_METADATA_SERVICE_ENDPOINT: url,
        AWS_METADATA_SERVICE_TIMEOUT: seconds,
      }),
      deeds: { ...GOOD, ...deeds },
      ...more,
    });
  }

  const none = (why: string): RegExp =>
    new RegExp(`^no credentials: .*, instance metadata cannot be reached: ${why}$`);
  const NO_TOKEN =
    /^no credentials: .*, instance metadata answered HTTP 200 for a token, with another text$/;
  const NOTHING = /^instance metadata has no credentials for the role web$/;
  const NO_NAME = /^no credentials: .* something else than a role’s name$/;
  const CUT = none('ECONNRESET');
  const ssh = writes('SSH-2.0-OpenSSH_9.6\r\n');

  type Row = readonly [
    what: string,
    deed: Deed,
    name: 'AwsError' | 'NoDataError',
    message: RegExp,
    /** How often the token, the list of roles and the role were asked for. */
    asked: readonly [token: number, roles: number, role: number],
  ];
  const rows: Readonly<Record<string, readonly Row[]>> = {
    [TOKEN]: [
      ['closes half-way', cuts, 'NoDataError', CUT, [3, 0, 0]],
      ['resets the connection', resets, 'NoDataError', CUT, [3, 0, 0]],
      ['answers a page', says(PAGE), 'NoDataError', NO_TOKEN, [1, 0, 0]],
      ['answers an error as JSON', says('{"code": "Failed"}'), 'NoDataError', NO_TOKEN, [1, 0, 0]],
      ['answers more than a mebibyte', floods, 'NoDataError', none('EMSGSIZE'), [1, 0, 0]],
      ['speaks another protocol', ssh, 'NoDataError', none('HPE_INVALID_CONSTANT'), [1, 0, 0]],
    ],
    [ROLES]: [
      ['closes half-way', cuts, 'NoDataError', CUT, [1, 3, 0]],
      ['answers more than a mebibyte', floods, 'NoDataError', none('EMSGSIZE'), [1, 1, 0]],
      ['answers nothing', says(''), 'NoDataError', /, the instance has no role$/, [1, 1, 0]],
      [
        'answers credentials in one line',
        says(roleJson('LEAK')),
        'NoDataError',
        NO_NAME,
        [1, 1, 0],
      ],
    ],
    [OF_ROLE]: [
      ['closes half-way', cuts, 'NoDataError', CUT, [1, 1, 3]],
      // A kept connection that dies does not count as a try.
      ['resets the connection', resets, 'NoDataError', CUT, [1, 1, 4]],
      ['answers more than a mebibyte', floods, 'NoDataError', none('EMSGSIZE'), [1, 1, 1]],
      [
        'says that it failed',
        says('{"Code":"Failed","Message":"no luck"}'),
        'AwsError',
        /^the instance role web: Failed: no luck$/,
        [1, 1, 1],
      ],
      [
        'answers a page of a code',
        says(JSON.stringify({ Code: 'x'.repeat(500_000), Message: 'token-of-imds' })),
        'AwsError',
        /^the instance role web: x{80}: …$/,
        [1, 1, 1],
      ],
      ['answers a page', says(PAGE), 'AwsError', NOTHING, [1, 3, 3]],
      ['answers broken JSON', says(HALF), 'AwsError', NOTHING, [1, 3, 3]],
      [
        'cuts an answer whose length it had not said',
        writes(`HTTP/1.0 200 OK\r\n\r\n${HALF}`),
        'AwsError',
        NOTHING,
        [1, 3, 3],
      ],
      ['leaves out the token', says(roleJson('A', { Token: '' })), 'AwsError', NOTHING, [1, 3, 3]],
      [
        'answers an end that is no instant',
        says(roleJson('A', { Expiration: 'soon' })),
        'AwsError',
        NOTHING,
        [1, 3, 3],
      ],
    ],
  };
  const counted = (seen: readonly string[]): number[] =>
    [TOKEN, ROLES, OF_ROLE].map((path) => seen.filter((one) => one === path).length);

  for (const [path, all] of Object.entries(rows)) {
    for (const [what, deed, name, message, asked] of all) {
      test(`that ${what} for ${CALLED[path]} ends in ${name}`, ENDS, async () => {
        const host = await instance({ [path]: deed });
        const error = await failureOf(host);
        assert.equal(error.name, name);
        assert.match(error.message, message);
        assert.deepEqual(counted(host.seen), asked);
      });
    }
  }

  for (const [what, deed] of [
    ['hangs', hangs],
    ['answers a byte at a time', drips],
  ] as const) {
    test(`that ${what} for the token has the time that is set, once`, ENDS, async () => {
      const host = await instance({ [TOKEN]: deed }, {}, '0.3');
      const error = await failureOf(host);
      assert.equal(error.name, 'NoDataError');
      assert.match(error.message, none('TIMEOUT; in a container, raise .*'));
      assert.deepEqual(host.limits, [[300, 300]]);
    });
    for (const path of [ROLES, OF_ROLE]) {
      test(`that ${what} for ${CALLED[path]} has five seconds, once`, ENDS, async () => {
        const host = await instance({ [path]: deed }, { soon: path });
        const error = await failureOf(host);
        assert.equal(error.name, 'NoDataError');
        assert.match(error.message, none('TIMEOUT'));
        assert.deepEqual(host.limits.at(-1), [5000, 5000]);
        assert.deepEqual(counted(host.seen), [1, 1, path === OF_ROLE ? 1 : 0]);
      });
    }
  }

  for (const path of [TOKEN, ROLES, OF_ROLE]) {
    test(`that leads elsewhere for ${CALLED[path]} is not followed`, ENDS, async () => {
      const { leads, trap } = await away();
      const host = await instance({ [path]: leads });
      const error = await failureOf(host);
      assert.match(inspect(error, { depth: 9 }), /HTTP 307/);
      assert.equal(host.seen.filter((one) => one === path).length, 1);
      assert.deepEqual(trap, []);
    });
  }

  test('that answers a page for the list of roles gives no credentials', ENDS, async () => {
    const host = await instance({ [ROLES]: says(PAGE) });
    assert.equal((await failureOf(host)).name, 'NoDataError');
    assert.ok(host.seen.length <= 7, host.seen.join(' '));
  });

  for (const [path, what, deed, asked] of [
    [TOKEN, 'a reset', resets, [2, 1, 1]],
    [ROLES, 'half an answer', cuts, [1, 2, 1]],
    [OF_ROLE, 'half an answer', cuts, [1, 1, 2]],
    [OF_ROLE, 'broken JSON', says(HALF), [1, 2, 2]],
  ] as const) {
    test(
      `that gives ${what} for ${CALLED[path]} once gives credentials after that`,
      ENDS,
      async () => {
        const host = await instance({ [path]: once(deed, GOOD[path] ?? hangs) });
        assert.equal((await host.made.resolve()).accessKeyId, 'GOOD');
        assert.deepEqual(counted(host.seen), asked);
      },
    );
  }

  test('whose credentials have expired is believed, and left alone for a while', ENDS, async () => {
    const past = roleJson('OLD', { Expiration: '2026-11-23T07:00:00Z' });
    const { made, seen } = await instance({ [OF_ROLE]: says(past) });
    const { accessKeyId, expiresMs } = await made.resolve();
    assert.deepEqual([accessKeyId, expiresMs], ['OLD', NOW_MS - 3_600_000]);
    assert.equal((await made.resolve()).accessKeyId, 'OLD');
    assert.deepEqual(counted(seen), [1, 1, 1]);
  });
});
