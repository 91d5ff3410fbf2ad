import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { runsOf } from '../support/histories/chance.ts';
import { EXAMPLES } from '../support/histories/examples.ts';
import { type Move, moves } from '../support/histories/moves.ts';
import type { Limits } from '../support/histories/process.ts';
import { LEAST_BYTES, World } from '../support/histories/world.ts';

const MIB = 1024 * 1024;
const PLENTY: Limits = { bufferBytes: 4 * MIB, spoolBytes: 64 * MIB };
/** Little memory, or little disk, or enough of both. */
const LIMITS: readonly Limits[] = [
  { ...PLENTY, bufferBytes: LEAST_BYTES },
  { ...PLENTY, spoolBytes: LEAST_BYTES },
  PLENTY,
  PLENTY,
];
/** Each example with so many fates. */
const SEEDS = 20;

async function live(seed: number, limits: Limits, all: readonly Move[]): Promise<void> {
  const world = new World(seed, limits);
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
    const limits = fc.constantFrom(...LIMITS);
    const histories = fc.array(moves, { minLength: 5, maxLength: 60, size: 'max' });
    await fc.assert(
      fc.asyncProperty(seeds, limits, histories, async (seed, some, all) => {
        await live(seed, some, all);
        transitions += all.length;
      }),
      { ...runsOf(t, 800), includeErrorInReport: true },
    );
    t.diagnostic(`${transitions} moves`);
  });
});

describe('a history that chance seldom finds', () => {
  for (const { what, moves: all } of EXAMPLES) {
    test(what, async () => {
      for (let seed = 0; seed < SEEDS; seed += 1) await live(seed, PLENTY, all);
    });
  }
});
