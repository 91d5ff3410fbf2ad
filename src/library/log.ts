import type { Writable } from 'node:stream';
import type { Clock } from '../clock.ts';
import { createLog, type Fields, LEVELS, type Level, type Log } from '../log.ts';
import { type Lines, linesTo } from '../sinks/lines.ts';
import { hearRejection } from './answer.ts';
import type { LogLine } from './api.ts';

export interface LogOptions {
  readonly clock: Clock;
  readonly level: Level;
  readonly format: 'text' | 'json';
  readonly log: ((line: LogLine) => void) | undefined;
  readonly stderr: () => Writable;
}

/** A quiet log: what a program says at its start in any case is here said with the rest. */
export function libraryLog({ clock, level, format, log, stderr }: LogOptions): Log {
  if (log === undefined) {
    const lines = lazyLines(stderr, clock);
    const made = createLog({ level, format, clock, write: (line) => lines.write(line) });
    return { ...made, notice: made.info };
  }
  const loudest = LEVELS.indexOf(level);
  const at =
    (name: Level) =>
    (message: string, fields: Fields = {}): void => {
      if (LEVELS.indexOf(name) > loudest) return;
      // A log that fails has nowhere to say so.
      try {
        const answer: unknown = log({
          time: new Date(clock.wallMs()),
          level: name,
          message,
          fields,
        });
        hearRejection(answer, () => undefined);
      } catch {
        return;
      }
    };
  const info = at('info');
  return { error: at('error'), warn: at('warn'), notice: info, info, debug: at('debug') };
}

/** A stream of the process is opened at the first line: that alone changes it. */
export function lazyLines(stream: () => Writable, clock: Clock): Lines {
  let lines: Lines | undefined;
  return {
    write(line) {
      lines ??= linesTo(stream(), clock);
      return lines.write(line);
    },
    drained: async (deadlineMs) => lines?.drained(deadlineMs),
  };
}
