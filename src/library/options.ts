import { type Config, parseCommand } from '../config/config.ts';
import { TWIN_PREFIX } from '../config/flags.ts';
import { nearest } from '../config/nearest.ts';
import * as table from '../config/table.ts';
import type { Environment } from '../environment.ts';
import { ConfigError, shownText } from '../errors.ts';
import type { Fields, Log } from '../log.ts';
import type { LogLine } from './api.ts';
import { isRuntimeMetric, RUNTIME_METRICS, type RuntimeMetric } from './runtime.ts';

/** What only a program can do, by its flag. */
const PROGRAM_ONLY: ReadonlySet<string> = new Set([
  ...['once', 'explain', 'check', 'check-publish', 'healthy', 'max-age', 'help', 'version'],
  ...['receipt', 'report', 'stop-timeout', 'grace'],
  // The own process is the caller's work.
  'exclude-self',
]);

/** Flags that are repeated, and the option that holds all of them. */
const MANY: Readonly<Record<string, string>> = { dimension: 'dimensions', header: 'headers' };

/** The flag of each option: `endpoint-url` of `endpointUrl`. */
export const OPTIONS: ReadonlyMap<string, string> = new Map(
  [...table.FLAGS.flags, ...table.FLAGS.switches]
    .filter(({ name }) => !PROGRAM_ONLY.has(name))
    .map(({ name }) => [optionOf(name), name]),
);
/** No flags. */
const OWN = ['signal', 'log'];

/** Options, checked by the table of the flags. */
export interface Settings {
  readonly config: Config;
  readonly runtime: readonly RuntimeMetric[];
  readonly signal: AbortSignal | undefined;
  readonly log: ((line: LogLine) => void) | undefined;
}

/** @throws ConfigError naming the option, what came and what was expected */
export function settingsOf(options: unknown, environment: Environment): Settings {
  if (typeof options !== 'object' || options === null) {
    throw new ConfigError('options', `got ${kindOf(options)}, expected an object`);
  }
  const given = new Map<string, unknown>(
    Object.entries(options).filter(([, value]) => value !== undefined),
  );
  for (const name of given.keys()) checkKnown(name);
  if (given.get('dryRun') !== true) checkNames(given);
  const [signal, log] = [given.get('signal'), given.get('log')];
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new ConfigError('signal', `got ${kindOf(signal)}, expected an AbortSignal`);
  }
  if (log !== undefined && !isLog(log)) {
    throw new ConfigError('log', `got ${kindOf(log)}, expected a function`);
  }
  const words = wordsOf(given.get('metrics'));
  const runtime = RUNTIME_METRICS.filter((name) => words?.includes(name));
  const rest = words?.filter((word) => !isRuntimeMetric(word));
  given.delete('metrics');
  const argv = [...given].flatMap(([name, value]) => argumentsOf(name, value));
  if (rest !== undefined && rest.length > 0) argv.push(`--metrics=${rest.join(',')}`);
  const config = checked(argv, environment);
  const metrics = rest?.length === 0 ? [] : config.metrics;
  return { config: { ...config, metrics }, runtime, signal, log };
}

/** @returns a ConfigError in the words of the options; whatever else it is, as it is */
export function asOption(error: unknown): unknown {
  if (!(error instanceof ConfigError)) return error;
  const { setting, message } = error;
  const problem = message.slice(setting.length + 2);
  const more = setting === '--metrics' ? `, ${RUNTIME_METRICS.join(', ')}` : '';
  return new ConfigError(spelled(setting), spelled(problem) + more, { cause: error });
}

/** Flags in a sentence as the options that they are. */
export function spelled(text: string): string {
  return text.replace(/--([a-z]+(?:-[a-z]+)*)/g, (all, name) => {
    const option = optionOf(name);
    return OPTIONS.has(option) ? option : all;
  });
}

/** What the program would say of its flags, said of options. */
export function spelledLog(log: Log): Log {
  const said =
    (level: keyof Log) =>
    (message: string, fields: Fields = {}): void => {
      const all = Object.entries(fields).map(([name, value]) => {
        return [name, typeof value === 'string' ? spelled(value) : value] as const;
      });
      log[level](spelled(message), Object.fromEntries(all));
    };
  return {
    error: said('error'),
    warn: said('warn'),
    notice: said('notice'),
    info: said('info'),
    debug: said('debug'),
  };
}

function checked(argv: readonly string[], environment: Environment): Config {
  try {
    const config = parseCommand(argv, withoutTwins(environment));
    if (typeof config !== 'string') return config;
  } catch (error) {
    throw asOption(error);
  }
  throw new ConfigError('options', `got ${argv.join(' ')}, expected options`);
}

function optionOf(flag: string): string {
  return MANY[flag] ?? flag.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function checkKnown(name: string): void {
  const known = [...OPTIONS.keys(), ...OWN];
  if (known.includes(name)) return;
  if ([...PROGRAM_ONLY].some((flag) => optionOf(flag) === name)) {
    throw new ConfigError(name, 'is a flag of the program alone, and no option here');
  }
  const meant = nearest(name, known);
  const remedy = meant === undefined ? `known are ${known.join(', ')}` : `did you mean ${meant}?`;
  throw new ConfigError(name, `there is no such option; ${remedy}`);
}

/** @throws ConfigError that names what is missing */
function checkNames(given: ReadonlyMap<string, unknown>): void {
  const missing = [table.namespace, table.service].filter(({ name }) => !given.has(name));
  if (missing.length === 0) return;
  const names = missing.map(({ name }) => name).join(' and ');
  const expected = missing.map((flag) => `${flag.name} of ${flag.expected}`).join(', and ');
  const verb = missing.length === 1 ? 'is' : 'are';
  throw new ConfigError(names, `${verb} required, expected ${expected}; dryRun needs neither`);
}

function wordsOf(value: unknown): string[] | undefined {
  if (value === undefined) return undefined;
  const words: unknown[] = typeof value === 'string' ? value.split(',') : [value].flat();
  return words.map((word) => {
    if (typeof word === 'string') return word.trim();
    throw new ConfigError('metrics', `got ${kindOf(word)}, expected a list of names`);
  });
}

/** As a shell would give it. */
function argumentsOf(name: string, value: unknown): string[] {
  const flag = OPTIONS.get(name);
  if (flag === undefined) return [];
  if (flag in MANY) return pairsOf(name, value).map((text) => `--${flag}=${text}`);
  if (name === 'output' && Array.isArray(value) && value.length > 0) {
    return value.flatMap((one: unknown) => argumentsOf(name, Array.isArray(one) ? null : one));
  }
  if (value instanceof URL) return [`--${flag}=${value.href}`];
  if (['string', 'number', 'boolean'].includes(typeof value)) return [`--${flag}=${value}`];
  const row = table.FLAGS.flags.find((one) => one.name === flag);
  throw new ConfigError(name, `got ${kindOf(value)}, expected ${row?.expected ?? 'true or false'}`);
}

/** What is repeated as NAME=VALUE, of an object. Values are not shown: they may be keys. */
function pairsOf(option: string, value: unknown): string[] {
  // A Map or Headers has no entries of its own: it would be nothing.
  if (typeof value !== 'object' || value === null || Symbol.iterator in value) {
    throw new ConfigError(option, `got ${kindOf(value)}, expected an object of names and values`);
  }
  return Object.entries(value).map(([name, text]: [string, unknown]) => {
    const shown = shownText(name);
    if (name.includes('=')) {
      throw new ConfigError(option, `got the name "${shown}", expected no "=" in it`);
    }
    if (typeof text === 'string') return `${name}=${text}`;
    throw new ConfigError(option, `got ${kindOf(text)} for ${shown}, expected a text`);
  });
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value !== 'object') return `a ${typeof value}`;
  return Symbol.iterator in value ? 'an iterable object' : 'an object';
}

function isLog(value: unknown): value is (line: LogLine) => void {
  return typeof value === 'function';
}

/** A library is set up by its caller, and by nobody behind its back. */
function withoutTwins(environment: Environment): Environment {
  return Object.fromEntries(
    Object.entries(environment).filter(([name]) => !name.startsWith(TWIN_PREFIX)),
  );
}
