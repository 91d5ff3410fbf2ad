import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ConfigError, NoDataError } from '../../src/errors.ts';
import {
  errorXml,
  profileKeys,
  type Rig,
  rigs,
  roleJson,
  type Scene,
  stsXml,
} from '../support/aws/aws.ts';

const on = rigs({ AWS_REGION: 'eu-west-1' });

const IMDS = '169.254.169.254';
const TOKEN = `PUT ${IMDS}/latest/api/token`;
const ROLES = `GET ${IMDS}/latest/meta-data/iam/security-credentials/`;
const STS = 'POST sts.eu-west-1.amazonaws.com/';
const INSTANCE = { [TOKEN]: 'tok', [ROLES]: 'role', [`${ROLES}role`]: roleJson('INSTANCE') };
const ENV_KEYS = { AWS_ACCESS_KEY_ID: 'ENV', AWS_SECRET_ACCESS_KEY: 'secret-of-ENV' };

async function keyOf(scene: Scene): Promise<string> {
  return (await (await on(scene)).resolve()).accessKeyId;
}

/** Of an STS request: the form's field. */
function field({ elsewhere }: Rig, name: string, index = 0): string | null {
  return new URLSearchParams(elsewhere.seen[index]?.body).get(name);
}

describe('the environment and the two files', () => {
  test('keys of blanks fall to the profile', async () => {
    const blank = { AWS_ACCESS_KEY_ID: ' ', AWS_SECRET_ACCESS_KEY: '\t' };
    const files = { config: `[default]\n${profileKeys('FILE')}` };
    assert.equal(await keyOf({ environment: blank, files }), 'FILE');
  });

  test('keys in the environment win over AWS_PROFILE, but not over --profile', async () => {
    const files = { config: `[profile a]\n${profileKeys('FILE')}` };
    const environment = { ...ENV_KEYS, AWS_PROFILE: 'a' };
    assert.equal(await keyOf({ environment, files }), 'ENV');
    assert.equal(await keyOf({ environment, files, flags: { profile: 'a' } }), 'FILE');
  });

  test('a profile that is missing does not become the instance role', async () => {
    const made = await on({ environment: { AWS_PROFILE: 'gone' }, replies: INSTANCE });
    await assert.rejects(made.resolve(), ConfigError);
    assert.deepEqual(made.asked(), []);
  });

  test('[profile default] hides [default], even from behind', async () => {
    const config = `[profile default]\nregion = a\n[default]\n${profileKeys('HIDDEN')}`;
    const made = await on({ files: { config }, replies: INSTANCE });
    assert.equal((await made.resolve()).accessKeyId, 'INSTANCE');
  });

  test('names of properties may be in capitals', async () => {
    const config = '[default]\nAWS_ACCESS_KEY_ID=A\nAws_Secret_Access_Key=b';
    assert.equal(await keyOf({ files: { config } }), 'A');
  });

  test('a comment mark counts behind a blank alone', async () => {
    const config = '[default]\naws_access_key_id = A#;b # c\naws_secret_access_key = d;e ; f';
    const { accessKeyId, secretAccessKey } = await (await on({ files: { config } })).resolve();
    assert.deepEqual([accessKeyId, secretAccessKey], ['A#;b', 'd;e']);
  });

  test('[foo] in the config file is no profile, and [profile foo] in the other is none', async () => {
    const files = {
      config: `[foo]\n${profileKeys('A')}`,
      credentials: `[profile foo]\n${profileKeys('B')}`,
    };
    const made = await on({ files, environment: { AWS_PROFILE: 'foo' } });
    await assert.rejects(made.resolve(), ConfigError);
  });

  test('names may hold / : % @ + and dots, and blanks between quotes', async () => {
    for (const name of ['a/b:c%d@e+f.g', 'a b']) {
      const title = name.includes(' ') ? `"${name}"` : name;
      const files = { config: `[profile ${title}]\n${profileKeys('A')}` };
      assert.equal(await keyOf({ files, environment: { AWS_PROFILE: name } }), 'A');
    }
  });

  test('a service’s endpoint is no endpoint of all', async () => {
    const config =
      '[default]\nservices = s\n[services s]\ncloudwatch =\n  endpoint_url = http://cw:1/\n';
    const made = await on({ files: { config }, environment: ENV_KEYS });
    const { endpoint } = await made.aws.locate(new AbortController().signal);
    assert.equal(endpoint.href, 'http://cw:1/');
    const { endpoints } = await made.aws.context(new AbortController().signal);
    assert.equal(endpoints.setting('', 'endpoint_url'), undefined);
  });

  test('a BOM, CRLF and __proto__ do no harm', async () => {
    const config = `\uFEFF[profile __proto__]\r\n__proto__ = x\r\n${profileKeys('A').replaceAll('\n', '\r\n')}`;
    const environment = { AWS_PROFILE: '__proto__' };
    assert.equal(await keyOf({ files: { config }, environment }), 'A');
    assert.equal(Object.hasOwn(Object.prototype, 'aws_access_key_id'), false);
  });
});

describe('what a profile says', () => {
  const ROLE = 'role_arn = arn:aws:iam::1:role/';

  test('the first profile’s role counts for more than its keys, the second’s keys for more', async () => {
    const config = `[default]\n${ROLE}A\nsource_profile = b\n${profileKeys('NO')}[profile b]\n${ROLE}B\nsource_profile = c\n${profileKeys('BASE')}`;
    const made = await on({ files: { config }, replies: { [STS]: stsXml('AssumeRole', 'ROLE') } });
    assert.equal((await made.resolve()).accessKeyId, 'ROLE');
    assert.match(String(made.elsewhere.seen[0]?.headers.authorization), /Credential=BASE\//);
    assert.equal(made.elsewhere.seen.length, 1);
  });

  test('a profile may be its own source', async () => {
    const config = `[default]\n${ROLE}A\nsource_profile = default\n${profileKeys('BASE')}`;
    const replies = { [STS]: stsXml('AssumeRole', 'ROLE') };
    assert.equal(await keyOf({ files: { config }, replies }), 'ROLE');
  });

  test('AWS_ROLE_ARN does not complete a profile', async () => {
    const config = '[default]\nweb_identity_token_file = HOME/jwt';
    const environment = { AWS_ROLE_ARN: 'arn:aws:iam::1:role/ENV' };
    const made = await on({ files: { config, jwt: 'jwt' }, environment });
    await assert.rejects(made.resolve(), ConfigError);
  });

  test('credential_source = Environment means keys, and no web identity', async () => {
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
    test(`duration_seconds = ${seconds} is sent as ${sent}`, async () => {
      const config = `[default]\n${ROLE}A\nsource_profile = b\nduration_seconds = ${seconds}\n[profile b]\n${profileKeys('B')}`;
      const replies = { [STS]: stsXml('AssumeRole', 'ROLE') };
      const made = await on({ files: { config }, replies });
      await made.resolve();
      assert.equal(field(made, 'DurationSeconds'), sent);
    });
  }

  test('that STS refuses the duration of a chained role is said as it is', async () => {
    const config = `[default]\n${ROLE}A\nsource_profile = b\nduration_seconds = 7200\n[profile b]\n${profileKeys('B')}`;
    const replies = { [STS]: [400, errorXml('ValidationError', 'exceeds')] as const };
    const made = await on({ files: { config }, replies });
    await assert.rejects(made.resolve(), /ValidationError: exceeds/);
  });

  test('names and ids are escaped for a form', async () => {
    const config = `[default]\n${ROLE}A\nsource_profile = b\nexternal_id = a+b=c@d/e:f\nrole_session_name = x+y=z,.@-\n[profile b]\n${profileKeys('B')}`;
    const replies = { [STS]: stsXml('AssumeRole', 'ROLE') };
    const made = await on({ files: { config }, replies });
    const { sessionToken } = await made.resolve();
    assert.match(made.elsewhere.seen[0]?.body ?? '', /ExternalId=a%2Bb%3Dc%40d%2Fe%3Af/);
    assert.equal(field(made, 'RoleSessionName'), 'x+y=z,.@-');
    assert.equal(sessionToken, 'token-of-ROLE+', 'XML entities are read');
  });
});
