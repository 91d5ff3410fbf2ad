import { failure } from '../../../src/errors.ts';
import type { Disk } from '../../../src/spool/disk.ts';

interface File {
  text: string;
  /** So much of it survives the machine's end. */
  safe: number;
  modifiedMs: number;
}

/** A folder in memory that several processes share, and that a test makes full or ends. */
export class MemoryFolder {
  readonly files: Map<string, File> = new Map();
  isFull = false;
  /** All that writes fails by this code; by EIO all that reads as well. */
  broken: 'EROFS' | 'EIO' | undefined;
  #identity = 1;
  readonly #wallMs: () => number;
  #pending: Operation[] = [];
  #writes = 0;

  constructor(wallMs: () => number) {
    this.#wallMs = wallMs;
  }

  /** Nothing can happen now: what paused processes asked for waits. */
  get isIdle(): boolean {
    return !this.#pending.some(({ of }) => !of.isPaused);
  }

  /** A process asked for something that has not happened. */
  isBusy(of: MemoryDisk): boolean {
    return this.#pending.some((operation) => operation.of === of);
  }

  /** The view of one process. Operations happen only by {@link step}, in the order of their asking. */
  open(): MemoryDisk {
    return new MemoryDisk(this, this.#wallMs);
  }

  /** Lets the next operation happen. */
  step(): void {
    const at = this.#pending.findIndex(({ of }) => !of.isPaused);
    if (at >= 0) this.#pending.splice(at, 1)[0]?.run();
  }

  get identity(): string {
    return String(this.#identity);
  }

  /** Nothing can be written, or not everything. */
  get isFailing(): boolean {
    return this.isFull || this.broken !== undefined;
  }

  /** Somebody removes the files, and leaves the folder. */
  sweep(): void {
    this.files.clear();
  }

  /** Somebody removes the folder, and it is made again. */
  vanish(): void {
    this.files.clear();
    this.#identity += 1;
  }

  /** As a kernel stamps what is written: never the same time twice. */
  writtenMs(): number {
    this.#writes += 1;
    return this.#wallMs() + this.#writes / 1e6;
  }

  add(operation: Operation): void {
    this.#pending.push(operation);
  }

  /** A process ends; what it was about to do happens in part. */
  kill(of: MemoryDisk, part: number): void {
    this.#pending.find((operation) => operation.of === of)?.runHalf?.(part);
    this.#pending = this.#pending.filter((operation) => operation.of !== of);
  }

  /** The machine ends: what was not safe is there in part, or not at all. @param random as in Math */
  crash(random: () => number): void {
    for (const file of this.files.values()) {
      const unsafe = file.text.length - file.safe;
      file.text = file.text.slice(0, file.safe + Math.floor(random() * (unsafe + 1)));
    }
  }
}

interface Operation {
  readonly of: MemoryDisk;
  readonly run: () => void;
  /** Half of it, where a process may end in the middle. */
  readonly runHalf?: (part: number) => void;
}

export class MemoryDisk implements Disk {
  readonly #folder: MemoryFolder;
  readonly #wallMs: () => number;
  /** A file is to be touched; the answer is called when it was. */
  touching: () => () => void = () => () => undefined;
  /** Its process stands still. */
  isPaused = false;
  readonly #touched = new Set<string>();
  /** Files stay open under whatever name they have now. */
  readonly #open = new Map<string, File>();

  constructor(folder: MemoryFolder, wallMs: () => number) {
    this.#folder = folder;
    this.#wallMs = wallMs;
  }

  /** It has said of that file that it lives. */
  hasTouched(name: string): boolean {
    return this.#touched.has(name);
  }

  list(): Promise<readonly string[]> {
    return this.#do('read', () => [...this.#folder.files.keys()]);
  }

  identity(): Promise<string> {
    return this.#do('neither', () => this.#folder.identity);
  }

  read(name: string, most?: number): Promise<string> {
    return this.#do('read', () => this.#file(name).text.slice(0, most));
  }

  create(name: string): Promise<void> {
    return this.#do('write', () => {
      this.#needRoom();
      const file = { text: '', safe: 0, modifiedMs: this.#wallMs() };
      this.#folder.files.set(name, file);
      this.#open.set(name, file);
    });
  }

  append(name: string, text: string, isSafe: boolean): Promise<void> {
    const write = (part: string): void => {
      const file = this.#open.get(name) ?? this.#file(name);
      this.#open.set(name, file);
      file.text += part;
      file.modifiedMs = this.#folder.writtenMs();
    };
    return this.#do(
      'write',
      () => {
        if (this.#folder.isFull) write(text.slice(0, text.length / 2));
        this.#needRoom();
        write(text);
        const file = this.#open.get(name);
        if (isSafe && file !== undefined) file.safe = file.text.length;
      },
      (part) => {
        // Nothing, where the file is gone.
        if (this.#open.has(name) || this.#folder.files.has(name)) {
          write(text.slice(0, Math.floor(part * (text.length + 1))));
        }
      },
    );
  }

  truncate(name: string, bytes: number): Promise<void> {
    return this.#do('write', () => {
      const file = this.#open.get(name) ?? this.#file(name);
      file.text = file.text.slice(0, bytes);
      file.safe = Math.min(file.safe, bytes);
    });
  }

  rename(from: string, to: string): Promise<void> {
    return this.#do('write', () => {
      const file = this.#file(from);
      this.#open.delete(from);
      this.#folder.files.delete(from);
      this.#folder.files.set(to, file);
    });
  }

  remove(name: string): Promise<void> {
    return this.#do('write', () => {
      this.#file(name);
      this.#open.delete(name);
      this.#folder.files.delete(name);
    });
  }

  hold(name: string): Promise<void> {
    return this.#do('write', () => {
      this.#open.set(name, this.#open.get(name) ?? this.#file(name));
    });
  }

  drop(name: string): Promise<void> {
    return this.#do('neither', () => {
      this.#open.delete(name);
    });
  }

  touch(name: string, wallMs: number): Promise<void> {
    const touched = this.touching();
    return this.#do('write', () => {
      this.#file(name).modifiedMs = wallMs;
      this.#touched.add(name);
      touched();
    });
  }

  look(name: string): Promise<{ modifiedMs: number; bytes: number }> {
    return this.#do('read', () => {
      const { modifiedMs, text } = this.#file(name);
      return { modifiedMs, bytes: text.length };
    });
  }

  close(): Promise<void> {
    return this.#do('neither', () => this.#open.clear());
  }

  #file(name: string): File {
    const file = this.#folder.files.get(name);
    if (file === undefined) throw failure('ENOENT', `no such file: ${name}`);
    return file;
  }

  #needWell(kind: 'read' | 'write' | 'neither'): void {
    const { broken } = this.#folder;
    const fails = broken === 'EIO' ? kind !== 'neither' : kind === 'write';
    if (broken !== undefined && fails) throw failure(broken, 'the disk is broken');
  }

  #needRoom(): void {
    if (this.#folder.isFull) throw failure('ENOSPC', 'no space left');
  }

  #do<T>(
    kind: 'read' | 'write' | 'neither',
    work: () => T,
    half?: (part: number) => void,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      const run = (): void => {
        try {
          this.#needWell(kind);
          resolve(work());
        } catch (error) {
          reject(error);
        }
      };
      const more = half === undefined ? undefined : { runHalf: half };
      this.#folder.add({ of: this, run, ...more });
    });
  }
}
