import type { Config } from '../config/config.ts';
import { ConfigError } from '../errors.ts';
import { keyedNumber } from '../kernel/bytes.ts';
import type { Series } from '../metrics/figures.ts';
import { optional } from '../sources/meters.ts';
import type { SelfUsage } from '../sources/options.ts';
import { openRootFs, type RootFs } from '../sources/rootfs.ts';
import type { Scope, SelectOptions } from '../sources/select.ts';
import type { Source } from '../sources/source.ts';
import { watchSource } from '../sources/watch.ts';
import { taskMetadata } from './metadata.ts';
import type { Watching, World } from './world.ts';

const KIB = 1024;

/** What is chosen for the scope; what no scope has is loaded where it is wanted. */
export async function openSource(
  config: Config,
  world: World,
  by: Watching | undefined,
): Promise<Source> {
  const fs = openRootFs(config.root);
  const plain = selectOptions(config, world, fs);
  const wanted = new Set([...plain.wanted, ...(by?.series ?? [])]);
  const isBesideJob = by?.isBesideJob === true;
  const watch = (scope: Scope): Promise<Source> =>
    watchSource({ ...plain, wanted, scope, isBesideJob });
  const source = await watch(config.scope === 'auto' ? (by?.scope ?? 'auto') : config.scope).catch(
    (error) => {
      // Signs of a container without a group of its own: the run is measured all the same.
      if (config.scope !== 'auto' || !(error instanceof ConfigError)) throw error;
      return watch('auto');
    },
  );
  if (!by?.series.length && !EXTRA.some((series) => wanted.has(series))) return source;
  const { openExtra, withExtra, hushed } = await import('../sources/extra.ts');
  const { PATH = '', LD_LIBRARY_PATH } = world.environment;
  const environment = { PATH, ...(LD_LIBRARY_PATH === undefined ? {} : { LD_LIBRARY_PATH }) };
  const { clock, log } = world;
  const info = (message: string): void => log.info(message);
  const gpu = { clock, intervalMs: config.intervalMs, environment, info };
  return hushed(withExtra(source, openExtra(fs, wanted, gpu)), plain.wanted);
}

/** Figures that are the same in every scope. */
const EXTRA: readonly Series[] = [
  ...([
    'networkReceive',
    'networkTransmit',
    'blockRead',
    'blockWrite',
    'gpu',
    'gpuMemory',
  ] as const),
];

export function selectOptions(config: Config, world: World, fs: RootFs): SelectOptions {
  const isOwnRoot = config.root === '/';
  return {
    ...config,
    fs,
    clock: world.clock,
    platform: isOwnRoot ? world.platform : 'linux',
    own: isOwnRoot ? world : undefined,
    metadata: isOwnRoot ? taskMetadata(world) : () => Promise.resolve(undefined),
    warn: world.log.warn,
    wanted: new Set(config.metrics.map(({ series }) => series)),
    selfUsage: selfUsage(world, isOwnRoot ? fs : undefined),
  };
}

/** The agent's own process is here, whichever root is read. */
function selfUsage(world: World, ownRoot: RootFs | undefined): () => SelfUsage {
  const fs = ownRoot ?? openRootFs('/', false);
  world.atEnd?.(fs.close);
  const status = fs.file('/proc/self/status');
  return () => ({
    ...world.selfUsage(),
    get anonymousBytes() {
      const end = optional(() => status.whole(), 0);
      return keyedNumber(fs.buffer, end, 'RssAnon:') * KIB;
    },
  });
}
