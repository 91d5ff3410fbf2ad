import { AwsError, codeOf, NoDataError, shownText } from '../../errors.ts';
import { element, errorCode } from '../answer.ts';
import { call, namingPeer, retry } from '../call.ts';
import { configuredEndpoint } from '../endpoint.ts';
import { escaped } from '../escape.ts';
import { readToken } from '../files.ts';
import { keepSecret, redactText } from '../redact.ts';
import type { Region } from '../region.ts';
import type { ProviderContext } from './context.ts';
import { type Credentials, flawOf, type Provided, parseInstant } from './identity.ts';
import type { Role } from './plan.ts';

const TIMEOUT_MS = 5000;
const PAUSE_MS = 500;
const HEADERS = { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' };

/** What a pause may mend. */
const AGAIN = /Throttl|TooMany|RequestLimit|SlowDown|RequestTimeout|Internal|Unavail|IDPCommunic/;
/** What only a person can mend, so that credentials of before are no answer to it. */
const FINAL =
  /^(?:AccessDenied|IDPRejectedClaim|InvalidIdentityToken|MalformedPolicyDocument|PackedPolicyTooLarge|RegionDisabled)/;

/** Where STS is asked when no region is known: the partition's first, by the role's ARN. */
const REGION_OF_PARTITION: Readonly<Record<string, string>> = {
  'aws-cn': 'cn-north-1',
  'aws-us-gov': 'us-gov-west-1',
  'aws-eusc': 'eusc-de-east-1',
  'aws-iso': 'us-iso-east-1',
  'aws-iso-b': 'us-isob-east-1',
  'aws-iso-e': 'eu-isoe-west-1',
  'aws-iso-f': 'us-isof-south-1',
};

/** The credentials of a role, asked for with those of `by`. */
export async function assumeRole(
  context: ProviderContext,
  role: Role,
  by: Credentials,
): Promise<Provided> {
  const form = { ...roleForm('AssumeRole', role, context), ExternalId: role.externalId };
  return ask(context, form, role.roleArn, by, credentialsOf);
}

/**
 * The credentials of a role, asked for with a token from a file that is read each time.
 *
 * @param setting what names the file
 */
export async function assumeByToken(
  context: ProviderContext,
  role: Role,
  tokenFile: string,
  setting: string,
): Promise<Provided> {
  const once = async (): Promise<Provided> => {
    const token = (await readToken(tokenFile, setting)).trim();
    keepSecret(token);
    if (token === '') throw new AwsError('TokenFile', `${setting}: ${tokenFile} is empty`);
    const form = {
      ...roleForm('AssumeRoleWithWebIdentity', role, context),
      WebIdentityToken: token,
    };
    return ask(context, form, role.roleArn, undefined, credentialsOf);
  };
  try {
    return await once();
  } catch (error) {
    // The file may have been renewed since it was read.
    if (codeOf(error) !== 'ExpiredTokenException') throw error;
    return once();
  }
}

/** Whose credentials these are: an ARN. */
export async function whoIs(context: ProviderContext, credentials: Credentials): Promise<string> {
  const arnOf = (xml: string): string | undefined => element(xml, 'Arn') || undefined;
  return ask(context, { Action: 'GetCallerIdentity' }, '', credentials, arnOf);
}

type Form = Readonly<Record<string, string | undefined>>;

function roleForm(action: string, role: Role, context: ProviderContext): Form {
  const { roleArn, sessionName, durationSeconds } = role;
  const seconds = Number(durationSeconds);
  const fits = /^\d+$/.test(durationSeconds ?? '') && seconds >= 900 && seconds <= 43_200;
  if (durationSeconds !== undefined && !fits) {
    context.warn(`duration_seconds: got "${shownText(durationSeconds)}", expected 900 to 43200`);
  }
  return {
    Action: action,
    RoleArn: roleArn,
    RoleSessionName: sessionName ?? `cloudwatch-metrics-agent-${Math.round(context.startMs)}`,
    DurationSeconds: fits ? durationSeconds : undefined,
  };
}

/** This client's region, or the first of the role's partition. */
async function regionFor(
  { region }: ProviderContext,
  roleArn: string,
): Promise<Pick<Region, 'name' | 'isFips'>> {
  try {
    return await region();
  } catch (error) {
    if (!(error instanceof NoDataError || error instanceof AwsError)) throw error;
    const [, partition = ''] = roleArn.split(':');
    return { name: REGION_OF_PARTITION[partition] ?? 'us-east-1', isFips: false };
  }
}

/** What `read` finds in the answer's XML. @throws AwsError where it is none of success, or finds nothing */
async function ask<T>(
  context: ProviderContext,
  form: Form,
  roleArn: string,
  credentials: Credentials | undefined,
  read: (xml: string) => T | undefined,
): Promise<T> {
  const { name: region, isFips } = await regionFor(context, roleArn);
  const url = configuredEndpoint('sts', region, isFips, context.endpoints);
  const pairs = Object.entries({ Version: '2011-06-15', ...form }).map(([key, value]) =>
    value === undefined ? '' : `&${key}=${escaped(value)}`,
  );
  const body = (): Buffer => Buffer.from(pairs.join('').slice(1));
  const { signal, tries } = context;
  const rest = { headers: HEADERS, timeoutMs: TIMEOUT_MS, credentials, signal };
  return retry(context, tries, PAUSE_MS, async () => {
    const one = { service: 'sts', region, url, body, ...rest };
    const answer = await call(context, one).catch(namingPeer('sts', `STS at ${url.origin}`));
    const found = answer.status === 200 ? read(answer.body) : undefined;
    if (found !== undefined) return found;
    if (answer.status === 200) {
      const what = `STS answered ${form['Action']}, but with something else`;
      throw new AwsError('UnexpectedAnswer', what, { again: true, peer: 'sts' });
    }
    const code = errorCode(answer) || `HTTP ${answer.status}`;
    const message = redactText(element(answer.body, 'Message'));
    const problem = `STS refused ${form['Action']}: ${code}${message && `: ${message}`}`;
    throw new AwsError(code, problem, {
      peer: 'sts',
      again: answer.status >= 500 || answer.status === 429 || AGAIN.test(code),
      final: FINAL.test(code),
    });
  });
}

function credentialsOf(xml: string): Provided | undefined {
  const accessKeyId = element(xml, 'AccessKeyId');
  const secretAccessKey = element(xml, 'SecretAccessKey');
  const sessionToken = element(xml, 'SessionToken');
  const expiresMs = parseInstant(element(xml, 'Expiration'));
  keepSecret(secretAccessKey, sessionToken);
  const isWhole = accessKeyId && secretAccessKey && sessionToken && expiresMs;
  const isSound = flawOf(accessKeyId + secretAccessKey + sessionToken) === undefined;
  return isWhole && isSound ? { accessKeyId, secretAccessKey, sessionToken, expiresMs } : undefined;
}
