import { NoDataError, ParseError } from '../errors.ts';
import type { Figures, Meter } from '../metrics/figures.ts';
import type { Source } from './source.ts';

/** What a meter is called in the log: `cpu`, `memory`, …; undefined for what is not wanted. */
export type NamedMeters = Readonly<Record<string, Meter | undefined>>;

/** Longest time between two tries to measure what failed before. */
const RETRY_MS = 10_000;
const FIRST_RETRY_MS = 500;

/**
 * A source made of some meters. What one of them throws is the reason for its being absent, and it is
 * tried less and less often: most of it never was there, and an error costs more than a reading.
 */
export function sourceOf(describe: () => string, named: NamedMeters, close: () => void): Source {
  const names: string[] = [];
  const meters: Meter[] = [];
  for (const [name, meter] of Object.entries(named)) {
    if (meter === undefined) continue;
    names.push(name);
    meters.push(meter);
  }
  const retryMs = new Float64Array(meters.length).fill(Number.NEGATIVE_INFINITY);
  const pauseMs = new Float64Array(meters.length);
  const absent = new Map<string, string>();
  let hasChanged = false;

  const failed = (place: number, nowMs: number, error: unknown): void => {
    if (!isAnswer(error)) throw error;
    const name = names[place] ?? '';
    if (absent.get(name) !== error.message) {
      absent.set(name, error.message);
      hasChanged = true;
    }
    const pause = pauseMs[place] ?? 0;
    retryMs[place] = nowMs + pause;
    pauseMs[place] = Math.min(Math.max(pause * 2, FIRST_RETRY_MS), RETRY_MS);
  };
  const succeeded = (place: number): void => {
    if (!absent.delete(names[place] ?? '')) return;
    pauseMs[place] = 0;
    hasChanged = true;
  };

  return {
    describe,
    measure(nowMs, figures) {
      hasChanged = false;
      for (let place = 0; place < meters.length; place += 1) {
        if (absent.size > 0 && nowMs < (retryMs[place] ?? 0)) continue;
        try {
          meters[place]?.measure(nowMs, figures);
          if (absent.size > 0) succeeded(place);
        } catch (error) {
          failed(place, nowMs, error);
        }
      }
      return hasChanged;
    },
    absent,
    scopeNumber: 0,
    close,
  };
}

/** What is not there, or not as it should be, is an answer; all else is a fault of ours. */
export function isAnswer(error: unknown): error is NoDataError | ParseError {
  return error instanceof NoDataError || error instanceof ParseError;
}

/** A meter made of a function. */
export function meter(measure: (nowMs: number, figures: Figures) => void): Meter {
  return { measure };
}

/** Tells nothing but the reason for that. */
export function absentBecause(reason: string): Meter {
  return meter(() => {
    throw new NoDataError(reason);
  });
}

/** What a function gives, or `otherwise` where there is no such file. */
export function optional<Value>(read: () => Value, otherwise: Value): Value {
  try {
    return read();
  } catch (error) {
    if (error instanceof NoDataError) return otherwise;
    throw error;
  }
}

/** Why something cannot be read; undefined where it can be. */
export function failureOf(read: () => unknown): string | undefined {
  try {
    read();
    return undefined;
  } catch (error) {
    if (!isAnswer(error)) throw error;
    return error.message;
  }
}
