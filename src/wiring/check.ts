import type { Aws } from '../aws/aws.ts';
import type { Config } from '../config/config.ts';
import { type Output, outputName } from '../config/outputs.ts';
import type { OtlpOutlet } from '../diagnostics/check-otlp.ts';
import { ConfigError, reasonOf } from '../errors.ts';
import { checkTokens } from '../metadata/dimensions.ts';
import { openRootFs } from '../sources/rootfs.ts';
import { watchSource } from '../sources/watch.ts';
import { openAws, poster } from './aws.ts';
import { entityLine } from './entity.ts';
import { resolver } from './metadata.ts';
import { selectOptions } from './source.ts';
import { userAgent, type World } from './world.ts';

/**
 * `--check`: looks whether publishing would work; with `--explain` it says all about the sources, too.
 *
 * @returns the exit code
 * @throws ConfigError where the settings do not fit this place
 */
export async function check(config: Config, world: World): Promise<number> {
  const { clock, lines } = world;
  checkTokens(config.dimensions, world.environment);
  const source = await watchSource(selectOptions(config, world, openRootFs(config.root)));
  let aws: Promise<Aws> | undefined;
  const awsOnce = (): Promise<Aws> => {
    aws ??= openAws(config, world);
    return aws;
  };
  const { runCheck } = await import('../diagnostics/check.ts');
  const write = (line: string): void => {
    lines.write(line);
  };
  try {
    const resolve = (signal: AbortSignal) => resolver(world, awsOnce)(config.dimensions, signal);
    const outlets = await otlpOutlets(config, world, awsOnce);
    const isClassic = config.outputs.some(({ kind }) => kind === 'cloudwatch');
    const needsAws = isClassic || outlets.some(({ target }) => !target.isPlain);
    const services = needsAws ? await awsOnce() : undefined;
    const post = services && isClassic ? await poster(world, services) : undefined;
    const { namespace, checkPublish: isPublishing, logFormat: format } = config;
    const { environment } = world;
    const how = { environment, clock, post, resolve, isPublishing, namespace, format, write };
    const exit = await runCheck({ ...how, aws: services, outlets, source: source.describe() });
    if (config.entity) write(await entityLine(config, world, awsOnce));
    const emf = await Promise.all(config.outputs.map((output) => emfLine(output, config, world)));
    for (const [line] of emf) if (line !== '') write(line);
    const isWell = emf.every(([, isGood]) => isGood);
    if (config.explain) lines.write(await explain(config, world));
    return isWell ? exit : Math.max(exit, 1);
  } finally {
    source.close();
    (await aws)?.close();
  }
}

/** What `--explain` prints: every source that could be, what it read, and the figures. */
export async function explain(config: Config, world: World): Promise<string> {
  const { explainSource } = await import('../diagnostics/explain.ts');
  const options = selectOptions(config, world, openRootFs(config.root));
  const text = await explainSource(options, config.metrics, config.logFormat);
  return config.entity
    ? `${text}\n${await entityLine(config, world, () => openAws(config, world))}`
    : text;
}

/** What is said of a place for EMF lines; empty for any other output. */
async function emfLine(
  output: Output,
  { logFormat }: Config,
  world: World,
): Promise<[line: string, isGood: boolean]> {
  if (output.kind !== 'emf') return ['', true];
  const { lookAt } = await import('../emf/open.ts');
  const { findingLines } = await import('../diagnostics/check.ts');
  const what = 'emf';
  try {
    const text = await lookAt({ ...world, to: output.to });
    return [findingLines({ mark: 'ok', what, text }, logFormat), true];
  } catch (error) {
    const reason = reasonOf(error);
    const text = error instanceof ConfigError ? reason : `${output.to}: ${reason}`;
    return [findingLines({ mark: 'FAIL', what, text }, logFormat), false];
  }
}

/** OTLP endpoints to be looked at. */
async function otlpOutlets(
  config: Config,
  world: World,
  aws: () => Promise<Aws>,
): Promise<OtlpOutlet[]> {
  const outputs = config.outputs.filter((output) => output.kind === 'otlp');
  if (outputs.length === 0) return [];
  const { otlpTarget } = await import('../otlp/target.ts');
  const { createOtlpPost } = await import('../otlp/post.ts');
  const { clock } = world;
  const { headers, compatFraction: isFraction } = config;
  return outputs.map((output) => {
    const target = otlpTarget({ ...config, ...world, aws, url: output.url });
    const post = createOtlpPost({ ...target, clock, headers, userAgent: userAgent(world) });
    return { name: outputName(output), target, headers, post, isFraction };
  });
}
