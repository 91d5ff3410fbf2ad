/**
 * A child of outbox.test.ts: puts default minutes into an outbox, as many as its arguments say into so
 * many bytes, and empties it as an agent does. Prints what the process takes before, full and empty, a
 * line each.
 */
import { Outbox } from '../../../src/delivery/outbox.ts';
import { defaultMetrics } from '../../../src/metrics/catalog.ts';
import type { Told } from './outbox.ts';

const [limitBytes = 0, minutes = 0] = process.argv.slice(2).map(Number);
const METRICS = defaultMetrics('median');

function fill(outbox: Outbox, windows: number): void {
  for (let minute = 0; minute < windows; minute += 1) {
    const data = METRICS.map(({ name, unit }) => ({ name, unit, values: [Math.random()] }));
    outbox.push({ startMs: minute, endMs: minute + 1, data }, 0, minute);
  }
}

function empty(outbox: Outbox): void {
  while (outbox.windows > 0) {
    for (const window of outbox.batch(1000)) outbox.settle(window, new Set(window.indexes), true);
  }
}

function tell(outbox: Outbox): void {
  globalThis.gc?.();
  globalThis.gc?.();
  const { arrayBuffers, heapUsed, external, rss } = process.memoryUsage();
  const { windows, bytes } = outbox;
  const told: Told = { windows, bytes, arrayBuffers, used: heapUsed + external, rss };
  process.stdout.write(`${JSON.stringify(told)}\n`);
}

// What the code itself takes, and the telling, is there beforehand.
for (let round = 0; round < 100; round += 1) {
  const small = new Outbox(limitBytes / 64);
  fill(small, minutes / 64);
  empty(small);
}
const outbox = new Outbox(limitBytes);
tell(outbox);
tell(outbox);
fill(outbox, minutes);
tell(outbox);
empty(outbox);
tell(outbox);
