import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ConfigError } from '../src/errors.ts';
import { LATER, NOW_MS, roleJson, stages } from './support/aws.ts';
import { start } from './support/program.ts';

const on = stages();

const ENV_KEYS = { AWS_ACCESS_KEY_ID: 'ENV', AWS_SECRET_ACCESS_KEY: 'secret-of-ENV' };
const HOUR_MS = 3_600_000;

describe('an end without a zone is UTC', () => {
  const texts = ['2026-11-23T14:00:00', '2026-11-23T14:00:00.000', '2026-11-23T14:00'];
  const module = new URL('../src/aws/credentials.ts', import.meta.url).href;
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
      const made = await on({
        environment: { ...ENV_KEYS, AWS_CREDENTIAL_EXPIRATION: text },
        replies: { 'PUT 169.254.169.254/latest/api/token': 'tok' },
      });
      await assert.rejects(made.resolve(), (error) => {
        assert.ok(error instanceof ConfigError);
        assert.equal(error.setting, 'AWS_CREDENTIAL_EXPIRATION');
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
