import { promises as dns } from 'node:dns';
import { readFileSync } from 'node:fs';
import { isIP, isIPv6 } from 'node:net';
import { hostname } from 'node:os';
import type { Environment } from '../environment.ts';
import { codeOf, failure, unlessRefused } from '../errors.ts';
import { candidatesOf, parseResolv, type Resolv } from './resolv.ts';

export interface Address {
  readonly address: string;
  readonly family: 4 | 6;
}

/** What names are looked up by. */
export interface NameOptions {
  readonly environment: Environment;
  /** Aborted when the end has begun: from then on nothing is asked that may hold a thread. */
  readonly ending?: AbortSignal | undefined;
  /** Counts calls that hold a thread of libuv's, which nothing can end. */
  readonly threads?: { held: number } | undefined;
  /** Where the process is somebody else's, so that no connection may keep it: whether nothing else does. */
  readonly isIdle?: (() => boolean) | undefined;
}

/** Addresses as they come to be known: one family may answer long after the other. */
export type Take = (addresses: readonly Address[]) => void;

const HOSTS_FILE = '/etc/hosts';
const RESOLV_FILE = '/etc/resolv.conf';
/** Of a name that is the machine itself, also where no hosts file says so (RFC 6761). */
const LOOPBACK: readonly Address[] = [
  { address: '127.0.0.1', family: 4 },
  { address: '::1', family: 6 },
];
/** A server says so, in c-ares' codes, of a name that it does not have, or not in this family. */
const NO_SUCH_NAME = new Set<string | undefined>(['ENOTFOUND', 'ENODATA']);

/**
 * A name's addresses, without a thread: the hosts file, then DNS by c-ares, each name that the search
 * list makes of it after the other, as glibc does. The system's getaddrinfo runs in a thread that nothing
 * can end; it is asked only when every one of these has been answered by "no such name": what nsswitch
 * knows beside DNS (mDNS, LDAP) may have it.
 *
 * @returns when all is said; `take` was called for each family with addresses
 * @throws Error with c-ares' code where nothing has an address
 */
export async function lookup(
  name: string,
  options: NameOptions,
  signal: AbortSignal,
  take: Take,
): Promise<void> {
  const listed = fromHostsFile(name.replace(/\.$/, '').toLowerCase());
  if (listed.length > 0) return take(listed);
  const resolv = parseResolv(textOf(RESOLV_FILE), options.environment, hostname());
  const candidates = candidatesOf(name, resolv);
  let hasFailed = false;
  for (const candidate of candidates) {
    const codes = await ask(candidate, resolv, signal, take);
    if (codes === undefined) return;
    // One server's trouble with one domain: the next may be another's.
    const isTrouble = codes.includes('ESERVFAIL');
    hasFailed ||= isTrouble;
    if (!isTrouble && !codes.every((code) => NO_SUCH_NAME.has(code))) {
      throw unanswered(name, codes.find((code) => !NO_SUCH_NAME.has(code)) ?? 'ETIMEOUT');
    }
  }
  if (hasFailed) throw unanswered(name, 'ESERVFAIL');
  if (options.ending?.aborted === true) throw unknown(name, candidates);
  const found = await bySystem(name, options);
  if (found.length === 0) throw unknown(name, candidates);
  take(found);
}

/**
 * Both families at once. Each is taken as soon as it is there.
 *
 * @returns the codes of both where neither has an address
 */
async function ask(
  name: string,
  { timeoutMs, tries, isIpv4Only }: Resolv,
  signal: AbortSignal,
  take: Take,
): Promise<string[] | undefined> {
  const resolver = new dns.Resolver({ timeout: timeoutMs, tries });
  const cancel = (): void => resolver.cancel();
  signal.addEventListener('abort', cancel);
  const family = async (question: Promise<string[]>, of: 4 | 6): Promise<string | undefined> => {
    try {
      const found = await question;
      if (found.length === 0) return 'ENODATA';
      take(found.map((address) => ({ address, family: of })));
      return undefined;
    } catch (error) {
      const code = codeOf(error);
      if (code === undefined) throw error;
      return code;
    }
  };
  try {
    const questions = [family(resolver.resolve4(name), 4)];
    if (!isIpv4Only) questions.push(family(resolver.resolve6(name), 6));
    if (signal.aborted) cancel();
    const codes = await Promise.all(questions);
    const failures = codes.filter((code) => code !== undefined);
    return failures.length < codes.length ? undefined : failures;
  } finally {
    signal.removeEventListener('abort', cancel);
  }
}

function unanswered(name: string, code: string): Error {
  return failure(
    code === 'ECONNREFUSED' ? 'EAI_AGAIN' : code,
    `the name ${name} cannot be looked up: the name server ${WORDS[code] ?? `answered ${code}`}`,
  );
}

const WORDS: Readonly<Record<string, string>> = {
  ETIMEOUT: 'does not answer (ETIMEOUT)',
  ECONNREFUSED: 'does not listen (ECONNREFUSED)',
  ESERVFAIL: 'failed (SERVFAIL)',
};

function unknown(name: string, candidates: readonly string[]): Error {
  const asked = candidates.filter((one) => one !== name);
  const also = asked.length === 0 ? '' : `, nor have ${asked.join(', ')}`;
  return failure('ENOTFOUND', `the name ${name} has no address (ENOTFOUND)${also}`);
}

async function bySystem(
  name: string,
  { environment, threads }: NameOptions,
): Promise<readonly Address[]> {
  const { lackOfThreads } = await import('./threads.ts');
  // libuv would abort the process. What DNS does not have is most often nowhere.
  if (lackOfThreads(environment['UV_THREADPOOL_SIZE']) !== undefined) return [];
  if (threads !== undefined) threads.held += 1;
  try {
    const found = await dns.lookup(name, { all: true, verbatim: true });
    return found.map(({ address, family }) => ({ address, family: family === 6 ? 6 : 4 }));
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return [];
  } finally {
    if (threads !== undefined) threads.held -= 1;
  }
}

/** The hosts file's addresses of a name; the loopback for what means this machine. */
function fromHostsFile(name: string): readonly Address[] {
  const listed = textOf(HOSTS_FILE)
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim().toLowerCase().split(/\s+/))
    .filter(([address = '', ...names]) => isIP(address) !== 0 && names.includes(name))
    .map(([address = '']): Address => ({ address, family: isIPv6(address) ? 6 : 4 }));
  return listed.length === 0 && /(?:^|\.)localhost$/.test(name) ? LOOPBACK : listed;
}

/** Of one of the system's files; empty where there is none. */
function textOf(path: string): string {
  return unlessRefused(() => readFileSync(path, 'utf8'), '');
}
