import { codeOf } from '../errors.ts';
import type { Disk, Look } from './disk.ts';

/** A process's segments: `cma-OWNER-NUMBER.spool`; without an owner where it ended in good order. */
const NAME = /^cma-([\da-f]+|left)-([\w-]+)\.spool$/;
const NOBODY = 'left';

/** How often an owner says that it lives. */
export const BEAT_MS = 5000;
/** Without a sign of life for so long, watched all the time, it is dead. */
const WATCHED_MS = 4 * BEAT_MS;
/** So old by the clock, it is dead without watching. */
const OLD_MS = 24 * BEAT_MS;

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
  readonly #disk: Disk;
  readonly #own: string;
  #seen = new Map<string, Seen>();

  constructor(disk: Disk, own: string) {
    this.#disk = disk;
    this.#own = own;
  }

  /** The names of segments whose owners are dead, in their order. */
  async orphans(monoMs: number, wallMs: number): Promise<readonly string[]> {
    const names = (await this.#disk.list()).filter((name) => NAME.test(name)).sort();
    const seen = new Map<string, Seen>();
    const orphans: string[] = [];
    for (const [owner, theirs] of groupedByOwner(names)) {
      if (owner === this.#own) continue;
      if (owner === NOBODY) {
        orphans.push(...theirs);
        continue;
      }
      const looks = await this.#lookAt(theirs);
      const modifiedMs = Math.max(...looks.map((look) => look.modifiedMs));
      const sign = [modifiedMs, ...looks.map(({ bytes }) => bytes)].join(' ');
      const before = this.#seen.get(owner);
      const sinceMs = before?.sign === sign ? before.sinceMs : monoMs;
      seen.set(owner, { sign, sinceMs });
      const isOld = wallMs - modifiedMs > OLD_MS;
      if (isOld || monoMs - sinceMs >= WATCHED_MS) orphans.push(...theirs);
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
