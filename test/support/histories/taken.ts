import assert from 'node:assert/strict';

/** What a process takes, in bytes. */
export interface Taken {
  readonly resident: number;
  /** What its own objects take, after the garbage collection. */
  readonly live: number;
}

/** Needs `--expose-gc`. */
export function taken(): Taken {
  // What the first one only marks the second one frees.
  for (const _ of [1, 2]) globalThis.gc?.();
  const { rss, heapUsed, external } = process.memoryUsage();
  return { resident: rss, live: heapUsed + external };
}

/** In the best of several stretches. */
const RESIDENT_GROWTH = 128 * 1024;
const RESIDENT_GROWTH_IN_ALL = 8 * 1024 * 1024;

/**
 * Asserts that a process grows no more, by what it took after each of several stretches of equal length.
 * Its own objects are counted to the byte. Resident memory is not: the kernel and the heap give it out in pages,
 * now and then a megabyte at once. That makes one step, and a leak makes each of them.
 *
 * @param liveGrowth room for code that is compiled late, and what V8 learns of it
 */
export function assertNoGrowth(all: readonly Taken[], liveGrowth: number): void {
  const text = JSON.stringify(all);
  // The first stretch warms up: code is compiled, and V8 learns what it is called with.
  const [, first] = all;
  const last = all.at(-1);
  assert.ok(first !== undefined && last !== undefined && all.length >= 6, text);
  assert.ok(last.live - first.live < liveGrowth, text);
  assert.ok(last.resident - first.resident < RESIDENT_GROWTH_IN_ALL, text);
  const steps = all.slice(1).map(({ resident }, index) => resident - (all[index]?.resident ?? 0));
  assert.ok(Math.min(...steps) < RESIDENT_GROWTH, text);
}
