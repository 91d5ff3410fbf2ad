/**
 * A child of soak.test.ts: the real loop on the machine's own files, with a clock that runs as fast as
 * it can. Prints what it takes after each number of samples that its arguments name.
 */
import { Agent } from '../../../src/agent.ts';
import { createLog } from '../../../src/log.ts';
import { CATALOG } from '../../../src/metrics/catalog.ts';
import { Labels } from '../../../src/metrics/labels.ts';
import { Window } from '../../../src/metrics/window.ts';
import { drivenClock } from '../clock.ts';
import { sourceOn } from './source.ts';
import { taken } from './taken.ts';

const [root = '/', ...marks] = process.argv.slice(2);
const clock = drivenClock(Date.UTC(2026, 0, 1));
const series = new Set(CATALOG.map((metric) => metric.series));
const source = await sourceOn(root, clock, series);
let samples = 0;
const agent = new Agent({
  source,
  sink: {
    accept: () => undefined,
    flush: () => Promise.resolve({ sent: 0, spooled: 0, lost: 0, lostAtEnd: 0, isStuck: false }),
    status: () => ({}),
  },
  clock,
  log: createLog({ level: 'error', format: 'text', clock, write: () => undefined }),
  intervalMs: 900,
  periodMs: 60_000,
  aligned: true,
  window: new Window(series),
  labels: new Labels({ clock, uptimeMs: clock.monoMs, periodMs: 60_000, isAligned: true }),
  aggregate: {
    metrics: CATALOG,
    statistics: 'median',
    valuesPerDatum: 150,
    compatFraction: false,
  },
  onSample: () => {
    samples += 1;
  },
});
agent.start();
for (const mark of marks.map(Number)) {
  // V8 tidies up while a process idles, which this one never does.
  while (samples < mark) {
    clock.advance(900_000);
    // What the watch over the scope has begun ends here.
    await new Promise((resolve) => setImmediate(resolve));
    globalThis.gc?.();
  }
  process.stdout.write(`${JSON.stringify(taken())}\n`);
}
process.stdout.write(`${clock.pending()} tasks\n`);
