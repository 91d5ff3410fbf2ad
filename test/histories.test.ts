import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { moves } from './support/history-moves.ts';
import { LEAST_BUFFER, World } from './support/history-world.ts';

const MOST_BUFFER = 4 * 1024 * 1024;
/** More of them run where there is time for it. */
const RUNS = Number(process.env['HISTORIES'] ?? 5000);

describe('any history of windows, answers, kills and restarts with a spool', () => {
  test('delivers what the disk had, once unless an answer or its record was lost', async (t) => {
    let transitions = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.nat(),
        fc.constantFrom(LEAST_BUFFER, MOST_BUFFER, MOST_BUFFER),
        fc.array(moves, { minLength: 5, maxLength: 60, size: 'max' }),
        async (seed, bufferBytes, all) => {
          const world = new World(seed, bufferBytes);
          for (const move of all) await world.move(move);
          await world.calm();
          transitions += all.length;
          const { missing, lost, service } = world;
          assert.ok(missing.length <= lost, `${missing} were on disk, and ${lost} are said lost`);
          for (const [key, times] of service.stored) {
            const most = 1 + (service.excused.get(key) ?? 0);
            assert.ok(times <= most, `${key} was stored ${times} times, at most ${most} expected`);
          }
        },
      ),
      { numRuns: RUNS, includeErrorInReport: true },
    );
    t.diagnostic(`${transitions} moves`);
  });
});
