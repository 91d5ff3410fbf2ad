import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, test } from 'node:test';
import { containerUrl } from '../../src/aws/credentials/container.ts';
import { createSkew } from '../../src/aws/skew.ts';
import { judge } from '../../src/cloudwatch/judge.ts';
import { AwsError, ConfigError, NoDataError, ParseError } from '../../src/errors.ts';
import {
  each,
  errorXml,
  LATER,
  NOW_MS,
  roleJson,
  type Scene,
  type Stage,
  stage,
  stsXml,
} from '../support/aws/aws.ts';
import { drivenClock } from '../support/clock.ts';

const stages: Stage[] = [];
afterEach(() => {
  for (const one of stages.splice(0)) one.close();
});

async function on(scene: Scene): Promise<Stage> {
  const made = await stage({
    ...scene,
    environment: { AWS_REGION: 'eu-west-1', ...scene.environment },
  });
  stages.push(made);
  return made;
}

async function keyOf(scene: Scene): Promise<string> {
  return (await (await on(scene)).resolve()).accessKeyId;
}

const IMDS = '169.254.169.254';
const TOKEN = `PUT ${IMDS}/latest/api/token`;
const ROLES = `GET ${IMDS}/latest/meta-data/iam/security-credentials/`;
const STS = 'POST sts.eu-west-1.amazonaws.com/';
const ECS = 'GET 169.254.170.2/creds';
const INSTANCE = { [TOKEN]: 'tok', [ROLES]: 'role', [`${ROLES}role`]: roleJson('INSTANCE') };
const ENV_KEYS = { AWS_ACCESS_KEY_ID: 'ENV', AWS_SECRET_ACCESS_KEY: 'secret-of-ENV' };
const RELATIVE = { AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: '/creds' };
const FULL = 'AWS_CONTAINER_CREDENTIALS_FULL_URI';

function keys(id: string): string {
  return `aws_access_key_id = ${id}\naws_secret_access_key = secret-of-${id}\n`;
}

/** Of an STS request: the form's field. */
function field({ elsewhere }: Stage, name: string, index = 0): string | null {
  return new URLSearchParams(elsewhere.seen[index]?.body).get(name);
}

describe('environment and files', () => {
  test('1 keys of blanks fall to the profile', async () => {
    const blank = { AWS_ACCESS_KEY_ID: ' ', AWS_SECRET_ACCESS_KEY: '\t' };
    const files = { config: `[default]\n${keys('FILE')}` };
    assert.equal(await keyOf({ environment: blank, files }), 'FILE');
  });

  test('2 keys in the environment win over AWS_PROFILE, but not over --profile', async () => {
    const files = { config: `[profile a]\n${keys('FILE')}` };
    const environment = { ...ENV_KEYS, AWS_PROFILE: 'a' };
    assert.equal(await keyOf({ environment, files }), 'ENV');
    assert.equal(await keyOf({ environment, files, flags: { profile: 'a' } }), 'FILE');
  });

  test('3 a profile that is missing does not become the instance role', async () => {
    const made = await on({ environment: { AWS_PROFILE: 'gone' }, replies: INSTANCE });
    await assert.rejects(made.resolve(), ConfigError);
    assert.deepEqual(made.asked(), []);
  });

  test('4 [profile default] hides [default], even from behind', async () => {
    const config = `[profile default]\nregion = a\n[default]\n${keys('HIDDEN')}`;
    const made = await on({ files: { config }, replies: INSTANCE });
    assert.equal((await made.resolve()).accessKeyId, 'INSTANCE');
  });

  test('5 names of properties may be in capitals', async () => {
    const config = '[default]\nAWS_ACCESS_KEY_ID=A\nAws_Secret_Access_Key=b';
    assert.equal(await keyOf({ files: { config } }), 'A');
  });

  test('6 a comment mark counts behind a blank alone', async () => {
    const config = '[default]\naws_access_key_id = A#;b # c\naws_secret_access_key = d;e ; f';
    const { accessKeyId, secretAccessKey } = await (await on({ files: { config } })).resolve();
    assert.deepEqual([accessKeyId, secretAccessKey], ['A#;b', 'd;e']);
  });

  test('7 [foo] in the config file is no profile, and [profile foo] in the other is none', async () => {
    const files = { config: `[foo]\n${keys('A')}`, credentials: `[profile foo]\n${keys('B')}` };
    const made = await on({ files, environment: { AWS_PROFILE: 'foo' } });
    await assert.rejects(made.resolve(), ConfigError);
  });

  test('8 names may hold / : % @ + and dots, and blanks between quotes', async () => {
    for (const name of ['a/b:c%d@e+f.g', 'a b']) {
      const title = name.includes(' ') ? `"${name}"` : name;
      const files = { config: `[profile ${title}]\n${keys('A')}` };
      assert.equal(await keyOf({ files, environment: { AWS_PROFILE: name } }), 'A');
    }
  });

  test('9 a service’s endpoint is no endpoint of all', async () => {
    const config =
      '[default]\nservices = s\n[services s]\ncloudwatch =\n  endpoint_url = http://cw:1/\n';
    const made = await on({ files: { config }, environment: ENV_KEYS });
    const { endpoint } = await made.aws.locate(new AbortController().signal);
    assert.equal(endpoint.href, 'http://cw:1/');
    const { endpoints } = made.aws.means(new AbortController().signal);
    assert.equal(endpoints.setting('', 'endpoint_url'), undefined);
  });

  test('10 a BOM, CRLF and __proto__ do no harm', async () => {
    const config = `\uFEFF[profile __proto__]\r\n__proto__ = x\r\n${keys('A').replaceAll('\n', '\r\n')}`;
    const environment = { AWS_PROFILE: '__proto__' };
    assert.equal(await keyOf({ files: { config }, environment }), 'A');
    assert.equal(Object.hasOwn(Object.prototype, 'aws_access_key_id'), false);
  });
});

describe('profiles', () => {
  const ROLE = 'role_arn = arn:aws:iam::1:role/';

  test('11 the first profile’s role counts for more than its keys, the second’s keys for more', async () => {
    const config = `[default]\n${ROLE}A\nsource_profile = b\n${keys('NO')}[profile b]\n${ROLE}B\nsource_profile = c\n${keys('BASE')}`;
    const made = await on({ files: { config }, replies: { [STS]: stsXml('AssumeRole', 'ROLE') } });
    assert.equal((await made.resolve()).accessKeyId, 'ROLE');
    assert.match(String(made.elsewhere.seen[0]?.headers.authorization), /Credential=BASE\//);
    assert.equal(made.elsewhere.seen.length, 1);
  });

  test('11 a profile may be its own source', async () => {
    const config = `[default]\n${ROLE}A\nsource_profile = default\n${keys('BASE')}`;
    const replies = { [STS]: stsXml('AssumeRole', 'ROLE') };
    assert.equal(await keyOf({ files: { config }, replies }), 'ROLE');
  });

  test('12 AWS_ROLE_ARN does not complete a profile', async () => {
    const config = '[default]\nweb_identity_token_file = HOME/jwt';
    const environment = { AWS_ROLE_ARN: 'arn:aws:iam::1:role/ENV' };
    const made = await on({ files: { config, jwt: 'jwt' }, environment });
    await assert.rejects(made.resolve(), ConfigError);
  });

  test('13 credential_source = Environment means keys, and no web identity', async () => {
    const config = `[default]\n${ROLE}A\ncredential_source = Environment`;
    const environment = {
      AWS_ROLE_ARN: 'arn:aws:iam::1:role/ENV',
      AWS_WEB_IDENTITY_TOKEN_FILE: 'HOME/jwt',
    };
    const made = await on({ files: { config, jwt: 'jwt' }, environment });
    await assert.rejects(made.resolve(), NoDataError);
  });

  for (const [seconds, sent] of [
    ['3600', '3600'],
    ['899', null],
    ['43201', null],
    ['an hour', null],
  ] as const) {
    test(`14 duration_seconds = ${seconds} is sent as ${sent}`, async () => {
      const config = `[default]\n${ROLE}A\nsource_profile = b\nduration_seconds = ${seconds}\n[profile b]\n${keys('B')}`;
      const replies = { [STS]: stsXml('AssumeRole', 'ROLE') };
      const made = await on({ files: { config }, replies });
      await made.resolve();
      assert.equal(field(made, 'DurationSeconds'), sent);
    });
  }

  test('14 that STS refuses the duration of a chained role is said as it is', async () => {
    const config = `[default]\n${ROLE}A\nsource_profile = b\nduration_seconds = 7200\n[profile b]\n${keys('B')}`;
    const replies = { [STS]: [400, errorXml('ValidationError', 'exceeds')] as const };
    const made = await on({ files: { config }, replies });
    await assert.rejects(made.resolve(), /ValidationError: exceeds/);
  });

  test('15 names and ids are escaped for a form', async () => {
    const config = `[default]\n${ROLE}A\nsource_profile = b\nexternal_id = a+b=c@d/e:f\nrole_session_name = x+y=z,.@-\n[profile b]\n${keys('B')}`;
    const replies = { [STS]: stsXml('AssumeRole', 'ROLE') };
    const made = await on({ files: { config }, replies });
    const { sessionToken } = await made.resolve();
    assert.match(made.elsewhere.seen[0]?.body ?? '', /ExternalId=a%2Bb%3Dc%40d%2Fe%3Af/);
    assert.equal(field(made, 'RoleSessionName'), 'x+y=z,.@-');
    assert.equal(sessionToken, 'token-of-ROLE+', '47 and XML entities are read');
  });
});

describe('containers', () => {
  const replies = { [ECS]: roleJson('TASK') };

  test('16 the relative URI wins', async () => {
    const environment = { ...RELATIVE, [FULL]: 'http://127.0.0.1/other' };
    assert.equal(await keyOf({ environment, replies }), 'TASK');
  });

  test('17 the token’s file is read each time, without the line’s end', async () => {
    const environment = { ...RELATIVE, AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: 'HOME/token' };
    const made = await on({ environment, replies, files: { token: 'one\n' } });
    await made.resolve();
    made.write({ token: 'two\r\n' });
    made.aws.credentials.invalidate('TASK');
    await made.resolve();
    const tokens = made.elsewhere.seen.map(({ headers }) => headers.authorization);
    assert.deepEqual(tokens, ['one', 'two']);
  });

  const hosts: [url: string, isAllowed: boolean][] = [
    ['http://127.0.0.2/a', true],
    ['http://127.1/a', true],
    ['http://0x7f.1/a', true],
    ['http://[::1]/a', true],
    ['http://[fd00:ec2:0:0::23]/a', true],
    ['https://anywhere.example/a', true],
    ['http://169.254.170.3/a', false],
    ['http://localhost.evil.com/a', false],
    ['http://127.0.0.1.evil.com/a', false],
    ['http://127.0.0.1@evil/a', false],
    ['http://evil/a', false],
    ['ftp://127.0.0.1/a', false],
    ['//127.0.0.1/a', false],
  ];
  for (const [url, isAllowed] of hosts) {
    test(`18 ${url} is ${isAllowed ? 'asked' : 'refused'}`, () => {
      const ask = (): URL | undefined => containerUrl({ [FULL]: url });
      if (isAllowed) assert.ok(ask());
      else assert.throws(ask, ConfigError);
    });
  }
  for (const uri of ['@evil/', '.evil.com/', ':80@evil/', 'creds']) {
    test(`18 the relative URI ${uri} leads nowhere`, () => {
      const ask = (): unknown => containerUrl({ AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: uri });
      assert.throws(ask, ConfigError);
    });
  }

  test('19 a redirect is a failure, and is not followed', async () => {
    const away = { [ECS]: [302, '', { location: 'http://evil/' }] as const };
    const environment = { ...RELATIVE, AWS_CONTAINER_AUTHORIZATION_TOKEN: 'tok' };
    const made = await on({ environment, replies: away });
    await assert.rejects(made.resolve(), /HTTP 302/);
    assert.equal(made.elsewhere.seen.length, 1);
  });

  test('20 without the token’s file nothing is asked', async () => {
    const environment = { ...RELATIVE, AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: 'HOME/gone' };
    const made = await on({ environment, replies });
    await assert.rejects(made.resolve(), AwsError);
    assert.deepEqual(made.asked(), []);
  });

  test('20 a token that holds a line feed goes into no header', async () => {
    const environment = { ...RELATIVE, AWS_CONTAINER_AUTHORIZATION_TOKEN: 'a\nb: c' };
    await assert.rejects((await on({ environment, replies })).resolve(), ConfigError);
  });

  for (const end of [
    '2026-11-23T14:00:00Z',
    '2026-11-23T14:00:00.000+0000',
    '2026-11-23T15:00:00+01:00',
  ]) {
    test(`21 it ends at ${end}`, async () => {
      const at = { [ECS]: roleJson('TASK', { Expiration: end }) };
      const { expiresMs } = await (await on({ environment: RELATIVE, replies: at })).resolve();
      assert.equal(expiresMs, Date.parse(LATER));
    });
  }

  test('a 503 and broken JSON are tried again, a 400 is not', async () => {
    const busy = { [ECS]: each([503, ''], '{', roleJson('TASK')) };
    assert.equal(await keyOf({ environment: RELATIVE, replies: busy }), 'TASK');
    const refused = { [ECS]: [400, '{"code":"NoRole","message":"none"}'] as const };
    const made = await on({ environment: RELATIVE, replies: refused });
    await assert.rejects(made.resolve(), /HTTP 400: NoRole: none$/);
    assert.equal(made.elsewhere.seen.length, 1);
  });
});

describe('instances', () => {
  test('22 a 200 that says AssumeRoleUnauthorizedAccess is an error with its message', async () => {
    const body = '{"Code":"AssumeRoleUnauthorizedAccess","Message":"EC2 cannot assume the role"}';
    const made = await on({ replies: { ...INSTANCE, [`${ROLES}role`]: body } });
    await assert.rejects(made.resolve(), /AssumeRoleUnauthorizedAccess: EC2 cannot/);
  });

  test('23 of the list of roles the first line counts', async () => {
    const replies = { ...INSTANCE, [ROLES]: 'role\nother\n', [`${ROLES}role`]: roleJson('FIRST') };
    assert.equal(await keyOf({ replies }), 'FIRST');
  });

  test('24 no list is no role, and 403 for the token is switched off', async () => {
    const none = await on({ replies: { [TOKEN]: 'tok' } });
    await assert.rejects(
      none.resolve(),
      /^NoDataError: no credentials: .*the instance has no role$/,
    );
    const off = await on({ replies: { [TOKEN]: [403, ''] } });
    await assert.rejects(off.resolve(), AwsError);
  });

  test('25 a token that ended half-way is fetched anew, once', async () => {
    const replies = {
      ...INSTANCE,
      [TOKEN]: each('old', 'new'),
      [`${ROLES}role`]: each([401, ''], roleJson('INSTANCE')),
    };
    const made = await on({ replies });
    assert.equal((await made.resolve()).accessKeyId, 'INSTANCE');
    const tokens = made.elsewhere.seen.map(({ headers }) => headers['x-aws-ec2-metadata-token']);
    assert.deepEqual(tokens, [undefined, 'old', 'old', undefined, 'new']);
  });

  test('27 AWS_EC2_METADATA_DISABLED=True', async () => {
    const environment = { AWS_EC2_METADATA_DISABLED: 'True' };
    const made = await on({ environment, replies: INSTANCE });
    await assert.rejects(made.resolve(), NoDataError);
    assert.deepEqual(made.asked(), []);
  });

  test('28 credentials that have expired already are used while there are no others', async () => {
    const past = roleJson('OLD', { Expiration: '2026-11-23T07:00:00Z' });
    assert.equal(await keyOf({ replies: { ...INSTANCE, [`${ROLES}role`]: past } }), 'OLD');
  });

  test('29 the endpoint’s mode in any case, and an error for a third one', async () => {
    const six = '[fd00:ec2::254]';
    const replies = {
      [`PUT ${six}/`]: 'tok',
      [`GET ${six}/latest/meta-data/iam/security-credentials/`]: 'role',
      [`GET ${six}/latest/meta-data/iam/security-credentials/role`]: roleJson('SIX'),
    };
    const name = 'AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE';
    assert.equal(await keyOf({ environment: { [name]: 'ipv6' }, replies }), 'SIX');
    await assert.rejects((await on({ environment: { [name]: '6' } })).resolve(), ConfigError);
  });

  test('30 a Local Zone’s name is not cut down to a region', async () => {
    const document = `GET ${IMDS}/latest/dynamic/instance-identity/document`;
    const replies = {
      [TOKEN]: 'tok',
      [`GET ${IMDS}/latest/meta-data/placement/availability-zone`]: 'us-west-2-lax-1a',
      [document]: '{"region":"us-west-2"}',
    };
    const made = await on({ environment: { AWS_REGION: '' }, replies });
    const { region } = await made.aws.locate(new AbortController().signal);
    assert.deepEqual([region.name, region.from], ['us-west-2', 'instance metadata']);
    assert.ok(!made.asked().some((what) => what.includes('availability-zone')));
  });

  test('31 the PUT says Content-Length: 0, and nobody it came through', async () => {
    const made = await on({ replies: INSTANCE });
    await made.resolve();
    const { headers } = made.elsewhere.seen[0] ?? assert.fail();
    assert.equal(headers['content-length'], '0');
    assert.equal(headers['x-forwarded-for'], undefined);
  });

  test('the instance profile’s name may be given, and not as blanks', async () => {
    const name = 'AWS_EC2_INSTANCE_PROFILE_NAME';
    const made = await on({ environment: { [name]: 'role' }, replies: INSTANCE });
    await made.resolve();
    assert.ok(!made.asked().includes(ROLES));
    await assert.rejects((await on({ environment: { [name]: ' ' } })).resolve(), ConfigError);
  });
});

describe('SSO', () => {
  const SESSION = `[default]
sso_session = corp
sso_account_id = 123456789012
sso_role_name = Role
[sso-session corp]
sso_region = eu-central-1
sso_start_url = https://start
`;
  const token = JSON.stringify({ accessToken: 'bearer-of-sso', expiresAt: LATER });
  const PORTAL = 'GET portal.sso.eu-central-1.amazonaws.com/federation/credentials';
  const role = {
    accessKeyId: 'SSO',
    secretAccessKey: 'secret-of-SSO',
    sessionToken: 'token-of-SSO',
    expiration: Date.parse(LATER),
  };
  const replies = { [PORTAL]: JSON.stringify({ roleCredentials: role }) };

  async function sha1(text: string): Promise<string> {
    const { createHash } = await import('node:crypto');
    return `.aws/sso/cache/${createHash('sha1').update(text).digest('hex')}.json`;
  }

  test('32 the token’s file is named after the session, without one after the start URL', async () => {
    const files = { config: SESSION, [await sha1('corp')]: token };
    assert.equal(await keyOf({ files, replies }), 'SSO');
    const legacy = SESSION.replace(/sso_session.*\n/, '').replace(/\[sso-session.*\n/, '');
    const other = { config: legacy, [await sha1('https://start')]: token };
    assert.equal(await keyOf({ files: other, replies }), 'SSO');
  });

  test('33 its expiration is in milliseconds; 34 its region is the session’s own', async () => {
    const files = { config: SESSION, [await sha1('corp')]: token };
    const made = await on({ files, replies });
    assert.equal((await made.resolve()).expiresMs, Date.parse(LATER));
    const [asked] = made.elsewhere.seen;
    assert.equal(asked?.url.host, 'portal.sso.eu-central-1.amazonaws.com');
    assert.equal(asked?.headers['x-amz-sso_bearer_token'], 'bearer-of-sso');
  });

  test('a token that has expired says which command renews it', async () => {
    const old = JSON.stringify({
      accessToken: 'bearer-of-sso',
      expiresAt: '2020-01-01T00:00:00UTC',
    });
    const files = { config: SESSION, [await sha1('corp')]: old };
    const made = await on({ files, replies });
    await assert.rejects(made.resolve(), /run: aws sso login --profile default$/);
    assert.deepEqual(made.asked(), []);
  });

  test('a 401 says it too, and what a session lacks is an error', async () => {
    const files = { config: SESSION, [await sha1('corp')]: token };
    const made = await on({ files, replies: { [PORTAL]: [401, '{}'] } });
    await assert.rejects(made.resolve(), /HTTP 401; run: aws sso login/);
    const bearer = SESSION.replace(/sso_account_id.*\nsso_role_name.*\n/, '');
    await assert.rejects((await on({ files: { config: bearer } })).resolve(), ConfigError);
  });

  test('what `aws login` left is used as long as it is good', async () => {
    const { createHash } = await import('node:crypto');
    const name = createHash('sha256').update('arn:login').digest('hex');
    const accessToken = { ...role, expiresAt: LATER };
    const files = {
      config: '[default]\nlogin_session = arn:login',
      [`.aws/login/cache/${name}.json`]: JSON.stringify({ accessToken }),
    };
    assert.equal(await keyOf({ files }), 'SSO');
    const old = { ...files, [`.aws/login/cache/${name}.json`]: '{"accessToken":{}}' };
    await assert.rejects((await on({ files: old })).resolve(), /run: aws login/);
  });
});

describe('endpoints', () => {
  async function endpointBy(environment: Record<string, string>, config = ''): Promise<string> {
    const made = await on({ environment, files: { config } });
    return (await made.aws.locate(new AbortController().signal)).endpoint.href;
  }

  test('35, 36 a partition’s own names', async () => {
    const cn = await endpointBy({ AWS_REGION: 'cn-north-1' });
    assert.equal(cn, 'https://monitoring.cn-north-1.amazonaws.com.cn/');
    const gov = await endpointBy({ AWS_REGION: 'us-gov-west-1', AWS_USE_FIPS_ENDPOINT: 'TRUE' });
    assert.equal(gov, 'https://monitoring.us-gov-west-1.amazonaws.com/');
  });

  test('37 a custom endpoint with FIPS or dual stack is refused', async () => {
    for (const name of ['AWS_USE_FIPS_ENDPOINT', 'AWS_USE_DUALSTACK_ENDPOINT']) {
      const both = { [name]: 'true', AWS_ENDPOINT_URL: 'http://h:1' };
      await assert.rejects(endpointBy(both), ConfigError);
      await assert.rejects(endpointBy({ [name]: 'yes' }), ConfigError);
    }
  });

  test('38 AWS_ENDPOINT_URL moves STS too', async () => {
    const config = `[default]\nrole_arn = arn:aws:iam::1:role/A\nsource_profile = b\n[profile b]\n${keys('B')}`;
    const replies = { 'POST local:4566/': stsXml('AssumeRole', 'ROLE') };
    const environment = { AWS_ENDPOINT_URL: 'http://local:4566' };
    assert.equal(await keyOf({ files: { config }, environment, replies }), 'ROLE');
  });

  const config =
    '[default]\nservices = s\nendpoint_url = http://profile\n[services s]\ncloudwatch =\n endpoint_url = http://service\n';
  const rows: [what: string, environment: Record<string, string>, href: string][] = [
    [
      '39 the variable for all beats the profile’s for one',
      { AWS_ENDPOINT_URL: 'http://all' },
      'http://all/',
    ],
    [
      'the variable for one beats that for all',
      { AWS_ENDPOINT_URL: 'http://all', AWS_ENDPOINT_URL_CLOUDWATCH: 'http://one' },
      'http://one/',
    ],
    ['the service’s beats the profile’s', {}, 'http://service/'],
    [
      'all can be ignored',
      { AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: 'true', AWS_ENDPOINT_URL: 'http://all' },
      'https://monitoring.eu-west-1.amazonaws.com/',
    ],
    ['40 a base path is kept', { AWS_ENDPOINT_URL: 'http://h:4566/base' }, 'http://h:4566/base/'],
  ];
  for (const [what, environment, href] of rows) {
    test(what, async () => assert.equal(await endpointBy(environment, config), href));
  }

  const wrong = ['us-east-1.evil.com', 'x/..', 'a@b', 'a:80', '#', 'a b', '-a', 'a-', '123'];
  for (const region of wrong) {
    test(`41 the region ${region} gets into no URL`, async () => {
      await assert.rejects(endpointBy({ AWS_REGION: region }), ConfigError);
      await assert.rejects(endpointBy({ AWS_REGION: '' }, `[default]\nregion = ${region}`));
    });
  }

  test('a region that asks for FIPS by its name', async () => {
    const href = 'https://monitoring-fips.us-east-1.amazonaws.com/';
    for (const region of ['fips-us-east-1', 'us-east-1-fips', 'aws-fips', 'fips-aws-global']) {
      assert.equal(await endpointBy({ AWS_REGION: region }), href);
    }
  });

  test('the region of an ECS task comes from its ARN', async () => {
    const metadata = 'http://169.254.170.2/v4/x';
    const arn = '{"TaskARN":"arn:aws:ecs:ap-south-1:1:task/c/t","AvailabilityZone":"ap-south-1a"}';
    const made = await on({
      environment: { AWS_REGION: '', ECS_CONTAINER_METADATA_URI_V4: metadata },
      replies: { 'GET 169.254.170.2/v4/x/task': arn },
    });
    const { region } = await made.aws.locate(new AbortController().signal);
    assert.deepEqual([region.name, region.from], ['ap-south-1', 'the ECS task']);
  });
});

describe('transport', () => {
  test('42 throttling comes as HTTP 400', () => {
    const answer = { status: 400, headers: {}, body: errorXml('Throttling') };
    assert.equal(judge(answer).kind, 'throttled');
  });

  test('48 the Date of an answer is learned, save from a cache or after a long sleep', () => {
    const clock = drivenClock(NOW_MS);
    const skew = createSkew(clock);
    const at = (ms: number): string => new Date(ms).toUTCString();
    const learn = (headers: Record<string, string>, sentMs = NOW_MS): boolean =>
      skew.learn({ status: 403, headers, body: '' }, sentMs, skew.nowMs());
    assert.equal(learn({}), false);
    assert.equal(learn({ date: at(NOW_MS + 600_000), age: '5' }), false);
    assert.equal(learn({ date: at(NOW_MS + 600_000) }, NOW_MS - 16 * 60_000), false);
    assert.equal(learn({ date: at(NOW_MS + 600_000) }, NOW_MS + 1), false);
    assert.equal(learn({ date: at(NOW_MS + 230_000) }), false);
    assert.equal(skew.offsetMs(), 0);
    assert.equal(learn({ date: at(NOW_MS + 600_000) }), true);
    assert.equal(skew.nowMs(), NOW_MS + 600_000);
    assert.equal(learn({ date: at(NOW_MS + 600_000) }), false, 'it is corrected for already');
  });

  test('48 STS is asked again at once with the corrected time', async () => {
    const config = `[default]\nrole_arn = arn:aws:iam::1:role/A\nsource_profile = b\n[profile b]\n${keys('B')}`;
    const date = new Date(NOW_MS + 3_600_000).toUTCString();
    const expires = '2026-11-23T16:00:00Z';
    const replies = {
      [STS]: each(
        [403, errorXml('SignatureDoesNotMatch', 'Signature expired'), { date }],
        [200, stsXml('AssumeRole', 'ROLE', expires), { date }],
      ),
    };
    const made = await on({ files: { config }, replies });
    assert.equal((await made.resolve()).accessKeyId, 'ROLE');
    const dates = made.elsewhere.seen.map(({ headers }) => headers['x-amz-date']);
    assert.deepEqual(dates, ['20261123T080000Z', '20261123T090000Z']);
  });

  test('52 a web identity token that is too old is read anew, once', async () => {
    const environment = {
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
    assert.equal(field(made, 'WebIdentityToken', 1), 'jwt');
    assert.equal(made.elsewhere.seen[0]?.headers.authorization, undefined);
  });

  test('50 first calls at the same time share one walk', async () => {
    const made = await on({ replies: INSTANCE });
    await Promise.all([made.resolve(), made.resolve(), made.resolve()]);
    assert.equal(made.elsewhere.seen.length, 3);
  });
});

describe('files that are none', () => {
  test('a folder and a FIFO in a file’s place are errors and no hang', async () => {
    const { execFileSync } = await import('node:child_process');
    const made = await on({ files: { x: '' } });
    mkdirSync(join(made.home, '.aws/config'), { recursive: true });
    await assert.rejects(made.resolve(), /expected an ordinary file/);
    const fifo = await on({ files: { '.aws/x': '' } });
    execFileSync('mkfifo', [join(fifo.home, '.aws/config')]);
    await assert.rejects(fifo.resolve(), /expected an ordinary file/);
  });

  test('a file of more than a mebibyte is not read', async () => {
    const made = await on({ files: { config: '#'.repeat(1_100_000) } });
    await assert.rejects(made.resolve(), ConfigError);
  });

  test('a broken file is named with its line, and the line is not repeated', async () => {
    const made = await on({ files: { credentials: '[default]\nsecret-of-LINE' } });
    await assert.rejects(made.resolve(), (error) => {
      assert.ok(error instanceof ParseError);
      assert.match(error.message, /credentials: line 2: expected NAME = VALUE$/);
      return true;
    });
  });
});

describe('credential_process', () => {
  const json = (more: object): string =>
    JSON.stringify({ Version: 1, AccessKeyId: 'PROC', SecretAccessKey: 'secret-of-PROC', ...more });

  function by(command: string): Scene {
    return { files: { config: `[default]\ncredential_process = ${command}`, 'a.json': json({}) } };
  }

  test('its JSON is taken, by a shell', async () => {
    const made = await on({
      files: {
        config: '[default]\ncredential_process = cat HOME/a.json | cat',
        'a.json': json({}),
      },
    });
    assert.equal((await made.resolve()).accessKeyId, 'PROC');
  });

  const bad: [what: string, text: string][] = [
    ['another version', json({ Version: '1' })],
    ['no secret', json({ SecretAccessKey: '' })],
    ['an end that is none', json({ Expiration: 'soon' })],
    ['an end in the past', json({ Expiration: '2026-11-23T07:00:00Z' })],
    ['no JSON', 'secret-of-TEXT'],
  ];
  for (const [what, text] of bad) {
    test(`${what} is refused`, async () => {
      const config = '[default]\ncredential_process = cat HOME/a.json';
      await assert.rejects((await on({ files: { config, 'a.json': text } })).resolve());
    });
  }

  test('a failure tells its last words on stderr, without what looks like a secret', async () => {
    const failing = (words: string): string =>
      `echo secret-of-STDOUT; echo "begun" >&2; echo "${words}" >&2; exit 3`;
    const luckless = await on(by(failing('no luck: secret-of-STDERR')));
    await assert.rejects(luckless.resolve(), /credential_process ended with 3$/);
    const told = await on(by(failing('no luck: Zm9vYmFyMDEyMzQ1Njc4OQ==, at 12:00')));
    await assert.rejects(told.resolve(), /ended with 3: no luck: …, at 12:00$/);
  });

  test('output without an end is stopped', async () => {
    await assert.rejects((await on(by('yes secret-of-YES'))).resolve(), /credential_process/);
  });
});
