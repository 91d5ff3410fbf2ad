import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ClosedWindow } from '../../src/metrics/aggregate.ts';
import { type LazySink, lazySink } from '../../src/sinks/lazy.ts';
import type { Outcome, Sink } from '../../src/sinks/sink.ts';
import { type DrivenClock, drivenClock } from '../support/clock.ts';
import { windowAt } from '../support/sink.ts';

const NONE: Outcome = { sent: 0, spooled: 0, lost: 0, lostAtEnd: 0, isStuck: false };

/** A sink and the one that it stands for, which is there when the test lets it. */
interface Rig {
  readonly clock: DrivenClock;
  readonly sink: LazySink;
  /** The starts of the windows that came through. */
  readonly accepted: number[];
  arrive(): Promise<void>;
}

function rigOf(): Rig {
  const clock = drivenClock(0);
  const sink = lazySink(clock);
  const accepted: number[] = [];
  const real: Sink = {
    accept: ({ startMs }) => accepted.push(startMs),
    flush: () => Promise.resolve({ ...NONE, sent: accepted.length }),
    status: () => ({ windowsSent: accepted.length }),
  };
  let open: (sink: Sink) => void = () => undefined;
  sink.load(() => {
    const opened = new Promise<Sink>((resolve) => {
      open = resolve;
    });
    return opened;
  });
  const arrive = async (): Promise<void> => {
    clock.advance(0);
    await turn();
    open(real);
    await turn();
  };
  return { clock, sink, accepted, arrive };
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function windowOf(startMs: number): ClosedWindow {
  return windowAt(startMs, []);
}

describe('a sink that is not there yet', () => {
  test('is loaded after what runs now, and gets what closed before it was there', async () => {
    const { sink, accepted, arrive } = rigOf();
    for (const startMs of [1, 2]) sink.accept(windowOf(startMs));
    await turn();
    assert.deepEqual(sink.status(), { windowsWaiting: 2, windowsLost: 0 });
    await arrive();
    sink.accept(windowOf(3));
    assert.deepEqual(accepted, [1, 2, 3]);
    assert.deepEqual(sink.status(), { windowsSent: 3 });
  });

  test('keeps the last sixty windows, and counts what it does not', async () => {
    const { sink, accepted, arrive } = rigOf();
    for (let startMs = 0; startMs < 63; startMs += 1) sink.accept(windowOf(startMs));
    assert.deepEqual(sink.status(), { windowsWaiting: 60, windowsLost: 3 });
    await arrive();
    assert.deepEqual([accepted.length, accepted[0]], [60, 3]);
  });

  test('is waited for by the flush', async () => {
    const { sink, clock, arrive } = rigOf();
    sink.accept(windowOf(1));
    const flushed = sink.flush(clock.monoMs() + 1000);
    await arrive();
    assert.deepEqual(await flushed, { ...NONE, sent: 1 });
  });

  test('is given up at the deadline, and what waited is lost', async () => {
    const { sink, clock } = rigOf();
    for (const startMs of [1, 2]) sink.accept(windowOf(startMs));
    const flushed = sink.flush(clock.monoMs() + 1000);
    clock.advance(1000);
    assert.deepEqual(await flushed, { ...NONE, lost: 2, lostAtEnd: 2 });
  });

  test('that fails to load fails the flush', async () => {
    const clock = drivenClock(0);
    const sink = lazySink(clock);
    sink.load(() => Promise.reject(new Error('no such module')));
    const flushed = sink.flush(clock.monoMs() + 1000);
    clock.advance(0);
    await assert.rejects(flushed, /no such module/);
  });
});
