import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { AwsError, ConfigError, codeOf } from '../errors.ts';

/** Far more than any profile file, token or CA bundle. */
const MAX_BYTES = 1024 * 1024;
const { O_RDONLY, O_NONBLOCK } = constants;

/**
 * The whole text of an ordinary file; nothing where there is none. A pipe or a folder in its place is
 * an error and no hang; `/dev/null` is how a shell says an empty file.
 *
 * @throws ConfigError with the path and the system's code, never with what the file holds
 */
export function readText(path: string): string | undefined {
  if (path === '/dev/null') return '';
  let fd: number | undefined;
  try {
    // Without O_NONBLOCK the opening of a FIFO waits for somebody to write.
    fd = openSync(path, O_RDONLY | (O_NONBLOCK ?? 0));
    const { size } = checked(path, fd);
    const buffer = Buffer.alloc(size);
    const text = buffer.toString('utf8', 0, readSync(fd, buffer, 0, size, 0));
    return text.startsWith('\uFEFF') ? text.slice(1) : text;
  } catch (error) {
    const code = codeOf(error);
    if (code === undefined) throw error;
    // ENOTDIR: HOME is /dev/null, as for some services.
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new ConfigError(path, `cannot be read (${code})`, { cause: error });
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** As {@link readText}, for a file that must be there. */
export function requireText(path: string): string {
  const text = readText(path);
  if (text === undefined) throw new ConfigError(path, 'there is no such file (ENOENT)');
  return text;
}

/**
 * As {@link requireText}, for a token that something else renews: that it cannot be read just now is no
 * reason to drop what the last one gave.
 */
export function readToken(path: string): string {
  try {
    return requireText(path);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new AwsError('TokenFile', error.message, { cause: error });
  }
}

function checked(path: string, fd: number): { size: number } {
  const stat = fstatSync(fd);
  if (!stat.isFile()) throw new ConfigError(path, 'expected an ordinary file, got another kind');
  if (stat.size > MAX_BYTES) {
    throw new ConfigError(path, `got ${stat.size} bytes, expected at most ${MAX_BYTES}`);
  }
  return stat;
}
