import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { CredentialSource, Identity } from '../../src/aws/credentials/identity.ts';
import { createRefresh } from '../../src/aws/credentials/refresh.ts';
import { AwsError, ConfigError, NoDataError } from '../../src/errors.ts';
import { type DrivenClock, drivenClock } from '../support/clock.ts';

const START_MS = Date.parse('2026-11-23T08:00:00Z');
const SECOND = 1000;
const { signal } = new AbortController();

/** What a source gives when it is asked: credentials that live so many seconds, or a failure. */
type Gift = number | Error | 'no end' | 'for ever';

interface Rig {
  readonly clock: DrivenClock;
  readonly source: CredentialSource;
  /** How often the source was asked. */
  asked(): number;
  /** What comes next; the last one comes for ever. */
  give(...gifts: Gift[]): void;
  /** What was told of old credentials that are used, and of the end of that. */
  readonly told: unknown[];
  /** The key that is handed out now: `key-1` for the first gift. */
  get(): Promise<string>;
}

const OUTAGE = new AwsError('HTTP 503', 'the source is out', { again: true });
const FINAL = new AwsError('AccessDenied', 'a person must mend it', { final: true });

function rigOf(options: { isManaged?: boolean; advisoryMs?: number; random?: number } = {}): Rig {
  const { isManaged = true, advisoryMs, random = 0.4 } = options;
  const clock = drivenClock(START_MS);
  let gifts: Gift[] = [];
  let asked = 0;
  const told: unknown[] = [];
  const source = createRefresh({
    clock,
    nowMs: clock.wallMs,
    random: () => random,
    onFallBack: (error) => told.push(error),
    onRecovery: () => told.push('recovered'),
    ...(advisoryMs === undefined ? {} : { advisoryMs }),
    async load() {
      asked += 1;
      const gift = (gifts.length > 1 ? gifts.shift() : gifts[0]) ?? OUTAGE;
      if (gift instanceof Error) throw gift;
      const identity: Identity = {
        accessKeyId: `key-${asked}`,
        secretAccessKey: 'secret',
        provider: 'a rig',
        isManaged,
        ...(gift === 'for ever' ? { isLasting: true } : {}),
      };
      if (typeof gift !== 'number') return identity;
      return { ...identity, expiresMs: clock.wallMs() + gift * SECOND };
    },
  });
  return {
    clock,
    source,
    told,
    asked: () => asked,
    give: (...next) => {
      gifts = next;
    },
    get: async () => (await source.resolve(signal)).accessKeyId,
  };
}

/** A rig that holds `key-1`, which lives for an hour, and lets time pass. */
async function held(
  afterSeconds: number,
  options?: Parameters<typeof rigOf>[0],
  life: Gift = 3600,
): Promise<Rig> {
  const rig = rigOf(options);
  rig.give(life);
  assert.equal(await rig.get(), 'key-1');
  rig.clock.advance(afterSeconds * SECOND);
  return rig;
}

const [VALID, ADVISORY, MANDATORY, EXPIRED] = [600, 3000, 3570, 3700];
const [OK, STALE] = [3600, -10];

describe('the 24 states of a refresh', () => {
  const rows: [state: string, seconds: number, gift: Gift, key: string, asked: number][] = [
    ['valid: the cached ones, and the source is left alone', VALID, OK, 'key-1', 1],
    ['advisory and it works: new ones', ADVISORY, OK, 'key-2', 2],
    ['advisory and it fails: the cached ones', ADVISORY, OUTAGE, 'key-1', 2],
    ['mandatory and it works: new ones', MANDATORY, OK, 'key-2', 2],
    ['mandatory and it fails: the cached ones', MANDATORY, OUTAGE, 'key-1', 2],
    ['expired and it works: new ones', EXPIRED, OK, 'key-2', 2],
    ['expired and it fails: the cached ones all the same', EXPIRED, OUTAGE, 'key-1', 2],
    ['advisory and it gives stale ones: the cached ones', ADVISORY, STALE, 'key-1', 2],
    ['mandatory and it gives stale ones: the cached ones', MANDATORY, STALE, 'key-1', 2],
  ];
  for (const [state, seconds, gift, key, asked] of rows) {
    test(state, async () => {
      const rig = await held(seconds);
      rig.give(gift);
      assert.deepEqual([await rig.get(), rig.asked()], [key, asked]);
    });
  }

  test('none and it fails: an error, and the next call asks again', async () => {
    const rig = rigOf();
    rig.give(OUTAGE, OK);
    await assert.rejects(rig.get(), OUTAGE);
    assert.equal(await rig.get(), 'key-2');
  });

  const windows: [life: number, window: number][] = [
    [600, 300],
    [1230, 900],
    [21_600, 3600],
  ];
  for (const [life, window] of windows) {
    test(`a life of ${life} s is renewed ${window} s before its end`, async () => {
      const rig = await held(life - window - 1, {}, life);
      assert.deepEqual([await rig.get(), rig.asked()], ['key-1', 1]);
      rig.clock.advance(SECOND);
      assert.equal(await rig.get(), 'key-2');
    });
  }

  test('the window is that of the new credentials, not of those before', async () => {
    const rig = await held(18_060, {}, 21_600);
    rig.give(600);
    assert.equal(await rig.get(), 'key-2');
    rig.clock.advance(299 * SECOND);
    assert.equal(await rig.get(), 'key-2');
    rig.clock.advance(SECOND);
    assert.equal(await rig.get(), 'key-3');
  });

  test('a window that is set counts for more than the table', async () => {
    const rig = await held(1799, { advisoryMs: 1_800_000 });
    assert.equal(await rig.get(), 'key-1');
    rig.clock.advance(SECOND);
    assert.equal(await rig.get(), 'key-2');
  });

  for (const [state, seconds, second] of [
    ['advisory: the first one renews, others have the cached ones', 3540 - 1, 'key-1'],
    ['in the last minute: all wait for the new ones', 3541, 'key-2'],
  ] as const) {
    test(`two at once, ${state}`, async () => {
      const rig = await held(seconds);
      assert.deepEqual(await Promise.all([rig.get(), rig.get()]), ['key-2', second]);
      assert.equal(rig.asked(), 2);
    });
  }

  test('who cannot wait for the end of a walk hears why the one before found nothing', async () => {
    let ends = (): void => undefined;
    const clock = drivenClock(START_MS);
    const source = createRefresh({
      clock,
      nowMs: clock.wallMs,
      random: () => 0.4,
      load: () =>
        new Promise((_, reject) => {
          ends = () => reject(OUTAGE);
        }),
    });
    const first = source.resolve(AbortSignal.abort());
    await assert.rejects(first, { code: 'PENDING' });
    ends();
    await new Promise((resolve) => setImmediate(resolve));
    await assert.rejects(source.resolve(AbortSignal.abort()), OUTAGE);
    ends();
  });

  for (const [state, seconds] of [
    ['advisory', ADVISORY],
    ['mandatory', MANDATORY],
  ] as const) {
    test(`${state} and a person must act: an error, and 6 s later new ones`, async () => {
      const rig = await held(seconds);
      rig.give(FINAL, OK);
      await assert.rejects(rig.get(), FINAL);
      rig.clock.advance(6 * SECOND);
      assert.equal(await rig.get(), 'key-3');
    });
  }

  test('what a person must mend is remembered for a moment, and the source left alone', async () => {
    const rig = await held(ADVISORY);
    rig.give(FINAL);
    await assert.rejects(rig.get(), FINAL);
    await assert.rejects(rig.get(), FINAL);
    assert.equal(rig.asked(), 2);
  });

  test('the key is invalid and the refresh works: new ones', async () => {
    const rig = await held(VALID);
    rig.source.invalidate('key-1');
    assert.equal(await rig.get(), 'key-2');
  });

  test('the key is invalid and the refresh fails: the cached ones', async () => {
    const rig = await held(VALID);
    rig.give(OUTAGE);
    rig.source.invalidate('key-1');
    assert.deepEqual([await rig.get(), rig.asked()], ['key-1', 2]);
  });

  test('invalid during the back-off: the cached ones until that is over', async () => {
    const rig = await held(EXPIRED);
    rig.give(OUTAGE, OK);
    assert.equal(await rig.get(), 'key-1');
    rig.clock.advance(60 * SECOND);
    rig.source.invalidate('key-1');
    assert.deepEqual([await rig.get(), rig.asked()], ['key-1', 2]);
    rig.clock.advance(425 * SECOND);
    assert.equal(await rig.get(), 'key-3');
  });

  test('another key is invalid: the cached ones, and the source is left alone', async () => {
    const rig = await held(VALID);
    rig.source.invalidate('key-0');
    assert.deepEqual([await rig.get(), rig.asked()], ['key-1', 1]);
  });

  test('expired and it fails: asked again after the back-off, and not before', async () => {
    const rig = await held(EXPIRED);
    rig.give(OUTAGE, OK);
    assert.equal(await rig.get(), 'key-1');
    rig.clock.advance(300 * SECOND);
    assert.deepEqual([await rig.get(), rig.asked()], ['key-1', 2]);
    rig.clock.advance(425 * SECOND);
    assert.equal(await rig.get(), 'key-3');
  });

  test('none and a person must act: that error, and 6 s later new ones', async () => {
    const rig = rigOf();
    rig.give(FINAL, OK);
    await assert.rejects(rig.get(), FINAL);
    rig.clock.advance(6 * SECOND);
    assert.equal(await rig.get(), 'key-2');
  });
});

describe('beyond those', () => {
  test('first credentials that have expired already are used, and the source is left alone', async () => {
    const rig = rigOf();
    rig.give(STALE);
    assert.equal(await rig.get(), 'key-1');
    assert.deepEqual([await rig.get(), rig.asked()], ['key-1', 1]);
  });

  for (const [random, seconds] of [
    [0, 300],
    [0.999, 599],
  ] as const) {
    test(`the back-off may be as ${random === 0 ? 'short' : 'long'} as ${seconds} s`, async () => {
      const rig = await held(EXPIRED, { random });
      rig.give(OUTAGE);
      await rig.get();
      rig.clock.advance(seconds * SECOND - 1);
      await rig.get();
      assert.equal(rig.asked(), 2);
      rig.clock.advance(SECOND);
      await rig.get();
      assert.equal(rig.asked(), 3);
    });
  }

  test('what a person supplied is served while it is good, and no longer', async () => {
    const rig = await held(MANDATORY, { isManaged: false });
    rig.give(OUTAGE);
    assert.equal(await rig.get(), 'key-1');
    rig.clock.advance(60 * SECOND);
    await assert.rejects(rig.get(), OUTAGE);
    await assert.rejects(rig.get(), OUTAGE);
  });

  test('credentials without an end are read anew after 15 minutes', async () => {
    const rig = await held(899, { isManaged: false }, 'no end');
    assert.equal(await rig.get(), 'key-1');
    rig.clock.advance(SECOND);
    assert.equal(await rig.get(), 'key-2');
  });

  test('those of a process without an end are good until they are refused', async () => {
    const rig = await held(86_400, { isManaged: false }, 'for ever');
    assert.equal(await rig.get(), 'key-1');
    rig.source.invalidate('key-1');
    assert.equal(await rig.get(), 'key-2');
  });

  test('those who come at the same time share one walk, and its failure', async () => {
    const rig = rigOf();
    rig.give(OUTAGE, OK);
    const all = await Promise.allSettled([rig.get(), rig.get(), rig.get()]);
    assert.deepEqual(
      [all.map(({ status }) => status), rig.asked()],
      [['rejected', 'rejected', 'rejected'], 1],
    );
    assert.deepEqual(await Promise.all([rig.get(), rig.get()]), ['key-2', 'key-2']);
  });

  test('in the advisory window one waits for new ones, the others get the old at once', async () => {
    const rig = await held(ADVISORY);
    assert.deepEqual(await Promise.all([rig.get(), rig.get()]), ['key-2', 'key-1']);
  });

  test('a broken setting is an error even beside good credentials', async () => {
    const broken = new ConfigError('profile dev', 'broken');
    const rig = await held(ADVISORY);
    rig.give(broken);
    await assert.rejects(rig.get(), broken);
  });

  test('that nothing is configured any more does not take the old ones away', async () => {
    const rig = await held(ADVISORY);
    rig.give(new NoDataError('none'));
    assert.equal(await rig.get(), 'key-1');
  });

  test('one’s own patience ends with a failure, or with the old ones where they are good', async () => {
    const clock = drivenClock(START_MS);
    const gate: { open: (identity: Identity) => void }[] = [];
    const load = (): Promise<Identity> => new Promise((open) => gate.push({ open }));
    const source = createRefresh({ clock, nowMs: clock.wallMs, random: () => 0, load });
    const impatient = new AbortController();
    const first = source.resolve(impatient.signal);
    impatient.abort();
    await assert.rejects(first, /took too long/);
    const identity = { accessKeyId: 'a', secretAccessKey: 's', provider: 'p', isManaged: true };
    const second = source.resolve(signal);
    gate[0]?.open({ ...identity, expiresMs: clock.wallMs() + 3_600_000 });
    assert.equal((await second).accessKeyId, 'a');
    clock.advance(ADVISORY * SECOND);
    const another = new AbortController();
    const third = source.resolve(another.signal);
    another.abort();
    assert.equal((await third).accessKeyId, 'a');
  });

  test('a walk that never ends is ended after 90 s', async () => {
    const clock = drivenClock(START_MS);
    const load = (limit: AbortSignal): Promise<Identity> =>
      new Promise((_, reject) => {
        limit.addEventListener('abort', () => reject(OUTAGE));
      });
    const source = createRefresh({ clock, nowMs: clock.wallMs, random: () => 0, load });
    const waiting = source.resolve(signal);
    clock.advance(90_000);
    await assert.rejects(waiting, OUTAGE);
    assert.equal(clock.pending(), 0);
  });
});

describe('that old credentials are used', () => {
  const BACKOFF = 601 * SECOND;

  test('is told once while it lasts, with its first reason, and so is its end', async () => {
    const rig = await held(ADVISORY);
    const another = new AwsError('HTTP 500', 'another failure', { again: true });
    rig.give(OUTAGE, another, OUTAGE, OK);
    for (let attempt = 0; attempt < 3; attempt += 1) {
      assert.equal(await rig.get(), 'key-1');
      assert.equal(await rig.get(), 'key-1');
      assert.deepEqual(rig.told, [OUTAGE]);
      rig.clock.advance(BACKOFF);
    }
    assert.equal(await rig.get(), 'key-5');
    assert.equal(await rig.get(), 'key-5');
    assert.deepEqual([rig.told, rig.asked()], [[OUTAGE, 'recovered'], 5]);
  });

  test('is told anew when it comes anew', async () => {
    const rig = await held(ADVISORY);
    for (let time = 1; time <= 2; time += 1) {
      rig.give(OUTAGE, OK);
      await rig.get();
      rig.clock.advance(BACKOFF);
      await rig.get();
      assert.equal(rig.told.length, 2 * time);
      rig.clock.advance(ADVISORY * SECOND);
    }
  });

  test('is told of a source that hands out what has expired, and not as renewed each time', async () => {
    const rig = await held(EXPIRED);
    rig.give(STALE, STALE, OK);
    for (let attempt = 0; attempt < 2; attempt += 1) {
      assert.equal(await rig.get(), 'key-1');
      rig.clock.advance(BACKOFF);
    }
    assert.equal(await rig.get(), 'key-4');
    const [first, ...rest] = rig.told;
    assert.ok(first instanceof AwsError && first.code === 'Expired');
    assert.deepEqual(rest, ['recovered']);
  });

  test('is not told while all is well, nor where there are none to use', async () => {
    const rig = await held(ADVISORY);
    rig.give(OK);
    await rig.get();
    rig.clock.advance(ADVISORY * SECOND);
    rig.give(FINAL);
    await assert.rejects(rig.get(), FINAL);
    const without = rigOf();
    without.give(OUTAGE, OK);
    await assert.rejects(without.get(), OUTAGE);
    await without.get();
    assert.deepEqual([rig.told, without.told], [[], []]);
  });
});
