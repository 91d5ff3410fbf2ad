// A service that publishes its own figures beside those of its container.
//
//   npm install cloudwatch-metrics-agent
//   DRY_RUN=1 node examples/library.mjs     shows what would be sent; without it, it is sent
import { startAgent } from 'cloudwatch-metrics-agent';

const ending = new AbortController();
for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => ending.abort());

const agent = await startAgent({
  namespace: 'App',
  service: 'orders',
  dimensions: { Stage: process.env.STAGE ?? 'dev' },
  metrics: ['default', 'NodeEventLoopDelay', 'NodeHeapUsed'],
  dryRun: process.env.DRY_RUN === '1',
});
agent.on('error', (error) => console.error(error.code, error.message));

try {
  for (let order = 1; order <= 5 && !ending.signal.aborted; order += 1) {
    const began = performance.now();
    await new Promise((resolve) => setTimeout(resolve, 200));
    agent.put('OrdersPlaced', 1, 'Count');
    agent.put('OrderTime', performance.now() - began, 'Milliseconds');
  }
} finally {
  console.log(await agent.stop());
}
