import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';

/** File types of inode(7). */
const TYPES = { folder: 0o040000, file: 0o100000, link: 0o120000, device: 0o020000 };
/** The character device 5:1 is /dev/console. */
const CONSOLE = { major: 5, minor: 1 };

/** @see https://www.kernel.org/doc/html/latest/driver-api/early-userspace/buffer-format.html */
export class Archive {
  readonly #file: number;
  readonly #folders = new Set<string>();
  #inode = 1;

  constructor(path: string) {
    this.#file = openSync(path, 'w');
  }

  /** A file with this content, executable. */
  file(path: string, content: string | Buffer): void {
    this.#foldersOf(path);
    this.#entry(path, TYPES.file | 0o755, Buffer.from(content));
  }

  copy(path: string, source: string): void {
    this.file(path, readFileSync(source));
  }

  link(path: string, target: string): void {
    this.#foldersOf(path);
    this.#entry(path, TYPES.link | 0o777, Buffer.from(target));
  }

  folder(path: string): void {
    this.#foldersOf(`${path}/`);
  }

  /** Where the kernel connects the first program's standard streams. */
  console(): void {
    this.#foldersOf('/dev/console');
    this.#entry('/dev/console', TYPES.device | 0o600, Buffer.alloc(0), CONSOLE);
  }

  close(): void {
    this.#entry('/TRAILER!!!', 0, Buffer.alloc(0));
    closeSync(this.#file);
  }

  #foldersOf(path: string): void {
    for (let end = path.indexOf('/', 1); end !== -1; end = path.indexOf('/', end + 1)) {
      const folder = path.slice(0, end);
      if (this.#folders.has(folder)) continue;
      this.#folders.add(folder);
      this.#entry(folder, TYPES.folder | 0o755, Buffer.alloc(0));
    }
  }

  #entry(path: string, mode: number, content: Buffer, device = { major: 0, minor: 0 }): void {
    const name = Buffer.from(`${path.slice(1)}\0`);
    const [owner, group, links, time, major, minor, check] = [0, 0, 1, 0, 0, 0, 0];
    const fields = [
      ...[this.#inode, mode, owner, group, links, time, content.length],
      ...[major, minor, device.major, device.minor, name.length, check],
    ];
    this.#inode += 1;
    const hex = fields.map((field) => field.toString(16).padStart(8, '0'));
    this.#write(Buffer.concat([Buffer.from(`070701${hex.join('')}`), name]));
    this.#write(content);
  }

  /** Each part begins at a multiple of four. */
  #write(part: Buffer): void {
    writeSync(this.#file, part);
    writeSync(this.#file, Buffer.alloc(-part.length & 3));
  }
}
