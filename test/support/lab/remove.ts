import { existsSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

/** A killed process leaves its cgroup at once, a big one within a second. */
const REMOVAL = { attempts: 100, pauseMs: 50 };

/** Ends what still runs in there: nothing but the lab's own children can. */
export async function removeCgroup(dir: string): Promise<void> {
  for (let attempt = 1; existsSync(dir); attempt += 1) {
    endProcesses(dir);
    if (removed(dir)) return;
    if (attempt === REMOVAL.attempts) throw new Error(`${dir} is still busy`);
    await pause(REMOVAL.pauseMs);
  }
}

function endProcesses(dir: string): void {
  for (const child of foldersIn(dir)) endProcesses(child);
  const text = unlessGone(() => readFileSync(join(dir, 'cgroup.procs'), 'latin1')) ?? '';
  for (const pid of text.split('\n').map(Number)) {
    // 0 is a process of another PID namespace, and to `kill` our own process group.
    if (pid > 0) unlessGone(() => process.kill(pid, 'SIGKILL'));
  }
}

/** From the leaves up; false where something is busy yet. */
function removed(dir: string): boolean {
  if (!foldersIn(dir).every(removed)) return false;
  try {
    rmdirSync(dir);
  } catch (error) {
    if (isCode(error, 'EBUSY')) return false;
    if (!isCode(error, 'ENOENT')) throw error;
  }
  return true;
}

/** Nothing where the file or the process has gone meanwhile. */
function unlessGone<Value>(act: () => Value): Value | undefined {
  try {
    return act();
  } catch (error) {
    if (['ENOENT', 'ENODEV', 'ESRCH'].some((code) => isCode(error, code))) return undefined;
    throw error;
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

export function foldersIn(dir: string): string[] {
  if (!existsSync(dir)) return [];
  return readdirSync(dir, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => join(dir, name));
}
