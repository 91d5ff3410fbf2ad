import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { ConfigError, ParseError } from '../../src/errors.ts';
import { LATER, profileKeys, type Rig, rigs, roleJson } from '../support/aws/aws.ts';
import { AGENT, start } from '../support/program.ts';
import { CREDENTIALS, REGION, startCloudwatch } from '../support/service/cloudwatch.ts';

const on = rigs({ AWS_REGION: 'eu-west-1' });
const KEYS = { AWS_ACCESS_KEY_ID: 'ENV', AWS_SECRET_ACCESS_KEY: 'secret-of-ENV' };
const ECS = { AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: '/creds' };
const TASK = { 'GET 169.254.170.2/creds': roleJson('TASK', { Expiration: LATER }) };

/** Puts what is no file where a file could be. */
const KINDS: readonly [kind: string, put: (path: string) => void, told: RegExp][] = [
  ['a folder', (path) => mkdirSync(path), /is a folder/],
  ['a FIFO', (path) => execFileSync('mkfifo', [path]), /is a named pipe/],
  ['a loop of links', (path) => symlinkSync(path, path), /leads through links in a circle/],
  ['a socket', (path) => createServer().listen(path).unref(), /is a socket/],
  ['a device', (path) => symlinkSync('/dev/zero', path), /is a device/],
  ['17 MiB', (path) => writeFileSync(path, '#'.repeat(17 * 1024 * 1024)), /is larger than/],
];

async function made(path: string, put: (path: string) => void, more = {}): Promise<Rig> {
  const one = await on({ files: { '.aws/x': '' }, replies: TASK, ...more });
  put(join(one.home, path));
  return one;
}

describe('what is no file where settings could be', () => {
  for (const [kind, put, told] of KINDS) {
    for (const name of ['config', 'credentials']) {
      test(`${kind} for ${name} is passed over with one warning, where no profile is named`, async () => {
        for (const [environment, key] of [
          [KEYS, 'ENV'],
          [ECS, 'TASK'],
        ] as const) {
          const one = await made(`.aws/${name}`, put, { environment });
          assert.equal((await one.resolve()).accessKeyId, key);
          await one.aws.locate(new AbortController().signal);
          const warnings = one.logged.filter((line) => / warn /.test(line));
          assert.equal(warnings.length, 1, warnings.join('\n'));
          assert.match(warnings[0] ?? '', told);
        }
      });

      test(`${kind} for ${name} is an error that names it, where a profile is named`, async () => {
        const environment = { ...ECS, AWS_PROFILE: 'a' };
        const one = await made(`.aws/${name}`, put, { environment });
        await assert.rejects(one.resolve(), (error) => {
          assert.ok(error instanceof ConfigError);
          assert.match(error.message, told);
          assert.ok(error.message.includes(`${one.home}/.aws/${name}`));
          return true;
        });
      });
    }
  }

  test('two files that cannot be read are one warning', async () => {
    const one = await made('.aws/config', (path) => mkdirSync(path), { environment: KEYS });
    mkdirSync(join(one.home, '.aws/credentials'));
    await one.resolve();
    await one.aws.locate(new AbortController().signal);
    assert.equal(one.logged.filter((line) => / warn /.test(line)).length, 1);
  });

  test('a file of 9,000 profiles is read', async () => {
    const profile = (index: number): string =>
      `[profile p${index}]\nsso_start_url = https://a-start-url-of-some-length.awsapps.com/start\n` +
      `sso_region = eu-west-1\nsso_account_id = 123456789012\nsso_role_name = Administrator\n`;
    const config = Array.from({ length: 9000 }, (_, index) => profile(index)).join('');
    assert.ok(config.length > 1.4e6);
    const one = await on({ files: { config: `${config}[default]\n${profileKeys('LAST')}` } });
    assert.equal((await one.resolve()).accessKeyId, 'LAST');
  });

  test('a broken file is named with its line, and the line is not repeated', async () => {
    const one = await on({ files: { credentials: '[default]\nsecret-of-LINE' } });
    await assert.rejects(one.resolve(), (error) => {
      assert.ok(error instanceof ParseError);
      assert.match(error.message, /credentials: line 2: expected NAME = VALUE$/);
      return true;
    });
  });
});

/** A file system whose other side never answers, until the shell that holds it ends. */
const DEAD = `exec 7<>/dev/fuse &&
mount -i -t fuse -o fd=7,rootmode=40000,user_id=0,group_id=0 dead "$1" && shift && "$@" 7<&-`;
const canHang =
  existsSync('/dev/fuse') &&
  spawnSync('unshare', ['--mount', 'sh', '-c', ': 7<>/dev/fuse']).status === 0;

describe('a file system that does not answer', {
  skip: canHang ? false : 'SKIP: no FUSE here',
}, () => {
  async function run(
    t: { after: (clean: () => void) => void },
    environment: (dead: string) => Record<string, string>,
    flags: readonly string[] = [],
    ofNode: readonly string[] = [],
  ): Promise<{ exit: number | string; stderr: string; accepted: number; tookMs: number }> {
    const cloudwatch = await startCloudwatch();
    const folder = mkdtempSync(join(tmpdir(), 'dead '));
    chmodSync(folder, 0o700);
    const dead = join(folder, 'mnt');
    mkdirSync(dead);
    t.after(() => {
      cloudwatch.close();
      rmSync(folder, { recursive: true });
    });
    const names = ['--namespace', 'N', '--service', 's', '--jitter', '0', '--period', '1'];
    const agent = [process.execPath, ...ofNode, AGENT, ...names, ...flags];
    const inside = ['--mount', '--propagation', 'private', 'sh', '-c', DEAD, 'sh', dead];
    const begunMs = performance.now();
    const program = start('unshare', [...inside, ...agent], {
      environment: { AWS_REGION: REGION, AWS_ENDPOINT_URL: cloudwatch.url, ...environment(dead) },
    });
    const exit = await program.ended;
    const tookMs = performance.now() - begunMs;
    return { exit, stderr: program.stderr(), accepted: cloudwatch.accepted.length, tookMs };
  }

  test('with settings on it, keys in the environment publish all the same', async (t) => {
    const result = await run(
      t,
      (dead) => ({
        AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
        AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
        AWS_CONFIG_FILE: `${dead}/config`,
      }),
      ['--once', '--flush-timeout', '20', '--period', '6'],
    );
    assert.deepEqual([result.exit, result.accepted], [0, 1], result.stderr);
    assert.match(result.stderr, /\(fuse\) does not answer/);
  });

  test('where Node allows no other process, nothing waits for it, and that is said', async (t) => {
    const result = await run(
      t,
      (dead) => ({
        AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
        AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
        AWS_CONFIG_FILE: `${dead}/config`,
      }),
      ['--once', '--flush-timeout', '5'],
      ['--experimental-permission', '--allow-fs-read=*'],
    );
    assert.deepEqual([result.exit, result.accepted], [0, 1], result.stderr);
    assert.match(result.stderr, /AWS_CONFIG_FILE: .* is on fuse, .* --allow-child-process/);
  });

  test('with the token on it, the end comes in time', async (t) => {
    const result = await run(
      t,
      (dead) => ({
        AWS_ROLE_ARN: 'arn:aws:iam::1:role/a',
        AWS_WEB_IDENTITY_TOKEN_FILE: `${dead}/token`,
      }),
      ['--once', '--flush-timeout', '1'],
    );
    assert.equal(result.exit, 1, result.stderr);
    assert.ok(result.tookMs < 4000, `${result.tookMs} ms`);
  });
});

test('Node’s permission model is named where it keeps the agent from reading', async () => {
  const argv = [
    '--experimental-permission',
    `--allow-fs-read=${dirname(AGENT)}`,
    AGENT,
    '--dry-run',
  ];
  const program = start(process.execPath, argv);
  assert.equal(await program.ended, 2);
  assert.match(
    program.stderr(),
    /^[^ ]+ permissions: do not let \/ be read: node wants --allow-fs-read=\/proc --allow-fs-read=\/sys /m,
  );
});
