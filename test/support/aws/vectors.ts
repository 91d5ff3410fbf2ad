import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** The SDKs' public vectors. They are read in place. */
export const VECTORS: string = resolve(
  process.env['VECTORS'] ?? '../shared/vectors',
  'credentials',
);
export const hasVectors: boolean = existsSync(VECTORS);

/** A JSON file's value, as the test that reads it knows it. */
export function readVectors<T>(...path: string[]): T {
  return JSON.parse(readFileSync(join(VECTORS, ...path), 'utf8'));
}
