import type { Aws } from '../aws/aws.ts';
import type { Config } from '../config/config.ts';
import { type Output, outputName } from '../config/outputs.ts';
import type { Health } from '../delivery/stats.ts';
import { type Log, withFields } from '../log.ts';
import type { Labels } from '../metrics/labels.ts';
import type { Publication } from '../metrics/publication.ts';
import { lazySink } from '../sinks/lazy.ts';
import type { Sink } from '../sinks/sink.ts';
import { openAws } from './aws.ts';
import { withEntity } from './entity.ts';
import { resolver, seen } from './metadata.ts';
import { spoolOpener } from './spool.ts';
import { userAgent, type World } from './world.ts';

/** What outputs are opened with. */
interface Outlet {
  readonly name: string;
  readonly log: Log;
  readonly publication: Publication;
  readonly health: Health;
  readonly labels: Labels;
  /** Made by the first that needs it. */
  readonly aws: () => Promise<Aws>;
}

/** Each output is loaded on its own, so that none waits for another. */
export async function openOutputs(
  config: Config,
  world: World,
  more: Omit<Outlet, 'aws' | 'log' | 'name'>,
): Promise<Sink> {
  const { clock, log } = world;
  let aws: Promise<Aws> | undefined;
  const outlet = {
    ...more,
    aws: (): Promise<Aws> => {
      aws ??= openAws(config, world);
      return aws;
    },
  };
  const isAlone = config.outputs.length === 1;
  const outputs = config.outputs.map((output) => {
    const name = outputName(output);
    const sink = lazySink(clock);
    const named = isAlone ? log : withFields(log, { output: name });
    const load = () => openOutput(output, config, world, { ...outlet, name, log: named });
    sink.load(load, world.onFault);
    return [name, sink] as const;
  });
  const [first] = outputs;
  if (isAlone && first !== undefined) return first[1];
  const { severalSinks } = await import('../sinks/several.ts');
  return severalSinks(outputs, clock, log);
}

function openOutput(output: Output, config: Config, world: World, more: Outlet): Promise<Sink> {
  if (output.kind === 'cloudwatch') return openCloudwatch(config, world, more);
  if (output.kind === 'otlp') return openOtlp(output.url, config, world, more);
  return openEmf(output.to, config, world, more);
}

/** Before anything has begun. @throws ConfigError for a place where no EMF lines can be put */
export async function checkPlaces({ outputs }: Config, world: World): Promise<void> {
  for (const output of outputs) {
    if (output.kind !== 'emf') continue;
    const { checkPlace } = await import('../emf/open.ts');
    await checkPlace({ ...world, to: output.to });
  }
}

/** Needs nothing of AWS, but where a dimension stands for what the instance knows. */
async function openEmf(
  to: string | undefined,
  config: Config,
  world: World,
  more: Outlet,
): Promise<Sink> {
  const { eventOptions, openWay } = await import('../emf/open.ts');
  const { EmfSink } = await import('../sinks/emf.ts');
  return new EmfSink({
    ...config,
    ...world,
    ...more,
    ...eventOptions(to, more.publication),
    way: openWay({ ...world, to }),
    resolve: resolver(world, more.aws),
  });
}

/**
 * The AWS half is loaded after the first reading: https, zlib and crypto take 16 ms, which the job
 * beside us should not wait for and the first sample need not.
 */
async function openCloudwatch(config: Config, world: World, more: Outlet): Promise<Sink> {
  const { cloudwatchSink } = await import('../sinks/cloudwatch.ts');
  const { remedyOf } = await import('../diagnostics/diagnosis.ts');
  const aws = await more.aws();
  return cloudwatchSink({
    ...config,
    ...world,
    ...more,
    aws,
    userAgent: userAgent(world),
    ...(await withEntity(config, world, more, resolver(world, more.aws))),
    openStore: await spoolOpener(more.name, config, { ...world, log: more.log }),
    remedyFor: (verdict) => remedyOf(verdict, world.environment),
  });
}

/** Nothing of AWS is loaded where requests are not signed. */
async function openOtlp(
  url: string | undefined,
  config: Config,
  world: World,
  more: Outlet,
): Promise<Sink> {
  const { otlpSink } = await import('../sinks/otlp.ts');
  const { otlpTarget } = await import('../otlp/target.ts');
  const { withResource } = await import('../otlp/resource.ts');
  const { otlpRemedyOf } = await import('../diagnostics/diagnosis.ts');
  const resolve = resolver(world, more.aws);
  return otlpSink({
    ...config,
    ...world,
    ...more,
    target: otlpTarget({ ...config, ...world, ...more, url }),
    userAgent: userAgent(world),
    resolve: async (dimensions, signal) =>
      withResource(await resolve(dimensions, signal), { ...world, ...seen.get(world) }),
    openStore: await spoolOpener(more.name, config, { ...world, log: more.log }),
    remedyFor: (verdict) => otlpRemedyOf(verdict, world.environment),
  });
}
