import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { LIMITS } from '../../src/cloudwatch/limits.ts';
import type { Limits } from '../../src/delivery/service.ts';
import type { Verdict } from '../../src/delivery/verdict.ts';
import { drivenClock } from '../support/clock.ts';
import { datumOf, MINUTE, sinkTo, windowAt } from '../support/sink.ts';

/** Minutes. */
const HOURS = 60;

function verdict(kind: Verdict['kind'], members: readonly number[] = []): Verdict {
  return { kind, code: 'C', message: 'm', requestId: '', members, waitMs: 0 };
}

/** So many windows, one every few minutes; what is logged above debug and info. */
async function windows(
  count: number,
  everyMs: number,
  answer: (nth: number) => Verdict,
  datums: number,
  limits: Limits = LIMITS,
): Promise<{ said: string[]; end: () => Promise<string[]> }> {
  const clock = drivenClock(Date.UTC(2026, 0, 1));
  let nth = 0;
  const post = (): Promise<Verdict> => {
    nth += 1;
    return Promise.resolve(answer(nth));
  };
  const { sink, logged } = sinkTo('http://127.0.0.1:1/', {
    clock,
    post,
    limits,
    random: () => 0.5,
  });
  const data = Array.from({ length: datums }, (_, index) => datumOf([index]));
  const turn = async (): Promise<void> => {
    await new Promise((resolve) => setImmediate(resolve));
    clock.advance(10);
  };
  for (let window = 0; window < count; window += 1) {
    clock.advance(everyMs);
    sink.accept(windowAt(clock.wallMs() - MINUTE, data));
    for (let turns = 0; turns < 4; turns += 1) await turn();
  }
  const loud = (): string[] => logged.filter((line) => /^(?:warn|error) /.test(line));
  const said = loud();
  const end = async (): Promise<string[]> => {
    const flushed = sink.flush(clock.monoMs() + 8000);
    for (let turns = 0; turns < 900; turns += 1) await turn();
    await flushed;
    return loud().slice(said.length);
  };
  return { said, end };
}

describe('what goes on happening', () => {
  test('a datum that is refused each minute is said once an hour', async () => {
    const { said, end } = await windows(
      3 * HOURS,
      MINUTE,
      (nth) => (nth % 2 === 1 ? verdict('invalid', [2]) : verdict('accepted')),
      2,
    );
    const refused = said.filter((line) => line.includes('does not take some of the data'));
    const counts = said.map((line) => / are given up datums=(\d+)/.exec(line)?.[1]);
    assert.equal(refused.length, 3);
    assert.deepEqual(counts.filter(Boolean), ['1', '59', '60']);
    assert.equal(said.length, 6, said.join('\n'));
    assert.match((await end()).join('\n'), / are given up datums=60$/m);
  });

  test('windows that get too old are said at once, then once an hour, and at the end', async () => {
    const limits = { ...LIMITS, maxAgeMs: 4 * HOURS * MINUTE };
    const outage = 6 * 6;
    const failing = (): Verdict => verdict('retry');
    const { said, end } = await windows(outage, 10 * MINUTE, failing, 1, limits);
    const lost = said.map((line) => / lost windows=(\d+) why="too old"/.exec(line)?.[1]);
    const counts = lost.filter(Boolean).map(Number);
    // Two hours past what the service takes.
    assert.ok(counts.length >= 2 && counts.length <= 3, String(counts));
    const rest = / lost windows=(\d+) why="too old"/.exec((await end()).join('\n'))?.[1];
    const sum = [...counts, Number(rest)].reduce((one, other) => one + other, 0);
    assert.ok(Math.abs(sum - 12) <= 1, `${sum} in all`);
  });

  test('a request that is too large is no outage: nothing is said of its end', async () => {
    const { said } = await windows(
      HOURS,
      MINUTE,
      (nth) => (nth % 3 === 0 ? verdict('tooLarge') : verdict('accepted')),
      2,
    );
    assert.deepEqual(
      said.map((line) => line.replace(/ code=.*/, '')),
      ['warn a request is too large, the next are smaller'],
    );
  });
});

describe('an outage', () => {
  const noun = (line: string): string => line.replace(/ (?:code|datums)=.*/, '');

  test('is said at once and then once an hour, and at its end how long it lasted and when all is sent', async () => {
    const minutes = 2.5 * HOURS;
    let isDown = true;
    const { said } = await windows(
      minutes + 20,
      MINUTE,
      (nth) => {
        // By the pace of an outage; a request is smaller than all that waits.
        isDown &&= nth < 150;
        return verdict(isDown ? 'retry' : 'accepted');
      },
      40,
    );
    const fails = said.filter((line) => line.startsWith('warn publishing fails'));
    assert.ok(fails.length >= 2 && fails.length <= 4, said.join('\n'));
    assert.ok(fails.every((line) => / reason=m /.test(line)));
    const [again, drained, ...more] = said.filter((line) => !fails.includes(line));
    assert.match(
      again ?? '',
      /^warn publishing again after="\d+ (?:h \d+ )?min" windowsWaiting=\d+$/,
    );
    assert.equal(drained, 'warn drained: all windows that waited are sent');
    assert.deepEqual(more.map(noun), []);
  });
});
