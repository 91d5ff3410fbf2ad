import { createHash } from 'node:crypto';
import { given } from '../../environment.ts';
import { AwsError, ConfigError } from '../../errors.ts';
import { type Fields, parseFields, textOf, within } from '../../metadata/json.ts';
import { errorCode } from '../answer.ts';
import { namingPeer, retry } from '../call.ts';
import { configuredEndpoint, isRegion } from '../endpoint.ts';
import { readText } from '../files.ts';
import { keepSecret, redactText } from '../redact.ts';
import type { ProviderContext } from './context.ts';
import { flawOf, type Provided, parseInstant } from './identity.ts';
import { readCredentials } from './json.ts';
import type { Base } from './plan.ts';

const TIMEOUT_MS = 5000;
const PAUSE_MS = 500;

/**
 * Credentials of IAM Identity Center by the token that `aws sso login` left. It is read, never renewed:
 * its own renewal is single-use, and the user's CLI would lose it.
 */
export async function fromSso(
  context: ProviderContext,
  sso: Extract<Base, { kind: 'sso' }>,
): Promise<Provided> {
  const { profiles, signal, http, skew, endpoints, tries } = context;
  const login = `run: aws sso login --profile ${profiles.name}`;
  if (!isRegion(sso.region)) throw new ConfigError('sso_region', 'expected a region');
  const file = profiles.path('sso', 'cache', `${digest('sha1', sso.tokenOf)}.json`);
  const token = await cached(file, login);
  const accessToken = textOf(token, 'accessToken');
  keepSecret(accessToken);
  const expiresMs = parseInstant(textOf(token, 'expiresAt'));
  if (!accessToken || !(expiresMs > skew.nowMs())) {
    throw loggedOut(`${file}: the SSO session has expired; ${login}`);
  }
  const flaw = flawOf(accessToken);
  if (flaw !== undefined) {
    throw new ConfigError(file, `accessToken holds ${flaw}, which no token has; ${login}`);
  }
  const url = configuredEndpoint('portal.sso', sso.region.toLowerCase(), false, {
    ...endpoints,
    flag: undefined,
  });
  url.pathname += 'federation/credentials';
  url.search = new URLSearchParams({ role_name: sso.role, account_id: sso.account }).toString();
  const headers = { 'x-amz-sso_bearer_token': accessToken };
  return retry(context, tries, PAUSE_MS, async () => {
    const request = { method: 'GET', url, headers, timeoutMs: TIMEOUT_MS, signal } as const;
    const answer = await http.send(request).catch(namingPeer('sso', `SSO at ${url.origin}`));
    const { status } = answer;
    const names = ['accessKeyId', 'secretAccessKey', 'sessionToken', 'expiration'] as const;
    const provided = readCredentials(
      within(parseFields(answer.body), 'roleCredentials'),
      names,
      'SSO',
    );
    if (status === 200 && provided !== undefined) return provided;
    const code = errorCode(answer) || `HTTP ${status}`;
    const said = redactText(textOf(parseFields(answer.body), 'message'));
    const problem = [`SSO answered ${code}`, said].filter((text) => text !== '').join(': ');
    throw new AwsError(code, `${problem}${status === 401 ? `; ${login}` : ''}`, {
      peer: 'sso',
      again: status === 200 || status === 429 || status >= 500,
      final: status === 401,
    });
  });
}

/** Credentials that `aws login` left, as long as they are good. */
export async function fromLogin(
  { profiles, environment, skew }: ProviderContext,
  session: string,
): Promise<Provided> {
  const login = `run: aws login --profile ${profiles.name}`;
  const name = `${digest('sha256', session)}.json`;
  const folder = given(environment, 'AWS_LOGIN_CACHE_DIRECTORY');
  const file = folder === undefined ? profiles.path('login', 'cache', name) : `${folder}/${name}`;
  const names = ['accessKeyId', 'secretAccessKey', 'sessionToken', 'expiresAt'] as const;
  const provided = readCredentials(within(await cached(file, login), 'accessToken'), names, file);
  if (provided !== undefined && (provided.expiresMs ?? 0) > skew.nowMs()) return provided;
  throw loggedOut(`${file}: the login has expired; ${login}`);
}

/** Nothing but a person's work mends it. */
function loggedOut(problem: string): AwsError {
  return new AwsError('LoggedOut', problem, { final: true, peer: 'sso' });
}

async function cached(file: string, login: string): Promise<Fields> {
  const text = await readText(file);
  if (text === undefined) throw loggedOut(`${file}: no login is kept there; ${login}`);
  const fields = parseFields(text);
  if (fields !== undefined) return fields;
  throw new ConfigError(file, `expected a JSON object; ${login}`);
}

function digest(algorithm: string, text: string): string {
  return createHash(algorithm).update(text).digest('hex');
}
