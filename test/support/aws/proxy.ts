import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { connect, type Socket } from 'node:net';
import type { Certificate } from './tls.ts';

/** A proxy on 127.0.0.1 that tunnels and relays, and keeps what it was asked for. */
export interface TestProxy {
  readonly port: number;
  /** `CONNECT host:443`, `GET http://host/`. */
  readonly asked: string[];
  readonly headers: IncomingMessage['headers'][];
  close(): void;
}

export interface ProxyOptions {
  /** `user:password` that it wants to see. */
  readonly user?: string;
  /** Where every tunnel ends, whatever was asked for. */
  readonly port: number;
  /** Speaks TLS with this one. */
  readonly certificate?: Certificate;
  /** Its answer to CONNECT, where that is not to be a tunnel. */
  readonly status?: number;
}

export async function startProxy(options: ProxyOptions): Promise<TestProxy> {
  const { user, port: target, status } = options;
  const asked: string[] = [];
  const headers: IncomingMessage['headers'][] = [];
  const sockets = new Set<Socket>();
  const wanted = user === undefined ? undefined : `Basic ${Buffer.from(user).toString('base64')}`;
  const listener = (incoming: IncomingMessage, response: ServerResponse): void => {
    asked.push(`${incoming.method} ${incoming.url}`);
    headers.push(incoming.headers);
    const { pathname } = new URL(incoming.url ?? '');
    const { 'proxy-authorization': authorization, ...rest } = incoming.headers;
    if (wanted !== undefined && authorization !== wanted) {
      response.writeHead(407).end();
      return;
    }
    const to = { host: '127.0.0.1', port: target, method: incoming.method, path: pathname };
    const onward = request({ ...to, headers: rest }, (answer) => {
      response.writeHead(answer.statusCode ?? 0, answer.headers);
      answer.pipe(response);
    });
    incoming.pipe(onward);
  };
  const { certificate } = options;
  const server =
    certificate === undefined ? createServer(listener) : createSecureServer(certificate, listener);
  server.on('connect', (incoming: IncomingMessage, socket: Socket) => {
    asked.push(`CONNECT ${incoming.url}`);
    headers.push(incoming.headers);
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    const isKnown = wanted === undefined || incoming.headers['proxy-authorization'] === wanted;
    const refusal = isKnown ? status : 407;
    if (refusal !== undefined) {
      socket.end(`HTTP/1.1 ${refusal} No\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    const onward = connect(target, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      onward.pipe(socket).pipe(onward);
    });
    sockets.add(onward);
    onward.on('error', () => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    asked,
    headers,
    close() {
      server.close();
      server.closeAllConnections();
      for (const socket of sockets) socket.destroy();
    },
  };
}
