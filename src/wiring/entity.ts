import type { Aws } from '../aws/aws.ts';
import { within } from '../clock.ts';
import type { Config } from '../config/config.ts';
import type { Resolve } from '../delivery/publications.ts';
import { reasonOf } from '../errors.ts';
import type { Log } from '../log.ts';
import type { EntityOptions } from '../metadata/entity.ts';
import type { Entity } from '../metrics/publication.ts';
import type { CloudwatchOptions } from '../sinks/cloudwatch.ts';
import { openRootFs } from '../sources/rootfs.ts';
import { facts } from './metadata.ts';
import type { World } from './world.ts';

/** Time to find what the metrics are of. */
const ENTITY_MS = 3000;

/** What is found is there before the first request; what takes longer, for a later one. */
export async function withEntity(
  config: Config,
  world: World,
  { aws, log }: { readonly aws: () => Promise<Aws>; readonly log: Log },
  resolve: Resolve,
): Promise<Pick<CloudwatchOptions, 'resolve' | 'entities'>> {
  if (!config.entity) return { resolve };
  const { EntityFinder, entityText } = await import('../metadata/entity.ts');
  const { clock } = world;
  const finder = new EntityFinder({
    ...entityOptions(config, world, aws),
    monoMs: () => clock.monoMs(),
    say: (found) => {
      const fields = { entity: entityText(found) };
      if (typeof found !== 'string') log.info('what the metrics are of is known', fields);
      else log.warn('metrics are sent without an entity', fields);
    },
  });
  const look = (): Promise<unknown> => within(clock, ENTITY_MS, finder.find(world.ending));
  return {
    resolve: async (dimensions, signal) => {
      const resolved = await resolve(dimensions, signal);
      finder.own(resolved);
      await look();
      return resolved;
    },
    entities: { entityOf: (publication) => finder.entityOf(publication), again: look },
  };
}

/** What the metrics are of, or why that is not known; empty where nobody asked. */
export async function entityOf(
  config: Config,
  world: World,
  aws: () => Promise<Aws>,
): Promise<Entity | string> {
  if (!config.entity) return '';
  const { findEntity } = await import('../metadata/entity.ts');
  const limit = new AbortController();
  const cancel = world.clock.after(ENTITY_MS, () => limit.abort());
  const found = await findEntity(entityOptions(config, world, aws), limit.signal).catch(reasonOf);
  cancel();
  return found;
}

export async function entityLine(
  config: Config,
  world: World,
  aws: () => Promise<Aws>,
): Promise<string> {
  const found = await entityOf(config, world, aws);
  const { entityText } = await import('../metadata/entity.ts');
  const { findingLines } = await import('../diagnostics/check.ts');
  const mark = typeof found === 'string' ? 'warn' : 'ok';
  return findingLines({ mark, what: 'entity', text: entityText(found) }, config.logFormat);
}

function entityOptions(config: Config, world: World, aws: () => Promise<Aws>): EntityOptions {
  const service = config.dimensions[0]?.Value ?? '';
  return { ...facts(world, aws), service, readText: openRootFs('/').text };
}
