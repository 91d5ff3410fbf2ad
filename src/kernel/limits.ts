/**
 * Limits of a cgroup:
 *
 *     cpu.max                  50000 100000        (version 2: quota, or `max`, and period in µs)
 *     cpu.cfs_quota_us         50000               (version 1: -1 for none)
 *     cpu.cfs_period_us        100000
 *     memory.max               268435456           (version 2: bytes, or `max`)
 *     memory.limit_in_bytes    9223372036854771712 (version 1: this or the like for none)
 *
 * @see https://docs.kernel.org/admin-guide/cgroup-v2.html#cpu-interface-files
 * @see https://docs.kernel.org/scheduler/sched-bwc.html
 */

const DEFAULT_PERIOD_USEC = 100_000;

/** Cores that version 2's `cpu.max` allows; Infinity for `max` and for what is none of the two. */
export function parseCpuMax(text: string): number {
  const [quota = '', period = String(DEFAULT_PERIOD_USEC)] = text.trim().split(/\s+/);
  return cores(quota, period);
}

/** Cores that version 1's quota and period allow; Infinity for -1 and for what is no quota. */
export function parseCfsQuota(quota: string, period: string): number {
  return cores(quota.trim(), period.trim());
}

/** Bytes; Infinity for `max` and for what is no number. 0 is a limit that cannot be meant. */
export function parseByteLimit(text: string): number {
  const word = text.trim();
  return /^\d+$/.test(word) && Number(word) > 0 ? Number(word) : Number.POSITIVE_INFINITY;
}

function cores(quotaUsec: string, periodUsec: string): number {
  const isCount = /^\d+$/.test(quotaUsec) && /^\d+$/.test(periodUsec);
  const share = Number(quotaUsec) / Number(periodUsec);
  return isCount && share > 0 && Number.isFinite(share) ? share : Number.POSITIVE_INFINITY;
}
