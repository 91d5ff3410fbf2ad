import http from 'node:http';
import https from 'node:https';
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
    if (key === 'http:') return plainAgent(names);
    return secureAgent(names, secure(), key === 'https:' ? undefined : proxy);
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
function plainAgent(names: NameOptions): http.Agent {
  return Object.assign(new http.Agent(KEPT), {
    createConnection: (options: Options, done: Done) => {
      reach(options, 80, names).then(
        (socket) => done(null, socket),
        // Node reads no second argument after an error, though its types ask for one.
        (error: Error) => done(error, new Duplex()),
      );
    },
  });
}

/** As {@link plainAgent}, perhaps through a proxy. TLS and its sessions are Node's. */
function secureAgent(
  names: NameOptions,
  secureContext: SecureContext,
  proxy: URL | undefined,
): http.Agent {
  const agent = new https.Agent({ ...KEPT, secureContext });
  const secure = agent.createConnection.bind(agent);
  const connected = async (options: Options): Promise<Socket> => {
    if (proxy === undefined) return reach(options, 443, names);
    const { tunnel } = await import('./proxy.ts');
    const host = options.host ?? '';
    const target = `${host.includes(':') ? `[${host}]` : host.replace(/\.$/, '')}:${options.port || 443}`;
    const way = {
      dial: (to: string, port: number) => reach({ ...options, host: to, port }, 443, names),
      secureContext,
      signal: options.giveUp ?? NEVER,
    };
    return tunnel(proxy, target, way);
  };
  return Object.assign(agent, {
    createConnection: (options: Options, done: Done) => {
      connected(options)
        .then((socket) => {
          const secured = secure({ ...options, ...{ socket } });
          if (secured) done(null, secured);
        })
        .catch((error: Error) => done(error, new Duplex()));
    },
  });
}

function reach(
  { host = '', port, connectMs = CONNECT_MS, giveUp = NEVER }: Options,
  usualPort: number,
  names: NameOptions,
): Promise<Socket> {
  return dial(host ?? '', Number(port || usualPort), names, connectMs, giveUp);
}
