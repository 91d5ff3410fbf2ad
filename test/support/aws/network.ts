// A program for a network of its own: a name server on 127.0.0.1, something that takes requests on every
// address, and the built agent by any Node. Says in JSON what was asked for and what came where.
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { start } from '../program.ts';
import { Waiting } from '../waiting.ts';
import { type Entry, startNameServer } from './name-server.ts';

/** What goes on in the network. */
export interface Plan {
  readonly node: string;
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly names: Readonly<Record<string, Entry>>;
  /** Domains whose server drops all questions. */
  readonly silent?: readonly string[];
  /** The ports that take requests. */
  readonly ports: readonly number[];
  /** SIGTERM when the name server was asked. */
  readonly ends?: boolean;
}

/** A request that came. */
export interface Came {
  /** The address that took it. */
  readonly at: string;
  readonly method: string;
  readonly url: string;
  readonly host: string;
  readonly proxyUser: string;
}

export interface Result {
  readonly exit: number | string;
  readonly stderr: string;
  readonly asked: readonly string[];
  readonly came: readonly Came[];
  /** From SIGTERM to the end. */
  readonly tookMs: number;
}

const ANSWER =
  '<PutMetricDataResponse><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></PutMetricDataResponse>';
const DEADLINE_MS = 20_000;

async function main(plan: Plan): Promise<Result> {
  const { asked } = await startNameServer(53, plan.names, plan.silent);
  const came: Came[] = [];
  const servers = await Promise.all(plan.ports.map((port) => serve(port, came)));
  const program = start(plan.node, plan.argv, { environment: plan.environment });
  let signalledMs = performance.now();
  if (plan.ends === true) {
    const waiting = new Waiting();
    const timer = setInterval(() => waiting.changed(), 50);
    await waiting.until(
      () => asked.length > 0,
      DEADLINE_MS,
      () => `no question; ${program.stderr()}`,
    );
    clearInterval(timer);
    signalledMs = performance.now();
    program.kill('SIGTERM');
  }
  const exit = await program.ended;
  for (const server of servers) {
    server.close();
    server.closeAllConnections();
  }
  const tookMs = Math.round(performance.now() - signalledMs);
  return { exit, stderr: program.stderr(), asked, came, tookMs };
}

async function serve(port: number, came: Came[]): Promise<Server> {
  const server = createServer((request, response) => {
    came.push(cameBy(request));
    request.resume().once('end', () => response.end(ANSWER));
  });
  server.on('connect', (request: IncomingMessage, socket) => {
    came.push(cameBy(request));
    // The agent may be gone before it has read that.
    socket.on('error', () => socket.destroy());
    socket.end('HTTP/1.1 502 none\r\n\r\n');
  });
  await new Promise<void>((resolve) => server.listen(port, '::', resolve));
  const address: string | AddressInfo | null = server.address();
  if (typeof address !== 'object') throw new Error('no port');
  return server;
}

function cameBy({ socket, method = '', url = '', headers }: IncomingMessage): Came {
  const at = (socket.localAddress ?? '').replace('::ffff:', '');
  const proxyUser = String(headers['proxy-authorization'] ?? '');
  return { at, method, url, host: headers.host ?? '', proxyUser };
}

const [text = ''] = process.argv.slice(2);
const plan: Plan = JSON.parse(text);
process.stdout.write(JSON.stringify(await main(plan)));
