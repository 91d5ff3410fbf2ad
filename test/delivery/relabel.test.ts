import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Form } from '../../src/cloudwatch/form.ts';
import type { Post } from '../../src/delivery/service.ts';
import { NOTHING, type Verdict } from '../../src/delivery/verdict.ts';
import { Labels } from '../../src/metrics/labels.ts';
import { type DrivenClock, drivenClock } from '../support/clock.ts';
import { datumOf, MINUTE, sinkTo, windowAt } from '../support/sink.ts';

/** The clock of a machine that booted without one. */
const WRONG = Date.UTC(2000, 0, 1);
const RIGHT = Date.UTC(2026, 0, 1, 12, 0, 20);
const HOUR = 60 * MINUTE;

const ACCEPTED: Verdict = { kind: 'accepted', code: '', message: '', requestId: '', ...NOTHING };

function failed(code: string, kind: Verdict['kind'] = 'retry'): Verdict {
  return { ...ACCEPTED, kind, code };
}

/** An agent's outage in driven time: windows close, attempts come to what `answer` says. */
class Outage {
  readonly clock: DrivenClock = drivenClock(WRONG);
  sleptMs = 0;
  readonly labels: Labels;
  answer: Verdict;
  attempts = 0;
  /** Labels that were accepted, each time. */
  readonly accepted: number[] = [];
  readonly #sink;

  constructor(answer: Verdict = failed('ENETUNREACH')) {
    this.answer = answer;
    const { clock } = this;
    const uptimeMs = (): number => clock.monoMs() + this.sleptMs;
    this.labels = new Labels({ clock, uptimeMs, periodMs: MINUTE, isAligned: true });
    const post: Post<Form> = (page) => {
      this.attempts += 1;
      if (this.answer.kind === 'accepted') this.accepted.push(...stampsIn(page.body));
      return Promise.resolve(this.answer);
    };
    const more = { labels: this.labels, random: () => 0.5 };
    const { sink } = sinkTo('http://127.0.0.1:1', { clock, post, ...more });
    this.#sink = sink;
  }

  /** Closes so many windows, a minute each. */
  async close(windows: number): Promise<void> {
    for (let count = 0; count < windows; count += 1) {
      const began = this.clock.wallMs();
      const before = this.labels.setMs();
      await this.pass(MINUTE);
      const startMs = this.labels.take(began + this.labels.setMs() - before);
      this.#sink.accept(windowAt(startMs, [datumOf([1])]));
      await settled();
    }
  }

  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 1000) {
      this.clock.advance(Math.min(left, 1000));
      await settled();
    }
  }

  async recover(): Promise<readonly number[]> {
    this.answer = ACCEPTED;
    await this.pass(10 * MINUTE);
    return [...this.accepted].sort((one, other) => one - other);
  }

  end(): Promise<unknown> {
    return this.#sink.flush(this.clock.monoMs());
  }
}

function stampsIn(body: Form): number[] {
  const form = new URLSearchParams(body(0));
  return [...form].flatMap(([name, value]) =>
    name.endsWith('.Timestamp') ? Date.parse(value) : [],
  );
}

function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** The labels of so many windows, one a minute. */
function every(from: number, windows: number): number[] {
  return Array.from({ length: windows }, (_, minute) => from + minute * MINUTE);
}

describe('windows that wait when the wall clock is set', () => {
  for (const [what, answer] of [
    ['no connection came about', failed('ENETUNREACH')],
    ['the service refused who asked', failed('SignatureDoesNotMatch', 'denied')],
    ['there were no credentials', failed('NotReady', 'unready')],
  ] as const) {
    test(`are called by it: ${what}, so nobody has seen them`, async () => {
      const outage = new Outage(answer);
      await outage.close(5);
      assert.ok(outage.attempts > 0);
      outage.clock.setWall(RIGHT);
      assert.deepEqual(await outage.recover(), every(RIGHT - 5 * MINUTE - 20_000, 5));
      await outage.end();
    });
  }

  test('in the middle of the outage are called by it, as those that close later are', async () => {
    const outage = new Outage();
    await outage.close(3);
    await outage.pass(10_000);
    outage.clock.setWall(RIGHT);
    await outage.close(3);
    const all = await outage.recover();
    assert.deepEqual([all.length, new Set(all).size], [6, 6]);
    assert.deepEqual(all, every(all[0] ?? 0, 6));
    assert.ok(Math.abs((all[5] ?? 0) - (RIGHT + 2 * MINUTE)) <= MINUTE);
    await outage.end();
  });

  test('keep their labels where the service may have them: no answer is none', async () => {
    const outage = new Outage(failed('TIMEOUT'));
    await outage.close(2);
    await outage.pass(3 * MINUTE);
    outage.clock.setWall(RIGHT);
    assert.deepEqual(await outage.recover(), every(WRONG, 2));
    await outage.end();
  });

  test('keep their labels where the machine slept', async () => {
    const outage = new Outage();
    await outage.close(2);
    outage.sleptMs = HOUR;
    outage.clock.setWall(outage.clock.wallMs() + HOUR);
    assert.deepEqual(await outage.recover(), every(WRONG, 2));
    await outage.end();
  });

  test('back never take a label that was published', async () => {
    const outage = new Outage(ACCEPTED);
    await outage.close(4);
    await outage.pass(MINUTE);
    assert.equal(outage.accepted.length, 4);
    outage.answer = failed('ENOTFOUND');
    await outage.close(3);
    outage.clock.setWall(outage.clock.wallMs() - 5 * MINUTE);
    const all = await outage.recover();
    assert.deepEqual([all.length, new Set(all).size], [7, 7]);
    await outage.end();
  });
});
