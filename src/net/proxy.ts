import http from 'node:http';
import { isIP, type Socket } from 'node:net';
import { connect as connectTls, type SecureContext } from 'node:tls';
import { ConfigError, codeOf, failure } from '../errors.ts';
import { hostOf, nameOf } from './route.ts';

/** Of a proxy that wants to know who asks. */
const NEEDS_PASSWORD = 407;

/** What a proxy wants to see where its URL names a user; otherwise nothing. */
export function proxyHeaders({ username, password }: URL): Record<string, string> {
  if (username === '' && password === '') return {};
  const user = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`);
  return { 'proxy-authorization': `Basic ${user.toString('base64')}` };
}

/** How a proxy is reached. */
export interface Way {
  /** A connection to a host and port. @throws Error with a system's code */
  dial(host: string, port: number): Promise<Socket>;
  /** Of the way to a proxy that itself speaks TLS. */
  readonly secureContext: SecureContext;
  /** Gives up. */
  readonly signal: AbortSignal;
}

/** A connection to `target` (host and port) through a proxy, before any TLS of its own. */
export async function tunnel(proxy: URL, target: string, way: Way): Promise<Socket> {
  const isPlain = proxy.protocol === 'http:';
  let socket: Socket;
  try {
    const bare = await way.dial(hostOf(proxy), Number(proxy.port || (isPlain ? 80 : 443)));
    socket = isPlain ? bare : await secured(bare, proxy, way);
  } catch (error) {
    throw error instanceof Error ? proxyFailure(error) : error;
  }
  return connected(socket, proxy, target, way.signal);
}

/** TLS with the proxy itself. */
function secured(
  socket: Socket,
  proxy: URL,
  { secureContext, signal }: Pick<Way, 'secureContext' | 'signal'>,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const name = nameOf(proxy);
    const servername = isIP(name) === 0 ? name : '';
    const tls = connectTls({ socket, host: name, servername, secureContext });
    const end = (): unknown => tls.destroy(failure('ABORT_ERR', 'given up'));
    signal.addEventListener('abort', end);
    tls.once('close', () => signal.removeEventListener('abort', end));
    tls.once('error', reject);
    tls.once('secureConnect', () => {
      signal.removeEventListener('abort', end);
      tls.off('error', reject);
      resolve(tls);
    });
    if (signal.aborted) end();
  });
}

/** Asks for the way to `target`. */
function connected(
  socket: Socket,
  proxy: URL,
  target: string,
  signal: AbortSignal,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const headers = { host: target, ...proxyHeaders(proxy) };
    const options = { method: 'CONNECT', path: target, headers, createConnection: () => socket };
    const call = http.request(options);
    const end = (): unknown => call.destroy(failure('ABORT_ERR', 'given up'));
    signal.addEventListener('abort', end);
    call.once('close', () => signal.removeEventListener('abort', end));
    call.once('error', (error) => reject(proxyFailure(error)));
    call.once('response', ({ statusCode }) => call.destroy(proxyRefusal(statusCode)));
    call.once('connect', ({ statusCode = 0 }, stream, head) => {
      signal.removeEventListener('abort', end);
      if (statusCode < 200 || statusCode > 299) {
        stream.destroy();
        return reject(proxyRefusal(statusCode));
      }
      stream.unshift(head);
      resolve(stream);
    });
    call.end();
    if (signal.aborted) end();
  });
}

/** What a failed connection to a proxy is. A person has to mend what is a setting. */
function proxyFailure(error: Error): Error {
  if (error instanceof ConfigError) return error;
  return failure('PROXY', `the proxy: ${error.message}`, error);
}

/** What a proxy's own refusal is. */
function proxyRefusal(status = 0): Error {
  if (status !== NEEDS_PASSWORD)
    return failure(`PROXY_${status}`, `the proxy answered HTTP ${status}`);
  return new ConfigError('https_proxy', 'the proxy wants a user and a password (HTTP 407)');
}

/** What another server than the proxy may be to blame for. */
const BEHIND_PROXY = new Set(['TIMEOUT', 'ABORT_ERR', 'EMSGSIZE', 'DEAD_CONNECTION']);

/** What came over a proxy that makes the request itself. */
export async function relayed<Answer extends { readonly status: number }>(
  work: Promise<Answer>,
): Promise<Answer> {
  const answer = await work.catch((error: Error) => {
    throw BEHIND_PROXY.has(codeOf(error) ?? '') ? error : proxyFailure(error);
  });
  if (answer.status === NEEDS_PASSWORD) throw proxyRefusal(answer.status);
  return answer;
}
