import assert from 'node:assert/strict';
import {
  coresUsed,
  type Measured,
  meanCpuPercent,
  median,
  memoryPercent,
  throttledPercent,
} from './agent.ts';

/** In points: what lies between the agent's reading and ours, and the clamp at 100. */
const CPU_TOLERANCE = 3;
/** In points: charges are batched by CPU, and a reading lies some ms beside the agent's. */
const MEMORY_TOLERANCE = 2;
/** In points: a few periods more or less, of some forty. */
const THROTTLE_TOLERANCE = 8;

/** What else was said, for the message of a failure. */
function context({ stderr, metrics }: Measured): string {
  return `metrics ${JSON.stringify(metrics)}\nstderr ${stderr}`;
}

export function assertWithin(
  actual: number | undefined,
  [low, high]: readonly [number, number],
  what: string,
  run: Measured,
): void {
  const fits = actual !== undefined && actual >= low && actual <= high;
  assert.ok(fits, `${what}: ${actual}, expected ${low} to ${high}\n${context(run)}`);
}

export function assertEnded(run: Measured): void {
  assert.equal(run.code, 0, context(run));
  assert.ok(run.samples.length >= 2, `${run.samples.length} samples\n${context(run)}`);
}

/** The start line's words, and no others of these names. */
export function assertScope(run: Measured, words: Readonly<Record<string, string>>): void {
  const said = Object.fromEntries(Object.keys(words).map((name) => [name, run.scope[name]]));
  assert.deepEqual(said, words, context(run));
}

/** The mean of the samples, by their spans, against the kernel's counters over the same time. */
export function assertCpuTruth(run: Measured, cores: number): void {
  const ours = meanCpuPercent(run);
  const truth = Math.min(100, (100 * coresUsed(run)) / cores);
  const band = [truth - CPU_TOLERANCE, truth + CPU_TOLERANCE] as const;
  assertWithin(ours, band, 'mean of CPUUtilization against the kernel’s counters', run);
}

export function assertMemoryTruth(run: Measured, limitMiB: number): void {
  const ours = median(run.samples.map(({ MemoryUtilization = Number.NaN }) => MemoryUtilization));
  const truth = memoryPercent(run, limitMiB);
  const band = [truth - MEMORY_TOLERANCE, truth + MEMORY_TOLERANCE] as const;
  assertWithin(ours, band, 'median of MemoryUtilization against the kernel’s counters', run);
}

/** Saturated, so most periods are throttled; the share is the kernel's own. */
export function assertThrottled(run: Measured): void {
  const truth = throttledPercent(run);
  const band = [Math.max(50, truth - THROTTLE_TOLERANCE), truth + THROTTLE_TOLERANCE] as const;
  assertWithin(run.metrics['CPUThrottled'], band, 'CPUThrottled', run);
}

/**
 * The same where the machine is emulated: its clock is too coarse to hold our median against the
 * kernel's share of the whole span, in which the load only begins.
 */
export function assertMostlyThrottled(run: Measured): void {
  assert.ok(throttledPercent(run) > 50, `the load did not saturate ${context(run)}`);
  assertWithin(run.metrics['CPUThrottled'], [50, 100], 'CPUThrottled', run);
}

export function assertAbsent(run: Measured, names: readonly string[]): void {
  assert.ok(run.metrics['CPUUtilization'] !== undefined, context(run));
  const there = names.filter((name) => name in run.metrics);
  assert.deepEqual(there, [], context(run));
}

/** Warnings that the agent measures nothing but itself. */
export function saidAlone({ warnings }: Measured): number {
  return warnings.filter((message) => /\balone\b/i.test(message)).length;
}
