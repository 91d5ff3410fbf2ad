// Over 200 lines: the wiring is to be read in one place.
import { homedir, platform, uptime } from 'node:os';
import { Agent, type AgentOptions } from './agent.ts';
import type { Aws } from './aws/aws.ts';
import { type Clock, within } from './clock.ts';
import type { Form } from './cloudwatch/form.ts';
import { MAX_VALUES } from './cloudwatch/limits.ts';
import type { Config } from './config/config.ts';
import { type Output, outputName } from './config/outputs.ts';
import type { Resolve } from './delivery/publications.ts';
import type { SenderOptions } from './delivery/sender.ts';
import type { Post } from './delivery/service.ts';
import type { Health } from './delivery/stats.ts';
import type { Adopt, PendingWindows, Store } from './delivery/store.ts';
import type { OtlpOutlet } from './diagnostics/check-otlp.ts';
import { periodWarning, startLine } from './diagnostics/start.ts';
import { type Environment, given } from './environment.ts';
import { ConfigError, reasonOf } from './errors.ts';
import type { StatusFile } from './health/status-file.ts';
import { keyedNumber } from './kernel/bytes.ts';
import { type Log, withFields } from './log.ts';
import { checkTokens, type Facts, isToken, resolveDimensions } from './metadata/dimensions.ts';
import type { Task, TaskMetadata } from './metadata/ecs.ts';
import type { EntityOptions } from './metadata/entity.ts';
import type { Imds } from './metadata/imds.ts';
import type { ClosedWindow } from './metrics/aggregate.ts';
import type { Figures, Series } from './metrics/figures.ts';
import { Labels } from './metrics/labels.ts';
import type { Entity, Publication } from './metrics/publication.ts';
import { Window } from './metrics/window.ts';
import type { CloudwatchOptions } from './sinks/cloudwatch.ts';
import { ConsoleSink } from './sinks/console.ts';
import { lazySink } from './sinks/lazy.ts';
import type { Lines } from './sinks/lines.ts';
import type { Screen, ScreenOptions } from './sinks/screen.ts';
import type { Sink } from './sinks/sink.ts';
import type { Terminal } from './sinks/terminal.ts';
import { optional } from './sources/meters.ts';
import type { SelfUsage } from './sources/options.ts';
import { openRootFs, type RootFs } from './sources/rootfs.ts';
import type { Scope, SelectOptions } from './sources/select.ts';
import type { Source } from './sources/source.ts';
import { watchSource } from './sources/watch.ts';
import type { Disk } from './spool/disk.ts';
import { VERSION } from './version.ts';

/** What the program stands in. */
export interface World {
  readonly environment: Environment;
  readonly platform: string;
  readonly hostname: string;
  readonly pid: number;
  /** The user's number; a question mark where there is none. */
  readonly user: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  /** CPU time and resident memory of this process. */
  readonly selfUsage: () => Omit<SelfUsage, 'anonymousBytes'>;
  /** Standard output. */
  readonly lines: Lines;
  /** Standard output, where a dry run is drawn on it. */
  readonly terminal?: Terminal | undefined;
  /** A text to standard output, told when it is out; nothing where that is another's. */
  readonly print?: (text: string) => Promise<void>;
  /** Aborted when the end has begun. */
  readonly ending: AbortSignal;
  /** Counts calls that hold a thread, which keeps the process from ending. */
  readonly threads: { held: number };
  /** Node and this program, where the disk is left to processes of their own: beside a job. */
  readonly apart?: readonly [node: string, program: string];
  /** For the user agent: `nodejs/v24.1.0 linux/x64`. */
  readonly runtime: string;
  /** What only a library is told: the process is its caller's. */
  readonly isGuest?: boolean;
  /** Takes what is to be closed at the end, where the process goes on. */
  readonly atEnd?: (close: () => void) => void;
  readonly onAttempt?: SenderOptions<Form>['onAttempt'];
  readonly onFault?: (error: unknown) => void;
}

/** What else looks at the samples, and what it wants measured for that. */
export interface Watching {
  readonly series: readonly Series[];
  readonly onSample: (figures: Figures, wallMs: number) => void;
  /** Where `--scope` says nothing. */
  readonly scope?: Scope;
  readonly isBesideJob?: boolean;
  /** The caller's own metrics, and who sees each window. */
  readonly more?: AgentOptions['more'];
  readonly onWindow?: AgentOptions['onWindow'];
}

const KIB = 1024;
/** Time to find what the metrics are of. */
const ENTITY_MS = 3000;

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
      : await openScreen({ ...common, terminal, publication, said });
  return agentOf({
    ...common,
    sink,
    onSample: (figures, wallMs) => {
      sink.sample(figures, wallMs);
      by?.onSample(figures, wallMs);
    },
  });
}

/** What the outputs beside CloudWatch's own would send. */
async function openPreviews(
  config: Config,
  world: World,
  publication: Publication,
): Promise<((window: ClosedWindow) => readonly string[])[]> {
  const { compatFraction, logFormat, outputs } = config;
  const others = outputs.filter(({ kind }) => kind !== 'cloudwatch');
  if (others.length === 0) return [];
  const { emfPreview } = await import('./emf/open.ts');
  const { otlpPreview } = await import('./otlp/preview.ts');
  const { withResource } = await import('./otlp/resource.ts');
  const dimensions = withResource(publication.dimensions, world);
  return others.map((output) =>
    output.kind === 'emf'
      ? emfPreview(outputName(output), output.to, publication, logFormat)
      : otlpPreview(outputName(output), { ...publication, dimensions }, compatFraction, logFormat),
  );
}

async function openStatusFile(config: Config, world: World): Promise<StatusFile | undefined> {
  const { statusFile: path, periodMs } = config;
  if (path === undefined) return undefined;
  const { openStatusFile: open } = await import('./health/status-file.ts');
  const poolSize = world.environment['UV_THREADPOOL_SIZE'];
  const isBesideJob = world.apart !== undefined;
  return open({ ...world, path, periodMs, version: VERSION, poolSize, isBesideJob });
}

async function openScreen(
  options: Omit<ScreenOptions, 'measured'> & { readonly source: Source },
): Promise<Screen> {
  const { Screen } = await import('./sinks/screen.ts');
  const { wordsOf } = await import('./diagnostics/words.ts');
  return new Screen({ ...options, measured: () => wordsOf(options.source.describe()) });
}

/** The same, where warnings are kept as well. */
function noting(world: World, said: string[]): World {
  const { log } = world;
  const warn: Log['warn'] = (message, fields) => {
    said.push(message);
    log.warn(message, fields);
  };
  return { ...world, log: { ...log, warn } };
}

/** What is chosen for the scope; what no scope has is loaded where it is wanted. */
async function openSource(config: Config, world: World, by: Watching | undefined): Promise<Source> {
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
  const { openExtra, withExtra, hushed } = await import('./sources/extra.ts');
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

function sayStart(config: Config, { log, environment }: World, description: string): void {
  log.notice(...startLine(config, description, environment));
  const isLone = config.dryRun || config.once;
  const warning = isLone ? undefined : periodWarning(config.periodMs);
  if (warning !== undefined) log.warn(warning);
}

/** What `--explain` prints: every source that could be, what it read, and the figures. */
export async function explain(config: Config, world: World): Promise<string> {
  const { explainSource } = await import('./diagnostics/explain.ts');
  const options = selectOptions(config, world, openRootFs(config.root));
  const text = await explainSource(options, config.metrics, config.logFormat);
  return config.entity
    ? `${text}\n${await entityLine(config, world, () => openAws(config, world))}`
    : text;
}

function selectOptions(config: Config, world: World, fs: RootFs): SelectOptions {
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

/** Opened once, however many ask for it; nothing outside of an ECS task. */
const opened = new WeakMap<World, Promise<TaskMetadata | undefined>>();

function taskMetadata(world: World): () => Promise<TaskMetadata | undefined> {
  return () => {
    const metadata = opened.get(world) ?? openMetadata(world);
    opened.set(world, metadata);
    return metadata;
  };
}

async function openMetadata(world: World): Promise<TaskMetadata | undefined> {
  const { environment, ending, threads, isGuest } = world;
  const base = given(environment, 'ECS_CONTAINER_METADATA_URI_V4');
  if (base === undefined) return undefined;
  const { openTaskMetadata } = await import('./metadata/ecs.ts');
  const { createHttpClient } = await import('./net/http.ts');
  const http = createHttpClient({ environment, ending, threads, isGuest });
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

const seen = new WeakMap<World, Seen>();

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
async function openOutputs(
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
  const { severalSinks } = await import('./sinks/several.ts');
  return severalSinks(outputs, clock, log);
}

function openOutput(output: Output, config: Config, world: World, more: Outlet): Promise<Sink> {
  if (output.kind === 'cloudwatch') return openCloudwatch(config, world, more);
  if (output.kind === 'otlp') return openOtlp(output.url, config, world, more);
  return openEmf(output.to, config, world, more);
}

/** Before anything has begun. @throws ConfigError for a place where no EMF lines can be put */
async function checkPlaces({ outputs }: Config, world: World): Promise<void> {
  for (const output of outputs) {
    if (output.kind !== 'emf') continue;
    const { checkPlace } = await import('./emf/open.ts');
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
  const { eventOptions, openWay } = await import('./emf/open.ts');
  const { EmfSink } = await import('./sinks/emf.ts');
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
  const { cloudwatchSink } = await import('./sinks/cloudwatch.ts');
  const { remedyOf } = await import('./diagnostics/diagnosis.ts');
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

/** What is found is there before the first request; what takes longer, for a later one. */
async function withEntity(
  config: Config,
  world: World,
  { aws, log }: Pick<Outlet, 'aws' | 'log'>,
  resolve: Resolve,
): Promise<Pick<CloudwatchOptions, 'resolve' | 'entities'>> {
  if (!config.entity) return { resolve };
  const { EntityFinder, entityText } = await import('./metadata/entity.ts');
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
async function entityOf(
  config: Config,
  world: World,
  aws: () => Promise<Aws>,
): Promise<Entity | string> {
  if (!config.entity) return '';
  const { findEntity } = await import('./metadata/entity.ts');
  const limit = new AbortController();
  const cancel = world.clock.after(ENTITY_MS, () => limit.abort());
  const found = await findEntity(entityOptions(config, world, aws), limit.signal).catch(reasonOf);
  cancel();
  return found;
}

async function entityLine(config: Config, world: World, aws: () => Promise<Aws>): Promise<string> {
  const found = await entityOf(config, world, aws);
  const { entityText } = await import('./metadata/entity.ts');
  const { findingLines } = await import('./diagnostics/check.ts');
  const mark = typeof found === 'string' ? 'warn' : 'ok';
  return findingLines({ mark, what: 'entity', text: entityText(found) }, config.logFormat);
}

function entityOptions(config: Config, world: World, aws: () => Promise<Aws>): EntityOptions {
  const service = config.dimensions[0]?.Value ?? '';
  return { ...facts(world, aws), service, readText: openRootFs('/').text };
}

/** Nothing of AWS is loaded where requests are not signed. */
async function openOtlp(
  url: string | undefined,
  config: Config,
  world: World,
  more: Outlet,
): Promise<Sink> {
  const { otlpSink } = await import('./sinks/otlp.ts');
  const { otlpTarget } = await import('./otlp/target.ts');
  const { withResource } = await import('./otlp/resource.ts');
  const { otlpRemedyOf } = await import('./diagnostics/diagnosis.ts');
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

function facts(world: World, aws: () => Promise<Aws>): Facts {
  const { environment, hostname } = world;
  const imds: Imds = {
    get: async (path, signal) => (await (await aws()).context(signal)).imds.get(path, signal),
  };
  return { environment, hostname, metadata: taskMetadata(world), imds };
}

function resolver(world: World, aws: () => Promise<Aws>): Resolve {
  const asked = facts(world, aws);
  return async (dimensions, signal) =>
    dimensions.some(({ Value }) => isToken(Value))
      ? resolveDimensions(dimensions, asked, signal)
      : dimensions;
}

/**
 * Nothing of the file system is loaded where no spool is asked for.
 *
 * @param output whose windows these are
 */
async function spoolOpener(
  output: string,
  config: Config,
  { clock, log, random, environment, apart }: World,
): Promise<((pending: PendingWindows, adopt: Adopt) => Store) | undefined> {
  if (config.spool === undefined) return undefined;
  const { lackOfThreads } = await import('./net/threads.ts');
  const lack = lackOfThreads(environment['UV_THREADPOOL_SIZE']);
  if (lack !== undefined && apart === undefined) {
    log.warn('the spool is left out: windows wait in memory alone', { reason: lack });
    return undefined;
  }
  const { Spool } = await import('./spool/spool.ts');
  const digits = (): string => Math.floor(random() * 2 ** 32).toString(16);
  const disk = await openFolder(config.spool, apart);
  return (pending, adopt) =>
    new Spool({
      disk,
      limitBytes: config.spoolLimitBytes,
      owner: `${digits()}${digits()}`,
      output,
      namespace: config.namespace,
      clock,
      log,
      pending,
      adopt,
    });
}

async function openFolder(folder: string, apart: World['apart']): Promise<Disk> {
  if (apart === undefined) return (await import('./spool/disk.ts')).openDisk(folder);
  return (await import('./spool/apart.ts')).openDiskApart(folder, apart);
}

/** Looks for nothing yet: that is the first request's. */
export async function openAws(config: Config, world: World): Promise<Aws> {
  const { environment, clock, log, random, ending, threads, apart, isGuest } = world;
  if (apart !== undefined) (await import('./aws/files.ts')).readFilesApart();
  const { createAws } = await import('./aws/aws.ts');
  const home = { environment, platform: platform(), homedir };
  const names = { ending, threads, isGuest };
  const aws = createAws({ home, flags: config, clock, log, random, ...names });
  world.atEnd?.(aws.close);
  return aws;
}

export function userAgent({ runtime }: World): string {
  return `cloudwatch-metrics-agent/${VERSION} ${runtime}`;
}

async function poster(world: World, aws: Aws): Promise<Post<Form>> {
  const { createPost } = await import('./cloudwatch/post.ts');
  return createPost({ ...aws, clock: world.clock, userAgent: userAgent(world) });
}

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
  const { runCheck } = await import('./diagnostics/check.ts');
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

/** What is said of a place for EMF lines; empty for any other output. */
async function emfLine(
  output: Output,
  { logFormat }: Config,
  world: World,
): Promise<[line: string, isGood: boolean]> {
  if (output.kind !== 'emf') return ['', true];
  const { lookAt } = await import('./emf/open.ts');
  const { findingLines } = await import('./diagnostics/check.ts');
  const what = 'emf';
  try {
    const text = await lookAt({ ...world, to: output.to });
    return [findingLines({ mark: 'ok', what, text }, logFormat), true];
  } catch (error) {
    const text = `${output.to}: ${reasonOf(error)}`;
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
  const { otlpTarget } = await import('./otlp/target.ts');
  const { createOtlpPost } = await import('./otlp/post.ts');
  const { clock } = world;
  const { headers, compatFraction: isFraction } = config;
  return outputs.map((output) => {
    const target = otlpTarget({ ...config, ...world, aws, url: output.url });
    const post = createOtlpPost({ ...target, clock, headers, userAgent: userAgent(world) });
    return { name: outputName(output), target, headers, post, isFraction };
  });
}
