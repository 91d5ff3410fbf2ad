import { type Clock, within } from '../clock.ts';
import { elapsedSince, type Instant, instantOf } from './instant.ts';
import { BEAT_MS } from './owners.ts';

/** What beats. */
export interface Beats {
  /** There is something by which others could see it. */
  isNeeded(): boolean;
  /** Tells others that this process lives, and finds out whether they believe it. */
  beat(): Promise<void>;
  failed(error: unknown): void;
}

/**
 * Tells others that this process lives. It does not wait for anything else that is under way: where the disk
 * is slow, it is the first thing to be asked.
 */
export class Heartbeat {
  readonly #clock: Clock;
  readonly #beats: Beats;
  /** When all was last known to be this process's own. */
  #verified: Instant | undefined;
  #beating: Promise<void> | undefined;
  /** The disk has not answered the last look in time, and still has not. */
  #isSilent = false;
  #cancel: (() => void) | undefined;
  #isStopped = false;

  constructor(clock: Clock, beats: Beats) {
    this.#clock = clock;
    this.#beats = beats;
  }

  /** From now on every few seconds, as long as it is needed. */
  keep(): void {
    if (this.#cancel !== undefined || this.#isStopped || !this.#beats.isNeeded()) return;
    this.#verified = instantOf(this.#clock);
    this.#next();
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancel?.();
  }

  /** When the one that is under way is done. */
  async rest(): Promise<void> {
    await this.#beating;
  }

  /** Looks at what is still its own, where it may not be, for as long as that takes. */
  async verifyOwnership(): Promise<void> {
    if (this.#isDoubtful) await this.#beat();
  }

  /** As {@link verifyOwnership}, but where the disk does not answer or fails it is left at that. */
  async verifyOwnershipWithin(patienceMs: number): Promise<void> {
    while (this.#isDoubtful && !this.#isSilent) {
      const begunMs = this.#clock.monoMs();
      const isHeard = await within(this.#clock, patienceMs, this.#beat());
      // A patience that lasted much longer ended with the process standing still: it says nothing of the disk.
      if (this.#clock.monoMs() - begunMs > 2 * patienceMs) continue;
      this.#isSilent = !isHeard;
      return;
    }
  }

  /** The last beat is so old that others may soon stop believing in it. */
  get #isDoubtful(): boolean {
    return this.#beats.isNeeded() && elapsedSince(this.#clock, this.#verified) >= 2 * BEAT_MS;
  }

  #next(): void {
    this.#cancel = this.#clock.after(BEAT_MS, () => {
      this.#cancel = undefined;
      if (!this.#beats.isNeeded() || this.#isStopped) return;
      this.#beat();
      this.#next();
    });
  }

  #beat(): Promise<void> {
    this.#beating ??= this.#reportAlive().finally(() => {
      this.#beating = undefined;
      this.#isSilent = false;
    });
    return this.#beating;
  }

  async #reportAlive(): Promise<void> {
    const now = instantOf(this.#clock);
    try {
      await this.#beats.beat();
      this.#verified = now;
    } catch (error) {
      this.#beats.failed(error);
    }
  }
}
