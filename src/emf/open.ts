import { type Clock, within } from '../clock.ts';
import type { Environment } from '../environment.ts';
import { ConfigError, codeOf, failure, reasonOf } from '../errors.ts';
import type { ClosedWindow } from '../metrics/aggregate.ts';
import type { Publication } from '../metrics/publication.ts';
import {
  EVENT_BYTES,
  type EventOptions,
  encodeEvents,
  logGroupOf,
  MAX_DATAGRAM_BYTES,
  MAX_EVENT_BYTES,
} from './encode.ts';
import { fileWay, lookAtFile } from './file.ts';
import { lookAtPeer, parsePeer, socketWay } from './socket.ts';
import { GoneError, type Way } from './way.ts';

export interface OpenOptions {
  /** A file, `tcp://HOST:PORT` or `udp://HOST:PORT`; standard output where there is none. */
  readonly to: string | undefined;
  readonly environment: Environment;
  readonly clock: Clock;
  readonly threads: { held: number };
  readonly ending?: AbortSignal;
  /** A text to standard output, told when it is out; nothing where that is not ours. */
  readonly print?: ((text: string) => Promise<void>) | undefined;
  /** Node, beside a job. */
  readonly apart?: readonly [node: string, program: string] | undefined;
}

/** A disk that does not answer by then is left for the first window. */
const LOOK_MS = 2000;
const SOCKET = /^(?:tcp|udp):\/\//;

/** How events are written for a place. */
export function eventOptions(to: string | undefined, publication: Publication): EventOptions {
  if (to === undefined || !SOCKET.test(to)) return { maxBytes: MAX_EVENT_BYTES };
  const maxBytes = to.startsWith('udp') ? MAX_DATAGRAM_BYTES : MAX_EVENT_BYTES;
  return { maxBytes, logGroup: logGroupOf(publication) };
}

/** @throws ConfigError where lines cannot be put there, as far as that is known without waiting */
export async function checkPlace({ to, print, apart, clock, threads }: OpenOptions): Promise<void> {
  const expected = async (what: string, cause?: unknown): Promise<never> => {
    const problem = `got emf${to === undefined ? '' : `=${to}`}, expected ${what}`;
    throw new ConfigError('--output', problem, { cause });
  };
  if (to === undefined) {
    if (print === undefined) await expected('a standard output of our own');
  } else if (SOCKET.test(to)) {
    if (parsePeer(to) === undefined) await expected('tcp://HOST:PORT or udp://HOST:PORT');
  } else if (apart === undefined) {
    const looking = lookAtFile(to, threads).catch((error) =>
      expected(`a file that can be written: ${reasonOf(error)}`, error),
    );
    await within(clock, LOOK_MS, looking);
  }
}

/** For a place that was checked. */
export function openWay(options: OpenOptions): Way {
  const { to, print, apart, threads } = options;
  const peer = to === undefined ? undefined : parsePeer(to);
  if (peer !== undefined) return socketWay(peer, options);
  return to === undefined ? printWay(print) : fileWay(to, threads, apart?.[0]);
}

/** What `--check` says of it. @throws Error that says why nothing can be put there */
export async function lookAt(options: OpenOptions): Promise<string> {
  const { to, clock, threads } = options;
  await checkPlace(options);
  if (to === undefined) return 'standard output: its log driver takes it to CloudWatch';
  const peer = parsePeer(to);
  if (peer !== undefined) {
    await lookAtPeer(peer, options);
    return peer.isUdp ? `${to}: who listens there cannot be told` : `${to} takes connections`;
  }
  if (!(await within(clock, LOOK_MS, lookAtFile(to, threads)))) {
    throw failure('TIMEOUT', `${to}: the disk does not answer`);
  }
  return `${to} can be written`;
}

/** A reader that went away is gone for good. */
function printWay(print: OpenOptions['print']): Way {
  return {
    async send(line) {
      try {
        await print?.(`${line}\n`);
      } catch (error) {
        if (codeOf(error) === undefined) throw error;
        throw new GoneError(`nobody reads standard output: ${codeOf(error)}`, { cause: error });
      }
    },
    close: () => undefined,
  };
}

/** What CloudWatch Logs bills of a window. */
export function emfBytes(window: ClosedWindow, publication: Publication): number {
  const { lines } = encodeEvents(window, publication, eventOptions(undefined, publication));
  return sizeOf(lines) + lines.length * EVENT_BYTES;
}

function sizeOf(lines: readonly string[]): number {
  return lines.reduce((sum, line) => sum + Buffer.byteLength(line), 0);
}

/** What a dry run shows of a window. */
export function emfPreview(
  output: string,
  to: string | undefined,
  publication: Publication,
  format: 'text' | 'json',
): (window: ClosedWindow) => readonly string[] {
  const how = eventOptions(to, publication);
  return (window) => {
    const { lines } = encodeEvents(window, publication, how);
    const bytes = sizeOf(lines);
    const [start, end] = [window.startMs, window.endMs].map((ms) => new Date(ms).toISOString());
    if (format === 'json') {
      const events: unknown[] = lines.map((line) => JSON.parse(line));
      return [JSON.stringify({ type: 'window', output, start, end, bytes, events })];
    }
    return [
      `window ${start} to ${end} by ${output}: ${lines.length} EMF lines, ${bytes} bytes`,
      ...lines.map((line) => `  ${line}`),
    ];
  };
}
