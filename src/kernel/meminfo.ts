/**
 * /proc/meminfo:
 *
 *     MemTotal:       24684084 kB
 *     MemFree:        24439564 kB
 *     MemAvailable:   24399108 kB
 *
 * "kB" is 1,024 bytes; everything here is in bytes. Lines come in any order and any of them may be
 * missing: SReclaimable came with 2.6.19, Active(file) with 2.6.28, Shmem with 2.6.32, MemAvailable
 * with 3.14. Very old kernels print a table of two lines first, which no key of ours matches.
 *
 * @see https://docs.kernel.org/filesystems/proc.html#meminfo
 */

import { keyedNumber } from './text.ts';

const KIB = 1024;

/** Bytes in use, of bytes that there are. */
export interface HostMemory {
  readonly total: number;
  /** Estimate of what can be had without swapping. NaN where the kernel does not say. */
  readonly available: number;
}

/** The three first lines stand within this many bytes on every kernel seen. */
export const MEMINFO_HEAD_BYTES = 128;

/**
 * MemTotal and MemAvailable. `available` is NaN where it is missing, 0 (odd kernels) or above the
 * total (seen under LXC): then {@link estimateAvailable} answers.
 *
 * @throws SyntaxError where MemTotal is missing or 0
 */
export function parseMemory(text: string): HostMemory {
  const total = keyedNumber(text, 'MemTotal:') * KIB;
  if (!(total > 0)) throw new SyntaxError('no line "MemTotal:" with a number above 0');
  const available = keyedNumber(text, 'MemAvailable:') * KIB;
  return { total, available: available > 0 && available <= total ? available : Number.NaN };
}

/**
 * Available bytes as the kernel itself reckons them, for kernels that do not say: what is free, and
 * the part of page cache and slabs that can be had back, above the low watermarks. Without watermarks,
 * what sysinfo takes; without the newer keys, free and cached.
 *
 * @param lowWatermark bytes, or NaN where /proc/zoneinfo is not there
 * @returns bytes, 0 to the total; NaN where not even MemFree is there
 */
export function estimateAvailable(text: string, lowWatermark: number): number {
  const bytes = (key: string): number => keyedNumber(text, key) * KIB;
  const total = bytes('MemTotal:');
  const free = bytes('MemFree:');
  const pageCache = bytes('Active(file):') + bytes('Inactive(file):');
  const reclaimable = bytes('SReclaimable:');
  const buffers = orZero(bytes('Buffers:'));
  const cached = orZero(bytes('Cached:'));
  const likeTheKernel =
    free - lowWatermark + aboveWatermark(pageCache) + aboveWatermark(reclaimable);
  const likeSysinfo = free + buffers + cached + reclaimable - orZero(bytes('Shmem:'));
  const estimates = [likeTheKernel, likeSysinfo, free + cached];
  const estimate = estimates.find((value) => !Number.isNaN(value)) ?? Number.NaN;
  return Math.min(Math.max(estimate, 0), total);

  function aboveWatermark(size: number): number {
    return size - Math.min(size / 2, lowWatermark);
  }
}

function orZero(value: number): number {
  return Number.isNaN(value) ? 0 : value;
}

/** In use by procps' free until 3.2: whatever is not free, page cache included. */
export function usedWithCache(text: string): number {
  return (keyedNumber(text, 'MemTotal:') - keyedNumber(text, 'MemFree:')) * KIB;
}

/** In use by the README of the crate that came before: without free, buffers, page cache and slabs. */
export function usedWithoutCache(text: string): number {
  const keys = ['MemFree:', 'Buffers:', 'Cached:', 'Slab:'];
  const unused = keys.reduce((sum, key) => sum + orZero(keyedNumber(text, key)), 0);
  return Math.max(0, keyedNumber(text, 'MemTotal:') - unused) * KIB;
}

/** Swap in use, of swap that there is; what is also in memory does not count. */
export function parseSwap(text: string): { used: number; limit: number } {
  const limit = keyedNumber(text, 'SwapTotal:') * KIB;
  const cached = orZero(keyedNumber(text, 'SwapCached:')) * KIB;
  const used = limit - keyedNumber(text, 'SwapFree:') * KIB - cached;
  return { used: Math.max(0, used), limit };
}
