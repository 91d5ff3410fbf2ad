import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { parseSegment } from '../../src/spool/record.ts';
import { type Program, startAgent } from '../support/program.ts';
import {
  type Cloudwatch,
  CREDENTIALS,
  REGION,
  startCloudwatch,
} from '../support/service/cloudwatch.ts';
import { serviceUnavailable } from '../support/service/faults.ts';

const NAMES = ['--namespace', 'Spool', '--service', 's', '--metrics', 'MemoryUtilization'];

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

function segments(): string[] {
  return readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'));
}

function values(): (number | undefined)[] {
  return cloudwatch.accepted.flatMap(({ data }) => data.map(({ Value }) => Value));
}

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
