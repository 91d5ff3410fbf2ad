import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { EXAMPLES } from './support/history-examples.ts';
import { type Move, moves } from './support/history-moves.ts';
import { LEAST_BUFFER, World } from './support/history-world.ts';

const MOST_BUFFER = 4 * 1024 * 1024;
/** More of them run where there is time for it. */
const RUNS = Number(process.env['HISTORIES'] ?? 5000);
/** Each example with so many fates. */
const SEEDS = 20;

async function live(seed: number, bufferBytes: number, all: readonly Move[]): Promise<void> {
  const world = new World(seed, bufferBytes);
  for (const move of all) await world.move(move);
  await world.calm();
  const { missing, lost, service } = world;
  assert.ok(missing.length <= lost, `${missing} do not come, and ${lost} are said lost`);
  for (const [key, times] of service.stored) {
    const most = 1 + (service.excused.get(key) ?? 0);
    assert.ok(times <= most, `${key} was stored ${times} times, at most ${most} expected`);
  }
}

describe('any history of windows, answers, kills and restarts with a spool', () => {
  test('delivers what the disk had, once unless an answer or its record was lost', async (t) => {
    let transitions = 0;
    const seeds = fc.nat();
    const buffers = fc.constantFrom(LEAST_BUFFER, MOST_BUFFER, MOST_BUFFER);
    const histories = fc.array(moves, { minLength: 5, maxLength: 60, size: 'max' });
    await fc.assert(
      fc.asyncProperty(seeds, buffers, histories, async (seed, bufferBytes, all) => {
        await live(seed, bufferBytes, all);
        transitions += all.length;
      }),
      { numRuns: RUNS, includeErrorInReport: true },
    );
    t.diagnostic(`${transitions} moves`);
  });
});

describe('a history that chance seldom finds', () => {
  for (const { what, moves: all } of EXAMPLES) {
    test(what, async () => {
      for (let seed = 0; seed < SEEDS; seed += 1) await live(seed, MOST_BUFFER, all);
    });
  }
});
