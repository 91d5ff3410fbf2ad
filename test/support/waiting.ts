interface Waiter {
  holds: () => boolean;
  settle: (failure?: Error) => void;
}

/** Waits for a state, asked again whenever something has changed. */
export class Waiting {
  readonly #waiters = new Set<Waiter>();

  /** @throws {Error} when the state has not come by the deadline; `state` then tells what it is */
  until(holds: () => boolean, deadlineMs: number, state: () => string): Promise<void> {
    return new Promise((resolve, reject) => {
      const late = (): void =>
        waiter.settle(new Error(`not so within ${deadlineMs} ms: ${state()}`));
      const timer = setTimeout(late, deadlineMs);
      const waiter: Waiter = {
        holds,
        settle: (failure) => {
          clearTimeout(timer);
          this.#waiters.delete(waiter);
          if (failure === undefined) resolve();
          else reject(failure);
        },
      };
      this.#waiters.add(waiter);
      this.#ask(waiter);
    });
  }

  changed(): void {
    for (const waiter of this.#waiters) this.#ask(waiter);
  }

  /** Ends every wait with this failure. */
  fail(failure: Error): void {
    for (const waiter of this.#waiters) waiter.settle(failure);
  }

  #ask(waiter: Waiter): void {
    try {
      if (waiter.holds()) waiter.settle();
    } catch (thrown) {
      waiter.settle(thrown instanceof Error ? thrown : new Error(String(thrown)));
    }
  }
}
