/** Runs jobs one after the other, each when those before it are done. */
export class Jobs {
  readonly #failed: (error: unknown) => void;
  #last: Promise<void> = Promise.resolve();
  readonly #waiting = new Set<string>();
  #gate: Promise<void> | undefined;
  #openGate: () => void = () => undefined;

  /** @param failed what becomes of an error; what it throws itself ends the program */
  constructor(failed: (error: unknown) => void) {
    this.#failed = failed;
  }

  /** @param name of a job that there is no use in having twice in the line */
  add(name: string | undefined, job: () => Promise<void>): Promise<void> {
    if (name !== undefined && this.#waiting.has(name)) return this.#last;
    if (name !== undefined) this.#waiting.add(name);
    this.#last = this.#last.then(async () => {
      await this.#gate;
      if (name !== undefined) this.#waiting.delete(name);
      await job().catch(this.#failed);
    });
    return this.#last;
  }

  /** Begins nothing more, until {@link resume}. */
  pause(): void {
    this.#gate = new Promise((resolve) => {
      this.#openGate = resolve;
    });
  }

  resume(): void {
    this.#gate = undefined;
    this.#openGate();
  }
}
