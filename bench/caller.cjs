// A caller of the library, started with --expose-gc: what one `put` costs, for a name that is known.
// Argument: how many calls a round. To stderr: ns and bytes a call, the least of all rounds.
const [calls] = process.argv.slice(2).map(Number);
const NAMES = Array.from({ length: 100 }, (_, index) => `name ${index}`);
const WARM_UP = 5;
const ROUNDS = 10;

import('../dist/index.js').then(async ({ startAgent }) => {
  const agent = await startAgent({ dryRun: true, logLevel: 'error', metrics: [] });
  const round = () => {
    for (let index = 0; index < calls; index += 1) {
      agent.put(NAMES[index % NAMES.length], index % 2 === 0 ? 0.5 : 12.25, 'Milliseconds');
    }
  };
  for (let index = 0; index < WARM_UP; index += 1) round();
  let [ns, bytes] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let index = 0; index < ROUNDS; index += 1) {
    globalThis.gc();
    const { heapUsed } = process.memoryUsage();
    const fromMs = performance.now();
    round();
    ns = Math.min(ns, ((performance.now() - fromMs) * 1e6) / calls);
    bytes = Math.min(bytes, (process.memoryUsage().heapUsed - heapUsed) / calls);
  }
  process.stderr.write(JSON.stringify({ ns, bytes }));
});
