import type { Clock } from '../clock.ts';
import { codeOf } from '../errors.ts';
import type { Disk, Look } from './disk.ts';

/** A process's segments: `cma-OWNER-NUMBER.spool`; without an owner where it ended in good order. */
const NAME = /^cma-([\da-f]+|left)-([\w-]+)\.spool$/;
const NOBODY = 'left';

/** How often an owner says that it lives. */
export const BEAT_MS = 5000;
/**
 * An owner that gave no sign for so long, between two looks, is dead. How old a file is by the clock says
 * less: the clock may have been set, or the disk may have stood still.
 */
export const WATCH_MS: number = 4 * BEAT_MS;

export function segmentName(owner: string, number: number): string {
  return `cma-${owner}-${number}.spool`;
}

/** The name of a segment that its owner leaves to whoever comes. */
export function leftName(name: string): string {
  const [, owner = '', number = ''] = NAME.exec(name) ?? [];
  return `cma-${NOBODY}-${owner}-${number}.spool`;
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

  /** The names of segments whose owners are dead, in their order. */
  async orphans(): Promise<readonly string[]> {
    const names = (await this.#disk.list()).filter((name) => NAME.test(name)).sort();
    const seen = new Map<string, Seen>();
    const orphans: string[] = [];
    for (const [owner, theirs] of groupedByOwner(names)) {
      if (owner === this.#own) continue;
      if (owner === NOBODY) {
        orphans.push(...theirs);
        continue;
      }
      // From after one look to before another: a disk may stand still in the middle of either.
      const askedMs = this.#clock.monoMs();
      const looks = await this.#lookAt(theirs);
      const sign = looks.map(({ modifiedMs, bytes }) => `${modifiedMs} ${bytes}`).join(', ');
      const before = this.#seen.get(owner);
      const sinceMs = before?.sign === sign ? before.sinceMs : this.#clock.monoMs();
      if (askedMs - sinceMs >= WATCH_MS) orphans.push(...theirs);
      else seen.set(owner, { sign, sinceMs });
    }
    this.#seen = seen;
    return orphans;
  }

  /** What is gone meanwhile is no matter. */
  async #lookAt(names: readonly string[]): Promise<readonly Look[]> {
    const looks: Look[] = [];
    for (const name of names) {
      try {
        looks.push(await this.#disk.look(name));
      } catch (error) {
        if (codeOf(error) !== 'ENOENT') throw error;
      }
    }
    return looks;
  }
}

function groupedByOwner(names: readonly string[]): Map<string, string[]> {
  const owners = new Map<string, string[]>();
  for (const name of names) {
    const owner = NAME.exec(name)?.[1] ?? '';
    owners.set(owner, [...(owners.get(owner) ?? []), name]);
  }
  return owners;
}
