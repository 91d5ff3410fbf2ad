import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Clock } from '../../src/clock.ts';
import { createPost } from '../../src/cloudwatch/post.ts';
import { AwsError, ConfigError, codeOf, reasonOf } from '../../src/errors.ts';
import { createHttpClient } from '../../src/net/http.ts';
import {
  each,
  errorXml,
  LATER,
  NOW_MS,
  profileKeys,
  type Reply,
  type Rig,
  rigs,
  type Scene,
  stsXml,
} from '../support/aws/aws.ts';
import { drivenClock } from '../support/clock.ts';

const on = rigs();

const REGION = { AWS_REGION: 'eu-west-1' };
const STS = 'POST sts.eu-west-1.amazonaws.com/';
const BASE = `[profile base]\n${profileKeys('BASE')}`;

function chained(arn = 'arn:aws:iam::1:role/A'): string {
  return `[default]\nrole_arn = ${arn}\nsource_profile = base\n${BASE}`;
}

/** Both ways to a role: signed by keys, and by a token. */
const WAYS: readonly [action: string, scene: (arn?: string) => Scene][] = [
  ['AssumeRole', (arn) => ({ files: { config: chained(arn) }, environment: REGION })],
  [
    'AssumeRoleWithWebIdentity',
    (arn = 'arn:aws:iam::1:role/A') => ({
      files: { jwt: 'token-of-jwt' },
      environment: {
        ...REGION,
        AWS_ROLE_ARN: arn,
        AWS_WEB_IDENTITY_TOKEN_FILE: 'HOME/jwt',
      },
    }),
  ],
];

/** Of each STS request: the form's field. */
function fields({ elsewhere }: Rig, name: string): (string | null)[] {
  return elsewhere.seen.map(({ body }) => new URLSearchParams(body).get(name));
}

test('keys from STS that cannot be in a header are no answer', async () => {
  const body = stsXml('AssumeRole', 'A').replace(/(<SessionToken>)/, '$1with a\nbreak ');
  const made = await on({ ...WAYS[0]?.[1](), replies: { [STS]: body } });
  await assert.rejects(
    made.resolve(),
    /^AwsError: STS answered AssumeRole, but with something else/,
  );
});

test('whoever cannot wait hears what came of the tries so far', async () => {
  const busy = [503, errorXml('ServiceUnavailable', 'not now')] as const;
  const limit = new AbortController();
  const clock: Clock = {
    ...drivenClock(NOW_MS),
    // It pauses, which is when patience ends.
    after(delayMs) {
      if (delayMs === 500) limit.abort();
      return () => undefined;
    },
  };
  const made = await on({ ...WAYS[0]?.[1](), clock, replies: { [STS]: busy } });
  await assert.rejects(made.aws.credentials.resolve(limit.signal), {
    code: 'PENDING',
    message:
      'it took too long to find out the credentials, of the profile (so far: STS refused AssumeRole: ServiceUnavailable: not now)',
  });
});

test('a session token of 3000 characters comes through from role to role to CloudWatch', async () => {
  const tokenOf = (id: string): string => `${id}/+=`.padEnd(3000, 'aB3/+').replace(/.$/, '=');
  const reply: Reply = (_, nth) => {
    const id = nth === 0 ? 'A' : 'B';
    const token = tokenOf(id).replaceAll('+', '&#43;');
    return stsXml('AssumeRole', id).replace(/(<SessionToken>)[^<]*/, `$1${token}`);
  };
  const role = (id: string, source: string): string =>
    `role_arn = arn:aws:iam::1:role/${id}\nsource_profile = ${source}\n`;
  const config = `[default]\n${role('B', 'a')}[profile a]\n${role('A', 'base')}${BASE}`;
  const done = '<PutMetricDataResponse></PutMetricDataResponse>';
  const replies = { [STS]: reply, 'POST monitoring.eu-west-1.amazonaws.com/': done };
  const { aws, clock, resolve, elsewhere } = await on({
    files: { config },
    environment: REGION,
    replies,
  });
  assert.equal((await resolve()).sessionToken, tokenOf('B'));
  const post = createPost({ locate: aws.locate, clock, userAgent: 'test/1' });
  const page = { body: () => 'Action=PutMetricData&Version=2010-08-01', datums: 1, bytes: 39 };
  const { kind } = await post(page, 5000, new AbortController().signal);
  assert.equal(kind, 'accepted');
  const sent = elsewhere.seen.map(({ headers }) => headers['x-amz-security-token']);
  assert.deepEqual(sent, [undefined, tokenOf('A'), tokenOf('B')]);
});

for (const [action, sceneOf] of WAYS) {
  describe(action, () => {
    const passing: [what: string, bad: readonly [status: number, body: string]][] = [
      ['a page with 200', [200, '<html><body>Please log in</body></html>']],
      ['half an answer with 200', [200, stsXml(action, 'HALF').slice(0, -150)]],
      ['an answer without an end', [200, stsXml(action, 'EVER', 'some day')]],
      ['IDPCommunicationError', [400, errorXml('IDPCommunicationError')]],
      ['429', [429, '']],
      ['503', [503, '']],
      ['Throttling', [400, errorXml('Throttling')]],
    ];
    for (const [what, bad] of passing) {
      test(`that gets ${what} is asked again, three times in all`, async () => {
        const good = stsXml(action, 'ROLE');
        const made = await on({ ...sceneOf(), replies: { [STS]: each(bad, bad, good) } });
        assert.equal((await made.resolve()).accessKeyId, 'ROLE');
        const luckless = await on({ ...sceneOf(), replies: { [STS]: bad } });
        await assert.rejects(luckless.resolve(), (error) => {
          assert.ok(error instanceof AwsError);
          assert.deepEqual([error.again, error.final], [true, false]);
          return true;
        });
        assert.deepEqual([made.asked().length, luckless.asked().length], [3, 3]);
      });
    }

    for (const code of [
      'AccessDenied',
      'IDPRejectedClaim',
      'InvalidIdentityToken',
      'MalformedPolicyDocument',
      'PackedPolicyTooLarge',
      'RegionDisabledException',
    ]) {
      test(`that is refused by ${code} is asked once: only a person can mend it`, async () => {
        const made = await on({ ...sceneOf(), replies: { [STS]: [403, errorXml(code)] } });
        await assert.rejects(made.resolve(), (error) => {
          assert.ok(error instanceof AwsError);
          assert.deepEqual([error.code, error.again, error.final], [code, false, true]);
          return true;
        });
        assert.deepEqual(made.asked(), [STS]);
      });
    }

    test('that is refused by another code is asked once, and old credentials may do', async () => {
      const made = await on({ ...sceneOf(), replies: { [STS]: [400, errorXml('Odd')] } });
      await assert.rejects(made.resolve(), (error) => error instanceof AwsError && !error.final);
      assert.deepEqual(made.asked(), [STS]);
    });

    test('that is refused with what it was sent is quoted without that', async () => {
      const reply: Reply = ({ body, headers }) => {
        const token = new URLSearchParams(body).get('WebIdentityToken');
        return [403, errorXml('AccessDenied', `no: ${token} ${headers['authorization']}`)];
      };
      const made = await on({ ...sceneOf(), replies: { [STS]: reply } });
      await assert.rejects(made.resolve(), (error) => {
        assert.ok(error instanceof AwsError);
        assert.match(error.message, /AccessDenied: no: (?:null|…)/);
        const [, signature = ''] =
          /Signature=(\w+)/.exec(made.elsewhere.seen[0]?.headers['authorization'] ?? '') ?? [];
        assert.ok(signature === '' || !error.message.includes(signature.slice(0, 16)));
        assert.doesNotMatch(error.message, /token-of-jwt/);
        return true;
      });
    });

    test('by AWS_MAX_ATTEMPTS=2 is asked twice on 503', async () => {
      const { files = {}, environment } = sceneOf();
      const made = await on({
        files,
        environment: { ...environment, AWS_MAX_ATTEMPTS: '2' },
        replies: { [STS]: [503, ''] },
      });
      await assert.rejects(made.resolve(), AwsError);
      assert.equal(made.asked().length, 2);
    });

    const partitions: [partition: string, host: string, region: string][] = [
      ['aws', 'sts.us-east-1.amazonaws.com', 'us-east-1'],
      ['aws-cn', 'sts.cn-north-1.amazonaws.com.cn', 'cn-north-1'],
      ['aws-us-gov', 'sts.us-gov-west-1.amazonaws.com', 'us-gov-west-1'],
      ['aws-eusc', 'sts.eusc-de-east-1.amazonaws.eu', 'eusc-de-east-1'],
      ['aws-iso', 'sts.us-iso-east-1.c2s.ic.gov', 'us-iso-east-1'],
      ['aws-iso-f', 'sts.us-isof-south-1.csp.hci.ic.gov', 'us-isof-south-1'],
    ];
    for (const [partition, host, region] of partitions) {
      test(`without a region asks for a role of ${partition} at ${host}`, async () => {
        const { files = {}, environment } = sceneOf(`arn:${partition}:iam::1:role/A`);
        const made = await on({
          files,
          environment: { ...environment, AWS_REGION: '', AWS_EC2_METADATA_DISABLED: 'true' },
          replies: { [`POST ${host}/`]: stsXml(action, 'ROLE') },
        });
        assert.equal((await made.resolve()).accessKeyId, 'ROLE');
        assert.deepEqual(made.asked(), [`POST ${host}/`]);
        const { authorization = '' } = made.elsewhere.seen[0]?.headers ?? {};
        const scope = `Credential=BASE/20261123/${region}/sts/aws4_request`;
        assert.equal(authorization.includes(scope), action === 'AssumeRole');
      });
    }

    test('has one session name for the whole life of the process', async () => {
      const clock = drivenClock(NOW_MS);
      const replies = { [STS]: stsXml(action, 'ROLE') };
      const made = await on({ ...sceneOf(), replies, clock });
      await made.resolve();
      clock.advance(5.5 * 3_600_000);
      await made.resolve();
      const [first, second, ...rest] = fields(made, 'RoleSessionName');
      assert.deepEqual([second, rest], [first, []]);
      assert.match(first ?? '', /^cloudwatch-metrics-agent-\d{13}$/);
    });
  });
}

test('that nobody answers says that it was STS', async () => {
  const url = 'http://127.0.0.1:9/';
  const environment = { ...REGION, AWS_ENDPOINT_URL_STS: url, AWS_MAX_ATTEMPTS: '1' };
  const connect = createHttpClient;
  const made = await on({ files: { config: chained() }, environment, connect });
  await assert.rejects(made.resolve(), (error) => {
    assert.match(reasonOf(error), /^STS at http:\/\/127\.0\.0\.1:9: connect ECONNREFUSED/);
    assert.equal(codeOf(error), 'ECONNREFUSED');
    return true;
  });
});

test('a duration that STS would refuse is left out, and said once', async () => {
  const config = chained().replace(']\n', ']\nduration_seconds = 60\n');
  const replies = { [STS]: stsXml('AssumeRole', 'ROLE') };
  const made = await on({ files: { config }, environment: REGION, replies });
  await made.resolve();
  assert.deepEqual(fields(made, 'DurationSeconds'), [null]);
  const told = made.logged.filter((line) => line.includes('duration_seconds'));
  assert.equal(told.length, 1);
  assert.match(
    told[0] ?? '',
    / warn a setting is left out .*got \\?"60\\?", expected 900 to 43200/,
  );
});

test('a profile’s max_attempts counts where the variable is not set', async () => {
  const config = chained().replace(']\n', ']\nmax_attempts = 2\n');
  for (const [more, asked] of [
    [{}, 2],
    [{ AWS_MAX_ATTEMPTS: '1' }, 1],
  ] as const) {
    const environment = { ...REGION, ...more };
    const made = await on({ files: { config }, environment, replies: { [STS]: [503, ''] } });
    await assert.rejects(made.resolve(), AwsError);
    assert.equal(made.asked().length, asked);
  }
});

test('a region that cannot be found out is no reason not to ask the partition’s own', async () => {
  const made = await on({
    files: { config: chained('arn:aws-cn:iam::1:role/A') },
    replies: {
      'PUT 169.254.169.254/latest/api/token': [403, ''],
      'POST sts.cn-north-1.amazonaws.com.cn/': stsXml('AssumeRole', 'ROLE', LATER),
    },
  });
  assert.equal((await made.resolve()).accessKeyId, 'ROLE');
});

test('a region that is none is an error, whatever the partition', async () => {
  const files = { config: chained('arn:aws-cn:iam::1:role/A') };
  const made = await on({ files, environment: { AWS_REGION: 'cn north' } });
  await assert.rejects(made.resolve(), ConfigError);
  assert.deepEqual(made.asked(), []);
});

test('a web identity token that is too old is read anew, once', async () => {
  const environment = {
    ...REGION,
    AWS_ROLE_ARN: 'arn:aws:iam::1:role/A',
    AWS_WEB_IDENTITY_TOKEN_FILE: 'HOME/jwt',
  };
  const made = await on({
    environment,
    files: { jwt: ' jwt \n' },
    replies: {
      [STS]: each(
        [400, errorXml('ExpiredTokenException')],
        stsXml('AssumeRoleWithWebIdentity', 'WEB'),
      ),
    },
  });
  assert.equal((await made.resolve()).accessKeyId, 'WEB');
  assert.equal(fields(made, 'WebIdentityToken')[1], 'jwt');
  assert.equal(made.elsewhere.seen[0]?.headers.authorization, undefined);
});
