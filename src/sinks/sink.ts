import type { Outcome } from '../delivery/outcome.ts';
import type { Fields } from '../log.ts';
import type { ClosedWindow } from '../metrics/aggregate.ts';

export type { Outcome } from '../delivery/outcome.ts';

/** Where closed windows go. */
export interface Sink {
  /** Takes a window over. Returns at once and does not throw. */
  accept(window: ClosedWindow): void;
  /**
   * Brings out what waits, as far as that is possible until `deadlineMs` (monotonic), and ends the sink.
   * It does not reject.
   */
  flush(deadlineMs: number): Promise<Outcome>;
  /**
   * What waits goes now, and the sink goes on; one that flushes already does so until this deadline, if it is
   * the earlier one. A sink that does not wait has no use for it.
   */
  hurry?(deadlineMs: number): void;
  /** What it did so far, for the status line. */
  status(): Fields;
}
