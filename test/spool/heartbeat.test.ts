import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Heartbeat } from '../../src/spool/heartbeat.ts';
import { BEAT_MS } from '../../src/spool/owners.ts';
import { type DrivenClock, drivenClock } from '../support/clock.ts';

const PATIENCE_MS = 1000;
/** After so long without a beat others may be about to take this process for dead. */
const UNSURE_MS = 2 * BEAT_MS;

interface Rig {
  readonly clock: DrivenClock;
  readonly heart: Heartbeat;
  /** Ends the beat that is under way, if there is one. */
  end(error?: Error): Promise<void>;
  /** Beats that began. */
  begun(): number;
  readonly failures: unknown[];
}

function rig(): Rig {
  const clock = drivenClock(Date.UTC(2026, 0, 1));
  let begun = 0;
  let settle: (error?: Error) => void = () => undefined;
  const failures: unknown[] = [];
  const heart = new Heartbeat(clock, {
    isNeeded: () => true,
    beat: () =>
      new Promise((resolve, reject) => {
        begun += 1;
        settle = (error) => (error === undefined ? resolve() : reject(error));
      }),
    failed: (error) => failures.push(error),
  });
  const end = async (error?: Error): Promise<void> => {
    settle(error);
    await turns();
  };
  return { clock, heart, end, begun: () => begun, failures };
}

async function turns(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

/** Whether something has settled by now. */
async function isDone(work: Promise<void>): Promise<boolean> {
  let done = false;
  work.then(() => {
    done = true;
  });
  await turns();
  return done;
}

describe('a heartbeat', () => {
  test('comes every 5 s, and the next one not before the last has ended', async () => {
    const { clock, heart, end, begun } = rig();
    heart.keep();
    clock.advance(BEAT_MS - 1);
    assert.equal(begun(), 0);
    clock.advance(1);
    assert.equal(begun(), 1);
    clock.advance(2 * BEAT_MS);
    assert.equal(begun(), 1);
    await end();
    clock.advance(BEAT_MS);
    assert.equal(begun(), 2);
    heart.stop();
    await end();
    clock.advance(9 * BEAT_MS);
    assert.deepEqual([begun(), clock.pending()], [2, 0]);
  });

  test('keeps nobody as long as the last one is young', async () => {
    const { clock, heart, begun } = rig();
    heart.keep();
    clock.advance(BEAT_MS - 1);
    assert.ok(await isDone(heart.verifyOwnershipWithin(PATIENCE_MS)));
    assert.equal(begun(), 0);
  });

  test('is waited for after a long silence, and no longer than patience lasts', async () => {
    const { clock, heart, end } = rig();
    heart.keep();
    clock.advance(UNSURE_MS);
    const heard = heart.verifyOwnershipWithin(PATIENCE_MS);
    assert.equal(await isDone(heard), false);
    await end();
    assert.ok(await isDone(heard));
    clock.advance(UNSURE_MS);
    const unheard = heart.verifyOwnershipWithin(PATIENCE_MS);
    clock.advance(PATIENCE_MS - 1);
    assert.equal(await isDone(unheard), false);
    clock.advance(1);
    assert.ok(await isDone(unheard));
  });

  test('that does not end is waited for once: the disk is known to stand still', async () => {
    const { clock, heart, end } = rig();
    heart.keep();
    clock.advance(UNSURE_MS);
    const first = heart.verifyOwnershipWithin(PATIENCE_MS);
    clock.advance(PATIENCE_MS);
    assert.ok(await isDone(first));
    for (let look = 0; look < 3; look += 1) {
      assert.ok(await isDone(heart.verifyOwnershipWithin(PATIENCE_MS)));
      clock.advance(UNSURE_MS);
    }
    await end();
    assert.equal(await isDone(heart.verifyOwnershipWithin(PATIENCE_MS)), false, 'it moves again');
  });

  test('that fails keeps nobody, and is tried again by the next who asks', async () => {
    const { clock, heart, end, begun, failures } = rig();
    heart.keep();
    clock.advance(UNSURE_MS);
    for (const nth of [1, 2, 3]) {
      const work = heart.verifyOwnershipWithin(PATIENCE_MS);
      await end(new Error('EROFS'));
      assert.ok(await isDone(work));
      assert.deepEqual([begun(), failures.length], [nth, nth]);
    }
  });

  test('is old after a suspend, which the monotonic clock does not see', async () => {
    const { clock, heart, end, begun } = rig();
    heart.keep();
    clock.setWall(clock.wallMs() + 3_600_000);
    const work = heart.verifyOwnershipWithin(PATIENCE_MS);
    assert.equal(await isDone(work), false);
    await end();
    assert.ok(await isDone(work));
    assert.equal(begun(), 1);
  });
});
