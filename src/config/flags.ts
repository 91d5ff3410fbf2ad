// Over 200 lines: one table decides what is read, and how it is named.
import { parseArgs } from 'node:util';
import { type Environment, given } from '../environment.ts';
import { ConfigError, shownText } from '../errors.ts';
import { nearest } from './nearest.ts';

/** One row of the flag table: everything that parsing, help, environment and docs/flags.md need. */
export interface Flag<Value> {
  /** Without dashes. Its environment twin is METRICS_AGENT_ and this in capitals. */
  readonly name: string;
  readonly short?: string;
  readonly aliases?: readonly string[];
  /** The value's placeholder in the help. */
  readonly value: string;
  /** Other variables that give the value when neither the flag nor its twin does, in order. */
  readonly environment?: readonly string[];
  /** The default, as the help shows it. */
  readonly fallback: string;
  /** One line for the help and docs/flags.md. */
  readonly meaning: string;
  /** What a good value is, for the error. */
  readonly expected: string;
  /** How a bad value may be repeated, where it may hold a password. */
  shown?(text: string): string;
  /** The value of a text, or nothing where the text is no good. */
  parse(text: string): Value | undefined;
}

/** A flag without a value: it is there or it is not. */
export interface Switch {
  readonly name: string;
  readonly short?: string;
  readonly aliases?: readonly string[];
  readonly meaning: string;
  /** Not taken from the environment: `--help` and `--version`. */
  readonly argumentOnly?: boolean;
}

/** A second spelling with two values, which becomes `target NAME=VALUE`. */
export interface PairAlias {
  readonly name: string;
  readonly target: string;
}

export interface FlagTable {
  readonly flags: readonly Flag<unknown>[];
  readonly switches: readonly Switch[];
  readonly pairs: readonly PairAlias[];
}

/** A text that was given for a flag, and how the user wrote that: `--period` or a variable. */
interface Given {
  readonly origin: string;
  readonly text: string;
}

export const TWIN_PREFIX = 'METRICS_AGENT_';

/** `METRICS_AGENT_FLUSH_TIMEOUT` of `flush-timeout`. */
export function twinOf(name: string): string {
  return TWIN_PREFIX + name.toUpperCase().replaceAll('-', '_');
}

const TRUE = ['true', '1'];
const FALSE = ['false', '0'];

/** The settings as given: flag over environment twin over other variables over the default. */
export class Settings {
  readonly #arguments: ReadonlyMap<string, readonly Given[]>;
  readonly #environment: Environment;

  /** @throws ConfigError for an unknown flag, a missing value or a stray word */
  constructor(table: FlagTable, argv: readonly string[], environment: Environment) {
    this.#arguments = collect(table, argv);
    this.#environment = environment;
  }

  /** The last value given, or nothing. @throws ConfigError where it is no good */
  one<Value>(flag: Flag<Value>): Value | undefined {
    const given = this.#given(flag);
    return given === undefined ? undefined : parsed(flag, given);
  }

  /** How the user wrote the flag that counts: `--period`, `-p` or a variable. */
  origin(flag: Flag<unknown>): string {
    return this.#given(flag)?.origin ?? `--${flag.name}`;
  }

  /** All values of a flag that may be repeated; in the environment they stand between commas. */
  all<Value>(flag: Flag<Value>): Value[] {
    const given = this.#arguments.get(flag.name);
    if (given !== undefined) return given.map((one) => parsed(flag, one));
    const twin = this.#fromEnvironment(flag);
    if (twin === undefined) return [];
    const texts = twin.text.split(',').map((text) => text.trim());
    return texts.map((text) => parsed(flag, { origin: twin.origin, text }));
  }

  /**
   * @param otherwise what holds where nothing is given
   * @throws ConfigError where the value is none of true, false, 1 and 0
   */
  on(flag: Switch, otherwise = false): boolean {
    const given = this.#arguments.get(flag.name)?.at(-1);
    const twin = flag.argumentOnly === true ? undefined : this.#variable(twinOf(flag.name));
    const { origin, text } = given ?? twin ?? { origin: '', text: String(otherwise) };
    if (TRUE.includes(text)) return true;
    if (FALSE.includes(text)) return false;
    throw new ConfigError(origin, `got "${text}", expected true, false, 1 or 0`);
  }

  #given(flag: Flag<unknown>): Given | undefined {
    return this.#arguments.get(flag.name)?.at(-1) ?? this.#fromEnvironment(flag);
  }

  #fromEnvironment(flag: Flag<unknown>): Given | undefined {
    const names = [twinOf(flag.name), ...(flag.environment ?? [])];
    for (const name of names) {
      const given = this.#variable(name);
      if (given !== undefined) return given;
    }
    return undefined;
  }

  /** A blank variable counts as unset: that is how compose files leave one out. */
  #variable(name: string): Given | undefined {
    const text = given(this.#environment, name);
    return text === undefined ? undefined : { origin: name, text };
  }
}

function parsed<Value>(flag: Flag<Value>, { origin, text }: Given): Value {
  const value = flag.parse(text);
  if (value === undefined) {
    const shown = (flag.shown ?? shownText)(text);
    throw new ConfigError(origin, `got "${shown}", expected ${flag.expected}`);
  }
  return value;
}

/** Settings that are no flags: what a job gets in place of our NODE_OPTIONS. */
const OTHERS = new Set(['METRICS_AGENT_JOB_NODE_OPTIONS']);
/** Kubernetes describes a service called metrics-agent by variables of these endings. */
const KUBERNETES_LINK = /_(?:SERVICE_HOST|SERVICE_PORT|PORT)(?:_|$)|_PORT$/;

/** Variables that look like twins of ours and are not: most likely misspelt, and what they may mean. */
export function unknownVariables(
  table: FlagTable,
  environment: Environment,
): [name: string, meant: string | undefined][] {
  const known = [...table.flags, ...table.switches].map(({ name }) => twinOf(name));
  return Object.keys(environment)
    .filter((name) => name.startsWith(TWIN_PREFIX) && !known.includes(name))
    .filter((name) => !OTHERS.has(name) && !KUBERNETES_LINK.test(name))
    .map((name) => [name, nearest(name, known)]);
}

/** Arguments by the canonical name of their flag, in the order given. */
function collect(table: FlagTable, argv: readonly string[]): Map<string, Given[]> {
  const canonical = namesOf(table);
  const given = new Map<string, Given[]>();
  const keep = (name: string, one: Given): void => {
    given.set(name, [...(given.get(name) ?? []), one]);
  };
  const { tokens } = parseArgs({
    args: [...argv],
    strict: false,
    tokens: true,
    allowPositionals: true,
    options: parseArgsOptions(table),
  });
  for (let index = 0; index < tokens.length; index += 1) {
    const token = tokens[index];
    if (token?.kind === 'positional') {
      // The rest of a value that was not quoted, maybe of one that is not shown.
      const before = tokens[index - 1];
      const isHidden =
        before?.kind === 'option' &&
        table.flags.some(({ name, shown }) => name === before.name && shown);
      const shown = isHidden ? '…' : token.value;
      throw new ConfigError('arguments', `got "${shown}", expected only flags; see --help`);
    }
    if (token?.kind !== 'option') continue;
    const name = canonical.get(token.name);
    if (name === undefined) {
      throw new ConfigError(token.rawName, 'there is no such flag; see --help');
    }
    const pair = table.pairs.find((one) => one.name === name);
    if (pair !== undefined) {
      index += 1;
      keep(pair.target, { origin: token.rawName, text: givenPair(token, tokens[index]) });
    } else if (table.switches.some((one) => one.name === name)) {
      keep(name, { origin: token.rawName, text: token.value ?? 'true' });
    } else {
      keep(name, { origin: token.rawName, text: givenValue(token) });
    }
  }
  return given;
}

interface OptionToken {
  readonly rawName: string;
  readonly value?: string | undefined;
  readonly inlineValue?: boolean | undefined;
}

/** A value that looks like a flag was most likely forgotten; a negative number is just a bad one. */
function givenValue({ rawName, value, inlineValue }: OptionToken): string {
  if (value === undefined) throw new ConfigError(rawName, 'expected a value, got none');
  if (inlineValue !== true && /^--?[A-Za-z]/.test(value)) {
    const way = rawName.startsWith('--') ? `${rawName}=${value}` : `${rawName}${value}`;
    throw new ConfigError(rawName, `expected a value, got "${value}"; if that is it: ${way}`);
  }
  return value;
}

/** The two values as NAME=VALUE, where a name with `=` would become another one. */
function givenPair(
  token: OptionToken,
  next: { kind: string; value?: string | undefined } | undefined,
): string {
  const name = givenValue(token);
  if (next?.kind !== 'positional' || name.includes('=')) {
    const came = next?.kind === 'positional' ? `"${name}" "${next.value}"` : `only "${name}"`;
    throw new ConfigError(
      token.rawName,
      `got ${came}, expected two values, NAME (without "=") and VALUE`,
    );
  }
  return `${name}=${next.value}`;
}

/** Long spellings only: parseArgs has turned short ones into the long, and `--p` is no flag. */
function namesOf({ flags, switches, pairs }: FlagTable): Map<string, string> {
  const all: readonly (Flag<unknown> | Switch)[] = [...flags, ...switches];
  return new Map([
    ...all.flatMap(({ name, aliases = [] }) =>
      [name, ...aliases].map((spelling): [string, string] => [spelling, name]),
    ),
    ...pairs.map(({ name }): [string, string] => [name, name]),
  ]);
}

type ParseArgsOption = { type: 'string' | 'boolean'; short?: string };

function parseArgsOptions({ flags, switches, pairs }: FlagTable): Record<string, ParseArgsOption> {
  const options: Record<string, ParseArgsOption> = {};
  const add = (type: 'string' | 'boolean', { name, short, aliases = [] }: Named): void => {
    options[name] = short === undefined ? { type } : { type, short };
    for (const alias of aliases) options[alias] = { type };
  };
  for (const flag of flags) add('string', flag);
  for (const flag of switches) add('boolean', flag);
  for (const { name } of pairs) options[name] = { type: 'string' };
  return options;
}

type Named = Pick<Switch, 'name' | 'short' | 'aliases'>;
