import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { WaitingWindow } from '../../src/delivery/packing.ts';
import type { Publication } from '../../src/metrics/publication.ts';
import { openDisk } from '../../src/spool/disk.ts';
import { headLine, parseSegment, windowLine } from '../../src/spool/record.ts';
import { type Program, runAgent, startAgent } from '../support/program.ts';
import {
  type Cloudwatch,
  CREDENTIALS,
  REGION,
  startCloudwatch,
} from '../support/service/cloudwatch.ts';
import { serviceUnavailable } from '../support/service/faults.ts';
import { datumOf } from '../support/sink.ts';

const NAMES = ['--namespace', 'Spool', '--service', 's', '--metrics', 'MemoryUtilization'];
const OUTPUT = 'cloudwatch';
const OWN: Publication = {
  namespace: 'Spool',
  dimensions: [{ Name: 'ServiceName', Value: 'another' }],
  highResolution: false,
};

let cloudwatch: Cloudwatch;
let folder: string;
const programs: Program[] = [];

beforeEach(async () => {
  cloudwatch = await startCloudwatch();
  folder = join(mkdtempSync(join(tmpdir(), 'spool-')), 'spool');
});

afterEach(async () => {
  for (const program of programs.splice(0)) program.kill('SIGKILL');
  await cloudwatch.close();
  rmSync(join(folder, '..'), { recursive: true, force: true });
});

function environment(): Record<string, string> {
  return {
    AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
    AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
    AWS_REGION: REGION,
    AWS_ENDPOINT_URL: cloudwatch.url,
  };
}

/** One window, and the end. */
function once(...more: string[]): ReturnType<typeof runAgent> {
  const flags = ['--once', '--period', '1', '--flush-timeout', '1', '--spool', folder];
  return runAgent([...NAMES, ...flags, ...more], { environment: environment() });
}

function segments(): string[] {
  return readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'));
}

function values(): (number | undefined)[] {
  return cloudwatch.accepted.flatMap(({ data }) => data.map(({ Value }) => Value));
}

/** What a segment is called that nobody owns. */
function released(name: string, startMs = 1): string {
  return `cma-released-${startMs}-${name}.spool`;
}

/** A segment that a process has left in good order. */
function leave(name: string, text: string): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, released(name)), text);
}

function windowOf(startMs: number, value: number): WaitingWindow {
  return { startMs, endMs: startMs + 60_000, data: [datumOf([value])] };
}

const recently = (): number => Math.floor(Date.now() / 60_000) * 60_000 - 3_600_000;

describe('a spool', () => {
  test('is empty while all is well', async () => {
    const { code, stderr } = await once();
    assert.deepEqual([code, stderr, cloudwatch.accepted.length], [0, '', 1]);
    assert.deepEqual(existsSync(folder) ? readdirSync(folder) : [], []);
  });

  test('keeps what could not go at the end, and the next start brings it at once', async () => {
    cloudwatch.play(() => serviceUnavailable());
    const { code, stderr } = await once();
    assert.equal(code, 0, 'it is not lost');
    assert.match(stderr, /warn ended windowsSent=0 windowsSpooled=1 windowsLost=0/);
    const [text = ''] = segments();
    const { head, windows } = parseSegment(text);
    assert.deepEqual([head?.output, head?.publication.namespace], [OUTPUT, 'Spool']);
    assert.equal(windows.length, 1);
    cloudwatch.calm();
    assert.equal((await once()).code, 0);
    assert.equal(values().length, 2);
    assert.deepEqual(readdirSync(folder), []);
  });

  test('is for its owner’s eyes alone, and holds figures and dimensions, nothing else', async () => {
    cloudwatch.play(() => serviceUnavailable());
    await once();
    assert.equal(statSync(folder).mode & 0o777, 0o700);
    for (const name of readdirSync(folder)) {
      assert.equal(statSync(join(folder, name)).mode & 0o777, 0o600);
    }
    const text = segments().join('');
    const { accessKeyId, secretAccessKey } = CREDENTIALS;
    for (const secret of [accessKeyId, secretAccessKey, REGION, '127.0.0.1']) {
      assert.ok(!text.includes(secret), secret);
    }
  });

  test('what another service left goes out under its own dimensions', async () => {
    const window = windowOf(recently(), 42.5);
    leave('abc-1', headLine(OUTPUT, OWN) + windowLine(1, window));
    assert.equal((await once()).code, 0);
    const datum = cloudwatch.accepted
      .flatMap(({ data }) => data)
      .find(({ Value }) => Value === 42.5);
    assert.deepEqual(datum?.Dimensions, OWN.dimensions);
    assert.equal(datum?.StorageResolution, undefined, 'nor in this one’s resolution');
    assert.equal(Date.parse(datum?.Timestamp ?? ''), window.startMs);
  });

  test('of another namespace, or of a damaged head, is left alone', async () => {
    const window = windowOf(recently(), 42.5);
    leave('abc-1', headLine(OUTPUT, { ...OWN, namespace: 'Other' }) + windowLine(1, window));
    leave('def-1', `x${headLine(OUTPUT, OWN)}${windowLine(1, window)}`);
    const before = segments();
    const { stderr } = await once('--log-level', 'info');
    const said = /^.*warn a segment of the spool is left alone name=(.*) reason="(.*)"$/gm;
    assert.deepEqual([...stderr.matchAll(said)].map(([, ...fields]) => fields).sort(), [
      [released('abc-1'), 'it is of another namespace'],
      [released('def-1'), 'its head is damaged'],
    ]);
    assert.deepEqual(segments(), before);
  });

  test('a torn tail costs the torn window alone', async () => {
    const startMs = recently();
    const lines = [1, 2].map((number) => {
      return windowLine(number, windowOf(startMs + number * 60_000, number));
    });
    leave('abc-1', headLine(OUTPUT, OWN) + lines.join('').slice(0, -4));
    assert.equal((await once()).code, 0);
    assert.deepEqual([values().includes(1), values().includes(2)], [true, false]);
    assert.deepEqual(readdirSync(folder), []);
  });

  test('what is too old for CloudWatch is dropped, and counted', async () => {
    const startMs = Date.now() - 14 * 86_400_000;
    leave('abc-1', headLine(OUTPUT, OWN) + windowLine(1, windowOf(startMs, 42.5)));
    const { stderr } = await once();
    assert.match(stderr, /warn windows are lost windows=1 why="too old"/);
    assert.ok(!values().includes(42.5));
    assert.deepEqual(readdirSync(folder), []);
  });

  test('other files in the folder are not touched', async () => {
    leave('abc-1', headLine(OUTPUT, OWN));
    const names = [
      'notes.txt',
      'cma-zzz-1.spool',
      'cma-left-abc-1.spool',
      `${released('abc-1')}.bak`,
    ];
    for (const name of names) writeFileSync(join(folder, name), 'mine');
    await once();
    assert.deepEqual(readdirSync(folder).sort(), names.sort());
  });

  test('a process that is killed leaves its windows, and one that watches takes them over', async () => {
    cloudwatch.play(() => serviceUnavailable());
    const pace = ['--period', '1', '--spool', folder, '--log-level', 'debug'];
    const start = (): Program => {
      const program = startAgent([...NAMES, ...pace], { environment: environment() });
      programs.push(program);
      return program;
    };
    const victim = start();
    const isKept = ({ stderr }: Program): boolean => stderr().includes('windows are on disk');
    await victim.until('record', isKept);
    victim.kill('SIGKILL');
    await victim.ended;
    const kept = segments().flatMap((text) => parseSegment(text).windows);
    assert.ok(kept.length > 0);
    const heir = start();
    const hasTaken = ({ stderr }: Program): boolean => stderr().includes('are taken over windows=');
    await heir.until('heir', hasTaken, 60_000);
    cloudwatch.calm();
    heir.kill('SIGTERM');
    assert.equal(await heir.ended, 0);
    for (const { data } of kept) assert.ok(values().includes(data[0]?.values[0]));
    assert.deepEqual(readdirSync(folder), []);
  });

  test('files that somebody removes are written again by who still has their windows', async () => {
    cloudwatch.play(() => serviceUnavailable());
    const flags = ['--period', '1', '--spool', folder, '--log-level', 'debug'];
    const program = startAgent([...NAMES, ...flags], { environment: environment() });
    programs.push(program);
    const kept = ({ stderr }: Program): number => stderr().split('windows are on disk').length - 1;
    await program.until('records', (one) => kept(one) >= 3);
    for (const name of readdirSync(folder)) rmSync(join(folder, name));
    const isSaid = ({ stderr }: Program): boolean =>
      stderr().includes('warn a segment of the spool was removed');
    await program.until('notice', isSaid);
    const before = kept(program);
    await program.until('records again', (one) => kept(one) > before);
    cloudwatch.calm();
    program.kill('SIGTERM');
    assert.equal(await program.ended, 0);
    const closed = [...program.stderr().matchAll(/a window waits start=(\S+)\.000Z/g)];
    const stored = new Set(
      cloudwatch.accepted.flatMap(({ data }) => data.map(({ Timestamp }) => Timestamp)),
    );
    assert.deepEqual(
      closed.map(([, start]) => `${start}Z`).filter((start) => !stored.has(start)),
      [],
    );
    assert.deepEqual(readdirSync(folder), []);
  });

  test('what is no file in the place of one is left alone, and keeps nobody', async () => {
    mkdirSync(folder, { recursive: true });
    const { status } = spawnSync('mkfifo', [join(folder, released('abc-1'))]);
    assert.equal(status, 0);
    mkdirSync(join(folder, released('def-1')));
    const { code, stderr } = await once('--log-level', 'info');
    assert.equal(code, 0);
    const said = /^.*warn a segment of the spool is left alone name=(.*) reason="(.*)"$/gm;
    const names = [...stderr.matchAll(said)].map(([, name]) => name);
    assert.deepEqual(names.sort(), [released('abc-1'), released('def-1')]);
  });

  test('a folder that cannot be is said once, and windows wait in memory', async () => {
    writeFileSync(join(folder, '..', 'file'), '');
    folder = join(folder, '..', 'file', 'spool');
    const { code, stderr } = await once('--log-level', 'info');
    assert.equal(code, 0);
    assert.equal(cloudwatch.accepted.length, 1);
    const said = stderr.split('\n').filter((line) => line.includes('the spool'));
    assert.equal(said.length, 1, stderr);
    assert.match(said[0] ?? '', /warn the spool cannot be written, windows wait in memory alone/);
    folder = join(folder, '..', '..', 'spool');
  });
});

describe('the folder on disk', () => {
  test('appends without making again what another process took away', async () => {
    const disk = openDisk(folder);
    await disk.create('a');
    await disk.append('a', 'one\n', true);
    await disk.rename('a', 'b');
    await assert.rejects(disk.append('a', 'two\n', false), { code: 'ENOENT' });
    await disk.append('b', 'two\n', false);
    assert.equal(await disk.read('b'), 'one\ntwo\n');
    await disk.truncate('b', 4);
    await disk.append('b', 'three\n', false);
    assert.equal(await disk.read('b'), 'one\nthree\n');
    await disk.close();
  });

  test('writes on in a file that it holds open, though another process renamed it', async () => {
    const [disk, other] = [openDisk(folder), openDisk(folder)];
    await other.create('a');
    await disk.hold('a');
    await other.rename('a', 'b');
    await disk.append('a', 'told\n', true);
    assert.equal(await other.read('b'), 'told\n');
    await disk.drop('a');
    await assert.rejects(disk.append('a', 'late\n', true), { code: 'ENOENT' });
    await Promise.all([disk.close(), other.close()]);
  });

  test('tells a folder from one that is made in its place', async () => {
    const disk = openDisk(folder);
    assert.equal(await disk.identity(), '');
    await disk.list();
    const before = await disk.identity();
    assert.equal(await disk.identity(), before);
    rmSync(folder, { recursive: true });
    await disk.list();
    assert.notEqual(await disk.identity(), before);
  });

  test('goes on with a file that was there before, behind its last byte', async () => {
    mkdirSync(folder, { recursive: true });
    appendFileSync(join(folder, 'a'), 'one\n');
    const disk = openDisk(folder);
    await disk.append('a', 'two\n', true);
    assert.deepEqual(await disk.list(), ['a']);
    assert.equal((await disk.look('a')).bytes, 8);
    await disk.touch('a', 1_700_000_000_123);
    assert.equal(Math.round((await disk.look('a')).modifiedMs), 1_700_000_000_123);
    await disk.remove('a');
    await assert.rejects(disk.touch('a', 0), { code: 'ENOENT' });
    await disk.close();
  });

  test('makes a file only where there is none', async () => {
    const disk = openDisk(folder);
    await disk.create('a');
    await assert.rejects(disk.create('a'), { code: 'EEXIST' });
    chmodSync(folder, 0o700);
    await disk.close();
  });
});
