import * as dns from 'node:dns';
import { readFileSync } from 'node:fs';
import { isIP, isIPv6, type LookupFunction } from 'node:net';
import { codeOf } from '../errors.ts';

/** Two tries a server, the second with twice the time. */
const QUERY = { timeout: 1000, tries: 2 };
/** For the answer of IPv6, when that of IPv4 is there. */
const OTHER_FAMILY_MS = 50;
const HOSTS_FILE = '/etc/hosts';

/**
 * Names to addresses without a thread: the hosts file, then DNS by c-ares. The system's getaddrinfo
 * runs in a thread that nothing can end, and with DNS out of reach `process.exit` waits for it, 10 s
 * and more. It is asked only after DNS has answered that it does not know the name (search domains,
 * mDNS), and so is there.
 */
export const lookup: LookupFunction = (hostname, options, callback) => {
  const family = familyOf(options.family);
  const answer = (addresses: readonly dns.LookupAddress[]): void => {
    const [first] = addresses;
    if (options.all === true) callback(null, [...addresses]);
    else callback(null, first?.address ?? '', first?.family);
  };
  const listed = fromHostsFile(hostname).filter((entry) => wanted(entry.family, family));
  if (listed.length > 0) return answer(listed);
  resolveByDns(hostname, family).then(answer, (error) => {
    if (codeOf(error) === dns.TIMEOUT) return callback(error, '');
    dns.lookup(hostname, options, callback);
  });
};

/**
 * IPv4 first: it is what every container has. Some resolvers drop the question for IPv6, which then is
 * not waited for.
 */
async function resolveByDns(hostname: string, family: number): Promise<dns.LookupAddress[]> {
  const resolver = new dns.promises.Resolver(QUERY);
  const ask = (asked: 4 | 6, question: Promise<string[]>): Promise<dns.LookupAddress[]> =>
    question.then((all) => all.map((address) => ({ address, family: asked })));
  const v4 = wanted(4, family) ? ask(4, resolver.resolve4(hostname)) : Promise.resolve([]);
  const v6 = wanted(6, family) ? ask(6, resolver.resolve6(hostname)) : Promise.resolve([]);
  const other = v6.catch(() => []);
  const first = await v4.catch(() => []);
  const addresses = [...first, ...(await (first.length > 0 ? soon(other) : other))];
  resolver.cancel();
  if (addresses.length > 0) return addresses;
  await v4;
  throw Object.assign(new Error('no address'), { code: dns.NODATA });
}

/** What comes within a moment. */
function soon(answer: Promise<dns.LookupAddress[]>): Promise<dns.LookupAddress[]> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve([]), OTHER_FAMILY_MS);
    answer.then((addresses) => {
      clearTimeout(timer);
      resolve(addresses);
    });
  });
}

/** The hosts file's addresses of a name; none where there is no such file. */
function fromHostsFile(hostname: string): dns.LookupAddress[] {
  const name = hostname.toLowerCase();
  return hostsFile()
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim().toLowerCase().split(/\s+/))
    .filter(([address = '', ...names]) => isIP(address) !== 0 && names.includes(name))
    .map(([address = '']) => ({ address, family: isIPv6(address) ? 6 : 4 }));
}

function hostsFile(): string {
  try {
    return readFileSync(HOSTS_FILE, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'EACCES') return '';
    throw error;
  }
}

function familyOf(family: number | string | undefined): number {
  if (family === 'IPv4') return 4;
  return family === 'IPv6' ? 6 : Number(family ?? 0);
}

function wanted(family: number, asked: number): boolean {
  return asked === 0 || asked === family;
}
