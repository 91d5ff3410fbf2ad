import { type ChildProcessByStdio, spawn } from 'node:child_process';
import process from 'node:process';
import type { Readable } from 'node:stream';
import { codeOf } from '../errors.ts';

/** A server that is busy has that long; one that is away would have for ever. */
const READ_MS = 5000;
/** By this the child says that what it wrote on its standard output is a code. */
const CODE_EXIT = 3;
/** Reads what its arguments name: a path, and the most bytes that it may have. */
const SCRIPT = `const fs=require('fs'),[,path,most]=process.argv;let say=(code)=>{fs.writeSync(1,code);process.exit(${CODE_EXIT})};
try{const fd=fs.openSync(path,fs.constants.O_RDONLY|(fs.constants.O_NONBLOCK||0)),s=fs.fstatSync(fd);
if(!s.isFile())say(s.isDirectory()?'EISDIR':s.isFIFO()?'FIFO':s.isSocket()?'SOCKET':'DEVICE');
if(s.size>most)say('EFBIG');
fs.writeFileSync(1,fs.readFileSync(fd))}catch(e){say(e.code||'EIO')}`;

/**
 * The bytes of a file, read by a process that is killed when that takes too long.
 *
 * @returns a system's code where it cannot be read; `silent` where nothing answered; `unable` where no
 *   such process can be had, `barred` where Node's permission model forbids it
 */
export function readElsewhere(path: string, maxBytes: number): Promise<Buffer | string> {
  const child = begun(path, maxBytes);
  if (child === undefined) return Promise.resolve('barred');
  // Without a file descriptor left Node makes none, whatever the types say.
  const stdout: Readable | undefined = child.stdout;
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const kill = (): void => {
      child.kill('SIGKILL');
    };
    const finish = (outcome: Buffer | string): void => {
      clearTimeout(timer);
      process.off('exit', kill);
      resolve(outcome);
    };
    const late = (): void => {
      kill();
      // Even SIGKILL waits for some file systems: nobody waits for it here.
      stdout?.destroy();
      child.unref();
      finish('silent');
    };
    const timer = setTimeout(late, READ_MS);
    process.once('exit', kill);
    stdout?.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.once('error', () => finish('unable'));
    child.once('close', (code) => {
      const bytes = Buffer.concat(chunks);
      if (code === 0) finish(bytes);
      else finish(code === CODE_EXIT ? bytes.toString('latin1') : 'unable');
    });
  });
}

/** Nothing where Node's permission model allows no other process. */
function begun(
  path: string,
  maxBytes: number,
): ChildProcessByStdio<null, Readable, null> | undefined {
  try {
    // No variables: NODE_OPTIONS may hold it up.
    return spawn(process.execPath, ['-e', SCRIPT, path, String(maxBytes)], {
      env: {},
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return undefined;
  }
}
