import { ParseError, reasonOf } from '../errors.ts';
import { keyedNumber, numberAt } from '../kernel/bytes.ts';
import { type RootFile, type RootFs, shown } from './rootfs.ts';

/** A file of one number. */
export const NUMBER_BYTES = 64;

/** The number that a file holds. @throws NoDataError, ParseError */
export function readNumber(fs: RootFs, file: RootFile): number {
  const end = file.head(NUMBER_BYTES);
  const value = numberAt(fs.buffer, end, 0);
  return Number.isNaN(value) ? checked(file, value) : value;
}

/** The number behind a key in the first bytes of a file. @throws NoDataError, ParseError */
export function readKeyed(fs: RootFs, file: RootFile, bytes: number, key: string): number {
  const end = file.head(bytes);
  const value = keyedNumber(fs.buffer, end, key);
  return Number.isNaN(value) ? checked(file, value, key) : value;
}

function checked(file: RootFile, value: number, key = ''): number {
  if (!Number.isNaN(value)) return value;
  const what = key === '' ? 'no number' : `no line "${key.trim()}" with a number`;
  throw new ParseError(shown(file.path), what);
}

/** Hands what was read to a parser. @throws ParseError naming the file */
export function parsed<Value>(file: RootFile, parse: () => Value): Value {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new ParseError(shown(file.path), reasonOf(error), { cause: error });
  }
}
