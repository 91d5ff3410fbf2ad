import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { createServer as createTcpServer, type Server as TcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, test } from 'node:test';
import type { Clock } from '../../src/clock.ts';
import { judge } from '../../src/cloudwatch/judge.ts';
import { createPost } from '../../src/cloudwatch/post.ts';
import type { Verdict } from '../../src/delivery/verdict.ts';
import { ADVICE, type Advice } from '../../src/diagnostics/advice.ts';
import { check, type Finding, findingLines } from '../../src/diagnostics/check.ts';
import {
  errorXml,
  LATER,
  NOW_MS,
  type Replies,
  type Rig,
  rig,
  roleJson,
  type Scene,
  ssoLogin,
  stsXml,
} from '../support/aws/aws.ts';
import { hurriedClock } from '../support/aws/elsewhere.ts';
import { startProxy } from '../support/aws/proxy.ts';
import { selfSigned } from '../support/aws/tls.ts';
import { AGENT, runAgent, start } from '../support/program.ts';
import { said } from '../support/said.ts';
import { CREDENTIALS, REGION, startCloudwatch } from '../support/service/cloudwatch.ts';

const rigs: Rig[] = [];
const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const one of rigs.splice(0)) one.close();
  for (const close of closing.splice(0)) await close();
});

const KEYS = { AWS_ACCESS_KEY_ID: 'AKIDCHECKED', AWS_SECRET_ACCESS_KEY: 'secret-of-CHECKED' };
const MONITORING = 'POST monitoring.eu-west-1.amazonaws.com/';
const STS = 'POST sts.eu-west-1.amazonaws.com/';
const ARN = 'arn:aws:sts::123456789012:assumed-role/agent/cloudwatch-metrics-agent';
const WHO = `<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>${ARN}</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>`;
const UNSIGNED: [number, string] = [403, errorXml('MissingAuthenticationToken')];
const GOOD: Replies = { [MONITORING]: UNSIGNED, [STS]: WHO };
const CHAIN = `[default]
role_arn = arn:aws:iam::1:role/agent
source_profile = base
[profile base]
aws_access_key_id = BASE
aws_secret_access_key = secret-of-BASE`;

interface Walked {
  readonly exit: number;
  readonly findings: readonly Finding[];
  of(what: string): Finding | undefined;
}

async function walk(scene: Scene, publish?: (rig: Rig) => () => Promise<Verdict>): Promise<Walked> {
  const made = await rig({
    ...scene,
    environment: { AWS_REGION: 'eu-west-1', ...scene.environment },
  });
  rigs.push(made);
  const findings: Finding[] = [];
  const exit = await check({
    environment: scene.environment ?? {},
    aws: made.aws,
    clock: made.clock,
    publish: publish?.(made),
    say: (finding) => findings.push(said(finding)),
  });
  return { exit, findings, of: (what) => findings.find((one) => one.what === what) };
}

/** Sends for real, over the rig. */
function real(over: Rig): () => Promise<Verdict> {
  const { clock, aws } = over;
  const post = createPost({ locate: aws.locate, clock, userAgent: 'test/1' });
  const page = { body: () => 'Action=PutMetricData&Version=2010-08-01', datums: 1, bytes: 39 };
  return () => post(page, 5000, new AbortController().signal);
}

test('what a server says is one line, and cannot speak to the terminal', () => {
  const finding = { mark: 'FAIL', what: 'publishing', text: 'a\u001b[31mred\r\n b' } as const;
  assert.equal(findingLines(finding, 'text'), 'FAIL publishing  a [31mred b');
  assert.equal(JSON.parse(findingLines(finding, 'json'))['text'], 'a [31mred b');
});

describe('where all is well', () => {
  test('each thing has one line, in the order in which it is needed', async () => {
    const { exit, findings } = await walk({ environment: KEYS, replies: GOOD });
    assert.equal(exit, 0);
    assert.deepEqual(
      findings.map(({ mark, what, text }) => `${mark} ${what}: ${text}`),
      [
        'ok region: eu-west-1, by AWS_REGION',
        'ok credentials: the environment, key AKID…CKED, no end',
        'ok endpoint: https://monitoring.eu-west-1.amazonaws.com/ answers HTTP 403',
        `ok identity: ${ARN}`,
        '- publishing: not tried: --check-publish sends one datum',
      ],
    );
  });

  test('credentials say their chain and when they end', async () => {
    const replies: Replies = {
      ...GOOD,
      [STS]: ({ body }) =>
        body.includes('GetCallerIdentity') ? WHO : stsXml('AssumeRole', 'ROLE', LATER),
    };
    const { of } = await walk({ files: { config: CHAIN }, replies });
    const expected = 'profile default → arn:aws:iam::1:role/agent, key ROLE…, 360 minutes left';
    assert.equal(of('credentials')?.text, expected);
  });

  test('one real datum is sent where that is asked for', async () => {
    const replies: Replies = {
      ...GOOD,
      [MONITORING]: ({ headers }) =>
        headers['authorization'] === undefined
          ? UNSIGNED
          : '<PutMetricDataResponse><ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata></PutMetricDataResponse>',
    };
    const { exit, of } = await walk({ environment: KEYS, replies }, real);
    assert.equal(exit, 0);
    assert.equal(of('publishing')?.text, 'AgentCheck, request r-1');
  });
});

describe('what is in the way is said with what to do about it', () => {
  const hidden = { AWS_EC2_METADATA_DISABLED: 'true' };
  const task = { ECS_CONTAINER_METADATA_URI_V4: 'http://169.254.170.2/v4/id' };
  const WEB = {
    AWS_ROLE_ARN: 'arn:aws:iam::1:role/agent',
    AWS_WEB_IDENTITY_TOKEN_FILE: 'HOME/jwt',
  };
  type Case = [what: string, scene: Scene, step: string, advice: Advice, exit: number];
  const cases: Case[] = [
    [
      'no region anywhere',
      { environment: { ...KEYS, ...hidden, AWS_REGION: '' } },
      'region',
      'region',
      1,
    ],
    [
      'a region that is none',
      { environment: { ...KEYS, AWS_REGION: 'eu west' } },
      'region',
      'setting',
      2,
    ],
    [
      'half a pair of keys',
      { environment: { AWS_ACCESS_KEY_ID: 'A' } },
      'credentials',
      'setting',
      2,
    ],
    ['no credentials anywhere', { environment: hidden }, 'credentials', 'credentials', 1],
    [
      'a task with only an execution role',
      { environment: { ...hidden, ...task } },
      'credentials',
      'taskRole',
      1,
    ],
    ...(['AccessDenied', 'SignatureDoesNotMatch'] as const).map(
      (code): Case => [
        `a role that STS refuses by ${code}`,
        {
          files: { config: CHAIN },
          replies: { ...GOOD, [STS]: [403, errorXml(code)] },
        },
        'credentials',
        code === 'AccessDenied' ? 'role' : 'signature',
        1,
      ],
    ),
    [
      'a web identity that STS refuses, in an ECS task, which has nothing to do with its role',
      {
        environment: { ...hidden, ...task, ...WEB },
        files: { jwt: 'token-of-jwt' },
        replies: { ...GOOD, [STS]: [400, errorXml('InvalidIdentityToken')] },
      },
      'credentials',
      'role',
      1,
    ],
    [
      'a web identity without its file, in an ECS task',
      { environment: { ...hidden, ...task, ...WEB }, replies: GOOD },
      'credentials',
      'setting',
      2,
    ],
    [
      'a page in the place of STS, which is a warning',
      {
        environment: KEYS,
        replies: { ...GOOD, [STS]: [200, '<html><body>Please log in</body></html>'] },
      },
      'identity',
      'sts',
      0,
    ],
    [
      'credentials that were over when they were handed out, which is a warning',
      {
        environment: { AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: '/creds' },
        replies: {
          ...GOOD,
          'GET 169.254.170.2/creds': roleJson('TASK', { Expiration: '2026-11-23T07:00:00Z' }),
        },
      },
      'credentials',
      'expired',
      0,
    ],
    [
      'a login that has expired',
      { files: ssoLogin('eu-west-1').files, clock: hurriedClock(Date.parse(LATER) + 1) },
      'credentials',
      'login',
      1,
    ],
    [
      'a setting of compression that is none',
      {
        environment: KEYS,
        files: { config: '[default]\nrequest_min_compression_size_bytes = abc' },
        replies: GOOD,
      },
      'settings',
      'setting',
      2,
    ],
    [
      'an endpoint that is none',
      { environment: { ...KEYS, AWS_ENDPOINT_URL_CLOUDWATCH: 'localhost:4566' }, replies: GOOD },
      'endpoint',
      'setting',
      2,
    ],
    [
      'a broken config file',
      { files: { config: '[default\nsecret-of-FILE' } },
      'settings',
      'setting',
      2,
    ],
    [
      'a page of a proxy in CloudWatch’s place',
      { environment: KEYS, replies: { ...GOOD, [MONITORING]: [200, '<html>log in</html>'] } },
      'endpoint',
      'html',
      1,
    ],
    [
      'a key that STS does not know',
      {
        environment: KEYS,
        replies: { ...GOOD, [STS]: [403, errorXml('InvalidClientTokenId')] },
      },
      'identity',
      'unknownKey',
      1,
    ],
    [
      'a secret that does not belong to the key',
      {
        environment: KEYS,
        replies: { ...GOOD, [STS]: [403, errorXml('SignatureDoesNotMatch')] },
      },
      'identity',
      'signature',
      1,
    ],
    [
      'an STS that is away, which is a warning',
      { environment: { ...KEYS, AWS_MAX_ATTEMPTS: '1' }, replies: { ...GOOD, [STS]: [503, ''] } },
      'identity',
      'sts',
      0,
    ],
    [
      'a clock that is two minutes off, which is a warning',
      {
        environment: KEYS,
        replies: {
          ...GOOD,
          [MONITORING]: [
            403,
            errorXml('MissingAuthenticationToken'),
            { date: new Date(NOW_MS - 120_000).toUTCString() },
          ],
        },
      },
      'clock',
      'clock',
      0,
    ],
  ];
  for (const [what, scene, step, advice, exit] of cases) {
    test(what, async () => {
      const walked = await walk(scene);
      assert.equal(walked.of(step)?.advice, advice);
      assert.equal(walked.exit, exit);
    });
  }

  test('a page in the place of STS is no identity', async () => {
    const replies: Replies = { ...GOOD, [STS]: '<html><body><Arn></Arn></body></html>' };
    const { of } = await walk({ environment: KEYS, replies });
    const { mark, text } = of('identity') ?? assert.fail();
    assert.deepEqual(
      [mark, text],
      ['warn', 'STS answered GetCallerIdentity, but with something else'],
    );
  });

  /** The time of a step, and that of a process. */
  const [STEP_MS, PROCESS_MS] = [95_000, 60_000];
  for (const [what, ended, meant, text] of [
    [
      'the step',
      STEP_MS,
      'credentials',
      'it took too long to find out the credentials, of the profile',
    ],
    ['the process', PROCESS_MS, 'process', 'credential_process was stopped: too slow or too long'],
  ] as const) {
    test(`a slow credential_process, by the limit of ${what}, is no matter of hops`, async () => {
      const { after, ...rest } = hurriedClock(NOW_MS);
      const limits = new Map<number, () => void>();
      const clock: Clock = {
        ...rest,
        after(delayMs, task) {
          limits.set(delayMs, task);
          // The process is there: time is up for one of them.
          if (delayMs === PROCESS_MS) after(0, () => limits.get(ended)?.());
          return delayMs === PROCESS_MS ? () => undefined : after(delayMs, task);
        },
      };
      closing.push(() => limits.get(PROCESS_MS)?.());
      const files = { config: '[default]\ncredential_process = sleep 20' };
      const { exit, of } = await walk({ files, clock, replies: GOOD });
      const { advice, text: told } = of('credentials') ?? assert.fail();
      assert.deepEqual([exit, advice, told], [1, meant, text]);
    });
  }

  for (const [code, advice] of [
    ['AccessDenied', 'denied'],
    ['InvalidClientTokenId', 'unknownKey'],
    ['InvalidParameterValue', 'publish'],
  ] as const) {
    test(`a datum that is refused by ${code}`, async () => {
      const answer = { status: 403, headers: {}, body: errorXml(code) };
      const publish = () => () => Promise.resolve(judge(answer));
      const { exit, of } = await walk({ environment: KEYS, replies: GOOD }, publish);
      assert.deepEqual([exit, of('publishing')?.advice], [1, advice]);
    });
  }

  test('a datum that is accepted is what counts, whatever STS says of the key', async () => {
    const body = '<PutMetricDataResponse></PutMetricDataResponse>';
    const publish = () => () => Promise.resolve(judge({ status: 200, headers: {}, body }));
    const replies = { ...GOOD, [STS]: [403, errorXml('InvalidClientTokenId')] as const };
    const { exit, of } = await walk({ environment: KEYS, replies }, publish);
    assert.deepEqual([exit, of('identity')?.mark, of('publishing')?.mark], [0, 'warn', 'ok']);
    const wrong = { ...KEYS, AWS_ENDPOINT_URL_STS: 'nowhere' };
    const unset = await walk({ environment: wrong, replies: GOOD }, publish);
    assert.deepEqual([unset.exit, unset.of('identity')?.mark], [0, 'warn']);
    const unpublished = await walk({ environment: KEYS, replies });
    assert.deepEqual([unpublished.exit, unpublished.of('identity')?.mark], [1, 'FAIL']);
  });

  test('nothing is sent where the way there is not clear', async () => {
    let sent = 0;
    const publish = () => (): Promise<Verdict> => {
      sent += 1;
      return Promise.reject(new Error('not to be asked'));
    };
    const { of } = await walk({ environment: KEYS }, publish);
    assert.deepEqual([sent, of('publishing')?.text], [0, 'not tried: see above']);
  });
});

describe('the built agent', () => {
  const PUBLISH = ['--check-publish', '--namespace', 'Checked', '--service', 'checked'];
  const SILENT = { AWS_MAX_ATTEMPTS: '1', AWS_REGION: REGION, ...KEYS };

  /** Runs `--check --log-format json`. */
  async function checked(
    environment: Readonly<Record<string, string>>,
    argv: readonly string[] = [],
  ): Promise<{ code: unknown; of: (what: string) => Record<string, string> }> {
    const all = { HOME: '/nonexistent', ...SILENT, ...environment };
    const flags = ['--check', '--log-format', 'json', ...argv];
    const { code, stdout } = await runAgent(flags, { environment: all });
    const lines: Record<string, string>[] = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    return { code, of: (what) => lines.find((line) => line['what'] === what) ?? {} };
  }

  function assertAdvised(line: Record<string, string>, advice: Advice): void {
    assert.deepEqual([line['cause'], line['remedy']], ADVICE[advice], line['text']);
  }

  /** A server that ends every connection without a word. */
  async function mute(): Promise<string> {
    return `http://127.0.0.1:${await listening(createTcpServer((socket) => socket.destroy()))}`;
  }

  async function answering(body: string): Promise<string> {
    const server = createServer((_, response) => response.writeHead(403).end(body));
    return `http://127.0.0.1:${await listening(server)}`;
  }

  test('says for people what it found, and publishes one datum where asked', async () => {
    const cloudwatch = await startCloudwatch();
    closing.push(() => cloudwatch.close());
    const environment = {
      AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
      AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
      AWS_REGION: REGION,
      AWS_ENDPOINT_URL_CLOUDWATCH: cloudwatch.url,
      AWS_ENDPOINT_URL_STS: await mute(),
      AWS_MAX_ATTEMPTS: '1',
    };
    const { code, stdout } = await runAgent(PUBLISH, { environment });
    assert.equal(code, 0);
    assert.match(stdout, /^ok {3}region {6}us-east-1, by AWS_REGION$/m);
    assert.match(stdout, /^ok {3}clock {7}right to [01] s$/m);
    assert.match(stdout, /^ok {3}publishing {2}AgentCheck, request [\da-f-]{36}$/m);
    assert.match(stdout, /^warn identity .*\n {17}STS does not answer for it: /m);
    assert.match(stdout, /^ok {3}source {6}scope=/m);
    assert.equal(cloudwatch.accepted.length, 1);
    const [datum] = cloudwatch.accepted[0]?.data ?? [];
    assert.deepEqual([datum?.MetricName, datum?.Value], ['AgentCheck', 1]);
  });

  test('answers the tokens of dimensions before it sends', async () => {
    const cloudwatch = await startCloudwatch();
    closing.push(() => cloudwatch.close());
    const paths: string[] = [];
    const imds = createServer(({ method, url = '' }, response) => {
      paths.push(`${method} ${url}`);
      response.end(method === 'PUT' ? 'tok' : 'i-0123456789');
    });
    const environment = {
      AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
      AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
      AWS_REGION: REGION,
      AWS_ENDPOINT_URL_CLOUDWATCH: cloudwatch.url,
      AWS_ENDPOINT_URL_STS: await mute(),
      AWS_MAX_ATTEMPTS: '1',
      AWS_EC2_METADATA_SERVICE_ENDPOINT: `http://127.0.0.1:${await listening(imds)}`,
    };
    const argv = [...PUBLISH, '--dimension', 'Az=@instance-id'];
    const { code, stdout } = await runAgent(argv, { environment });
    assert.equal(code, 0, stdout);
    const { Dimensions = [] } = cloudwatch.accepted[0]?.data[0] ?? {};
    const values = Object.fromEntries(Dimensions.map(({ Name, Value }) => [Name, Value]));
    assert.deepEqual(values, { ServiceName: 'checked', Az: 'i-0123456789' });
    assert.deepEqual(paths, ['PUT /latest/api/token', 'GET /latest/meta-data/instance-id']);
  });

  test('a token that has no answer yet is what publishing fails by, and nothing is sent', async () => {
    const cloudwatch = await startCloudwatch();
    closing.push(() => cloudwatch.close());
    const imds = createServer(({ method }, response) => {
      response.writeHead(method === 'PUT' ? 200 : 404).end('tok');
    });
    const url = `http://127.0.0.1:${await listening(imds)}`;
    const { code, of } = await checked(
      {
        AWS_ENDPOINT_URL_CLOUDWATCH: cloudwatch.url,
        AWS_ENDPOINT_URL_STS: await mute(),
        AWS_EC2_METADATA_SERVICE_ENDPOINT: url,
      },
      [...PUBLISH, '--dimension', 'Az=@instance-id'],
    );
    assert.equal(code, 1);
    assert.equal(of('publishing')['mark'], 'FAIL');
    assert.match(of('publishing')['text'] ?? '', /nothing answers for @instance-id$/);
    assert.equal(cloudwatch.accepted.length, 0);
  });

  test('a token that can never have one is a setting, and nothing is asked', async () => {
    const argv = [...PUBLISH, '--dimension', 'Az=@instance-id'];
    const environment = { ...SILENT, AWS_EC2_METADATA_DISABLED: 'true' };
    const { code, stdout, stderr } = await runAgent(argv, { environment });
    assert.deepEqual([code, stdout], [2, '']);
    assert.match(stderr, /--dimension: got Az=@instance-id, but here AWS_EC2_METADATA_DISABLED is/);
  });

  test('with --explain says all about the sources as well', async () => {
    const { code, stdout } = await runAgent(['--check', '--explain'], {
      environment: { ...SILENT, AWS_ENDPOINT_URL: await answering(UNSIGNED[1]) },
    });
    assert.equal(code, 0);
    assert.match(stdout, /^ok {3}endpoint /m);
    assert.match(stdout, /^Sources, in the order in which they are tried:$/m);
    assert.match(stdout, /^ {2}CPUUtilization: /m);
  });

  test('--check-publish sends, so that it cannot go with --dry-run', async () => {
    const argv = ['--check-publish', '--dry-run', '--namespace', 'a', '--service', 'b'];
    const { code, stderr } = await runAgent(argv, { environment: SILENT });
    assert.equal(code, 2);
    assert.match(stderr, /--check-publish: sends a datum, which --dry-run forbids/);
  });

  test('a closed port', async () => {
    const server = createServer();
    const url = `http://127.0.0.1:${await listening(server)}`;
    await new Promise((resolve) => server.close(resolve));
    const { code, of } = await checked({ AWS_ENDPOINT_URL: url });
    assert.equal(code, 1);
    assertAdvised(of('endpoint'), 'refusedPort');
  });

  test('CloudWatch cannot be reached, but STS can: the VPC lacks its endpoint', async () => {
    const { code, of } = await checked({
      AWS_ENDPOINT_URL_CLOUDWATCH: await mute(),
      AWS_ENDPOINT_URL_STS: await answering(UNSIGNED[1]),
    });
    assert.equal(code, 1);
    assertAdvised(of('endpoint'), 'endpoint');
  });

  test('neither can be reached: there is no way out', async () => {
    const { of } = await checked({ AWS_ENDPOINT_URL: await mute() });
    assertAdvised(of('endpoint'), 'wayOut');
  });

  test('instance metadata that is lost at the hop limit', async () => {
    const silent = await listening(createServer(() => undefined));
    const { code, of } = await checked({
      AWS_ACCESS_KEY_ID: '',
      AWS_SECRET_ACCESS_KEY: '',
      AWS_EC2_METADATA_SERVICE_ENDPOINT: `http://127.0.0.1:${silent}`,
      AWS_METADATA_SERVICE_TIMEOUT: '0.1',
      AWS_METADATA_SERVICE_NUM_ATTEMPTS: '1',
      AWS_ENDPOINT_URL: await answering(UNSIGNED[1]),
    });
    assert.equal(code, 1);
    assertAdvised(of('credentials'), 'hopLimit');
  });

  test('a proxy that refuses, and one that wants a password', async () => {
    const refusing = await startProxy({ port: 0, status: 502 });
    const guarded = await startProxy({ port: 0, user: 'agent:secret-of-PROXY' });
    closing.push(
      () => refusing.close(),
      () => guarded.close(),
    );
    const by = ({ port }: { port: number }): Record<string, string> => ({
      AWS_ENDPOINT_URL: 'https://cloudwatch.test',
      HTTPS_PROXY: `http://agent:secret-of-WRONG@127.0.0.1:${port}`,
    });
    const refused = await checked(by(refusing));
    assert.equal(refused.code, 1);
    assertAdvised(refused.of('endpoint'), 'proxy');
    const unknown = await checked(by(guarded));
    assert.equal(unknown.code, 2);
    assertAdvised(unknown.of('endpoint'), 'setting');
  });

  test('a certificate that nobody vouches for, and the authority that is named for it', async () => {
    const cloudwatch = await startCloudwatch({ tls: true });
    closing.push(() => cloudwatch.close());
    const environment = { AWS_ENDPOINT_URL: cloudwatch.url };
    const { code, of } = await checked(environment);
    assert.equal(code, 1);
    assertAdvised(of('endpoint'), 'trust');
    const folder = mkdtempSync(join(tmpdir(), 'check-'));
    closing.push(() => rmSync(folder, { recursive: true }));
    const bundle = join(folder, 'ca.pem');
    writeFileSync(bundle, cloudwatch.ca ?? '');
    const trusting = await checked(environment, ['--ca-bundle', bundle]);
    assert.equal(trusting.of('tls')['text'], 'TLSv1.3, and its certificate is trusted');
  });

  test('a certificate that is not valid any more, and one that is not yet', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'check-'));
    closing.push(() => rmSync(folder, { recursive: true }));
    const bundle = join(folder, 'ca.pem');
    for (const times of [
      { notBeforeDate: new Date('2020-01-01'), notAfterDate: new Date('2021-01-01') },
      { notBeforeDate: new Date('2090-01-01'), notAfterDate: new Date('2091-01-01') },
    ]) {
      const certificate = await selfSigned('localhost', times);
      const url = `https://localhost:${await listening(createSecureServer(certificate))}`;
      writeFileSync(bundle, certificate.cert);
      const { of } = await checked({ AWS_ENDPOINT_URL: url }, ['--ca-bundle', bundle]);
      assertAdvised(of('endpoint'), 'certificateTime');
    }
  });

  test('a certificate that nobody verifies', async () => {
    const cloudwatch = await startCloudwatch({ tls: true });
    closing.push(() => cloudwatch.close());
    const environment = { AWS_ENDPOINT_URL: cloudwatch.url, NODE_TLS_REJECT_UNAUTHORIZED: '0' };
    const { of } = await checked(environment);
    assert.equal(of('tls')['mark'], 'warn');
    assertAdvised(of('tls'), 'unverified');
  });

  test('a port where no TLS is spoken', async () => {
    const url = (await answering('')).replace('http:', 'https:');
    const { of } = await checked({ AWS_ENDPOINT_URL: url });
    assertAdvised(of('endpoint'), 'noTls');
    assert.doesNotMatch(of('endpoint')['text'] ?? '', /\p{Cc}/u);
  });

  test('an STS that a role needs and that nothing leads to', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'check-'));
    closing.push(() => rmSync(folder, { recursive: true }));
    writeFileSync(join(folder, 'jwt'), 'token-of-jwt');
    const sts = await mute();
    const { code, of } = await checked({
      AWS_ACCESS_KEY_ID: '',
      AWS_SECRET_ACCESS_KEY: '',
      AWS_ROLE_ARN: 'arn:aws:iam::1:role/agent',
      AWS_WEB_IDENTITY_TOKEN_FILE: join(folder, 'jwt'),
      AWS_ENDPOINT_URL_STS: sts,
      AWS_ENDPOINT_URL: await answering(UNSIGNED[1]),
    });
    assert.equal(code, 1);
    assertAdvised(of('credentials'), 'issuer');
    assert.ok(of('credentials')['text']?.startsWith(`STS at ${sts}: `), of('credentials')['text']);
  });

  test('a name without an address, in a network of its own', async (t) => {
    const probe = start('unshare', ['--net', 'true']);
    if ((await probe.ended.catch(() => 1)) !== 0) {
      return t.skip('SKIP: no right to make a network namespace');
    }
    const alone = start('unshare', ['--net', process.execPath, AGENT, '--check'], {
      environment: SILENT,
    });
    assert.equal(await alone.ended, 1);
    assert.match(alone.stdout(), /^FAIL endpoint .*\n.*the endpoint’s name has no address: /m);
  });
});

async function listening(server: Server | TcpServer): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => {
    server.close();
    if ('closeAllConnections' in server) server.closeAllConnections();
  });
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}
