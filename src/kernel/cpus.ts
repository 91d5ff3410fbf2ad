/**
 * A list of CPUs, as in /sys/devices/system/cpu/online and cpuset.cpus.effective: `0-3,8`.
 *
 * @see https://man7.org/linux/man-pages/man7/cpuset.7.html
 */

/** How many CPUs a list names; NaN where it names none or is no list. */
export function countCpus(list: string): number {
  let count = 0;
  for (const range of list.trim().split(',')) {
    const [, first, last = first] = /^(\d+)(?:-(\d+))?$/.exec(range) ?? [];
    const size = Number(last) - Number(first) + 1;
    if (!(size > 0)) return Number.NaN;
    count += size;
  }
  return count;
}
