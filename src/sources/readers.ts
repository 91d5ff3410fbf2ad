import { NoDataError, ParseError, reasonOf } from '../errors.ts';
import type { Group, GroupName, Groups, Missing, Source } from '../metrics/reading.ts';
import type { HostFile } from './rootfs.ts';

/** Reads one group; nothing where there is nothing new. */
export type GroupReader<Values> = (nowMs: number) => Group<Values> | Missing | undefined;

/** A group that is not wanted, or that a scope does not have, is undefined. */
export type GroupReaders = {
  readonly [name in GroupName]?: GroupReader<Groups[name]> | undefined;
};

/** A source made of one reader for each group. */
export function sourceOf(describe: () => string, readers: GroupReaders, close: () => void): Source {
  const entries = Object.entries(readers).flatMap(([name, read]) =>
    read === undefined ? [] : [{ name, read }],
  );
  return {
    describe,
    read(nowMs) {
      const reading: Record<string, ReturnType<GroupReader<unknown>>> = {};
      for (const { name, read } of entries) {
        const group = read(nowMs);
        if (group !== undefined) reading[name] = group;
      }
      return reading;
    },
    close,
  };
}

/** Longest time between two tries to read what failed before. */
const RETRY_MS = 10_000;
const FIRST_RETRY_MS = 500;

/**
 * A reader of what a function gives; what it throws is the reason for its being missing. What stays
 * missing is tried less and less often: most of it never was there, and an error costs more than a
 * reading.
 *
 * @param key asked after the reading
 */
export function gauge<Values>(
  read: (nowMs: number) => Values,
  key: () => string = () => '',
): GroupReader<Values> {
  let missing: Missing | undefined;
  let retryMs = 0;
  let pauseMs = 0;
  return (at) => {
    if (missing !== undefined && at < retryMs) return missing;
    try {
      const values = read(at);
      missing = undefined;
      pauseMs = 0;
      return { at, key: key(), values };
    } catch (error) {
      missing = { missing: reasonOf(error) };
      retryMs = at + pauseMs;
      pauseMs = Math.min(Math.max(pauseMs * 2, FIRST_RETRY_MS), RETRY_MS);
      return missing;
    }
  };
}

/** Parses a file's text. @throws ParseError naming the file */
export function parsed<Values>(
  file: HostFile,
  text: string,
  parse: (text: string) => Values,
): Values {
  try {
    return parse(text);
  } catch (error) {
    throw new ParseError(file.path, reasonOf(error), { cause: error });
  }
}

/** A file's number. @throws ParseError where none is there, NoDataError where the file is not */
export function readNumber(file: HostFile, text: string, parse: (text: string) => number): number {
  const value = parse(text);
  if (Number.isNaN(value)) throw new ParseError(file.path, 'the number looked for is not there');
  return value;
}

/** What a function gives, or `otherwise` where there is no such file. */
export function optional<Value>(read: () => Value, otherwise: Value): Value {
  try {
    return read();
  } catch (error) {
    if (error instanceof NoDataError) return otherwise;
    throw error;
  }
}
