import { ADVICE, type Advice } from './advice.ts';
import { parseAnswer } from './aws/answer.ts';
import type { Aws, Place } from './aws/aws.ts';
import { type Identity, masked } from './aws/credentials.ts';
import { configuredEndpoint } from './aws/endpoint.ts';
import type { Means } from './aws/means.ts';
import { given } from './aws/profiles.ts';
import { whoIs } from './aws/sts.ts';
import type { Clock } from './clock.ts';
import { encodePages } from './cloudwatch/form.ts';
import type { Post } from './cloudwatch/post.ts';
import type { Verdict } from './cloudwatch/verdict.ts';
import type { Config } from './config.ts';
import { ConfigError, codeOf, ParseError, reasonOf } from './errors.ts';
import type { HttpAnswer } from './net/http.ts';

export interface CheckOptions {
  readonly aws: Aws;
  readonly clock: Clock;
  /** What is measured here, one line each. */
  readonly sources: () => readonly string[];
  /** Sends one real datum; nothing where that was not asked for. */
  readonly publish?: (() => Promise<Verdict>) | undefined;
  readonly say: (line: string) => void;
}

type Mark = 'ok' | 'warn' | 'FAIL' | '-';
type Tell = (mark: Mark, what: string, text: string, advice?: Advice) => void;
/** Which advice goes with a failure. */
type Judge = (error: unknown) => Advice | Promise<Advice>;

const STEP_MS = 30_000;
const KNOCK_MS = 8000;
/** Services refuse what is five minutes off; said earlier, so that there is time. */
const CLOCK_WARN_MS = 60_000;

const UNKNOWN_KEY = /^(?:InvalidClientTokenId|ExpiredToken|UnrecognizedClient|SignatureDoesNot)/;
/** Failures of a connection, by code; what is none of them means that there is no way. */
const FAILURES: readonly (readonly [code: RegExp, advice: Advice])[] = [
  [/^(?:ENOTFOUND|EAI_AGAIN|ENODATA|ESERVFAIL|EREFUSED)$/, 'name'],
  [/^ECONNREFUSED$/, 'refusedPort'],
  [/^PROXY/, 'proxy'],
  [/CERT|SELF_SIGNED|ISSUER|_TLS_|_SSL_|^EPROTO$/, 'trust'],
];

/** Walks along what publishing needs. @returns the exit code: 0, 1 for a failure, 2 for a setting */
export async function check(options: CheckOptions): Promise<number> {
  const { aws, clock, publish } = options;
  let exit = 0;
  const tell: Tell = (mark, what, text, advice) => {
    options.say(`${mark.padEnd(4)} ${what.padEnd(11)} ${text}`);
    if (advice !== undefined) options.say(`${' '.repeat(17)}${ADVICE[advice].join(': ')}`);
    if (mark === 'FAIL') exit = Math.max(exit, advice === 'setting' ? 2 : 1);
  };
  /** What a step gives, or lines that say why it gives nothing. */
  async function step<T>(
    what: string,
    run: (signal: AbortSignal) => T | Promise<T>,
    judge: Judge,
    mark: Mark = 'FAIL',
  ): Promise<T | undefined> {
    const limit = new AbortController();
    const cancel = clock.after(STEP_MS, () => limit.abort());
    try {
      return await run(limit.signal);
    } catch (error) {
      const isSetting = error instanceof ConfigError || error instanceof ParseError;
      tell(mark, what, reasonOf(error), isSetting ? 'setting' : await judge(error));
      return undefined;
    } finally {
      cancel();
    }
  }

  const means = await step(
    'settings',
    (signal) => aws.means(signal),
    () => 'setting',
  );
  if (means !== undefined) {
    const place = await step(
      'region',
      (signal) => aws.locate(signal),
      () => 'region',
    );
    if (place) tell('ok', 'region', `${place.region.name}, by ${place.region.from}`);
    const identity = await step(
      'credentials',
      (signal) => aws.credentials.resolve(signal),
      (error) => whyNoCredentials(error, means),
    );
    if (identity) tell('ok', 'credentials', described(identity, aws.skew.nowMs()));
    const answer =
      place &&
      (await step(
        'endpoint',
        (signal) => knock(place, place.endpoint, signal),
        (error) => whyNoWay(error, means, place),
      ));
    const isThere = place && answer && tellAnswer(tell, answer, place.endpoint, clock);
    const arn =
      identity && (await step('identity', () => whoIs(means, identity), whyNoIdentity, 'warn'));
    if (arn) tell('ok', 'identity', arn);
    if (publish === undefined)
      tell('-', 'publishing', 'not tried: --check-publish sends one datum');
    else if (identity && isThere) tellVerdict(tell, await publish());
  }
  for (const text of options.sources()) tell('ok', 'source', text);
  return exit;
}

function described({ provider, accessKeyId, expiresMs }: Identity, nowMs: number): string {
  const minutes = Math.round(((expiresMs ?? 0) - nowMs) / 60_000);
  const end = expiresMs === undefined ? 'no end' : `${minutes} minutes left`;
  return `${provider}, key ${masked(accessKeyId)}, ${end}`;
}

/** An unsigned request: CloudWatch answers it by an error of its own. */
function knock({ http }: Pick<Place, 'http'>, url: URL, signal: AbortSignal): Promise<HttpAnswer> {
  const body = Buffer.from('Action=PutMetricData&Version=2010-08-01');
  const headers = {
    'content-type': 'application/x-www-form-urlencoded; charset=utf-8',
    'content-length': String(body.length),
  };
  return http.send({ method: 'POST', url, headers, body, timeoutMs: KNOCK_MS, signal });
}

/** Endpoint, TLS and clock, by the answer. */
function tellAnswer(tell: Tell, answer: HttpAnswer, { href }: URL, clock: Clock): boolean {
  const { status, tls, body, headers } = answer;
  const isAws = /Response$/.test(parseAnswer(body).root);
  tell(
    isAws ? 'ok' : 'FAIL',
    'endpoint',
    `${href} answers HTTP ${status}`,
    isAws ? undefined : 'html',
  );
  if (tls !== undefined) tell('ok', 'tls', `${tls}, and its certificate is trusted`);
  const offMs = clock.wallMs() - Date.parse(String(headers['date']));
  if (Number.isNaN(offMs)) return isAws;
  const isOff = Math.abs(offMs) > CLOCK_WARN_MS;
  const seconds = Math.round(Math.abs(offMs) / 1000);
  const text = isOff ? `${seconds} s ${offMs > 0 ? 'fast' : 'slow'}` : `right to ${seconds} s`;
  tell(isOff ? 'warn' : 'ok', 'clock', text, isOff ? 'clock' : undefined);
  return isAws;
}

function tellVerdict(tell: Tell, { outlook, code, message, requestId }: Verdict): void {
  if (outlook === 'accepted') {
    tell('ok', 'publishing', `AgentCheck, request ${requestId}`);
    return;
  }
  const advice = /^(?:AccessDenied|NotAuthorized|UnauthorizedOperation)/.test(code)
    ? 'denied'
    : 'publish';
  tell('FAIL', 'publishing', `${code}: ${message}`, UNKNOWN_KEY.test(code) ? 'unknownKey' : advice);
}

function whyNoCredentials(error: unknown, { environment }: Means): Advice {
  const isTask = given(environment, 'ECS_CONTAINER_METADATA_URI_V4') !== undefined;
  const hasRole = given(environment, 'AWS_CONTAINER_CREDENTIALS_RELATIVE_URI') !== undefined;
  if (isTask && !hasRole) return 'taskRole';
  return codesOf(error).includes('TIMEOUT') ? 'hopLimit' : 'credentials';
}

function whyNoIdentity(error: unknown): Advice {
  return UNKNOWN_KEY.test(codeOf(error) ?? '') ? 'unknownKey' : 'sts';
}

/** Where there is no way to CloudWatch but one to STS, it is the endpoint that is missing. */
async function whyNoWay(error: unknown, means: Means, place: Place): Promise<Advice> {
  const code = codeOf(error) ?? '';
  const known = FAILURES.find(([codes]) => codes.test(code))?.[1];
  if (known !== undefined) return known;
  const { name, isFips } = place.region;
  const limit = new AbortController();
  try {
    const sts = configuredEndpoint('sts', name, isFips, means.endpoints);
    await knock(place, sts, limit.signal);
    return 'endpoint';
  } catch (another) {
    if (codeOf(another) === undefined) throw another;
    return 'wayOut';
  }
}

/** The codes of an error and of all that caused it. */
function codesOf(error: unknown): (string | undefined)[] {
  return error instanceof Error ? [codeOf(error), ...codesOf(error.cause)] : [];
}

/** One real datum: the only way to know that PutMetricData is allowed. */
export function checkDatum(
  post: Post,
  { namespace, dimensions }: Pick<Config, 'namespace' | 'dimensions'>,
  clock: Clock,
): Promise<Verdict> {
  const Timestamp = `${new Date(clock.wallMs()).toISOString().slice(0, 19)}Z`;
  const datum = { MetricName: 'AgentCheck', Dimensions: dimensions, Timestamp, Unit: 'Count' };
  const [page] = encodePages(namespace, [{ ...datum, Value: 1 }]);
  if (page === undefined) throw new RangeError('one datum makes one page');
  return post(page, KNOCK_MS, new AbortController().signal);
}
