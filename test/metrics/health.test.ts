import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { putAgentCpu, putAgentMemory } from '../../src/metrics/health.ts';
import { putBy, type Told } from '../support/figures.ts';

describe('the agent’s own CPU', () => {
  const rows: [what: string, usec: number, spanMs: number, told: Told][] = [
    ['is a share of one core', 2000, 1000, { agentCpu: 0.2 }],
    ['is 0 where it did nothing', 0, 1000, { agentCpu: 0 }],
    ['is more than one core where several threads ran', 1_500_000, 1000, { agentCpu: 150 }],
    ['is absent where no time has passed', 2000, 0, {}],
    ['is absent where time ran backwards', 2000, -1, {}],
    ['is absent where its counter ran backwards', -1, 1000, {}],
    ['is absent after a first reading', Number.NaN, Number.NaN, {}],
  ];
  for (const [what, usec, spanMs, told] of rows) {
    test(what, () => {
      assert.deepEqual(
        putBy((figures) => putAgentCpu(figures, usec, spanMs)),
        told,
      );
    });
  }
});

test('the agent’s own memory is told in bytes, from the first reading on', () => {
  assert.deepEqual(
    putBy((figures) => putAgentMemory(figures, 50)),
    { agentMemory: 50 },
  );
});
