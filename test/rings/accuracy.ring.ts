import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { lacking } from '../support/lab/needs.ts';
import { type Program, start, startAgent } from '../support/program.ts';

interface SampleLine {
  readonly type: string;
  readonly CPUUtilization?: number;
  readonly MemoryUtilization?: number;
}

function samples(program: Program): SampleLine[] {
  const lines: SampleLine[] = program
    .stdout()
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  return lines.filter(({ type }) => type === 'sample');
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

test('half a core of load reads within 3 points of mpstat over the same 20 s', {
  skip: lacking('stress-ng', 'mpstat'),
}, async () => {
  const load = start('stress-ng', ['--cpu', '1', '--cpu-load', '50', '--timeout', '30']);
  const agent = startAgent([
    ...['--dry-run', '--once', '--period', '20', '--scope', 'host', '--log-format', 'json'],
  ]);
  const truth = start('mpstat', ['-o', 'JSON', '20', '1']);
  assert.deepEqual([await agent.ended, await truth.ended], [0, 0]);
  load.kill('SIGTERM');
  await load.ended;
  const { idle, iowait } = JSON.parse(truth.stdout()).sysstat.hosts[0].statistics[0]['cpu-load'][0];
  const ours = mean(samples(agent).map(({ CPUUtilization = Number.NaN }) => CPUUtilization));
  const theirs = 100 - idle - iowait;
  assert.ok(theirs > 10, `the load did not run: mpstat says ${theirs} %`);
  assert.ok(Math.abs(ours - theirs) < 3, `we say ${ours} %, mpstat says ${theirs} %`);
});

test('memory reads within 1 point of free while 1 GiB is pinned', {
  skip: lacking('free'),
}, async () => {
  const before = usedPercent();
  const pin =
    'const held = Buffer.alloc(1 << 30, 1); console.log("pinned"); setInterval(() => held, 1e6)';
  const pinned = start(process.execPath, ['-e', pin]);
  await pinned.until('pinned memory', ({ stdout }) => stdout().includes('pinned'));
  const agent = startAgent(['--dry-run', '--scope', 'host', '--log-format', 'json']);
  await agent.until('two samples', () => samplesSoFar(agent) >= 2);
  const theirs = usedPercent();
  agent.kill('SIGTERM');
  await agent.ended;
  pinned.kill('SIGKILL');
  const ours = samples(agent).at(-1)?.MemoryUtilization ?? Number.NaN;
  assert.ok(theirs > before + 2, `1 GiB must show: ${before} % before, ${theirs} % with it`);
  assert.ok(Math.abs(ours - theirs) < 1, `we say ${ours} %, free says ${theirs} %`);
});

function samplesSoFar(program: Program): number {
  return program.stdout().split('"type":"sample"').length - 1;
}

/** (total − available) / total, from free's own table. */
function usedPercent(): number {
  const row = execFileSync('free', ['-b'], { encoding: 'utf8' }).split('\n')[1] ?? '';
  const [, total = 0, , , , , available = 0] = row.split(/\s+/).map(Number);
  return (100 * (total - available)) / total;
}
