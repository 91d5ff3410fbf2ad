import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { Clock } from '../../src/clock.ts';
import { AwsError } from '../../src/errors.ts';
import { LATER, NOW_MS, type Rig, rigs, type Scene } from '../support/aws/aws.ts';
import { hurriedClock } from '../support/aws/elsewhere.ts';
import { drivenClock } from '../support/clock.ts';
import { AGENT, start } from '../support/program.ts';

const on = rigs();

/** Of a test that waits for processes to end, which end by themselves only after that. */
const ENDS = { timeout: 5000 };
const HOUR_MS = 3_600_000;
/** The longest that the source is left alone after a failure. */
const BACKOFF_MS = 600_000;

function json(id: string, more: object = {}): string {
  const keys = { AccessKeyId: id, SecretAccessKey: `secret-of-${id}` };
  return JSON.stringify({ Version: 1, ...keys, Expiration: LATER, ...more });
}

function calling(command: string): string {
  return `[default]\ncredential_process = ${command}\n`;
}

describe('a process that gave credentials once and fails', () => {
  const failures: [what: string, files: Record<string, string>][] = [
    ['gives no JSON', { 'a.json': '{' }],
    ['gives another version', { 'a.json': json('NEW', { Version: 2 }) }],
    [
      'gives credentials that have expired',
      { 'a.json': json('NEW', { Expiration: '2020-01-01' }) },
    ],
    ['ends with an error', { config: calling('exit 3') }],
    ['cannot be started', { config: calling('HOME/gone') }],
  ];
  for (const [what, broken] of failures) {
    test(`since it ${what}: the old ones stay in use, and are renewed when it is well`, async () => {
      const clock = drivenClock(NOW_MS);
      const good = { config: calling('cat HOME/a.json'), 'a.json': json('OLD') };
      const { resolve, write, logged } = await on({ files: good, clock });
      assert.equal((await resolve()).accessKeyId, 'OLD');
      clock.advance(5 * HOUR_MS);
      write(broken);
      assert.equal((await resolve()).accessKeyId, 'OLD');
      clock.advance(BACKOFF_MS);
      assert.equal((await resolve()).accessKeyId, 'OLD');
      write({ ...good, 'a.json': json('NEW', { Expiration: '2026-11-23T20:00:00Z' }) });
      clock.advance(BACKOFF_MS);
      assert.equal((await resolve()).accessKeyId, 'NEW');
      const said = logged.map((line) => line.replace(/^\S+ (.*?)(?: reason=.*)?$/, '$1'));
      assert.deepEqual(said, [
        'warn credentials cannot be renewed, the old ones are used',
        'warn credentials are renewed again',
      ]);
    });
  }

  test('has given for a time, and no longer', async () => {
    const clock = drivenClock(NOW_MS);
    const files = { config: calling('cat HOME/a.json'), 'a.json': json('OLD') };
    const { resolve, write } = await on({ files, clock });
    await resolve();
    write({ 'a.json': '{' });
    clock.advance(6 * HOUR_MS);
    await assert.rejects(resolve(), (error) => error instanceof AwsError && !error.final);
  });
});

describe('a process that is stopped', () => {
  interface Pipe {
    /** The shell runs. */
    readonly opened: Promise<unknown>;
    /** Nobody holds it open any more: the shell, and all that it started, are gone. */
    readonly ended: Promise<unknown>;
  }

  function pipeOf({ home }: Rig): Pipe {
    const path = join(home, 'alive');
    execFileSync('mkfifo', [path]);
    // It opens when the shell opens it, too.
    const alive = createReadStream(path).resume();
    return { opened: once(alive, 'open'), ended: once(alive, 'end') };
  }

  const HOLDING = 'exec 9>HOME/alive; sleep 20 &';
  const STOPPED = /credential_process was stopped: too slow or too long$/;

  test('for its endless output takes along what it left in the background', ENDS, async () => {
    const made = await on({ files: { config: calling(`${HOLDING} yes secret-of-YES`) } });
    const { ended } = pipeOf(made);
    await assert.rejects(made.resolve(), STOPPED);
    await ended;
  });

  test('for its slowness, too', ENDS, async () => {
    const { after, ...rest } = hurriedClock(NOW_MS);
    let late: () => void = () => undefined;
    const clock: Clock = {
      ...rest,
      after(delayMs, task) {
        if (delayMs !== 60_000) return after(delayMs, task);
        late = task;
        return () => undefined;
      },
    };
    const made = await on({ files: { config: calling(`${HOLDING} wait`) }, clock });
    const { opened, ended } = pipeOf(made);
    const resolving = made.resolve();
    await opened;
    late();
    await assert.rejects(resolving, STOPPED);
    await ended;
  });
});

describe('the last line on stderr', () => {
  const lines: [line: string, told: string][] = [
    ['the vault is sealed', ': the vault is sealed'],
    // What it is about may be said: not to know that is to know nothing.
    ['no credentials: the token has expired', ': no credentials: the token has expired'],
    ['key not found: AssumeRoleWithSAML', ': key not found: AssumeRoleWithSAML'],
    ['PASSWORD=hunter2-of-process', ': PASSWORD=…'],
    ['passphrase: hunter2-of-process', ': passphrase: …'],
    ['api_key=hunter2-of-process', ': api_key=…'],
    ['refused: Bearer hunter2-of-process', ': refused: Bearer …'],
    ['GET https://me:hunter2-of-process@host/', ': GET https://…@host/'],
    ['eyJhbGciOi.eyJzdWIiOi.c2ln is no good', ': … is no good'],
  ];
  for (const [line, told] of lines) {
    test(`"${line}" is told as "${told}"`, async () => {
      const made = await on({
        files: { config: calling('cat HOME/words >&2; exit 1'), words: `begun\n${line}\n` },
      });
      await assert.rejects(made.resolve(), (error) => {
        assert.ok(error instanceof AwsError);
        assert.equal(error.message, `credential_process ended with 1${told}`);
        return true;
      });
    });
  }
});

test('without a shell it cannot be started, and that is said', ENDS, async () => {
  const { home } = await on({
    files: { config: calling('cat HOME/a.json'), 'a.json': json('A') },
  });
  const program = start(process.execPath, [AGENT, '--check'], {
    environment: {
      PATH: join(home, 'nothing'),
      HOME: home,
      AWS_REGION: 'eu-west-1',
      AWS_ENDPOINT_URL: 'http://127.0.0.1:1',
    },
  });
  assert.equal(await program.ended, 1);
  assert.match(
    program.stdout(),
    /^FAIL credentials credential_process cannot be started: spawn sh ENOENT$/m,
  );
});

describe('credential_process', () => {
  const written = (more: object): string =>
    JSON.stringify({ Version: 1, AccessKeyId: 'PROC', SecretAccessKey: 'secret-of-PROC', ...more });

  function by(command: string): Scene {
    return {
      files: { config: `[default]\ncredential_process = ${command}`, 'a.json': written({}) },
    };
  }

  test('its JSON is taken, by a shell', async () => {
    const made = await on({
      files: {
        config: '[default]\ncredential_process = cat HOME/a.json | cat',
        'a.json': written({}),
      },
    });
    assert.equal((await made.resolve()).accessKeyId, 'PROC');
  });

  const bad: [what: string, text: string][] = [
    ['another version', written({ Version: '1' })],
    ['no secret', written({ SecretAccessKey: '' })],
    ['an end that is none', written({ Expiration: 'soon' })],
    ['an end in the past', written({ Expiration: '2026-11-23T07:00:00Z' })],
    ['no JSON', 'secret-of-TEXT'],
  ];
  for (const [what, text] of bad) {
    test(`${what} is refused`, async () => {
      const config = '[default]\ncredential_process = cat HOME/a.json';
      await assert.rejects((await on({ files: { config, 'a.json': text } })).resolve());
    });
  }

  test('a failure tells its last words on stderr, without what is on stdout', async () => {
    const failing = (words: string): string =>
      `cat HOME/a.json; echo "begun" >&2; echo "${words}" >&2; exit 3`;
    const luckless = await on(by(failing('no luck with the SecretAccessKey secret-of-PROC')));
    await assert.rejects(luckless.resolve(), /ended with 3: no luck with the SecretAccessKey …$/);
    const plain = `echo secret-of-STDOUT; echo "no luck: secret-of-STDOUT" >&2; exit 3`;
    await assert.rejects((await on(by(plain))).resolve(), /ended with 3: no luck: …$/);
  });

  test('output without an end is stopped', async () => {
    await assert.rejects((await on(by('yes secret-of-YES'))).resolve(), /credential_process/);
  });
});
