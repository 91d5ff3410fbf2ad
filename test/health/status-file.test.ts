import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { healthOf } from '../../src/health/healthy.ts';
import { openStatusFile, type StatusFile } from '../../src/health/status-file.ts';
import { createLog } from '../../src/log.ts';
import type { Outcome, Sink } from '../../src/sinks/sink.ts';
import { type DrivenClock, drivenClock } from '../support/clock.ts';

const NONE: Outcome = { sent: 0, spooled: 0, lost: 0, lostAtEnd: 0, isStuck: false };
const DEADLINE_MS = 10_000;

interface Rig {
  readonly file: string;
  readonly folder: string;
  readonly clock: DrivenClock;
  readonly status: StatusFile;
  readonly threads: { held: number };
  readonly logged: string[];
  /** A sink of whose flush the deadline is kept. */
  readonly sink: Sink;
  readonly deadlines: number[];
}

interface How {
  readonly periodMs?: number;
  readonly isBesideJob?: boolean;
  readonly place?: (folder: string) => string;
  readonly random?: () => number;
}

function rigOf(t: TestContext, how: How = {}): Rig {
  const { periodMs = 60_000, isBesideJob = false, place, random = Math.random } = how;
  const folder = mkdtempSync(join(tmpdir(), 'status-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = place?.(folder) ?? join(folder, 'status.json');
  const clock = drivenClock(Date.now());
  const logged: string[] = [];
  const write = (line: string): number => logged.push(line.replace(/^\S+ /, ''));
  const log = createLog({ level: 'warn', format: 'text', clock, write });
  const threads = { held: 0 };
  const deadlines: number[] = [];
  const sink: Sink = {
    accept: () => undefined,
    hurry: (deadlineMs) => void deadlines.push(deadlineMs),
    flush: async (deadlineMs) => {
      deadlines.push(deadlineMs);
      return NONE;
    },
    status: () => ({ windowsSent: 3 }),
  };
  const own = { path: file, periodMs, pid: process.pid, version: '1.2.3', poolSize: undefined };
  const status = openStatusFile({ ...own, clock, log, threads, random, isBesideJob });
  t.after(() => clock.advance(0));
  return { file, folder, clock, status, threads, logged, sink, deadlines };
}

/** Real input and output below a clock that stands: until something is so. */
async function until(what: string, isSo: () => boolean): Promise<void> {
  const endMs = Date.now() + DEADLINE_MS;
  while (!isSo()) {
    if (Date.now() > endMs) throw new Error(`never ${what}`);
    await turn();
  }
}

function read(file: string): Record<string, unknown> {
  return JSON.parse(readFileSync(file, 'utf8'));
}

async function begun(rig: Rig, tell = () => ({})): Promise<void> {
  rig.status.begin(tell);
  rig.clock.advance(0);
  await until('written', () => existsSync(rig.file) && rig.threads.held === 0);
}

async function next(rig: Rig, ms: number): Promise<Record<string, unknown>> {
  const { mtimeMs } = statSync(rig.file);
  rig.clock.advance(ms);
  await until('renewed', () => statSync(rig.file).mtimeMs !== mtimeMs && rig.threads.held === 0);
  return read(rig.file);
}

describe('the status file', () => {
  test('tells at once how the agent is, and is found healthy', async (t) => {
    const rig = rigOf(t);
    await begun(rig, () => ({ scope: 'scope=host', samples: 2, upSeconds: 0 }));
    const { time, pidNamespace, ...rest } = read(rig.file);
    assert.equal(time, new Date(rig.clock.wallMs()).toISOString());
    assert.equal(pidNamespace, statSync('/proc/self/ns/pid').ino);
    const own = { state: 'running', periodSeconds: 60, pid: process.pid, version: '1.2.3' };
    assert.deepEqual(rest, { ...own, scope: 'scope=host', samples: 2, upSeconds: 0 });
    assert.equal(healthOf(rig.file)[0], true);
    assert.deepEqual(readdirSync(rig.folder), ['status.json'], 'nothing is left beside it');
  });

  for (const [periodMs, everyMs] of [
    [10_000, 10_000],
    [60_000, 60_000],
    [3_600_000, 60_000],
  ] as const) {
    test(`is renewed every ${everyMs / 1000} s at a period of ${periodMs / 1000} s`, async (t) => {
      const rig = rigOf(t, { periodMs });
      let told = 0;
      await begun(rig, () => ({ samples: ++told }));
      rig.clock.advance(everyMs - 1);
      assert.equal(told, 1);
      assert.equal((await next(rig, 1))['samples'], 2);
    });
  }

  test('is whole whenever somebody looks', async (t) => {
    const rig = rigOf(t, { periodMs: 1000 });
    await begun(rig, () => ({ scope: 'x'.repeat(50_000) }));
    for (let round = 0; round < 20; round += 1) {
      rig.clock.advance(1000);
      await until('idle', () => {
        assert.equal(read(rig.file)['state'], 'running');
        return rig.threads.held === 0;
      });
    }
  });

  test('says at the end that the agent has ended, within the deadline', async (t) => {
    const rig = rigOf(t);
    const sink = rig.status.around(rig.sink);
    await begun(rig, () => sink.status());
    sink.hurry?.(rig.clock.monoMs() + 9000);
    const endMs = rig.clock.monoMs() + 8000;
    assert.equal(await sink.flush(endMs), NONE);
    assert.deepEqual(rig.deadlines, [endMs + 800, endMs - 200]);
    assert.deepEqual([read(rig.file)['state'], read(rig.file)['windowsSent']], ['ended', 3]);
    assert.match(healthOf(rig.file)[1], /^sick: .* ended /);
    assert.equal(rig.clock.pending(), 0);
  });
});

describe('what is in the way of the status file', () => {
  test('a missing folder is said once, and once that it is there', async (t) => {
    const rig = rigOf(t, { place: (folder) => join(folder, 'later', 'status.json') });
    rig.status.begin(() => ({}));
    rig.clock.advance(0);
    await until('said', () => rig.logged.length > 0);
    rig.clock.advance(60_000);
    await until('tried', () => rig.threads.held === 0);
    assert.equal(rig.logged.length, 1);
    assert.match(
      rig.logged[0] ?? '',
      /^warn the status file is not written file=\S+ reason="ENOENT/,
    );
    mkdirSync(join(rig.folder, 'later'));
    rig.clock.advance(60_000);
    await until('said', () => rig.logged.length > 1);
    assert.equal(rig.logged[1], 'warn the status file is written again');
    assert.equal(healthOf(rig.file)[0], true);
  });

  for (const kind of ['folder', 'FIFO']) {
    test(`a ${kind} of that name is left alone`, async (t) => {
      const rig = rigOf(t);
      if (kind === 'folder') mkdirSync(rig.file);
      else assert.equal(spawnSync('mkfifo', [rig.file]).status, 0);
      rig.status.begin(() => ({}));
      rig.clock.advance(0);
      await until('said', () => rig.logged.length > 0);
      assert.match(rig.logged[0] ?? '', /status\.json is not an ordinary file"$/);
      assert.equal(statSync(rig.file).isFile(), false);
      assert.deepEqual(readdirSync(rig.folder), ['status.json']);
    });
  }

  test('a link that somebody put where it is written beside leads nowhere', async (t) => {
    const rig = rigOf(t, { random: () => 0.5 });
    const other = join(rig.folder, 'other');
    writeFileSync(other, 'theirs');
    symlinkSync(other, `${rig.file}.i.tmp`);
    rig.status.begin(() => ({}));
    rig.clock.advance(0);
    await until('said', () => rig.logged.length > 0);
    assert.match(rig.logged[0] ?? '', /EEXIST/);
    assert.equal(readFileSync(other, 'utf8'), 'theirs');
  });

  test('another agent that writes the same file is noticed', async (t) => {
    const rig = rigOf(t);
    await begun(rig);
    writeFileSync(rig.file, '{}');
    rig.clock.advance(60_000);
    await until('said', () => rig.logged.length > 0);
    assert.match(rig.logged[0] ?? '', /^warn another process writes the status file too file=\S+$/);
  });

  test('a file that an agent before left is replaced without a word', async (t) => {
    const rig = rigOf(t);
    writeFileSync(rig.file, '{"state":"running"}');
    rig.status.begin(() => ({}));
    rig.clock.advance(0);
    await until('written', () => 'pid' in read(rig.file));
    assert.deepEqual(rig.logged, []);
  });

  test('beside a job a disk is left to a process of its own, and holds no thread', async (t) => {
    const rig = rigOf(t, { isBesideJob: true });
    rig.status.begin(() => ({}));
    rig.clock.advance(0);
    await until('written', () => {
      assert.equal(rig.threads.held, 0);
      return existsSync(rig.file);
    });
    assert.equal(read(rig.file)['state'], 'running');
    assert.deepEqual(readdirSync(rig.folder), ['status.json']);
  });

  test('a job that ends while the first words are on their way has its last ones, too', async (t) => {
    const rig = rigOf(t, { isBesideJob: true });
    const sink = rig.status.around(rig.sink);
    rig.status.begin(() => ({}));
    rig.clock.advance(0);
    await sink.flush(rig.clock.monoMs() + 8000);
    assert.equal(read(rig.file)['state'], 'ended');
    assert.deepEqual(rig.logged, []);
  });

  test('who is hurried does not wait for a slow one', async (t) => {
    const rig = rigOf(t, { isBesideJob: true });
    const sink = rig.status.around(rig.sink);
    rig.status.begin(() => ({}));
    rig.clock.advance(0);
    sink.hurry?.(rig.clock.monoMs() + 500);
    const flushed = sink.flush(rig.clock.monoMs() + 8000);
    await turn();
    rig.clock.advance(500);
    await flushed;
    assert.equal(existsSync(rig.file), false);
    await until('written', () => existsSync(rig.file));
  });

  test('what takes longer than a period is trouble only after ten seconds', async (t) => {
    const rig = rigOf(t, { isBesideJob: true, periodMs: 1000 });
    rig.status.begin(() => ({}));
    rig.clock.advance(0);
    for (let second = 0; second < 9; second += 1) rig.clock.advance(1000);
    assert.deepEqual(rig.logged, []);
    rig.clock.advance(1000);
    assert.match(rig.logged.join(), /^warn .* reason="the disk does not answer"$/);
    await rig.status.around(rig.sink).flush(rig.clock.monoMs() + 8000);
    assert.equal(read(rig.file)['state'], 'ended');
  });

  test('beside a job a device is left alone, too', async (t) => {
    const rig = rigOf(t, { isBesideJob: true });
    assert.equal(spawnSync('mkfifo', [rig.file]).status, 0);
    rig.status.begin(() => ({}));
    rig.clock.advance(0);
    await until('said', () => rig.logged.length > 0);
    assert.match(rig.logged[0] ?? '', /cannot be written \(not an ordinary file\)"$/);
    assert.equal(statSync(rig.file).isFIFO(), true);
  });
});
