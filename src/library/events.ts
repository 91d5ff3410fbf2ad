import { reasonOf } from '../errors.ts';
import { hearRejection } from './answer.ts';
import type { AgentError, AgentErrorCode, AgentEvents, LogLine } from './api.ts';

type Listener<Name extends keyof AgentEvents> = (event: AgentEvents[Name]) => unknown;
type Listeners = { readonly [Name in keyof AgentEvents]: Set<Listener<Name>> };

/** So many troubles of a window are told apart; more are counted with the others of their code. */
const MOST_KINDS = 100;

/** Who listens, and what went wrong: that is told at once, and what repeats itself once a window. */
export class Events {
  readonly #listeners: Listeners = {
    sample: new Set(),
    window: new Set(),
    delivery: new Set(),
    error: new Set(),
  };
  /** Where an error goes that nobody listens to. */
  readonly #say: (error: AgentError) => void;
  readonly #repeated = new Map<string, { readonly error: AgentError; count: number }>();

  constructor(say: (error: AgentError) => void) {
    this.#say = say;
  }

  on<Name extends keyof AgentEvents>(name: Name, listener: Listener<Name>): void {
    this.#setOf(name).add(listener);
  }

  off<Name extends keyof AgentEvents>(name: Name, listener: Listener<Name>): void {
    this.#setOf(name).delete(listener);
  }

  /** What is to be told costs nothing where nobody listens. */
  emit<Name extends keyof AgentEvents>(name: Name, make: () => AgentEvents[Name]): void {
    const listeners = this.#setOf(name);
    if (listeners.size === 0) return;
    const event = make();
    // Those of now: one that leaves and comes again would be called without an end.
    for (const listener of [...listeners]) {
      if (listeners.has(listener)) this.#call(name, listener, event);
    }
  }

  /** @param what tells this trouble from others: of each kind one is told at once */
  fail(
    code: AgentErrorCode,
    what: string,
    message: string,
    more: { readonly fields?: LogLine['fields']; readonly cause?: unknown } = {},
  ): void {
    const key = this.#repeated.size < MOST_KINDS ? `${code} ${what}` : code;
    const known = this.#repeated.get(key) ?? this.#repeated.get(`${code} ${what}`);
    if (known !== undefined) {
      known.count += 1;
      return;
    }
    const error = new Trouble(code, message, 1, more.fields ?? {}, more.cause);
    this.#repeated.set(key, { error, count: 0 });
    this.#tell(error);
  }

  /** What has come again since it was told. */
  turn(): void {
    const all = [...this.#repeated.values()];
    this.#repeated.clear();
    for (const { error, count } of all) {
      if (count === 0) continue;
      this.#tell(new Trouble(error.code, error.message, count, error.fields, error.cause));
    }
  }

  #tell(error: AgentError): void {
    if (this.#listeners.error.size === 0) this.#say(error);
    else this.emit('error', () => error);
  }

  #call<Name extends keyof AgentEvents>(
    name: Name,
    listener: Listener<Name>,
    event: AgentEvents[Name],
  ): void {
    const failed = (cause: unknown): void => {
      const message = `a listener of "${name}" failed: ${reasonOf(cause)}`;
      // It would be told of itself.
      if (name === 'error') this.#say(new Trouble('LISTENER', message, 1, {}, cause));
      else this.fail('LISTENER', name, message, { cause });
    };
    try {
      hearRejection(listener(event), failed);
    } catch (error) {
      failed(error);
    }
  }

  /** @throws TypeError for an event that there is not */
  #setOf<Name extends keyof AgentEvents>(name: Name): Listeners[Name] {
    if (Object.hasOwn(this.#listeners, name)) return this.#listeners[name];
    const names = Object.keys(this.#listeners).join(', ');
    throw new TypeError(`there is no event "${String(name)}", expected one of ${names}`);
  }
}

class Trouble extends Error implements AgentError {
  override readonly name = 'AgentError';
  readonly code: AgentErrorCode;
  readonly count: number;
  readonly fields: LogLine['fields'];

  constructor(
    code: AgentErrorCode,
    message: string,
    count: number,
    fields: LogLine['fields'],
    cause: unknown,
  ) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.count = count;
    this.fields = fields;
  }
}
