import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ConfigError } from '../../src/errors.ts';
import { LATER, rigs, type Scene } from '../support/aws/aws.ts';

const on = rigs({ AWS_REGION: 'eu-west-1' });

async function keyOf(scene: Scene): Promise<string> {
  return (await (await on(scene)).resolve()).accessKeyId;
}

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

  test('the token’s file is named after the session, without one after the start URL', async () => {
    const files = { config: SESSION, [await sha1('corp')]: token };
    assert.equal(await keyOf({ files, replies }), 'SSO');
    const legacy = SESSION.replace(/sso_session.*\n/, '').replace(/\[sso-session.*\n/, '');
    const other = { config: legacy, [await sha1('https://start')]: token };
    assert.equal(await keyOf({ files: other, replies }), 'SSO');
  });

  test('its expiration is in milliseconds; its region is the session’s own', async () => {
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

  test('a token that cannot be in a header is refused at its file, and never repeated', async () => {
    const broken = JSON.stringify({ accessToken: 'bearer-\nof-sso', expiresAt: LATER });
    const files = { config: SESSION, [await sha1('corp')]: broken };
    const made = await on({ files, replies });
    await assert.rejects(made.resolve(), (error) => {
      assert.ok(error instanceof ConfigError);
      assert.match(error.message, /cache\/.*: accessToken holds a line break, .*aws sso login/);
      return !error.message.includes('bearer');
    });
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
