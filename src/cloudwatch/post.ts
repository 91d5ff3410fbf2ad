import { gzipSync } from 'node:zlib';
import { errorCode } from '../aws/answer.ts';
import type { Place } from '../aws/aws.ts';
import { call, unlessAborted } from '../aws/call.ts';
import { type Identity, masked } from '../aws/credentials.ts';
import type { Clock } from '../clock.ts';
import { codeOf, reasonOf } from '../errors.ts';
import type { Log } from '../log.ts';
import type { HttpAnswer } from '../net/http.ts';
import type { Page } from './form.ts';
import { judge, judgeFailure, type Verdict } from './verdict.ts';

export interface PostOptions {
  /** Finds region and endpoint, as long as it takes. */
  readonly locate: (signal: AbortSignal) => Promise<Place>;
  readonly clock: Clock;
  readonly log: Log;
  readonly userAgent: string;
  /** Bodies of this many bytes and more are compressed; Infinity for none. */
  readonly gzipFromBytes: number;
}

/** One attempt at one request: what came of it. It does not reject. */
export type Post = (page: Page, timeoutMs: number, signal: AbortSignal) => Promise<Verdict>;

/** What the service says of credentials that were good once. */
const EXPIRED = new Set(['ExpiredToken', 'InvalidToken']);

/**
 * Finds whatever is not yet known (region, endpoint, credentials), compresses, signs, sends and judges.
 * Expired credentials are renewed and a wrong clock is corrected within the attempt, once.
 */
export function createPost(options: PostOptions): Post {
  const { locate, clock, userAgent, gzipFromBytes } = options;
  const tell = teller(options.log);
  return async (page, timeoutMs, signal) => {
    const limit = new AbortController();
    const end = (): void => limit.abort();
    const cancel = clock.after(timeoutMs, end);
    signal.addEventListener('abort', end);
    try {
      const [place, identity] = await ready(locate, limit.signal);
      tell(place, identity);
      const plain = Buffer.from(shifted(page.body, place.skew.offsetMs()), 'latin1');
      const isLarge = plain.length >= gzipFromBytes;
      const headers = {
        'content-type': 'application/x-www-form-urlencoded; charset=utf-8',
        'user-agent': userAgent,
        ...(isLarge ? { 'content-encoding': 'gzip' } : undefined),
      };
      const body = isLarge ? gzipSync(plain) : plain;
      const { region, endpoint: url } = place;
      const one = { service: 'monitoring', region: region.name, url, headers, body, timeoutMs };
      const answer = await renewed(place, identity, limit.signal, (credentials) =>
        call(place, { ...one, credentials, signal }),
      );
      const verdict = judge(answer);
      return EXPIRED.has(errorCode(answer)) ? { ...verdict, outlook: 'unready' } : verdict;
    } catch (error) {
      if (!(error instanceof Unready)) return judgeFailure(error);
      const message = reasonOf(error.cause);
      tell(message);
      return {
        outlook: 'unready',
        code: codeOf(error.cause) ?? 'NotReady',
        message,
        requestId: '',
      };
    } finally {
      cancel();
      signal.removeEventListener('abort', end);
    }
  };
}

/** What a request needs is not there. The reason is its cause. */
class Unready extends Error {}

async function ready(
  locate: PostOptions['locate'],
  signal: AbortSignal,
): Promise<[Place, Identity]> {
  try {
    const place = await unlessAborted(locate(signal), signal);
    return [place, await place.credentials.resolve(signal)];
  } catch (cause) {
    throw new Unready('', { cause });
  }
}

/** Sends, and once more with new credentials where the service says that these have expired. */
async function renewed(
  { credentials }: Place,
  used: Identity,
  signal: AbortSignal,
  send: (identity: Identity) => Promise<HttpAnswer>,
): Promise<HttpAnswer> {
  const answer = await send(used);
  if (answer.status === 200 || !EXPIRED.has(errorCode(answer))) return answer;
  credentials.invalidate(used.accessKeyId);
  const fresh = await credentials.resolve(signal);
  return fresh.accessKeyId === used.accessKeyId ? answer : send(fresh);
}

/** Timestamps by the services' clock, where this machine's is known to be far off. */
function shifted(body: string, offsetMs: number): string {
  if (offsetMs === 0) return body;
  return body.replace(/(?<=\.Timestamp=)[^&]*/g, (text) => {
    const time = new Date(Date.parse(decodeURIComponent(text)) + offsetMs);
    return encodeURIComponent(`${time.toISOString().slice(0, 19)}Z`);
  });
}

/** Says what is missing, and what is found, when that changes. */
function teller(log: Log): (what: Place | string, identity?: Identity) => void {
  let said = '';
  return (what, identity) => {
    const state = typeof what === 'string' ? what : (identity?.provider ?? '');
    if (state === said) return;
    const isRecovery = said !== '';
    said = state;
    if (typeof what === 'string')
      return log.warn('cannot publish yet, windows wait', { reason: what });
    const { region, endpoint } = what;
    const fields = { region: region.name, endpoint: endpoint.href, credentials: state };
    const key = masked(identity?.accessKeyId ?? '');
    log[isRecovery ? 'warn' : 'info']('ready to publish', { ...fields, key });
  };
}
