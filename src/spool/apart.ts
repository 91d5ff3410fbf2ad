import { type ChildProcess, spawn } from 'node:child_process';
import { failure } from '../errors.ts';
import type { Disk, Look } from './disk.ts';

/** One call of the disk's, and what became of it: a line of JSON each. */
export interface DiskRequest {
  readonly id: number;
  readonly name: keyof Disk;
  readonly argv: readonly (string | number | boolean)[];
}

export interface DiskAnswer {
  readonly id: number;
  readonly value?: unknown;
  readonly code?: string;
  readonly message?: string;
}

/** The first argument of the process that serves a folder; no flag looks like it. */
export const SERVE = '@disk';

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/**
 * A spool's folder behind another process, which is started at the first call and can be killed: a disk
 * that does not answer then holds none of our threads, and so not our end.
 *
 * @param command this program: Node and the bundle
 */
export function openDiskApart(folder: string, command: readonly [string, string]): Disk {
  const pending = new Map<number, Pending>();
  let child: ChildProcess | undefined;
  let last = 0;

  const gone = (which: ChildProcess): void => {
    // One that is gone says so twice; meanwhile another may have been started.
    if (which !== child) return;
    child = undefined;
    for (const { reject } of pending.values()) reject(failure('EIO', 'the disk’s process ended'));
    pending.clear();
  };
  const take = (line: string): void => {
    const answer = parsed(line);
    const waiting = answer && pending.get(answer.id);
    if (answer === undefined || waiting === undefined) return;
    pending.delete(answer.id);
    if (answer.code === undefined) waiting.resolve(answer.value);
    else waiting.reject(failure(answer.code, answer.message ?? answer.code));
  };
  const started = (): ChildProcess => {
    const one: ChildProcess = startServer(folder, command, take, () => gone(one));
    child = one;
    return one;
  };
  const ask = (name: keyof Disk, ...argv: DiskRequest['argv']): Promise<unknown> =>
    new Promise((resolve, reject) => {
      last += 1;
      pending.set(last, { resolve, reject });
      const request: DiskRequest = { id: last, name, argv };
      (child ?? started()).stdin?.write(`${JSON.stringify(request)}\n`);
    });

  return {
    list: async () => texts(await ask('list')),
    identity: async () => String(await ask('identity')),
    read: async (name, most) =>
      String(await ask('read', name, ...(most === undefined ? [] : [most]))),
    create: async (name) => void (await ask('create', name)),
    append: async (name, text, isSafe) => void (await ask('append', name, text, isSafe)),
    truncate: async (name, bytes) => void (await ask('truncate', name, bytes)),
    rename: async (from, to) => void (await ask('rename', from, to)),
    remove: async (name) => void (await ask('remove', name)),
    hold: async (name) => void (await ask('hold', name)),
    drop: async (name) => void (await ask('drop', name)),
    touch: async (name, wallMs) => void (await ask('touch', name, wallMs)),
    look: async (name) => lookOf(await ask('look', name)),
    async close() {
      if (child === undefined) return;
      await ask('close');
      child?.stdin?.end();
    },
  };
}

function startServer(
  folder: string,
  [node, program]: readonly [string, string],
  take: (line: string) => void,
  gone: () => void,
): ChildProcess {
  const child = spawn(node, [program, SERVE, folder], {
    stdio: ['pipe', 'pipe', 'ignore'],
    env: {},
    // Signals of a terminal or of an init's group are not for it; it ends with its standard input.
    detached: true,
  });
  let rest = '';
  child.unref();
  child.once('error', gone);
  child.once('exit', gone);
  child.stdin.on('error', gone);
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) take(line);
  });
  return child;
}

function parsed(line: string): DiskAnswer | undefined {
  const value: unknown = JSON.parse(line);
  return isAnswer(value) ? value : undefined;
}

function isAnswer(value: unknown): value is DiskAnswer {
  return typeof value === 'object' && value !== null && 'id' in value;
}

function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

function lookOf(value: unknown): Look {
  return isLook(value) ? value : { modifiedMs: 0, bytes: 0 };
}

function isLook(value: unknown): value is Look {
  return typeof value === 'object' && value !== null && 'modifiedMs' in value && 'bytes' in value;
}
