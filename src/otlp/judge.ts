import { errorCode, parseAnswer } from '../aws/answer.ts';
import { redactCode, redactText } from '../aws/redact.ts';
import type { Page } from '../delivery/service.ts';
import { NOTHING, type Verdict } from '../delivery/verdict.ts';
import { type Fields, parseFields, textOf, within } from '../metadata/json.ts';
import type { HttpAnswer } from '../net/http.ts';
import type { Payload } from './encode.ts';

/** All others are not to be sent again: OTLP's specification. */
const TRANSIENT = new Set([502, 503, 504]);
/** AWS's own, whose SDKs try again; its codes for the same arrive with HTTP 400, too. */
const AWS_TRANSIENT = new Set([408, 500]);
const AWS_TRANSIENT_CODE = /^(?:Internal|ServiceUnavailable|RequestTimeout)/;
const THROTTLED_CODE = /Throttl|TooManyRequests|RequestLimitExceeded|SlowDown|^LimitExceeded/;
/** What a 400 says of whoever asks, and not of the data. */
const WHO = /Token|Signature|Client|Denied|Auth|Skewed|Expired|Future|AccessKey|OptIn/;
const [BAD_DATA, TOO_LARGE, TOO_MANY_REQUESTS] = [400, 413, 429] as const;
/** As CloudWatch names a point that it refuses. */
const POINT =
  /ResourceMetrics\.(\d{1,4})\.ScopeMetrics\.1\.Metrics\.(\d{1,4})\.Data[Pp]oints?\.(\d{1,4})/g;

/**
 * Judges an answer to an ExportMetricsServiceRequest. An empty one means that all was taken.
 *
 * @param isAws the request was signed: codes and habits are AWS's
 * @param secrets what the request was signed with: an answer may repeat it
 * @see https://opentelemetry.io/docs/specs/otlp/#otlphttp-response
 */
export function judge(
  answer: HttpAnswer,
  isAws: boolean,
  secrets: readonly (string | undefined)[],
  { body, datums }: Pick<Page<Payload>, 'body' | 'datums'>,
): Verdict {
  const { status, headers } = answer;
  const fields = parseFields(answer.body || '{}');
  const requestId = redactCode(String(headers['x-amzn-requestid'] ?? ''));
  if (isTaken(status)) return { ...taken(fields, datums, secrets), requestId };
  const inXml = parseAnswer(answer.body).message;
  const said = textOf(fields, 'message') || textOf(fields, 'Message') || inXml;
  const code = errorCode(answer);
  const kind = kindOf(status, code, isAws);
  const named = kind === 'invalid' ? [...answer.body.matchAll(POINT)] : [];
  const members = named.flatMap(([, ...numbers]) => {
    const [resource = 0, metric = 0, point = 0] = numbers.map(Number);
    return body.members(resource, metric, point);
  });
  return {
    kind,
    code: code === '' ? `HTTP ${status}` : code,
    message: redactText(said || (fields === undefined ? answer.body : ''), secrets),
    requestId,
    members: [...new Set(members)],
    waitMs: kind === 'retry' || kind === 'throttled' ? waitIn(headers) : 0,
  };
}

/** It is to be 200; others say 202 or 204, and the same again would come twice there. */
export function isTaken(status: number): boolean {
  return status >= 200 && status < 300;
}

function taken(
  fields: Fields | undefined,
  datums: number,
  secrets: readonly (string | undefined)[],
): Verdict {
  const nothing = { code: '', message: '', requestId: '', ...NOTHING };
  if (fields === undefined) {
    const message = 'expected a JSON object, got none: a proxy or another service answered';
    return { ...nothing, kind: 'retry', code: 'UnexpectedAnswer', message };
  }
  const partial = within(fields, 'partialSuccess');
  // A 64-bit number, which is text in JSON.
  const rejected = Math.min(datums, Math.max(0, Number(partial?.['rejectedDataPoints']) || 0));
  const message = redactText(textOf(partial, 'errorMessage'), secrets);
  return { ...nothing, kind: 'accepted', message, ...(rejected > 0 && { rejected }) };
}

function kindOf(status: number, code: string, isAws: boolean): Verdict['kind'] {
  if (status === TOO_MANY_REQUESTS || THROTTLED_CODE.test(code)) return 'throttled';
  if (TRANSIENT.has(status)) return 'retry';
  if (isAws && (AWS_TRANSIENT.has(status) || AWS_TRANSIENT_CODE.test(code))) return 'retry';
  if (status === TOO_LARGE) return 'tooLarge';
  if (status === BAD_DATA) return WHO.test(code) ? 'denied' : 'invalid';
  return status >= 500 ? 'invalid' : 'denied';
}

/** Seconds, or an instant, which is held against the answer's own. */
function waitIn(headers: HttpAnswer['headers']): number {
  const text = String(headers['retry-after'] ?? '');
  if (/^\d{1,7}$/.test(text)) return Number(text) * 1000;
  const ms = Date.parse(text) - Date.parse(String(headers['date']));
  return Math.max(0, ms || 0);
}
