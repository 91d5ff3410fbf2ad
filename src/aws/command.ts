import { AwsError, ConfigError } from '../errors.ts';
import type { Provided } from './credentials.ts';
import { parseFields, readCredentials } from './json.ts';
import type { Means } from './means.ts';

const TIMEOUT_MS = 60_000;
const MAX_BYTES = 64 * 1024;

/**
 * Credentials that a credential_process writes. A shell takes the command, as with most SDKs; neither
 * the command nor what it writes is ever shown, but for its last words on stderr.
 */
export async function fromCommand({ home, skew }: Means, command: string): Promise<Provided> {
  const { execFile } = await import('node:child_process');
  const [shell, flag] = home.platform === 'win32' ? ['cmd.exe', '/C'] : ['sh', '-c'];
  const text = await new Promise<string>((resolve, reject) => {
    const limits = { timeout: TIMEOUT_MS, maxBuffer: MAX_BYTES, killSignal: 'SIGKILL' as const };
    const child = execFile(shell, [flag, command], limits, (error, stdout, stderr) => {
      if (error === null) return resolve(stdout);
      const how =
        error.killed === true
          ? 'was stopped: too slow or too long'
          : `ended with ${error.code ?? error.signal}`;
      reject(new AwsError('CredentialProcess', `credential_process ${how}${lastWords(stderr)}`));
    });
    child.stdin?.end();
  });
  const fields = parseFields(text);
  const names = ['AccessKeyId', 'SecretAccessKey', 'SessionToken?', 'Expiration'] as const;
  const provided = fields?.['Version'] === 1 ? readCredentials(fields, names) : undefined;
  if (provided === undefined) {
    const expected = 'expected JSON with Version 1, AccessKeyId and SecretAccessKey';
    throw new ConfigError('credential_process', expected);
  }
  if ((provided.expiresMs ?? Number.POSITIVE_INFINITY) > skew.nowMs()) return provided;
  throw new AwsError('CredentialProcess', 'credential_process gave credentials that have expired');
}

/** The last line, without anything that looks like a secret. */
function lastWords(stderr: string): string {
  const line = stderr.trim().split('\n').at(-1)?.trim() ?? '';
  const words = line.replace(/[\w+/=.~-]{16,}/g, '…').replace(/\p{Cc}/gu, ' ');
  return words === '' ? '' : `: ${words.slice(0, 200)}`;
}
