import { type Environment, given } from '../../environment.ts';
import { ConfigError, shownText } from '../../errors.ts';
import { keepSecret } from '../redact.ts';

/** What signs a request. Never printed, at any log level. */
export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** Credentials as a provider gives them. */
export interface Provided extends Credentials {
  /** Wall-clock milliseconds. */
  readonly expiresMs?: number;
}

/** Credentials, and what there is to know about them. */
export interface Identity extends Provided {
  /** Where they come from, in words: `profile dev`, `the ECS task role`. */
  readonly provider: string;
  /**
   * AWS hands them out and renews them, so that old ones are better than none while it cannot; what a
   * person supplied is served while it is good, and not longer.
   */
  readonly isManaged: boolean;
  /** Good until they are refused; others without an end are read anew now and then. */
  readonly isLasting?: boolean;
}

/** What a provider has to be configured by: see {@link resolveChain}. */
export type Origin = 'environment' | 'profile' | 'webIdentity' | 'container' | 'instance';

/** Gives credentials, and takes word that some were refused. */
export interface CredentialSource {
  /** @throws ConfigError, AwsError, NoDataError or a failure of the network where there are none */
  resolve(signal: AbortSignal): Promise<Identity>;
  /** The service said of this key that it has expired. */
  invalidate(accessKeyId: string): void;
}

/** What a text holds that neither a key nor a token may; nothing where it holds none. It goes into headers. */
export function flawOf(text: string): string | undefined {
  if (/[\r\n]/.test(text)) return 'a line break';
  if (/\s/.test(text)) return 'a blank';
  if (/\p{Cc}/u.test(text)) return 'a control character';
  return /[^!-~]/.test(text) ? 'a character outside ASCII' : undefined;
}

/** `AKIA…MPLE`: enough to tell keys apart. */
export function masked(accessKeyId: string): string {
  return `${accessKeyId.slice(0, 4)}…${accessKeyId.length > 8 ? accessKeyId.slice(-4) : ''}`;
}

/**
 * The environment's keys; nothing where there are none. Blank variables count as unset.
 *
 * @throws ConfigError for half a pair, or keys that have expired: a process never sees new variables
 */
export function fromEnvironment(environment: Environment, nowMs: number): Identity | undefined {
  const accessKeyId = given(environment, 'AWS_ACCESS_KEY_ID');
  const secretAccessKey = given(environment, 'AWS_SECRET_ACCESS_KEY');
  const sessionToken = given(environment, 'AWS_SESSION_TOKEN');
  const expires = given(environment, 'AWS_CREDENTIAL_EXPIRATION');
  if (accessKeyId === undefined && secretAccessKey === undefined) return undefined;
  const unset = accessKeyId === undefined ? 'AWS_ACCESS_KEY_ID' : 'AWS_SECRET_ACCESS_KEY';
  if (accessKeyId === undefined || secretAccessKey === undefined) {
    throw new ConfigError(unset, 'is not set, but the other half of the pair is');
  }
  for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN']) {
    const flaw = flawOf(given(environment, name) ?? '');
    if (flaw !== undefined) throw new ConfigError(name, `holds ${flaw}, which no key or token has`);
  }
  keepSecret(secretAccessKey, sessionToken);
  const expiresMs = expires === undefined ? undefined : parseInstant(expires);
  if (Number.isNaN(expiresMs)) {
    const problem = `got "${shownText(expires ?? '')}", expected an instant such as 2026-01-01T12:00:00Z`;
    throw new ConfigError('AWS_CREDENTIAL_EXPIRATION', problem);
  }
  if (expiresMs !== undefined && !(expiresMs > nowMs)) {
    throw new ConfigError('AWS_CREDENTIAL_EXPIRATION', 'the keys in the environment have expired');
  }
  return {
    accessKeyId,
    secretAccessKey,
    ...(sessionToken === undefined ? undefined : { sessionToken }),
    ...(expiresMs === undefined ? undefined : { expiresMs }),
    provider: 'the environment',
    isManaged: false,
  };
}

/**
 * An instant as services and tools write it (`Z`, `+0000`, `UTC`, fractions; without a zone it is UTC);
 * NaN where it is none.
 */
export function parseInstant(text: string): number {
  const zoned = text.replace(/UTC$/, 'Z').replace(/([+-]\d\d)(\d\d)$/, '$1:$2');
  return Date.parse(/T[\d:.]+$/.test(zoned) ? `${zoned}Z` : zoned);
}
