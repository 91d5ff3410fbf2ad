import assert from 'node:assert/strict';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTcpServer, type Socket } from 'node:net';
import { afterEach, describe, test } from 'node:test';
import { codeOf } from '../../src/errors.ts';
import { createHttpClient, type HttpClient, type HttpRequest } from '../../src/net/http.ts';
import { type Address, lookup } from '../../src/net/lookup.ts';

/** Of a test whose request has a minute: what waits for that fails. */
const ENDS = { timeout: 5000 };

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const clean of cleanups.splice(0)) clean();
});

async function listening(server: Server | ReturnType<typeof createTcpServer>): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

async function serve(listener: RequestListener): Promise<{ url: URL; server: Server }> {
  const server = createServer(listener);
  const port = await listening(server);
  cleanups.push(() => {
    server.close();
    server.closeAllConnections();
  });
  return { url: new URL(`http://127.0.0.1:${port}/path?query=1`), server };
}

function client(): HttpClient {
  const made = createHttpClient();
  cleanups.push(() => made.close());
  return made;
}

function post(url: URL, over: Partial<HttpRequest> = {}): HttpRequest {
  const body = Buffer.from('body');
  const headers = { 'content-length': '4' };
  const signal = new AbortController().signal;
  return { method: 'POST', url, headers, body, timeoutMs: 5000, signal, ...over };
}

async function failureOf(promise: Promise<unknown>): Promise<string | undefined> {
  try {
    await promise;
  } catch (error) {
    return codeOf(error);
  }
  return 'no failure';
}

describe('the HTTP client', () => {
  test('gives status, headers and body as they came', async () => {
    const { url } = await serve((request, response) => {
      response.writeHead(418, { 'x-thing': 'yes' }).end(`${request.method} ${request.url}`);
    });
    const { status, headers, body } = await client().send(post(url));
    assert.deepEqual([status, headers['x-thing'], body], [418, 'yes', 'POST /path?query=1']);
  });

  test('follows no redirect', async () => {
    const { url } = await serve((_, response) => {
      response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end();
    });
    assert.equal((await client().send(post(url))).status, 302);
  });

  test('keeps the connection for the next request', async () => {
    const sockets = new Set<Socket>();
    const { url } = await serve((request, response) => {
      sockets.add(request.socket);
      response.end('ok');
    });
    const http = client();
    for (let index = 0; index < 3; index += 1) await http.send(post(url));
    assert.equal(sockets.size, 1);
  });

  test('a kept connection that the other side has closed costs nothing but a new one', async () => {
    let served = 0;
    const server = createTcpServer((socket) => {
      socket.once('data', () => {
        served += 1;
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
        // The next request on this connection meets a reset.
        socket.once('data', () => socket.resetAndDestroy());
      });
    });
    const port = await listening(server);
    cleanups.push(() => server.close());
    const http = client();
    const url = new URL(`http://127.0.0.1:${port}/`);
    assert.equal((await http.send(post(url))).body, 'ok');
    assert.equal((await http.send(post(url))).body, 'ok');
    assert.equal(served, 2);
  });

  test('gives up at the time limit, however the answer dawdles', async () => {
    const silent = await serve(() => undefined);
    const dripping = await serve((_, response) => {
      response.write('a');
      const timer = setInterval(() => response.write('b'), 20);
      response.on('close', () => clearInterval(timer));
    });
    for (const { url } of [silent, dripping]) {
      assert.equal(await failureOf(client().send(post(url, { timeoutMs: 200 }))), 'TIMEOUT');
    }
  });

  test('ends by its signal', async () => {
    const stop = new AbortController();
    const { url } = await serve(() => stop.abort());
    const failure = await failureOf(client().send(post(url, { signal: stop.signal })));
    assert.equal(failure, 'ABORT_ERR');
  });

  test('by a signal that was given before, nothing is sent', ENDS, async () => {
    let asked = 0;
    const { url } = await serve((_, response) => {
      asked += 1;
      response.end();
    });
    const http = client();
    assert.equal(
      await failureOf(http.send(post(url, { signal: AbortSignal.abort() }))),
      'ABORT_ERR',
    );
    assert.equal((await http.send(post(url))).status, 200);
    assert.equal(asked, 1);
  });

  for (const [what, bytes, code] of [
    [
      'that changes the protocol',
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
      'ECONNRESET',
    ],
    [
      'whose headers have no end',
      `HTTP/1.1 200 OK\r\n${'a: b\r\n'.repeat(10_000)}`,
      'HPE_HEADER_OVERFLOW',
    ],
  ] as const) {
    test(`an answer ${what} is a failure at once`, ENDS, async () => {
      const server = createTcpServer((socket) => {
        socket.on('error', () => socket.destroy());
        socket.once('data', () => socket.write(bytes));
      });
      const url = new URL(`http://127.0.0.1:${await listening(server)}/`);
      cleanups.push(() => server.close());
      assert.equal(await failureOf(client().send(post(url, { timeoutMs: 60_000 }))), code);
    });
  }

  test('an answer that is cut is a failure and no short answer', async () => {
    const { url } = await serve((request, response) => {
      response.writeHead(200, { 'content-length': '100' }).write('half');
      setImmediate(() => request.socket.destroy());
    });
    assert.equal(await failureOf(client().send(post(url))), 'ECONNRESET');
  });

  test('an answer of more than a mebibyte is refused', async () => {
    const { url } = await serve((_, response) => response.end(Buffer.alloc(1_100_000, 'a')));
    assert.equal(await failureOf(client().send(post(url))), 'EMSGSIZE');
  });

  test('reaches an IPv6 loopback', async (t) => {
    const server = createServer((_, response) => response.end('six'));
    const bound = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(0, '::1', () => resolve(true));
    });
    if (!bound) return t.skip('no IPv6 loopback here');
    cleanups.push(() => server.close());
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const http = client();
    assert.equal((await http.send(post(new URL(`http://[::1]:${port}/`)))).body, 'six');
    http.close();
  });
});

describe('names', () => {
  for (const name of ['localhost', 'localhost.', 'LOCALHOST', 'a.localhost']) {
    test(`${name} is this machine, whatever DNS says`, async () => {
      const found: Address[] = [];
      const { signal } = new AbortController();
      await lookup(name, { environment: {} }, signal, (some) => found.push(...some));
      assert.ok(found.some(({ address }) => address === '127.0.0.1'));
    });
  }
});
