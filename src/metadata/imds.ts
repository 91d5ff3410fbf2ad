import { type Clock, sleep } from '../clock.ts';
import type { Setting } from '../environment.ts';
import { AwsError, ConfigError, codeOf, NoDataError } from '../errors.ts';
import type { HttpAnswer, HttpClient } from '../net/http.ts';

export interface ImdsSettings {
  readonly disabled: boolean;
  /** Without a slash at its end. */
  readonly endpoint: string;
  readonly timeoutMs: number;
  /** Tries of a request that meets a 5xx or a broken connection. */
  readonly attempts: number;
}

/** The instance metadata service, version 2 alone. */
export interface Imds {
  /**
   * The text at a path such as `/latest/meta-data/instance-id`, trimmed; nothing where there is none
   * (404), which is no failure.
   *
   * @throws NoDataError where no metadata service answers, or none may be asked
   * @throws AwsError where one answers that something is wrong
   */
  get(path: string, signal: AbortSignal): Promise<string | undefined>;
}

interface Token {
  text?: Promise<string>;
  /** Monotonic. After a suspend it may be wrong, which a 401 tells. */
  goodUntilMs: number;
}

const ENDPOINTS: Readonly<Record<string, string>> = {
  ipv4: 'http://169.254.169.254',
  ipv6: 'http://[fd00:ec2::254]',
};
const VARIABLE = 'AWS_EC2_METADATA_SERVICE_ENDPOINT';
const TIMEOUT = 'AWS_METADATA_SERVICE_TIMEOUT';
const ATTEMPTS = 'AWS_METADATA_SERVICE_NUM_ATTEMPTS';
const TOKEN_SECONDS = 21_600;
const TOKEN_HEADER = 'x-aws-ec2-metadata-token';
/** A token is not used in its last two minutes. */
const TOKEN_SPARE_SECONDS = 120;
/** Once the service is known to be there: on a loaded host a late answer is better than none. */
const KNOWN_TIMEOUT_MS = 5000;
const PAUSE_MS = 100;
/** Seconds or attempts. */
const MOST = 3600;

/**
 * Where and how the service is asked, by the SDKs' own settings.
 *
 * @throws ConfigError where a setting holds what no SDK takes
 * @see https://docs.aws.amazon.com/sdkref/latest/guide/feature-imds-credentials.html
 */
export function imdsSettings(setting: Setting): ImdsSettings {
  const mode = setting(`${VARIABLE}_MODE`, 'ec2_metadata_service_endpoint_mode') ?? 'IPv4';
  const given = setting(VARIABLE, 'ec2_metadata_service_endpoint') ?? ENDPOINTS[mode.toLowerCase()];
  if (given === undefined) {
    throw new ConfigError(`${VARIABLE}_MODE`, `got "${mode}", expected IPv4 or IPv6`);
  }
  if (!isWeb(given)) throw new ConfigError(VARIABLE, 'expected http://HOST, perhaps with a port');
  return {
    disabled: setting('AWS_EC2_METADATA_DISABLED')?.toLowerCase() === 'true',
    endpoint: given.replace(/\/+$/, ''),
    timeoutMs: positive(TIMEOUT, setting(TIMEOUT, 'metadata_service_timeout') ?? '1') * 1000,
    attempts: positive(ATTEMPTS, setting(ATTEMPTS, 'metadata_service_num_attempts') ?? '3'),
  };
}

function positive(name: string, text: string): number {
  const value = Number(text);
  // More is no fault, but no timer takes it.
  if (value > 0) return Math.min(value, MOST);
  throw new ConfigError(name, `got "${text}", expected a number above 0`);
}

/** Nothing in it that a path could not follow. */
function isWeb(text: string): boolean {
  try {
    const { protocol, username, password, search, hash } = new URL(text);
    return /^https?:$/.test(protocol) && username + password + search + hash === '';
  } catch (error) {
    if (error instanceof TypeError) return false;
    throw error;
  }
}

/**
 * Asks for nothing by itself; the token is fetched when the first path is asked for, and kept.
 *
 * @param onToken hears of each token, which nothing may repeat
 */
export function createImds(
  settings: ImdsSettings,
  http: HttpClient,
  clock: Clock,
  onToken: (token: string) => void = () => undefined,
): Imds {
  let token: Token | undefined;
  let known = false;

  async function once(
    method: 'GET' | 'PUT',
    path: string,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<HttpAnswer> {
    const timeoutMs = Math.max(settings.timeoutMs, known ? KNOWN_TIMEOUT_MS : 0);
    const url = new URL(settings.endpoint + path);
    const request = { method, url, headers, timeoutMs, connectMs: timeoutMs, direct: true, signal };
    for (let attempt = 1; ; attempt += 1) {
      const isLast = attempt >= settings.attempts;
      try {
        const answer = await http.send(request);
        if (answer.status < 500 || isLast) return answer;
      } catch (error) {
        if (isLast || codeOf(error) !== 'ECONNRESET') throw unreachable(error, method);
      }
      await sleep(clock, PAUSE_MS * attempt, signal);
    }
  }

  async function fetchToken(kept: Token, signal: AbortSignal): Promise<string> {
    const ttl = { [`${TOKEN_HEADER}-ttl-seconds`]: String(TOKEN_SECONDS), 'content-length': '0' };
    const { status, headers, body } = await once('PUT', '/latest/api/token', ttl, signal);
    if (status >= 300 && status < 500) throw noToken(status);
    if (status !== 200) throw unexpected('a token', status);
    const text = body.trim();
    if (!/^[!-~]+$/.test(text)) throw unexpected('a token, with another text', status);
    const seconds = Number(headers[`${TOKEN_HEADER}-ttl-seconds`] ?? TOKEN_SECONDS);
    kept.goodUntilMs = clock.monoMs() + (seconds - TOKEN_SPARE_SECONDS) * 1000;
    known = true;
    onToken(text);
    return text;
  }

  /** Those who come while a token is fetched wait for the same one; a failure is not kept. */
  async function currentToken(signal: AbortSignal): Promise<string> {
    if (token?.text === undefined || !(clock.monoMs() < token.goodUntilMs)) {
      token = { goodUntilMs: Number.POSITIVE_INFINITY };
      token.text = fetchToken(token, signal);
    }
    const kept = token;
    try {
      return await (kept.text ?? '');
    } catch (error) {
      if (token === kept) token = undefined;
      throw error;
    }
  }

  return {
    async get(path, signal) {
      if (settings.disabled) throw new NoDataError('AWS_EC2_METADATA_DISABLED is true');
      const ask = async (): Promise<HttpAnswer> =>
        once('GET', path, { [TOKEN_HEADER]: await currentToken(signal) }, signal);
      let answer = await ask();
      if (answer.status === 401) {
        // The token ended early: the instance was suspended, or moved.
        token = undefined;
        answer = await ask();
      }
      if (answer.status === 404) return undefined;
      if (answer.status !== 200) throw unexpected(path, answer.status);
      return answer.body.trim();
    },
  };
}

function unexpected(what: string, status: number): AwsError {
  const problem = `instance metadata answered HTTP ${status} for ${what}`;
  return new AwsError(`HTTP ${status}`, problem, { peer: 'imds' });
}

/** Another cloud's metadata, or a proxy, answers so as well: that somebody is there makes it no EC2. */
function noToken(status: number): NoDataError {
  const reasons =
    status === 403
      ? 'it is switched off in the instance’s options, a proxy answers for it, or this is no EC2'
      : 'this is no EC2, or something else answers for it';
  const problem = `instance metadata gives no token (HTTP ${status}): ${reasons}`;
  return new NoDataError(problem, { cause: new AwsError(`HTTP ${status}`, problem) });
}

/** A token's answer that never comes has most likely died at the hop limit. */
function unreachable(cause: unknown, method: string): NoDataError {
  const code = codeOf(cause) ?? 'no answer';
  const hint =
    code === 'TIMEOUT' && method === 'PUT'
      ? '; in a container, raise the instance’s metadata hop limit to 2 (HttpPutResponseHopLimit)'
      : '';
  return new NoDataError(`instance metadata cannot be reached: ${code}${hint}`, { cause });
}
