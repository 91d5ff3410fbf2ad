import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { putHeld, putMemory } from '../../src/metrics/memory.ts';
import { putBy, type Told } from '../support/figures.ts';

function inUse(used: number, limit: number): Told {
  return putBy((figures) => putMemory(figures, used, limit));
}

function held(bytes: number, limit: number): Told {
  return putBy((figures) => putHeld(figures, bytes, limit));
}

describe('memory', () => {
  const shares: [total: number, available: number, percent: number][] = [
    [1000, 1000, 0],
    [1000, 0, 100],
    [1000, 250, 75],
    [24684084 * 1024, 24133880 * 1024, (100 * 550204) / 24684084],
    [2 ** 52, 2 ** 51, 50],
  ];
  for (const [total, available, percent] of shares) {
    test(`with ${available} of ${total} bytes available is ${percent.toFixed(2)} %`, () => {
      const { memory = Number.NaN, memoryUsed, memoryLimit } = inUse(total - available, total);
      assert.ok(Math.abs(memory - percent) < 1e-9, String(memory));
      assert.deepEqual([memoryUsed, memoryLimit], [total - available, total]);
    });
  }

  test('that is held is a figure of its own', () => {
    assert.deepEqual(held(250, 1000), { memoryHeld: 250, memoryHeldShare: 25 });
  });

  test('a little above the limit is all of it; the bytes are told as they are', () => {
    assert.deepEqual(inUse(1040, 1000), { memory: 100, memoryUsed: 1040, memoryLimit: 1000 });
    assert.deepEqual(held(1040, 1000), { memoryHeld: 1040, memoryHeldShare: 100 });
  });

  const impossible: [what: string, used: number, limit: number][] = [
    ['far above the limit', 1100, 1000],
    ['below nothing (a wrapped MemFree)', 1000 - 2 ** 64, 1000],
    ['of nothing', 5, 0],
    ['of no limit', 5, Number.POSITIVE_INFINITY],
    ['of a limit that is not known', 5, Number.NaN],
    ['that is not known', Number.NaN, 1000],
  ];
  for (const [what, used, limit] of impossible) {
    test(`${what} is no figure at all, and nothing is half told`, () => {
      const told = putBy((figures) => {
        assert.throws(() => putMemory(figures, used, limit), { name: 'NoDataError' });
        assert.throws(() => putHeld(figures, used, limit), { name: 'NoDataError' });
      });
      assert.deepEqual(told, {});
    });
  }
});
