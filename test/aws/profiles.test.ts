import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fileLocations } from '../../src/aws/profiles.ts';
import { ConfigError } from '../../src/errors.ts';
import { profileKeys, rigs, roleJson, type Scene } from '../support/aws/aws.ts';
import { AGENT, start } from '../support/program.ts';

const on = rigs();

const ENV_KEYS = { AWS_ACCESS_KEY_ID: 'ENV', AWS_SECRET_ACCESS_KEY: 'secret-of-ENV' };
const { signal } = new AbortController();

async function keyOf(scene: Scene): Promise<string> {
  return (await (await on(scene)).resolve()).accessKeyId;
}

describe('a system that knows no home for this user', () => {
  /** As os.homedir() where the user id has no entry in the passwd file. */
  function homeless(): never {
    const message = 'A system error occurred: uv_os_homedir returned ENOENT';
    throw Object.assign(new Error(message), { code: 'ENOENT' });
  }
  const HOMELESS = { HOME: '' };

  test('is enough where the environment has keys and region', async () => {
    const environment = { ...HOMELESS, ...ENV_KEYS, AWS_REGION: 'eu-west-1' };
    const made = await on({ environment, homedir: homeless });
    assert.equal((await made.resolve()).accessKeyId, 'ENV');
    assert.equal((await made.aws.locate(signal)).region.name, 'eu-west-1');
    assert.deepEqual(made.logged, []);
  });

  test('has no profile, and what comes after the profiles is asked', async () => {
    const environment = { ...HOMELESS, AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: '/creds' };
    const replies = { 'GET 169.254.170.2/creds': roleJson('TASK') };
    assert.equal(await keyOf({ environment, homedir: homeless, replies }), 'TASK');
  });

  test('lacks a profile that is named, as any other does', async () => {
    const environment = { ...HOMELESS, AWS_PROFILE: 'a' };
    const made = await on({ environment, homedir: homeless });
    await assert.rejects(made.resolve(), ConfigError);
  });

  test('may have its files elsewhere', async () => {
    const { home } = await on({ files: { config: `[default]\n${profileKeys('FILE')}` } });
    const environment = { ...HOMELESS, AWS_CONFIG_FILE: `${home}/.aws/config` };
    assert.equal(await keyOf({ environment, homedir: homeless }), 'FILE');
  });

  test('is no hindrance to the built agent', async (t) => {
    if (process.getuid?.() !== 0) return t.skip('SKIP: no right to become another user');
    const nobody = ['--reuid=54321', '--regid=54321', '--clear-groups'];
    const probe = start('setpriv', [...nobody, 'true']);
    if ((await probe.ended.catch(() => 1)) !== 0) return t.skip('SKIP: setpriv does not work here');
    const program = start('setpriv', [...nobody, process.execPath, AGENT, '--check'], {
      environment: {
        ...ENV_KEYS,
        AWS_REGION: 'eu-west-1',
        AWS_ENDPOINT_URL: 'http://127.0.0.1:1',
        AWS_MAX_ATTEMPTS: '1',
      },
    });
    assert.equal(await program.ended, 1);
    assert.match(program.stdout(), /^ok {3}credentials the environment, key ENV…, no end$/m);
    assert.match(program.stdout(), /^FAIL endpoint /m);
    assert.equal(program.stderr(), '');
  });
});

describe('the profile that is meant', () => {
  const files = {
    config: ['default', 'profile a', 'profile b', 'profile c']
      .map((name) => `[${name}]\n${profileKeys(name.slice(-1).toUpperCase())}`)
      .join(''),
  };
  const rows: [what: string, environment: Record<string, string>, flag: string | undefined][] = [
    ['T', {}, undefined],
    ['B', { AWS_DEFAULT_PROFILE: 'b' }, undefined],
    ['A', { AWS_PROFILE: 'a', AWS_DEFAULT_PROFILE: 'b' }, undefined],
    ['B', { AWS_PROFILE: ' ', AWS_DEFAULT_PROFILE: 'b' }, undefined],
    ['C', { AWS_PROFILE: 'a', AWS_DEFAULT_PROFILE: 'b' }, 'c'],
  ];
  for (const [key, environment, flag] of rows) {
    const by = `${JSON.stringify(environment)}${flag === undefined ? '' : ` and --profile ${flag}`}`;
    test(`by ${by} has the key ${key}`, async () => {
      assert.equal(await keyOf({ files, environment, flags: { profile: flag } }), key);
    });
  }

  test('by AWS_DEFAULT_PROFILE must be there, too', async () => {
    const made = await on({ files, environment: { AWS_DEFAULT_PROFILE: 'gone' } });
    await assert.rejects(
      made.resolve(),
      /^ConfigError: AWS_DEFAULT_PROFILE: names the profile gone, which is neither in \S+config nor in \S+credentials$/,
    );
  });
});

describe('names and values of profiles', () => {
  for (const name of ['größe', '東京', 'a b', 'd’or']) {
    test(`a profile may be called ${name}`, async () => {
      const config = `[profile "${name}"]\n${profileKeys('NAMED')}`;
      const made = await on({ files: { config }, environment: { AWS_PROFILE: name } });
      assert.equal((await made.resolve()).accessKeyId, 'NAMED');
    });
  }

  test('without quotes, too, where it holds no blank', async () => {
    const files = { credentials: `[größe]\n${profileKeys('NAMED')}` };
    const made = await on({ files, environment: { AWS_PROFILE: 'größe' } });
    assert.equal((await made.resolve()).accessKeyId, 'NAMED');
  });

  test('[profile "a" "b"] is none', async () => {
    const files = { config: `[profile "a" "b"]\n${profileKeys('NONE')}` };
    for (const name of ['a', 'b', 'a" "b', '"a" "b"']) {
      const made = await on({ files, environment: { AWS_PROFILE: name } });
      await assert.rejects(made.resolve(), /names the profile/);
    }
  });

  test('a remark below a key is none of it', async () => {
    const config =
      '[default]\naws_access_key_id = FILE\n  # rotated in May\naws_secret_access_key = secret-of-FILE\n\t; by Ops\n';
    const made = await on({ files: { config } });
    const { accessKeyId, secretAccessKey } = await made.resolve();
    assert.deepEqual([accessKeyId, secretAccessKey], ['FILE', 'secret-of-FILE']);
  });

  test('USERPROFILE is no home but on Windows', () => {
    const environment = { USERPROFILE: '/mnt/c/Users/me', HOMEDRIVE: 'C:', HOMEPATH: '/me' };
    const homedir = (): string => '/home/me';
    const of = (platform: string): string =>
      fileLocations({ environment, platform, homedir }).config;
    assert.equal(of('linux'), '/home/me/.aws/config');
    assert.match(of('win32'), /Users.me/);
  });
});

describe('keys that cannot be keys are refused where they are', () => {
  const flaws: [what: string, text: string][] = [
    ['a line break', 'one\ntwo'],
    ['a blank', 'one two'],
    ['a control character', 'one\u0007two'],
    ['a character outside ASCII', 'one\u201dtwo'],
  ];
  for (const [what, text] of flaws) {
    for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN']) {
      test(`${what} in ${name}`, async () => {
        const good = { AWS_ACCESS_KEY_ID: 'ENV', AWS_SECRET_ACCESS_KEY: 'secret-of-ENV' };
        const made = await on({ environment: { ...good, [name]: text } });
        await assert.rejects(made.resolve(), (error) => {
          assert.ok(error instanceof ConfigError);
          assert.equal(error.message, `${name}: holds ${what}, which no key or token has`);
          return true;
        });
      });
    }

    test(`${what} in a file`, async () => {
      const token = text.replace('\n', '\n  ');
      const files = {
        config: `[profile a]\n${profileKeys('A')}`,
        credentials: `[a]\naws_session_token = ${token}\n`,
      };
      const made = await on({ files, environment: { AWS_PROFILE: 'a' } });
      await assert.rejects(made.resolve(), (error) => {
        assert.ok(error instanceof ConfigError);
        const where = `aws_session_token of the profile a in ${made.home}/.aws/credentials`;
        assert.equal(error.message, `${where}: holds ${what}, which no key or token has`);
        return true;
      });
    });

    test(`${what} in what a container is handed out`, async () => {
      const made = await on({
        environment: { AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: '/creds' },
        replies: { 'GET 169.254.170.2/creds': roleJson('TASK', { Token: text }) },
      });
      await assert.rejects(made.resolve(), new RegExp(`: Token holds ${what}, which no key`));
    });
  }

  test('white space around them is none of them', async () => {
    const environment = {
      AWS_ACCESS_KEY_ID: ' ENV\r\n',
      AWS_SECRET_ACCESS_KEY: '\tsecret-of-ENV\n',
      AWS_SESSION_TOKEN: 'token-of-ENV\n',
    };
    assert.equal((await (await on({ environment })).resolve()).sessionToken, 'token-of-ENV');
  });
});
