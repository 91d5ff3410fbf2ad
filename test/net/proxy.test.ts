import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:https';
import { createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { after, before, describe, test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { inspect } from 'node:util';
import type { Destination } from '../../src/aws/aws.ts';
import { systemClock } from '../../src/clock.ts';
import { createPost } from '../../src/cloudwatch/post.ts';
import { ConfigError, codeOf } from '../../src/errors.ts';
import {
  createHttpClient,
  type HttpAnswer,
  type HttpClient,
  type HttpRequest,
} from '../../src/net/http.ts';
import { routeBy } from '../../src/net/route.ts';
import { destinationAt } from '../support/aws/destination.ts';
import { type ProxyOptions, startProxy, type TestProxy } from '../support/aws/proxy.ts';
import { selfSigned } from '../support/aws/tls.ts';
import { said } from '../support/said.ts';

const closing: (() => void)[] = [];
/** Of each connection: whether it resumed a session. */
const connections: boolean[] = [];
const sockets = new Set<TLSSocket>();
let port = 0;
let ca = '';

before(async () => {
  const certificate = await selfSigned('cloudwatch.test');
  ca = certificate.cert;
  const server = createServer(certificate, (request, response) => {
    const { headers } = request;
    response.end(JSON.stringify({ host: headers.host, proxied: headers['proxy-authorization'] }));
  });
  server.on('secureConnection', (socket: TLSSocket) => {
    connections.push(socket.isSessionReused());
    sockets.add(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  port = typeof address === 'object' && address !== null ? address.port : 0;
  closing.push(() => {
    server.close();
    server.closeAllConnections();
  });
});

after(() => {
  for (const close of closing) close();
});

async function proxyOf(options: Partial<ProxyOptions> = {}): Promise<TestProxy> {
  const proxy = await startProxy({ port, ...options });
  closing.push(proxy.close);
  return proxy;
}

function clientBy(environment: Record<string, string>, trust: string | undefined = ca): HttpClient {
  const route = routeBy(environment);
  const client = createHttpClient(trust === undefined ? { route } : { route, ca: trust });
  closing.push(client.close);
  return client;
}

function get(
  client: HttpClient,
  url: string,
  timeoutMs = 5000,
  more: Partial<HttpRequest> = {},
): Promise<HttpAnswer> {
  const { signal } = new AbortController();
  return client.send({ method: 'GET', url: new URL(url), headers: {}, timeoutMs, signal, ...more });
}

/** A server that takes connections and says nothing. */
async function silence(): Promise<{ port: number; server: Server; held: Socket[] }> {
  const held: Socket[] = [];
  const server = createTcpServer((socket) => {
    held.push(socket);
    // What is read tells the socket of its end, too.
    socket.on('error', () => socket.destroy()).resume();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  closing.push(() => {
    for (const socket of held) socket.destroy();
    server.close();
  });
  return { port: typeof address === 'object' && address !== null ? address.port : 0, server, held };
}

function codeFrom(answer: Promise<HttpAnswer>): Promise<string | undefined> {
  return answer.then(() => 'no failure', codeOf);
}

/** Of a test whose request has a minute: what waits for that fails. */
const ENDS = { timeout: 5000 };
const MINUTE_MS = 60_000;
const SOON_MS = 100;
/** A name that no resolver knows: only a proxy leads there. */
const HOST = 'https://cloudwatch.test/';

describe('a proxy', () => {
  test('gets a CONNECT for HTTPS, with its user and never the service’s headers', async () => {
    const proxy = await proxyOf({ user: 'me:p@ss w' });
    const client = clientBy({ HTTPS_PROXY: `http://me:p%40ss%20w@127.0.0.1:${proxy.port}` });
    const { status, body } = await get(client, HOST);
    assert.deepEqual([status, JSON.parse(body)], [200, { host: 'cloudwatch.test' }]);
    await get(client, HOST);
    assert.deepEqual(proxy.asked, ['CONNECT cloudwatch.test:443']);
    assert.equal(proxy.headers[0]?.host, 'cloudwatch.test:443');
  });

  test('the TLS session is resumed through it', async () => {
    const proxy = await proxyOf();
    const client = clientBy({ https_proxy: `http://127.0.0.1:${proxy.port}` });
    connections.length = 0;
    await get(client, HOST);
    for (const socket of sockets) socket.destroy();
    await get(client, HOST);
    assert.deepEqual(connections, [false, true]);
  });

  test('what it tunnels to is verified by the name that was meant', async () => {
    const proxy = await proxyOf();
    const client = clientBy({ https_proxy: `http://127.0.0.1:${proxy.port}` });
    const failure = await get(client, 'https://other.test/').catch((error: unknown) => error);
    assert.equal(codeOf(failure), 'ERR_TLS_CERT_ALTNAME_INVALID');
  });

  test('without its user answers 407, which is a setting’s fault', async () => {
    const proxy = await proxyOf({ user: 'a:b' });
    const client = clientBy({ https_proxy: `127.0.0.1:${proxy.port}` });
    await assert.rejects(get(client, HOST), ConfigError);
  });

  for (const status of [403, 502]) {
    test(`that answers ${status} is the proxy’s failure by its code`, async () => {
      const proxy = await proxyOf({ status });
      const client = clientBy({ https_proxy: `http://127.0.0.1:${proxy.port}` });
      const failure = await get(client, HOST).catch((error: unknown) => error);
      assert.equal(codeOf(failure), `PROXY_${status}`);
    });
  }

  test('that nobody runs is the proxy’s failure, too', async () => {
    const client = clientBy({ https_proxy: 'http://127.0.0.1:1' });
    assert.equal(codeOf(await get(client, HOST).catch((error: unknown) => error)), 'PROXY');
  });

  test('that speaks TLS is trusted by the same file', async () => {
    const certificate = await selfSigned();
    const proxy = await proxyOf({ certificate });
    const environment = { https_proxy: `https://localhost:${proxy.port}` };
    assert.equal(
      (await get(clientBy(environment, `${ca}\n${certificate.cert}`), HOST)).status,
      200,
    );
    assert.equal(await codeFrom(get(clientBy(environment), HOST)), 'PROXY');
    assert.deepEqual(proxy.asked, ['CONNECT cloudwatch.test:443']);
  });

  test('that nobody runs fails plain HTTP by the same code', async () => {
    const client = clientBy({ http_proxy: 'http://127.0.0.1:1' });
    assert.equal(await codeFrom(get(client, 'http://cloudwatch.test/')), 'PROXY');
  });

  test('that wants a user for plain HTTP is a setting’s fault as well', async () => {
    const proxy = await proxyOf({ user: 'u:p' });
    const client = clientBy({ http_proxy: `http://127.0.0.1:${proxy.port}` });
    await assert.rejects(get(client, 'http://cloudwatch.test/'), ConfigError);
  });

  test('gets the whole URL of plain HTTP, and its user on each request', async () => {
    const { createServer: createPlain } = await import('node:http');
    const plain = createPlain((request, response) => response.end(String(request.headers.host)));
    plain.listen(0, '127.0.0.1');
    await once(plain, 'listening');
    closing.push(() => plain.close());
    const address = plain.address();
    const target = typeof address === 'object' && address !== null ? address.port : 0;
    const proxy = await proxyOf({ port: target, user: 'u:p' });
    const client = clientBy({ http_proxy: `http://u:p@127.0.0.1:${proxy.port}` });
    for (let index = 0; index < 2; index += 1) {
      const { status, body } = await get(client, 'http://cloudwatch.test:8080/a');
      assert.deepEqual([status, body], [200, 'cloudwatch.test:8080']);
    }
    assert.deepEqual(proxy.asked, Array(2).fill('GET http://cloudwatch.test:8080/a'));
  });

  test('is passed by for loopback and link-local addresses', async () => {
    const proxy = await proxyOf();
    const client = clientBy({ https_proxy: `http://127.0.0.1:${proxy.port}` });
    assert.equal((await get(client, `https://127.0.0.1:${port}/`)).status, 200);
    assert.deepEqual(proxy.asked, []);
  });
});

describe('a proxy that takes a connection and stays silent', () => {
  const limits: [what: string, url: string, more: Partial<HttpRequest>, code: string][] = [
    ['the time for a connection', HOST, { connectMs: SOON_MS }, 'CONNECT_TIMEOUT'],
    ['the time for everything', HOST, { timeoutMs: SOON_MS }, 'CONNECT_TIMEOUT'],
    ['the time of plain HTTP', 'http://cloudwatch.test/', { timeoutMs: SOON_MS }, 'TIMEOUT'],
    ['a signal given before', HOST, { signal: AbortSignal.abort() }, 'ABORT_ERR'],
  ];
  for (const [what, url, more, code] of limits) {
    test(`does not keep a request beyond ${what}`, ENDS, async () => {
      const { port: at, held } = await silence();
      const proxy = `http://127.0.0.1:${at}`;
      const client = clientBy({ https_proxy: proxy, http_proxy: proxy });
      assert.equal(await codeFrom(get(client, url, MINUTE_MS, more)), code);
      assert.ok(held.every(({ bytesWritten }) => bytesWritten === 0));
    });
  }

  test(
    'does not keep a request that is given up, and may say later what it likes',
    ENDS,
    async () => {
      for (const late of ['', 'HTTP/1.1 502 Bad Gateway\r\n\r\n', 'HTTP/1.1 200 OK\r\n\r\n']) {
        const { port: at, server, held } = await silence();
        const stop = new AbortController();
        const client = clientBy({ https_proxy: `http://127.0.0.1:${at}` });
        const failing = codeFrom(get(client, HOST, MINUTE_MS, { signal: stop.signal }));
        if (held.length === 0) await once(server, 'connection');
        stop.abort();
        assert.equal(await failing, 'ABORT_ERR');
        const [socket] = held;
        socket?.end(late);
        if (socket?.closed === false) await once(socket, 'close');
      }
    },
  );
});

test('a 407 during publishing makes the window wait, for it is a setting', async () => {
  const proxy = await proxyOf({ user: 'me:secret-of-PROXY' });
  const http = clientBy({ https_proxy: `http://me:secret-of-WRONG@127.0.0.1:${proxy.port}` });
  const locate = (): Promise<Destination> => Promise.resolve({ ...destinationAt(HOST), http });
  const post = createPost({ locate, clock: systemClock(), userAgent: 'test/1' });
  const page = { body: () => 'Action=PutMetricData&Version=2010-08-01', datums: 1, bytes: 39 };
  const verdict = said(await post(page, 5000, new AbortController().signal));
  assert.deepEqual([verdict.kind, verdict.code], ['unready', 'https_proxy']);
  assert.doesNotMatch(inspect(verdict), /secret-of/);
  assert.equal(proxy.asked.length, 1);
});

describe('the way to a URL', () => {
  const P = 'http://proxy:3128';
  const rows: [environment: Record<string, string>, url: string, proxy: string | undefined][] = [
    [{}, 'https://a.com/', undefined],
    [{ HTTPS_PROXY: P }, 'https://a.com/', `${P}/`],
    [{ HTTPS_PROXY: P, https_proxy: 'http://lower:1' }, 'https://a.com/', 'http://lower:1/'],
    [{ HTTPS_PROXY: P, https_proxy: ' ' }, 'https://a.com/', `${P}/`],
    [{ HTTPS_PROXY: 'proxy:3128' }, 'https://a.com/', `${P}/`],
    [{ HTTPS_PROXY: P }, 'http://a.com/', undefined],
    [{ HTTP_PROXY: P }, 'http://a.com/', `${P}/`],
    [{ HTTP_PROXY: P, REQUEST_METHOD: 'GET' }, 'http://a.com/', undefined],
    [{ http_proxy: P, REQUEST_METHOD: 'GET' }, 'http://a.com/', `${P}/`],
    [{ all_proxy: P }, 'https://a.com/', `${P}/`],
    [{ HTTPS_PROXY: P }, 'https://169.254.169.254/', undefined],
    [{ HTTPS_PROXY: P }, 'https://127.3.2.1/', undefined],
    [{ HTTPS_PROXY: P }, 'https://localhost/', undefined],
    [{ HTTPS_PROXY: P }, 'https://[::1]/', undefined],
    [{ HTTPS_PROXY: P }, 'https://[fe80::1]/', undefined],
    [{ HTTPS_PROXY: P }, 'https://[fd00:ec2::254]/', undefined],
    [{ HTTPS_PROXY: P }, 'https://127.evil.com/', `${P}/`],
  ];
  const host = 'https://monitoring.us-east-1.amazonaws.com/';
  const excepts: [entry: string, url: string, isDirect: boolean][] = [
    ['*', host, true],
    ['amazonaws.com', host, true],
    ['.amazonaws.com', host, true],
    ['*.amazonaws.com', host, true],
    ['AmazonAWS.com', host, true],
    ['a.com, amazonaws.com', host, true],
    ['a.com amazonaws.com', host, true],
    ['amazonaws.com:443', host, true],
    ['amazonaws.com:8443', host, false],
    ['amazonaws.com', 'https://evilamazonaws.com/', false],
    ['aws.com', host, false],
    ['', host, false],
    ['amazonaws.com.', host, true],
    ['amazonaws.com', host.replace(/\/$/, './'), true],
    ['.amazonaws.com.', host.replace(/\/$/, './'), true],
    ['10.0.0.0/8', 'https://10.1.2.3/', true],
    ['10.0.0.0/8', 'https://11.1.2.3/', false],
    ['10.0.0.0/33', 'https://10.1.2.3/', false],
    ['10.0.0.0/8', host, false],
    ['10.0.0.0/', 'https://10.0.0.0/', false],
    ['10.0.0.0/', 'https://10.1.2.3/', false],
    ['0.0.0.0/', 'https://10.1.2.3/', false],
    ['fd12::/16', 'https://[fd12::1]/', true],
    ['fd12::/16', 'https://10.1.2.3/', false],
    ['10.1.2.3', 'https://10.1.2.3/', true],
    ['[2001:db8::1]', 'https://[2001:db8::1]/', true],
    ['[2001:db8::1]:443', 'https://[2001:db8::1]/', true],
    ['x/y', host, false],
  ];
  for (const [environment, url, proxy] of rows) {
    test(`${url} with ${JSON.stringify(environment)}: ${proxy ?? 'direct'}`, () => {
      assert.equal(routeBy(environment)(new URL(url))?.href, proxy);
    });
  }
  for (const [entry, url, isDirect] of excepts) {
    test(`NO_PROXY=${entry} ${isDirect ? 'covers' : 'does not cover'} ${url}`, () => {
      const route = routeBy({ HTTPS_PROXY: P, NO_PROXY: entry });
      assert.equal(route(new URL(url)) === undefined, isDirect);
    });
  }

  /** A setting’s error, and nothing of the URL in it, nor in what caused it. */
  function isMute(error: unknown): true {
    assert.ok(error instanceof ConfigError);
    assert.doesNotMatch(inspect(error, { depth: 9 }), /secret-of-proxy|us%er|u:%/);
    return true;
  }

  for (const proxy of ['socks5://h:1', 'ftp://h', 'http://', 'http://h:port']) {
    test(`a proxy of ${proxy} is refused, without what it holds`, () => {
      const secret = proxy.replace('://', '://user:secret-of-proxy@');
      assert.throws(() => routeBy({ HTTPS_PROXY: secret })(new URL(host)), isMute);
    });
  }

  test('a user that is not percent-encoded is refused, and nothing of it is told', () => {
    for (const proxy of [
      'http://us%er:secret-of-proxy@h',
      'http://u:secret-of-proxy%@h',
      'u:%@h:1',
    ]) {
      assert.throws(() => routeBy({ HTTPS_PROXY: proxy })(new URL(host)), isMute);
    }
  });
});

describe('TLS', () => {
  const url = (): string => `https://localhost:${port}/`;

  test('a private authority is trusted by its file alone, and nobody else then', async () => {
    const { status, tls } = await get(clientBy({}), url());
    assert.deepEqual([status, tls], [200, { protocol: 'TLSv1.3', isVerified: true }]);
    const other = (await selfSigned()).cert;
    const failure = await get(clientBy({}, other), url()).catch((error: unknown) => error);
    assert.match(codeOf(failure) ?? '', /CERT|SELF_SIGNED|SIGNATURE/);
  });

  test('without it the certificate is refused', async () => {
    const failure = await get(createHttpClient(), url()).catch((error: unknown) => error);
    assert.match(codeOf(failure) ?? '', /SELF_SIGNED|UNABLE_TO_VERIFY/);
  });

  test('the session is resumed on a new connection', async () => {
    const client = clientBy({});
    connections.length = 0;
    await get(client, url());
    for (const socket of sockets) socket.destroy();
    await get(client, url());
    assert.deepEqual(connections, [false, true]);
  });

  test('a handshake that never ends is a connection that never came', async () => {
    const { port: at } = await silence();
    const code = await codeFrom(get(clientBy({}), `https://127.0.0.1:${at}/`, 100));
    assert.equal(code, 'CONNECT_TIMEOUT');
  });

  test('one that hangs inside a tunnel is, too', ENDS, async () => {
    const { port: at, held } = await silence();
    const proxy = await proxyOf({ port: at });
    const client = clientBy({ https_proxy: `http://127.0.0.1:${proxy.port}` });
    const code = await codeFrom(get(client, HOST, MINUTE_MS, { connectMs: SOON_MS }));
    assert.equal(code, 'CONNECT_TIMEOUT');
    assert.deepEqual(proxy.asked, ['CONNECT cloudwatch.test:443']);
    assert.equal(held.length, 1);
  });

  test('TLS 1.1 is refused', async () => {
    const { cert, key } = await selfSigned();
    const old = createServer({
      cert,
      key,
      maxVersion: 'TLSv1.1',
      minVersion: 'TLSv1',
      ciphers: 'ALL@SECLEVEL=0',
    });
    old.listen(0, '127.0.0.1');
    await once(old, 'listening');
    const address = old.address();
    const at = typeof address === 'object' && address !== null ? address.port : 0;
    const failure = await get(clientBy({}, cert), `https://localhost:${at}/`).catch(
      (error: unknown) => error,
    );
    assert.match(codeOf(failure) ?? '', /PROTOCOL|EPROTO|ECONNRESET|VERSION/);
    old.close();
  });
});
