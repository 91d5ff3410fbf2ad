/**
 * A child of soak.test.ts: the real loop on the machine's own files, with a clock that runs as fast as
 * it can. Prints what it takes after each number of samples that its arguments name.
 */
import { Agent } from '../../../src/agent.ts';
import { createLog } from '../../../src/log.ts';
import { CATALOG } from '../../../src/metrics/catalog.ts';
import { openHost } from '../../../src/sources/rootfs.ts';
import { selectSource } from '../../../src/sources/select.ts';
import { drivenClock } from '../clock.ts';
import { sourceOptions } from '../sources.ts';
import { taken } from './taken.ts';

const [root = '/', ...marks] = process.argv.slice(2);
const clock = drivenClock(Date.UTC(2026, 0, 1));
const { source } = await selectSource({
  ...sourceOptions(),
  scope: 'auto',
  host: openHost(root),
  clock,
  platform: 'linux',
  own: undefined,
  metadata: () => Promise.resolve(undefined),
  warn: () => undefined,
});
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
    globalThis.gc?.();
  }
  process.stdout.write(`${JSON.stringify(taken())}\n`);
}
process.stdout.write(`${clock.pending()} tasks\n`);
