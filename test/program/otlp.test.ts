import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { type Program, runAgent, startAgent } from '../support/program.ts';
import {
  type Cloudwatch,
  CREDENTIALS,
  REGION,
  startCloudwatch,
} from '../support/service/cloudwatch.ts';
import { refusal, resetMidBody, stall } from '../support/service/faults.ts';
import { decodeOtlp, type OtlpPoint, otlpError, partialSuccess } from '../support/service/otlp.ts';

const NAMES = ['--namespace', 'TestNamespace', '--service', 'FooService'];
const FAST = ['--period', '1', '--interval', '0.5', '--jitter', '0', '--log-level', 'debug'];
const ONE = ['--metrics', 'SampleCount'];

let cloudwatch: Cloudwatch;
const programs: Program[] = [];
const servers: Server[] = [];

beforeEach(async () => {
  cloudwatch = await startCloudwatch();
});

afterEach(async () => {
  for (const program of programs.splice(0)) program.kill('SIGKILL');
  for (const server of servers.splice(0)) server.close();
  await cloudwatch.close();
});

function environment(): Record<string, string> {
  return {
    AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
    AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
    AWS_REGION: REGION,
    AWS_ENDPOINT_URL: cloudwatch.url,
  };
}

function begin(argv: readonly string[], more: Record<string, string> = {}): Program {
  const variables = { ...environment(), ...more };
  const program = startAgent([...NAMES, ...FAST, ...argv], { environment: variables });
  programs.push(program);
  return program;
}

function points(of: Cloudwatch = cloudwatch): OtlpPoint[] {
  return of.accepted.flatMap((one) => one.points ?? []);
}

/** Instants of what was accepted: none may be missing or come twice. */
function assertUnbroken(of: Cloudwatch = cloudwatch): void {
  const starts = points(of).map(({ startMs = 0 }) => startMs);
  const sorted = [...starts].sort((one, other) => one - other);
  const [first = 0] = sorted;
  const whole = sorted.slice(0, -1);
  assert.deepEqual(
    whole,
    whole.map((_, index) => first + index * 1000),
  );
}

/** A receiver that answers all the same. */
async function receiver(
  status: number,
  body: string,
): Promise<{ url: string; seen: { headers: IncomingHttpHeaders; path: string; body: string }[] }> {
  const seen: { headers: IncomingHttpHeaders; path: string; body: string }[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { headers, url: path = '' } = request;
      seen.push({ headers, path, body: Buffer.concat(chunks).toString() });
      response.writeHead(status, { 'content-type': 'application/json' }).end(body);
    });
  });
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return { url: `http://127.0.0.1:${port}`, seen };
}

describe('over OTLP', () => {
  test('windows go signed to CloudWatch’s endpoint, the last one on SIGTERM', async () => {
    const program = begin(['--output', 'otlp', '--dimension', 'Stage=test', '--metrics', 'all']);
    await cloudwatch.waitFor(({ accepted }) => accepted.length >= 2, 10_000);
    program.kill('SIGTERM');
    assert.equal(await program.ended, 0, program.stderr());
    assert.match(program.stderr(), /destination="OTLP at http:\/\/127\.0\.0\.1:\d+"/);
    assert.match(program.stderr(), /info ended windowsSent=([3-9]) windowsSpooled=0 windowsLost=0/);
    assert.deepEqual(
      cloudwatch.requests.map(({ path, refusal: wrong, status }) => [path, wrong, status]),
      cloudwatch.requests.map(() => ['/v1/metrics', undefined, 200]),
    );
    assert.equal(cloudwatch.accepted[0]?.accessKeyId, CREDENTIALS.accessKeyId);
    const [cpu] = points().filter(({ name }) => name === 'system.cpu.utilization');
    const { 'host.name': host, ...resource } = cpu?.resource ?? {};
    assert.ok(host);
    assert.deepEqual(resource, {
      'service.namespace': 'TestNamespace',
      'service.name': 'FooService',
      Stage: 'test',
    });
    assert.ok((cpu?.value ?? 2) <= 1);
  });

  test('a distribution is a histogram, compressed where that is asked for', async () => {
    const argv = ['--output', 'otlp', '--statistics', 'distribution', '--once'];
    const { code } = await runAgent([...NAMES, ...FAST, ...argv], {
      environment: { ...environment(), AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES: '0' },
    });
    assert.equal(code, 0);
    assert.equal(cloudwatch.accepted[0]?.gzip, true);
    const kinds = points().map(({ name, kind }) => [name, kind]);
    assert.deepEqual(kinds, [
      ['system.cpu.utilization', 'exponentialHistogram'],
      ['system.memory.utilization', 'exponentialHistogram'],
    ]);
  });

  const troubles = {
    'too many requests': otlpError(429, 'slow down', '1'),
    'no answer': resetMidBody(),
    'a server’s fault': otlpError(503, 'starting'),
    'one of AWS': refusal(500, 'InternalServiceError', 'x'),
  };
  for (const [what, fault] of Object.entries(troubles)) {
    test(`${what} is over when it is over: nothing is missing, nothing comes twice`, async () => {
      cloudwatch.play(fault, fault);
      const program = begin(['--output', 'otlp', ...ONE]);
      await cloudwatch.waitFor(() => points().length >= 4, 20_000);
      program.kill('SIGTERM');
      assert.equal(await program.ended, 0, program.stderr());
      assertUnbroken();
      assert.match(program.stderr(), /windowsLost=0\n/);
    });
  }

  test('Retry-After is kept to', async () => {
    cloudwatch.play(otlpError(429, 'slow down', '3'));
    begin(['--output', 'otlp', ...ONE]);
    await cloudwatch.waitFor(({ requests }) => requests.length >= 2, 15_000);
    const [first, second] = cloudwatch.requests.map(({ at }) => at);
    assert.ok((second ?? 0) - (first ?? 0) >= 2900, `${(second ?? 0) - (first ?? 0)} ms`);
  });

  test('points that are left out are a loss, said with the reason and counted', async () => {
    cloudwatch.play(partialSuccess(1, 'label too long'));
    const program = begin(['--output', 'otlp', '--metrics', 'default', '--once']);
    assert.equal(await program.ended, 0);
    const said = program.stderr();
    assert.match(
      said,
      /warn the service does not take some of the data datums=1 reason="label too/,
    );
    assert.match(said, /warn datums that the service does not take are given up datums=1/);
  });

  test('what is too large goes in parts', async () => {
    cloudwatch.play(otlpError(413, 'too large'), otlpError(413, 'too large'));
    const program = begin(['--output', 'otlp', '--once', '--metrics', 'default']);
    assert.equal(await program.ended, 0, program.stderr());
    assert.equal(points().length, 3);
    assert.equal(cloudwatch.requests.length, 4);
  });
});

describe('two outputs', () => {
  test('get every window, and one that hangs holds up nothing of the other', async () => {
    const other = await startCloudwatch();
    try {
      other.play(() => stall());
      const outputs = ['--output', 'cloudwatch', '--output', `otlp=${other.url}`];
      const program = begin([...outputs, ...ONE, '--flush-timeout', '2']);
      await cloudwatch.waitFor(({ accepted }) => accepted.length >= 4, 10_000);
      program.kill('SIGTERM');
      assert.equal(await program.ended, 1);
      assert.match(
        program.stderr(),
        /info published .*output=cloudwatch|output=cloudwatch .*datums=1/,
      );
      assert.match(program.stderr(), /error stopped: .*otlp=http:\/\/127\.0\.0\.1:\d+\/: /);
      assert.equal(other.accepted.length, 0);
    } finally {
      await other.close();
    }
  });
});

describe('a collector', () => {
  const PLAIN = ['--sign', 'never', '--header', 'x-api-key=hush-hush-key'];
  /** Anything of AWS would fail by this. */
  const NO_AWS = { AWS_PROFILE: 'nowhere', AWS_CONFIG_FILE: '/nonexistent/config' };

  for (const body of ['{}', '', '{"partialSuccess":{}}']) {
    test(`gets windows unsigned, with a header, and may answer "${body}"`, async () => {
      const { url, seen } = await receiver(200, body);
      const argv = [...NAMES, ...FAST, '--once', '--output', `otlp=${url}/base`, ...PLAIN];
      const { code, stderr } = await runAgent(argv, { environment: NO_AWS });
      assert.equal(code, 0, stderr);
      const [first] = seen;
      assert.ok(first);
      const { headers, path, body: sent } = first;
      assert.equal(path, '/base/v1/metrics');
      assert.equal(headers['x-api-key'], 'hush-hush-key');
      assert.equal(headers['authorization'], undefined);
      assert.equal(headers['content-length'], String(sent.length));
      assert.equal(headers['transfer-encoding'], undefined);
      assert.ok(decodeOtlp(sent).length > 0);
      assert.doesNotMatch(stderr, /hush/);
    });
  }

  test('that refuses the key and repeats it: what to do is said, the key is not', async () => {
    const { url } = await receiver(401, '{"message":"bad key hush-hush-key"}');
    const argv = [...NAMES, ...FAST, '--once', '--endpoint-url', url, '--output', 'otlp', ...PLAIN];
    const { code, stderr } = await runAgent(argv, { environment: NO_AWS });
    assert.equal(code, 1);
    assert.match(stderr, /publishing is refused, windows wait code="HTTP 401" reason="bad key …"/);
    assert.match(stderr, /remedy="give its key by --header NAME=VALUE/);
    assert.doesNotMatch(stderr, /hush/);
  });

  const checks: [status: number, body: string, code: number, said: RegExp][] = [
    [200, '{}', 0, /^ok {3}otlp=\S+ +http:\S+\/v1\/metrics answers HTTP 200$/m],
    [401, '', 1, /^FAIL otlp=.* HTTP 401\n +the OTLP endpoint refuses us: give its key by/m],
    [
      404,
      '',
      1,
      /^FAIL otlp=.* HTTP 404\n +there is no OTLP for metrics as JSON: correct the URL/m,
    ],
    [200, '<html>', 1, /^FAIL otlp=.* HTTP 200\n +somebody other than AWS answers/m],
  ];
  for (const [status, body, expected, said] of checks) {
    test(`--check says what HTTP ${status} "${body}" means, and looks for nothing of AWS`, async () => {
      const { url } = await receiver(status, body);
      const argv = ['--check', '--output', `otlp=${url}`, ...PLAIN];
      const { code, stdout } = await runAgent(argv, { environment: NO_AWS });
      assert.match(stdout, said);
      assert.equal(code, expected, stdout);
      assert.doesNotMatch(stdout, /hush|region|credentials|identity/);
    });
  }

  test('--check-publish sends a real point', async () => {
    const { url, seen } = await receiver(200, '{}');
    const argv = [...NAMES, '--check-publish', '--output', `otlp=${url}`, ...PLAIN];
    const { code, stdout } = await runAgent(argv, { environment: NO_AWS });
    assert.match(stdout, /^ok {3}publishing {2}AgentCheck by otlp=/m);
    assert.equal(code, 0, stdout);
    assert.equal(decodeOtlp(seen[1]?.body ?? '')[0]?.name, 'cloudwatch_metrics_agent.agent_check');
  });
});

test('--check of the signed endpoint goes through all that publishing needs', async () => {
  const argv = [...NAMES, '--check-publish', '--output', 'otlp'];
  const { stdout } = await runAgent(argv, { environment: environment() });
  assert.match(stdout, /^ok {3}credentials the environment/m);
  assert.match(stdout, /^ok {3}otlp +http:\S+\/v1\/metrics answers HTTP 403$/m);
  assert.match(stdout, /^ok {3}publishing {2}AgentCheck by otlp, request /m);
  assert.equal(points().length, 1);
});

test('a dry run shows windows as OTLP would carry them', async () => {
  const argv = ['--dry-run', '--once', '--period', '1', '--interval', '0.5', '--output', 'otlp'];
  const text = await runAgent(argv);
  assert.match(text.stdout, /^window \S+ to \S+ by otlp: 1 × POST, \d+ bytes$/m);
  assert.match(
    text.stdout,
    /^ {2}resource service\.namespace=DryRun service\.name=DryRun host\.name=\S+$/m,
  );
  assert.match(text.stdout, /^ {2}system\.memory\.utilization 0\.\d{1,12} 1 gauge$/m);
  assert.doesNotMatch(text.stdout, /PutMetricData|billed/);
  const { stdout } = await runAgent([...argv, '--log-format', 'json']);
  const line = stdout.split('\n').find((one) => one.includes('"requests"')) ?? '';
  const [, request = ''] = /"requests":\[(.*)\]\}$/.exec(line) ?? [];
  assert.ok(decodeOtlp(request).some(({ name }) => name === 'system.memory.utilization'));
});
