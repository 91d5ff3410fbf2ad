import { errorCode } from '../aws/answer.ts';
import type { Destination } from '../aws/aws.ts';
import { abortable, call } from '../aws/call.ts';
import type { Identity } from '../aws/credentials/identity.ts';
import type { Clock } from '../clock.ts';
import type { Post } from '../delivery/service.ts';
import { judgeFailure, unready } from '../delivery/verdict.ts';
import type { Setting } from '../environment.ts';
import type { HttpAnswer } from '../net/http.ts';
import { gzipFrom } from './compression.ts';
import type { Form } from './form.ts';
import { judge } from './judge.ts';

export interface PostOptions {
  /** Finds region and endpoint, as long as it takes. */
  readonly locate: (signal: AbortSignal) => Promise<Destination>;
  /** What that waits for. */
  readonly asking?: () => string;
  readonly clock: Clock;
  readonly userAgent: string;
}

/** What the service says of credentials that were good once. */
const EXPIRED = new Set(['ExpiredToken', 'InvalidToken']);
/** What it says of those that a rotation has just ended, among other things. */
const UNKNOWN = new Set(['InvalidClientTokenId', 'UnrecognizedClientException']);

/**
 * Finds whatever is not yet known (region, endpoint, credentials), compresses, signs, sends and judges.
 * Expired credentials are renewed and a wrong clock is corrected within the attempt, once.
 */
export function createPost(options: PostOptions): Post<Form> {
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
        'content-type': 'application/x-www-form-urlencoded; charset=utf-8',
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
      const secrets = [identity, used].flatMap((by) => [by.secretAccessKey, by.sessionToken]);
      const verdict = judge(answer, secrets);
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
): Promise<[Destination, Identity]> {
  try {
    const destination = await abortable(locate(signal), signal, undefined, asking);
    return [destination, await destination.credentials.resolve(signal)];
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
  { credentials }: Destination,
  used: Identity,
  signal: AbortSignal,
  send: (identity: Identity) => Promise<HttpAnswer>,
): Promise<[HttpAnswer, Identity]> {
  const answer = await send(used);
  const code = answer.status === 200 ? '' : errorCode(answer);
  if (!EXPIRED.has(code) && !UNKNOWN.has(code)) return [answer, used];
  credentials.invalidate(used.accessKeyId);
  const fresh = await credentials.resolve(signal);
  return fresh.accessKeyId === used.accessKeyId ? [answer, used] : [await send(fresh), fresh];
}
