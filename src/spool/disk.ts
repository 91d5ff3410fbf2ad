import { constants } from 'node:fs';
import {
  type FileHandle,
  mkdir,
  open,
  readdir,
  rename,
  stat,
  unlink,
  utimes,
} from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf, failure, NOT_PERMITTED } from '../errors.ts';

/** When a file was last written or touched, and how long it is. */
export interface Look {
  readonly modifiedMs: number;
  readonly bytes: number;
}

/** The one folder of a spool. All of it may reject with the system's error. */
export interface Disk {
  /** The names in it. */
  list(): Promise<readonly string[]>;
  /** Tells this folder from one that is made in its place; empty where there is none. */
  identity(): Promise<string>;
  /** A file's text; where `most` is given, that of so many bytes from its beginning. */
  read(name: string, most?: number): Promise<string>;
  /** Makes a file that is not there yet; its name is on disk when it resolves. */
  create(name: string): Promise<void>;
  /** @param isSafe the text is on disk when it resolves, and not only with the system */
  append(name: string, text: string, isSafe: boolean): Promise<void>;
  /** Cuts a file to its first bytes. */
  truncate(name: string, bytes: number): Promise<void>;
  /** The old name must be there; that of another process may be gone meanwhile (ENOENT). */
  rename(from: string, to: string): Promise<void>;
  remove(name: string): Promise<void>;
  /** Holds a file open, so that it can be written whatever becomes of its name. */
  hold(name: string): Promise<void>;
  /** Holds it open no longer. */
  drop(name: string): Promise<void>;
  /** Says that its owner lives. ENOENT where it was taken away. */
  touch(name: string, wallMs: number): Promise<void>;
  look(name: string): Promise<Look>;
  /** Gives back what it holds open. */
  close(): Promise<void>;
}

/** Figures that say what a service does are nobody's business but the user's. */
const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;
/** Some file systems cannot, and some need not; Node's permission model forbids it altogether from 26 on. */
const UNABLE = new Set(['EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', NOT_PERMITTED]);

async function whereAble(syncing: Promise<void>): Promise<void> {
  try {
    await syncing;
  } catch (error) {
    if (!UNABLE.has(codeOf(error) ?? '')) throw error;
  }
}

/** A folder of this machine, made where it is missing. Nothing is done before the first call. */
export function openDisk(folder: string): Disk {
  const handles = new Map<string, FileHandle>();
  const pathOf = (name: string): string => join(folder, name);

  async function handleOf(name: string): Promise<FileHandle> {
    const known = handles.get(name);
    if (known !== undefined) return known;
    // Not created here: what another process took away stays away.
    const handle = await open(pathOf(name), constants.O_WRONLY | constants.O_APPEND);
    handles.set(name, handle);
    return handle;
  }

  async function forget(name: string): Promise<void> {
    const handle = handles.get(name);
    handles.delete(name);
    await handle?.close();
  }

  async function syncFolder(): Promise<void> {
    const directory = await open(folder, 'r');
    try {
      await whereAble(directory.sync());
    } finally {
      await directory.close();
    }
  }

  return {
    async list() {
      await mkdir(folder, { recursive: true, mode: FOLDER_MODE });
      return readdir(folder);
    },
    async identity() {
      try {
        const { dev, ino, birthtimeMs } = await stat(folder);
        return `${dev} ${ino} ${birthtimeMs}`;
      } catch (error) {
        if (codeOf(error) === 'ENOENT') return '';
        throw error;
      }
    },
    async read(name, most) {
      // Without O_NONBLOCK the opening of a FIFO waits for somebody to write.
      const handle = await open(pathOf(name), constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
      try {
        const isFile = (await handle.stat()).isFile();
        if (!isFile) throw failure('EINVAL', 'expected an ordinary file, got another kind');
        if (most === undefined) return await handle.readFile('utf8');
        const { bytesRead, buffer } = await handle.read(Buffer.alloc(most), 0, most, 0);
        return buffer.toString('utf8', 0, bytesRead);
      } finally {
        await handle.close();
      }
    },
    async create(name) {
      await mkdir(folder, { recursive: true, mode: FOLDER_MODE });
      handles.set(name, await open(pathOf(name), 'ax', FILE_MODE));
      try {
        await syncFolder();
      } catch (error) {
        await this.remove(name);
        throw error;
      }
    },
    async append(name, text, isSafe) {
      const handle = await handleOf(name);
      await handle.appendFile(text);
      if (isSafe) await whereAble(handle.datasync());
    },
    async truncate(name, bytes) {
      const handle = await handleOf(name);
      await handle.truncate(bytes);
    },
    async rename(from, to) {
      await forget(from);
      await rename(pathOf(from), pathOf(to));
    },
    async remove(name) {
      // Where it is not there any more, it stays open: its heir may be told something by that.
      await unlink(pathOf(name));
      await forget(name);
    },
    async hold(name) {
      await handleOf(name);
    },
    drop: forget,
    touch: (name, wallMs) => utimes(pathOf(name), wallMs / 1000, wallMs / 1000),
    async look(name) {
      const { mtimeMs: modifiedMs, size: bytes } = await stat(pathOf(name));
      return { modifiedMs, bytes };
    },
    async close() {
      for (const name of [...handles.keys()]) await forget(name);
    },
  };
}
