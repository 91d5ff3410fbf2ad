import { type Environment, given } from '../environment.ts';
import type { Task } from '../metadata/ecs.ts';
import { resourceAttributes } from '../metadata/resource-attributes.ts';
import type { Dimension } from '../metrics/publication.ts';

/** What is known of the place without asking for it. */
export interface Here {
  readonly environment: Environment;
  readonly hostname: string;
  /** Where it was asked for anyway. */
  readonly task?: Task | undefined;
  readonly ownId?: string | undefined;
}

type Attributes = Readonly<Record<string, string | undefined>>;

/**
 * Attributes of the resource by the semantic conventions, as dimensions. Those of OTEL_RESOURCE_ATTRIBUTES go
 * before what is found, and the user's dimensions before all.
 *
 * @see https://opentelemetry.io/docs/specs/semconv/resource/
 */
export function withResource(dimensions: readonly Dimension[], here: Here): readonly Dimension[] {
  const said = resourceAttributes(here.environment);
  const own = dimensions.map(({ Name, Value }) => [Name, Value] as const);
  const found = Object.entries({ ...placeOf(here), ...taskOf(here) });
  // --service and --namespace are these, whatever else says so.
  const others = [...found, ...said].filter(([name]) => !/^service\.name(?:space)?$/.test(name));
  const all = new Map([...own, ...others, ...own]);
  return [...all].flatMap(([Name, Value = '']) => (Value === '' ? [] : [{ Name, Value }]));
}

function placeOf({ environment, hostname }: Here): Attributes {
  const variable = (name: string): string => given(environment, name) ?? '';
  const isEcs = variable('ECS_CONTAINER_METADATA_URI_V4') !== '';
  const isPod = variable('KUBERNETES_SERVICE_HOST') !== '';
  const isEks = /eks\.amazonaws\.com/.test(
    variable('AWS_WEB_IDENTITY_TOKEN_FILE') + variable('AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE'),
  );
  const platform = isEcs ? 'aws_ecs' : isPod && isEks ? 'aws_eks' : undefined;
  return {
    [isPod ? 'k8s.pod.name' : 'host.name']: hostname,
    ...(platform && {
      'cloud.provider': 'aws',
      'cloud.platform': platform,
      'cloud.region': variable('AWS_REGION') || variable('AWS_DEFAULT_REGION'),
    }),
  };
}

function taskOf({ task, ownId }: Here): Attributes {
  if (task === undefined) return {};
  const { arn, cluster, family, launchType, availabilityZone, containers } = task;
  // arn:aws:ecs:eu-west-1:123456789012:task/cluster/id
  const [, , , region, account, rest = ''] = arn.split(':');
  const isArn = cluster.startsWith('arn:') || cluster === '';
  return {
    ...(region && { 'cloud.region': region }),
    'cloud.account.id': account,
    'cloud.availability_zone': availabilityZone,
    'aws.ecs.task.arn': arn,
    'aws.ecs.task.id': rest.slice(rest.lastIndexOf('/') + 1),
    'aws.ecs.task.family': family,
    'aws.ecs.cluster.arn': isArn ? cluster : `${arn.replace(/:task\/.*/, '')}:cluster/${cluster}`,
    'aws.ecs.launchtype': launchType.toLowerCase(),
    'container.id': ownId,
    'container.name': containers.find(({ id }) => id === ownId)?.name,
  };
}
