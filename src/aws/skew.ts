import type { Clock } from '../clock.ts';
import type { HttpAnswer } from '../net/http.ts';

/** The difference between this machine's clock and the services'. */
export interface Skew {
  /** Wall-clock milliseconds as the services see them, as far as that is known and matters. */
  nowMs(): number;
  /**
   * Takes an answer's Date.
   *
   * @returns whether what was signed at `sentMs` of {@link nowMs} was so far off that it is to be signed anew
   */
  learn(answer: HttpAnswer, sentMs: number, signedMs: number): boolean;
  /** What is added to the clock; 0 below the threshold, and after the clock was set right. */
  offsetMs(): number;
}

/** Services refuse what is five minutes off. */
const THRESHOLD_MS = 4 * 60_000;
/** An exchange that took longer says nothing about now: the machine was suspended. */
const SLOWEST_MS = 15 * 60_000;

export function createSkew(clock: Clock): Skew {
  let offset = 0;
  let relation = 0;
  /** It changes when the clock is set. */
  const relationMs = (): number => clock.wallMs() - clock.monoMs();
  const offsetMs = (): number => {
    if (Math.abs(offset) <= THRESHOLD_MS) return 0;
    const isSetRight = Math.abs(offset - (relationMs() - relation)) < THRESHOLD_MS;
    return isSetRight ? 0 : offset;
  };
  return {
    offsetMs,
    nowMs: () => clock.wallMs() + offsetMs(),
    learn({ headers }, sentMs, signedMs) {
      const receivedMs = clock.wallMs();
      const tookMs = receivedMs - sentMs;
      const date = Date.parse(String(headers['date']));
      // A cache's answer tells the time of long ago, and says so by Age.
      if (Number.isNaN(date) || headers['age'] !== undefined) return false;
      if (tookMs < 0 || tookMs > SLOWEST_MS) return false;
      offset = date - (sentMs + tookMs / 2);
      relation = relationMs();
      return Math.abs(date - tookMs / 2 - signedMs) >= THRESHOLD_MS;
    },
  };
}
