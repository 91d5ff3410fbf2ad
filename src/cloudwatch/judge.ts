import { errorCode, parseAnswer } from '../aws/answer.ts';
import { redactSentence } from '../aws/redact.ts';
import { ConfigError, codeOf, reasonOf } from '../errors.ts';
import type { HttpAnswer } from '../net/http.ts';

/**
 * What an attempt came to.
 * - `accepted`: the service has it.
 * - `retry`: the service or the way to it failed; the same request may succeed later.
 * - `throttled`: as `retry`, but more slowly.
 * - `tooLarge`: the same may be accepted in smaller requests.
 * - `invalid`: some of its datums are refused, and with them all; `members` names them where the
 *   service did.
 * - `denied`: it is whoever asks that is refused, or the endpoint is no CloudWatch. A person has to mend
 *   it; the request is not to blame.
 * - `unready`: region, endpoint or credentials are missing or have expired; the request is not to blame,
 *   and can be made as soon as they are there.
 */
export type Outlook =
  | 'accepted'
  | 'retry'
  | 'throttled'
  | 'tooLarge'
  | 'invalid'
  | 'denied'
  | 'unready';

export interface Verdict {
  readonly outlook: Outlook;
  /** The service's code, `HTTP 502`, or the system's code. */
  readonly code: string;
  readonly message: string;
  readonly requestId: string;
  /** Numbers of the datums that the service names, from 1. */
  readonly members: readonly number[];
  /** What the service asks to wait for before the next request; 0 where it asks for nothing. */
  readonly waitMs: number;
}

/** Codes of throttling by all spellings that AWS services use. CloudWatch sends them with HTTP 400. */
const THROTTLED = new Set([
  'BandwidthLimitExceeded',
  'EC2ThrottledException',
  'LimitExceeded',
  'LimitExceededException',
  'PriorRequestNotComplete',
  'ProvisionedThroughputExceededException',
  'RequestLimitExceeded',
  'RequestThrottled',
  'RequestThrottledException',
  'SlowDown',
  'ThrottledException',
  'Throttling',
  'ThrottlingException',
  'TooManyRequestsException',
  'TransactionInProgressException',
]);

const TRANSIENT = new Set([
  'InternalError',
  'InternalFailure',
  'InternalServiceError',
  'InternalServiceFault',
  'RequestTimeout',
  'RequestTimeoutException',
  'ServiceUnavailable',
]);

/** Something in the data is wrong; the message says of which datum, mostly. */
const INVALID = new Set([
  'InvalidFormat',
  'InvalidParameterCombination',
  'InvalidParameterValue',
  'MalformedInput',
  'MissingParameter',
  'SerializationException',
  'ValidationError',
  'ValidationException',
]);

const TRANSIENT_STATUS = new Set([408, 500, 502, 503, 504]);
const TOO_MANY_REQUESTS = 429;
const TOO_LARGE = 413;
/** Said when nothing else is: no members, no wish. */
const NOTHING = { members: [], waitMs: 0 };
const OK = 200;

/**
 * Judges an answer. The code comes first, then the status: throttling arrives as HTTP 400.
 *
 * @param secrets what the request was signed with: a proxy's page may repeat it
 */
export function judge(answer: HttpAnswer, secrets: readonly (string | undefined)[] = []): Verdict {
  const { root, message, requestId } = parseAnswer(answer.body);
  const code = errorCode(answer);
  if (answer.status === OK) {
    const said = { code, message, requestId, ...NOTHING };
    if (root === 'PutMetricDataResponse') return { ...said, outlook: 'accepted' };
    const what = root === '' ? 'no whole XML' : `<${root}>`;
    const text = `expected <PutMetricDataResponse>, got ${what}: a proxy or another service answered`;
    return { ...said, outlook: 'retry', code: 'UnexpectedAnswer', message: text };
  }
  const outlook = outlookOf(answer.status, code);
  return {
    outlook,
    code: code === '' ? `HTTP ${answer.status}` : code,
    message: redactSentence(message === '' && root === '' ? answer.body : message, secrets),
    requestId,
    members: outlook === 'invalid' ? membersIn(answer.body) : [],
    waitMs: waitIn(answer.headers),
  };
}

/** Judges an attempt without a whole answer: whatever the network did may be over next time. */
export function judgeFailure(error: unknown): Verdict {
  if (error instanceof ConfigError) return unready(error);
  const code = codeOf(error) ?? 'NetworkFailure';
  return { outlook: 'retry', code, message: reasonOf(error), requestId: '', ...NOTHING };
}

/** Nothing to send with yet. */
export function unready(cause: unknown): Verdict {
  const setting = cause instanceof ConfigError ? cause.setting : 'NotReady';
  const code = codeOf(cause) ?? setting;
  return { outlook: 'unready', code, message: reasonOf(cause), requestId: '', ...NOTHING };
}

function outlookOf(status: number, code: string): Outlook {
  if (THROTTLED.has(code) || status === TOO_MANY_REQUESTS) return 'throttled';
  if (TRANSIENT.has(code) || TRANSIENT_STATUS.has(status)) return 'retry';
  if (status === TOO_LARGE || code === 'RequestEntityTooLarge') return 'tooLarge';
  return INVALID.has(code) ? 'invalid' : 'denied';
}

/** All datums that a message names, one line each: it may be long. */
function membersIn(body: string): readonly number[] {
  const named = body.matchAll(/\bMetricData\.member\.(\d{1,4})\b/g);
  return [...new Set([...named].map(([, member]) => Number(member)))].filter((one) => one > 0);
}

/** @see https://smithy.io/2.0/guides/client-guidance/retries.html for `x-amz-retry-after`, in milliseconds */
function waitIn(headers: HttpAnswer['headers']): number {
  const text = String(headers['x-amz-retry-after'] ?? '');
  return /^\d{1,7}$/.test(text) ? Number(text) : 0;
}
