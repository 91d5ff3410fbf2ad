import type { Clock } from '../../src/clock.ts';

/** A clock that a test drives: time passes only by {@link DrivenClock.advance}. */
export interface DrivenClock extends Clock {
  /** Lets time pass and runs what falls due, in order, each at its own instant. */
  advance(ms: number): void;
  /** Sets the wall clock, as an administrator or NTP does; the monotonic one goes on. */
  setWall(ms: number): void;
  /** Tasks that have not run and were not cancelled. */
  pending(): number;
}

interface Task {
  readonly dueMs: number;
  readonly run: () => void;
}

export function drivenClock(wallStartMs: number): DrivenClock {
  const tasks = new Set<Task>();
  let mono = 1000;
  let wallOffset = wallStartMs - mono;

  function nextDue(limit: number): Task | undefined {
    let next: Task | undefined;
    for (const task of tasks) {
      if (task.dueMs <= limit && (next === undefined || task.dueMs < next.dueMs)) next = task;
    }
    return next;
  }

  return {
    monoMs: () => mono,
    wallMs: () => mono + wallOffset,
    after(delayMs, run) {
      const task: Task = { dueMs: mono + delayMs, run };
      tasks.add(task);
      return () => tasks.delete(task);
    },
    advance(ms) {
      const target = mono + ms;
      for (let task = nextDue(target); task !== undefined; task = nextDue(target)) {
        tasks.delete(task);
        mono = Math.max(mono, task.dueMs);
        task.run();
      }
      mono = target;
    },
    setWall(ms) {
      wallOffset = ms - mono;
    },
    pending: () => tasks.size,
  };
}
