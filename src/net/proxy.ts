import * as http from 'node:http';
import * as https from 'node:https';
import { BlockList, isIP, isIPv6, type Socket } from 'node:net';
import { type Environment, given } from '../environment.ts';
import { ConfigError, failure } from '../errors.ts';
import { lookup } from './lookup.ts';

/** The proxy on the way to a URL; nothing where the way is direct. */
export type Route = (url: URL) => URL | undefined;

/** Newer Nodes would go through the environment's proxies by themselves, were it not said so. */
export const NO_OTHER_PROXY: https.AgentOptions & { proxyEnv?: undefined } = {
  proxyEnv: undefined,
};

/** Of a proxy that wants to know who asks. */
export const NEEDS_PASSWORD = 407;

/**
 * The ways by the variables that curl, Go and Python share, the lower-case name first. Loopback and
 * link-local addresses are always reached directly: what answers there hands out credentials.
 *
 * @throws ConfigError, the route itself, where the proxy is none that speaks HTTP
 */
export function routeBy(environment: Environment): Route {
  const named = (name: string): string | undefined =>
    given(environment, name) ?? given(environment, name.toUpperCase());
  const except = (named('no_proxy') ?? '').toLowerCase().split(/[\s,]+/);
  return (url) => {
    const isPlain = url.protocol === 'http:';
    // In a CGI program HTTP_PROXY is what a request said of itself ("Proxy:").
    const isCgi = isPlain && environment['REQUEST_METHOD'] !== undefined;
    const name = isPlain ? 'http_proxy' : 'https_proxy';
    const text = (isCgi ? given(environment, name) : named(name)) ?? named('all_proxy');
    if (text === undefined || isLocal(hostOf(url))) return undefined;
    const port = url.port || (isPlain ? '80' : '443');
    if (except.some((entry) => covers(entry, hostOf(url), port))) return undefined;
    return parseProxy(text, name);
  };
}

/** A URL's host without the brackets of IPv6. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '');
}

/** What a proxy wants to see where its URL names a user; otherwise nothing. */
export function proxyHeaders({ username, password }: URL): Record<string, string> {
  if (username === '' && password === '') return {};
  const user = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`);
  return { 'proxy-authorization': `Basic ${user.toString('base64')}` };
}

/**
 * A connection to `target` (host and port) through a proxy, before any TLS of its own.
 *
 * @param tls of the way to the proxy, where that is an https one
 */
export function tunnel(
  proxy: URL,
  target: string,
  timeoutMs: number,
  tls: https.AgentOptions,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const isPlain = proxy.protocol === 'http:';
    const web = isPlain ? http : https;
    const call = web.request({
      method: 'CONNECT',
      host: hostOf(proxy),
      // Otherwise Node takes the name of the header, which is the one behind the proxy.
      servername: isIP(hostOf(proxy)) === 0 ? hostOf(proxy) : '',
      port: proxy.port || (isPlain ? 80 : 443),
      path: target,
      headers: { host: target, ...proxyHeaders(proxy) },
      agent: new web.Agent({ ...NO_OTHER_PROXY, ...tls }),
      lookup,
    });
    const timer = setTimeout(
      () => call.destroy(failure('CONNECT_TIMEOUT', 'the proxy did not answer')),
      timeoutMs,
    );
    call.once('close', () => clearTimeout(timer));
    call.once('error', (error) => reject(proxyFailure(error)));
    call.once('response', ({ statusCode }) => call.destroy(proxyRefusal(statusCode)));
    call.once('connect', ({ statusCode = 0 }, socket, head) => {
      clearTimeout(timer);
      if (statusCode < 200 || statusCode > 299) {
        socket.destroy();
        return reject(proxyRefusal(statusCode));
      }
      socket.unshift(head);
      resolve(socket);
    });
    call.end();
  });
}

/** What a failed connection to a proxy is. A person has to mend what is a setting. */
export function proxyFailure(error: Error): Error {
  if (error instanceof ConfigError) return error;
  return failure('PROXY', `the proxy: ${error.message}`, error);
}

/** What a proxy's own refusal is. */
export function proxyRefusal(status = 0): Error {
  if (status !== NEEDS_PASSWORD)
    return failure(`PROXY_${status}`, `the proxy answered HTTP ${status}`);
  return new ConfigError('https_proxy', 'the proxy wants a user and a password (HTTP 407)');
}

/** The text itself is not repeated: it may hold a password. */
function parseProxy(text: string, name: string): URL {
  const [scheme] = /^[a-z\d]+(?=:\/\/)/i.exec(text) ?? [];
  const isWeb = /^https?$/i.test(scheme ?? 'http');
  const whole = scheme === undefined ? `http://${text}` : text;
  try {
    const url = new URL(whole);
    proxyHeaders(url);
    if (isWeb) return url;
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof URIError)) throw error;
    const problem = 'expected http://HOST:PORT, a user and a password in it percent-encoded';
    throw new ConfigError(name, problem);
  }
  throw new ConfigError(name, `got ${scheme}://…, expected an http or https proxy`);
}

function isLocal(host: string): boolean {
  if (isIP(host) === 0) return host === 'localhost';
  return /^(?:127\.|169\.254\.|::1$|fe[89ab][\da-f]:|fd00:ec2:)/.test(host);
}

/** Whether an entry of NO_PROXY covers a host: a suffix at the border of a label, an address, a network. */
function covers(entry: string, host: string, port: string): boolean {
  if (entry === '*') return true;
  const [, bare = entry, wanted = port] = /^(\[[^\]]*\]|[^:]*):(\d+)$/.exec(entry) ?? [];
  const name = bare.replace(/^\*?\.|^\[|\]$/g, '');
  if (name === '' || wanted !== port) return false;
  const [network = '', prefix] = name.split('/');
  if (prefix !== undefined) {
    return isIP(host) !== 0 && /^\d+$/.test(prefix) && holds(network, Number(prefix), host);
  }
  return host === name || host.endsWith(`.${name}`);
}

function holds(network: string, prefix: number, host: string): boolean {
  const family = isIPv6(network) ? 'ipv6' : 'ipv4';
  if (isIP(network) === 0 || !(prefix >= 0 && prefix <= (family === 'ipv6' ? 128 : 32)))
    return false;
  const list = new BlockList();
  list.addSubnet(network, prefix, family);
  return list.check(host, isIPv6(host) ? 'ipv6' : 'ipv4');
}
