import type { Config } from '../config/config.ts';
import { outputName } from '../config/outputs.ts';
import type { Log } from '../log.ts';
import type { ClosedWindow } from '../metrics/aggregate.ts';
import type { Publication } from '../metrics/publication.ts';
import type { Screen, ScreenOptions } from '../sinks/screen.ts';
import type { Source } from '../sources/source.ts';
import type { World } from './world.ts';

/** What the outputs beside CloudWatch's own would send. */
export async function openPreviews(
  config: Config,
  world: World,
  publication: Publication,
): Promise<((window: ClosedWindow) => readonly string[])[]> {
  const { compatFraction, logFormat, outputs } = config;
  const others = outputs.filter(({ kind }) => kind !== 'cloudwatch');
  if (others.length === 0) return [];
  const { emfPreview } = await import('../emf/open.ts');
  const { otlpPreview } = await import('../otlp/preview.ts');
  const { withResource } = await import('../otlp/resource.ts');
  const dimensions = withResource(publication.dimensions, world);
  return others.map((output) =>
    output.kind === 'emf'
      ? emfPreview(outputName(output), output.to, publication, logFormat)
      : otlpPreview(outputName(output), { ...publication, dimensions }, compatFraction, logFormat),
  );
}

export async function openScreen(
  options: Omit<ScreenOptions, 'measured' | 'otlpBytes' | 'emfBytes' | 'kinds'> & {
    readonly source: Source;
  },
  { outputs }: Config,
  world: World,
): Promise<Screen> {
  const { Screen } = await import('../sinks/screen.ts');
  const { wordsOf } = await import('../diagnostics/words.ts');
  const { encodePages } = await import('../otlp/encode.ts');
  const { emfBytes } = await import('../emf/open.ts');
  const { withResource } = await import('../otlp/resource.ts');
  const dimensions = withResource(options.publication.dimensions, world);
  const publication = { ...options.publication, dimensions };
  const isFraction = options.aggregate.compatFraction;
  return new Screen({
    ...options,
    measured: () => wordsOf(options.source.describe()),
    otlpBytes: (window) =>
      encodePages({ ...window, publication }, { isFraction }).reduce(
        (sum, { bytes }) => sum + bytes,
        0,
      ),
    emfBytes: (window) => emfBytes(window, options.publication),
    kinds: [...new Set(outputs.map(({ kind }) => kind))],
  });
}

/** The same, where warnings are kept as well. */
export function noting(world: World, said: string[]): World {
  const { log } = world;
  const warn: Log['warn'] = (message, fields) => {
    said.push(message);
    log.warn(message, fields);
  };
  return { ...world, log: { ...log, warn } };
}
