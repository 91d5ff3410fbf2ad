// Over 200 lines: what a caller can ask of an agent, and how flush and stop meet.
import type { Agent } from '../agent.ts';
import { type Clock, sleep } from '../clock.ts';
import type { Config } from '../config/config.ts';
import { lossLine } from '../delivery/outcome.ts';
import type { Verdict } from '../delivery/verdict.ts';
import type { Fields, Log } from '../log.ts';
import type { AgentEvents, AgentStatus, Delivered, MetricsAgent, Unit } from './api.ts';
import type { Events } from './events.ts';
import { held } from './held.ts';
import type { Puts } from './puts.ts';

export interface GuestOptions {
  readonly agent: Agent;
  readonly config: Config;
  readonly clock: Clock;
  readonly log: Log;
  readonly events: Events;
  readonly puts: Puts;
  /** Aborted when the end begins. */
  readonly ending: AbortController;
  /** The caller's, which stops the agent. */
  readonly signal: AbortSignal | undefined;
  /** Gives back all that is held. */
  readonly close: () => void;
}

/** A window's timestamp is a second: windows that close more often would be called by later ones. */
const FLUSH_EVERY_MS = 1000;

/** An agent in somebody else's process. */
export class Guest implements MetricsAgent {
  readonly #options: GuestOptions;
  readonly #waiting = new Set<(isOver: boolean) => void>();
  #flushing: Promise<unknown> = Promise.resolve();
  /** One that has not begun: all that is put until then goes with it. */
  #nextFlush: Promise<Delivered> | undefined;
  #flushedMs = Number.NEGATIVE_INFINITY;
  #stopped: Promise<Delivered> | undefined;
  /** What the stop came to. */
  #ended: Delivered | undefined;

  constructor(options: GuestOptions) {
    this.#options = options;
    nameDispose(this);
    const { signal } = options;
    if (signal?.aborted === true) this.#abort();
    else signal?.addEventListener('abort', this.#abort, { once: true });
  }

  put(name: string, value: number, unit?: Unit): void {
    this.#options.puts.put(name, value, unit);
  }

  on<Name extends keyof AgentEvents>(
    name: Name,
    listener: (event: AgentEvents[Name]) => unknown,
  ): this {
    this.#options.events.on(name, listener);
    return this;
  }

  off<Name extends keyof AgentEvents>(
    name: Name,
    listener: (event: AgentEvents[Name]) => unknown,
  ): this {
    this.#options.events.off(name, listener);
    return this;
  }

  flush(): Promise<Delivered> {
    if (this.#stopped !== undefined) return this.#stopped;
    this.#nextFlush ??= held(this.#flush(this.#flushing));
    this.#flushing = this.#nextFlush;
    return this.#nextFlush;
  }

  stop(): Promise<Delivered> {
    // A listener may ask, amid a sample or a window: that is brought to its end before.
    this.#stopped ??= held(Promise.resolve().then(() => this.#stop()));
    return this.#stopped;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  status(): AgentStatus {
    const { agent, puts } = this.#options;
    return {
      ...this.#delivered(),
      isStopped: this.#stopped !== undefined,
      scope: agent.scope,
      samples: Number(agent.status()['samples']),
      names: puts.names,
      putsLost: puts.lost,
    };
  }

  /** An attempt to publish is over. What is refused will not be taken in this moment either. */
  attempted(kind: Verdict['kind']): void {
    const isRefused = kind === 'denied' || kind === 'unready';
    const isOver = isRefused || this.#delivered().windowsWaiting === 0;
    for (const tell of this.#waiting) tell(isOver);
  }

  readonly #abort = (): void => {
    this.stop();
  };

  async #flush(before: Promise<unknown>): Promise<Delivered> {
    const { agent, clock, config, ending, events } = this.#options;
    const deadlineMs = clock.monoMs() + config.flushTimeoutMs;
    await before;
    const untilMs = this.#flushedMs + FLUSH_EVERY_MS;
    if (untilMs > clock.monoMs()) await sleep(clock, untilMs - clock.monoMs(), ending.signal);
    this.#nextFlush = undefined;
    if (this.#stopped !== undefined) return this.#stopped;
    this.#flushedMs = clock.monoMs();
    try {
      agent.hurry(deadlineMs);
      await this.#drained(deadlineMs);
    } catch (cause) {
      events.fail('FAULT', 'flush', 'the flush went wrong, please report it', { cause });
    }
    events.turn();
    return this.#delivered();
  }

  #drained(deadlineMs: number): Promise<void> {
    const { clock, ending } = this.#options;
    if (this.#delivered().windowsWaiting === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const end = (): void => tell(true);
      const cancel = clock.after(Math.max(0, deadlineMs - clock.monoMs()), end);
      const tell = (isOver: boolean): void => {
        if (!isOver) return;
        cancel();
        ending.signal.removeEventListener('abort', end);
        this.#waiting.delete(tell);
        resolve();
      };
      ending.signal.addEventListener('abort', end);
      this.#waiting.add(tell);
    });
  }

  async #stop(): Promise<Delivered> {
    const { agent, clock, config, log, events, puts, ending, signal, close } = this.#options;
    signal?.removeEventListener('abort', this.#abort);
    ending.abort();
    try {
      const stopping = agent.stop(clock.monoMs() + config.flushTimeoutMs);
      puts.stop();
      const outcome = await stopping;
      const { sent, spooled, lost, lostAtEnd } = outcome;
      const ended = { windowsSent: sent, windowsWaiting: spooled, windowsLost: lost };
      if (lostAtEnd > 0) log.error(lossLine(outcome, config), ended);
      else log.info('ended', ended);
      this.#ended = ended;
    } catch (cause) {
      events.fail('FAULT', 'stop', 'the stop went wrong, please report it', { cause });
    } finally {
      events.turn();
      close();
    }
    return this.#delivered();
  }

  #delivered(): Delivered {
    if (this.#ended !== undefined) return this.#ended;
    const status = this.#options.agent.status();
    return {
      windowsSent: Math.min(...numbersOf(status, /^(?:.+\.)?windows(?:Sent|Shown)$/)),
      windowsWaiting: Math.max(...numbersOf(status, /^(?:.+\.)?windowsWaiting$/)),
      windowsLost: Math.max(...numbersOf(status, /^(?:.+\.)?windowsLost$/)),
    };
  }
}

/** A field of the status, of each output that has it: `windowsSent`, `otlp.windowsSent`. */
function numbersOf(status: Fields, name: RegExp): number[] {
  const all = Object.entries(status).filter(([field]) => name.test(field));
  return all.length === 0 ? [0] : all.map(([, value]) => Number(value));
}

/** Node before 18.18 lacks the symbol: tools that make older syntax of `await using` look for this one. */
function nameDispose(guest: Guest): void {
  const known: symbol | undefined = Symbol.asyncDispose;
  if (known !== undefined) return;
  const value = (): Promise<void> => guest.stop().then(() => undefined);
  Object.defineProperty(guest, Symbol.for('Symbol.asyncDispose'), { value });
}
