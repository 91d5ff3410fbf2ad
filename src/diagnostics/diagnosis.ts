import type { Destination } from '../aws/aws.ts';
import type { ProviderContext } from '../aws/credentials/context.ts';
import { configuredEndpoint } from '../aws/endpoint.ts';
import { given } from '../environment.ts';
import { ConfigError, codeOf, NoDataError, ParseError } from '../errors.ts';
import type { HttpAnswer } from '../net/http.ts';
import { ADVICE, type Advice } from './advice.ts';

type Judgements = readonly (readonly [code: RegExp, advice: Advice])[];

/** What a service says of whoever asks. */
const REFUSALS: Judgements = [
  [/^(?:InvalidClientTokenId|ExpiredToken|UnrecognizedClient)/, 'unknownKey'],
  [/^(?:SignatureDoesNotMatch|InvalidSignature|IncompleteSignature)/, 'signature'],
  [/^(?:AccessDenied|NotAuthorized|UnauthorizedOperation)/, 'denied'],
];
/** Failures of a connection; what is none of them means that there is no way. */
const FAILURES: Judgements = [
  [/^(?:ENOTFOUND|EAI_AGAIN|ENODATA|ESERVFAIL|EREFUSED|ETIMEOUT)$/, 'name'],
  [/^ECONNREFUSED$/, 'refusedPort'],
  [/^PROXY/, 'proxy'],
  [/^CERT_(?:NOT_YET_VALID|HAS_EXPIRED)$/, 'certificateTime'],
  [/^EPROTO$|WRONG_VERSION/, 'noTls'],
  [/CERT|SELF_SIGNED|ISSUER|UNABLE_TO_|HOSTNAME|_TLS_|_SSL_/, 'trust'],
];
/** Of a connection to what hands out credentials. */
const NO_CONNECTION = /^(?:E(?:CONN|HOST|NET|PIPE)|TIMEOUT$|CONNECT_TIMEOUT$|NetworkFailure$)/;
const PROBE_MS = 8000;

/** The advice on a broken setting or file; nothing where it is none. */
export function onSetting(error: unknown): Advice | undefined {
  return error instanceof ConfigError || error instanceof ParseError ? 'setting' : undefined;
}

/** The advice on a code by which a service refuses whoever asks; nothing on any other. */
export function onRefusal(code: string): Advice | undefined {
  return REFUSALS.find(([codes]) => codes.test(code))?.[1];
}

/** The advice on the code of an answer, or of a connection that failed; nothing where it says too little. */
function onCode(code: string): Advice | undefined {
  return onRefusal(code) ?? FAILURES.find(([codes]) => codes.test(code))?.[1];
}

/** What to do about a code, where that is known. */
export function remedyFor(code: string): string | undefined {
  const advice = onCode(code);
  return advice && ADVICE[advice][1];
}

/** The advice where no provider has credentials, or what hands them out refuses or does not answer. */
export function onNoCredentials(error: unknown, { environment }: ProviderContext): Advice {
  const code = codeOf(error) ?? '';
  const refusal = onRefusal(code);
  if (refusal !== undefined) return refusal === 'denied' ? 'role' : refusal;
  if (code === 'LoggedOut') return 'login';
  if (NO_CONNECTION.test(code)) return 'issuer';
  // A provider that is configured and fails says for itself what is wrong.
  if (!(error instanceof NoDataError)) return onCode(code) ?? 'credentials';
  if (given(environment, 'ECS_CONTAINER_METADATA_URI_V4') !== undefined) return 'taskRole';
  return codesOf(error).includes('TIMEOUT') ? 'hopLimit' : 'credentials';
}

/**
 * The advice where the endpoint does not answer. Where there is no way to CloudWatch but one to STS, it
 * is the VPC's endpoint that is missing.
 */
export async function onNoWay(
  error: unknown,
  context: ProviderContext,
  destination: Destination,
  signal: AbortSignal,
): Promise<Advice> {
  const code = codeOf(error) ?? '';
  const known = onCode(code);
  if (known !== undefined) return known;
  const { name, isFips } = destination.region;
  try {
    await probe(destination, configuredEndpoint('sts', name, isFips, context.endpoints), signal);
    return 'endpoint';
  } catch (another) {
    // A setting of STS's own says nothing about the way.
    return codeOf(another) === undefined ? 'publish' : 'wayOut';
  }
}

/** An unsigned request: a service of AWS answers it by an error of its own. */
export function probe(
  { http }: Pick<Destination, 'http'>,
  url: URL,
  signal: AbortSignal,
): Promise<HttpAnswer> {
  const body = Buffer.from('Action=PutMetricData&Version=2010-08-01');
  const headers = {
    'content-type': 'application/x-www-form-urlencoded; charset=utf-8',
    'content-length': String(body.length),
  };
  return http.send({ method: 'POST', url, headers, body, timeoutMs: PROBE_MS, signal });
}

/** The codes of an error and of all that caused it. */
function codesOf(error: unknown): (string | undefined)[] {
  return error instanceof Error ? [codeOf(error), ...codesOf(error.cause)] : [];
}
