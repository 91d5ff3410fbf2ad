// Over 200 lines: the only door to a root, and nothing of it is of use elsewhere.
import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  statfsSync,
  statSync,
} from 'node:fs';
import { ConfigError, codeOf, NOT_PERMITTED, NoDataError, systemCodeOf } from '../errors.ts';

/**
 * A file below the root whose descriptor is kept: reading it costs a third of opening it anew. What is
 * read lies in the buffer of its {@link RootFs} until the next reading.
 */
export interface RootFile {
  /** As users know it, without the root: `/proc/stat`. In latin1: a character is a byte of the name. */
  readonly path: string;
  /**
   * Reads the first `bytes`, at most 8 KiB, by one positional read. The kernel writes the whole file
   * anyway, but the rest is not copied. A line that is cut is left out: its number would be read as a
   * smaller one.
   *
   * @returns how many bytes there are
   * @throws NoDataError where the file cannot be read or is empty (masked); the next call tries anew
   */
  head(bytes: number): number;
  /** Reads all of it. @returns how many bytes there are @throws NoDataError like {@link head} */
  whole(): number;
  /** All of it as a text in latin1. @throws NoDataError like {@link head} */
  text(): string;
}

/** The only door to /proc, /sys and whatever else is below `--root`. */
export interface RootFs {
  readonly root: string;
  /** What was read last. It is another buffer after a larger file. */
  readonly buffer: Buffer;
  /** The file at `path` (absolute, without the root), opened at its first reading. */
  file(path: string): RootFile;
  /** A text read once, in latin1, with nothing kept; empty where it cannot be read. */
  text(path: string): string;
  /** Closes what is kept below a folder. */
  release(folder: string): void;
  /** Names in a folder, in latin1; none where it cannot be read. */
  list(path: string): readonly string[];
  /** What a symbolic link says; empty where there is none. */
  link(path: string): string;
  /** Whether there is anything at a path. */
  has(path: string): boolean;
  /** The same for the same file by whatever path; empty where it cannot be looked at. */
  identity(path: string): string;
  /** Why a path cannot be looked at, as a system code such as EACCES; empty where it can be. */
  refusal(path: string): string;
  /**
   * Space of the file system at a path, in bytes, as `df` reckons it. It blocks as long as that file
   * system does: only for local ones.
   *
   * @throws NoDataError
   */
  space(path: string): Space;
  close(): void;
}

/** Bytes in use, of bytes that there are. */
export interface Space {
  readonly used: number;
  readonly limit: number;
}

const LINE_FEED = 10;
/** Of the engine: what buffers have in its place goes a long way round. */
const { lastIndexOf } = Uint8Array.prototype;
/** Grows when a file fills it. /proc/stat is 40 kB on a machine with 192 CPUs. */
const FIRST_BUFFER_BYTES = 8 * 1024;
/** No file that we read is larger; a text beyond is cut. */
const LAST_BUFFER_BYTES = 4 * 1024 * 1024;

/** Names of control groups are any bytes: latin1 in, the same bytes out. */
function bytesOf(latin1: string): string | Buffer {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what is beyond ASCII is meant.
  return /^[\x00-\x7f]*$/.test(latin1) ? latin1 : Buffer.from(latin1, 'latin1');
}

/** A name of the kernel's, as people read it. */
export function shown(latin1: string): string {
  return Buffer.from(latin1, 'latin1').toString('utf8');
}

/** A name that somebody has typed, as the kernel writes it. */
export function typed(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

/**
 * @param isNeeded what cannot be read at all is an error at once
 * @throws ConfigError where `root` is not a folder
 */
export function openRootFs(root: string, isNeeded = true): RootFs {
  if (isNeeded) checkFolder(root);
  const base = typed(root === '/' ? '' : root.replace(/\/+$/, ''));
  const files = new Map<string, KeptFile>();
  const shared: Shared = { buffer: Buffer.allocUnsafeSlow(FIRST_BUFFER_BYTES) };
  const at = (path: string): string | Buffer => bytesOf(base + path || '/');
  const fileAt = (path: string): KeptFile => new KeptFile(path, at(path), shared);

  return {
    root,
    get buffer() {
      return shared.buffer;
    },
    file(path) {
      const file = files.get(path) ?? fileAt(path);
      files.set(path, file);
      return file;
    },
    text(path) {
      const file = fileAt(path);
      const whole = quietly(() => file.text(), '');
      file.forget();
      return whole;
    },
    release(folder) {
      for (const [path, file] of files) {
        if (!path.startsWith(`${folder}/`)) continue;
        file.forget();
        files.delete(path);
      }
    },
    list: (path) => quietly(() => readdirSync(at(path), 'latin1'), []),
    link: (path) => quietly(() => readlinkSync(at(path), 'latin1'), ''),
    has: (path) => quietly(() => existsSync(at(path)), false),
    identity: (path) =>
      quietly(() => {
        const { dev, ino } = statSync(at(path));
        return `${dev}:${ino}`;
      }, ''),
    refusal(path) {
      try {
        statSync(at(path));
        return '';
      } catch (error) {
        const code = systemCodeOf(error);
        if (code === undefined) throw error;
        return code;
      }
    },
    space: (path) => spaceOf(path, at(path)),
    close() {
      for (const file of files.values()) file.forget();
    },
  };
}

/** One buffer serves all files: what is wanted is taken out of it before the next is read. */
interface Shared {
  buffer: Buffer;
}

class KeptFile implements RootFile {
  readonly path: string;
  readonly #place: string | Buffer;
  readonly #shared: Shared;
  #fd: number | undefined;

  constructor(path: string, place: string | Buffer, shared: Shared) {
    this.path = path;
    this.#place = place;
    this.#shared = shared;
  }

  head(bytes: number): number {
    let count = 0;
    const { buffer } = this.#shared;
    try {
      this.#fd ??= openSync(this.#place, 'r');
      count = readSync(this.#fd, buffer, 0, bytes, 0);
    } catch (error) {
      throw this.#failed(error);
    }
    if (count === 0) throw this.#empty();
    return count < bytes ? count : lastIndexOf.call(buffer, LINE_FEED, count - 1) + 1;
  }

  /** Files of records (mountinfo) come in pieces of at most 4 KiB, so read until nothing comes. */
  whole(): number {
    const shared = this.#shared;
    let length = 0;
    while (length < LAST_BUFFER_BYTES) {
      if (length === shared.buffer.length) {
        shared.buffer = Buffer.concat([shared.buffer], shared.buffer.length * 2);
      }
      const count = this.#fill(length, shared.buffer.length - length);
      if (count === 0) break;
      length += count;
    }
    if (length === 0) throw this.#empty();
    return length;
  }

  text(): string {
    const length = this.whole();
    return this.#shared.buffer.toString('latin1', 0, length);
  }

  /** Closes what is kept; the next reading opens anew. */
  forget(): void {
    const fd = this.#fd;
    this.#fd = undefined;
    if (fd !== undefined) closeSync(fd);
  }

  #fill(from: number, bytes: number): number {
    try {
      this.#fd ??= openSync(this.#place, 'r');
      return readSync(this.#fd, this.#shared.buffer, from, bytes, from);
    } catch (error) {
      throw this.#failed(error);
    }
  }

  /** ENODEV: a cgroup that was removed under the kept descriptor. A fault of ours stays what it is. */
  #failed(error: unknown): unknown {
    const code = systemCodeOf(error);
    if (code === undefined) return error;
    this.forget();
    return new NoDataError(`${shown(this.path)}: ${code}`, { cause: error });
  }

  #empty(): NoDataError {
    return new NoDataError(`${shown(this.path)}: empty (masked by the container runtime?)`);
  }
}

/**
 * The whole of `/` is nobody's to ask for: what is read of it lies in /proc and /sys.
 *
 * @throws ConfigError with the system's code where it has one
 */
function checkFolder(root: string): void {
  const isOwn = root === '/';
  const problem = `got "${root}", expected a folder that holds proc/ and sys/`;
  let isFolder: boolean;
  try {
    isFolder = statSync(isOwn ? '/proc' : root).isDirectory();
  } catch (error) {
    const code = codeOf(error) ?? 'unreadable';
    if (code === NOT_PERMITTED) throw notPermitted(root, isOwn, error);
    // Not everywhere is there a /proc.
    if (isOwn) return;
    throw new ConfigError('--root', `${problem} (${code})`, { cause: error });
  }
  if (!isFolder) throw new ConfigError('--root', problem);
}

/** Node's permission model, or Deno's. What it says names no flag that would do. */
function notPermitted(root: string, isOwn: boolean, cause: unknown): ConfigError {
  const flags = (isOwn ? ['/proc', '/sys'] : [root]).map((path) => `--allow-fs-read=${path}`);
  const ofDeno = isOwn ? '--allow-all' : `--allow-read=${root}`;
  const problem = `do not let ${root} be read: node wants ${flags.join(' ')} as well, Deno ${ofDeno}`;
  return new ConfigError('permissions', problem, { cause });
}

/** What is not there, or not for us, is an answer and no fault. */
function quietly<Value>(read: () => Value, otherwise: Value): Value {
  try {
    return read();
  } catch (error) {
    if (systemCodeOf(error) === undefined && !(error instanceof NoDataError)) throw error;
    return otherwise;
  }
}

/** As df: what is reserved for root is neither used nor to be had. */
function spaceOf(path: string, place: string | Buffer): Space {
  try {
    const { bsize, blocks, bfree, bavail } = statfsSync(place);
    const used = (blocks - bfree) * bsize;
    return { used, limit: used + bavail * bsize };
  } catch (error) {
    const code = systemCodeOf(error);
    if (code === undefined) throw error;
    throw new NoDataError(`statfs ${shown(path)}: ${code}`, { cause: error });
  }
}
