import type { Dimension, Publication } from '../metrics/publication.ts';

/** Answers what stands for something that the place knows. @throws Error where there is no answer now */
export type Resolve = (
  dimensions: readonly Dimension[],
  signal: AbortSignal,
) => Promise<readonly Dimension[]>;

/** The number of this process's own publication. */
export const OWN = 0;

/** The publications that windows belong to, by number: this process's own, and those of what it adopted. */
export class Publications {
  readonly #resolve: Resolve;
  readonly #all: Publication[];
  #isResolved = false;

  /** @param own its dimensions may stand for what the place knows, until they are resolved */
  constructor(own: Publication, resolve: Resolve) {
    this.#all = [own];
    this.#resolve = resolve;
  }

  /** The number of a publication; equal ones have one. */
  add(publication: Publication): number {
    const text = JSON.stringify(publication);
    const at = this.#all.findIndex((one) => JSON.stringify(one) === text);
    return at < 0 ? this.#all.push(publication) - 1 : at;
  }

  at(publicationId: number): Publication {
    const publication = this.#all[publicationId];
    if (publication === undefined) throw new RangeError(`there is no publication ${publicationId}`);
    return publication;
  }

  /**
   * Resolves the dimensions of this process's own, once.
   *
   * @returns whether that happened now
   * @throws Error where one has no answer now
   */
  async resolve(signal: AbortSignal): Promise<boolean> {
    if (this.#isResolved) return false;
    const own = this.at(OWN);
    const dimensions = await this.#resolve(own.dimensions, signal);
    const isFirst = !this.#isResolved;
    this.#isResolved = true;
    this.#all[OWN] = { ...own, dimensions };
    return isFirst;
  }
}
