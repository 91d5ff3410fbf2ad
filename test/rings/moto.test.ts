import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { CloudWatchClient, GetMetricStatisticsCommand } from '@aws-sdk/client-cloudwatch';
import { AwsQueryProtocol } from '@aws-sdk/core/protocols';
import { lacking } from '../support/needs.ts';
import { runAgent, start } from '../support/program.ts';

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

test('what is published to moto reads back through the AWS SDK', {
  skip: lacking('moto_server'),
}, async (t) => {
  const port = await freePort();
  const moto = start('moto_server', ['-H', '127.0.0.1', '-p', String(port)], {
    environment: { PYTHONUNBUFFERED: '1' },
  });
  t.after(() => moto.kill('SIGKILL'));
  await moto.until('running server', ({ stderr }) => stderr().includes('Running on'));
  const endpoint = `http://127.0.0.1:${port}`;
  const credentials = { accessKeyId: 'AKIDMOTO', secretAccessKey: 'motosecret' };
  const names = ['--namespace', 'Moto', '--service', 'moto', '--once', '--period', '3'];
  const run = await runAgent(
    [...names, '--metrics', 'CPUUtilization,MemoryUtilization,SampleCount'],
    {
      environment: {
        AWS_ACCESS_KEY_ID: credentials.accessKeyId,
        AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
        AWS_REGION: 'eu-west-1',
        AWS_ENDPOINT_URL_CLOUDWATCH: endpoint,
      },
    },
  );
  assert.deepEqual([run.code, run.stderr], [0, '']);

  const client = new CloudWatchClient({
    protocol: AwsQueryProtocol,
    endpoint,
    region: 'eu-west-1',
    credentials,
  });
  t.after(() => client.destroy());
  const read = async (MetricName: string): Promise<number | undefined> => {
    const { Datapoints = [] } = await client.send(
      new GetMetricStatisticsCommand({
        Namespace: 'Moto',
        MetricName,
        Dimensions: [{ Name: 'ServiceName', Value: 'moto' }],
        StartTime: new Date(Date.now() - 600_000),
        EndTime: new Date(Date.now() + 60_000),
        Period: 3600,
        Statistics: ['Average'],
      }),
    );
    assert.equal(Datapoints.length, 1, MetricName);
    return Datapoints[0]?.Average;
  };
  assert.equal(await read('SampleCount'), 3);
  const memory = (await read('MemoryUtilization')) ?? Number.NaN;
  const cpu = (await read('CPUUtilization')) ?? Number.NaN;
  assert.ok(memory > 0 && memory < 100, `memory ${memory}`);
  assert.ok(cpu >= 0 && cpu <= 100, `cpu ${cpu}`);
});
