import assert from 'node:assert/strict';
import { PassThrough, Writable } from 'node:stream';
import { describe, test } from 'node:test';
import { linesTo } from '../../src/sinks/lines.ts';
import { drivenClock } from '../support/clock.ts';

/** A reader that takes nothing until it is let. */
function stalled(): { stream: Writable; taken: string[]; letGo: () => void } {
  const taken: string[] = [];
  let waiting: (() => void) | undefined;
  let stalls = true;
  const stream = new Writable({
    write(chunk, _encoding, callback) {
      taken.push(String(chunk));
      if (stalls) waiting = callback;
      else callback();
    },
  });
  const letGo = (): void => {
    stalls = false;
    waiting?.();
  };
  return { stream, taken, letGo };
}

/** Whether the promise has settled, once everything that was due has run. */
async function isDone(promise: Promise<void>): Promise<boolean> {
  let done = false;
  promise.then(() => {
    done = true;
  });
  await new Promise(setImmediate);
  return done;
}

const clock = drivenClock(0);

describe('lines', () => {
  test('come out in order, each with its line feed', () => {
    const stream = new PassThrough();
    const lines = linesTo(stream, clock);
    assert.equal(lines.write('one'), true);
    assert.equal(lines.write('caf\u00e9'), true);
    assert.equal(lines.write(''), true);
    assert.equal(String(stream.read()), 'one\ncaf\u00e9\n\n');
  });

  test('are left out when a reader stalls, and taken again when it goes on', async () => {
    const { stream, taken, letGo } = stalled();
    const lines = linesTo(stream, clock);
    const line = 'x'.repeat(1023);
    const accepted = Array.from({ length: 200 }, () => lines.write(line)).filter(Boolean).length;
    // 64 KiB, and the line that goes beyond.
    assert.equal(accepted, 65);
    assert.ok(stream.writableLength <= 66 * 1024);
    letGo();
    await lines.drained(clock.monoMs() + 1000);
    assert.equal(taken.join('').length, 65 * 1024);
    assert.equal(lines.write('again'), true);
  });

  test('are left out once the stream is destroyed', () => {
    const { stream } = stalled();
    const lines = linesTo(stream, clock);
    stream.destroy();
    assert.equal(lines.write('late'), false);
  });
});

describe('drained', () => {
  test('is at once where nothing waits, and no timer is left', async () => {
    const own = drivenClock(0);
    assert.equal(await isDone(linesTo(new PassThrough(), own).drained(5000)), true);
    assert.equal(own.pending(), 0);
  });

  test('is when the last line is out, and no timer is left', async () => {
    const own = drivenClock(0);
    const { stream, taken, letGo } = stalled();
    const lines = linesTo(stream, own);
    lines.write('one');
    lines.write('two');
    const drained = lines.drained(own.monoMs() + 1000);
    assert.equal(await isDone(drained), false);
    letGo();
    assert.equal(await isDone(drained), true);
    assert.deepEqual(taken.join(''), 'one\ntwo\n');
    assert.equal(own.pending(), 0);
  });

  test('is at the deadline where the reader goes on stalling', async () => {
    const own = drivenClock(0);
    const lines = linesTo(stalled().stream, own);
    lines.write('one');
    const drained = lines.drained(own.monoMs() + 1000);
    own.advance(999);
    assert.equal(await isDone(drained), false);
    own.advance(1);
    assert.equal(await isDone(drained), true);
  });

  test('is at once where the deadline has passed', async () => {
    const own = drivenClock(0);
    const lines = linesTo(stalled().stream, own);
    lines.write('one');
    const drained = lines.drained(own.monoMs() - 1);
    own.advance(0);
    assert.equal(await isDone(drained), true);
  });

  test('is when the reader goes away with lines unread', async () => {
    const own = drivenClock(0);
    let fail: ((error: Error) => void) | undefined;
    const stream = new Writable({
      write(_chunk, _encoding, callback) {
        fail = callback;
      },
    });
    const failures: Error[] = [];
    stream.on('error', (error) => failures.push(error));
    const lines = linesTo(stream, own);
    lines.write('one');
    lines.write('two');
    const drained = lines.drained(own.monoMs() + 1000);
    assert.equal(await isDone(drained), false);
    fail?.(new Error('EPIPE'));
    assert.equal(await isDone(drained), true);
    assert.equal(own.pending(), 0);
    assert.equal(failures.length, 1);
  });
});
