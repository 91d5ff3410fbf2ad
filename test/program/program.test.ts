import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import { after, afterEach, beforeEach, describe, test } from 'node:test';
import { AGENT, type Program, runAgent, start, startAgent } from '../support/program.ts';
import { makeRoot, type Root } from '../support/root.ts';
import {
  type Cloudwatch,
  CREDENTIALS,
  REGION,
  startCloudwatch,
} from '../support/service/cloudwatch.ts';
import { refusal, serviceUnavailable, stall, wrongRoot } from '../support/service/faults.ts';

const GOLDEN = new URL('../fixtures/golden/', import.meta.url);
const FIXTURE = 'host-v1-busy-core-1GiB-tmpfs';
const NAMES = ['--namespace', 'TestNamespace', '--service', 'FooService'];

let cloudwatch: Cloudwatch;
let root: Root;
const programs: Program[] = [];

beforeEach(async () => {
  cloudwatch = await startCloudwatch();
  root = makeRoot();
  layInstant('t0');
});

afterEach(async () => {
  for (const program of programs.splice(0)) program.kill('SIGKILL');
  root.remove();
  await cloudwatch.close();
});

/**
 * A fixture's instants lie a second apart, and the agent reads them within some milliseconds: on two
 * CPUs so much time cannot have passed, on many it can.
 */
function layInstant(instant: 't0' | 't1'): void {
  root.lay(FIXTURE, instant);
  root.write({ 'sys/devices/system/cpu/online': '0-255\n' });
}

function environment(): Record<string, string> {
  return {
    AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
    AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
    AWS_REGION: REGION,
    AWS_ENDPOINT_URL: cloudwatch.url,
  };
}

/** An agent on the fixture, past its baseline; what it reads from now on is the second instant. */
async function agentPastBaseline(argv: readonly string[]): Promise<Program> {
  const flags = ['--root', root.path, '--log-level', 'info', ...argv];
  const program = startAgent(flags, { environment: environment() });
  programs.push(program);
  await program.until('line about the source', ({ stderr }) => stderr().includes('scope='));
  layInstant('t1');
  return program;
}

/** Compares with a golden file; UPDATE_GOLDEN=1 rewrites it. */
function assertGolden(name: string, value: unknown): void {
  const file = new URL(name, GOLDEN);
  const text = `${JSON.stringify(value, null, 2)}\n`;
  if (process.env['UPDATE_GOLDEN'] === '1') {
    mkdirSync(GOLDEN, { recursive: true });
    writeFileSync(file, text);
  }
  assert.equal(text, readFileSync(file, 'utf8'));
}

/** What was accepted, with the only things that differ from run to run checked and taken out. */
function acceptedData(): unknown {
  return cloudwatch.accepted.map(({ namespace, data }) => ({
    namespace,
    data: data.map(({ Timestamp, ...datum }) => {
      assert.match(Timestamp ?? '', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
      return datum;
    }),
  }));
}

/** All that a healthy run says. */
const ONLY_STARTED = /^\S+ info started: measures .*\n$/;

describe('publishing', () => {
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    test(`takes the last sample, publishes the window and exits with 0 on ${signal}`, async () => {
      const program = await agentPastBaseline(NAMES);
      program.kill(signal);
      assert.equal(await program.ended, 0);
      assertGolden('median.json', acceptedData());
    });
  }

  test('high resolution, more dimensions and all metrics', async () => {
    const more = ['--period', '10', '--dimension', 'Stage=test', '--tags', 'Team', 'a & b'];
    const all =
      'CPUUtilization,MemoryUtilization,MaxMemoryUtilization,MaxCPUUtilization,SampleCount';
    const program = await agentPastBaseline([...NAMES, ...more, '--metrics', all]);
    program.kill('SIGTERM');
    assert.equal(await program.ended, 0);
    assertGolden('all-high-resolution.json', acceptedData());
  });

  test('a distribution', async () => {
    const program = await agentPastBaseline([...NAMES, '--statistics', 'distribution']);
    program.kill('SIGTERM');
    assert.equal(await program.ended, 0);
    assertGolden('distribution.json', acceptedData());
  });

  test('fractions, for alarms made for the crate', async () => {
    const program = await agentPastBaseline([...NAMES, '--compat-fraction']);
    program.kill('SIGTERM');
    assert.equal(await program.ended, 0);
    assertGolden('fraction.json', acceptedData());
  });

  test('each period gets one request, stamped with its start', async () => {
    startUp([...NAMES, '--period', '1', '--interval', '0.5']);
    await cloudwatch.waitFor(({ accepted }) => accepted.length >= 3, 10_000);
    const stamps = cloudwatch.accepted.map(({ data }) => Date.parse(data[0]?.Timestamp ?? ''));
    const [first = 0] = stamps;
    assert.deepEqual(
      stamps,
      stamps.map((_, index) => first + index * 1000),
    );
  });

  test('--once publishes one window of one period and exits', async () => {
    const { code } = await runAgent([...NAMES, '--once', '--period', '1'], {
      environment: environment(),
    });
    assert.equal(code, 0);
    assert.equal(cloudwatch.accepted.length, 1);
  });

  test('--once that measured nothing exits with 1 and says so', async () => {
    const root = makeRoot({ 'proc/1/comm': 'init\n' });
    const flags = ['--once', '--period', '1', '--root', root.path];
    const { code, stderr } = await runAgent([...NAMES, ...flags], { environment: environment() });
    root.remove();
    assert.equal(code, 1);
    assert.match(stderr, / error nothing was measured/);
    assert.match(stderr, /cpu cannot be measured reason="\/proc\/stat: ENOENT"/);
    assert.equal(cloudwatch.accepted.length, 0);
  });

  test('instance metadata that answers after two seconds costs no sample', async () => {
    const role = {
      Code: 'Success',
      AccessKeyId: CREDENTIALS.accessKeyId,
      SecretAccessKey: CREDENTIALS.secretAccessKey,
      Token: 'token-of-role',
      Expiration: new Date(Date.now() + 3_600_000).toISOString(),
    };
    cloudwatch.credentials.splice(0, 1, { ...CREDENTIALS, sessionToken: role.Token });
    const answers: Readonly<Record<string, string>> = {
      '/latest/meta-data/iam/security-credentials/': 'role',
      '/latest/meta-data/iam/security-credentials/role': JSON.stringify(role),
    };
    const imds = createHttpServer(({ url = '' }, response) => {
      const answer = answers[url];
      if (answer !== undefined) response.end(answer);
      else setTimeout(() => response.end('tok'), 2000);
    });
    imds.listen(0, '127.0.0.1');
    await once(imds, 'listening');
    after(() => imds.close());
    const address = imds.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const { code, stderr } = await runAgent(
      [...NAMES, '--once', '--period', '3', '--interval', '0.5', '--metrics', 'SampleCount'],
      {
        environment: {
          AWS_REGION: REGION,
          AWS_ENDPOINT_URL: cloudwatch.url,
          AWS_EC2_METADATA_SERVICE_ENDPOINT: `http://127.0.0.1:${port}`,
          AWS_METADATA_SERVICE_TIMEOUT: '5',
        },
      },
    );
    assert.equal(code, 0);
    assert.match(stderr, ONLY_STARTED);
    // The last one is taken at the end of the period, by the tick or by the stop.
    assert.deepEqual(
      cloudwatch.accepted.map(({ data }) => data.map(({ Value }) => Value)),
      [[6]],
    );
  });

  test('with a session token, over an environment twin for every needed flag', async () => {
    const sessionToken = 'token/with+signs==';
    cloudwatch.credentials.splice(0, 1, { ...CREDENTIALS, sessionToken });
    const { code } = await runAgent([], {
      environment: {
        ...environment(),
        AWS_SESSION_TOKEN: sessionToken,
        METRICS_AGENT_NAMESPACE: 'Twin',
        METRICS_AGENT_SERVICE: 'twin',
        METRICS_AGENT_ONCE: '1',
        METRICS_AGENT_PERIOD: '1',
      },
    });
    assert.deepEqual([code, cloudwatch.accepted[0]?.namespace], [0, 'Twin']);
  });

  test('over TLS, by the roots that Node was given', async () => {
    const secure = await startCloudwatch({ tls: true });
    after(() => secure.close());
    const file = `${root.path}/ca.pem`;
    writeFileSync(file, secure.ca ?? '');
    const { code, stderr } = await runAgent([...NAMES, '--once', '--period', '1'], {
      environment: { ...environment(), AWS_ENDPOINT_URL: secure.url, NODE_EXTRA_CA_CERTS: file },
    });
    assert.deepEqual([code, secure.accepted.length], [0, 1]);
    assert.match(stderr, ONLY_STARTED);
  });

  test('over TLS with a certificate that nobody vouches for nothing is sent, and that is said', async () => {
    const secure = await startCloudwatch({ tls: true });
    after(() => secure.close());
    const flags = [...NAMES, '--once', '--period', '1', '--flush-timeout', '1'];
    const { code, stderr } = await runAgent(flags, {
      environment: { ...environment(), AWS_ENDPOINT_URL: secure.url },
    });
    assert.equal(code, 1);
    assert.match(stderr, /DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED/);
    assert.equal(secure.requests.length, 0);
  });
});

describe('when publishing fails', () => {
  test('two retries bring a window through a bad moment', async () => {
    cloudwatch.play(serviceUnavailable(), wrongRoot());
    const { code } = await runAgent([...NAMES, '--once', '--period', '1'], {
      environment: environment(),
    });
    assert.deepEqual([code, cloudwatch.accepted.length, cloudwatch.requests.length], [0, 1, 3]);
  });

  test('credentials that have expired are said once, not per attempt, and the window gets through', async () => {
    const message = 'The security token included in the request is expired';
    cloudwatch.play(...Array(3).fill(refusal(403, 'ExpiredToken', message)));
    const { code, stderr } = await runAgent([...NAMES, '--once', '--period', '1'], {
      environment: environment(),
    });
    assert.deepEqual(
      cloudwatch.requests.map(({ status }) => status),
      [403, 403, 403, 200],
    );
    assert.deepEqual([code, cloudwatch.accepted.length], [0, 1]);
    const [started, ...lines] = stderr.trimEnd().split('\n');
    assert.match(started ?? '', / info started: /);
    assert.equal(lines.length, 2, stderr);
    assert.match(lines[0] ?? '', / warn cannot publish yet, windows wait code=ExpiredToken /);
    assert.match(lines[1] ?? '', / warn publishing again /);
  });

  test('a service that stays down loses the window at the end: exit 1, and the reason on stderr', async () => {
    cloudwatch.play(() => serviceUnavailable());
    const flags = [...NAMES, '--once', '--period', '1', '--flush-timeout', '1'];
    const { code, stderr } = await runAgent(flags, { environment: environment() });
    assert.equal(code, 1);
    assert.match(stderr, /warn publishing fails, windows wait code=ServiceUnavailable /);
    assert.match(
      stderr,
      /error stopped: the window \d\d:\d\d:\d\d UTC could not be sent within 1 s \(.+\); --spool DIR would have kept it windowsSent=0 windowsSpooled=0 windowsLost=1/,
    );
  });

  test('a wrong secret is tried once more at the end, and neither secret nor token is printed', async () => {
    const secret = 'WrongSecretThatMustNotShow';
    const { code, stderr, stdout } = await runAgent(
      [...NAMES, '--once', '--period', '1', '--log-level', 'debug'],
      { environment: { ...environment(), AWS_SECRET_ACCESS_KEY: secret } },
    );
    assert.equal(code, 1);
    assert.equal(cloudwatch.requests.length, 2);
    assert.match(
      stderr,
      /error publishing is refused, windows wait code=SignatureDoesNotMatch .*remedy="the secret key does not/,
    );
    assert.doesNotMatch(stderr + stdout, /WrongSecret|Signature=|AWS4-HMAC/);
  });

  test('a service that never answers holds the exit no longer than --flush-timeout', async () => {
    cloudwatch.play(stall(), stall(), stall(), stall());
    const program = await agentPastBaseline([...NAMES, '--flush-timeout', '1']);
    const begun = performance.now();
    program.kill('SIGTERM');
    program.kill('SIGTERM');
    assert.equal(await program.ended, 1);
    const tookMs = performance.now() - begun;
    // Without it the attempt alone would take 10 s.
    assert.ok(tookMs > 900 && tookMs < 9000, `${tookMs} ms`);
  });

  test('a second SIGINT does not wait', async () => {
    cloudwatch.play(stall());
    const program = await agentPastBaseline([...NAMES, '--flush-timeout', '600']);
    program.kill('SIGINT');
    await cloudwatch.waitFor(({ requests }) => requests.length === 1);
    program.kill('SIGINT');
    assert.equal(await program.ended, 1);
  });
});

function startUp(argv: readonly string[]): Program {
  const program = startAgent(argv, { environment: environment() });
  programs.push(program);
  return program;
}

describe('settings that cannot work', () => {
  const environmentless = { environment: {} };
  const cases: readonly [string, readonly string[], RegExp][] = [
    ['no namespace', ['--service', 'a'], /--namespace: is required/],
    ['no service', ['--namespace', 'a'], /--service: is required/],
    ['a region that is none', [...NAMES, '--region', 'eu west'], /--region: got "eu west"/],
    ['an unknown flag', ['--dry-run', '--frequency', '5'], /--frequency: there is no such flag/],
    ['a negative period', ['--dry-run', '-p', '-1'], /-p: got "-1", expected a whole number/],
    ['a root that is not there', ['--dry-run', '--root', '/nowhere'], /--root: got "\/nowhere"/],
  ];
  for (const [what, argv, message] of cases) {
    test(`${what}: exit 2, said on stderr in one line`, async () => {
      const { code, stdout, stderr } = await runAgent(argv, environmentless);
      assert.equal(code, 2);
      assert.equal(stdout, '');
      assert.match(stderr, message);
      assert.equal(stderr.trimEnd().split('\n').length, 1);
    });
  }
});

describe('the dry run', () => {
  test('shows a sample within 2 s and the window at the end, as JSON lines', async () => {
    const program = startAgent(['--dry-run', '--log-format', 'json'], { environment: {} });
    programs.push(program);
    // How long a busy machine takes to start a process is not the agent's.
    await program.until('line of the start', ({ stderr }) => stderr().includes('started'));
    const begun = performance.now();
    await program.until('sample', ({ stdout }) => stdout().includes('"sample"'));
    assert.ok(performance.now() - begun < 2000);
    program.kill('SIGINT');
    assert.equal(await program.ended, 0);
    const lines = program
      .stdout()
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    const [sample] = lines;
    assert.equal(typeof sample.CPUUtilization, 'number');
    assert.equal(typeof sample.MemoryUtilization, 'number');
    assert.match(sample.time, /Z$/);
    const window = lines.at(-1);
    assert.equal(window.type, 'window');
    assert.equal(window.request.Namespace, 'DryRun');
    assert.equal(window.samples, lines.length - 1);
    assert.ok(window.requestBytes > 500);
  });

  test('shows exactly what is sent', async () => {
    const program = await agentPastBaseline([...NAMES, '--dry-run', '--log-format', 'json']);
    program.kill('SIGTERM');
    await program.ended;
    const window = JSON.parse(program.stdout().trimEnd().split('\n').at(-1) ?? '');
    layInstant('t0');
    const real = await agentPastBaseline(NAMES);
    real.kill('SIGTERM');
    await real.ended;
    const [accepted] = cloudwatch.accepted;
    assert.equal(window.requestBytes, accepted?.uncompressedBytes);
    for (const datum of window.request.MetricData) delete datum.Timestamp;
    const sent = accepted?.data.map(({ Timestamp, ...datum }) => datum);
    assert.deepEqual(window.request.MetricData, sent);
  });

  test('text has the datums, the counts, the bytes and the number of billed metrics', async () => {
    const program = await agentPastBaseline([...NAMES, '--dry-run']);
    program.kill('SIGTERM');
    assert.equal(await program.ended, 0);
    const out = program.stdout();
    assert.match(out, /^\S+Z {2}CPUUtilization 50\.5 {2}MemoryUtilization 5\.74$/m);
    assert.match(out, /^ {2}CPUUtilization 50\.5 Percent \(1 samples, min 50\.5, max 50\.5\)/m);
    assert.match(out, /^ {2}1 request of \d+ bytes, 3 billed metrics$/m);
    assert.equal(cloudwatch.requests.length, 0);
  });

  test('a reader of --check that goes away changes nothing about its exit code', async () => {
    const line = '{ "$0" "$1" --check 2>&3; echo "exit $?" >&2; } 3>/dev/null | head -n 1 >&2';
    const pipeline = start('sh', ['-c', line, process.execPath, AGENT], {
      environment: { AWS_REGION: 'eu-west-1', AWS_EC2_METADATA_DISABLED: 'true' },
    });
    programs.push(pipeline);
    assert.equal(await pipeline.ended, 0);
    assert.match(pipeline.stderr(), /exit 1/);
  });

  test('a log that nobody reads does not keep it', async () => {
    const line =
      'mkfifo "$2/log"; exec 3<>"$2/log"; head -c 65536 /dev/zero >&3; exec "$0" "$1" --dry-run --interval 0.1 2>&3';
    const program = start('sh', ['-c', line, process.execPath, AGENT, root.path]);
    programs.push(program);
    await program.until('sample', ({ stdout }) => stdout().includes('CPUUtilization'));
    const begunMs = performance.now();
    program.kill('SIGTERM');
    assert.equal(await program.ended, 0);
    // A log that is waited for would hold it for all of --flush-timeout, 8 s.
    assert.ok(performance.now() - begunMs < 6000, `${performance.now() - begunMs} ms`);
  });

  test('a reader that goes away ends it quietly', async () => {
    const pipeline = start('sh', [
      '-c',
      `"$0" "$1" --dry-run --interval 0.1 --period 1 2>"$2/stderr" | head -n 1`,
      process.execPath,
      AGENT,
      root.path,
    ]);
    programs.push(pipeline);
    assert.equal(await pipeline.ended, 0);
    assert.match(pipeline.stdout(), /CPUUtilization/);
    const stderr = readFileSync(`${root.path}/stderr`, 'utf8');
    assert.doesNotMatch(stderr, /EPIPE|Error/);
  });
});

describe('signals', () => {
  test('SIGUSR1 writes one status line and opens no inspector', async () => {
    const program = await agentPastBaseline([...NAMES, '--log-level', 'info']);
    program.kill('SIGUSR1');
    await program.until('status', ({ stderr }) => stderr().includes('status'));
    assert.match(program.stderr(), /info status upSeconds=\d+ samples=\d+ .*windowsSent=0/);
    assert.doesNotMatch(program.stderr(), /Debugger|inspector/i);
    program.kill('SIGTERM');
    assert.equal(await program.ended, 0);
  });

  test('as process 1 of a PID namespace it still ends on SIGTERM', async (t) => {
    const probe = start('unshare', ['--fork', '--pid', '--kill-child', 'true']);
    if ((await probe.ended.catch(() => 1)) !== 0)
      return t.skip('SKIP: no right to make a PID namespace');
    const inside = [process.execPath, AGENT, ...NAMES, '--log-level', 'info'];
    const program = start('unshare', ['--fork', '--pid', '--kill-child', ...inside], {
      environment: environment(),
    });
    programs.push(program);
    await program.until('line about the source', ({ stderr }) => stderr().includes('scope='));
    const agent = readFileSync(
      `/proc/${program.child.pid}/task/${program.child.pid}/children`,
      'utf8',
    );
    process.kill(Number(agent), 'SIGTERM');
    assert.equal(await program.ended, 0);
    assert.equal(cloudwatch.accepted.length, 1);
  });
});

test('nothing but a closed port: the flush gives up after its attempts, and says why', async () => {
  const closed = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => closed.once('listening', resolve));
  const address = closed.address();
  const port = typeof address === 'object' ? address?.port : 0;
  await new Promise((resolve) => closed.close(resolve));
  const flags = [...NAMES, '--once', '--period', '1', '--flush-timeout', '1'];
  const { code, stderr } = await runAgent(flags, {
    environment: { ...environment(), AWS_ENDPOINT_URL: `http://127.0.0.1:${port}` },
  });
  assert.equal(code, 1);
  assert.match(stderr, /ECONNREFUSED/);
});
