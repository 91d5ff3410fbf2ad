import type { Aws } from '../aws/aws.ts';
import type { Resolve } from '../delivery/publications.ts';
import { given } from '../environment.ts';
import { type Facts, isToken, resolveDimensions } from '../metadata/dimensions.ts';
import type { Task, TaskMetadata } from '../metadata/ecs.ts';
import type { Imds } from '../metadata/imds.ts';
import type { World } from './world.ts';

/** Opened once, however many ask for it; nothing outside of an ECS task. */
const opened = new WeakMap<World, Promise<TaskMetadata | undefined>>();

export function taskMetadata(world: World): () => Promise<TaskMetadata | undefined> {
  return () => {
    const metadata = opened.get(world) ?? openMetadata(world);
    opened.set(world, metadata);
    return metadata;
  };
}

async function openMetadata(world: World): Promise<TaskMetadata | undefined> {
  const { environment, ending, threads, isIdle } = world;
  const base = given(environment, 'ECS_CONTAINER_METADATA_URI_V4');
  if (base === undefined) return undefined;
  const { openTaskMetadata } = await import('../metadata/ecs.ts');
  const { createHttpClient } = await import('../net/http.ts');
  const http = createHttpClient({ environment, ending, threads, isIdle });
  world.atEnd?.(http.close);
  const metadata = openTaskMetadata(base, http);
  const told: Seen = {};
  seen.set(world, told);
  return {
    ...metadata,
    task: async (signal) => {
      told.task = await metadata.task(signal);
      return told.task;
    },
    ownId: async (signal) => {
      told.ownId = await metadata.ownId(signal);
      return told.ownId;
    },
  };
}

/** What the endpoint told whoever asked it. */
interface Seen {
  task?: Task;
  ownId?: string;
}

/** What each world's endpoint has told so far. */
export const seen: WeakMap<World, Seen> = new WeakMap<World, Seen>();

export function facts(world: World, aws: () => Promise<Aws>): Facts {
  const { environment, hostname } = world;
  const imds: Imds = {
    get: async (path, signal) => (await (await aws()).context(signal)).imds.get(path, signal),
  };
  return { environment, hostname, metadata: taskMetadata(world), imds };
}

export function resolver(world: World, aws: () => Promise<Aws>): Resolve {
  const asked = facts(world, aws);
  return async (dimensions, signal) =>
    dimensions.some(({ Value }) => isToken(Value))
      ? resolveDimensions(dimensions, asked, signal)
      : dimensions;
}
