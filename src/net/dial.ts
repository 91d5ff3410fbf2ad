import { connect, isIP, isIPv6, type Socket } from 'node:net';
import { codeOf, failure } from '../errors.ts';
import { type Address, lookup, type NameOptions } from './lookup.ts';

/** What the first address is ahead of the second, the second of the third, and so on (RFC 8305). */
const HEAD_START_MS = 250;
/** Long enough for a lost SYN to be sent again, twice. All are under way early enough to have that. */
const LEAST_ATTEMPT_MS = 3000;
/** So long a process that has ended is kept by a connection that is being made; few take longer. */
const LONGEST_HOLD_MS = 1000;
/** Says that this machine has no way to a family's addresses. */
const NO_ROUTE = new Set<string | undefined>(['ENETUNREACH', 'EHOSTUNREACH', 'EADDRNOTAVAIL']);

/**
 * A connection to the first of a name's addresses that takes one. They race: none is cut while there is
 * time, and a family that has not answered yet may still win.
 *
 * @param limitMs until all must be over
 * @param signal gives up
 * @throws Error with a system's code where no address takes the connection, or none is known
 */
export function dial(
  host: string,
  port: number,
  names: NameOptions,
  limitMs: number,
  signal: AbortSignal,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const race = new Race(port, limitMs, names.isIdle !== undefined, (outcome) => {
      clearTimeout(timer);
      clearInterval(watch);
      signal.removeEventListener('abort', aborted);
      resolving.abort();
      if (outcome instanceof Error) reject(outcome);
      else resolve(outcome);
    });
    const resolving = new AbortController();
    const late = (): void =>
      race.end(failure('CONNECT_TIMEOUT', `no connection within ${limitMs} ms`));
    const aborted = (): void => race.end(failure('ABORT_ERR', 'given up'));
    const timer = setTimeout(late, limitMs);
    const watch = names.isIdle && watched(names.isIdle, aborted);
    if (names.isIdle) timer.unref();
    signal.addEventListener('abort', aborted);
    if (signal.aborted) return aborted();
    const family = isIP(host);
    if (family !== 0) {
      race.take([{ address: host, family: isIPv6(host) ? 6 : 4 }]);
      return race.complete();
    }
    const take = (addresses: readonly Address[]): void => race.take(addresses);
    lookup(host, names, resolving.signal, take).then(
      () => race.complete(),
      (error: Error) => race.complete(error),
    );
  });
}

/** Without its handle a connection that is being made keeps the process all the same. */
function watched(isIdle: () => boolean, giveUp: () => void): NodeJS.Timeout {
  const sinceMs = Date.now();
  return setInterval(() => {
    if (Date.now() - sinceMs >= LONGEST_HOLD_MS && isIdle()) giveUp();
  }, LONGEST_HOLD_MS / 4).unref();
}

class Race {
  readonly #port: number;
  readonly #limitMs: number;
  readonly #isGuest: boolean;
  readonly #settle: (outcome: Socket | Error) => void;
  readonly #waiting: Address[] = [];
  readonly #running = new Set<Socket>();
  #count = 0;
  #next: NodeJS.Timeout | undefined;
  /** No more addresses will come. */
  #isComplete = false;
  #isOver = false;
  #error: Error | undefined;

  constructor(
    port: number,
    limitMs: number,
    isGuest: boolean,
    settle: (outcome: Socket | Error) => void,
  ) {
    this.#port = port;
    this.#limitMs = limitMs;
    this.#isGuest = isGuest;
    this.#settle = settle;
  }

  /** Families take turns. */
  take(addresses: readonly Address[]): void {
    if (this.#isOver) return;
    const waiting = this.#waiting.splice(0);
    const longest = Math.max(waiting.length, addresses.length);
    for (let index = 0; index < longest; index += 1) {
      this.#waiting.push(...[waiting[index], addresses[index]].filter((one) => one !== undefined));
    }
    this.#count += addresses.length;
    if (this.#next === undefined) this.#begin();
  }

  /** @param error why there are no more */
  complete(error?: Error): void {
    this.#isComplete = true;
    this.#error ??= error;
    this.#check();
  }

  end(outcome: Socket | Error): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#next);
    for (const socket of this.#running) if (socket !== outcome) socket.destroy();
    this.#settle(outcome);
  }

  #begin(): void {
    clearTimeout(this.#next);
    this.#next = undefined;
    const to = this.#waiting.shift();
    if (to === undefined) {
      this.#check();
      return;
    }
    const spareMs = Math.max(0, this.#limitMs - LEAST_ATTEMPT_MS);
    const headStartMs = Math.min(HEAD_START_MS, spareMs / this.#count);
    this.#next = setTimeout(() => this.#begin(), headStartMs);
    const socket = connect({ host: to.address, port: this.#port, family: to.family });
    if (this.#isGuest) {
      this.#next.unref();
      socket.unref();
    }
    this.#running.add(socket);
    const failed = (error: Error): void => {
      this.#running.delete(socket);
      socket.destroy();
      if (this.#error === undefined || NO_ROUTE.has(codeOf(this.#error))) this.#error = error;
      if (!this.#isOver) this.#begin();
    };
    socket.once('error', failed);
    socket.once('connect', () => {
      socket.off('error', failed);
      socket.setNoDelay(true);
      this.end(socket);
    });
  }

  #check(): void {
    const isOut = this.#isComplete && this.#running.size === 0 && this.#waiting.length === 0;
    if (isOut) this.end(this.#error ?? failure('ENOTFOUND', 'no address'));
  }
}
