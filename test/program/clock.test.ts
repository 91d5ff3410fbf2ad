import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { sleep, systemClock } from '../../src/clock.ts';
import { drivenClock } from '../support/clock.ts';

/** Resolves to whether the promise has settled, once everything that was due has run. */
async function isDone(promise: Promise<void>): Promise<boolean> {
  let done = false;
  promise.then(() => {
    done = true;
  });
  await new Promise(setImmediate);
  return done;
}

describe('sleep', () => {
  test('ends after its time and not before, and leaves no timer', async () => {
    const clock = drivenClock(0);
    const asleep = sleep(clock, 100, new AbortController().signal);
    clock.advance(99);
    assert.equal(await isDone(asleep), false);
    clock.advance(1);
    assert.equal(await isDone(asleep), true);
    assert.equal(clock.pending(), 0);
  });

  test('ends at once when it is aborted, and takes its timer with it', async () => {
    const clock = drivenClock(0);
    const abort = new AbortController();
    const asleep = sleep(clock, 100, abort.signal);
    assert.equal(await isDone(asleep), false);
    abort.abort();
    assert.equal(await isDone(asleep), true);
    assert.equal(clock.pending(), 0);
  });

  test('does not begin under a signal that was aborted before', async () => {
    const clock = drivenClock(0);
    const asleep = sleep(clock, 100, AbortSignal.abort());
    assert.equal(clock.pending(), 0);
    assert.equal(await isDone(asleep), true);
  });

  test('leaves no listener behind, however it ends', async () => {
    const clock = drivenClock(0);
    const abort = new AbortController();
    let listeners = 0;
    const { signal } = abort;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = (...all: Parameters<typeof add>): void => {
      listeners += 1;
      add(...all);
    };
    signal.removeEventListener = (...all: Parameters<typeof remove>): void => {
      listeners -= 1;
      remove(...all);
    };
    const first = sleep(clock, 100, signal);
    assert.equal(listeners, 1);
    clock.advance(100);
    await first;
    assert.equal(listeners, 0);
    const second = sleep(clock, 100, signal);
    abort.abort();
    await second;
    assert.equal(listeners, 0);
  });

  test('of 0 ms ends without time passing', async () => {
    const clock = drivenClock(0);
    const asleep = sleep(clock, 0, new AbortController().signal);
    clock.advance(0);
    assert.equal(await isDone(asleep), true);
  });
});

describe('the clock of this machine', () => {
  test('runs a task once, not before its time', async () => {
    const clock = systemClock();
    const startMs = clock.monoMs();
    await new Promise<void>((resolve) => {
      clock.after(5, resolve);
    });
    // Timers count whole milliseconds, and may so be early by less than one.
    assert.ok(clock.monoMs() - startMs >= 4);
  });

  test('runs no task that was cancelled', async () => {
    const clock = systemClock();
    const ran: string[] = [];
    const cancel = clock.after(1, () => ran.push('cancelled'));
    cancel();
    await new Promise<void>((resolve) => {
      clock.after(5, resolve);
    });
    assert.deepEqual(ran, []);
    assert.doesNotThrow(cancel);
  });

  test('tells the wall’s time in milliseconds since 1970', () => {
    const before = Date.now();
    const now = systemClock().wallMs();
    assert.ok(now >= before && now <= Date.now());
  });
});
