import { ConfigError, codeOf, isNetworkFailure, reasonOf } from '../errors.ts';

/** What an attempt at one request came to. */
export interface Verdict {
  /**
   * - `accepted`: the service has it.
   * - `retry`: the service or the way to it failed; the same request may succeed later.
   * - `throttled`: as `retry`, but more slowly.
   * - `tooLarge`: the same may be accepted in smaller requests.
   * - `invalid`: some of its datums are refused, and with them all; `members` names them where the
   *   service did.
   * - `denied`: it is whoever asks that is refused, or the endpoint is another service's. A person has to
   *   mend it; the request is not to blame.
   * - `unready`: region, endpoint or credentials are missing or have expired; the request is not to blame,
   *   and can be made as soon as they are there.
   */
  readonly kind: 'accepted' | 'retry' | 'throttled' | 'tooLarge' | 'invalid' | 'denied' | 'unready';
  /** The service's code, `HTTP 502`, or the system's code. */
  readonly code: string;
  readonly message: string;
  readonly requestId: string;
  /** Numbers of the datums that the service names, from 1. */
  readonly members: readonly number[];
  /** What the service asks to wait for before the next request; 0 where it asks for nothing. */
  readonly waitMs: number;
  /** What was thrown, where that is what it came to. */
  readonly cause?: unknown;
  /** Datums of an accepted request that the service left out without saying which. */
  readonly rejected?: number;
}

/** Said when nothing else is: no members, no wish. */
export const NOTHING: Pick<Verdict, 'members' | 'waitMs'> = { members: [], waitMs: 0 };

/** No connection came about. */
const UNSENT = new Set([
  'CONNECT_TIMEOUT',
  'EADDRNOTAVAIL',
  'EAI_AGAIN',
  'ECONNREFUSED',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'ENETDOWN',
  'ENETUNREACH',
  'ENOTFOUND',
]);

/** Whether the service may have taken the request after all: nobody knows where no answer came. */
export function mayHaveArrived({ kind, code }: Verdict): boolean {
  return kind === 'accepted' || (kind === 'retry' && !UNSENT.has(code));
}

/** Nothing to send with yet. */
export function unready(cause: unknown): Verdict {
  return failed('unready', cause, cause instanceof ConfigError ? cause.setting : 'NotReady');
}

/** Judges an attempt without a whole answer: whatever the network did may be over next time. */
export function judgeFailure(error: unknown): Verdict {
  const isMended = isNetworkFailure(error) || codeOf(error) === undefined;
  return isMended && !(error instanceof ConfigError)
    ? failed('retry', error, 'NetworkFailure')
    : unready(error);
}

function failed(kind: Verdict['kind'], error: unknown, otherwise: string): Verdict {
  const code = codeOf(error) ?? otherwise;
  return { kind, code, message: reasonOf(error), requestId: '', cause: error, ...NOTHING };
}
