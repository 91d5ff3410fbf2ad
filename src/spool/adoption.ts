import type { Clock } from '../clock.ts';
import { codeOf, reasonOf } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Disk, Look } from './disk.ts';
import { type Orphan, Owners, signOf, WATCH_MS } from './owners.ts';
import { parseSegment } from './record.ts';
import type { Segment, Segments } from './segments.ts';
import type { Mirrored } from './spool.ts';

export interface AdoptionOptions {
  readonly disk: Disk;
  readonly limitBytes: number;
  readonly owner: string;
  readonly namespace: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly mirrored: Mirrored;
}

/** An orphan that may be taken over, and the first of its windows. */
interface Candidate {
  readonly orphan: Orphan;
  readonly startMs: number;
}

/** A segment that was claimed, though its owner gave a last sign of life. */
interface Probation {
  readonly segment: Segment;
  readonly untilMs: number;
}

/** Takes over the segments of processes that are dead, as far as there is room for them. */
export class Adoption {
  readonly #options: AdoptionOptions;
  readonly #segments: Segments;
  readonly #owners: Owners;
  /** Looks again; what was there to be watched may be dead by then. */
  readonly #again: () => void;
  /** Segments that are nothing for this process: said once. */
  readonly #passed = new Set<string>();
  /** There was no room for an orphan while the windows took so much. */
  #fullBytes = Number.POSITIVE_INFINITY;
  #cancelWatch: (() => void) | undefined;
  #probations: readonly Probation[] = [];

  constructor(options: AdoptionOptions, segments: Segments, again: () => void) {
    this.#options = options;
    this.#segments = segments;
    this.#again = again;
    this.#owners = new Owners(options.disk, options.owner, options.clock);
  }

  close(): void {
    this.#cancelWatch?.();
  }

  /** @param mayGoOn asked before each one */
  async run(mayGoOn: () => boolean): Promise<void> {
    const { clock, mirrored } = this.#options;
    const orphans = (await this.#owners.orphans()).filter(({ name }) => !this.#passed.has(name));
    // Without more room than when there was none, a look at them is for nothing.
    const mayFit = mirrored.bytes < this.#fullBytes;
    const candidates = orphans.length > 0 && mayFit ? await this.#candidates(orphans) : [];
    await this.#endProbations();
    for (const { orphan } of candidates) {
      if (!mayGoOn()) return;
      const isTaken = await this.#guarded(orphan.name, () => this.#takeOver(orphan));
      if (isTaken === false) break;
    }
    this.#cancelWatch?.();
    const isWatching = (this.#owners.isWatching || this.#probations.length > 0) && mayGoOn();
    this.#cancelWatch = isWatching ? clock.after(WATCH_MS, this.#again) : undefined;
  }

  /** The youngest first: each is put before those that are there. */
  async #candidates(orphans: readonly Orphan[]): Promise<readonly Candidate[]> {
    const candidates: Candidate[] = [];
    for (const orphan of orphans) {
      const startMs = await this.#guarded(orphan.name, () => this.#startOf(orphan.name));
      if (startMs !== undefined) candidates.push({ orphan, startMs });
    }
    return candidates.sort((one, other) => other.startMs - one.startMs);
  }

  /** What cannot be read is passed by, and said once; what is gone another process was faster to take. */
  async #guarded<T>(name: string, work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      const code = codeOf(error);
      if (code === undefined) throw error;
      if (code !== 'ENOENT') this.#pass(name, reasonOf(error));
      return undefined;
    }
  }

  #pass(name: string, reason: string): void {
    this.#passed.add(name);
    this.#options.log.warn('a segment of the spool is left alone', { name, reason });
  }

  /** The start of an orphan's first window; nothing where it is none for this process. */
  async #startOf(name: string): Promise<number | undefined> {
    const { disk, namespace } = this.#options;
    const text = await disk.read(name);
    // Its owner died before the first line was whole, so that nothing of it was ever kept.
    if (!text.includes('\n')) {
      await disk.remove(name);
      return undefined;
    }
    const { publication, windows } = parseSegment(text);
    if (publication?.namespace === namespace) return windows[0]?.startMs ?? 0;
    this.#pass(name, publication ? 'it is of another namespace' : 'its head is damaged');
    return undefined;
  }

  /** @returns false where there is no room, so that none of the others needs to be tried */
  async #takeOver({ name, look }: Orphan): Promise<boolean> {
    const { disk, limitBytes } = this.#options;
    const { bytes } = await disk.look(name);
    if (this.#segments.bytes + bytes > limitBytes) return this.#noRoom();
    return this.#takeIn(await this.#segments.claim(name), look);
  }

  /** @param look how it was when its owner was found dead */
  async #takeIn(segment: Segment, look: Look | undefined): Promise<boolean> {
    const { clock, log, mirrored } = this.#options;
    const text = await this.#readQuiet(segment, look);
    if (text === undefined) {
      // Its owner finds out within a beat that it is gone, and what it still says of it stands here.
      const probation = { segment, untilMs: clock.monoMs() + WATCH_MS };
      this.#probations = [...this.#probations, probation];
      return true;
    }
    const { publication, windows, damaged } = parseSegment(text);
    segment.bytes = Buffer.byteLength(text);
    segment.records = Math.max(0, ...windows.map(({ record }) => record));
    segment.live = windows.length;
    segment.isTorn = true;
    // At last, since it may have taken so long that another process claimed it in turn.
    await this.#segments.confirm(segment);
    const [monoMs, wallMs] = [clock.monoMs(), clock.wallMs()];
    const adopted = windows.map((window) => ({
      ...window,
      segment: segment.number,
      bornMs: monoMs - Math.max(0, wallMs - window.startMs),
    }));
    if (publication === undefined || !mirrored.adopt(adopted, publication)) {
      this.#segments.forget(segment);
      await this.#segments.leave(segment);
      return this.#noRoom();
    }
    const fields = { windows: windows.length, damagedLines: damaged };
    log[damaged > 0 ? 'warn' : 'info']('windows of another process are taken over', fields);
    this.#fullBytes = Number.POSITIVE_INFINITY;
    await this.#segments.tidy(segment);
    return true;
  }

  /** The text of a claimed segment; nothing where somebody wrote or touched it meanwhile. */
  async #readQuiet({ name }: Segment, look: Look | undefined): Promise<string | undefined> {
    const { disk } = this.#options;
    const before = await disk.look(name);
    if (look !== undefined && signOf(look) !== signOf(before)) return undefined;
    const text = await disk.read(name);
    return signOf(before) === signOf(await disk.look(name)) ? text : undefined;
  }

  async #endProbations(): Promise<void> {
    const nowMs = this.#options.clock.monoMs();
    const due = this.#probations.filter(({ untilMs }) => untilMs <= nowMs);
    this.#probations = this.#probations.filter(({ untilMs }) => untilMs > nowMs);
    for (const { segment } of due) {
      await this.#guarded(segment.name, () => this.#takeIn(segment, undefined));
    }
  }

  #noRoom(): false {
    const { mirrored, log } = this.#options;
    if (this.#fullBytes === Number.POSITIVE_INFINITY) {
      log.warn('windows of another process wait on disk: there is no room for them', {
        remedy: 'raise --buffer or --spool-limit',
      });
    }
    this.#fullBytes = mirrored.bytes;
    return false;
  }
}
