import { errorCode } from '../aws/answer.ts';
import type { Target } from '../cloudwatch/post.ts';
import type { Post, Publishable } from '../delivery/service.ts';
import type { Verdict } from '../delivery/verdict.ts';
import { parseFields } from '../metadata/json.ts';
import type { HttpAnswer } from '../net/http.ts';
import type { Payload } from '../otlp/encode.ts';
import { isTaken } from '../otlp/judge.ts';
import { headersTo } from '../otlp/post.ts';
import type { Located } from '../otlp/target.ts';
import type { Advice } from './advice.ts';
import { onOtlpStatus } from './diagnosis.ts';

/** An output over OTLP that is looked at. */
export interface OtlpOutlet {
  readonly name: string;
  readonly target: Located;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly post: Post<Payload>;
  readonly isFraction: boolean;
}

const PROBE_MS = 8000;

/** A request without data, and not signed: a collector takes it, AWS refuses it by an error of its own. */
export function probeOtlp(
  { headers: own }: OtlpOutlet,
  target: Target,
  signal: AbortSignal,
): Promise<HttpAnswer> {
  const body = Buffer.from('{}');
  const headers = { ...headersTo(target, own), 'content-length': String(body.length) };
  const url = target.endpoint;
  return target.http.send({ method: 'POST', url, headers, body, timeoutMs: PROBE_MS, signal });
}

/** What is wrong with an answer to that; nothing where OTLP is taken there. */
export function onOtlpAnswer(answer: HttpAnswer, isSigned: boolean): Advice | undefined {
  const { status, body } = answer;
  if (isTaken(status)) return parseFields(body || '{}') === undefined ? 'html' : undefined;
  if (isSigned && status < 500 && errorCode(answer) !== '') return undefined;
  return onOtlpStatus(status) ?? (isSigned || status >= 500 ? 'html' : 'otlpPath');
}

/** One real point: the only way to know that it is taken. */
export async function checkPoint(
  { post, isFraction }: OtlpOutlet,
  window: Publishable,
  timeoutMs: number,
): Promise<Verdict> {
  const { encodePage } = await import('../otlp/encode.ts');
  return post(encodePage([window], { isFraction }), timeoutMs, new AbortController().signal);
}
