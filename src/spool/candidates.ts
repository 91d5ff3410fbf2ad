import { codeOf, failure, reasonOf } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Disk } from './disk.ts';
import type { Orphan } from './owners.ts';
import { parseSegment } from './record.ts';
import { isGone } from './segments.ts';

export interface CandidatesOptions {
  readonly disk: Disk;
  readonly namespace: string;
  /** What is larger is not for this process. */
  readonly limitBytes: number;
  readonly log: Log;
}

/** What this process, or the machine, has none of at the moment. */
const SHORT = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN']);

/** What it is will not change. */
const NEVER = new Set(['EFBIG', 'EINVAL']);

/** It failed for want of something that any other segment would need as well. */
export function isShort(error: unknown): boolean {
  return SHORT.has(codeOf(error) ?? '');
}

/** Tells which orphans are something for this process. */
export class Candidates {
  readonly #options: CandidatesOptions;
  /** Segments that are nothing for this process, and never will be. */
  readonly #passed = new Set<string>();
  /** Segments of which it was said that they are left alone. */
  readonly #told = new Set<string>();
  /** When the first window of an orphan began, by its name: nobody writes it any more. */
  #starts = new Map<string, number>();
  #hasToldShort = false;

  constructor(options: CandidatesOptions) {
    this.#options = options;
  }

  /** Those of some orphans, the youngest first: each is put before those that are there. */
  async of(orphans: readonly Orphan[]): Promise<readonly Orphan[]> {
    const starts = new Map<string, number>();
    for (const { name } of orphans.filter((orphan) => !this.#passed.has(orphan.name))) {
      const known = this.#starts.get(name);
      const startMs = known ?? (await this.guarded(name, () => this.#startOf(name)));
      if (startMs === false) break;
      if (startMs !== undefined) starts.set(name, startMs);
    }
    this.#starts = starts;
    const startOf = ({ name }: Orphan): number => starts.get(name) ?? 0;
    return orphans
      .filter(({ name }) => starts.has(name))
      .sort((one, other) => startOf(other) - startOf(one));
  }

  /** One that was given back: nothing more is said of it. */
  renamed(name: string): void {
    this.#told.add(name);
  }

  /**
   * What cannot be read now is said once, and tried again; what is gone another process was faster to take.
   *
   * @returns false where it failed for want of something that the others would need as well
   */
  async guarded<T>(name: string, work: () => Promise<T>): Promise<T | false | undefined> {
    try {
      return await work();
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      if (isShort(error)) return this.#short(reasonOf(error));
      if (NEVER.has(codeOf(error) ?? '')) this.#passed.add(name);
      if (!isGone(error)) this.#tell(name, reasonOf(error));
      return undefined;
    }
  }

  #short(reason: string): false {
    const text = 'windows of another process wait on disk, they cannot be taken over now';
    this.#options.log[this.#hasToldShort ? 'debug' : 'warn'](text, { reason });
    this.#hasToldShort = true;
    return false;
  }

  #tell(name: string, reason: string): void {
    const level = this.#told.has(name) ? 'debug' : 'warn';
    this.#told.add(name);
    this.#options.log[level]('a segment of the spool is left alone', { name, reason });
  }

  async #startOf(name: string): Promise<number | undefined> {
    const { disk, namespace, limitBytes } = this.#options;
    const { bytes } = await disk.look(name);
    if (bytes > limitBytes) throw failure('EFBIG', `it has ${bytes} bytes, see --spool-limit`);
    const text = await disk.read(name);
    // Its owner died before the first line was whole, so that nothing of it was ever kept.
    if (!text.includes('\n')) {
      await disk.remove(name);
      return undefined;
    }
    const { publication, windows } = parseSegment(text);
    if (publication?.namespace === namespace) return windows[0]?.startMs ?? 0;
    this.#passed.add(name);
    this.#tell(name, publication ? 'it is of another namespace' : 'its head is damaged');
    return undefined;
  }
}
