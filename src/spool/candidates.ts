import { codeOf, failure, reasonOf } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Disk } from './disk.ts';
import { parseName } from './names.ts';
import type { Orphan } from './owners.ts';
import { parseHead } from './record.ts';
import { isAbsent } from './segments.ts';

export interface CandidatesOptions {
  readonly disk: Disk;
  readonly output: string;
  readonly namespace: string;
  /** What is larger is not for this process. */
  readonly limitBytes: number;
  readonly log: Log;
}

/** What this process, or the machine, has none of at the moment. */
const SHORT = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN']);

/** No head is longer: thirty dimensions, even if each of their characters had to be escaped. */
const HEAD_BYTES = 128 * 1024;

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
  readonly #reported = new Set<string>();
  #hasReportedShort = false;

  constructor(options: CandidatesOptions) {
    this.#options = options;
  }

  /** Those of some orphans, the youngest first: each is put before those that are there. */
  of(orphans: readonly Orphan[]): readonly Orphan[] {
    const startOf = ({ name }: Orphan): number => parseName(name)?.startMs ?? 0;
    return orphans
      .filter(({ name }) => !this.#passed.has(name))
      .sort((one, other) => startOf(other) - startOf(one));
  }

  /** How many bytes one has that is for this process; nothing where it is not. */
  async bytesOf(name: string): Promise<number | undefined> {
    const { disk, namespace, limitBytes } = this.#options;
    const { bytes } = await disk.look(name);
    if (bytes > limitBytes) throw failure('EFBIG', `it has ${bytes} bytes, see --spool-limit`);
    const text = await disk.read(name, HEAD_BYTES);
    // Its owner died before the first line was whole, so that nothing of it was ever kept.
    if (bytes < HEAD_BYTES && !text.includes('\n')) {
      await disk.remove(name);
      return undefined;
    }
    const head = parseHead(text);
    const isOurs = head?.output === this.#options.output;
    if (isOurs && head.publication.namespace === namespace) return bytes;
    this.#passed.add(name);
    if (head === undefined) this.#report(name, 'its head is damaged');
    else if (isOurs) this.#report(name, 'it is of another namespace');
    // That one may be here as well, and take it.
    else this.#report(name, `it is of the output ${head.output}`, 'info');
    return undefined;
  }

  /** One that was given back: nothing more is said of it. */
  renamed(name: string): void {
    this.#reported.add(name);
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
      if (!isAbsent(error)) this.#report(name, reasonOf(error));
      return undefined;
    }
  }

  #short(reason: string): false {
    const text = 'windows of another process wait on disk, they cannot be taken over now';
    this.#options.log[this.#hasReportedShort ? 'debug' : 'warn'](text, { reason });
    this.#hasReportedShort = true;
    return false;
  }

  #report(name: string, reason: string, first: 'warn' | 'info' = 'warn'): void {
    const level = this.#reported.has(name) ? 'debug' : first;
    this.#reported.add(name);
    this.#options.log[level]('a segment of the spool is left alone', { name, reason });
  }
}
