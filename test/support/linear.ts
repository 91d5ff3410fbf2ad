import assert from 'node:assert/strict';

/**
 * Linear work on 10^6 characters takes milliseconds; with a million objects to make, a second. Quadratic
 * work takes minutes.
 */
const LONGEST_MS = 5000;
const TRIES = 3;

/**
 * That some work on 1 MB is no quadratic one. It is the CPU time of this process that counts, at the best
 * of three tries: a machine that is busy with something else makes it wait, but not work.
 */
export function assertLinear(work: () => unknown): void {
  let leastMs = Number.POSITIVE_INFINITY;
  for (let tries = 0; tries < TRIES && leastMs >= LONGEST_MS; tries += 1) {
    const before = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(before);
    leastMs = Math.min(leastMs, (user + system) / 1000);
  }
  assert.ok(leastMs < LONGEST_MS, `${leastMs} ms of CPU time`);
}
