import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { CREDENTIALS, REGION, startCloudwatch } from '../support/cloudwatch.ts';
import { lacking } from '../support/needs.ts';
import { type Program, startAgent } from '../support/program.ts';

const BYTES = 8 * 1024 * 1024;
const skip = lacking('mkfs.ext4', 'mount', 'fsfreeze');

interface Volume {
  readonly folder: string;
  run(command: string, ...more: string[]): void;
}

/** A disk of its own, in a file. */
function volume(t: TestContext): Volume | undefined {
  const place = mkdtempSync(join(tmpdir(), 'disk-'));
  const [image, folder] = [join(place, 'image'), join(place, 'disk')];
  mkdirSync(folder);
  writeFileSync(image, '');
  truncateSync(image, BYTES);
  const isMade = spawnSync('mkfs.ext4', ['-q', image]).status === 0;
  const isMounted = isMade && spawnSync('mount', ['-o', 'loop', image, folder]).status === 0;
  t.after(() => {
    spawnSync('fsfreeze', ['-u', folder]);
    spawnSync('umount', ['-l', folder]);
    rmSync(place, { recursive: true, force: true });
  });
  const run = (command: string, ...more: string[]): void => {
    const { status, stderr } = spawnSync(command, [...more, folder], { encoding: 'utf8' });
    assert.equal(status, 0, `${command}: ${stderr}`);
  };
  return isMounted ? { folder, run } : undefined;
}

async function agentOn(
  t: TestContext,
  folder: string,
): Promise<{ program: Program; accepted: () => number }> {
  const cloudwatch = await startCloudwatch();
  const names = ['--namespace', 'Disk', '--service', 's', '--spool', join(folder, 'spool')];
  const program = startAgent([...names, '--period', '1', '--log-level', 'debug'], {
    environment: {
      AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
      AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
      AWS_REGION: REGION,
      AWS_ENDPOINT_URL: cloudwatch.url,
    },
  });
  t.after(async () => {
    program.kill('SIGKILL');
    await cloudwatch.close();
  });
  await program.until('window', ({ stderr }) => stderr().includes('windows are on disk'));
  return { program, accepted: () => cloudwatch.accepted.length };
}

function count(text: string, words: string): number {
  return text.split(words).length - 1;
}

test('a disk that becomes read-only is said once, and used again when it can be written', {
  skip,
}, async (t) => {
  const disk = volume(t);
  if (disk === undefined) return t.skip('SKIP: no right to mount a file');
  const { program } = await agentOn(t, disk.folder);
  // The kernel refuses this while a file is open for writing: between two windows none is.
  await program.until('change to read-only', () => {
    return spawnSync('mount', ['-o', 'remount,ro', disk.folder]).status === 0;
  });
  const trouble = 'the spool cannot be written, windows wait in memory alone';
  await program.until('warning', ({ stderr }) => stderr().includes(`warn ${trouble}`));
  await program.until('second try', ({ stderr }) => stderr().includes(`debug ${trouble}`));
  disk.run('mount', '-o', 'remount,rw');
  await program.until('end of it', ({ stderr }) => stderr().includes('the spool is written again'));
  assert.equal(count(program.stderr(), `warn ${trouble}`), 1);
  program.kill('SIGTERM');
  assert.equal(await program.ended, 0);
});

test('a disk that stands still keeps neither sampling nor publishing, nor the last window', {
  skip,
}, async (t) => {
  const disk = volume(t);
  if (disk === undefined) return t.skip('SKIP: no right to mount a file');
  const { program, accepted } = await agentOn(t, disk.folder);
  disk.run('fsfreeze', '-f');
  const [waits, before] = [count(program.stderr(), 'a window waits'), accepted()];
  await program.until('three windows more', ({ stderr }) => {
    return count(stderr(), 'a window waits') >= waits + 3 && accepted() >= before + 2;
  });
  const closed = count(program.stderr(), 'a window waits');
  program.kill('SIGTERM');
  await program.until('end', ({ stderr }) => / (?:info|warn|error) ended /.test(stderr()));
  assert.match(program.stderr(), /info ended windowsSent=\d+ windowsSpooled=0 windowsLost=0/);
  assert.ok(accepted() >= closed, `${accepted()} of ${closed} windows`);
  // The kernel lets nobody die inside a frozen file system; thawed, the process is gone at once.
  disk.run('fsfreeze', '-u');
  assert.equal(await program.ended, 'SIGKILL');
});
