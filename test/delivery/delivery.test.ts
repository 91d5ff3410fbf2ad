import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { Delivery, type Loss, type Step } from '../../src/delivery/delivery.ts';
import { Outbox } from '../../src/delivery/outbox.ts';
import type { WaitingDatum } from '../../src/delivery/packing.ts';
import type { Limits } from '../../src/delivery/service.ts';
import type { PendingWindow } from '../../src/delivery/store.ts';
import type { Verdict } from '../../src/delivery/verdict.ts';
import { runsOf, seededRandom } from '../support/histories/chance.ts';

/** As a service of our own. */
const LIMITS = { maxDatums: 1000, maxAgeMs: 1_209_600_000, maxHintMs: 5000 };
const PERIOD = 60_000;
const BUFFER = 4 * 1024 * 1024;

function verdictOf(kind: Verdict['kind'], more: Partial<Verdict> = {}): Verdict {
  return { kind, code: '', message: '', requestId: '', members: [], waitMs: 0, ...more };
}

interface Rig {
  readonly outbox: Outbox;
  readonly delivery: Delivery;
  readonly delivered: number[];
  readonly lost: [id: number, why: Loss][];
  /** Numbers of datums. */
  readonly setAside: number[];
  /** Closes a window; its values say which one it is. */
  close(nowMs: number, datums?: number, agoMs?: number): void;
  send(nowMs: number): readonly PendingWindow[];
}

let numbers = 0;

interface Over {
  readonly random?: () => number;
  readonly jitterMs?: number;
  readonly bufferBytes?: number;
  readonly limits?: Limits;
}

function rigOf(over: Over = {}): Rig {
  const { random = () => 0, jitterMs = 0, bufferBytes = BUFFER, limits = LIMITS } = over;
  const setAside: number[] = [];
  const delivered: number[] = [];
  const lost: [number, Loss][] = [];
  const outbox = new Outbox(bufferBytes);
  const delivery = new Delivery({
    limits,
    outbox,
    periodMs: PERIOD,
    jitterMs,
    random,
    bookkeeper: {
      delivered: ({ id }) => delivered.push(id),
      lost: ({ id }, why) => lost.push([id, why]),
      partly: () => undefined,
      setAside: (datums) => setAside.push(datums),
    },
  });
  return {
    outbox,
    delivery,
    delivered,
    lost,
    setAside,
    close(nowMs, datums = 1, agoMs = 0) {
      numbers += 1;
      const window = { startMs: nowMs, endMs: nowMs + PERIOD, data: dataOf(numbers, datums) };
      delivery.accept(window, 0, nowMs, agoMs);
    },
    send(nowMs) {
      const step = delivery.next(nowMs);
      assert.equal(step.kind, 'send', `${JSON.stringify(step)} at ${nowMs}`);
      return step.kind === 'send' ? step.batch : [];
    },
  };
}

function dataOf(number: number, datums: number): WaitingDatum[] {
  return Array.from({ length: datums }, (_, index) => ({
    name: `M${index}`,
    unit: 'Count',
    values: [number],
  }));
}

function starts(batch: readonly PendingWindow[]): number[] {
  return batch.map(({ startMs }) => startMs);
}

describe('when a window goes', () => {
  test('at this process’s own offset in the period, counted from the window’s end', () => {
    const { delivery, close } = rigOf({ random: () => 0.5, jitterMs: 15_000 });
    assert.deepEqual(delivery.next(0), { kind: 'idle' });
    close(1000, 1, 600);
    assert.deepEqual(delivery.next(1000), { kind: 'wait', untilMs: 1000 + 7500 - 600 });
    assert.equal(delivery.next(7900).kind, 'send');
  });

  test('at once where it closed later than that', () => {
    const { delivery, close } = rigOf({ random: () => 0.5, jitterMs: 1000 });
    close(0, 1, 800);
    assert.equal(delivery.next(0).kind, 'send');
  });

  test('after an outage the newest leads, and the rest follows from the oldest on', () => {
    const { delivery, close, send } = rigOf();
    for (let minute = 0; minute < 5; minute += 1) close(minute);
    assert.deepEqual(starts(send(5)), [4, 0, 1, 2, 3]);
    delivery.answered(verdictOf('accepted'), 6);
    assert.deepEqual(delivery.next(7), { kind: 'idle' });
  });

  test('a request holds a thousand datums', () => {
    const { delivery, close, send } = rigOf();
    for (let minute = 0; minute < 400; minute += 1) close(minute, 3);
    const batch = send(400);
    assert.equal(
      batch.reduce((sum, { data }) => sum + data.length, 0),
      1000,
    );
    assert.deepEqual(starts(batch).slice(0, 3), [399, 0, 1]);
    delivery.answered(verdictOf('accepted'), 401);
    const rest = send(402);
    assert.deepEqual(starts(rest).slice(0, 2), [398, 332]);
    assert.equal(rest.length, 67);
  });

  test('what a request had no bytes for goes with the next one', () => {
    const { delivery, close, send, delivered } = rigOf();
    for (let minute = 0; minute < 3; minute += 1) close(minute, 2);
    send(3);
    delivery.trim(3);
    delivery.answered(verdictOf('accepted'), 4);
    assert.deepEqual(delivered, [3]);
    assert.deepEqual(
      send(5).map(({ startMs, indexes }) => [startMs, indexes]),
      [
        [1, [0, 1]],
        [0, [1]],
      ],
    );
  });
});

describe('after a failure', () => {
  /** The longest waits that can be drawn, one after the other. */
  function waits(kind: Verdict['kind'], tries: number, more: Partial<Verdict> = {}): number[] {
    const { delivery, close } = rigOf({ random: () => 0.999_999 });
    close(0);
    let nowMs = 0;
    return Array.from({ length: tries }, () => {
      assert.equal(delivery.next(nowMs).kind, 'send');
      delivery.answered(verdictOf(kind, more), nowMs);
      const step = delivery.next(nowMs);
      const untilMs = step.kind === 'wait' ? step.untilMs : nowMs;
      const waitMs = untilMs - nowMs;
      nowMs = untilMs;
      return Math.round(waitMs);
    });
  }

  test('two retries come at once, the others follow the period up to twice its length', () => {
    assert.deepEqual(waits('retry', 7), [50, 100, 15_000, 30_000, 60_000, 120_000, 120_000]);
  });

  test('what is not ready is looked for from seconds to a minute', () => {
    assert.deepEqual(waits('unready', 8), [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
  });

  test('a refusal waits for a person, five minutes at most', () => {
    assert.deepEqual(waits('denied', 6), [15_000, 30_000, 60_000, 120_000, 150_000, 150_000]);
  });

  test('the service’s own wish lengthens a wait by at most five seconds', () => {
    assert.deepEqual(waits('retry', 2, { waitMs: 2000 }), [2000, 2000]);
    assert.deepEqual(waits('retry', 2, { waitMs: 60_000 }), [5050, 5100]);
  });

  test('quick retries are spent from a budget, which successes fill again', () => {
    const { delivery, close } = rigOf({ random: () => 0.999_999 });
    let nowMs = 0;
    /** A bad moment: the first try fails, the second one does not. @returns the wait between them */
    const moment = (fails = 1): number => {
      close(nowMs);
      let waitMs = 0;
      for (let attempt = 0; attempt <= fails; attempt += 1) {
        const step = delivery.next(nowMs);
        if (step.kind === 'wait') {
          waitMs = step.untilMs - nowMs;
          nowMs = step.untilMs;
        }
        assert.equal(delivery.next(nowMs).kind, 'send');
        delivery.answered(verdictOf(attempt < fails ? 'retry' : 'accepted'), nowMs);
      }
      return Math.round(waitMs);
    };
    // Two retries cost 28, their success gives 14 back.
    const spent = Array.from({ length: 40 }, () => moment(2));
    assert.deepEqual([spent[0], spent.at(-1)], [100, 15_000]);
    for (let index = 0; index < 14; index += 1) moment(0);
    assert.equal(moment(1), 50);
  });

  test('throttling draws the offset anew from the whole period, and keeps it', () => {
    const draws = [0.2, 0.75, 0];
    const { delivery, close, send } = rigOf({
      random: () => draws.shift() ?? 0,
      jitterMs: 15_000,
    });
    close(100_000, 1, 0);
    send(103_000);
    delivery.answered(verdictOf('throttled'), 103_000);
    assert.deepEqual(delivery.next(103_000), { kind: 'wait', untilMs: 145_000 });
    send(145_000);
    delivery.answered(verdictOf('accepted'), 145_000);
    close(160_500, 1, 500);
    assert.deepEqual(delivery.next(160_500), { kind: 'wait', untilMs: 205_000 });
  });

  test('an offset that has passed in this period comes in the next one', () => {
    const draws = [0, 0.1, 0];
    const { delivery, close, send } = rigOf({ random: () => draws.shift() ?? 0, jitterMs: 1 });
    close(100_000, 1, 0);
    send(130_000);
    delivery.answered(verdictOf('throttled'), 130_000);
    assert.deepEqual(delivery.next(130_000), { kind: 'wait', untilMs: 166_000 });
  });
});

describe('what the service does not take', () => {
  test('a request that is too large is halved, and grows again with success', () => {
    const { delivery, close, send, lost } = rigOf();
    for (let minute = 0; minute < 8; minute += 1) close(minute);
    const sizes = (['tooLarge', 'tooLarge', 'accepted', 'accepted', 'accepted'] as const).map(
      (kind) => {
        const { length } = send(10);
        delivery.answered(verdictOf(kind), 10);
        return length;
      },
    );
    assert.deepEqual(sizes, [8, 4, 2, 4, 2]);
    assert.deepEqual(lost, []);
  });

  test('a datum that is too large by itself is given up, when others are not', () => {
    const { delivery, close, lost, delivered } = rigOf();
    for (let minute = 0; minute < 4; minute += 1) close(minute);
    let nowMs = 10;
    for (let step = delivery.next(nowMs); step.kind !== 'idle'; step = delivery.next(nowMs)) {
      if (step.kind === 'wait') nowMs = step.untilMs;
      if (step.kind !== 'send') continue;
      const isTooLarge = step.batch.some(({ startMs }) => startMs === 1);
      delivery.answered(verdictOf(isTooLarge ? 'tooLarge' : 'accepted'), nowMs);
    }
    assert.deepEqual([lost, delivered.length], [[[2, 'refused']], 3]);
  });

  test('where each request is too large, as a proxy may say, nothing is given up', () => {
    const { delivery, close, lost, outbox } = rigOf();
    let [nowMs, requests] = [0, 0];
    for (let minute = 0; minute < 100; minute += 1) {
      nowMs += PERIOD;
      close(nowMs);
      for (let step = delivery.next(nowMs); step.kind === 'send'; step = delivery.next(nowMs)) {
        requests += 1;
        delivery.answered(verdictOf('tooLarge'), nowMs);
      }
    }
    assert.deepEqual([lost, outbox.windows], [[], 100]);
    assert.ok(requests <= 100, `${requests} requests`);
  });

  test('datums that are named are given up, the others go at once', () => {
    const { delivery, close, send, lost, delivered } = rigOf();
    for (let minute = 0; minute < 3; minute += 1) close(minute, 2);
    send(3);
    // The newest window's second datum, and all of the oldest window.
    delivery.answered(verdictOf('invalid', { members: [2, 3, 4] }), 3);
    assert.deepEqual(lost, [[1, 'refused']]);
    const batch = send(3);
    assert.deepEqual(
      batch.map(({ startMs, indexes }) => [startMs, indexes]),
      [
        [2, [0]],
        [1, [0, 1]],
      ],
    );
    delivery.answered(verdictOf('accepted'), 4);
    assert.deepEqual(delivered, [3, 2]);
  });

  test('names beyond the request’s own are not believed', () => {
    const { delivery, close, send, lost } = rigOf();
    close(0);
    send(0);
    delivery.answered(verdictOf('invalid', { members: [2, 1000] }), 0);
    assert.deepEqual(lost, []);
    assert.equal(delivery.next(0).kind, 'wait');
  });

  test('without names the window that is to blame is found by halves, and only it is given up', () => {
    const { delivery, close, lost, delivered } = rigOf();
    for (let minute = 0; minute < 10; minute += 1) close(minute);
    let requests = 0;
    let nowMs = 10;
    for (let step = delivery.next(nowMs); step.kind !== 'idle'; step = delivery.next(nowMs)) {
      if (step.kind === 'wait') nowMs = step.untilMs;
      else if (step.kind === 'send') {
        requests += 1;
        const isPoisoned = step.batch.some(({ startMs }) => startMs === 3);
        delivery.answered(verdictOf(isPoisoned ? 'invalid' : 'accepted'), nowMs);
      }
    }
    assert.deepEqual([lost, delivered.length], [[[4, 'refused']], 9]);
    assert.ok(requests < 40, `${requests} requests`);
  });

  test('where everything is refused without names, nothing is given up', () => {
    const { delivery, close, lost, outbox } = rigOf();
    let nowMs = 0;
    for (let minute = 0; minute < 200; minute += 1) {
      nowMs += PERIOD;
      close(nowMs);
      for (let step = delivery.next(nowMs); step.kind === 'send'; step = delivery.next(nowMs)) {
        delivery.answered(verdictOf('invalid'), nowMs);
      }
    }
    assert.deepEqual([lost, outbox.windows], [[], 200]);
  });
});

describe('a request that is accepted, but not all of it', () => {
  test('is delivered, and what is missing is counted: nobody knows which it was', () => {
    const { delivery, close, send, lost, delivered, setAside } = rigOf();
    for (const minute of [0, 1]) close(minute, 3);
    send(2);
    delivery.answered(verdictOf('accepted', { rejected: 2 }), 2);
    assert.deepEqual([lost, delivered, setAside], [[], [2, 1], [2]]);
    assert.equal(delivery.next(3).kind, 'idle');
  });

  test('is lost where nothing was taken of it', () => {
    const { delivery, close, send, lost, delivered, setAside } = rigOf();
    for (const minute of [0, 1]) close(minute, 3);
    send(2);
    delivery.answered(verdictOf('accepted', { rejected: 6 }), 2);
    assert.deepEqual(delivered, []);
    assert.deepEqual(lost, [
      [2, 'refused'],
      [1, 'refused'],
    ]);
    assert.deepEqual(setAside, [3, 3]);
    assert.equal(delivery.next(3).kind, 'idle');
  });
});

describe('a service’s limits', () => {
  test('are those of its requests', () => {
    const { delivery, close, send } = rigOf({ limits: { ...LIMITS, maxDatums: 4 } });
    for (const minute of [0, 1, 2]) close(minute, 3);
    const sizes = (batch: readonly PendingWindow[]): number[] =>
      batch.map(({ data }) => data.length);
    assert.deepEqual(sizes(send(3)), [3, 1]);
    delivery.answered(verdictOf('tooLarge'), 3);
    assert.deepEqual(sizes(send(3)), [2]);
    delivery.answered(verdictOf('accepted'), 3);
    assert.deepEqual(sizes(send(3)), [1, 3]);
  });

  test('say how long it may ask to wait', () => {
    for (const [maxHintMs, untilMs] of [
      [0, 0],
      [5000, 5000],
      [60_000, 30_000],
    ] as const) {
      const { delivery, close, send } = rigOf({ limits: { ...LIMITS, maxHintMs } });
      close(0);
      send(0);
      delivery.answered(verdictOf('retry', { waitMs: 30_000 }), 0);
      const step = delivery.next(0);
      assert.equal(step.kind === 'wait' ? step.untilMs : 0, untilMs);
    }
  });
});

describe('bounds', () => {
  test('what is older than the service takes is lost, and counted', () => {
    const { delivery, close, lost } = rigOf();
    close(0);
    close(1000);
    delivery.next(LIMITS.maxAgeMs);
    assert.deepEqual(lost, []);
    delivery.next(LIMITS.maxAgeMs + 1);
    assert.deepEqual(lost, [[1, 'too old']]);
  });

  test('what is dropped before the request is made is lost, whatever the answer is', () => {
    const { delivery, close, send, lost, delivered } = rigOf({ bufferBytes: 1024 });
    close(0, 40);
    send(0);
    close(1, 40);
    delivery.trim(0);
    delivery.answered(verdictOf('accepted'), 2);
    assert.deepEqual([delivered, lost], [[], [[1, 'no room']]]);
  });

  test('what is dropped for want of room while it is under way counts by the answer', () => {
    for (const kind of ['accepted', 'retry'] as const) {
      const { delivery, close, send, lost, delivered } = rigOf({ bufferBytes: 1024 });
      close(0, 40);
      send(0);
      close(1, 40);
      assert.deepEqual([delivered, lost], [[], []]);
      delivery.answered(verdictOf(kind), 2);
      const expected = kind === 'accepted' ? [[1], []] : [[], [[1, 'no room']]];
      assert.deepEqual([delivered, lost], expected);
    }
  });
});

describe('the flush', () => {
  test('ignores offset and back-off, and halves what remains with each attempt', () => {
    const { delivery, close } = rigOf({ random: () => 0, jitterMs: 15_000 });
    close(0);
    delivery.flush(0, 8000);
    const timeouts: number[] = [];
    let nowMs = 0;
    for (let step = delivery.next(0); step.kind === 'send'; step = delivery.next(nowMs)) {
      timeouts.push(step.timeoutMs);
      nowMs += step.timeoutMs;
      delivery.answered(verdictOf('retry'), nowMs);
    }
    assert.deepEqual(timeouts, [4000, 2000, 1000, 500, 250, 125, 100]);
    assert.deepEqual(delivery.next(nowMs), { kind: 'over' });
  });

  test('does not wait for what would come after its deadline', () => {
    const { delivery, close, send } = rigOf({ random: () => 0.999 });
    close(0);
    delivery.flush(0, 1000);
    for (const nowMs of [0, 100, 250, 500]) {
      send(nowMs);
      delivery.answered(verdictOf('retry'), nowMs);
    }
    assert.deepEqual(delivery.next(500), { kind: 'wait', untilMs: 500 + 0.999 * 400 });
    send(900);
    delivery.answered(verdictOf('retry'), 900);
    assert.deepEqual(delivery.next(900), { kind: 'over' });
  });

  test('is over as soon as nothing waits', () => {
    const { delivery, close, send } = rigOf();
    close(0);
    delivery.flush(0, 8000);
    send(0);
    delivery.answered(verdictOf('accepted'), 10);
    assert.deepEqual(delivery.next(10), { kind: 'over' });
  });

  test('asks twice who is refused, and no more', () => {
    const { delivery, close, send } = rigOf();
    close(0);
    delivery.flush(0, 8000);
    for (const nowMs of [0, 1000]) {
      send(nowMs);
      delivery.answered(verdictOf('denied'), nowMs);
    }
    assert.deepEqual(delivery.next(1001), { kind: 'over' });
  });
});

/** A service that may store what it then does not confirm, and takes some datums never. */
const answers = fc.record({
  kind: fc.oneof(
    { weight: 4, arbitrary: fc.constant('accepted' as const) },
    { weight: 2, arbitrary: fc.constant('ambiguous' as const) },
    {
      weight: 6,
      arbitrary: fc.constantFrom('retry', 'throttled', 'tooLarge', 'denied', 'unready'),
    },
  ),
  waitMs: fc.constantFrom(0, 0, 0, 700, 90_000),
  tookMs: fc.constantFrom<number>(0, 20, 10_000),
  bytes: fc.constantFrom(1000, 1000, 1000, 7, 2),
});
const moves = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('close' as const), datums: fc.nat(9) }) },
  { weight: 6, arbitrary: answers.map((answer) => ({ kind: 'answer' as const, answer })) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('pass' as const),
      ms: fc.constantFrom(10, 1000, PERIOD, 3_600_000, 40 * 3_600_000),
    }),
  },
);
const histories = fc.record({
  seed: fc.nat(),
  bufferBytes: fc.constantFrom(1024, 8192, BUFFER),
  /** One in so many windows has a datum that the service refuses by its name. */
  poison: fc.constantFrom(0, 3, 20),
  moves: fc.array(moves, { minLength: 1, maxLength: 300, size: 'max' }),
});

describe('any history', () => {
  test('delivers each datum once, or more often where an answer was lost, or counts its window', (t) => {
    let transitions = 0;
    fc.assert(
      fc.property(histories, ({ seed, bufferBytes, poison, moves: all }) => {
        transitions += historyHolds(seed, bufferBytes, poison, all);
      }),
      runsOf(t, 700, 15_000),
    );
    t.diagnostic(`${transitions} transitions`);
  });
});

type Move = typeof moves extends fc.Arbitrary<infer M> ? M : never;

function historyHolds(
  seed: number,
  bufferBytes: number,
  poison: number,
  all: readonly Move[],
): number {
  const outbox = new Outbox(bufferBytes);
  const gone = new Map<number, 'delivered' | Loss>();
  const leave = (id: number, how: 'delivered' | Loss): void => {
    assert.ok(!gone.has(id), `window ${id} leaves twice`);
    gone.set(id, how);
  };
  const delivery = new Delivery({
    limits: LIMITS,
    outbox,
    periodMs: PERIOD,
    jitterMs: 15_000,
    random: seededRandom(seed),
    bookkeeper: {
      delivered: ({ id }) => leave(id, 'delivered'),
      lost: ({ id }, why) => leave(id, why),
      partly: () => undefined,
      setAside: () => undefined,
    },
  });
  /** How often the service has stored a datum, and how often that was not confirmed. */
  const stored = new Map<string, number>();
  const unconfirmed = new Map<string, number>();
  const count = (counts: Map<string, number>, key: string): void => {
    counts.set(key, (counts.get(key) ?? 0) + 1);
  };
  const isPoison = (id: number, index: number): boolean =>
    poison > 0 && index === 0 && id % poison === 0;
  let nowMs = 0;
  let closed = 0;
  let transitions = 0;

  const serve = (step: Extract<Step, { kind: 'send' }>, answer: Answer): void => {
    const { kind, waitMs, tookMs, bytes } = answer;
    const order = step.batch.map(({ id }) => id);
    assert.equal(order[0], Math.max(...order), 'the newest leads');
    assert.deepEqual(
      order.slice(1),
      order.slice(1).sort((one, other) => one - other),
    );
    delivery.trim(bytes);
    const datums = step.batch
      .flatMap(({ id, indexes }) => indexes.map((index) => ({ id, index })))
      .slice(0, bytes);
    assert.ok(datums.length > 0 && datums.length <= 1000);
    const members = datums.flatMap(({ id, index }, at) => (isPoison(id, index) ? [at + 1] : []));
    const isTaken = kind === 'accepted' || kind === 'ambiguous';
    nowMs += tookMs;
    if (isTaken && members.length > 0) {
      delivery.answered(verdictOf('invalid', { members }), nowMs);
      return;
    }
    for (const { id, index } of isTaken ? datums : []) {
      count(stored, `${id}.${index}`);
      if (kind === 'ambiguous') count(unconfirmed, `${id}.${index}`);
    }
    // A request that even one datum makes too large would be a datum that is given up.
    const isLarge = kind === 'tooLarge' && datums.length > 1;
    const seen = kind === 'ambiguous' || (kind === 'tooLarge' && !isLarge) ? 'retry' : kind;
    delivery.answered(verdictOf(seen, { waitMs }), nowMs);
  };

  const moveOnce = (move: Move): void => {
    transitions += 1;
    if (move.kind === 'pass') nowMs += move.ms;
    else if (move.kind === 'close') {
      closed += 1;
      const data = dataOf(closed, move.datums + 1);
      const window = { startMs: nowMs, endMs: nowMs + PERIOD, data };
      delivery.accept(window, 0, nowMs, 0);
    } else {
      const step = delivery.next(nowMs);
      if (step.kind === 'wait') nowMs = step.untilMs;
      if (step.kind === 'send') serve(step, move.answer);
    }
    assert.ok(outbox.bytes <= bufferBytes, `${outbox.bytes} bytes`);
    assert.equal(outbox.windows + gone.size, closed, 'each window waits or is gone');
  };

  for (const move of all) moveOnce(move);
  // After the last fault everything drains.
  const calm = { kind: 'accepted', waitMs: 0, tookMs: 1, bytes: 1000 } as const;
  for (let steps = 0; outbox.windows > 0; steps += 1) {
    assert.ok(steps < 2000, 'it does not drain');
    moveOnce({ kind: 'answer', answer: calm });
  }
  for (const [key, times] of stored) {
    assert.ok(times <= 1 + (unconfirmed.get(key) ?? 0), `${key} was stored ${times} times`);
  }
  for (const [id, how] of gone) {
    const some = Array.from({ length: 10 }, (_, index) => stored.get(`${id}.${index}`) ?? 0);
    if (how === 'delivered') assert.ok(some.some((times) => times > 0));
    if (how === 'refused') assert.ok(isPoison(id, 0), `${id} was refused for nothing`);
  }
  return transitions;
}

type Answer = typeof answers extends fc.Arbitrary<infer A> ? A : never;
