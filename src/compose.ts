import { uptime } from 'node:os';
import { Agent, type AgentOptions } from './agent.ts';
import { MAX_VALUES } from './cloudwatch/limits.ts';
import type { Config } from './config/config.ts';
import type { Health } from './delivery/stats.ts';
import { periodWarning, startLine } from './diagnostics/start.ts';
import type { StatusFile } from './health/status-file.ts';
import { checkTokens } from './metadata/dimensions.ts';
import { Labels } from './metrics/labels.ts';
import type { Publication } from './metrics/publication.ts';
import { Window } from './metrics/window.ts';
import { ConsoleSink } from './sinks/console.ts';
import { VERSION } from './version.ts';
import { openAws } from './wiring/aws.ts';
import { entityOf } from './wiring/entity.ts';
import { checkPlaces, openOutputs } from './wiring/outputs.ts';
import { noting, openPreviews, openScreen } from './wiring/preview.ts';
import { openSource } from './wiring/source.ts';
import type { Watching, World } from './wiring/world.ts';

/**
 * The only wiring. The agent that comes out has not begun yet.
 *
 * @throws ConfigError where the settings do not fit this place
 */
export async function compose(config: Config, world: World, by?: Watching): Promise<Agent> {
  const { clock, log, lines, terminal } = world;
  checkTokens(config.dimensions, world.environment);
  const said: string[] = [];
  if (!config.dryRun) await checkPlaces(config, world);
  const source = await openSource(config, terminal === undefined ? world : noting(world, said), by);
  const window = new Window(config.metrics.map(({ series }) => series));
  // Whoever reads it may signal at once: by then the agent has begun.
  if (terminal?.isLogs !== true) clock.after(0, () => sayStart(config, world, source.describe()));
  const publication: Publication = {
    namespace: config.namespace,
    dimensions: config.dimensions,
    highResolution: config.periodMs < 60_000,
  };
  const labels = new Labels({
    clock,
    uptimeMs: () => uptime() * 1000,
    periodMs: config.periodMs,
    isAligned: !config.once,
  });
  const common = {
    source,
    clock,
    log,
    intervalMs: config.intervalMs,
    periodMs: config.periodMs,
    aligned: !config.once,
    wantsAll: config.wantsAll,
    window,
    labels,
    ...(by?.more && { more: by.more }),
    ...(by?.onWindow && { onWindow: by.onWindow }),
    aggregate: {
      metrics: config.metrics,
      statistics: config.statistics,
      valuesPerDatum: MAX_VALUES,
      compatFraction: config.compatFraction,
    },
  };
  const statusFile = await openStatusFile(config, world);
  const agentOf = (options: AgentOptions): Agent => {
    const agent = new Agent({ ...options, sink: statusFile?.around(options.sink) ?? options.sink });
    statusFile?.begin(() => agent.status());
    return agent;
  };
  if (!config.dryRun) {
    const health: Health = (series, value) => window.add(series, value);
    const sink = await openOutputs(config, world, { publication, health, labels });
    return agentOf({ ...common, sink, ...(by && { onSample: by.onSample }) });
  }
  const percentScale = config.compatFraction ? 100 : 1;
  const sink =
    terminal === undefined
      ? new ConsoleSink({
          publication,
          format: config.logFormat,
          percentScale,
          lines,
          entity: await entityOf(config, world, () => openAws(config, world)),
          isClassic: config.outputs.some(({ kind }) => kind === 'cloudwatch'),
          others: await openPreviews(config, world, publication),
        })
      : await openScreen({ ...common, terminal, publication, said }, config, world);
  return agentOf({
    ...common,
    sink,
    onSample: (figures, wallMs) => {
      sink.sample(figures, wallMs);
      by?.onSample(figures, wallMs);
    },
  });
}

async function openStatusFile(config: Config, world: World): Promise<StatusFile | undefined> {
  const { statusFile: path, periodMs } = config;
  if (path === undefined) return undefined;
  const { openStatusFile: open } = await import('./health/status-file.ts');
  const poolSize = world.environment['UV_THREADPOOL_SIZE'];
  const isBesideJob = world.apart !== undefined;
  return open({ ...world, path, periodMs, version: VERSION, poolSize, isBesideJob });
}

function sayStart(config: Config, { log, environment }: World, description: string): void {
  log.notice(...startLine(config, description, environment));
  const isLone = config.dryRun || config.once;
  const warning = isLone ? undefined : periodWarning(config.periodMs);
  if (warning !== undefined) log.warn(warning);
}
