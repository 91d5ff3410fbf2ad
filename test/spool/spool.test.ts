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
  writeFileSync,
} from 'node:fs';
import { stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { type Clock, systemClock } from '../../src/clock.ts';
import type { Form } from '../../src/cloudwatch/form.ts';
import type { WaitingWindow } from '../../src/delivery/packing.ts';
import type { Post } from '../../src/delivery/service.ts';
import { createLog } from '../../src/log.ts';
import type { ClosedWindow, Datum } from '../../src/metrics/aggregate.ts';
import type { Publication } from '../../src/metrics/publication.ts';
import { type Disk, openDisk } from '../../src/spool/disk.ts';
import { parseName } from '../../src/spool/names.ts';
import { headLine, parseSegment, windowLine } from '../../src/spool/record.ts';
import { Spool } from '../../src/spool/spool.ts';
import { type DrivenClock, drivenClock } from '../support/clock.ts';
import { runAgent } from '../support/program.ts';
import {
  type Cloudwatch,
  CREDENTIALS,
  REGION,
  startCloudwatch,
} from '../support/service/cloudwatch.ts';
import { serviceUnavailable } from '../support/service/faults.ts';
import { datumOf, MINUTE, PUBLICATION, type SinkRig, sinkTo, windowAt } from '../support/sink.ts';

const OUTPUT = 'cloudwatch';
/** What another service has, in the same namespace. */
const OTHER: Publication = {
  namespace: PUBLICATION.namespace,
  dimensions: [{ Name: 'ServiceName', Value: 'another' }],
  highResolution: false,
};
const MIB = 1024 * 1024;
const NOTHING = { message: '', requestId: '', members: [], waitMs: 0 };
const failing: Post<Form> = () =>
  Promise.resolve({ ...NOTHING, kind: 'retry', code: 'ECONNREFUSED' });

let cloudwatch: Cloudwatch;
let folder: string;
const rigs: (() => Promise<unknown>)[] = [];
let owners = 0;

beforeEach(async () => {
  cloudwatch = await startCloudwatch();
  folder = join(mkdtempSync(join(tmpdir(), 'spool-')), 'spool');
});

afterEach(async () => {
  for (const end of rigs.splice(0)) await end();
  await cloudwatch.close();
  rmSync(join(folder, '..'), { recursive: true, force: true });
});

interface Agent {
  readonly clock?: Clock;
  readonly output?: string;
  readonly post?: Post<Form>;
  /** All waits are drawn as none, unless it says otherwise. */
  readonly random?: () => number;
  readonly bufferBytes?: number;
  /** What is seen of its disk. */
  readonly watch?: (disk: Disk) => Disk;
}

/** A sink with its spool in the folder, as an agent has it. */
function agentOn({ output = OUTPUT, watch = (disk) => disk, ...over }: Agent = {}): SinkRig {
  owners += 1;
  const owner = owners.toString(16);
  const { clock = systemClock() } = over;
  const disk = openDisk(folder);
  const rig: SinkRig = sinkTo(cloudwatch.url, {
    ...over,
    openStore: (pending, adopt) =>
      new Spool({
        disk: watch(disk),
        limitBytes: 64 * MIB,
        owner,
        output,
        namespace: PUBLICATION.namespace,
        clock,
        log: createLog({ level: 'debug', format: 'text', clock, write: (line) => rig.note(line) }),
        pending,
        adopt,
      }),
  });
  // Its files are open until then.
  rigs.push(() => disk.close());
  return rig;
}

/** By the real clock, a moment from now. */
const soon = (): number => systemClock().monoMs() + 2000;

function segments(): string[] {
  return readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'));
}

function values(): (number | undefined)[] {
  return cloudwatch.accepted.flatMap(({ data }) => data.map(({ Value }) => Value));
}

function windowOf(startMs: number, ...numbers: readonly number[]): WaitingWindow {
  return { startMs, endMs: startMs + MINUTE, data: numbers.map((value) => datumOf([value])) };
}

/** An hour ago, in whole minutes. */
const recently = (): number => Math.floor(Date.now() / MINUTE) * MINUTE - 60 * MINUTE;

/** What a segment is called that nobody owns. */
function released(key: string, startMs = recently()): string {
  return `cma-released-${startMs}-${key}.spool`;
}

/** A segment as a process leaves it. @returns its name */
function leave(name: string, text: string): string {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, name), text);
  return name;
}

/** Lets time pass by a driven clock until a rig has said something. */
async function passUntil(clock: DrivenClock, rig: SinkRig, what: RegExp): Promise<void> {
  let isSaid = false;
  const said = rig.hasSaid(what).finally(() => {
    isSaid = true;
  });
  while (!isSaid) {
    clock.advance(1000);
    // The disk does what it was asked for, one call after another: time that it takes must not look as
    // if this process had stood still.
    for (let call = 0; call < 8; call += 1) await stat(folder);
  }
  await said;
}

describe('the program', () => {
  /** One window, and the end. */
  function once(): ReturnType<typeof runAgent> {
    const names = ['--namespace', 'Spool', '--service', 's', '--metrics', 'MemoryUtilization'];
    const flags = ['--once', '--period', '1', '--flush-timeout', '1', '--spool', folder];
    const environment = {
      AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
      AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
      AWS_REGION: REGION,
      AWS_ENDPOINT_URL: cloudwatch.url,
    };
    return runAgent([...names, ...flags], { environment });
  }

  test('keeps what could not go at the end, and the next start brings it at once', async () => {
    cloudwatch.play(() => serviceUnavailable());
    const { code, stderr } = await once();
    assert.equal(code, 0, 'it is not lost');
    assert.match(stderr, /warn ended windowsSent=0 windowsSpooled=1 windowsLost=0/);
    assert.equal(statSync(folder).mode & 0o777, 0o700);
    const [name = ''] = readdirSync(folder);
    assert.equal(statSync(join(folder, name)).mode & 0o777, 0o600);
    const [text = ''] = segments();
    const { head, windows } = parseSegment(text);
    assert.deepEqual([head?.output, head?.publication.namespace], [OUTPUT, 'Spool']);
    assert.equal(windows.length, 1);
    assert.equal(parseName(name)?.startMs, windows[0]?.startMs);
    const { accessKeyId, secretAccessKey } = CREDENTIALS;
    for (const secret of [accessKeyId, secretAccessKey, REGION, '127.0.0.1']) {
      assert.ok(!text.includes(secret), 'it holds figures and dimensions, nothing else');
    }
    cloudwatch.calm();
    assert.equal((await once()).code, 0);
    assert.equal(values().length, 2);
    assert.deepEqual(readdirSync(folder), []);
  });
});

describe('a spool', () => {
  test('is empty while all is well', async () => {
    const { sink } = agentOn();
    sink.accept(windowAt(recently(), [datumOf([1])]));
    const { sent, spooled } = await sink.flush(soon());
    assert.deepEqual([sent, spooled, values()], [1, 0, [1]]);
    assert.deepEqual(existsSync(folder) ? readdirSync(folder) : [], []);
  });

  test('what another service left goes out under its own dimensions', async () => {
    const window = windowOf(recently(), 42.5);
    leave(released('abc-1'), headLine(OUTPUT, OTHER) + windowLine(1, window));
    const { sink } = agentOn();
    await cloudwatch.waitFor(() => values().includes(42.5));
    const { sent } = await sink.flush(soon());
    assert.equal(sent, 1);
    const [datum] = cloudwatch.accepted.flatMap(({ data }) => data);
    assert.deepEqual(datum?.Dimensions, OTHER.dimensions);
    assert.equal(datum?.StorageResolution, undefined, 'nor in this one’s resolution');
    assert.equal(Date.parse(datum?.Timestamp ?? ''), window.startMs);
    assert.deepEqual(readdirSync(folder), []);
  });

  test('of another namespace, or of a damaged head, is left alone', async () => {
    const window = windowLine(1, windowOf(recently(), 42.5));
    const foreign = headLine(OUTPUT, { ...OTHER, namespace: 'Other' });
    const names = [
      leave(released('abc-1'), foreign + window),
      leave(released('def-1'), `x${headLine(OUTPUT, OTHER)}${window}`),
    ];
    const before = segments();
    const { sink, logged, hasSaid } = agentOn();
    await hasSaid(/^warn a segment of the spool is left alone/, 2);
    await sink.flush(soon());
    const text = logged.join('\n');
    assert.ok(text.includes(`left alone name=${names[0]} reason="it is of another namespace"`));
    assert.ok(text.includes(`left alone name=${names[1]} reason="its head is damaged"`));
    assert.deepEqual(readdirSync(folder).sort(), names.sort());
    assert.deepEqual(segments(), before);
  });

  test('a torn tail costs the torn window alone', async () => {
    const lines = [1, 2].map((number) => windowLine(number, windowOf(recently(), number)));
    leave(released('abc-1'), headLine(OUTPUT, OTHER) + lines.join('').slice(0, -4));
    const { sink } = agentOn();
    await cloudwatch.waitFor(() => values().length > 0);
    await sink.flush(soon());
    assert.deepEqual(values(), [1]);
    assert.deepEqual(readdirSync(folder), []);
  });

  test('half a head is no segment: its owner had written nothing yet', async () => {
    leave(released('abc-1'), headLine(OUTPUT, OTHER).slice(0, 40));
    leave(released('def-1'), headLine(OUTPUT, OTHER) + windowLine(1, windowOf(recently(), 1)));
    const { sink, logged } = agentOn();
    await cloudwatch.waitFor(() => values().length > 0);
    await sink.flush(soon());
    assert.deepEqual(readdirSync(folder), []);
    assert.equal(logged.filter((line) => line.startsWith('warn ')).length, 0, logged.join('\n'));
  });

  test('what is too old for CloudWatch is dropped, and counted', async () => {
    const startMs = Date.now() - 14 * 86_400_000;
    leave(released('abc-1'), headLine(OUTPUT, OTHER) + windowLine(1, windowOf(startMs, 42.5)));
    const { sink, hasSaid } = agentOn();
    await hasSaid(/^warn windows are lost windows=1 why="too old"/);
    const { lost } = await sink.flush(soon());
    assert.equal(lost, 1);
    assert.deepEqual(values(), []);
    assert.deepEqual(readdirSync(folder), []);
  });

  test('other files in the folder are not touched', async () => {
    const names = ['notes.txt', 'cma-1-xyz-1.spool', `${released('abc-1')}.bak`];
    for (const name of names) leave(name, 'mine');
    leave(released('abc-1'), headLine(OUTPUT, OTHER) + windowLine(1, windowOf(recently(), 1)));
    const { sink } = agentOn();
    await cloudwatch.waitFor(() => values().length > 0);
    await sink.flush(soon());
    assert.deepEqual(readdirSync(folder).sort(), names.sort());
  });

  test('what is no file in the place of one is left alone, and keeps nobody', async () => {
    mkdirSync(folder, { recursive: true });
    const names = [released('abc-1'), released('def-1')];
    const { status } = spawnSync('mkfifo', [join(folder, names[0] ?? '')]);
    assert.equal(status, 0);
    mkdirSync(join(folder, names[1] ?? ''));
    const { sink, logged, hasSaid } = agentOn();
    await hasSaid(/^warn a segment of the spool is left alone/, 2);
    assert.equal((await sink.flush(soon())).isStuck, false);
    const said = logged.map((line) => /^warn .* left alone name=(\S+) /.exec(line)?.[1]);
    assert.deepEqual(said.filter(Boolean).sort(), names.sort());
  });

  test('a folder that cannot be is said once, and windows wait in memory', async () => {
    writeFileSync(join(folder, '..', 'file'), '');
    folder = join(folder, '..', 'file', 'spool');
    const { sink, logged, hasSaid } = agentOn();
    sink.accept(windowAt(recently(), [datumOf([1])]));
    await hasSaid(/ the spool cannot be written, windows wait in memory alone/);
    const { sent, lost } = await sink.flush(soon());
    assert.deepEqual([sent, lost], [1, 0]);
    const said = logged.filter((line) => /^warn .*the spool/.test(line));
    assert.equal(said.length, 1, logged.join('\n'));
    folder = join(folder, '..', '..', 'spool');
  });
});

describe('orphans', () => {
  test('are put in order by their names: the youngest comes first, where there is no room for all', async () => {
    const old = windowOf(recently() - 60 * MINUTE, ...Array(100).fill(1));
    const young = windowOf(recently(), ...Array(100).fill(2));
    // By their keys they would come the other way round.
    leave(released('fff-1', old.startMs), headLine(OUTPUT, OTHER) + windowLine(1, old));
    leave(released('aaa-1', young.startMs), headLine(OUTPUT, OTHER) + windowLine(1, young));
    const sent = new Set<string>();
    let answer = (): void => undefined;
    const room = new Promise<void>((resolve) => {
      answer = resolve;
    });
    const post: Post<Form> = async ({ body }) => {
      await room;
      for (const [, value = ''] of body(0).matchAll(/\.Value=(\d)/g)) sent.add(value);
      return { ...NOTHING, kind: 'accepted', code: '' };
    };
    const { sink, hasSaid } = agentOn({ bufferBytes: 3000, post });
    await hasSaid(/^warn windows of another process wait on disk: there is no room for them/);
    answer();
    await hasSaid(/^info published /);
    // Others are looked for when a window closes.
    sink.accept(windowAt(recently(), [datumOf([3])]));
    await hasSaid(/^info windows of another process are taken over/, 2);
    await sink.flush(soon());
    assert.deepEqual([...sent], ['2', '3', '1']);
    assert.deepEqual(readdirSync(folder), []);
  });

  test('are read as a whole once, when they are taken over', async () => {
    const whole: string[] = [];
    const heads: string[] = [];
    const watch = (disk: Disk): Disk => ({
      ...disk,
      read(name, most) {
        (most === undefined ? whole : heads).push(parseName(name)?.origin ?? name);
        return disk.read(name, most);
      },
    });
    const keys = ['a-1', 'b-1', 'c-1'];
    const names = keys.map((key, index) => {
      const line = windowLine(1, windowOf(recently(), index));
      return leave(released(key, recently() + index), headLine(OUTPUT, OTHER) + line);
    });
    const { sink } = agentOn({ watch });
    await cloudwatch.waitFor(() => values().length === keys.length);
    await sink.flush(soon());
    assert.deepEqual(whole, [...keys].reverse());
    assert.deepEqual(heads, names.reverse());
  });

  test('of another output are left to it, and count for nothing', async () => {
    const text = headLine('otlp', OTHER) + windowLine(1, windowOf(recently(), 42.5));
    const names = [leave(released('abc-1'), text), leave(`cma-${recently()}-def-1.spool`, text)];
    const clock = drivenClock(Date.now());
    const rig = agentOn({ clock });
    await rig.hasSaid(/left alone/);
    // Its owner does not show that it lives.
    await passUntil(clock, rig, new RegExp(`left alone name=${names[1]}`));
    for (const name of names) {
      const line = `info a segment of the spool is left alone name=${name}`;
      assert.ok(rig.logged.includes(`${line} reason="it is of the output otlp"`), name);
    }
    assert.equal(rig.sink.status()['windowsWaiting'], 0);
    const { sent, spooled, lost, lostAtEnd } = await rig.sink.flush(clock.monoMs() + 2000);
    assert.deepEqual([sent, spooled, lost, lostAtEnd], [0, 0, 0, 0]);
    assert.deepEqual(readdirSync(folder).sort(), [...names].sort());
    assert.deepEqual(segments(), [text, text]);
    const otlp = agentOn({ output: 'otlp' });
    await cloudwatch.waitFor(() => values().includes(42.5));
    await otlp.sink.flush(soon());
    // The owner of the other one may still live.
    assert.deepEqual(readdirSync(folder), [names[1]]);
  });

  test('of a process that was killed come out whole, whatever units they have', async () => {
    const data = ['Count', 'Bytes/Second', 'Parsec/Second'].map((unit, index) => ({
      ...datumOf([index]),
      // Of a later release, or of another output.
      unit: unit as Datum['unit'],
    }));
    const window: ClosedWindow = windowAt(recently(), data);
    const victim = agentOn({
      clock: drivenClock(Date.now()),
      post: failing,
      random: () => 0.5,
    });
    victim.sink.accept(window);
    // Its clock stands still from now on: as after SIGKILL, it never says again that it lives.
    await victim.hasSaid(/ windows are on disk windows=1 /);
    const [name = ''] = readdirSync(folder);
    assert.equal(parseName(name)?.startMs, window.startMs);
    const bodies: string[] = [];
    const post: Post<Form> = ({ body }) => {
      bodies.push(body(0));
      return Promise.resolve({ ...NOTHING, kind: 'accepted', code: '' });
    };
    const clock = drivenClock(Date.now());
    const heir = agentOn({ clock, post });
    await passUntil(
      clock,
      heir,
      /windows of another process are taken over windows=1 damaged\w+=0/,
    );
    await heir.hasSaid(/ published datums=3 /);
    assert.equal((await heir.sink.flush(clock.monoMs() + 2000)).sent, 1);
    const units = [...(bodies[0] ?? '').matchAll(/\.Unit=([^&]*)/g)].map(([, unit]) => unit);
    assert.deepEqual(units, ['Count', 'Bytes%2FSecond', 'Parsec%2FSecond']);
    assert.deepEqual(readdirSync(folder), []);
  });
});

test('files that somebody removes are written again by who still has their windows', async () => {
  const clock = drivenClock(Date.now());
  let isUp = false;
  const sent: string[] = [];
  const rig = agentOn({
    clock,
    random: () => 0.5,
    post: ({ body, ...rest }, timeoutMs, signal) => {
      if (!isUp) return failing({ body, ...rest }, timeoutMs, signal);
      sent.push(...[...body(0).matchAll(/\.Value=(\d+)/g)].map(([, value = '']) => value));
      return Promise.resolve({ ...NOTHING, kind: 'accepted', code: '' });
    },
  });
  for (const value of [1, 2, 3]) {
    rig.sink.accept(windowAt(recently() + value * MINUTE, [datumOf([value])]));
    await rig.hasSaid(/ windows are on disk /, value);
  }
  for (const name of readdirSync(folder)) rmSync(join(folder, name));
  await passUntil(clock, rig, /^warn a segment of the spool was removed/);
  await rig.hasSaid(/ windows are on disk windows=3 /);
  const kept = segments().flatMap((text) => parseSegment(text).windows);
  assert.deepEqual(
    kept.map(({ data }) => data[0]?.values[0]),
    [1, 2, 3],
  );
  isUp = true;
  assert.equal((await rig.sink.flush(clock.monoMs() + 8000)).sent, 3);
  assert.deepEqual(sent.sort(), ['1', '2', '3']);
  assert.deepEqual(readdirSync(folder), []);
});
