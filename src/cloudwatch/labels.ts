import type { Dimension, Publication } from './datum.ts';

/** Answers what stands for something that the place knows. @throws Error where there is no answer now */
export type Resolve = (
  dimensions: readonly Dimension[],
  signal: AbortSignal,
) => Promise<readonly Dimension[]>;

/**
 * The publications that windows belong to, by number: 0 is this process's own, the others came with what
 * it adopted. Their dimensions are resolved when they are first sent.
 */
export class Labels {
  readonly #resolve: Resolve;
  readonly #given: Publication[] = [];
  readonly #resolved = new Map<number, Publication>();

  constructor(own: Publication, resolve: Resolve) {
    this.#given.push(own);
    this.#resolve = resolve;
  }

  /** The number of a publication; equal ones have one. */
  add(publication: Publication): number {
    const text = JSON.stringify(publication);
    const at = this.#given.findIndex((one) => JSON.stringify(one) === text);
    return at < 0 ? this.#given.push(publication) - 1 : at;
  }

  /** As it is known now. */
  at(label: number): Publication {
    const given = this.#resolved.get(label) ?? this.#given[label];
    if (given === undefined) throw new RangeError(`there is no publication ${label}`);
    return given;
  }

  /**
   * Resolves what is not resolved yet.
   *
   * @returns which ones that were
   * @throws Error where a dimension has no answer now
   */
  async resolve(labels: readonly number[], signal: AbortSignal): Promise<readonly number[]> {
    const open = labels.filter((label) => !this.#resolved.has(label));
    for (const label of open) {
      const publication = this.at(label);
      const dimensions = await this.#resolve(publication.dimensions, signal);
      this.#resolved.set(label, { ...publication, dimensions });
    }
    return open;
  }
}
