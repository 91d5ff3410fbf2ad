/**
 * `npm start`: the built agent publishes this machine's numbers every 10 s to a CloudWatch on
 * 127.0.0.1, signed as for the real one. What it answers as statistics is read back with the AWS SDK.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { CloudWatchClient, GetMetricStatisticsCommand } from '@aws-sdk/client-cloudwatch';
import { AwsQueryProtocol } from '@aws-sdk/core/protocols';
import { CREDENTIALS, REGION, startCloudwatch } from '../test/support/service/cloudwatch.ts';
import type { Accepted } from '../test/support/service/put-metric-data.ts';
import { acceptedLines, refusedLine } from './lines.ts';

const AGENT = fileURLToPath(new URL('../dist/agent.js', import.meta.url));
const NAMESPACE = 'TestNamespace';
const SERVICE = 'FooService';
const PERIOD = 10;

// The SDK's advice on Node versions is for its users, not for ours.
process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true';

const cloudwatch = await startCloudwatch({
  onAccepted: (accepted) => {
    print('cloudwatch accepted', acceptedLines(accepted));
    // After the answer is out: the agent's exit must not wait for our reading.
    setImmediate(() => readBack(accepted));
  },
  onRefused: (refusal) => print('cloudwatch refused', refusedLine(refusal)),
});
const reader = new CloudWatchClient({
  protocol: AwsQueryProtocol,
  endpoint: cloudwatch.url,
  region: REGION,
  credentials: CREDENTIALS,
});
const readings = new Set<Promise<void>>();

print('cloudwatch', `listens on ${cloudwatch.url}\n`);
print('agent', `node dist/agent.js ${flags().join(' ')}\n`);
print('agent', `publishes every ${PERIOD} s; Ctrl-C flushes and ends both\n`);
const agent = spawn(process.execPath, [AGENT, ...flags()], {
  env: {
    ...process.env,
    AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
    AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
    AWS_SESSION_TOKEN: '',
  },
  stdio: ['ignore', 'inherit', 'pipe'],
});
agent.stderr.setEncoding('utf8').on('data', (text: string) => print('agent', text));
// On Ctrl-C the terminal signals both. One SIGTERM more changes nothing for the agent.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => agent.kill('SIGTERM'));
}
const [code] = await once(agent, 'close');
await Promise.all(readings);
print('agent', `exit code ${code}\n`);
reader.destroy();
await cloudwatch.close();
process.exitCode = code ?? 1;

function flags(): string[] {
  const names = ['--namespace', NAMESPACE, '--service', SERVICE, '--period', String(PERIOD)];
  return [
    ...names,
    '--scope',
    'host',
    '--region',
    REGION,
    '--endpoint-url',
    cloudwatch.url,
    '--log-level',
    'info',
  ];
}

function readBack({ data }: Accepted): void {
  const reading = (async () => {
    for (const { MetricName } of data) await printStatistics(MetricName);
  })();
  readings.add(reading);
  reading.finally(() => readings.delete(reading));
}

async function printStatistics(metric: string): Promise<void> {
  const { Datapoints = [] } = await reader.send(
    new GetMetricStatisticsCommand({
      Namespace: NAMESPACE,
      MetricName: metric,
      Dimensions: [{ Name: 'ServiceName', Value: SERVICE }],
      StartTime: new Date(Date.now() - 3_600_000),
      EndTime: new Date(Date.now() + 60_000),
      Period: 3600,
      Statistics: ['SampleCount', 'Average', 'Minimum', 'Maximum'],
    }),
  );
  for (const { SampleCount, Average, Minimum, Maximum } of Datapoints) {
    const shown = [Average, Minimum, Maximum].map((value) => value?.toFixed(2));
    const [average, least, most] = shown;
    const figures = `n=${SampleCount} average=${average} min=${least} max=${most}`;
    print('cloudwatch answers', `${metric} this hour: ${figures}\n`);
  }
}

function print(who: string, lines: string): void {
  for (const line of lines.trimEnd().split('\n')) process.stdout.write(`${who}: ${line}\n`);
}
