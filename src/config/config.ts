// Over 200 lines: the settings as they are used, and what they may not be together, are one type and one judge.
import { gzipFrom } from '../cloudwatch/compression.ts';
import { MAX_DIMENSIONS } from '../cloudwatch/limits.ts';
import { type Environment, given } from '../environment.ts';
import { ConfigError } from '../errors.ts';
import type { Level } from '../log.ts';
import { namedMetrics } from '../metrics/catalog.ts';
import type { Metric, Statistics } from '../metrics/metric.ts';
import type { Dimension } from '../metrics/publication.ts';
import type { CpuBase, MemoryMode } from '../sources/options.ts';
import type { Scope } from '../sources/select.ts';
import { Settings, twinOf } from './flags.ts';
import { type Output, outputName } from './outputs.ts';
import * as table from './table.ts';

/** Everything that can be set, checked. */
export interface Config {
  readonly namespace: string;
  readonly dimensions: readonly Dimension[];
  readonly periodMs: number;
  readonly intervalMs: number;
  readonly dryRun: boolean;
  readonly once: boolean;
  /** `--metrics all`: nobody named what cannot be measured here. */
  readonly wantsAll: boolean;
  readonly metrics: readonly Metric[];
  readonly statistics: Statistics;
  readonly compatFraction: boolean;
  /** By flag; what else may give them is found out later, while sampling runs. */
  readonly region: string | undefined;
  readonly endpoint: URL | undefined;
  /** At least one, and none of them twice. */
  readonly outputs: readonly Output[];
  readonly entity: boolean;
  readonly sign: table.Sign;
  /** For OTLP endpoints. Never shown. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly profile: string | undefined;
  readonly caBundle: string | undefined;
  readonly check: boolean;
  readonly checkPublish: boolean;
  readonly root: string;
  readonly scope: Scope;
  readonly memoryMode: MemoryMode;
  readonly cpuBase: CpuBase;
  readonly excludeSelf: boolean;
  readonly explain: boolean;
  readonly flushTimeoutMs: number;
  /** With a job: from SIGTERM until the container is killed; undefined for what is usual here. */
  readonly stopTimeoutMs: number | undefined;
  readonly graceMs: number | undefined;
  readonly receipt: table.ReceiptForm | undefined;
  readonly report: string | undefined;
  /** The first offset of the publishing is drawn from 0 to this. */
  readonly jitterMs: number;
  readonly bufferBytes: number;
  /** The folder for what waits; nothing without one. */
  readonly spool: string | undefined;
  readonly spoolLimitBytes: number;
  /** Limits that nobody inside can see. */
  readonly saidCores: number | undefined;
  readonly saidBytes: number | undefined;
  readonly statusFile: string | undefined;
  /** The file of an agent that is to be judged: nothing else is done. */
  readonly healthy: string | undefined;
  readonly maxAgeSeconds: number | undefined;
  readonly logLevel: Level;
  /** Nobody has said another. */
  readonly isUsualLevel: boolean;
  readonly logFormat: 'text' | 'json';
}

/** What stands in a dry run for a namespace or service that was not given. */
export const DRY_RUN_NAME = 'DryRun';

const SERVICE_DIMENSION = 'ServiceName';
/** @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html */
const MAX_EMF_DIMENSION = 250;

/** What the command line asks for. */
export type Command = 'help' | 'version' | Config;

/**
 * @param isJob the agent runs a job
 * @throws ConfigError naming the flag or variable, what came and what was expected
 */
export function parseCommand(
  argv: readonly string[],
  environment: Environment,
  isJob = false,
): Command {
  const settings = new Settings(table.FLAGS, argv, environment);
  // What the environment says wrong of it is said at once, what a profile says when that is read.
  gzipFrom((variable) => given(environment, variable));
  if (settings.on(table.help)) return 'help';
  if (settings.on(table.version)) return 'version';
  const isDryRun = settings.on(table.dryRun) || settings.on(table.explain);
  const publishes = settings.on(table.checkPublish);
  const isCheck = settings.on(table.check) || publishes;
  if (publishes && settings.on(table.dryRun)) {
    throw new ConfigError('--check-publish', 'sends a datum, which --dry-run forbids');
  }
  const healthy = settings.one(table.healthy);
  const needsNoName = !publishes && (isDryRun || isCheck || healthy !== undefined);
  const kind = settings.one(table.statistics) ?? 'median';
  const periodSeconds = settings.one(table.period) ?? Number(table.period.fallback);
  const intervalSeconds = settings.one(table.interval) ?? Number(table.interval.fallback);
  if (intervalSeconds > periodSeconds) {
    throw new ConfigError(
      settings.origin(table.interval),
      `got ${intervalSeconds}, expected at most the period, ${periodSeconds}`,
    );
  }
  const jitterSeconds =
    settings.one(table.jitter) ?? Math.min(periodSeconds / 4, table.MOST_DEFAULT_JITTER);
  if (jitterSeconds > periodSeconds) {
    throw new ConfigError(
      settings.origin(table.jitter),
      `got ${jitterSeconds}, expected at most the period, ${periodSeconds}`,
    );
  }
  const rootPath = settings.one(table.root) ?? table.root.fallback;
  const [name, namespace] = needsNoName
    ? [settings.one(table.service) ?? DRY_RUN_NAME, settings.one(table.namespace) ?? DRY_RUN_NAME]
    : namesOf(settings);
  const dimensions = checked(
    [{ Name: SERVICE_DIMENSION, Value: name }, ...settings.all(table.dimension)],
    settings.origin(table.dimension),
  );
  const metrics = chosenMetrics(settings, kind, isJob);
  const outputs = outputsOf(settings, isJob);
  if (outputs.some((output) => output.kind === 'emf')) checkForEmf(dimensions, metrics);
  return {
    namespace,
    dimensions,
    periodMs: periodSeconds * 1000,
    intervalMs: Math.round(intervalSeconds * 1000),
    dryRun: isDryRun,
    once: settings.on(table.once),
    wantsAll: settings.one(table.metrics)?.includes('all') === true,
    metrics,
    statistics: kind,
    compatFraction: settings.on(table.compatFraction),
    region: settings.one(table.region),
    endpoint: settings.one(table.endpointUrl),
    outputs,
    entity: settings.on(table.entity),
    sign: settings.one(table.sign) ?? 'auto',
    headers: settings.all(table.header),
    profile: settings.one(table.profile),
    caBundle: settings.one(table.caBundle),
    check: isCheck,
    checkPublish: publishes,
    root: rootPath,
    // Another machine's root is read for that machine's sake.
    scope: settings.one(table.scope) ?? (rootPath === table.root.fallback ? 'auto' : 'host'),
    memoryMode: settings.one(table.memoryMode) ?? 'workingset',
    cpuBase: settings.one(table.cpuBase) ?? 'limit',
    excludeSelf: settings.on(table.excludeSelf, isJob),
    explain: settings.on(table.explain),
    jitterMs: jitterSeconds * 1000,
    bufferBytes: settings.one(table.buffer) ?? table.parseSize(table.buffer.fallback),
    spool: settings.one(table.spool),
    saidCores: settings.one(table.cpuLimit),
    saidBytes: settings.one(table.memoryLimit),
    spoolLimitBytes: settings.one(table.spoolLimit) ?? table.parseSize(table.spoolLimit.fallback),
    flushTimeoutMs:
      (settings.one(table.flushTimeout) ?? Number(table.flushTimeout.fallback)) * 1000,
    stopTimeoutMs: milliseconds(settings.one(table.stopTimeout)),
    graceMs: milliseconds(settings.one(table.grace)),
    receipt: settings.one(table.receipt),
    report: settings.one(table.report),
    statusFile: settings.one(table.statusFile),
    healthy,
    maxAgeSeconds: settings.one(table.maxAge),
    logLevel: settings.one(table.logLevel) ?? (isDryRun ? 'info' : 'warn'),
    isUsualLevel: settings.one(table.logLevel) === undefined,
    logFormat: settings.one(table.logFormat) ?? 'text',
  };
}

function milliseconds(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : seconds * 1000;
}

/** @throws ConfigError where nothing is left, as `default` holds less in a distribution */
function chosenMetrics(settings: Settings, kind: Statistics, isJob: boolean): readonly Metric[] {
  const words = settings.one(table.metrics) ?? ['default'];
  const chosen = namedMetrics(words, kind, isJob) ?? [];
  if (chosen.length > 0) return chosen;
  const problem = `got "${words.join(',')}", which leaves nothing of --statistics ${kind}`;
  throw new ConfigError(settings.origin(table.metrics), problem);
}

/** The members of an event are its metrics and its dimensions. @throws ConfigError where one has no place */
function checkForEmf(dimensions: readonly Dimension[], metrics: readonly Metric[]): void {
  for (const { Name } of dimensions) {
    const isTaken = Name === '_aws' || metrics.some(({ name }) => name === Name);
    if (!isTaken && Name.length <= MAX_EMF_DIMENSION) continue;
    const problem = `got ${Name}, expected with --output emf a name of at most ${MAX_EMF_DIMENSION} characters, and neither _aws nor a metric's`;
    throw new ConfigError('--dimension', problem);
  }
}

/** @throws ConfigError for the same one twice, and for lines where a job's are */
function outputsOf(settings: Settings, isJob: boolean): readonly Output[] {
  const outputs = settings.all(table.output);
  const names = outputs.map(outputName);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) {
    throw new ConfigError(settings.origin(table.output), `got ${twice} twice, expected once`);
  }
  const isMixed =
    isJob && outputs.some((output) => output.kind === 'emf' && output.to === undefined);
  if (isMixed) {
    const problem =
      'got emf, but standard output is the job’s; expected emf=FILE, emf=tcp://… or udp';
    throw new ConfigError(settings.origin(table.output), problem);
  }
  const isCloudwatch = outputs.length === 0 || outputs.some(({ kind }) => kind === 'cloudwatch');
  if (settings.on(table.entity) && !isCloudwatch) {
    throw new ConfigError('--entity', 'is for the output cloudwatch, which --output leaves out');
  }
  return outputs.length > 0 ? outputs : [{ kind: 'cloudwatch' }];
}

/** @throws ConfigError that names all that are missing, and all ways to give them */
function namesOf(settings: Settings): [service: string, namespace: string] {
  const [service, namespace] = [settings.one(table.service), settings.one(table.namespace)];
  if (service !== undefined && namespace !== undefined) return [service, namespace];
  const missing = [
    ...(namespace === undefined ? [table.namespace] : []),
    ...(service === undefined ? [table.service] : []),
  ];
  const flags = missing.map(({ name }) => `--${name}`).join(' and ');
  const ways = missing.map(({ name }) => twinOf(name)).join(' and ');
  const isOne = missing.length === 1;
  const expected = missing.map((flag) => (isOne ? '' : `${flag.value} of `) + flag.expected);
  const problem = `${isOne ? 'is' : 'are'} required, expected ${expected.join(', and ')}`;
  throw new ConfigError(flags, `${problem}; also as ${ways}; --dry-run needs neither`);
}

/** @throws ConfigError for two dimensions of one name, or too many */
function checked(dimensions: readonly Dimension[], origin: string): readonly Dimension[] {
  const names = dimensions.map(({ Name }) => Name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new ConfigError(origin, `got ${twice} twice, expected once`);
  if (names.length > MAX_DIMENSIONS) {
    const problem = `got ${names.length} with ServiceName, expected at most ${MAX_DIMENSIONS}`;
    throw new ConfigError(origin, problem);
  }
  return dimensions;
}
