import * as http from 'node:http';
import * as https from 'node:https';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { createSecureContext, type SecureContext } from 'node:tls';
import { dial } from './dial.ts';
import type { NameOptions } from './lookup.ts';

/** Node's agents, one for each way to a host; each keeps connections and TLS sessions. */
export interface Agents {
  of(url: URL, proxy: URL | undefined): http.Agent;
  /** Drops what is kept. */
  close(): void;
}

/** What a request says of the connection that it needs, beside what Node's own options say. */
export interface Needed {
  readonly connectMs: number;
  /** Gives up what is not connected yet. */
  readonly giveUp: AbortSignal;
}

type Options = https.RequestOptions & Partial<Needed>;
type Done = (error: Error | null, stream: Duplex) => void;

/** Newer Nodes would go through the environment's proxies by themselves, were it not said so. */
const NO_OTHER_PROXY: https.AgentOptions & { proxyEnv?: undefined } = { proxyEnv: undefined };
const KEPT = { keepAlive: true, maxSockets: 2, maxFreeSockets: 1, ...NO_OTHER_PROXY };
const NEVER: AbortSignal = new AbortController().signal;
const CONNECT_MS = 5000;

/** @param ca PEM: the only authorities to trust. Without it Node's own settings hold. */
export function createAgents(ca: string | undefined, names: NameOptions): Agents {
  const agents = new Map<string, http.Agent>();
  // One context for the process: building the list of roots for each connection costs 46 ms.
  let context: SecureContext | undefined;
  const secure = (): SecureContext => {
    context ??= createSecureContext({ minVersion: 'TLSv1.2', ...(ca === undefined ? {} : { ca }) });
    return context;
  };

  function make(key: string, proxy: URL | undefined): http.Agent {
    if (key === 'http:') return new PlainAgent(names);
    return new SecureAgent(names, secure(), key === 'https:' ? undefined : proxy);
  }

  return {
    of(url, proxy) {
      const isTunnel = proxy !== undefined && url.protocol === 'https:';
      const key = isTunnel ? proxy.href : (proxy ?? url).protocol;
      const agent = agents.get(key) ?? make(key, proxy);
      agents.set(key, agent);
      return agent;
    },
    close() {
      for (const agent of agents.values()) agent.destroy();
    },
  };
}

/** Connects by our own way to names and addresses. */
class PlainAgent extends http.Agent {
  readonly #names: NameOptions;

  constructor(names: NameOptions) {
    super(KEPT);
    this.#names = names;
  }

  // Node's types forget that an agent may make its connections.
  createConnection(options: Options, done: Done = () => undefined): undefined {
    const { connectMs = CONNECT_MS, giveUp = NEVER } = options;
    const port = Number(options.port || 80);
    dial(options.host ?? '', port, this.#names, connectMs, giveUp).then(
      (socket) => done(null, socket),
      // Node reads no second argument after an error, though its types ask for one.
      (error: Error) => done(error, new Duplex()),
    );
  }
}

/** As {@link PlainAgent}, perhaps through a proxy. TLS and its sessions are Node's. */
class SecureAgent extends https.Agent {
  readonly #names: NameOptions;
  readonly #context: SecureContext;
  readonly #proxy: URL | undefined;

  constructor(names: NameOptions, secureContext: SecureContext, proxy: URL | undefined) {
    super({ ...KEPT, secureContext });
    this.#names = names;
    this.#context = secureContext;
    this.#proxy = proxy;
  }

  override createConnection(options: Options, done: Done = () => undefined): undefined {
    this.#connected(options)
      .then((socket) => {
        const secured = super.createConnection({ ...options, ...{ socket } });
        if (secured) done(null, secured);
      })
      .catch((error: Error) => done(error, new Duplex()));
  }

  async #connected(options: Options): Promise<Socket> {
    const { connectMs = CONNECT_MS, giveUp = NEVER } = options;
    const [host, port] = [options.host ?? '', Number(options.port || 443)];
    const reach = (to: string, at: number): Promise<Socket> =>
      dial(to, at, this.#names, connectMs, giveUp);
    if (this.#proxy === undefined) return reach(host, port);
    const { tunnel } = await import('./proxy.ts');
    const target = `${host.includes(':') ? `[${host}]` : host.replace(/\.$/, '')}:${port}`;
    const way = { dial: reach, secureContext: this.#context, signal: giveUp };
    return tunnel(this.#proxy, target, way);
  }
}
