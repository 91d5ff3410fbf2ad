import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { AwsError, ConfigError, codeOf, NOT_PERMITTED } from '../errors.ts';
import { remoteTypeOf } from './mounts.ts';

let isApart = false;

/** From now on every file is read by another process: a job must not wait for our disk. */
export function readFilesApart(): void {
  isApart = true;
}

/** A bound on memory: far more than any profile file, token or CA bundle (9,000 profiles are 1.5 MB). */
const MAX_BYTES = 16 * 1024 * 1024;
const { O_RDONLY, O_NONBLOCK } = constants;

/** A file that is there, but whose text cannot be had: which setting names it, and what is in the way. */
export class FileError extends ConfigError {
  constructor(setting: string, path: string, problem: string, options?: ErrorOptions) {
    super(setting, setting === path ? problem : `${path} ${problem}`, options);
  }
}

/**
 * The whole text of an ordinary file; nothing where there is none. A pipe or a folder in its place is
 * an error and no hang; `/dev/null` is how a shell says an empty file. Where a server that does not answer
 * may be behind the path, another process reads it, which can be killed.
 *
 * @param setting what names the file: a flag, a variable, or the path itself
 * @throws FileError with the path and the system's code, never with what the file holds
 */
export async function readText(path: string, setting: string = path): Promise<string | undefined> {
  if (path === '/dev/null') return '';
  const type = remoteTypeOf(path) ?? (isApart ? 'local' : undefined);
  if (type === undefined) return readHere(path, setting);
  const { readElsewhere } = await import('./remote.ts');
  const bytes = await readElsewhere(path, MAX_BYTES);
  if (bytes === 'unable') return readHere(path, setting);
  if (bytes === 'barred') {
    const problem = `is on ${type}, which another process has to read: start node with --allow-child-process`;
    throw new FileError(setting, path, problem);
  }
  if (bytes === 'silent') {
    throw new FileError(setting, path, `cannot be read: its file system (${type}) does not answer`);
  }
  return typeof bytes === 'string' ? whyNot(path, setting, bytes) : textOf(bytes);
}

/** As {@link readText}, for a file that must be there. */
export async function requireText(path: string, setting?: string): Promise<string> {
  const text = await readText(path, setting);
  if (text !== undefined) return text;
  throw new FileError(setting ?? path, path, 'is not there (ENOENT)');
}

/**
 * As {@link requireText}, for a token that something else renews: that it cannot be read just now is no
 * reason to drop what the last one gave.
 */
export async function readToken(path: string, setting: string): Promise<string> {
  try {
    return await requireText(path, setting);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new AwsError('TokenFile', error.message, { cause: error });
  }
}

function readHere(path: string, setting: string): string | undefined {
  let fd: number | undefined;
  try {
    // Without O_NONBLOCK the opening of a FIFO waits for somebody to write.
    fd = openSync(path, O_RDONLY | (O_NONBLOCK ?? 0));
    const stat = fstatSync(fd);
    if (!stat.isFile()) return whyNot(path, setting, kindOf(stat));
    if (stat.size > MAX_BYTES) return whyNot(path, setting, 'EFBIG');
    const buffer = Buffer.alloc(stat.size);
    return textOf(buffer.subarray(0, readSync(fd, buffer, 0, stat.size, 0)));
  } catch (error) {
    const code = codeOf(error);
    if (code === undefined || error instanceof ConfigError) throw error;
    return whyNot(path, setting, code, error);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

function textOf(bytes: Buffer): string {
  const text = bytes.toString('utf8');
  return text.startsWith('\uFEFF') ? text.slice(1) : text;
}

/** A kind of file as a code: the system has one for a folder alone. */
function kindOf(stat: { isDirectory(): boolean; isFIFO(): boolean; isSocket(): boolean }): string {
  if (stat.isDirectory()) return 'EISDIR';
  if (stat.isFIFO()) return 'FIFO';
  return stat.isSocket() ? 'SOCKET' : 'DEVICE';
}

const KINDS: Readonly<Record<string, string>> = {
  EISDIR: 'is a folder, expected an ordinary file',
  FIFO: 'is a named pipe, expected an ordinary file',
  SOCKET: 'is a socket, expected an ordinary file',
  DEVICE: 'is a device, expected an ordinary file',
  // Opening a socket.
  ENXIO: 'is a socket, expected an ordinary file',
  ELOOP: 'leads through links in a circle (ELOOP)',
  EFBIG: `is larger than ${MAX_BYTES} bytes`,
};

/** @returns nothing where there is no such file: ENOTDIR where HOME is /dev/null, as for some services */
function whyNot(path: string, setting: string, code: string, cause?: unknown): undefined {
  if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
  // By Node's permission model, and no setting names it: whoever chose the one did not want the other.
  if (code === NOT_PERMITTED && setting === path) return undefined;
  throw new FileError(setting, path, KINDS[code] ?? `cannot be read (${code})`, { cause });
}
