import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../src/clock.ts';
import { GoneError, type Way } from '../../src/emf/way.ts';
import { createLog } from '../../src/log.ts';
import type { ClosedWindow } from '../../src/metrics/aggregate.ts';
import { Labels } from '../../src/metrics/labels.ts';
import { type EmfOptions, EmfSink } from '../../src/sinks/emf.ts';
import { readEvents } from '../support/emf.ts';

const clock = systemClock();
const MINUTE = 60_000;

function windowOf(minute: number): ClosedWindow {
  const one = { name: 'CPU', unit: 'Percent' as const, values: [minute] };
  const data = [{ ...one, samples: 1, least: minute, most: minute }];
  return { startMs: minute * MINUTE, endMs: (minute + 1) * MINUTE, samples: 1, data };
}

/** A sink, and what it said. */
function sinkTo(
  send: Way['send'],
  over: Partial<EmfOptions> = {},
): { sink: EmfSink; said: string[]; health: string[] } {
  const said: string[] = [];
  const health: string[] = [];
  const log = createLog({ level: 'info', format: 'text', clock, write: (line) => said.push(line) });
  const publication = {
    namespace: 'N',
    dimensions: [{ Name: 'ServiceName', Value: 's' }],
    highResolution: false,
  };
  const sink = new EmfSink({
    way: { send, close: () => undefined },
    publication,
    maxBytes: 10_000,
    bufferBytes: 1000,
    resolve: (dimensions) => Promise.resolve(dimensions),
    health: (series, value) => value > 0 && health.push(series),
    random: () => 0,
    clock,
    log,
    ...over,
  });
  return { sink, said, health };
}

test('windows that nobody has seen are called by the clock as it was set', async () => {
  let setMs = 0;
  const wall = { monoMs: () => clock.monoMs(), wallMs: () => clock.monoMs() + setMs };
  const labels = new Labels({
    clock: wall,
    uptimeMs: () => clock.monoMs(),
    periodMs: MINUTE,
    isAligned: true,
  });
  const lines: string[] = [];
  let isUp = false;
  const send = async (line: string): Promise<void> => {
    if (!isUp) throw Object.assign(new Error('nobody'), { code: 'ECONNREFUSED' });
    lines.push(line);
  };
  const { sink } = sinkTo(send, { labels });
  for (const minute of [1, 2]) {
    labels.take(minute * MINUTE);
    sink.accept(windowOf(minute));
  }
  await new Promise((resolve) => setTimeout(resolve, 20));
  [isUp, setMs] = [true, 1000 * MINUTE + 1000];
  await sink.flush(clock.monoMs() + 5000);
  const stamps = lines.map((line) => JSON.parse(line)._aws.Timestamp);
  assert.deepEqual(stamps, [1001 * MINUTE, 1002 * MINUTE]);
});

test('what waits is bounded: the oldest but the one under way are lost, counted and said once', async () => {
  const { sink, said, health } = sinkTo(() => new Promise(() => undefined));
  for (let minute = 0; minute < 100; minute += 1) sink.accept(windowOf(minute));
  const { windowsLost, windowsWaiting, windowsSent, bufferBytes } = sink.status();
  assert.equal(Number(windowsLost) + Number(windowsWaiting), 100);
  assert.equal(windowsSent, 0);
  assert.ok(Number(bufferBytes) <= 1000 && Number(windowsWaiting) > 1);
  assert.equal(health.filter((series) => series === 'windowsDropped').length, windowsLost);
  assert.equal(said.filter((line) => /are lost/.test(line)).length, 1, said.join('\n'));
  const beganMs = clock.monoMs();
  const outcome = await sink.flush(beganMs + 50);
  assert.ok(clock.monoMs() - beganMs < 1000);
  assert.equal(outcome.lost, 100);
  assert.equal(outcome.lostAtEnd, windowsWaiting);
  assert.deepEqual(outcome.loss?.toMs, 100 * MINUTE);
});

test('what failed goes in order at the end, each window once', async () => {
  const lines: string[] = [];
  let failures = 3;
  const { sink, said } = sinkTo(async (line) => {
    failures -= 1;
    if (failures >= 0) throw Object.assign(new Error('full'), { code: 'ENOSPC' });
    lines.push(line);
  });
  for (let minute = 0; minute < 4; minute += 1) sink.accept(windowOf(minute));
  const { sent, lost, loss } = await sink.flush(clock.monoMs() + 5000);
  assert.deepEqual([sent, lost, loss], [4, 0, undefined]);
  const times = readEvents(lines).map(({ timestamp }) => timestamp);
  assert.deepEqual(times, [0, MINUTE, 2 * MINUTE, 3 * MINUTE]);
  assert.equal(said.filter((line) => /windows wait/.test(line)).length, 1);
  assert.equal(said.filter((line) => /go out again/.test(line)).length, 1);
});

test('a place that is gone takes no more tries: all is lost, and that is said', async () => {
  let tries = 0;
  const { sink, said } = sinkTo(async () => {
    tries += 1;
    throw new GoneError('nobody reads');
  });
  sink.accept(windowOf(0));
  const { lost } = await sink.flush(clock.monoMs() + 1000);
  sink.accept(windowOf(1));
  assert.deepEqual([tries, lost, sink.status()['windowsLost']], [1, 1, 2]);
  assert.match(said.join('\n'), /error EMF lines are lost .*nobody reads/);
});

test('a flush is hurried by an earlier deadline', async () => {
  const { sink } = sinkTo(() => new Promise(() => undefined));
  sink.accept(windowOf(0));
  const beganMs = clock.monoMs();
  const flushing = sink.flush(beganMs + 20_000);
  sink.hurry(beganMs + 100);
  assert.equal((await flushing).lostAtEnd, 1);
  assert.ok(clock.monoMs() - beganMs < 5000);
});

test('dimensions that have no answer yet are asked for again, and windows wait for it', async () => {
  let asked = 0;
  const lines: string[] = [];
  const { sink, said } = sinkTo(async (line) => void lines.push(line), {
    resolve: async () => {
      asked += 1;
      if (asked < 2) throw new Error('nothing answers for @instance-id');
      return [{ Name: 'Instance', Value: 'i-1' }];
    },
  });
  sink.accept(windowOf(0));
  assert.equal((await sink.flush(clock.monoMs() + 5000)).sent, 1);
  assert.deepEqual(readEvents(lines)[0]?.dimensions, { Instance: 'i-1' });
  assert.match(said.join('\n'), /windows wait .*nothing answers for @instance-id/);
});
