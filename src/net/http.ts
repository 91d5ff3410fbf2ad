// Over 200 lines: one request has one deadline, from the look-up of the name to the last byte, and one way to fail.
import http from 'node:http';
import https from 'node:https';
import { isIP } from 'node:net';
import { TLSSocket } from 'node:tls';
import { codeOf, failure } from '../errors.ts';
import { createAgents, type Needed } from './agents.ts';
import type { NameOptions } from './lookup.ts';
import { authorityOf, hostOf, nameOf, type Route } from './route.ts';
import { untrusted } from './trust.ts';

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Buffer;
  /** From the call to the last byte of the answer. */
  readonly timeoutMs: number;
  /** Until the connection stands, with TLS and all. */
  readonly connectMs?: number;
  /** Never through a proxy: metadata services, and what hands out credentials on this machine. */
  readonly direct?: boolean;
  readonly signal: AbortSignal;
}

export interface HttpAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: string;
  /** Where there was TLS with who answers: `TLSv1.3`, and whether the certificate was verified. */
  readonly tls?: { readonly protocol: string; readonly isVerified: boolean };
}

/** Redirects are not followed: a signed request is for one host. */
export interface HttpClient {
  /**
   * @throws Error with a system code where no whole answer came; CONNECT_TIMEOUT or TIMEOUT where it
   *   took too long
   */
  send(request: HttpRequest): Promise<HttpAnswer>;
  /** Drops kept connections. */
  close(): void;
}

/** The connection had been used before and died before any answer: a new one is tried at once. */
const DEAD = 'DEAD_CONNECTION';
/** Of a connection that was kept and that the other side has closed meanwhile. */
const DEAD_CONNECTION = new Set(['ECONNRESET', 'EPIPE']);
const CONNECT_MS = 5000;
/** Far more than any answer of the services that we ask. */
const MAX_ANSWER_BYTES = 1024 * 1024;

export interface HttpOptions extends Partial<NameOptions> {
  /** PEM: the only authorities to trust. Without it Node's own settings hold. */
  readonly ca?: string;
  /** What holds them, for the message where one is missing. */
  readonly caName?: string;
  /** The proxy on the way to a URL. */
  readonly route?: Route;
}

/** A client that keeps one connection to each host, and the TLS session for when that is closed. */
export function createHttpClient(options: HttpOptions = {}): HttpClient {
  const { ca, caName = '', route = () => undefined, environment = {} } = options;
  const { ending, threads, isIdle } = options;
  const agents = createAgents(ca, { environment, ending, threads, isIdle });

  async function attempt(request: HttpRequest): Promise<HttpAnswer> {
    const { url } = request;
    const proxy = request.direct === true ? undefined : route(url);
    const relaying =
      proxy !== undefined && url.protocol === 'http:' ? await import('./proxy.ts') : undefined;
    // A proxy gets the whole URL of what it is to fetch by plain HTTP, and a tunnel for the rest.
    const relay = relaying === undefined ? undefined : proxy;
    const to = relay ?? url;
    const giveUp = new AbortController();
    const { timeoutMs, connectMs = CONNECT_MS } = request;
    const named = isIP(nameOf(to)) === 0 ? { servername: nameOf(to) } : {};
    const call: https.RequestOptions & Needed = {
      method: request.method,
      // A literal IPv6 address stands in brackets in a URL, and without them here.
      host: hostOf(to),
      port: to.port,
      path: relay === undefined ? url.pathname + url.search : url.href,
      headers: { host: authorityOf(url), ...request.headers, ...relaying?.proxyHeaders(to) },
      agent: agents.of(url, proxy),
      ...(to.protocol === 'https:' ? named : undefined),
      connectMs: Math.min(connectMs, timeoutMs),
      giveUp: giveUp.signal,
    };
    const web = to.protocol === 'http:' ? http : https;
    const isEnding = (): boolean => ending?.aborted === true;
    const work = exchange(web.request(call), request, giveUp, isEnding, isIdle !== undefined).catch(
      (error: unknown) => {
        throw ca === undefined ? error : untrusted(error, caName);
      },
    );
    return relaying === undefined ? work : relaying.relayed(work);
  }

  return {
    async send(request) {
      try {
        return await attempt(request);
      } catch (error) {
        if (codeOf(error) !== DEAD) throw error;
        return await attempt(request);
      }
    },
    close: agents.close,
  };
}

function exchange(
  call: http.ClientRequest,
  request: HttpRequest,
  giveUp: AbortController,
  isEnding: () => boolean,
  isGuest: boolean,
): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const { timeoutMs, connectMs = CONNECT_MS } = request;
    let isConnected = false;
    let hasAnswer = false;
    // Said at once: a request that waits for its socket tells of its end only when it has one.
    const end = (error: Error): void => {
      reject(error);
      call.destroy(error);
      giveUp.abort();
    };
    const late = (): void => {
      const why = isEnding() ? ' (stopping: less time was left)' : '';
      const within = (ms: number): string => `within ${Math.round(ms)} ms${why}`;
      const error = isConnected
        ? failure('TIMEOUT', `no answer ${within(timeoutMs)}`)
        : failure('CONNECT_TIMEOUT', `no connection ${within(Math.min(connectMs, timeoutMs))}`);
      end(error);
    };
    const aborted = (): void => end(failure('ABORT_ERR', 'given up'));
    request.signal.addEventListener('abort', aborted);
    if (request.signal.aborted) aborted();
    const timer = setTimeout(late, timeoutMs);
    const connecting = setTimeout(late, connectMs);
    if (isGuest) {
      timer.unref();
      connecting.unref();
    }
    call.once('socket', (socket) => {
      if (isGuest) socket.unref();
      const connected = (): void => {
        isConnected = true;
        clearTimeout(connecting);
      };
      // Inside a tunnel the socket is connected before its TLS is.
      const isTls = socket instanceof TLSSocket;
      if (call.reusedSocket || !(isTls || socket.connecting)) connected();
      else socket.once(isTls ? 'secureConnect' : 'connect', connected);
    });
    call.once('close', () => {
      clearTimeout(timer);
      clearTimeout(connecting);
      request.signal.removeEventListener('abort', aborted);
      // An abort makes an error with a stack, which a connection that stands has no need of.
      if (!isConnected) giveUp.abort();
      // After 101 Node ends the connection without a word.
      if (!hasAnswer) reject(failure('ECONNRESET', 'the connection ended without an answer'));
    });
    call.once('error', (error) => {
      const dead = call.reusedSocket && DEAD_CONNECTION.has(codeOf(error) ?? '');
      reject(dead ? failure(DEAD, error.message, error) : error);
    });
    call.once('response', (response) => {
      hasAnswer = true;
      const isDirect = request.url.protocol === 'https:';
      collect(response, isDirect, resolve, reject);
    });
    call.end(request.body);
  });
}

function collect(
  response: http.IncomingMessage,
  isDirect: boolean,
  resolve: (answer: HttpAnswer) => void,
  reject: (error: Error) => void,
): void {
  const chunks: Buffer[] = [];
  let length = 0;
  const { socket } = response;
  const tls =
    isDirect && socket instanceof TLSSocket
      ? { protocol: socket.getProtocol() ?? '', isVerified: socket.authorized }
      : undefined;
  response.on('data', (chunk: Buffer) => {
    length += chunk.length;
    if (length > MAX_ANSWER_BYTES) response.destroy(failure('EMSGSIZE', 'the answer is too long'));
    else chunks.push(chunk);
  });
  response.once('error', reject);
  response.once('close', () => reject(failure('ECONNRESET', 'the answer was cut')));
  response.once('end', () => {
    const { statusCode: status = 0, headers } = response;
    const body = Buffer.concat(chunks).toString('utf8');
    resolve({ status, headers, body, ...(tls === undefined ? undefined : { tls }) });
  });
}
