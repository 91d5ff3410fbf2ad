import { type Clock, within } from '../clock.ts';
import type { Outcome } from '../delivery/outcome.ts';
import { reasonOf } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Sink } from './sink.ts';

/** An output of several, by its name. */
export type Named = readonly [name: string, sink: Sink];

/**
 * Each output gets every window, and none holds up another: what one throws is its own loss, and the flush of
 * all of them has one deadline.
 */
export function severalSinks(outputs: readonly Named[], clock: Clock, log: Log): Sink {
  /** Windows that an output did not take over. */
  const refused = new Map<string, number>();
  let accepted = 0;
  const fault = (name: string, error: unknown): void => {
    log.error('a fault of this program, please report it', {
      output: name,
      reason: error instanceof Error ? (error.stack ?? error.message) : reasonOf(error),
    });
  };
  const each = (does: (sink: Sink) => void, failed: (name: string) => void): void => {
    for (const [name, sink] of outputs) {
      try {
        does(sink);
      } catch (error) {
        fault(name, error);
        failed(name);
      }
    }
  };
  const flushed = async ([name, sink]: Named, deadlineMs: number): Promise<Outcome> => {
    let reason = 'it did not end in time';
    let outcome: Outcome | undefined;
    // A call that throws at once is as one that rejects.
    const work = Promise.resolve()
      .then(() => sink.flush(deadlineMs))
      .then(
        (one) => {
          outcome = one;
        },
        (error) => {
          fault(name, error);
          reason = reasonOf(error);
        },
      );
    await within(clock, Math.max(0, deadlineMs - clock.monoMs()) + LATE_MS, work);
    if (outcome === undefined) {
      log.error('an output is lost', { output: name, reason });
      return { sent: 0, spooled: 0, lost: accepted, lostAtEnd: accepted, isStuck: false };
    }
    const missed = refused.get(name) ?? 0;
    const { loss } = outcome;
    return {
      ...outcome,
      lost: outcome.lost + missed,
      ...(loss && { loss: { ...loss, reason: `${name}: ${loss.reason}` } }),
    };
  };
  return {
    accept(window) {
      accepted += 1;
      each(
        (sink) => sink.accept(window),
        (name) => refused.set(name, (refused.get(name) ?? 0) + 1),
      );
    },
    flush: async (deadlineMs) =>
      worst(await Promise.all(outputs.map((output) => flushed(output, deadlineMs)))),
    hurry: (deadlineMs) =>
      each(
        (sink) => sink.hurry?.(deadlineMs),
        () => undefined,
      ),
    status: () =>
      Object.fromEntries(
        outputs.flatMap(([name, sink]) =>
          Object.entries(sink.status()).map(([field, value]) => [`${name}.${field}`, value]),
        ),
      ),
  };
}

/** An output ends by the deadline itself; one that does not is left behind. */
const LATE_MS = 100;

/** A window counts as sent when every output has it, and as lost when one has lost it. */
function worst(outcomes: readonly Outcome[]): Outcome {
  const most = (of: (one: Outcome) => number): number => Math.max(...outcomes.map(of));
  const lostAtEnd = most((one) => one.lostAtEnd);
  const loss = outcomes.find((one) => one.lostAtEnd === lostAtEnd)?.loss;
  return {
    sent: Math.min(...outcomes.map(({ sent }) => sent)),
    spooled: most(({ spooled }) => spooled),
    lost: most(({ lost }) => lost),
    lostAtEnd,
    ...(loss && { loss }),
    isStuck: outcomes.some(({ isStuck }) => isStuck),
  };
}
