import { BlockList, isIP, isIPv6 } from 'node:net';
import { type Environment, given } from '../environment.ts';
import { ConfigError } from '../errors.ts';

/** The proxy on the way to a URL; nothing where the way is direct. */
export type Route = (url: URL) => URL | undefined;

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
    if (text === undefined || isLocal(nameOf(url))) return undefined;
    const port = url.port || (isPlain ? '80' : '443');
    if (except.some((entry) => covers(entry, nameOf(url), port))) return undefined;
    return parseProxy(text, name);
  };
}

/** A URL's host without the brackets of IPv6. Its dot at the end says that the name is a whole one. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '');
}

/** The host as a certificate and a list of exceptions have it: without a dot at its end. */
export function nameOf(url: URL): string {
  return hostOf(url).replace(/\.$/, '');
}

/** A URL's host and port, without the dot that a whole name may end with. */
export function authorityOf(url: URL): string {
  return url.host.replace(/\.(?=:|$)/, '');
}

/** The text itself is not repeated: it may hold a password. */
function parseProxy(text: string, name: string): URL {
  const [scheme] = /^[a-z\d]+(?=:\/\/)/i.exec(text) ?? [];
  const isWeb = /^https?$/i.test(scheme ?? 'http');
  const whole = scheme === undefined ? `http://${text}` : text;
  try {
    const url = new URL(whole);
    // Both are checked to be percent-encoded.
    decodeURIComponent(url.username + url.password);
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
  const name = bare.replace(/^\*?\.|^\[|\]$|\.$/g, '');
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
