import { readdirSync, readFileSync } from 'node:fs';
import { unlessRefused } from '../errors.ts';

/** libuv's pool, which comes to life all at once with its first use, and aborts in C where it cannot. */
const POOL = 4;

/** Whoever asked had enough, and has brought the pool to life. */
let isAlive = false;

/**
 * Whether the threads that a disk or getaddrinfo needs can still be had here. To be asked right before
 * their first use.
 *
 * @param poolSize UV_THREADPOOL_SIZE
 * @returns what leaves too few; nothing where there are enough
 */
export function lackOfThreads(poolSize: string | undefined): string | undefined {
  if (isAlive) return undefined;
  const needed = Number(poolSize) || POOL;
  const [left, limit] = leftOfPids();
  isAlive = left >= needed;
  return isAlive ? undefined : `${limit} leaves ${left} threads, and ${needed} are needed`;
}

/** The tightest level of the pids controller, version 1 or 2. */
function leftOfPids(): [left: number, limit: string] {
  let tightest: [number, string] = [Number.POSITIVE_INFINITY, ''];
  for (const line of textOf('/proc/self/cgroup').split('\n')) {
    const [, controllers = '', path = ''] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (controllers !== '' && !controllers.split(',').includes('pids')) continue;
    const root = controllers === '' ? '/sys/fs/cgroup' : '/sys/fs/cgroup/pids';
    for (const folder of levelsOf(root, path)) {
      const max = Number(textOf(`${folder}/pids.max`).trim() || 'max');
      const current = Number(textOf(`${folder}/pids.current`).trim() || Number.NaN);
      if (max - current < tightest[0]) tightest = [max - current, `${folder}/pids.max=${max}`];
    }
  }
  const byUser = leftOfUser();
  return byUser < tightest[0] ? [byUser, 'RLIMIT_NPROC'] : tightest;
}

/** A private namespace shows the own group as the root. */
function levelsOf(root: string, path: string): string[] {
  const parts = path.split('/').filter((part) => part !== '' && part !== '..');
  return parts.map((_, index) => `${root}/${parts.slice(0, index + 1).join('/')}`).concat(root);
}

/** Threads of this user are counted; root's are not. */
function leftOfUser(): number {
  const [, soft = ''] = /^Max processes +(\d+)/m.exec(textOf('/proc/self/limits')) ?? [];
  const own = uidOf('self');
  if (soft === '' || own === '0' || own === '') return Number.POSITIVE_INFINITY;
  let threads = 0;
  for (const pid of namesIn('/proc').filter((name) => /^\d+$/.test(name))) {
    if (uidOf(pid) === own) threads += namesIn(`/proc/${pid}/task`).length;
  }
  return Number(soft) - threads;
}

function uidOf(pid: string): string {
  return /^Uid:\s+(\d+)/m.exec(textOf(`/proc/${pid}/status`))?.[1] ?? '';
}

function namesIn(folder: string): string[] {
  return unlessRefused(() => readdirSync(folder), []);
}

/** Empty where there is no such file, as anywhere but on Linux. */
function textOf(path: string): string {
  return unlessRefused(() => readFileSync(path, 'utf8'), '');
}
