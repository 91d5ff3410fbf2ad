import type { Clock } from './clock.ts';

/** From the gravest to the most talkative. */
export const LEVELS = ['error', 'warn', 'info', 'debug'] as const;
export type Level = (typeof LEVELS)[number];

/** What a JSON line says anyway; a field of that name would take its place. */
type Taken = { readonly [name in 'time' | 'level' | 'message']?: never };

/** Values that may stand beside a message. Never a secret, a token or a signed header. */
export type Fields = Readonly<Record<string, string | number | boolean | undefined>> & Taken;

type Write = (message: string, fields?: Fields) => void;

/** One line an event, on stderr. */
export interface Log extends Readonly<Record<Level, Write>> {
  /** Of level info, and shown where warnings are: the one line that tells a quiet log from a dead agent. */
  readonly notice: Write;
}

export interface LogOptions {
  readonly level: Level;
  readonly format: 'text' | 'json';
  readonly clock: Clock;
  /** Takes one line, without its line feed. */
  readonly write: (line: string) => unknown;
}

/** Builds a log that writes events at `level` and graver ones. */
export function createLog(options: LogOptions): Log {
  const loudest = LEVELS.indexOf(options.level);
  const line = options.format === 'json' ? jsonLine : textLine;
  const at =
    (level: Level, from: Level = level): Write =>
    (message, fields = {}) => {
      if (LEVELS.indexOf(from) > loudest) return;
      const time = new Date(options.clock.wallMs()).toISOString();
      options.write(line(time, level, message, fields));
    };
  return {
    error: at('error'),
    warn: at('warn'),
    notice: at('info', 'warn'),
    info: at('info'),
    debug: at('debug'),
  };
}

/** The same log, with what is the same in each of its lines. */
export function withFields(log: Log, same: Fields): Log {
  const entries = (['error', 'warn', 'notice', 'info', 'debug'] as const).map(
    (name) =>
      [
        name,
        (message: string, fields?: Fields) => log[name](message, { ...same, ...fields }),
      ] as const,
  );
  return { ...log, ...Object.fromEntries(entries) };
}

function jsonLine(time: string, level: Level, message: string, fields: Fields): string {
  return JSON.stringify({ time, level, message, ...fields });
}

function textLine(time: string, level: Level, message: string, fields: Fields): string {
  const tail = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => ` ${name}=${quoted(String(value))}`)
    .join('');
  return `${time} ${level} ${message.replace(/\p{Cc}/gu, ' ')}${tail}`;
}

/**
 * Values with blanks or quotes are quoted, so that a line can be taken apart again, and so are control
 * characters, which a terminal would obey.
 */
function quoted(text: string): string {
  if (/^[^\s"=\p{Cc}]+$/u.test(text)) return text;
  return JSON.stringify(text).replace(
    /\p{Cc}/gu,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
