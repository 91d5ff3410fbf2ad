import { codeOf } from '../errors.ts';
import { Candidates, isShort } from './candidates.ts';
import type { Look } from './disk.ts';
import type { SpoolOptions } from './options.ts';
import { type Orphan, Owners, signOf, WATCH_MS } from './owners.ts';
import { parseSegment } from './record.ts';
import { isAbsent, type Segment, type Segments } from './segments.ts';

/** A few are enough to be getting on with; each is held open. */
const MOST_SEGMENTS = 64;

/** A segment that was claimed, though its owner gave a last sign of life, or the disk failed then. */
interface Probation {
  readonly segment: Segment;
  readonly untilMs: number;
}

/** Takes over the segments of processes that are dead, as far as there is room for them. */
export class Adoption {
  readonly #options: SpoolOptions;
  readonly #segments: Segments;
  readonly #owners: Owners;
  /** Looks again; what was there to be watched may be dead by then. */
  readonly #again: () => void;
  readonly #candidates: Candidates;
  /** There was no room for an orphan while the windows took so much. */
  #fullBytes = Number.POSITIVE_INFINITY;
  #cancelWatch: (() => void) | undefined;
  #probations: readonly Probation[] = [];
  #hasMore = false;

  constructor(options: SpoolOptions, segments: Segments, again: () => void) {
    this.#options = options;
    this.#segments = segments;
    this.#again = again;
    this.#owners = new Owners(options.disk, options.owner, options.clock);
    this.#candidates = new Candidates(options);
  }

  close(): void {
    this.#cancelWatch?.();
  }

  /** Orphans wait until this process is done with some of those that it took. */
  get hasMore(): boolean {
    return this.#hasMore && this.#segments.all.length < MOST_SEGMENTS / 2;
  }

  /** @param mayGoOn asked before each one */
  async run(mayGoOn: () => boolean): Promise<void> {
    const { clock, pending } = this.#options;
    const orphans = await this.#owners.orphans();
    // Without more room than when there was none, a look at them is for nothing.
    const mayFit = pending.bytes < this.#fullBytes;
    const candidates = mayFit ? this.#candidates.of(orphans) : [];
    await this.#endProbations();
    this.#hasMore = false;
    for (const orphan of candidates) {
      if (!mayGoOn()) return;
      this.#hasMore = this.#segments.all.length >= MOST_SEGMENTS;
      if (this.#hasMore) break;
      const isTaken = await this.#candidates.guarded(orphan.name, () => this.#takeOver(orphan));
      if (isTaken === false) break;
    }
    this.#cancelWatch?.();
    const isWatching = (this.#owners.isWatching || this.#probations.length > 0) && mayGoOn();
    this.#cancelWatch = isWatching ? clock.after(WATCH_MS, this.#again) : undefined;
  }

  /** @returns false where there is no room, so that none of the others needs to be tried */
  async #takeOver({ name, look }: Orphan): Promise<boolean> {
    const bytes = await this.#candidates.bytesOf(name);
    if (bytes === undefined) return true;
    if (bytes >= this.#segments.room) return this.#noRoom();
    return this.#takeIn(await this.#segments.claim(name), look);
  }

  /** @param look how it was when its owner was found dead */
  async #takeIn(segment: Segment, look: Look | undefined): Promise<boolean> {
    try {
      return await this.#read(segment, look);
    } catch (error) {
      if (isAbsent(error)) throw error;
      // It has this process's name by now, by which nobody else would ever take it.
      await this.#giveBack(segment, isShort(error));
      throw error;
    }
  }

  /** @param isSilent nothing was said of it */
  async #giveBack(segment: Segment, isSilent: boolean): Promise<void> {
    try {
      const left = await this.#segments.giveBack(segment);
      if (!isSilent) this.#candidates.renamed(left);
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      // The disk fails altogether: once more, when that may be over.
      this.#tryLater(segment);
    }
  }

  #tryLater(segment: Segment): void {
    const untilMs = this.#options.clock.monoMs() + WATCH_MS;
    this.#probations = [...this.#probations, { segment, untilMs }];
  }

  async #read(segment: Segment, look: Look | undefined): Promise<boolean> {
    const { clock, log, adopt } = this.#options;
    const text = await this.#readQuiet(segment, look);
    if (text === undefined) {
      // Its owner finds out within a beat that it is gone, and what it still says of it stands here.
      this.#tryLater(segment);
      return true;
    }
    const { head, windows, damaged } = parseSegment(text);
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
    if (head === undefined || !adopt(adopted, head.publication)) {
      await this.#segments.giveBack(segment);
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
      await this.#candidates.guarded(segment.name, () => this.#takeIn(segment, undefined));
    }
  }

  #noRoom(): false {
    const { pending, log } = this.#options;
    if (this.#fullBytes === Number.POSITIVE_INFINITY) {
      log.warn('windows of another process wait on disk: there is no room for them', {
        remedy: 'raise --buffer or --spool-limit',
      });
    }
    this.#fullBytes = pending.bytes;
    return false;
  }
}
