import type { Clock } from '../clock.ts';
import { codeOf } from '../errors.ts';
import type { Disk, Look } from './disk.ts';
import { parseName } from './names.ts';

/** How often an owner says that it lives. */
export const BEAT_MS = 5000;
/**
 * An owner that gave no sign for so long, between two looks, is dead. How old a file is by the clock says
 * less: the clock may have been set, or the disk may have stood still.
 */
export const WATCH_MS: number = 4 * BEAT_MS;

/** A segment whose owner is dead, as it was seen when that was found out. */
export interface Orphan {
  readonly name: string;
  /** Nothing where its owner ended in good order. */
  readonly look: Look | undefined;
}

interface Seen {
  readonly sign: string;
  readonly sinceMs: number;
}

/**
 * Tells which segments in a folder nobody owns any more. Owners are told apart by their names alone: in
 * containers every process is number 1, and Node has no locks.
 */
export class Owners {
  readonly #clock: Clock;
  readonly #disk: Disk;
  readonly #own: string;
  #seen = new Map<string, Seen>();

  constructor(disk: Disk, own: string, clock: Clock) {
    this.#clock = clock;
    this.#disk = disk;
    this.#own = own;
  }

  /** There are segments of others, of which time will tell. */
  get isWatching(): boolean {
    return this.#seen.size > 0;
  }

  /** Segments whose owners are dead. */
  async orphans(): Promise<readonly Orphan[]> {
    const seen = new Map<string, Seen>();
    const orphans: Orphan[] = [];
    for (const [owner, theirs] of groupedByOwner(await this.#disk.list())) {
      if (owner === this.#own) continue;
      if (owner === undefined) {
        orphans.push(...theirs.map((name) => ({ name, look: undefined })));
        continue;
      }
      // From after one look to before another: a disk may stand still in the middle of either.
      const askedMs = this.#clock.monoMs();
      const found = await this.#lookAt(theirs);
      const sign = found.map(({ look }) => signOf(look)).join(', ');
      const before = this.#seen.get(owner);
      const sinceMs = before?.sign === sign ? before.sinceMs : this.#clock.monoMs();
      if (askedMs - sinceMs >= WATCH_MS) orphans.push(...found);
      else seen.set(owner, { sign, sinceMs });
    }
    this.#seen = seen;
    return orphans;
  }

  /** What is gone meanwhile is no matter. */
  async #lookAt(names: readonly string[]): Promise<readonly (Orphan & { look: Look })[]> {
    const found: (Orphan & { look: Look })[] = [];
    for (const name of names) {
      try {
        found.push({ name, look: await this.#disk.look(name) });
      } catch (error) {
        if (codeOf(error) !== 'ENOENT') throw error;
      }
    }
    return found;
  }
}

/** What changes with each sign of life. */
export function signOf({ modifiedMs, bytes }: Look): string {
  return `${modifiedMs} ${bytes}`;
}

/** Segments by their owner, those of nobody under none. */
function groupedByOwner(names: readonly string[]): Map<string | undefined, string[]> {
  const owners = new Map<string | undefined, string[]>();
  for (const name of [...names].sort()) {
    const parsed = parseName(name);
    if (parsed !== undefined) {
      owners.set(parsed.owner, [...(owners.get(parsed.owner) ?? []), name]);
    }
  }
  return owners;
}
