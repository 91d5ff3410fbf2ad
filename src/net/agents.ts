import * as http from 'node:http';
import * as https from 'node:https';
import { Duplex } from 'node:stream';
import { createSecureContext, type SecureContext } from 'node:tls';
import { NO_OTHER_PROXY, tunnel } from './proxy.ts';

/** Node's agents, one for each way to a host; each keeps connections and TLS sessions. */
export interface Agents {
  of(url: URL, proxy: URL | undefined): http.Agent;
  /** Drops what is kept. */
  close(): void;
}

const TUNNEL_MS = 5000;
const KEPT = { keepAlive: true, maxSockets: 2, maxFreeSockets: 1, ...NO_OTHER_PROXY };

/** @param ca PEM: the only authorities to trust. Without it Node's own settings hold. */
export function createAgents(ca: string | undefined): Agents {
  const agents = new Map<string, http.Agent>();
  // One context for the process: building the list of roots for each connection costs 46 ms.
  let context: SecureContext | undefined;
  const secure = (): https.AgentOptions => {
    context ??= createSecureContext({ minVersion: 'TLSv1.2', ...(ca === undefined ? {} : { ca }) });
    return { ...KEPT, secureContext: context };
  };

  function make(key: string, proxy: URL | undefined): http.Agent {
    if (key === 'http:') return new http.Agent(KEPT);
    return proxy === undefined || key === 'https:'
      ? new https.Agent(secure())
      : new TunnelAgent(proxy, secure());
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

/** Opens its connections through a proxy. TLS and its sessions are Node's. */
class TunnelAgent extends https.Agent {
  readonly #proxy: URL;
  readonly #tls: https.AgentOptions;

  constructor(proxy: URL, options: https.AgentOptions) {
    super(options);
    this.#proxy = proxy;
    this.#tls = { secureContext: options.secureContext };
  }

  override createConnection(
    options: https.RequestOptions,
    done: (error: Error | null, stream: Duplex) => void = () => undefined,
  ): undefined {
    const host = options.host ?? '';
    const { port } = options;
    const target = `${host.includes(':') ? `[${host}]` : host}:${port || 443}`;
    tunnel(this.#proxy, target, TUNNEL_MS, this.#tls)
      .then((socket) => {
        const secured = super.createConnection({ ...options, ...{ socket } });
        if (secured) done(null, secured);
      })
      // Node reads no second argument after an error, though its types ask for one.
      .catch((error) => done(error, new Duplex()));
  }
}
