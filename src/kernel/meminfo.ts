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

import { keyedNumber } from './bytes.ts';

const KIB = 1024;

/** The three first lines stand within this many bytes on every kernel seen. */
export const MEMINFO_HEAD_BYTES = 128;

/** Where MemAvailable stands in /proc/meminfo of every kernel since 4.6: lines are of one length. */
export const AVAILABLE_HINT = 56;

/** Bytes behind a key such as `MemTotal:`; NaN where the key is not there. */
export function memory(bytes: Buffer, end: number, key: string, hint: number = 0): number {
  return keyedNumber(bytes, end, key, hint) * KIB;
}

/**
 * Available bytes as the kernel itself reckons them, for kernels that do not say: what is free, and
 * the part of page cache and slabs that can be had back, above the low watermarks. Without watermarks,
 * what sysinfo takes; without the newer keys, free and cached.
 *
 * @param lowWatermark bytes, or NaN where /proc/zoneinfo is not there
 * @returns bytes, at least 0; NaN where not even MemFree is there
 */
export function estimateAvailable(bytes: Buffer, end: number, lowWatermark: number): number {
  const free = memory(bytes, end, 'MemFree:');
  const pageCache = memory(bytes, end, 'Active(file):') + memory(bytes, end, 'Inactive(file):');
  const reclaimable = memory(bytes, end, 'SReclaimable:');
  const cached = orZero(memory(bytes, end, 'Cached:'));
  const likeTheKernel =
    free -
    lowWatermark +
    aboveWatermark(pageCache, lowWatermark) +
    aboveWatermark(reclaimable, lowWatermark);
  const shmem = orZero(memory(bytes, end, 'Shmem:'));
  const likeSysinfo = free + orZero(memory(bytes, end, 'Buffers:')) + cached + reclaimable - shmem;
  for (const estimate of [likeTheKernel, likeSysinfo, free + cached]) {
    if (!Number.isNaN(estimate)) return Math.max(estimate, 0);
  }
  return Number.NaN;
}

function aboveWatermark(size: number, lowWatermark: number): number {
  return size - Math.min(size / 2, lowWatermark);
}

export function orZero(value: number): number {
  return Number.isNaN(value) ? 0 : value;
}

/** In use by procps' free until 3.2: whatever is not free, page cache included. */
export function usedWithCache(bytes: Buffer, end: number): number {
  return memory(bytes, end, 'MemTotal:') - memory(bytes, end, 'MemFree:');
}

/**
 * In use by the README of the crate that came before: without free, buffers, page cache and slabs.
 * Below 0 where these are more than there is, which cannot be.
 */
export function usedWithoutCache(bytes: Buffer, end: number): number {
  const keys = ['MemFree:', 'Buffers:', 'Cached:', 'Slab:'];
  const unused = keys.reduce((sum, key) => sum + orZero(memory(bytes, end, key)), 0);
  return memory(bytes, end, 'MemTotal:') - unused;
}

/**
 * What cannot be given back: all that is neither free, nor page cache of files, nor slabs that can be
 * had back. Cached counts shared memory, which is held. NaN where the kernel does not say.
 */
export function held(bytes: Buffer, end: number): number {
  const total = memory(bytes, end, 'MemTotal:');
  const free = memory(bytes, end, 'MemFree:');
  const files =
    memory(bytes, end, 'Cached:') +
    orZero(memory(bytes, end, 'Buffers:')) -
    orZero(memory(bytes, end, 'Shmem:'));
  return total - free - files - orZero(memory(bytes, end, 'SReclaimable:'));
}

/** Bytes of swap that there is; NaN where the kernel does not say. */
export function swapTotal(bytes: Buffer, end: number): number {
  return memory(bytes, end, 'SwapTotal:');
}

/**
 * Bytes of swap in use; what is also in memory does not count. NaN where the kernel does not say; below
 * 0 where more is free than there is, which cannot be.
 */
export function swapUsed(bytes: Buffer, end: number): number {
  const cached = orZero(memory(bytes, end, 'SwapCached:'));
  const used = swapTotal(bytes, end) - memory(bytes, end, 'SwapFree:');
  return used < 0 ? used : Math.max(0, used - cached);
}
