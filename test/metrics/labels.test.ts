import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Labels } from '../../src/metrics/labels.ts';
import { type DrivenClock, drivenClock } from '../support/clock.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const NOON = Date.UTC(2026, 0, 1, 12);

interface Rig {
  readonly clock: DrivenClock;
  readonly labels: Labels;
  /** Jumps that were told. */
  readonly told: number[];
  sleep(ms: number): void;
}

function rig(): Rig {
  const clock = drivenClock(NOON);
  let sleptMs = 0;
  const uptimeMs = (): number => clock.monoMs() + sleptMs;
  const labels = new Labels({ clock, uptimeMs, periodMs: MINUTE, isAligned: true });
  const told: number[] = [];
  labels.follow((byMs) => told.push(byMs));
  const sleep = (ms: number): void => {
    sleptMs += ms;
    clock.setWall(clock.wallMs() + ms);
  };
  return { clock, labels, told, sleep };
}

/** In minutes after noon. */
function minutes(labels: readonly number[]): number[] {
  return labels.map((label) => (label - NOON) / MINUTE);
}

describe('a clock that was set', () => {
  test('is noticed at the next look, once, also after days', () => {
    const { clock, labels, told } = rig();
    clock.advance(72 * HOUR);
    assert.equal(labels.setMs(), 0);
    clock.setWall(clock.wallMs() + 2 * MINUTE);
    assert.deepEqual(
      [labels.setMs(), labels.setMs(), told],
      [2 * MINUTE, 2 * MINUTE, [2 * MINUTE]],
    );
  });

  test('is none that slept', () => {
    const { labels, told, sleep } = rig();
    sleep(8 * HOUR);
    assert.deepEqual([labels.setMs(), told], [0, []]);
  });

  test('while the machine slept is set by the rest', () => {
    const { clock, labels, sleep } = rig();
    sleep(8 * HOUR);
    clock.setWall(clock.wallMs() - 10_000);
    assert.equal(labels.setMs(), -10_000);
  });
});

describe('labels of windows that nobody has seen', () => {
  test('move with the clock, on the grid, and are free again', () => {
    const { labels } = rig();
    const given = [0, 1, 2].map((minute) => labels.take(NOON + minute * MINUTE));
    const moved = labels.move(given, 3 * MINUTE + 20_000);
    assert.deepEqual(minutes(moved), [3, 4, 5]);
    assert.deepEqual(minutes([labels.take(NOON + MINUTE), labels.take(NOON + 4 * MINUTE)]), [
      1,
      4 + 1 / 60,
    ]);
  });

  test('back among those that were published are a second beside them', () => {
    const { labels } = rig();
    const given = [0, 1, 2, 3].map((minute) => labels.take(NOON + minute * MINUTE));
    const moved = labels.move(given.slice(2), -2 * MINUTE);
    assert.deepEqual(minutes(moved), [1 / 60, 1 + 1 / 60]);
    assert.deepEqual(minutes([labels.take(NOON + 2 * MINUTE)]), [2]);
  });

  test('that wait in two places are the same in both afterwards', () => {
    const { clock, labels } = rig();
    const given = [0, 1, 2].map((minute) => labels.take(NOON + minute * MINUTE));
    const waiting = [given, given.slice(1)];
    waiting.forEach((own, index) => {
      labels.follow((byMs) => {
        waiting[index] = [...labels.move(own, byMs)];
      });
    });
    clock.setWall(clock.wallMs() + 10 * MINUTE);
    labels.setMs();
    assert.deepEqual(minutes(waiting[0] ?? []), [10, 11, 12]);
    assert.deepEqual(waiting[1], waiting[0]?.slice(1));
  });

  test('move any number of times without one twice', () => {
    const { labels } = rig();
    let given: readonly number[] = [];
    const sent: number[] = [];
    for (let round = 0; round < 60; round += 1) {
      given = [...given, labels.take(NOON + (round % 17) * MINUTE)];
      given = labels.move(given, (((round * 7919) % 41) - 20) * 15_000);
      if (round % 5 === 0) sent.push(...given.slice(0, 2));
      if (round % 5 === 0) given = given.slice(2);
    }
    const all = [...sent, ...given];
    assert.deepEqual([all.length, new Set(all).size], [60, 60]);
  });
});
