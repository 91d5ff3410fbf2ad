import type { CpuLevel, MemoryLevel } from './cgroup/levels.ts';
import { failureOf } from './meters.ts';
import { SYSTEM_TICKS, statFields, THREADS, USER_TICKS } from './process.ts';
import type { RootFs } from './rootfs.ts';

/** Programs that do nothing but hold a pod's namespaces: Kubernetes, podman, OpenShift. */
const SANDBOX_NAMES = new Set(['pause', 'catatonit', 'pod']);
/** What such a program has used at most, whatever its name: it waits for ever, and holds nothing. */
const SANDBOX_TICKS = 50;
/** With its name: the runtime's program that became it has counted before, seconds on a slow machine. */
const NAMED_TICKS = 500;
const SANDBOX_NANOSECONDS = 5e8;
const SANDBOX_BYTES = 8 * 1024 * 1024;
const SANDBOX_PAGES = 1024;
/** Version 1 writes about 2^63 for no limit. */
const NO_LIMIT_BYTES = 2 ** 60;

interface Levels {
  readonly cpu: CpuLevel;
  readonly memory: MemoryLevel;
}

/**
 * The sandbox of a pod: the group of process 1 with that one process, which has no limits of its own
 * and next to no CPU time and memory, or carries a name that such programs have.
 *
 * @param pids the container's processes; @param member its files, where they can be read
 */
export function isSandbox(
  fs: RootFs,
  pids: readonly string[],
  member: Levels | undefined,
): boolean {
  if (pids.length !== 1 || pids[0] !== '1') return false;
  const isNamed = SANDBOX_NAMES.has(fs.text('/proc/1/comm').trim());
  if (member === undefined) {
    if (fs.text('/proc/1/stat') === '') return isNamed;
    return isSmall(fs, isNamed ? NAMED_TICKS : SANDBOX_TICKS);
  }
  const { cpu, memory } = member;
  const hasLimits = Number.isFinite(cpu.readLimit()) || memory.readOwnLimit() < NO_LIMIT_BYTES;
  const isIdle =
    numberOr0(() => cpu.readUsageNs()) < SANDBOX_NANOSECONDS &&
    numberOr0(() => memory.readUsed()) < SANDBOX_BYTES;
  return !hasLimits && (isNamed || (isIdle && isSmall(fs, SANDBOX_TICKS)));
}

/** What a group that lacks a controller does not tell is 0. */
function numberOr0(read: () => number): number {
  let value = 0;
  const failure = failureOf(() => {
    value = read();
  });
  return failure === undefined ? value : 0;
}

/**
 * CPU time, memory and threads of process 1, which everybody may read: a small program that has just
 * been started has threads, most of the time, and a sandbox never. What is not told does not count.
 */
function isSmall(fs: RootFs, mostTicks: number): boolean {
  const fields = statFields(fs, '1');
  const [user, system] = [fields[USER_TICKS] ?? 0, fields[SYSTEM_TICKS] ?? 0];
  const threads = fields[THREADS] ?? 1;
  const [, resident = 0] = /^\d+ (\d+)/.exec(fs.text('/proc/1/statm')) ?? [];
  const isIdle = Number(user) + Number(system) < mostTicks;
  return isIdle && Number(resident) < SANDBOX_PAGES && Number(threads) === 1;
}
