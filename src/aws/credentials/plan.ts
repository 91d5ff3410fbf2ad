import { ConfigError } from '../../errors.ts';
import type { Section } from '../ini.ts';
import type { Profiles } from '../profiles.ts';
import { keepSecret } from '../redact.ts';
import { type Credentials, flawOf } from './identity.ts';

/** Where the first credentials of a profile come from. */
export type Base =
  | { readonly kind: 'keys'; readonly credentials: Credentials }
  | { readonly kind: 'named'; readonly source: NamedSource }
  | { readonly kind: 'web'; readonly role: Role; readonly tokenFile: string }
  | {
      readonly kind: 'sso';
      /** What the cached token's file is named after: the session, or the start URL. */
      readonly tokenOf: string;
      readonly region: string;
      readonly account: string;
      readonly role: string;
    }
  | { readonly kind: 'login'; readonly session: string }
  | { readonly kind: 'process'; readonly command: string };

export type NamedSource = 'Environment' | 'Ec2InstanceMetadata' | 'EcsContainer';

export interface Role {
  readonly roleArn: string;
  readonly externalId?: string | undefined;
  readonly sessionName?: string | undefined;
  readonly durationSeconds?: string | undefined;
}

/** The base, and the roles to assume after it, one signed by the credentials of the one before. */
export interface Plan {
  readonly base: Base;
  readonly roles: readonly Role[];
}

const SOURCES: readonly string[] = ['Environment', 'Ec2InstanceMetadata', 'EcsContainer'];

/**
 * What a profile says about credentials; nothing where it says none.
 *
 * @throws ConfigError where it says too little, too much, or the like in a circle
 */
export function planOf(profiles: Profiles): Plan | undefined {
  if (profiles.isEmpty && profiles.namedBy === undefined) return undefined;
  return resolve(profiles, profiles.name, []);
}

function resolve(profiles: Profiles, name: string, visited: readonly string[]): Plan | undefined {
  const section = profiles.section('profile', name);
  const isFirst = visited.length === 0;
  const fail = (problem: string): ConfigError => new ConfigError(`profile ${name}`, problem);
  if (section === undefined) {
    const { namedBy, files } = profiles;
    if (!isFirst) throw fail(`is not there, but ${visited.at(-1)} needs it`);
    if (namedBy === undefined) return undefined;
    const problem = `names the profile ${name}, which is neither in ${files.join(' nor in ')}`;
    throw new ConfigError(namedBy, problem);
  }
  const of = (key: string): string | undefined => section.get(key) || undefined;
  const keys = staticKeys(of, fail);
  checkKeys(profiles, name, of);
  if (visited.includes(name)) throw fail(`its source_profile leads back to itself`);
  if (!isFirst && keys !== undefined) return { base: keys, roles: [] };
  if (of('role_arn') === undefined || of('web_identity_token_file') !== undefined) {
    const base = baseOf(profiles, of, keys, fail);
    if (base !== undefined) return { base, roles: [] };
    if (isFirst) return undefined;
    throw fail(`holds no credentials, but ${visited.at(-1)} needs them`);
  }
  if (of('mfa_serial') !== undefined) {
    throw fail('mfa_serial needs a person to type a code, which this agent cannot ask for');
  }
  const source = of('source_profile');
  const named = of('credential_source');
  if ((source === undefined) === (named === undefined)) {
    throw fail('a role_arn needs either a source_profile or a credential_source');
  }
  const inner = source === undefined ? namedSource(named, fail) : sourceOf(source);
  return inner && { base: inner.base, roles: [...inner.roles, roleOf(of)] };

  function sourceOf(next: string): Plan | undefined {
    if (next !== name) return resolve(profiles, next, [...visited, name]);
    const base = baseOf(profiles, of, keys, fail);
    if (base === undefined) throw fail('is its own source_profile but holds no keys');
    return { base, roles: [] };
  }
}

type Of = (key: string) => string | undefined;
type Fail = (problem: string) => ConfigError;

function namedSource(source: string | undefined, fail: Fail): Plan {
  if (!isNamedSource(source)) {
    throw fail(`credential_source is none of ${SOURCES.join(', ')}`);
  }
  return { base: { kind: 'named', source }, roles: [] };
}

function isNamedSource(text: string | undefined): text is NamedSource {
  return SOURCES.includes(text ?? '');
}

function staticKeys(of: Of, fail: Fail): Base | undefined {
  const accessKeyId = of('aws_access_key_id');
  const secretAccessKey = of('aws_secret_access_key');
  const sessionToken = of('aws_session_token');
  if (accessKeyId === undefined && secretAccessKey === undefined) return undefined;
  if (accessKeyId === undefined) throw fail('aws_access_key_id is missing beside the secret key');
  if (secretAccessKey === undefined) throw fail('aws_secret_access_key is missing beside the key');
  const token = sessionToken === undefined ? undefined : { sessionToken };
  return { kind: 'keys', credentials: { accessKeyId, secretAccessKey, ...token } };
}

/** @throws ConfigError where one of a profile's keys holds what no key has */
function checkKeys(profiles: Profiles, name: string, of: Of): void {
  for (const key of ['aws_access_key_id', 'aws_secret_access_key', 'aws_session_token']) {
    keepSecret(key === 'aws_access_key_id' ? undefined : of(key));
    const flaw = flawOf(of(key) ?? '');
    if (flaw === undefined) continue;
    const what = `${key} of the profile ${name} in ${profiles.fileOf(name, key)}`;
    throw new ConfigError(what, `holds ${flaw}, which no key or token has`);
  }
}

function roleOf(of: Of): Role {
  return {
    roleArn: of('role_arn') ?? '',
    externalId: of('external_id'),
    sessionName: of('role_session_name'),
    durationSeconds: of('duration_seconds'),
  };
}

/** In the order of the SDK for Rust; it matters only to a profile that mixes several kinds. */
function baseOf(profiles: Profiles, of: Of, keys: Base | undefined, fail: Fail): Base | undefined {
  const tokenFile = of('web_identity_token_file');
  if (tokenFile !== undefined) {
    if (of('role_arn') === undefined) throw fail('web_identity_token_file needs a role_arn');
    return { kind: 'web', role: roleOf(of), tokenFile };
  }
  const sso = ssoOf(profiles, of, fail);
  if (sso !== undefined) return sso;
  const session = of('login_session');
  if (session !== undefined) return { kind: 'login', session };
  const command = of('credential_process');
  return command === undefined ? keys : { kind: 'process', command };
}

const SSO_KEYS = ['sso_account_id', 'sso_role_name', 'sso_region', 'sso_start_url'] as const;

function ssoOf(profiles: Profiles, of: Of, fail: Fail): Base | undefined {
  const name = of('sso_session');
  if (name === undefined && SSO_KEYS.every((key) => of(key) === undefined)) return undefined;
  const session: Section | undefined =
    name === undefined ? undefined : profiles.section('sso-session', name);
  if (name !== undefined && session === undefined) throw fail(`there is no [sso-session ${name}]`);
  const value = (key: string): string => {
    const [own, shared] = [of(key), session?.get(key) || undefined];
    if (own !== undefined && shared !== undefined && own !== shared) {
      throw fail(`${key} differs from the one of [sso-session ${name}]`);
    }
    const text = shared ?? own;
    if (text === undefined) throw fail(`${key} is missing for SSO`);
    return text;
  };
  const [account, role, region, startUrl] = SSO_KEYS.map(value);
  return {
    kind: 'sso',
    tokenOf: name ?? startUrl ?? '',
    region: region ?? '',
    account: account ?? '',
    role: role ?? '',
  };
}
