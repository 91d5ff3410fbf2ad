import { errorCode, parseAnswer } from '../aws/answer.ts';
import { redactText } from '../aws/redact.ts';
import { NOTHING, type Verdict } from '../delivery/verdict.ts';
import type { HttpAnswer } from '../net/http.ts';

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
    // The data were taken, their entity was not.
    const failure = redactText(String(answer.headers['x-amzn-failure-message'] ?? ''), secrets);
    if (root === 'PutMetricDataResponse') return { ...said, kind: 'accepted', message: failure };
    const what = root === '' ? 'no whole XML' : `<${root}>`;
    const text = `expected <PutMetricDataResponse>, got ${what}: a proxy or another service answered`;
    return { ...said, kind: 'retry', code: 'UnexpectedAnswer', message: text };
  }
  const kind = kindOf(answer.status, code);
  return {
    kind,
    code: code === '' ? `HTTP ${answer.status}` : code,
    message: redactText(message === '' && root === '' ? answer.body : message, secrets),
    requestId,
    members: kind === 'invalid' ? membersIn(answer.body) : [],
    waitMs: waitIn(answer.headers),
  };
}

function kindOf(status: number, code: string): Verdict['kind'] {
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
