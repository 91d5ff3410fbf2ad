import type { RootFs } from './rootfs.ts';

/** A process, so that people know which one is meant. */
export interface Identified {
  readonly pid: string;
  readonly comm: string;
  readonly uid: string;
}

/** The processes that are visible, the oldest first, mostly: a container is known by the same one at each look. */
export function processes(fs: RootFs): readonly string[] {
  const pids = fs.list('/proc').filter((name) => /^\d+$/.test(name));
  return pids.sort((one, other) => Number(one) - Number(other));
}

/** What stands behind a process's name in its stat, from its state on; the name may hold anything. */
export function statFields(fs: RootFs, pid: string): readonly string[] {
  const text = fs.text(`/proc/${pid}/stat`);
  return text
    .slice(text.lastIndexOf(')') + 1)
    .trim()
    .split(' ');
}

/** Places of these fields, counted from the state. */
const STATE = 0;
export const USER_TICKS = 11;
export const SYSTEM_TICKS = 12;
export const THREADS = 17;

/** A process that has ended and waits for its parent has no files, and is no member. */
export function isAlive(fs: RootFs, pid: string): boolean {
  if (fs.text(`/proc/${pid}/cgroup`) === '') return false;
  const state = statFields(fs, pid)[STATE];
  return state !== 'Z' && state !== 'X';
}

/**
 * A runtime's own program that is about to become a container's first one (`runc:[2:INIT]`): nothing of
 * that container has run yet, and what it has for a root may still be the machine's.
 */
export function isStarting(fs: RootFs, pid: string): boolean {
  return fs.text(`/proc/${pid}/comm`).startsWith('runc:[');
}

export function identify(fs: RootFs, pid: string): Identified {
  const [, uid = '?'] = /^Uid:\s+(\d+)/m.exec(fs.text(`/proc/${pid}/status`)) ?? [];
  return { pid, comm: fs.text(`/proc/${pid}/comm`).trim() || '?', uid };
}
