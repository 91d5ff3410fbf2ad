import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import {
  CloudWatchClient,
  type Datapoint,
  GetMetricStatisticsCommand,
} from '@aws-sdk/client-cloudwatch';
import { AwsQueryProtocol } from '@aws-sdk/core/protocols';
import { lacking } from '../support/lab/needs.ts';
import { runAgent } from '../support/program.ts';
import { makeRoot, type Root } from '../support/root.ts';
import { startCloudwatch } from '../support/service/cloudwatch.ts';
import { type Moto, startMoto, type Taken } from '../support/service/moto.ts';

const NAMES = ['--namespace', 'Moto', '--service', 'moto'];
const REGION = 'eu-west-1';
/** moto's one account. */
const ACCOUNT = '123456789012';
const ROLE = `arn:aws:iam::${ACCOUNT}:role/metrics`;

let moto: Moto;
let home: Root;

/** The agent's environment: a home of its own, and moto for every service. */
function environment(more: Readonly<Record<string, string>>): Record<string, string> {
  return { HOME: home.path, AWS_ENDPOINT_URL: moto.url, ...more };
}

/** Publishes one window of one second. */
function publish(more: Readonly<Record<string, string>>): ReturnType<typeof runAgent> {
  const argv = [...NAMES, '--once', '--period', '1', '--metrics', 'MemoryUtilization'];
  return runAgent([...argv, '--log-level', 'info'], { environment: environment(more) });
}

/** What the AWS SDK reads of a metric; there must be one datum. */
async function read(MetricName: string, region: string = REGION): Promise<Datapoint> {
  await moto.demandSignatures(Number.POSITIVE_INFINITY);
  const client = new CloudWatchClient({
    protocol: AwsQueryProtocol,
    endpoint: moto.url,
    region,
    credentials: { accessKeyId: 'AKIDREADER', secretAccessKey: 'reader' },
  });
  const command = new GetMetricStatisticsCommand({
    Namespace: 'Moto',
    MetricName,
    Dimensions: [{ Name: 'ServiceName', Value: 'moto' }],
    StartTime: new Date(Date.now() - 600_000),
    EndTime: new Date(Date.now() + 60_000),
    Period: 3600,
    Statistics: ['Average', 'SampleCount'],
  });
  const { Datapoints: [first, ...others] = [] } = await client.send(command);
  client.destroy();
  assert.ok(first !== undefined && others.length === 0, `${MetricName} in ${region}`);
  return first;
}

async function assertPublished(region: string = REGION): Promise<void> {
  const { Average = Number.NaN, SampleCount, Unit } = await read('MemoryUtilization', region);
  assert.ok(Average > 0 && Average < 100, `memory ${Average}`);
  assert.deepEqual([SampleCount, Unit], [1, 'Percent']);
}

/** Whose key, for which region and service: `AKIAEXAMPLE eu-west-1 sts`. */
function signerOf({ headers }: Taken): string {
  const [key, , region, service] =
    headers.get('authorization')?.split('Credential=')[1]?.split('/') ?? [];
  return `${key} ${region} ${service}`;
}

function policy(Action: string, more: Readonly<Record<string, unknown>>): string {
  const Statement = [{ Effect: 'Allow', Action, ...more }];
  return JSON.stringify({ Version: '2012-10-17', Statement });
}

/**
 * A user who may assume the role and do nothing else, and the role, which may publish and do nothing
 * else; moto takes an action's prefix from the signature, hence not `cloudwatch:`.
 */
async function makeRole(): Promise<{ id: string; secret: string }> {
  const user = { UserName: 'source' };
  const role = { RoleName: 'metrics' };
  const trusted = { Principal: { AWS: `arn:aws:iam::${ACCOUNT}:user/source` } };
  const [mayAssume, mayPublish] = ['sts:AssumeRole', 'monitoring:PutMetricData'].map((action) => ({
    PolicyName: 'may',
    PolicyDocument: policy(action, { Resource: '*' }),
  }));
  const trust = { AssumeRolePolicyDocument: policy('sts:AssumeRole', trusted) };
  await moto.iam('CreateUser', user);
  await moto.iam('PutUserPolicy', { ...user, ...mayAssume });
  await moto.iam('CreateRole', { ...role, ...trust });
  await moto.iam('PutRolePolicy', { ...role, ...mayPublish });
  const xml = await moto.iam('CreateAccessKey', user);
  const [id = '', secret = ''] = ['AccessKeyId', 'SecretAccessKey'].map(
    (name) => xml.split(`<${name}>`)[1]?.split('<')[0],
  );
  return { id, secret };
}

/** The config file, and the environment that names its profile. */
function inProfile(name: string, id: string, secret: string): Record<string, string> {
  home.write({
    'aws-config': `
[profile source]
aws_access_key_id = ${id}
aws_secret_access_key = ${secret}
region = ${REGION}

[profile metrics]
role_arn = ${ROLE}
role_session_name = ring
source_profile = source
region = ${REGION}
`,
  });
  return { AWS_CONFIG_FILE: `${home.path}/aws-config`, AWS_PROFILE: name };
}

/** What moto took of the agent: IAM is called by the test alone. */
async function taken(): Promise<Taken[]> {
  return (await moto.taken()).filter((one) => !signerOf(one).endsWith(' iam'));
}

describe('moto', { skip: lacking('moto_server') }, () => {
  before(async () => {
    moto = await startMoto();
  });
  after(() => moto.stop());
  beforeEach(async () => {
    await moto.reset();
    home = makeRoot();
  });
  afterEach(() => home.remove());

  test('what is published reads back through the AWS SDK', async () => {
    const run = await runAgent(
      [
        ...[...NAMES, '--once', '--period', '3'],
        ...['--metrics', 'CPUUtilization,MemoryUtilization,SampleCount'],
      ],
      {
        environment: {
          HOME: home.path,
          AWS_ACCESS_KEY_ID: 'AKIDMOTO',
          AWS_SECRET_ACCESS_KEY: 'motosecret',
          AWS_REGION: REGION,
          AWS_ENDPOINT_URL_CLOUDWATCH: moto.url,
        },
      },
    );
    assert.equal(run.code, 0);
    // The line of the start, and nothing that went wrong.
    assert.match(run.stderr, /^\S+ info started: .*\n$/);
    assert.equal((await read('SampleCount')).Average, 3);
    const { Average: memory = Number.NaN } = await read('MemoryUtilization');
    const { Average: cpu = Number.NaN } = await read('CPUUtilization');
    assert.ok(memory > 0 && memory < 100, `memory ${memory}`);
    assert.ok(cpu >= 0 && cpu <= 100, `cpu ${cpu}`);
  });

  describe('a profile’s role', () => {
    let id: string;
    let secret: string;
    beforeEach(async () => {
      ({ id, secret } = await makeRole());
      await moto.demandSignatures();
    });

    test('publishes by AssumeRole, and botocore finds the same signatures', async () => {
      const { code, stderr } = await publish(inProfile('metrics', id, secret));
      assert.equal(code, 0, stderr);
      assert.match(
        stderr,
        /ready to publish .* credentials="profile metrics → arn:\S+:role\/metrics"/,
      );
      const [assuming, publishing, ...others] = await taken();
      assert.ok(assuming && publishing && others.length === 0);
      assert.deepEqual([assuming.what, publishing.what], ['AssumeRole', 'PutMetricData']);
      assert.equal(signerOf(assuming), `${id} ${REGION} sts`);
      assert.equal(assuming.form.get('RoleArn'), ROLE);
      assert.match(signerOf(publishing), new RegExp(`^ASIA\\w+ ${REGION} monitoring$`));
      await assertPublished();
    });

    test('is what --check tells, with exit code 0 where CloudWatch answers for itself', async (t) => {
      // moto leads a request without signature, such as --check’s probe, to S3: see below.
      const cloudwatch = await startCloudwatch();
      t.after(() => cloudwatch.close());
      const apart = { AWS_ENDPOINT_URL_CLOUDWATCH: cloudwatch.url };
      const { code, stdout } = await runAgent([...NAMES, '--check'], {
        environment: environment({ ...inProfile('metrics', id, secret), ...apart }),
      });
      const lines = stdout.split('\n');
      assert.equal(code, 0, stdout);
      assert.equal(lines[0], `ok   region      ${REGION}, by the profile`);
      assert.match(
        lines[1] ?? '',
        /^ok {3}credentials profile metrics → arn:aws:iam::123456789012:role\/metrics, key ASIA…\w{4}, 60 minutes left$/,
      );
      const arn = `arn:aws:sts::${ACCOUNT}:assumed-role/metrics/ring`;
      assert.ok(lines.includes(`ok   identity    ${arn}`), stdout);
    });

    test('is refused by moto for a wrong secret, so that signatures are known to count', async () => {
      const { code, stdout } = await runAgent([...NAMES, '--check'], {
        environment: environment(inProfile('metrics', id, `${secret}x`)),
      });
      assert.equal(code, 1, stdout);
      assert.match(stdout, /^FAIL credentials STS refused AssumeRole: SignatureDoesNotMatch: /m);
    });

    test('is needed: the source itself may not publish', async () => {
      const { code, stderr } = await publish(inProfile('source', id, secret));
      assert.equal(code, 1, stderr);
      assert.match(stderr, /error publishing is refused, windows wait code=AccessDenied /);
      await assert.rejects(read('MemoryUtilization'), /MemoryUtilization in eu-west-1/);
    });
  });

  test('--check takes moto for a stranger: without a signature it is S3 that answers', async () => {
    const { id, secret } = await makeRole();
    const { code, stdout } = await runAgent([...NAMES, '--check'], {
      environment: environment(inProfile('metrics', id, secret)),
    });
    assert.equal(code, 1, stdout);
    const failed = stdout.split('\n').filter((line) => line.startsWith('FAIL'));
    assert.deepEqual(failed, [`FAIL endpoint    ${moto.url}/ answers HTTP 200`]);
  });

  test('a web identity publishes, by the token of the file', async () => {
    await makeRole();
    home.write({ token: 'header.payload.signature\n' });
    // moto demands a signature of AssumeRoleWithWebIdentity too, once it demands any; AWS does not.
    await moto.demandSignatures(1);
    const { code, stderr } = await publish({
      AWS_REGION: REGION,
      AWS_ROLE_ARN: ROLE,
      AWS_ROLE_SESSION_NAME: 'pod',
      AWS_WEB_IDENTITY_TOKEN_FILE: `${home.path}/token`,
    });
    assert.equal(code, 0, stderr);
    assert.match(
      stderr,
      /ready to publish .* credentials="web identity for arn:\S+:role\/metrics"/,
    );
    const [assuming, publishing, ...others] = await taken();
    assert.ok(assuming && publishing && others.length === 0);
    assert.deepEqual(
      [assuming.what, publishing.what],
      ['AssumeRoleWithWebIdentity', 'PutMetricData'],
    );
    // What passes freely moto does not look at.
    assert.equal(assuming.form.get('WebIdentityToken'), 'header.payload.signature');
    assert.equal(assuming.headers.get('authorization'), null);
    assert.match(signerOf(publishing), new RegExp(`^ASIA\\w+ ${REGION} monitoring$`));
    await assertPublished();
  });

  test('an instance’s role and region come from moto’s metadata, by version 2', async () => {
    const { code, stderr } = await publish({ AWS_EC2_METADATA_SERVICE_ENDPOINT: moto.url });
    assert.equal(code, 0, stderr);
    assert.match(
      stderr,
      /ready to publish region=us-east-1 .* credentials="the instance role default-role"/,
    );
    const all = await taken();
    const role = '/latest/meta-data/iam/security-credentials/';
    assert.deepEqual(
      all.map(({ what }) => what),
      [
        'PUT /latest/api/token',
        'GET /latest/meta-data/placement/region',
        `GET ${role}`,
        `GET ${role}default-role`,
        'PutMetricData',
      ],
    );
    // moto gives metadata without a token too; it is for us to have brought it.
    const tokens = all.slice(1, -1).map(({ headers }) => headers.get('x-aws-ec2-metadata-token'));
    assert.deepEqual(new Set(tokens), new Set(['fake-imdsv2-token']));
    const publishing = all.at(-1);
    assert.ok(publishing);
    assert.equal(signerOf(publishing), 'test-key us-east-1 monitoring');
    assert.equal(publishing.headers.get('x-amz-security-token'), 'test-session-token');
    await assertPublished('us-east-1');
  });
});
