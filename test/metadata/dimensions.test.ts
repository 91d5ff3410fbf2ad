import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ConfigError } from '../../src/errors.ts';
import { checkTokens } from '../../src/metadata/dimensions.ts';
import { runAgent } from '../support/program.ts';
import { CREDENTIALS, REGION, startCloudwatch } from '../support/service/cloudwatch.ts';

/** Instance metadata that answers nothing but a token for its first questions. */
async function instance(t: TestContext, failures: number): Promise<string> {
  let asked = 0;
  const server = createServer((request, response) => {
    if (request.method === 'PUT') {
      response.end('token');
      return;
    }
    asked += 1;
    response.writeHead(asked > failures ? 200 : 404).end('i-0123456789');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const address = server.address();
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
}

test('a token that does not answer yet is asked again, and the window waits for it', async (t) => {
  const cloudwatch = await startCloudwatch();
  t.after(() => cloudwatch.close());
  const names = ['--namespace', 'Tokens', '--service', 's', '--once', '--period', '2'];
  const tokens = ['--dimension', 'Host=@hostname', '--dimension', 'Instance=@instance-id'];
  const { code, stderr } = await runAgent(
    [...names, ...tokens, '--dimension', 'Job=@batch-job-id'],
    {
      environment: {
        AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
        AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
        AWS_REGION: REGION,
        AWS_ENDPOINT_URL: cloudwatch.url,
        AWS_EC2_METADATA_SERVICE_ENDPOINT: await instance(t, 1),
        AWS_BATCH_JOB_ID: 'job-7',
      },
    },
  );
  assert.equal(code, 0, stderr);
  assert.match(stderr, /warn cannot publish yet, windows wait .*nothing answers for @instance-id/);
  const dimensions = cloudwatch.accepted[0]?.data[0]?.Dimensions ?? [];
  const values = Object.fromEntries(dimensions.map(({ Name, Value }) => [Name, Value]));
  assert.equal(values['Instance'], 'i-0123456789');
  assert.equal(values['Job'], 'job-7');
  assert.ok((values['Host'] ?? '').length > 0 && !values['Host']?.startsWith('@'));
});

test('the profile’s metadata settings hold for dimensions as for credentials', async (t) => {
  const cloudwatch = await startCloudwatch();
  const folder = mkdtempSync(join(tmpdir(), 'dimensions-'));
  t.after(() => {
    cloudwatch.close();
    rmSync(folder, { recursive: true });
  });
  const config = join(folder, 'config');
  const endpoint = await instance(t, 0);
  writeFileSync(config, `[default]\nec2_metadata_service_endpoint = ${endpoint}\n`);
  const names = ['--namespace', 'Tokens', '--service', 's', '--once', '--period', '1'];
  const { code, stderr } = await runAgent([...names, '--dimension', 'I=@instance-id'], {
    environment: {
      AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
      AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
      AWS_REGION: REGION,
      AWS_ENDPOINT_URL: cloudwatch.url,
      AWS_CONFIG_FILE: config,
    },
  });
  assert.equal(code, 0, stderr);
  const dimensions = cloudwatch.accepted[0]?.data[0]?.Dimensions ?? [];
  assert.deepEqual(dimensions.at(-1), { Name: 'I', Value: 'i-0123456789' });
});

test('a token that this place can never answer is an error that says what is missing', () => {
  const cases: readonly [token: string, environment: Record<string, string>, missing: RegExp][] = [
    ['@task-id', {}, /ECS_CONTAINER_METADATA_URI_V4 is not set/],
    ['@cluster', {}, /ECS_CONTAINER_METADATA_URI_V4 is not set/],
    ['@batch-queue', {}, /AWS_BATCH_JQ_NAME is not set/],
    ['@batch-index', { AWS_BATCH_JOB_ID: 'a' }, /AWS_BATCH_JOB_ARRAY_INDEX is not set/],
    ['@instance-id', { AWS_EXECUTION_ENV: 'AWS_ECS_FARGATE' }, /Fargate/],
    ['@instance-type', { AWS_EC2_METADATA_DISABLED: 'True' }, /AWS_EC2_METADATA_DISABLED is true/],
  ];
  for (const [token, environment, missing] of cases) {
    assert.throws(
      () => checkTokens([{ Name: 'A', Value: token }], environment),
      (error) => error instanceof ConfigError && missing.test(error.message),
      token,
    );
  }
});

test('a token that this place can answer, and a plain value, pass', () => {
  const uri = { ECS_CONTAINER_METADATA_URI_V4: 'http://169.254.170.2/v4/a' };
  checkTokens(
    [
      { Name: 'A', Value: '@task-id' },
      { Name: 'B', Value: '@az' },
    ],
    uri,
  );
  checkTokens(
    [
      { Name: 'A', Value: '@hostname' },
      { Name: 'B', Value: 'toString' },
    ],
    {},
  );
});
