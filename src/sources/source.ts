import type { Figures } from '../metrics/figures.ts';

/** Where numbers come from. */
export interface Source {
  /** One line: the scope, the limits and where they were found. It does not throw. */
  describe(): string;
  /**
   * Puts what has happened since the last call into the figures. Synchronous; what cannot be had is
   * left out, and its reason is in {@link absent}.
   *
   * @returns whether {@link absent} or {@link scopeNumber} has changed since the last call
   */
  readonly measure: (nowMs: number, figures: Figures) => boolean;
  /** What is wanted and cannot be had now, and why. */
  readonly absent: ReadonlyMap<string, string>;
  /**
   * Which containers (or which machine) the figures are of. Another one has another number: no figure
   * may span the two.
   */
  readonly scopeNumber: number;
  close(): void;
}
