import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { unready, type Verdict } from '../../src/delivery/verdict.ts';
import { ADVICE, type Advice } from '../../src/diagnostics/advice.ts';
import { onVerdict, remedyOf } from '../../src/diagnostics/diagnosis.ts';
import type { Environment } from '../../src/environment.ts';
import { failure } from '../../src/errors.ts';
import {
  errorXml,
  LATER,
  profileKeys,
  type Replies,
  rigs,
  type Scene,
} from '../support/aws/aws.ts';
import { runAgent } from '../support/program.ts';

const on = rigs({ AWS_REGION: 'eu-west-1' });
const STS = 'POST sts.eu-west-1.amazonaws.com/';
const ROLE = `[default]\nrole_arn = arn:aws:iam::1:role/A\nsource_profile = b\n[profile b]\n${profileKeys('B')}`;
const SSO =
  '[default]\nsso_session = s\nsso_account_id = 1\nsso_role_name = r\n[sso-session s]\nsso_region = eu-west-1\nsso_start_url = https://s\n';
const IMDS = '169.254.169.254/latest';
const INSTANCE: Replies = {
  [`PUT ${IMDS}/api/token`]: 'tok',
  [`GET ${IMDS}/meta-data/iam/security-credentials/`]: 'role',
};
const RELATIVE = { AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: '/creds' };

/** What the log says of it, which is what `--check` says. */
async function adviceOf(scene: Scene): Promise<{ advice: Advice | undefined; message: string }> {
  const made = await on(scene);
  const environment: Environment = scene.environment ?? {};
  const verdict: Verdict = await made.resolve().then(
    () => assert.fail('there are credentials'),
    (error) => unready(error),
  );
  const advice = onVerdict(verdict, environment);
  assert.equal(remedyOf(verdict, environment), advice && ADVICE[advice][1]);
  return { advice, message: verdict.message };
}

describe('advice goes by who failed', () => {
  const denied =
    'User: arn:aws:sts::1:assumed-role/AnEvenLongerNameOfARole/i-0123456789abcdef0 is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::1:role/A';
  const rows: [what: string, scene: Scene, advice: Advice, message: RegExp][] = [
    [
      'STS that refuses the role',
      { files: { config: ROLE }, replies: { [STS]: [403, errorXml('AccessDenied', denied)] } },
      'role',
      new RegExp(`^STS refused AssumeRole: AccessDenied: ${denied}$`),
    ],
    [
      'STS that does not know the key',
      { files: { config: ROLE }, replies: { [STS]: [403, errorXml('InvalidClientTokenId')] } },
      'unknownKey',
      /^STS refused/,
    ],
    [
      'STS that is busy',
      { files: { config: ROLE }, replies: { [STS]: [503, errorXml('ServiceUnavailable')] } },
      'issuer',
      /^STS refused AssumeRole: ServiceUnavailable/,
    ],
    [
      'STS that does not take the role’s name',
      { files: { config: ROLE }, replies: { [STS]: [400, errorXml('ValidationError')] } },
      'setting',
      /^STS refused AssumeRole: ValidationError/,
    ],
    [
      'a proxy’s page in the place of STS',
      { files: { config: ROLE }, replies: { [STS]: [403, '<html>blocked</html>'] } },
      'html',
      /^STS refused AssumeRole: HTTP 403/,
    ],
    [
      'SSO whose token is not good any more',
      {
        files: {
          config: SSO,
          [`.aws/sso/cache/${createHash('sha1').update('s').digest('hex')}.json`]: JSON.stringify({
            accessToken: 'bearer-of-sso',
            expiresAt: LATER,
          }),
        },
        replies: {
          'GET portal.sso.eu-west-1.amazonaws.com/': [
            401,
            '{"message":"no"}',
            { 'x-amzn-errortype': 'UnauthorizedException:' },
          ],
        },
      },
      'login',
      /^SSO answered UnauthorizedException: no; run: aws sso login/,
    ],
    [
      'a token’s file that is not there',
      {
        environment: {
          AWS_ROLE_ARN: 'arn:aws:iam::1:role/A',
          AWS_WEB_IDENTITY_TOKEN_FILE: '/nonexistent/token',
        },
      },
      'setting',
      /^AWS_WEB_IDENTITY_TOKEN_FILE: \/nonexistent\/token is not there \(ENOENT\)$/,
    ],
    [
      'a container’s endpoint that refuses',
      {
        environment: RELATIVE,
        replies: { 'GET 169.254.170.2/creds': [403, '{"code":"AccessDenied"}'] },
      },
      'containerRefuses',
      /AccessDenied/,
    ],
    [
      'EC2 that cannot give the role',
      {
        replies: {
          ...INSTANCE,
          [`GET ${IMDS}/meta-data/iam/security-credentials/role`]:
            '{"Code":"AssumeRoleUnauthorizedAccess","Message":"EC2 cannot assume the role"}',
        },
      },
      'instanceRole',
      /EC2 cannot assume the role$/,
    ],
    [
      'a process that fails',
      { files: { config: '[default]\ncredential_process = exit 3' } },
      'process',
      /^credential_process ended with 3$/,
    ],
    ['nobody', {}, 'credentials', /^no credentials: /],
    [
      'a task without a role',
      { environment: { ECS_CONTAINER_METADATA_URI_V4: 'http://169.254.170.2/v4/x' } },
      'taskRole',
      /^no credentials: /,
    ],
  ];
  for (const [what, scene, advice, message] of rows) {
    test(what, async () => {
      const found = await adviceOf(scene);
      assert.equal(found.advice, advice);
      assert.match(found.message, message);
    });
  }

  test('CloudWatch itself, a proxy, and what is no CloudWatch', () => {
    const of = (kind: Verdict['kind'], code: string, cause?: unknown): Advice | undefined =>
      onVerdict({ kind, code, message: '', requestId: '', members: [], waitMs: 0, cause }, {});
    assert.equal(of('denied', 'AccessDenied'), 'denied');
    assert.equal(of('denied', 'HTTP 404'), 'html');
    assert.equal(of('retry', 'UnexpectedAnswer'), 'html');
    assert.equal(of('retry', 'HTTP 502'), undefined);
    assert.equal(of('retry', 'PROXY', failure('PROXY', 'the proxy: …')), 'proxy');
    assert.equal(of('retry', 'ECONNREFUSED', failure('ECONNREFUSED', '…')), 'refusedPort');
  });
});

test('a container’s endpoint that does not listen is advised on in the log as such', async () => {
  const names = ['--namespace', 'N', '--service', 's', '--once', '--period', '5'];
  const { stderr } = await runAgent([...names, '--flush-timeout', '1'], {
    environment: {
      AWS_REGION: 'eu-west-1',
      AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://127.0.0.1:1/creds',
    },
  });
  const [warning] = stderr.split('\n').filter((line) => / cannot publish yet/.test(line));
  assert.ok(warning?.includes(`remedy="${ADVICE.containerAway[1]}"`), stderr);
  assert.match(warning ?? '', /reason="the container’s credentials endpoint: connect ECONNREFUSED/);
});
