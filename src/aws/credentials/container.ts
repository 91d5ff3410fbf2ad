import { type Environment, given } from '../../environment.ts';
import { AwsError, ConfigError } from '../../errors.ts';
import { parseFields, textOf } from '../../metadata/json.ts';
import type { HttpAnswer } from '../../net/http.ts';
import { namingPeer, retry } from '../call.ts';
import { parseUrl } from '../endpoint.ts';
import { readToken } from '../files.ts';
import { keepSecret, redactCode, redactText } from '../redact.ts';
import type { ProviderContext } from './context.ts';
import { flawOf, type Identity } from './identity.ts';
import { readCredentials } from './json.ts';

const RELATIVE = 'AWS_CONTAINER_CREDENTIALS_RELATIVE_URI';
const FULL = 'AWS_CONTAINER_CREDENTIALS_FULL_URI';
const TOKEN = 'AWS_CONTAINER_AUTHORIZATION_TOKEN';
const ECS_HOST = '169.254.170.2';
/** By plain HTTP only these: whatever answers gets the token, and is trusted. */
const LOCAL = /^(?:127\.\d+\.\d+\.\d+|\[::1\]|localhost|169\.254\.170\.23?|\[fd00:ec2::23\])$/;
const TIMEOUTS = { connectMs: 2000, timeoutMs: 5000 };
const [TRIES, PAUSE_MS] = [3, 1000];
const ENDPOINT = 'the container’s credentials endpoint';

/**
 * Where the container's credentials are; nothing where it has none.
 *
 * @throws ConfigError where the variable leads to a host that must not get the token
 */
export function containerUrl(environment: Environment): URL | undefined {
  const relative = given(environment, RELATIVE);
  if (relative !== undefined) {
    const url = parseUrl(`http://${ECS_HOST}${relative}`);
    if (relative.startsWith('/') && url?.host === ECS_HOST) return url;
    throw new ConfigError(RELATIVE, 'expected a path that begins with /');
  }
  const full = given(environment, FULL);
  return full === undefined ? undefined : localUrl(full, FULL, true);
}

/** @throws ConfigError for a URL of a host outside, save for HTTPS where that is allowed */
export function localUrl(text: string, variable: string, allowsHttps = false): URL {
  const url = parseUrl(text);
  const isLocal = url?.protocol === 'http:' && LOCAL.test(url.hostname) && url.username === '';
  if (url !== undefined && (isLocal || (allowsHttps && url.protocol === 'https:'))) return url;
  throw new ConfigError(
    variable,
    'expected http:// and an address of this machine, or of ECS or EKS, or https://',
  );
}

/** The token is read each time: EKS renews it. @throws ConfigError where it is none for a header */
async function authorization(
  environment: Environment,
): Promise<{ readonly authorization?: string }> {
  const file = given(environment, `${TOKEN}_FILE`);
  const read = file === undefined ? undefined : await readToken(file, `${TOKEN}_FILE`);
  const token = read === undefined ? given(environment, TOKEN) : read.replace(/[\r\n]+$/, '');
  if (token === undefined || token.trim() === '') return {};
  if (/[^\t -~]/.test(token))
    throw new ConfigError(file ?? TOKEN, `holds ${flawOf(token)}, which no token has`);
  keepSecret(token);
  return { authorization: token };
}

/** The role of an ECS task or an EKS pod; nothing outside of one. */
export async function fromContainer(context: ProviderContext): Promise<Identity | undefined> {
  const { environment, http, signal } = context;
  const url = containerUrl(environment);
  if (url === undefined) return undefined;
  const provider = url.hostname === ECS_HOST ? 'the ECS task role' : 'the container’s role';
  return retry(context, TRIES, PAUSE_MS, async () => {
    const headers = { accept: 'application/json', ...(await authorization(environment)) };
    const request = { method: 'GET', url, headers, direct: true, ...TIMEOUTS } as const;
    const answer = await http.send({ ...request, signal }).catch(namingPeer('container', ENDPOINT));
    const provided = readCredentials(
      parseFields(answer.body),
      ['AccessKeyId', 'SecretAccessKey', 'Token', 'Expiration'],
      ENDPOINT,
    );
    if (answer.status !== 200 || provided === undefined) throw refused(answer);
    return { ...provided, provider, isManaged: true };
  });
}

function refused({ status, body }: HttpAnswer): AwsError {
  const fields = parseFields(body);
  const code = redactCode(textOf(fields, 'code') || textOf(fields, 'Code'));
  const message = redactText(textOf(fields, 'message') || textOf(fields, 'Message'));
  const what = status === 200 ? 'no credentials' : `HTTP ${status}`;
  const said = code === 'Success' ? [] : [code, message];
  const problem = [`${ENDPOINT} answered ${what}`, ...said].filter((text) => text !== '');
  return new AwsError(code || `HTTP ${status}`, problem.join(': '), {
    peer: 'container',
    again: status === 200 || status === 429 || status >= 500,
  });
}
