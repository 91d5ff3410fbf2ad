import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { headLine, windowLine } from '../../src/spool/record.ts';
import { lacking } from '../support/lab/needs.ts';
import { AGENT, type Program, start } from '../support/program.ts';
import {
  type Cloudwatch,
  CREDENTIALS,
  REGION,
  startCloudwatch,
} from '../support/service/cloudwatch.ts';
import { serviceUnavailable } from '../support/service/faults.ts';

const BYTES = 8 * 1024 * 1024;
const SEGMENTS = 1000;
const skip = lacking('mkfs.ext4', 'mount', 'fsfreeze');

interface Volume {
  readonly folder: string;
  run(command: string, ...more: string[]): void;
}

/** A disk of its own, in a file. */
function volume(t: TestContext, options = 'loop'): Volume | undefined {
  const place = mkdtempSync(join(tmpdir(), 'disk-'));
  const [image, folder] = [join(place, 'image'), join(place, 'disk')];
  mkdirSync(folder);
  writeFileSync(image, '');
  truncateSync(image, BYTES);
  const isMade = spawnSync('mkfs.ext4', ['-q', image]).status === 0;
  const isMounted = isMade && spawnSync('mount', ['-o', options, image, folder]).status === 0;
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

interface AgentOptions {
  /** The service refuses everything until it is calmed. */
  readonly isDown?: boolean;
  readonly flags?: readonly string[];
  /** The most files that it may have open. */
  readonly descriptors?: number;
}

async function agentOn(
  t: TestContext,
  folder: string,
  { isDown = false, flags = [], descriptors }: AgentOptions = {},
): Promise<{ program: Program; cloudwatch: Cloudwatch; accepted: () => number }> {
  const cloudwatch = await startCloudwatch();
  if (isDown) cloudwatch.play(() => serviceUnavailable());
  const names = ['--namespace', 'Disk', '--service', 's', '--spool', join(folder, 'spool')];
  const argv = [...names, '--period', '1', '--log-level', 'debug', ...flags];
  const limited = [`--nofile=${descriptors}:${descriptors}`, process.execPath, AGENT, ...argv];
  const [command, rest] =
    descriptors === undefined ? [process.execPath, [AGENT, ...argv]] : ['prlimit', limited];
  const program = start(command, rest, {
    lifetimeMs: 120_000,
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
  return { program, cloudwatch, accepted: () => cloudwatch.accepted.length };
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

test('a disk that fails while windows wait on it keeps no request, and its windows all go', {
  skip,
}, async (t) => {
  const disk = volume(t, 'loop,errors=remount-ro');
  if (disk === undefined) return t.skip('SKIP: no right to mount a file');
  const { program, cloudwatch } = await agentOn(t, disk.folder, { isDown: true });
  const { stdout } = spawnSync('findmnt', ['-no', 'SOURCE', disk.folder], { encoding: 'utf8' });
  const device = stdout.trim().split('/').pop();
  // The kernel itself finds an error, and lets nobody write from then on.
  writeFileSync(`/sys/fs/ext4/${device}/trigger_fs_error`, '1');
  const waits = count(program.stderr(), 'a window waits');
  // Longer than a process may be silent.
  await program.until('12 windows more', ({ stderr }) => {
    return count(stderr(), 'a window waits') >= waits + 12;
  });
  cloudwatch.calm();
  const isEmpty = ({ stderr }: Program): boolean =>
    /warn publishing again after=\S+(?: s")? windowsWaiting=0/.test(stderr());
  await program.until('all of them', isEmpty);
  const lines = count(program.stderr(), 'the spool cannot be written');
  assert.ok(lines < 40, `${lines} lines about the disk`);
  program.kill('SIGTERM');
  assert.equal(await program.ended, 0);
  assert.match(program.stderr(), /info ended windowsSent=\d+ windowsSpooled=0 windowsLost=0/);
});

test('a thousand segments are taken over by a process that may open few files', {
  skip: lacking('prlimit'),
}, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'disk-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, 'spool'));
  const own = { Name: 'ServiceName', Value: 's' };
  const publication = { namespace: 'Disk', dimensions: [own], highResolution: true };
  const head = headLine('cloudwatch', publication);
  const data = [{ name: 'Left', unit: 'Percent' as const, values: [1] }];
  for (let number = 1; number <= SEGMENTS; number += 1) {
    const startMs = Math.floor(Date.now() / 1000) * 1000 - number * 60_000;
    const name = `cma-released-${startMs}-${number.toString(16)}-1.spool`;
    const window = { startMs, endMs: startMs + 1000, data };
    writeFileSync(join(folder, 'spool', name), head + windowLine(1, window));
  }
  const { program, cloudwatch } = await agentOn(t, folder, { descriptors: 128 });
  const left = (): number =>
    cloudwatch.accepted
      .flatMap(({ data: datums }) => datums)
      .filter(({ MetricName }) => MetricName === 'Left').length;
  await cloudwatch.waitFor(() => left() === SEGMENTS, 60_000);
  program.kill('SIGTERM');
  assert.equal(await program.ended, 0);
  assert.equal(left(), SEGMENTS);
  assert.deepEqual(readdirSync(join(folder, 'spool')), []);
  assert.equal(count(program.stderr(), ' warn '), 0, program.stderr());
});

test('a disk that stands still keeps no window back, however short the time at the end', {
  skip,
}, async (t) => {
  const disk = volume(t);
  if (disk === undefined) return t.skip('SKIP: no right to mount a file');
  const flags = ['--flush-timeout', '1'];
  const { program, cloudwatch } = await agentOn(t, disk.folder, { isDown: true, flags });
  disk.run('fsfreeze', '-f');
  const waits = count(program.stderr(), 'a window waits');
  await program.until('12 windows more', ({ stderr }) => {
    return count(stderr(), 'a window waits') >= waits + 12;
  });
  cloudwatch.calm();
  program.kill('SIGTERM');
  await program.until('end', ({ stderr }) => / (?:info|warn|error) ended /.test(stderr()));
  assert.match(program.stderr(), /info ended windowsSent=\d+ windowsSpooled=0 windowsLost=0/);
  disk.run('fsfreeze', '-u');
  assert.equal(await program.ended, 'SIGKILL');
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
