import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createLog } from '../../src/log.ts';
import { severalSinks } from '../../src/sinks/several.ts';
import type { Outcome, Sink } from '../../src/sinks/sink.ts';
import { drivenClock } from '../support/clock.ts';
import { windowAt } from '../support/sink.ts';

const NONE: Outcome = { sent: 0, spooled: 0, lost: 0, lostAtEnd: 0, isStuck: false };
const MINUTE = 60_000;

/** A sink that keeps the starts of its windows, and ends as it is told to. */
function keeping(end: (taken: readonly number[]) => Promise<Outcome>, taken: number[] = []): Sink {
  return {
    accept: ({ startMs }) => taken.push(startMs),
    flush: () => end(taken),
    hurry: (deadlineMs) => taken.push(-deadlineMs),
    status: () => ({ windowsSent: taken.length }),
  };
}

const sendsAll = (taken: readonly number[]): Promise<Outcome> =>
  Promise.resolve({ ...NONE, sent: taken.length });

const broken: Sink = {
  accept: () => {
    throw new Error('no accept');
  },
  flush: () => {
    throw new Error('no flush');
  },
  hurry: () => {
    throw new Error('no hurry');
  },
  status: () => ({}),
};

function rigOf(sinks: Readonly<Record<string, Sink>>) {
  const clock = drivenClock(0);
  const said: string[] = [];
  const log = createLog({ level: 'info', format: 'text', clock, write: (line) => said.push(line) });
  return { clock, said, sink: severalSinks(Object.entries(sinks), clock, log) };
}

describe('several outputs', () => {
  test('get every window, also behind one that throws', async () => {
    const taken: number[] = [];
    const { sink, said } = rigOf({ broken, good: keeping(sendsAll, taken) });
    sink.accept(windowAt(0, []));
    sink.accept(windowAt(MINUTE, []));
    sink.hurry?.(5);
    assert.deepEqual(taken, [0, MINUTE, -5]);
    const outcome = await sink.flush(0);
    assert.deepEqual(outcome, { ...NONE, lost: 2, lostAtEnd: 2 });
    assert.ok(
      said.some((line) => /a fault of this program.* output=broken .*no accept/.test(line)),
    );
    assert.ok(said.some((line) => /an output is lost output=broken reason="no flush"/.test(line)));
  });

  test('are flushed side by side: one that hangs takes its own deadline and no more', async () => {
    const hanging = keeping(() => new Promise(() => undefined));
    const { clock, sink } = rigOf({ hanging, good: keeping(sendsAll) });
    sink.accept(windowAt(0, []));
    let outcome: Outcome | undefined;
    const flushing = sink.flush(2000).then((one) => {
      outcome = one;
    });
    await new Promise(setImmediate);
    clock.advance(999);
    await new Promise(setImmediate);
    assert.equal(outcome, undefined);
    clock.advance(200);
    await flushing;
    assert.deepEqual(outcome, { ...NONE, lost: 1, lostAtEnd: 1 });
  });

  test('come to the worst of them, and the reason says whose it was', async () => {
    const loss = { fromMs: 0, toMs: MINUTE, reason: 'HTTP 503' };
    const bad: Outcome = {
      ...NONE,
      sent: 1,
      spooled: 2,
      lost: 3,
      lostAtEnd: 1,
      loss,
      isStuck: true,
    };
    const { sink } = rigOf({
      cloudwatch: keeping(sendsAll),
      otlp: keeping(() => Promise.resolve(bad)),
    });
    for (let minute = 0; minute < 6; minute += 1) sink.accept(windowAt(minute * MINUTE, []));
    assert.deepEqual(await sink.flush(0), { ...bad, loss: { ...loss, reason: 'otlp: HTTP 503' } });
  });

  test('tell how they do under their names', () => {
    const { sink } = rigOf({ cloudwatch: keeping(sendsAll), 'otlp=http://c/': keeping(sendsAll) });
    sink.accept(windowAt(0, []));
    assert.deepEqual(sink.status(), {
      'cloudwatch.windowsSent': 1,
      'otlp=http://c/.windowsSent': 1,
    });
  });
});
