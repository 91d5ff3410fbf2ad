import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { AwsError, ConfigError, reasonOf } from '../../src/errors.ts';
import { each, LATER, NOW_MS, profileKeys, rigs, roleJson, ssoLogin } from '../support/aws/aws.ts';
import { drivenClock } from '../support/clock.ts';
import { start } from '../support/program.ts';

const on = rigs();

const ENV_KEYS = { AWS_ACCESS_KEY_ID: 'ENV', AWS_SECRET_ACCESS_KEY: 'secret-of-ENV' };
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

describe('an end without a zone is UTC', () => {
  const texts = ['2026-11-23T14:00:00', '2026-11-23T14:00:00.000', '2026-11-23T14:00'];
  const module = new URL('../../src/aws/credentials/identity.ts', import.meta.url).href;
  const code = `
    import { parseInstant } from '${module}';
    const hours = new Date(${NOW_MS}).getTimezoneOffset() / 60;
    console.log(JSON.stringify([hours, ...${JSON.stringify(texts)}.map(parseInstant)]));`;

  for (const [zone, hours] of [
    ['Pacific/Kiritimati', -14],
    ['America/St_Johns', 3.5],
  ] as const) {
    test(`in ${zone}`, async () => {
      const program = start(
        process.execPath,
        ['--import', 'tsx', '--input-type=module', '--eval', code],
        { environment: { TZ: zone } },
      );
      assert.equal(await program.ended, 0, program.stderr());
      const expected = [hours, ...texts.map(() => Date.parse(LATER))];
      assert.deepEqual(JSON.parse(program.stdout()), expected);
    });
  }

  test('also in what a container is handed out', async () => {
    const Expiration = LATER.replace('Z', '');
    const made = await on({
      environment: { AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: '/creds' },
      replies: { 'GET 169.254.170.2/creds': roleJson('TASK', { Expiration }) },
    });
    assert.equal((await made.resolve()).expiresMs, Date.parse(LATER));
  });
});

describe('who had credentials and has none any more', () => {
  const TASK = {
    environment: { AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: '/creds' },
    replies: { 'GET 169.254.170.2/creds': roleJson('TASK') },
  };

  test('is no reason to take those of the next: a file may be being written', async () => {
    const clock = drivenClock(NOW_MS);
    const made = await on({
      ...TASK,
      files: { credentials: `[default]\n${profileKeys('FILE')}` },
      clock,
    });
    assert.equal((await made.resolve()).accessKeyId, 'FILE');
    made.write({ credentials: '' });
    clock.advance(16 * MINUTE_MS);
    assert.equal((await made.resolve()).accessKeyId, 'FILE');
    const told = made.logged.filter((line) => line.includes('cannot be renewed'));
    assert.equal(told.length, 1);
    assert.match(told[0] ?? '', /reason="the profile had credentials, and has none any more"/);
    assert.deepEqual(made.asked(), []);
    made.write({ credentials: `[default]\n${profileKeys('NEW')}` });
    clock.advance(16 * MINUTE_MS);
    assert.equal((await made.resolve()).accessKeyId, 'NEW');
  });

  test('is another matter than one before it that has some now', async () => {
    const clock = drivenClock(NOW_MS);
    const made = await on({ ...TASK, clock });
    assert.equal((await made.resolve()).accessKeyId, 'TASK');
    made.write({ credentials: `[default]\n${profileKeys('FILE')}` });
    clock.advance(5.5 * HOUR_MS);
    assert.equal((await made.resolve()).accessKeyId, 'FILE');
  });
});

test('--profile puts the environment’s web identity aside', async () => {
  const made = await on({
    environment: {
      AWS_REGION: 'eu-west-1',
      AWS_ROLE_ARN: 'arn:aws:iam::1:role/A',
      AWS_WEB_IDENTITY_TOKEN_FILE: 'HOME/jwt',
      AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: '/creds',
    },
    files: { jwt: 'token-of-jwt', config: '[profile empty]\nregion = eu-west-1' },
    flags: { profile: 'empty' },
    replies: { 'GET 169.254.170.2/creds': roleJson('TASK') },
  });
  assert.equal((await made.resolve()).accessKeyId, 'TASK');
});

test('a container’s endpoint that is busy is asked again', async () => {
  const made = await on({
    environment: { AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: '/creds' },
    replies: { 'GET 169.254.170.2/creds': each([429, ''], roleJson('TASK')) },
  });
  assert.equal((await made.resolve()).accessKeyId, 'TASK');
  assert.equal(made.asked().length, 2);
});

test('a container’s token is not repeated, however short it is', async () => {
  const made = await on({
    environment: {
      AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: '/creds',
      AWS_CONTAINER_AUTHORIZATION_TOKEN: 'tok-123',
    },
    replies: { 'GET 169.254.170.2/creds': [403, '{"code":"No","message":"bad token tok-123"}'] },
  });
  await assert.rejects(made.resolve(), (error) => {
    assert.match(reasonOf(error), /: No: bad token …$/);
    return true;
  });
});

test('a session that SSO refuses is final: old credentials are no answer to it', async () => {
  const { files } = ssoLogin('eu-west-1');
  const made = await on({
    files,
    replies: { 'GET portal.sso.eu-west-1.amazonaws.com/': [401, '{}'] },
  });
  await assert.rejects(made.resolve(), (error) => {
    assert.ok(error instanceof AwsError);
    assert.equal(error.final, true);
    assert.match(error.message, /run: aws sso login --profile default$/);
    return true;
  });
});

describe('AWS_CREDENTIAL_EXPIRATION', () => {
  const at = (ms: number): string => new Date(ms).toISOString();
  const ends: [what: string, text: string, expiresMs: number | undefined][] = [
    ['in the future is the keys’ end', at(NOW_MS + HOUR_MS), NOW_MS + HOUR_MS],
    [
      'may be without a zone',
      at(NOW_MS + HOUR_MS)
        .replace('Z', '')
        .slice(0, 19),
      NOW_MS + HOUR_MS,
    ],
    ['that is blank is none', ' ', undefined],
  ];
  for (const [what, text, expiresMs] of ends) {
    test(what, async () => {
      const made = await on({ environment: { ...ENV_KEYS, AWS_CREDENTIAL_EXPIRATION: text } });
      const identity = await made.resolve();
      assert.deepEqual([identity.accessKeyId, identity.expiresMs], ['ENV', expiresMs]);
    });
  }

  for (const [what, text] of [
    ['in the past', at(NOW_MS - 1000)],
    ['that is now', at(NOW_MS)],
    ['that is no instant', 'soon'],
  ] as const) {
    test(`${what} is an error, and no other source is asked`, async () => {
      const expected =
        what === 'that is no instant' ? /got "soon", expected an instant/ : /expired/;
      const made = await on({
        environment: { ...ENV_KEYS, AWS_CREDENTIAL_EXPIRATION: text },
        replies: { 'PUT 169.254.169.254/latest/api/token': 'tok' },
      });
      await assert.rejects(made.resolve(), (error) => {
        assert.ok(error instanceof ConfigError);
        assert.equal(error.setting, 'AWS_CREDENTIAL_EXPIRATION');
        assert.match(error.message, expected);
        return true;
      });
      assert.deepEqual(made.asked(), []);
    });
  }

  test('does not matter where there are no keys beside it', async () => {
    const made = await on({
      environment: {
        AWS_CREDENTIAL_EXPIRATION: at(NOW_MS - 1000),
        AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: '/creds',
      },
      replies: { 'GET 169.254.170.2/creds': roleJson('TASK') },
    });
    assert.equal((await made.resolve()).accessKeyId, 'TASK');
  });
});
