// Over 200 lines: the only door to a host, and nothing of it is of use elsewhere.
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
import { join } from 'node:path';
import { ConfigError, codeOf, NoDataError } from '../errors.ts';
import type { Fill } from '../metrics/reading.ts';

/** A file below the root whose descriptor is kept: reading it costs a third of opening it anew. */
export interface HostFile {
  /** As users know it, without the root: `/proc/stat`. */
  readonly path: string;
  /**
   * The whole text as it is now, in latin1.
   *
   * @throws NoDataError where the file cannot be read or is empty (masked); the next call tries anew
   */
  read(): string;
  /**
   * The first lines that fit into `bytes`, by one positional read. The kernel writes the whole file
   * anyway, but the rest is neither copied nor decoded.
   *
   * @throws NoDataError like {@link read}
   */
  head(bytes: number): string;
}

/** The only door to /proc, /sys and whatever else is below `--root`. */
export interface Host {
  readonly root: string;
  /** The file at `path` (absolute, without the root), opened at its first reading. */
  file(path: string): HostFile;
  /** A text read once, in latin1, with nothing kept; empty where it cannot be read. */
  text(path: string): string;
  /** Closes what is kept below a folder. */
  release(folder: string): void;
  /** Names in a folder; none where it cannot be read. */
  list(path: string): readonly string[];
  /** What a symbolic link says; empty where there is none. */
  link(path: string): string;
  /** Whether there is anything at a path. */
  has(path: string): boolean;
  /** The same for the same file by whatever path; empty where it cannot be looked at. */
  identity(path: string): string;
  /**
   * Space of the file system at a path, in bytes, as `df` reckons it. It blocks as long as that file
   * system does: only for local ones.
   *
   * @throws NoDataError
   */
  fileSystem(path: string): Fill;
  close(): void;
}

/** Grows when a file fills it. /proc/stat is 40 kB on a machine with 192 CPUs. */
const FIRST_BUFFER_BYTES = 8 * 1024;
/** No file that we read is larger; a text beyond is cut. */
const LAST_BUFFER_BYTES = 4 * 1024 * 1024;

/** @throws ConfigError where `root` is not a folder */
export function openHost(root: string): Host {
  checkFolder(root);
  const files = new Map<string, KeptFile>();
  const scratch: Scratch = { buffer: Buffer.allocUnsafeSlow(FIRST_BUFFER_BYTES) };
  const fileAt = (path: string): KeptFile => new KeptFile(path, join(root, path), scratch);

  return {
    root,
    file(path) {
      const file = files.get(path) ?? fileAt(path);
      files.set(path, file);
      return file;
    },
    text(path) {
      const file = fileAt(path);
      const whole = quietly(() => file.read(), '');
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
    list: (path) => quietly(() => readdirSync(join(root, path)), []),
    link: (path) => quietly(() => readlinkSync(join(root, path)), ''),
    has: (path) => existsSync(join(root, path)),
    identity: (path) =>
      quietly(() => {
        const { dev, ino } = statSync(join(root, path));
        return `${dev}:${ino}`;
      }, ''),
    fileSystem: (path) => spaceOf(join(root, path)),
    close() {
      for (const file of files.values()) file.forget();
    },
  };
}

/** One buffer serves all files: a text is taken out of it before the next is read. */
interface Scratch {
  buffer: Buffer;
}

class KeptFile implements HostFile {
  readonly path: string;
  readonly #place: string;
  readonly #scratch: Scratch;
  #fd: number | undefined;

  constructor(path: string, place: string, scratch: Scratch) {
    this.path = path;
    this.#place = place;
    this.#scratch = scratch;
  }

  /** Files of records (mountinfo) come in pieces of at most 4 KiB, so read until nothing comes. */
  read(): string {
    const scratch = this.#scratch;
    let length = 0;
    for (;;) {
      const { buffer } = scratch;
      if (length === LAST_BUFFER_BYTES) break;
      if (length === buffer.length) scratch.buffer = Buffer.concat([buffer], buffer.length * 2);
      const count = this.#fill(length, scratch.buffer.length - length);
      if (count === 0) break;
      length += count;
    }
    return this.#text(length);
  }

  head(bytes: number): string {
    const lines = this.#text(this.#fill(0, Math.min(bytes, this.#scratch.buffer.length)));
    return lines.length < bytes ? lines : lines.slice(0, lines.lastIndexOf('\n') + 1);
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
      return readSync(this.#fd, this.#scratch.buffer, from, bytes, from);
    } catch (error) {
      // ENODEV: a cgroup that was removed under the kept descriptor.
      this.forget();
      throw new NoDataError(`${this.path}: ${codeOf(error) ?? 'unreadable'}`, { cause: error });
    }
  }

  #text(length: number): string {
    if (length > 0) return this.#scratch.buffer.toString('latin1', 0, length);
    throw new NoDataError(`${this.path}: empty (masked by the container runtime?)`);
  }
}

/** @throws ConfigError with the system's code where it has one */
function checkFolder(root: string): void {
  const problem = `got "${root}", expected a folder that holds proc/ and sys/`;
  let isFolder: boolean;
  try {
    isFolder = statSync(root).isDirectory();
  } catch (error) {
    throw new ConfigError('--root', `${problem} (${codeOf(error) ?? 'unreadable'})`, {
      cause: error,
    });
  }
  if (!isFolder) throw new ConfigError('--root', problem);
}

/** What is not there, or not for us, is an answer and no fault. */
function quietly<Value>(read: () => Value, otherwise: Value): Value {
  try {
    return read();
  } catch (error) {
    if (codeOf(error) === undefined && !(error instanceof NoDataError)) throw error;
    return otherwise;
  }
}

/** As df: what is reserved for root is neither used nor to be had. */
function spaceOf(path: string): Fill {
  try {
    const { bsize, blocks, bfree, bavail } = statfsSync(path);
    const used = (blocks - bfree) * bsize;
    return { used, limit: used + bavail * bsize };
  } catch (error) {
    throw new NoDataError(`statfs ${path}: ${codeOf(error) ?? 'failed'}`, { cause: error });
  }
}
