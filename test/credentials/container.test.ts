import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { containerUrl } from '../../src/aws/credentials/container.ts';
import { AwsError, ConfigError } from '../../src/errors.ts';
import { each, LATER, rigs, roleJson, type Scene } from '../support/aws/aws.ts';

const on = rigs({ AWS_REGION: 'eu-west-1' });

const ECS = 'GET 169.254.170.2/creds';
const RELATIVE = { AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: '/creds' };
const FULL = 'AWS_CONTAINER_CREDENTIALS_FULL_URI';

async function keyOf(scene: Scene): Promise<string> {
  return (await (await on(scene)).resolve()).accessKeyId;
}

describe('containers', () => {
  const replies = { [ECS]: roleJson('TASK') };

  test('the relative URI wins', async () => {
    const environment = { ...RELATIVE, [FULL]: 'http://127.0.0.1/other' };
    assert.equal(await keyOf({ environment, replies }), 'TASK');
  });

  test('the token’s file is read each time, without the line’s end', async () => {
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
    test(`${url} is ${isAllowed ? 'asked' : 'refused'}`, () => {
      const ask = (): URL | undefined => containerUrl({ [FULL]: url });
      if (isAllowed) assert.ok(ask());
      else assert.throws(ask, ConfigError);
    });
  }
  for (const uri of ['@evil/', '.evil.com/', ':80@evil/', 'creds']) {
    test(`the relative URI ${uri} leads nowhere`, () => {
      const ask = (): unknown => containerUrl({ AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: uri });
      assert.throws(ask, ConfigError);
    });
  }

  test('a redirect is a failure, and is not followed', async () => {
    const away = { [ECS]: [302, '', { location: 'http://evil/' }] as const };
    const environment = { ...RELATIVE, AWS_CONTAINER_AUTHORIZATION_TOKEN: 'tok' };
    const made = await on({ environment, replies: away });
    await assert.rejects(made.resolve(), /HTTP 302/);
    assert.equal(made.elsewhere.seen.length, 1);
  });

  test('without the token’s file nothing is asked', async () => {
    const environment = { ...RELATIVE, AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: 'HOME/gone' };
    const made = await on({ environment, replies });
    await assert.rejects(made.resolve(), AwsError);
    assert.deepEqual(made.asked(), []);
  });

  test('a token that holds a line feed goes into no header', async () => {
    const environment = { ...RELATIVE, AWS_CONTAINER_AUTHORIZATION_TOKEN: 'a\nb: c' };
    await assert.rejects((await on({ environment, replies })).resolve(), ConfigError);
  });

  for (const end of [
    '2026-11-23T14:00:00Z',
    '2026-11-23T14:00:00.000+0000',
    '2026-11-23T15:00:00+01:00',
  ]) {
    test(`it ends at ${end}`, async () => {
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
