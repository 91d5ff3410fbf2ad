import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type Clock, systemClock } from '../../../src/clock.ts';
import { createHttpClient, type HttpClient, type HttpOptions } from '../../../src/net/http.ts';

/** A request as it was meant: to a host that this machine does not have. */
export interface Meant {
  readonly method: string;
  readonly url: URL;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export type Respond = (meant: Meant, response: ServerResponse) => void;

/** A loopback server that stands for every host at once. */
export interface Elsewhere {
  /** All requests so far, in order. */
  readonly seen: Meant[];
  /** Makes the real client, and leads what it sends here. */
  connect(options?: HttpOptions): HttpClient;
  close(): void;
}

const MEANT = 'x-test-meant';

export async function startElsewhere(respond: Respond): Promise<Elsewhere> {
  const seen: Meant[] = [];
  const clients: HttpClient[] = [];
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method = '', headers } = request;
      const { [MEANT]: url = 'http://nowhere/', ...rest } = headers;
      const body = Buffer.concat(chunks).toString('utf8');
      const meant = { method, url: new URL(String(url)), headers: rest, body };
      seen.push(meant);
      respond(meant, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    seen,
    connect(options) {
      const client = createHttpClient(options);
      clients.push(client);
      return {
        send: (request) => {
          const headers = { ...request.headers, [MEANT]: request.url.href };
          return client.send({ ...request, headers, url: new URL(`http://127.0.0.1:${port}/`) });
        },
        close: () => client.close(),
      };
    },
    close() {
      for (const client of clients) client.close();
      server.close();
      server.closeAllConnections();
    },
  };
}

/** A clock whose time stands still and whose pauses are over at once; long limits stay long. */
export function hurriedClock(wallMs: number): Clock {
  const { after } = systemClock();
  return {
    monoMs: () => 1000,
    wallMs: () => wallMs,
    after: (delayMs, task) => after(delayMs < 3000 ? 0 : delayMs, task),
  };
}
