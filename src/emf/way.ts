/** A way out for whole lines, one at a time. */
export interface Way {
  /**
   * Resolves when the line has left this process.
   *
   * @throws Error with a system's code where it has not: it is tried again
   */
  send(line: string): Promise<void>;
  /** What is heard too late of a line that had left. */
  onLate?(tell: (error: Error) => void): void;
  close(): void;
}

/** Nobody reads there, and nobody will: trying again has no use. */
export class GoneError extends Error {
  override readonly name = 'GoneError';
}
