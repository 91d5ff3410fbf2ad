import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lossLine, type Outcome } from '../../src/delivery/outcome.ts';

const AT = Date.parse('2026-11-25T10:06:00Z');
const MINUTE = 60_000;

function line(lostAtEnd: number, toMs: number, periodMs: number, spool?: string): string {
  const loss = { fromMs: AT, toMs, reason: 'connect ECONNREFUSED 127.0.0.1:1' };
  const outcome: Outcome = {
    sent: 0,
    spooled: 0,
    lost: lostAtEnd,
    lostAtEnd,
    isStuck: false,
    loss,
  };
  return lossLine(outcome, { periodMs, flushTimeoutMs: 8000, spool });
}

test('what the end cost is said with its time, the reason, and what would have kept it', () => {
  const why = 'could not be sent within 8 s (connect ECONNREFUSED 127.0.0.1:1)';
  const remedy = '--spool DIR would have kept it';
  assert.equal(line(1, AT + MINUTE, MINUTE), `stopped: the minute 10:06 UTC ${why}; ${remedy}`);
  assert.equal(
    line(6, AT + 6 * MINUTE, MINUTE),
    `stopped: 6 minutes from 10:06 to 10:12 UTC ${why}; ${remedy}`,
  );
  assert.equal(
    line(2, AT + 10_000, 5000),
    `stopped: 2 windows from 10:06:00 to 10:06:10 UTC ${why}; ${remedy}`,
  );
  assert.match(line(1, AT + MINUTE, MINUTE, '/spool'), /not on disk either: see what was said/);
});
