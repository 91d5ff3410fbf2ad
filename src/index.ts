/** The library's door. Nothing is loaded, read or begun before the first call. */
import { ConfigError } from './errors.ts';
import type { AgentOptions, MetricsAgent } from './library/api.ts';

export type * from './library/api.ts';
export { ConfigError };

const LEAST_NODE = 18;

/**
 * Measures this container, or whatever `scope` says, and publishes it with what is `put`. Resolves when the
 * first reading, from which all others count, is taken.
 *
 * @throws ConfigError naming the option, what came and what was expected; nothing else
 */
export async function startAgent(options: AgentOptions): Promise<MetricsAgent> {
  const { version, versions } = process;
  if (Number.parseInt(versions.node, 10) < LEAST_NODE) {
    throw new ConfigError('Node', `got ${version}, expected v${LEAST_NODE} or newer`);
  }
  const { start } = await import('./library/start.ts');
  return start(options, process);
}
