import { appendFileSync, mkdirSync } from 'node:fs';
import { inspect } from 'node:util';

/** Where all that is said in tests goes; one file a process, so that nobody writes into another's line. */
export const SAID: URL = new URL('../../.said/', import.meta.url);

/**
 * Keeps what the program said (a line, or an error with all that hangs on it) for the search for
 * secrets that ends the tests, and hands it on.
 */
export function said<T>(what: T): T {
  mkdirSync(SAID, { recursive: true });
  const text = typeof what === 'string' ? what : inspect(what, { depth: 9 });
  appendFileSync(new URL(`${process.pid}.txt`, SAID), `${text}\n`);
  return what;
}
