import { parseAnswer } from '../aws/answer.ts';
import { codeOf, reasonOf } from '../errors.ts';
import type { HttpAnswer } from '../net/http.ts';

/**
 * What an attempt came to.
 * - `accepted`: the service has it.
 * - `retry`: the service or the way to it failed; the same request may succeed later.
 * - `throttled`: as `retry`, but more slowly.
 * - `refused`: the same request will be refused again.
 * - `unready`: region, endpoint or credentials are missing or have expired; the request is not to blame,
 *   and can be made as soon as they are there.
 */
export type Outlook = 'accepted' | 'retry' | 'throttled' | 'refused' | 'unready';

export interface Verdict {
  readonly outlook: Outlook;
  /** The service's code, `HTTP 502`, or the system's code. */
  readonly code: string;
  readonly message: string;
  readonly requestId: string;
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

const TRANSIENT_STATUS = new Set([408, 500, 502, 503, 504]);
const TOO_MANY_REQUESTS = 429;
const OK = 200;
const LONGEST_MESSAGE = 300;

/** Judges an answer. The code comes first, then the status: throttling arrives as HTTP 400. */
export function judge(answer: HttpAnswer): Verdict {
  const { root, code, message, requestId } = parseAnswer(answer.body);
  if (answer.status === OK) {
    if (root === 'PutMetricDataResponse') return { outlook: 'accepted', code, message, requestId };
    const what = root === '' ? 'no whole XML' : `<${root}>`;
    const text = `expected <PutMetricDataResponse>, got ${what}: a proxy or another service answered`;
    return { outlook: 'retry', code: 'UnexpectedAnswer', message: text, requestId };
  }
  return {
    outlook: outlookOf(answer.status, code),
    code: code === '' ? `HTTP ${answer.status}` : code,
    message: shortened(message === '' && root === '' ? answer.body : message),
    requestId,
  };
}

/** Judges an attempt without a whole answer: whatever the network did may be over next time. */
export function judgeFailure(error: unknown): Verdict {
  const code = codeOf(error) ?? 'NetworkFailure';
  return { outlook: 'retry', code, message: reasonOf(error), requestId: '' };
}

function outlookOf(status: number, code: string): Outlook {
  if (THROTTLED.has(code) || status === TOO_MANY_REQUESTS) return 'throttled';
  if (TRANSIENT.has(code) || TRANSIENT_STATUS.has(status)) return 'retry';
  return 'refused';
}

function shortened(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > LONGEST_MESSAGE ? `${line.slice(0, LONGEST_MESSAGE)}…` : line;
}
