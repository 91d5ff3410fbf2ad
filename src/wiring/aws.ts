import { homedir, platform } from 'node:os';
import type { Aws } from '../aws/aws.ts';
import type { Form } from '../cloudwatch/form.ts';
import type { Config } from '../config/config.ts';
import type { Post } from '../delivery/service.ts';
import { userAgent, type World } from './world.ts';

/** Looks for nothing yet: that is the first request's. */
export async function openAws(config: Config, world: World): Promise<Aws> {
  const { environment, clock, log, random, ending, threads, apart, isIdle } = world;
  if (apart !== undefined) (await import('../aws/files.ts')).readFilesApart();
  const { createAws } = await import('../aws/aws.ts');
  const home = { environment, platform: platform(), homedir };
  const names = { ending, threads, isIdle };
  const aws = createAws({ home, flags: config, clock, log, random, ...names });
  world.atEnd?.(aws.close);
  return aws;
}

export async function poster(world: World, aws: Aws): Promise<Post<Form>> {
  const { createPost } = await import('../cloudwatch/post.ts');
  return createPost({ ...aws, clock: world.clock, userAgent: userAgent(world) });
}
