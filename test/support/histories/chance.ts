import type { TestContext } from 'node:test';

/** Uniform numbers from 0 up to but without 1, the same ones for the same seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** How many runs a property has where there is time for it: `HISTORIES`, in `.ci/run`. */
const MANY = process.env['HISTORIES'];
const SEED = Number(process.env['HISTORIES_SEED'] ?? 20_261_125);

/**
 * The runs of a property: the same ones each time, so that a change is to blame for what fails; another
 * `HISTORIES_SEED` explores others.
 *
 * @param few how many there are in `npm test`
 * @param many how many there are with `HISTORIES`, where that is not its number itself
 */
export function runsOf(
  t: TestContext,
  few: number,
  many: number = Number(MANY),
): { readonly numRuns: number; readonly seed: number } {
  const numRuns = MANY === undefined ? few : many;
  t.diagnostic(`${numRuns} runs of seed ${SEED}`);
  return { numRuns, seed: SEED };
}
