import type { Environment } from '../environment.ts';
import { ConfigError } from '../errors.ts';
import type { Dimension } from '../metrics/publication.ts';
import type { Task, TaskMetadata } from './ecs.ts';
import type { Imds } from './imds.ts';

/** Who can say what stands behind `--dimension Name=@token`. */
export interface Facts {
  readonly environment: Environment;
  readonly hostname: string;
  readonly metadata: () => Promise<TaskMetadata | undefined>;
  readonly imds: Imds;
}

/** Facts that are there from the start, by the variable that holds them. */
const VARIABLES: Readonly<Record<string, string>> = {
  '@batch-job-id': 'AWS_BATCH_JOB_ID',
  '@batch-queue': 'AWS_BATCH_JQ_NAME',
  '@batch-attempt': 'AWS_BATCH_JOB_ATTEMPT',
  '@batch-index': 'AWS_BATCH_JOB_ARRAY_INDEX',
};

/** Facts of an ECS task. Names are the last part of an ARN. */
const OF_TASK: Readonly<Record<string, (task: Task, ownId: string) => string | undefined>> = {
  '@task-id': ({ arn }) => lastPart(arn),
  '@task-family': ({ family }) => family,
  '@cluster': ({ cluster }) => lastPart(cluster),
  '@container': ({ containers }, ownId) => containers.find(({ id }) => id === ownId)?.name,
};

/** Facts of an EC2 instance, by their path in its metadata. */
const OF_INSTANCE: Readonly<Record<string, string>> = {
  '@instance-id': '/latest/meta-data/instance-id',
  '@instance-type': '/latest/meta-data/instance-type',
  '@az': '/latest/meta-data/placement/availability-zone',
};

export const TOKENS: readonly string[] = [
  '@hostname',
  ...Object.keys(OF_INSTANCE),
  ...Object.keys(OF_TASK),
  ...Object.keys(VARIABLES),
];

const TASK_VARIABLE = 'ECS_CONTAINER_METADATA_URI_V4';

export function isToken(value: string): boolean {
  return TOKENS.includes(value);
}

/** @throws ConfigError for a token that this place can never answer */
export function checkTokens(dimensions: readonly Dimension[], environment: Environment): void {
  for (const { Name, Value } of dimensions) {
    const missing = missingFor(Value, environment);
    if (missing !== undefined) {
      throw new ConfigError('--dimension', `got ${Name}=${Value}, but here ${missing}`);
    }
  }
}

function missingFor(token: string, environment: Environment): string | undefined {
  if (!isToken(token)) return undefined;
  const isSet = (name: string): boolean => (environment[name]?.trim() ?? '') !== '';
  const variable = VARIABLES[token];
  if (variable !== undefined) return isSet(variable) ? undefined : `${variable} is not set`;
  if (token in OF_TASK) return isSet(TASK_VARIABLE) ? undefined : `${TASK_VARIABLE} is not set`;
  if (!(token in OF_INSTANCE) || (token === '@az' && isSet(TASK_VARIABLE))) return undefined;
  if (environment['AWS_EXECUTION_ENV'] === 'AWS_ECS_FARGATE') return 'is Fargate, without instance';
  const disabled = environment['AWS_EC2_METADATA_DISABLED']?.toLowerCase() === 'true';
  return disabled ? 'AWS_EC2_METADATA_DISABLED is true' : undefined;
}

/** The dimensions with their tokens answered. @throws Error where one has no answer now */
export function resolveDimensions(
  dimensions: readonly Dimension[],
  facts: Facts,
  signal: AbortSignal,
): Promise<readonly Dimension[]> {
  return Promise.all(
    dimensions.map(async (dimension) =>
      isToken(dimension.Value)
        ? { ...dimension, Value: await answer(dimension.Value, facts, signal) }
        : dimension,
    ),
  );
}

/** @throws Error where there is no answer now */
async function answer(token: string, facts: Facts, signal: AbortSignal): Promise<string> {
  const { environment, hostname, metadata, imds } = facts;
  const variable = VARIABLES[token];
  if (variable !== undefined) return environment[variable] ?? '';
  if (token === '@hostname') return hostname;
  const endpoint = await metadata();
  const ofTask = OF_TASK[token];
  const path = OF_INSTANCE[token];
  let value: string | undefined;
  if (endpoint !== undefined && ofTask !== undefined) {
    value = ofTask(await endpoint.task(signal), await endpoint.ownId(signal));
  } else if (endpoint !== undefined && token === '@az') {
    value = (await endpoint.task(signal)).availabilityZone;
  }
  if (isEmpty(value) && path !== undefined) value = await imds.get(path, signal);
  if (isEmpty(value)) throw new Error(`nothing answers for ${token}`);
  return value;
}

function isEmpty(value: string | undefined): value is undefined | '' {
  return value === undefined || value === '';
}

function lastPart(arn: string): string {
  return arn.slice(arn.lastIndexOf('/') + 1);
}
