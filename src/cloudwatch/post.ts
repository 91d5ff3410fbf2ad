import { errorCode } from '../aws/answer.ts';
import { abortable, call, type Transport } from '../aws/call.ts';
import type { CredentialSource, Identity } from '../aws/credentials/identity.ts';
import type { Clock } from '../clock.ts';
import type { Page, Post } from '../delivery/service.ts';
import { judgeFailure, unready, type Verdict } from '../delivery/verdict.ts';
import type { Setting } from '../environment.ts';
import type { HttpAnswer } from '../net/http.ts';
import { gzipFrom } from './compression.ts';
import type { Form } from './form.ts';
import { judge } from './judge.ts';

/** Where requests go. */
export interface Target extends Transport {
  readonly region: { readonly name: string };
  readonly endpoint: URL;
  /** Nothing where they are not signed. */
  readonly credentials?: CredentialSource;
  readonly setting: Setting;
}

/** In what form something is sent, and what an answer to that means. */
export interface Protocol<Body extends Form> {
  readonly headers: Readonly<Record<string, string>>;
  /** @param secrets what the request was signed with: a proxy's page may repeat it */
  judge(answer: HttpAnswer, secrets: readonly (string | undefined)[], page: Page<Body>): Verdict;
}

export interface PostOptions {
  /** Finds region and endpoint, as long as it takes. */
  readonly locate: (signal: AbortSignal) => Promise<Target>;
  /** What that waits for. */
  readonly asking?: () => string;
  readonly clock: Clock;
  readonly userAgent: string;
}

/** What the service says of credentials that were good once. */
const EXPIRED = new Set(['ExpiredToken', 'ExpiredTokenException', 'InvalidToken']);
/** What it says of those that a rotation has just ended, among other things. */
const UNKNOWN = new Set(['InvalidClientTokenId', 'UnrecognizedClientException']);

const QUERY: Protocol<Form> = {
  headers: { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' },
  judge,
};

/** Posts PutMetricData. */
export function createPost(options: PostOptions): Post<Form> {
  return createPostOf(QUERY, options);
}

/**
 * Finds whatever is not yet known (region, endpoint, credentials), compresses, signs, sends and judges.
 * Expired credentials are renewed and a wrong clock is corrected within the attempt, once.
 */
export function createPostOf<Body extends Form>(
  protocol: Protocol<Body>,
  options: PostOptions,
): Post<Body> {
  const { clock, userAgent } = options;
  return async (page, timeoutMs, signal) => {
    const limit = new AbortController();
    const end = (): void => limit.abort();
    const cancel = clock.after(timeoutMs, end);
    signal.addEventListener('abort', end);
    try {
      const [destination, identity] = await ready(options, limit.signal);
      const gzipFromBytes = gzipFrom(destination.setting);
      const isLarge = page.bytes >= gzipFromBytes;
      const headers = {
        ...protocol.headers,
        'user-agent': userAgent + appId(destination.setting),
        ...(isLarge ? { 'content-encoding': 'gzip' } : undefined),
      };
      const zlib = isLarge ? await import('node:zlib') : undefined;
      const body = (): Buffer => {
        const plain = Buffer.from(page.body(destination.skew.offsetMs()), 'latin1');
        return zlib?.gzipSync(plain) ?? plain;
      };
      const { region, endpoint: url } = destination;
      const one = { service: 'monitoring', region: region.name, url, headers, body, timeoutMs };
      const [answer, used] = await renewed(destination, identity, limit.signal, (credentials) =>
        call(destination, { ...one, credentials, signal }),
      );
      const secrets = [identity, used].flatMap((by) => [by?.secretAccessKey, by?.sessionToken]);
      const verdict = protocol.judge(answer, secrets, page);
      return EXPIRED.has(errorCode(answer)) ? { ...verdict, kind: 'unready' } : verdict;
    } catch (error) {
      return error instanceof Unready ? unready(error.cause) : judgeFailure(error);
    } finally {
      cancel();
      signal.removeEventListener('abort', end);
    }
  };
}

/** What a request needs is not there. The reason is its cause. */
class Unready extends Error {}

async function ready(
  { locate, asking }: PostOptions,
  signal: AbortSignal,
): Promise<[Target, Identity | undefined]> {
  try {
    const destination = await abortable(locate(signal), signal, undefined, asking);
    return [destination, await destination.credentials?.resolve(signal)];
  } catch (cause) {
    throw new Unready('', { cause });
  }
}

/** As the SDKs name an application, by the same settings and in the same form. */
function appId(setting: Setting): string {
  const id = setting('AWS_SDK_UA_APP_ID', 'sdk_ua_app_id');
  return id === undefined ? '' : ` app/${id.replace(/[^\w!#$%&'*+.^`|~-]/g, '-')}`;
}

/** Sends, and once more with new credentials where there are some and the service refuses these. */
async function renewed(
  { credentials }: Target,
  used: Identity | undefined,
  signal: AbortSignal,
  send: (identity: Identity | undefined) => Promise<HttpAnswer>,
): Promise<[HttpAnswer, Identity | undefined]> {
  const answer = await send(used);
  const code = answer.status === 200 ? '' : errorCode(answer);
  const isRefused = EXPIRED.has(code) || UNKNOWN.has(code);
  if (!isRefused || used === undefined || credentials === undefined) return [answer, used];
  credentials.invalidate(used.accessKeyId);
  const fresh = await credentials.resolve(signal);
  return fresh.accessKeyId === used.accessKeyId ? [answer, used] : [await send(fresh), fresh];
}
