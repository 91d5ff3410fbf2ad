import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '../support/histories/chance.ts';
import { simulateFleet } from '../support/service/fleet.ts';

test('20,000 agents share a quota of 500 requests a second, and come back from ten minutes of outage', (t) => {
  const outageMs = 600_000;
  const quota = 500;
  const { settled, last, drainMs, windowsClosed, windowsSent, windowsLost } = simulateFleet({
    agents: 20_000,
    periodMs: 60_000,
    jitterMs: 15_000,
    quota,
    periods: 11,
    outageMs,
    random: seededRandom(7),
  });
  t.diagnostic(JSON.stringify({ settled, last, drainMs, windowsClosed, windowsSent }));
  for (const { throttled, requests, peak } of [settled, last]) {
    assert.ok(throttled < requests / 100, `${throttled} of ${requests} throttled`);
    // Those that were throttled have only just left: the second that is fullest holds what may be held.
    assert.ok(peak <= quota * 1.01, `${peak} requests in one second`);
  }
  assert.ok(drainMs <= 2 * outageMs, `${drainMs} ms`);
  assert.equal(windowsLost, 0);
  assert.ok(windowsClosed - windowsSent < windowsClosed / 1000, `${windowsSent} sent`);
});

test('a small fleet is never throttled', () => {
  const { first, after, windowsLost } = simulateFleet({
    agents: 5000,
    periodMs: 60_000,
    jitterMs: 15_000,
    quota: 500,
    periods: 11,
    outageMs: 600_000,
    random: seededRandom(7),
  });
  assert.deepEqual([first.throttled, after.throttled, windowsLost], [0, 0, 0]);
});
