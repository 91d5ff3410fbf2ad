import { join } from 'node:path';
import { start } from '../program.ts';
import { makeRoot } from '../root.ts';

/** A request as moto's recorder kept it. */
export interface Taken {
  /** `AssumeRole` of a form, `GET /latest/…` of anything else. */
  readonly what: string;
  readonly headers: Headers;
  readonly form: URLSearchParams;
}

/** A moto_server of its own, on a free port of 127.0.0.1. */
export interface Moto {
  readonly url: string;
  /** Forgets all that it holds and took, and takes any signature again, as it does by itself. */
  reset(): Promise<void>;
  /**
   * Lets `free` more requests pass; each one after that needs a known key, its token, botocore's own
   * signature and a policy that allows the action. Infinity lets all pass.
   */
  demandSignatures(free?: number): Promise<void>;
  /** All requests since it was reset, except to moto's own interface. */
  taken(): Promise<Taken[]>;
  /** Calls IAM, while any signature is taken. @returns the XML */
  iam(action: string, parameters: Readonly<Record<string, string>>): Promise<string>;
  stop(): Promise<void>;
}

/** moto finds the service by the scope alone, where it does not look at the signature. */
const AS_IAM = 'AWS4-HMAC-SHA256 Credential=AKIDADMIN/20260101/us-east-1/iam/aws4_request';
const RUNNING = / \* Running on (http:\/\/127\.0\.0\.1:\d+)\n/;

export async function startMoto(): Promise<Moto> {
  const folder = makeRoot();
  const program = start('moto_server', ['-H', '127.0.0.1', '-p', '0'], {
    environment: {
      PYTHONUNBUFFERED: '1',
      MOTO_ENABLE_RECORDING: '1',
      MOTO_RECORDER_FILEPATH: join(folder.path, 'recording'),
    },
  });
  async function stop(): Promise<void> {
    program.kill('SIGKILL');
    await program.ended;
    folder.remove();
  }
  try {
    await program.until('running server', ({ stderr }) => RUNNING.test(stderr()));
  } catch (error) {
    await stop();
    throw error;
  }
  const url = RUNNING.exec(program.stderr())?.[1] ?? '';

  async function ask(path: string, init?: RequestInit): Promise<string> {
    const response = await fetch(url + path, init);
    const text = await response.text();
    if (response.status === 200) return text;
    throw new Error(`moto answered ${response.status} for ${path}: ${text}`);
  }
  const tell = (path: string, body = ''): Promise<string> =>
    ask(`/moto-api/${path}`, { method: 'POST', body });
  const demandSignatures = async (free = 0): Promise<void> => {
    await tell('reset-auth', free === Number.POSITIVE_INFINITY ? 'inf' : String(free));
  };

  return {
    url,
    demandSignatures,
    async reset() {
      await tell('reset');
      await demandSignatures(Number.POSITIVE_INFINITY);
      await tell('recorder/reset-recording');
    },
    async taken() {
      const lines = (await ask('/moto-api/recorder/download-recording')).split('\n');
      return lines.flatMap((line) => (line === '' ? [] : takenOf(JSON.parse(line))));
    },
    iam: (Action, parameters) =>
      ask('/', {
        method: 'POST',
        headers: { authorization: AS_IAM },
        body: new URLSearchParams({ Action, Version: '2010-05-08', ...parameters }),
      }),
    stop,
  };
}

/** A line of the recording. */
interface Recorded {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** By base64. */
  readonly body_encoded: boolean;
}

function takenOf({ method, url, headers, body, body_encoded }: Recorded): Taken[] {
  const { pathname } = new URL(url);
  if (pathname.startsWith('/moto-api/')) return [];
  const form = new URLSearchParams(body_encoded ? Buffer.from(body, 'base64').toString() : body);
  const what = form.get('Action') ?? `${method} ${pathname}`;
  return [{ what, headers: new Headers(headers), form }];
}
