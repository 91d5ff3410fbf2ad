import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { AGENT, type Program, start } from '../support/program.ts';
import { awsOf, type Cloudwatch, startCloudwatch } from '../support/service/cloudwatch.ts';
import { serviceUnavailable } from '../support/service/faults.ts';

/** The built agent with a status file, and what `--healthy` says of that. */
interface Rig {
  readonly program: Program;
  readonly cloudwatch: Cloudwatch;
  readonly file: string;
  healthy(...more: string[]): { readonly status: number | null; readonly stdout: string };
}

interface How {
  readonly flags?: readonly string[];
  readonly job?: readonly string[];
  /** What the agent is started by: `folder` is where its file is to be. */
  readonly by?: (folder: string) => readonly string[];
  readonly isDown?: boolean;
}

async function rigOf(t: TestContext, how: How = {}): Promise<Rig> {
  const { flags = [], job = [], by = () => [], isDown = false } = how;
  const cloudwatch = await startCloudwatch();
  if (isDown) cloudwatch.play(() => serviceUnavailable());
  const folder = join(mkdtempSync(join(tmpdir(), 'kept-')), 'mnt');
  mkdirSync(folder);
  const file = join(folder, 'status.json');
  const names = ['--namespace', 'N', '--service', 's', '--period', '1', '--jitter', '0'];
  const agent = [process.execPath, AGENT, ...names, '--status-file', file, ...flags, ...job];
  const [command = '', ...argv] = [...by(folder), ...agent];
  const program = start(command, argv, {
    environment: awsOf(cloudwatch),
  });
  t.after(async () => {
    program.kill('SIGKILL');
    await cloudwatch.close();
    rmSync(join(folder, '..'), { recursive: true });
  });
  const healthy: Rig['healthy'] = (...more) =>
    spawnSync(process.execPath, [AGENT, '--healthy', file, ...more], { encoding: 'utf8' });
  return { program, cloudwatch, file, healthy };
}

/** Until the status file says so, by looking again and again. */
async function until(rig: Rig, what: RegExp): Promise<void> {
  await rig.program.until(
    'start',
    ({ stderr }) => stderr().includes(' started: ') || existsSync(rig.file),
  );
  const endMs = performance.now() + 20_000;
  while (!existsSync(rig.file) || !what.test(readFileSync(rig.file, 'utf8'))) {
    assert.ok(performance.now() < endMs, `never ${what}: ${rig.program.stderr()}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('an agent with a status file', () => {
  test('is healthy while it runs, tells what was accepted, and has ended when it has', async (t) => {
    const rig = await rigOf(t);
    await until(rig, /"lastAccepted":"\d{4}-.*"windowsSent"|"windowsSent":[1-9].*"lastAccepted":"/);
    const { status, stdout } = rig.healthy();
    assert.match(
      stdout,
      /^healthy: sampled \d s ago; requests accepted: the last \d s ago; windows waiting \d, lost 0\n$/,
    );
    assert.equal(status, 0);
    assert.match(readFileSync(rig.file, 'utf8'), /"scope":"scope=\w+ source=/);
    rig.program.kill('SIGTERM');
    assert.equal(await rig.program.ended, 0);
    assert.match(rig.healthy().stdout, /^sick: the agent, process \d+, ended \d s ago\n$/);
    assert.equal(rig.healthy('--max-age', '9999').status, 1);
  });

  test('is healthy while CloudWatch is out', async (t) => {
    const rig = await rigOf(t, { isDown: true });
    await until(rig, /"windowsWaiting":[2-9]/);
    const { status, stdout } = rig.healthy();
    assert.match(stdout, /^healthy: .* requests accepted: none; windows waiting [2-9], lost 0\n$/);
    assert.equal(status, 0);
  });

  test('that was killed is gone at once', async (t) => {
    const rig = await rigOf(t);
    await until(rig, /"lastSample"/);
    rig.program.kill('SIGKILL');
    await rig.program.ended;
    assert.match(rig.healthy().stdout, /process \d+, is gone without a last word\n$/);
  });

  test('that stands still is sick as soon as its word is too old', async (t) => {
    const rig = await rigOf(t);
    await until(rig, /"lastSample"/);
    rig.program.kill('SIGSTOP');
    const endMs = performance.now() + 20_000;
    while (rig.healthy('--max-age', '1').status === 0) assert.ok(performance.now() < endMs);
    assert.match(
      rig.healthy('--max-age', '1').stdout,
      /^sick: the agent, process \d+, (?:told|has not) /,
    );
    assert.equal(rig.healthy().status, 0);
    rig.program.kill('SIGCONT');
  });
});

test('what cannot be judged is a wrong setting', () => {
  const said = (...argv: string[]): string =>
    spawnSync(process.execPath, [AGENT, ...argv], { encoding: 'utf8' }).stderr;
  assert.match(said('--healthy'), /--healthy: expected a value, got none/);
  assert.match(said('--healthy', 'f', '--max-age', '0'), /--max-age: got "0", expected a whole/);
  assert.match(said('--healthy', 'f', '--nope'), /--nope: there is no such flag/);
});

test('what a status file says comes as one line without a command to the terminal', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'kept-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'status.json');
  const own = { state: 'running', time: new Date(), pid: process.pid, periodSeconds: 60 };
  const more = { upSeconds: 999, notMeasured: '\x1b[31m\nx' };
  writeFileSync(file, JSON.stringify({ ...own, ...more }));
  const { stdout } = spawnSync(process.execPath, [AGENT, '--healthy', file], { encoding: 'utf8' });
  assert.equal(stdout, 'healthy, but for 999 s no sample:  [31m x\n');
});

test('the long way leads to the same sentence', () => {
  const argv = [AGENT, '--max-age', '5', '--healthy=/nowhere'];
  const { status, stdout } = spawnSync(process.execPath, argv, { encoding: 'utf8' });
  assert.match(stdout, /^sick: Error: ENOENT: /);
  assert.equal(status, 1);
});

const mayMount = spawnSync('unshare', ['--mount', 'true']).status === 0;
const inside = (script: string) => (folder: string) => {
  return ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', script, 'sh', folder];
};
const FULL = 'mount -t tmpfs -o size=4k none "$1" && echo x > "$1/x" && shift && exec "$@"';
const SHUT = 'mount -t tmpfs -o ro none "$1" && shift && exec "$@"';
/** Its other side never answers, until the shell that holds it ends. */
const DEAD = `exec 7<>/dev/fuse &&
mount -i -t fuse -o fd=7,rootmode=40000,user_id=0,group_id=0 dead "$1" && shift && "$@" 7<&-`;

describe('a status file that cannot be kept', {
  skip: mayMount ? false : 'SKIP: no right to mount',
}, () => {
  const places: readonly (readonly [what: string, script: string, reason: RegExp])[] = [
    ['on a full disk', FULL, /ENOSPC/],
    ['on a read-only one', SHUT, /EROFS/],
  ];
  for (const [what, script, reason] of places) {
    test(`${what} is said once, and windows go all the same`, async (t) => {
      const { program, cloudwatch } = await rigOf(t, { by: inside(script) });
      await cloudwatch.waitFor(() => cloudwatch.accepted.length >= 2);
      program.kill('SIGTERM');
      assert.equal(await program.ended, 0, program.stderr());
      const said = program.stderr().match(/the status file is not written .*/g) ?? [];
      assert.equal(said.length, 1, program.stderr());
      assert.match(said[0] ?? '', reason);
    });
  }

  const skip = existsSync('/dev/fuse') ? false : 'SKIP: no FUSE here';
  for (const job of [[], ['--', 'sh', '-c', 'sleep 3; exit 7']]) {
    const who = job.length === 0 ? 'the agent' : 'the job';
    test(`on a mount that does not answer holds neither windows nor ${who}’s end`, {
      skip,
    }, async (t) => {
      const flags = ['--flush-timeout', '5', '--once', '--period', '3', '--receipt', 'none'];
      const begunMs = performance.now();
      const how = { by: inside(DEAD), job, flags: job.length === 0 ? flags : flags.slice(3) };
      const { program, cloudwatch } = await rigOf(t, how);
      const exit = await program.ended;
      const tookMs = performance.now() - begunMs;
      assert.equal(exit, job.length === 0 ? 0 : 7, program.stderr());
      assert.ok(tookMs < 10_000, `${tookMs} ms`);
      assert.ok(cloudwatch.accepted.length > 0);
    });
  }
});
