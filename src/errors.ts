/** Of what came: it may be a page. */
const LONGEST_SHOWN = 2000;

/** A setting that cannot work: which one, what came, what was expected. Exit code 2. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly setting: string;

  /**
   * @param setting the flag or variable as the user wrote it, e.g. `--period`
   * @param problem what came and what was expected, e.g. `got "0", expected 1 to 3600`
   */
  constructor(setting: string, problem: string, options?: ErrorOptions) {
    // What came may hold what a terminal would obey.
    super(`${setting}: ${problem}`.replace(/\p{Cc}/gu, '?'), options);
    this.setting = setting;
  }
}

/** A text as it may be repeated to whoever wrote it. */
export function shownText(text: string): string {
  return text.length > LONGEST_SHOWN ? `${text.slice(0, LONGEST_SHOWN)}…` : text;
}

/** What was meant as a URL, without all that may be a password: before the last @, and in query and fragment. */
export function shownUrl(text: string): string {
  return shownText(text.replace(/^.*@/s, '…@').replace(/([?#]).*$/s, '$1…'));
}

/** A file whose text is not what the kernel (or a tool) writes there. */
export class ParseError extends Error {
  override readonly name = 'ParseError';
  readonly file: string;

  constructor(file: string, problem: string, options?: ErrorOptions) {
    super(`${file}: ${problem}`, options);
    this.file = file;
  }
}

/** Nothing to measure here: what is missing, and the remedy. Not a fault of the program. */
export class NoDataError extends Error {
  override readonly name: string = 'NoDataError';
}

/** Nowhere is there a region. */
export class NoRegionError extends NoDataError {
  readonly code = 'NoRegion';
}

/** Nowhere are there credentials. */
export class NoCredentialsError extends NoDataError {
  readonly code = 'NoCredentials';
}

/** Who it was that refused or did not answer, where that is not CloudWatch. */
export type Peer = 'sts' | 'sso' | 'container' | 'imds' | 'process';

/** What an error of a service means for whoever asked. */
export interface AwsErrorOptions extends ErrorOptions {
  /** The same question may well be answered in a moment. */
  readonly again?: boolean;
  readonly peer?: Peer;
  /** Nothing but a person's work changes it: old credentials are no answer to it either. */
  readonly final?: boolean;
}

/** A service that answered, but not with what it was asked for. */
export class AwsError extends Error {
  override readonly name = 'AwsError';
  /** The service's own code, or `HTTP 502`. */
  readonly code: string;
  readonly again: boolean;
  readonly final: boolean;
  readonly peer: Peer | undefined;

  /** @param problem a line that holds nothing secret: never the text of a file or an answer */
  constructor(code: string, problem: string, options: AwsErrorOptions = {}) {
    super(problem, options);
    this.code = code;
    this.again = options.again ?? false;
    this.final = options.final ?? false;
    this.peer = options.peer;
  }
}

/** An error with a code of our own, where the system has none for it: `TIMEOUT`. */
export function failure(code: string, message: string, cause?: unknown): Error {
  return Object.assign(new Error(message, cause === undefined ? undefined : { cause }), { code });
}

/** What went wrong, in one line, from anything that was thrown. */
export function reasonOf(thrown: unknown): string {
  // A name with several addresses, none of which answers.
  if (thrown instanceof AggregateError && thrown.message === '') return reasonOf(thrown.errors[0]);
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** Node's own code for what its permission model does not allow. */
export const NOT_PERMITTED = 'ERR_ACCESS_DENIED';

/** The system's error code (`ENOENT`, `ECONNRESET`), where the thrown value carries one. */
export function codeOf(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error)) return undefined;
  // Deno's own, which has no code.
  if (thrown.name === 'NotCapable') return NOT_PERMITTED;
  if (!('code' in thrown)) return undefined;
  return typeof thrown.code === 'string' ? thrown.code : undefined;
}

/** What a function gives, or `otherwise` where the system refuses it: an error that has a code. */
export function unlessRefused<Value>(act: () => Value, otherwise: Value): Value {
  try {
    return act();
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return otherwise;
  }
}

/** The code where the operating system refused; nothing for a fault of the program (`ERR_…`). */
export function systemCodeOf(thrown: unknown): string | undefined {
  const code = codeOf(thrown);
  return code?.startsWith('ERR_') === true && code !== NOT_PERMITTED ? undefined : code;
}

/** Who failed, by an error or what caused it. */
export function peerOf(thrown: unknown): Peer | undefined {
  if (!(thrown instanceof Error)) return undefined;
  return 'peer' in thrown && isPeer(thrown.peer) ? thrown.peer : peerOf(thrown.cause);
}

const PEERS: readonly unknown[] = ['sts', 'sso', 'container', 'imds', 'process'];

function isPeer(value: unknown): value is Peer {
  return PEERS.includes(value);
}

/** Faults of a call by Node's own codes, which no network mends; those of TLS are about a peer. */
const OWN_CODE = /^ERR_(?!TLS_|SSL_)/;

/** Something between here and another machine, which may be over the next time. */
export function isNetworkFailure(thrown: unknown): boolean {
  const isOurs =
    thrown instanceof ConfigError || thrown instanceof NoDataError || thrown instanceof AwsError;
  const code = codeOf(thrown);
  return !isOurs && code !== undefined && !OWN_CODE.test(code);
}
