// /etc/resolv.conf, e.g. `search a.svc.cluster.local svc.cluster.local`, `options ndots:5 timeout:2`.
// https://man7.org/linux/man-pages/man5/resolv.conf.5.html; the order of names is that of glibc's
// resolv/res_query.c, __res_context_search.
import type { Environment } from '../environment.ts';

/** How names are asked for. Which servers are asked is c-ares' to read. */
export interface Resolv {
  readonly search: readonly string[];
  /** A name with so many dots is asked for as it is first. */
  readonly ndots: number;
  /** For the first try of a server. */
  readonly timeoutMs: number;
  readonly tries: number;
  /** `no-aaaa`: only IPv4 is asked for. */
  readonly isIpv4Only: boolean;
  /** `no-tld-query`: a name without a dot is not asked for as it is. */
  readonly skipsBareNames: boolean;
}

const MOST_NDOTS = 15;
const MOST_TIMEOUT_SECONDS = 30;
const MOST_TRIES = 5;
/**
 * glibc waits 5 s for the first answer, which is all that a connection has here. A second try after 1 s
 * goes to the next server, and a late answer to the first is taken still.
 */
const DEFAULT = { timeoutMs: 1000, tries: 3 };

/**
 * @param environment LOCALDOMAIN takes the place of the search list, RES_OPTIONS that of single options
 * @param hostname its domain is the search list where nothing else is
 */
export function parseResolv(text: string, environment: Environment, hostname: string): Resolv {
  const lines = text.split('\n').map((line) => line.trimEnd());
  const rest = (pattern: RegExp): string[] =>
    lines.flatMap((line) => pattern.exec(line)?.[1] ?? []).map((one) => one.trim());
  const own = hostname.includes('.') ? hostname.slice(hostname.indexOf('.') + 1) : '';
  const { LOCALDOMAIN, RES_OPTIONS = '' } = environment;
  // Of several lines the last one counts, be it `domain` or `search`.
  const list = LOCALDOMAIN ?? rest(/^(?:search|domain)[ \t]+(.*)$/).at(-1) ?? own;
  const words = [...rest(/^options[ \t]+(.*)$/), RES_OPTIONS].flatMap((one) => one.split(/\s+/));
  const number = (name: string, most: number): number | undefined => {
    const values = words.flatMap((word) => /^([a-z]+):(\d+)$/.exec(word)?.slice(1, 3) ?? []);
    const at = values.lastIndexOf(name);
    return at < 0 ? undefined : Math.min(most, Number(values[at + 1]));
  };
  const seconds = number('timeout', MOST_TIMEOUT_SECONDS);
  return {
    search: list
      .toLowerCase()
      .split(/\s+/)
      .map((domain) => domain.replace(/^\.|\.$/g, ''))
      .filter((domain, index, all) => all.indexOf(domain) === index && domain !== ''),
    ndots: number('ndots', MOST_NDOTS) ?? 1,
    timeoutMs: seconds === undefined ? DEFAULT.timeoutMs : Math.max(1, seconds) * 1000,
    tries: Math.max(1, number('attempts', MOST_TRIES) ?? DEFAULT.tries),
    isIpv4Only: words.includes('no-aaaa'),
    skipsBareNames: words.includes('no-tld-query'),
  };
}

/** The absolute names that a name may mean, in the order in which they are asked for. */
export function candidatesOf(name: string, { search, ndots, skipsBareNames }: Resolv): string[] {
  if (name.endsWith('.')) return [name.slice(0, -1)];
  const dots = name.split('.').length - 1;
  const qualified = search.map((domain) => `${name}.${domain}`);
  if (dots >= ndots) return [name, ...qualified];
  return dots === 0 && skipsBareNames ? qualified : [...qualified, name];
}
