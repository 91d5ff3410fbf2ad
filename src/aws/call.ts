import { type Clock, sleep } from '../clock.ts';
import {
  AwsError,
  ConfigError,
  codeOf,
  failure,
  isNetworkFailure,
  type Peer,
  reasonOf,
} from '../errors.ts';
import type { HttpAnswer, HttpClient } from '../net/http.ts';
import { errorCode } from './answer.ts';
import type { Credentials } from './credentials/identity.ts';
import { signedHeaders } from './sign.ts';
import type { Skew } from './skew.ts';

/** What every call needs. */
export interface Transport {
  readonly http: HttpClient;
  readonly clock: Clock;
  readonly skew: Skew;
}

export interface Call {
  /** The signing name. */
  readonly service: string;
  readonly region: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** Made anew for each attempt: it may hold the time, which the attempt before may have corrected. */
  readonly body: () => Buffer;
  /** Nothing for a call that is not signed. */
  readonly credentials?: Credentials | undefined;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** What services say when the signature's time is off, among other things. */
const SKEW = new Set([
  'RequestTimeTooSkewed',
  'RequestExpired',
  'RequestInTheFuture',
  'InvalidSignatureException',
  'SignatureDoesNotMatch',
  'AuthFailure',
  'AccessDeniedException',
]);

/**
 * One POST, signed anew, and once more at once where the answer shows that our clock was off.
 *
 * @throws Error with a code where no whole answer came
 */
export async function call(transport: Transport, one: Call): Promise<HttpAnswer> {
  const first = await attempt(transport, one);
  const isSkewed = first.isOff && first.answer.status >= 400 && SKEW.has(errorCode(first.answer));
  return isSkewed ? (await attempt(transport, one)).answer : first.answer;
}

async function attempt(
  { http, clock, skew }: Transport,
  one: Call,
): Promise<{ answer: HttpAnswer; isOff: boolean }> {
  const { service, region, url, credentials, timeoutMs, signal } = one;
  const body = one.body();
  const [sentMs, nowMs] = [clock.wallMs(), skew.nowMs()];
  const headers =
    credentials === undefined
      ? { ...one.headers, 'content-length': String(body.length) }
      : signedHeaders(url, one.headers, body, { service, region, credentials, nowMs });
  const answer = await http.send({ method: 'POST', url, headers, body, timeoutMs, signal });
  return { answer, isOff: skew.learn(answer, sentMs, nowMs) };
}

/** Says of a failure who it was that did not answer. What a person has to set is said as it is. */
export function namingPeer(peer: Peer, who: string): (error: unknown) => never {
  return (error) => {
    if (error instanceof ConfigError || !isNetworkFailure(error)) throw error;
    const named = failure(codeOf(error) ?? 'NetworkFailure', `${who}: ${reasonOf(error)}`, error);
    throw Object.assign(named, { peer });
  };
}

/** Within what something is tried again. */
export interface Trying {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Hears of what came of a try that is not the last. */
  readonly tried: (error: unknown) => void;
}

/** Runs `one` up to `tries` times, as long as what it throws may pass: the network, or a busy service. */
export async function retry<T>(
  { clock, signal, tried }: Trying,
  tries: number,
  pauseMs: number,
  one: () => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await one();
    } catch (error) {
      const may = error instanceof AwsError ? error.again : isNetworkFailure(error);
      if (!may || attempt >= tries || signal.aborted) throw error;
      tried(error);
    }
    await sleep(clock, pauseMs * attempt, signal);
  }
}

/**
 * What `work` gives, or what there was before when one's own patience ends; the work itself goes on.
 *
 * @param asking what it is that takes so long
 */
export function abortable<T>(
  work: Promise<T>,
  signal: AbortSignal,
  before?: T,
  asking: () => string = () => '',
): Promise<T> {
  return new Promise((resolve, reject) => {
    const leave = (): void => {
      if (before === undefined)
        reject(failure('PENDING', `it took too long to find out ${asking()}`.trimEnd()));
      else resolve(before);
    };
    if (signal.aborted) leave();
    signal.addEventListener('abort', leave);
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave));
  });
}
