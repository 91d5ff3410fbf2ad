import { once } from 'node:events';
import { createServer } from 'node:http';
import { join } from 'node:path';

/** What a platform puts in the place of these before the agent sees them. */
const FILLED: Readonly<Record<string, string>> = { '$(NODE_NAME)': 'node-1' };
/** A job that stands in for the example's: it fails, so that its exit code is seen to pass. */
const JOB_CODE = 3;
const JOB = [process.execPath, '-e', `setTimeout(() => process.exit(${JOB_CODE}), 300)`];
const ONE_WINDOW = ['--dry-run', '--once', '--period', '1', '--interval', '0.2'];

export interface StandIn {
  readonly argv: readonly string[];
  /** Its exit code. */
  readonly expected: number;
}

/**
 * An example's arguments as this machine can run them: nothing is sent, folders of the platform are
 * `folder`, a mounted host is this one, and the job is another.
 */
export function standIn(
  args: readonly string[],
  folder: string,
  flags: readonly string[] = [],
): StandIn {
  const here = args.map((word) =>
    word
      .replace(/\$\(\w+\)/, (name) => FILLED[name] ?? name)
      .replace(/\$\{(?:STATE|RUNTIME)_DIRECTORY\}|\/run\/cloudwatch-metrics-agent/, folder)
      .replace(/\/dev\/shm\//, join(folder, '/'))
      .replace(/^(--root=)?\/host$/, '$1/'),
  );
  if (here.some((word) => word.startsWith('--healthy'))) return { argv: here, expected: 1 };
  // Nothing is there that it could find: no region.
  if (here.includes('--check')) return { argv: here, expected: 1 };
  const split = here.indexOf('--');
  if (split < 0) return { argv: [...here, ...ONE_WINDOW, ...flags], expected: 0 };
  const argv = [...here.slice(0, split), '--dry-run', ...flags, '--', ...JOB];
  return { argv, expected: JOB_CODE };
}

export interface Metadata {
  readonly url: string;
  close(): void;
}

/** Instance metadata on 127.0.0.1: a token, and the same name for whatever is asked. */
export async function startMetadata(): Promise<Metadata> {
  const server = createServer((_, response) => response.end('i-0123456789abcdef0'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  return {
    url: `http://127.0.0.1:${port}`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
