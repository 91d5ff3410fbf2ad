import type { Destination } from '../aws/aws.ts';
import type { ProviderContext } from '../aws/credentials/context.ts';
import { configuredEndpoint } from '../aws/endpoint.ts';
import type { Verdict } from '../delivery/verdict.ts';
import { type Environment, given } from '../environment.ts';
import {
  AwsError,
  ConfigError,
  codeOf,
  NoCredentialsError,
  NoRegionError,
  ParseError,
  type Peer,
  peerOf,
} from '../errors.ts';
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
/** Of a connection that there is no way for. */
const NO_WAY = /^(?:E(?:CONN|HOST|NET|PIPE)|TIMEOUT$|CONNECT_TIMEOUT$|NetworkFailure$)/;
/** What a token's file or a set of keys is refused by, before anybody is asked. */
const FROM_FILE = /^(?:TokenFile|BadKeys)$/;
/** STS gives each refusal a code of its own, in XML. */
const NOT_AWS = /^(?:UnexpectedAnswer|HTTP [34]\d\d)$/;
const PROBE_MS = 8000;

/** The advice on a code by which a service refuses whoever asks; nothing on any other. */
export function onRefusal(code: string): Advice | undefined {
  return adviceIn(REFUSALS, code);
}

function adviceIn(judgements: Judgements, code: string): Advice | undefined {
  return judgements.find(([codes]) => codes.test(code))?.[1];
}

/** The advice on the code of an answer, or of a connection that failed; nothing where it says too little. */
function onCode(code: string): Advice | undefined {
  return onRefusal(code) ?? adviceIn(FAILURES, code);
}

/**
 * The advice on whatever went wrong before or during a request, by who failed: nothing where it says too
 * little. The log and `--check` both ask here.
 */
export function onError(error: unknown, environment: Environment): Advice | undefined {
  if (error instanceof ConfigError || error instanceof ParseError) return 'setting';
  if (error instanceof NoRegionError) return 'region';
  if (error instanceof NoCredentialsError) return onNone(error, environment);
  const code = codeOf(error) ?? '';
  const peer = peerOf(error);
  if (/^PROXY/.test(code)) return 'proxy';
  if (FROM_FILE.test(code)) return 'setting';
  if (peer === undefined) return onCode(code);
  const refusal = onRefusal(code);
  if (refusal !== undefined && refusal !== 'denied') return refusal;
  if (code === 'LoggedOut' || (peer === 'sso' && /^(?:HTTP 401|Unauthorized)/.test(code)))
    return 'login';
  if (error instanceof AwsError) {
    if (peer === 'sts' && code === 'ValidationError') return 'setting';
    if (peer === 'sts' && NOT_AWS.test(code)) return 'html';
    return error.again ? BY_PEER[peer].isAway : BY_PEER[peer].refuses;
  }
  return NO_WAY.test(code) ? BY_PEER[peer].isAway : (onCode(code) ?? BY_PEER[peer].isAway);
}

/** What to do where whoever hands out credentials refuses, and where it cannot be reached. */
const BY_PEER: Readonly<Record<Peer, { readonly refuses: Advice; readonly isAway: Advice }>> = {
  sts: { refuses: 'role', isAway: 'issuer' },
  sso: { refuses: 'ssoRole', isAway: 'issuer' },
  container: { refuses: 'containerRefuses', isAway: 'containerAway' },
  imds: { refuses: 'instanceRole', isAway: 'credentials' },
  process: { refuses: 'process', isAway: 'process' },
};

/** There are none at all: by what this place would have them from. */
function onNone(error: unknown, environment: Environment): Advice {
  if (given(environment, 'ECS_CONTAINER_METADATA_URI_V4') !== undefined) return 'taskRole';
  return codesOf(error).includes('TIMEOUT') ? 'hopLimit' : 'credentials';
}

/** The advice on a verdict; nothing where it says too little. */
export function onVerdict(verdict: Verdict, environment: Environment): Advice | undefined {
  const { cause, code, kind } = verdict;
  if (cause !== undefined) return onError(cause, environment);
  const isForeign = code === 'UnexpectedAnswer' || (kind === 'denied' && /^HTTP \d/.test(code));
  return isForeign ? 'html' : onCode(code);
}

/** What to do about a verdict, word for word as the table has it; nothing where that is not known. */
export function remedyOf(verdict: Verdict, environment: Environment): string | undefined {
  const advice = onVerdict(verdict, environment);
  return advice && ADVICE[advice][1];
}

/** What to do about a verdict on OTLP. */
export function otlpRemedyOf(verdict: Verdict, environment: Environment): string | undefined {
  const [, status] = /^HTTP (\d+)$/.exec(verdict.code) ?? [];
  const advice = onOtlpStatus(Number(status));
  return advice === undefined ? remedyOf(verdict, environment) : ADVICE[advice][1];
}

/** The advice on the status of an answer that carries no code of AWS. */
export function onOtlpStatus(status: number): Advice | undefined {
  if (status === 401 || status === 403) return 'otlpKey';
  return [404, 405, 415].includes(status) ? 'otlpPath' : undefined;
}

/**
 * The advice where the endpoint does not answer. Where there is no way to CloudWatch but one to STS, it
 * is the VPC's endpoint that is missing.
 */
export async function onNoWay(
  context: ProviderContext,
  destination: Destination,
  signal: AbortSignal,
): Promise<Advice> {
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
