import type { ChildProcess } from 'node:child_process';
import process from 'node:process';
import type { Readable } from 'node:stream';
import { AwsError, codeOf, reasonOf } from '../../errors.ts';
import { parseFields, textOf } from '../../metadata/json.ts';
import { keepSecret, redactText } from '../redact.ts';
import type { ProviderContext } from './context.ts';
import type { Provided } from './identity.ts';
import { readCredentials } from './json.ts';

const TIMEOUT_MS = 60_000;
const MAX_BYTES = 64 * 1024;

/**
 * Credentials that a credential_process writes. A shell takes the command, as with most SDKs; neither
 * the command nor what it writes is ever shown, but for its last words on stderr.
 */
export async function fromProcess(
  { home, skew, clock }: ProviderContext,
  command: string,
): Promise<Provided> {
  const { spawn } = await import('node:child_process');
  const isWindows = home.platform === 'win32';
  const [shell, flag] = isWindows ? ['cmd.exe', '/C'] : ['sh', '-c'];
  const text = await new Promise<string>((resolve, reject) => {
    // A process group of its own, so that what the shell has started ends with it.
    const child = spawn(shell, [flag, command], {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: !isWindows,
    });
    // Where the process is another's, it may end before: the pipes are sockets, whatever their type says.
    child.unref();
    const output = { stdout: '', stderr: '' };
    const fail = (how: string): void => {
      keepSecret(...wordsOf(output.stdout));
      reject(failed(`${how}${lastWords(output.stderr)}`));
    };
    const stop = (): void => {
      killIt();
      fail('was stopped: too slow or too long');
    };
    const cancel = clock.after(TIMEOUT_MS, stop);
    const killIt = (): void => killGroup(child);
    process.once('exit', killIt);
    const end = (): void => {
      cancel();
      process.off('exit', killIt);
    };
    child.once('error', (error) => {
      end();
      fail(`cannot be started: ${error.message}`);
    });
    for (const name of ['stdout', 'stderr'] as const) {
      // Without a file descriptor left Node makes no stream, whatever the types say.
      const stream: Readable | undefined = child[name];
      if (stream && 'unref' in stream && typeof stream.unref === 'function') stream.unref();
      stream?.setEncoding('utf8').on('data', (piece: string) => {
        output[name] += piece;
        if (output[name].length > MAX_BYTES) stop();
      });
    }
    child.once('close', (code, signal) => {
      end();
      if (code === 0) resolve(output.stdout);
      else fail(`ended with ${code ?? signal}`);
    });
  }).catch((cause: unknown) => {
    if (cause instanceof AwsError || codeOf(cause) === undefined) throw cause;
    // Node's permission model, which says what allows it.
    throw failed(`cannot be started: ${reasonOf(cause)}`, cause);
  });
  const fields = parseFields(text);
  const names = ['AccessKeyId', 'SecretAccessKey', 'SessionToken?', 'Expiration'] as const;
  const provided =
    fields?.['Version'] === 1 ? readCredentials(fields, names, 'credential_process') : undefined;
  if (provided === undefined) {
    throw failed('wrote no JSON with Version 1, AccessKeyId and SecretAccessKey');
  }
  if ((provided.expiresMs ?? Number.POSITIVE_INFINITY) > skew.nowMs()) return provided;
  throw failed('gave credentials that have expired');
}

function failed(how: string, cause?: unknown): AwsError {
  return new AwsError('CredentialProcess', `credential_process ${how}`, { peer: 'process', cause });
}

function killGroup(child: ChildProcess): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  } catch (error) {
    // On Windows there are no groups; elsewhere it ended just now.
    if (codeOf(error) === undefined) throw error;
    child.kill('SIGKILL');
  }
}

/** All that was written where credentials are, but for the names of its members. */
function wordsOf(stdout: string): string[] {
  const fields = parseFields(stdout);
  return fields === undefined
    ? stdout.split(/[\s"',:{}]+/)
    : Object.keys(fields).map((name) => textOf(fields, name));
}

/** The last line of stderr. */
function lastWords(stderr: string): string {
  const words = redactText(stderr.trim().split('\n').at(-1) ?? '');
  return words === '' ? '' : `: ${words}`;
}
