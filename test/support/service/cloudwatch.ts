import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type Certificate, selfSigned } from '../aws/tls.ts';
import { Waiting } from '../waiting.ts';
import { Connections } from './connections.ts';
import { headersOf, receive, type SeenRequest, send } from './exchange.ts';
import { type Fault, type FaultMaker, FaultQueue } from './faults.ts';
import { judge, type Verdict } from './judge.ts';
import type { Accepted } from './put-metric-data.ts';
import type { Refusal } from './refusal.ts';
import type { Credentials } from './signature.ts';

export interface CloudwatchOptions {
  /** Whose signatures are good: `Cloudwatch.credentials` starts as a copy. */
  credentials?: readonly Credentials[];
  region?: string;
  /** Of 127.0.0.1; 0 and the default is a free one. */
  port?: number;
  tls?: boolean;
  /** The server's clock, milliseconds since 1970: for skew, for the age of data, for the Date header. */
  now?: () => number;
  /** Takes Values beside StatisticValues, as AWS does without saying so. Off unless asked. */
  valuesWithStatistics?: boolean;
  onAccepted?: (accepted: Accepted) => void;
  onRefused?: (refusal: Refusal) => void;
}

/** The identity that is good unless the options name others. */
export const CREDENTIALS: Credentials = {
  accessKeyId: 'AKIDLOOPBACK',
  secretAccessKey: 'loopback/secret+key',
};

/** The region that signatures must be scoped to, unless the options name another. */
export const REGION = 'us-east-1';
// Only a reading request need be known for one: whatever else comes is meant as PutMetricData.
const READING = /(^|&)Action=(GetMetricStatistics|ListMetrics)(&|$)/;

/** A CloudWatch on 127.0.0.1 that is as strict as the real one, and as unreliable as it is told to be. */
export async function startCloudwatch(options: CloudwatchOptions = {}): Promise<Cloudwatch> {
  const certificate = options.tls ? await selfSigned() : undefined;
  const cloudwatch = new Cloudwatch(options, certificate);
  await cloudwatch.listenAgain();
  return cloudwatch;
}

export class Cloudwatch {
  readonly accepted: Accepted[] = [];
  readonly requests: SeenRequest[] = [];
  /** May be changed at any time: a test lets one expire so. */
  readonly credentials: Credentials[];
  /** The authority to trust, PEM; undefined without TLS. */
  readonly ca: string | undefined;
  port: number;
  readonly #options: CloudwatchOptions;
  readonly #server: Server;
  readonly #connections: Connections;
  readonly #faults = new FaultQueue();
  readonly #waiting = new Waiting();
  #arrived = 0;

  /** Use startCloudwatch: this one does not listen yet. */
  constructor(options: CloudwatchOptions, certificate: Certificate | undefined) {
    this.#options = options;
    this.credentials = [...(options.credentials ?? [CREDENTIALS])];
    this.ca = certificate?.cert;
    this.port = options.port ?? 0;
    this.#server = certificate ? createTlsServer(certificate) : createServer();
    this.#connections = new Connections(this.#server);
    // A kept connection outlives a test's pauses, so that it is the client who decides.
    this.#server.keepAliveTimeout = 60_000;
    this.#server.on('request', (request, response) => {
      this.#serve(request, response).catch((thrown: unknown) => this.#fail(thrown, response));
    });
  }

  get url(): string {
    return `${this.ca === undefined ? 'http' : 'https'}://127.0.0.1:${this.port}`;
  }

  /** Queues faults, one for each PutMetricData to come; a function is asked for every one from its turn on. */
  play(...faults: (Fault | FaultMaker)[]): void {
    this.#faults.add(faults);
  }

  /** Forgets the faults that have not been played. */
  calm(): void {
    this.#faults.clear();
  }

  /** Resolves when `holds`, asked after every event. @throws {Error} at the deadline */
  waitFor(holds: (cloudwatch: Cloudwatch) => boolean, deadlineMs = 5000): Promise<void> {
    const state = (): string =>
      `${holds}; ${this.accepted.length} accepted, requests answered: ` +
      `[${this.requests.map((seen) => seen.status ?? seen.fault ?? 'none').join(', ')}]`;
    return this.#waiting.until(() => holds(this), deadlineMs, state);
  }

  /** Cuts every connection and refuses new ones. */
  async refuse(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#connections.cut();
    await closed;
  }

  /** Comes back on the same port. */
  async listenAgain(): Promise<void> {
    this.#server.listen({ port: this.port, host: '127.0.0.1' });
    await once(this.#server, 'listening');
    const address = this.#server.address();
    if (address !== null && typeof address === 'object') this.port = address.port;
  }

  /** Ends it at once, whatever is still open. */
  async close(): Promise<void> {
    this.#waiting.fail(new Error('the server was closed during the wait'));
    await this.refuse();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url: path = '' } = request;
    const head = { method, path, headers: headersOf(request), index: this.#arrived };
    this.#arrived += 1;
    let fault = this.#faults.take(head);
    const early = fault?.kind === 'reset-before-reading' || fault?.kind === 'reset-mid-body';
    const unread = fault?.kind === 'reset-before-reading';
    const body = unread ? Buffer.alloc(0) : await receive(request, early);
    if (fault !== undefined && !early && READING.test(body.toString('latin1'))) {
      this.#faults.giveBack(fault);
      fault = undefined;
    }
    const now = this.#now();
    const outcome = { at: now, status: undefined, refusal: undefined, fault: fault?.kind };
    const seen: SeenRequest = { ...head, ...outcome, body };
    if (early) this.#connections.reset(request);
    if (early || !request.complete) return this.#note(seen);

    const { region = REGION, valuesWithStatistics = false } = this.#options;
    const { credentials, accepted } = this;
    const service = { credentials, region, now, accepted, valuesWithStatistics };
    const verdict = await judge({ ...head, body }, service);
    seen.refusal = verdict.refusal;
    this.#answer(seen, verdict, fault, response);
  }

  #answer(seen: SeenRequest, verdict: Verdict, fault: Fault | undefined, to: ServerResponse): void {
    const silent = fault?.kind === 'stall' || fault?.kind === 'cut-before-answer';
    const answer = fault?.kind === 'answer' ? fault.answer : verdict.answer;
    seen.status = silent ? undefined : answer.status;
    if (fault?.kind !== 'answer' && fault?.kind !== 'stall') this.#commit(verdict, seen);
    // Noted first: when the client has its answer, the test can read what was seen.
    this.#note(seen);
    if (fault?.kind === 'cut-before-answer') to.destroy();
    if (silent) return;
    const skew = fault?.kind === 'skew-date' ? fault.byMs : 0;
    to.writeHead(answer.status, {
      ...answer.headers,
      date: new Date(this.#now() + skew).toUTCString(),
      'content-length': Buffer.byteLength(answer.body),
    });
    send(answer, fault, to);
  }

  /** A mistake in this server itself: the client, and whoever reads the test's output, gets to see it. */
  #fail(thrown: unknown, response: ServerResponse): void {
    if (!response.headersSent) response.writeHead(500, { 'content-type': 'text/plain' });
    response.end(thrown instanceof Error ? thrown.stack : String(thrown));
  }

  #commit({ taken, refusal }: Verdict, { fault, headers }: SeenRequest): void {
    if (taken !== undefined) {
      const [, accessKeyId = ''] =
        /Credential=([^/]+)\//.exec(headers['authorization'] ?? '') ?? [];
      const accepted = { ...taken, accessKeyId, ...(fault === undefined ? {} : { fault }) };
      this.accepted.push(accepted);
      this.#options.onAccepted?.(accepted);
    }
    if (refusal !== undefined) this.#options.onRefused?.(refusal);
  }

  #note(seen: SeenRequest): void {
    this.requests.push(seen);
    this.#waiting.changed();
  }

  #now(): number {
    return this.#options.now?.() ?? Date.now();
  }
}

/** What finds the loopback CloudWatch: the provider chain's variables, as the SDKs have them. */
export function awsOf(cloudwatch: Pick<Cloudwatch, 'url'>): Record<string, string> {
  return {
    AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
    AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
    AWS_REGION: REGION,
    AWS_ENDPOINT_URL: cloudwatch.url,
  };
}
