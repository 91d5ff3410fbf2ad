import { given } from '../environment.ts';
import { reasonOf } from '../errors.ts';
import type { Dimension, Entity, Publication } from '../metrics/publication.ts';
import type { Facts } from './dimensions.ts';
import { resourceAttributes } from './resource-attributes.ts';

export interface EntityOptions extends Facts {
  /** What `--service` says, where the place has no better name. */
  readonly service: string;
  /** The text of a small file; empty where there is none. */
  readonly readText: (path: string) => string;
}

export interface FinderOptions extends EntityOptions {
  /** Says what was found, or what is missing; the same once. */
  readonly say: (found: Entity | string) => void;
  readonly monoMs: () => number;
}

/** A place that did not answer is asked again after that. */
const AGAIN_MS = 600_000;
const LONGEST_VALUE = 2048;
const NAMESPACE_FILE = '/var/run/secrets/kubernetes.io/serviceaccount/namespace';
/** EKS puts these words into pods that have a role of their own. */
const EKS = /eks\.amazonaws\.com|^http:\/\/(?:169\.254\.170\.23|\[fd00:ec2::23\])/;
/** Parts of names that Kubernetes makes up, without vowels and look-alikes. */
const MADE_UP = '[bcdfghjklmnpqrstvwxz2456789]';
const POD = new RegExp(`^(.+?)(?:-${MADE_UP}{6,10})?-(?:${MADE_UP}{5}|\\d+)$`);
const WORKLOADS = ['deployment', 'statefulset', 'daemonset', 'cronjob', 'job', 'replicaset'];

/**
 * What the console relates our metrics to: the ECS service, the EKS workload or the EC2 instance around us.
 *
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/adding-your-own-related-telemetry.html
 */
export class EntityFinder {
  readonly #options: FinderOptions;
  #entity: Entity | undefined;
  #own: readonly Dimension[] | undefined;
  #askedMs = Number.NEGATIVE_INFINITY;
  #asking: Promise<void> = Promise.resolve();
  #said: Entity | string | undefined;

  constructor(options: FinderOptions) {
    this.#options = options;
  }

  /** Looks, where it is not known and was not looked for lately. It does not reject. */
  find(signal: AbortSignal): Promise<void> {
    const nowMs = this.#options.monoMs();
    if (this.#entity === undefined && nowMs - this.#askedMs >= AGAIN_MS) {
      this.#askedMs = nowMs;
      this.#asking = this.#look(signal);
    }
    return this.#asking;
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { say } = this.#options;
    const found = await findEntity(this.#options, signal).catch(reasonOf);
    if (typeof found !== 'string') this.#entity = found;
    if (this.#said !== found) say(found);
    this.#said = found;
  }

  /** Windows with these very dimensions are this process's own; others are from elsewhere. */
  own(dimensions: readonly Dimension[]): void {
    this.#own = dimensions;
  }

  entityOf({ dimensions }: Publication): Entity | undefined {
    return dimensions === this.#own ? this.#entity : undefined;
  }
}

/** `Service web in ecs:main`, or what is missing. */
export function entityText(found: Entity | string): string {
  if (typeof found === 'string') return `none: ${found}`;
  const { Type, Name, Environment, ResourceType, Identifier } = found.keys;
  return Name === undefined ? `${ResourceType} ${Identifier}` : `${Type} ${Name} in ${Environment}`;
}

/**
 * @returns what is missing where there is none
 * @throws Error where the place does not answer
 */
export async function findEntity(
  options: EntityOptions,
  signal: AbortSignal,
): Promise<Entity | string> {
  const { environment, metadata, imds } = options;
  const endpoint = await metadata();
  if (endpoint !== undefined) {
    const { cluster, arn, serviceName } = await endpoint.task(signal);
    const name = lastPart(cluster);
    if (name === '') return 'the task’s metadata names no cluster';
    return service(serviceName || options.service, `ecs:${name}`, {
      PlatformType: 'AWS::ECS',
      'ECS.Cluster': name,
      'ECS.Service': serviceName,
      'ECS.Task': lastPart(arn),
    });
  }
  if (given(environment, 'KUBERNETES_SERVICE_HOST') !== undefined) return ofPod(options);
  const id = await imds.get('/latest/meta-data/instance-id', signal);
  if (id === undefined || id === '') return 'the instance metadata have no instance-id';
  const keys = { Type: 'AWS::Resource', ResourceType: 'AWS::EC2::Instance', Identifier: id };
  return { keys, attributes: {} };
}

function ofPod({ environment, hostname, service: name, readText }: EntityOptions): Entity | string {
  const said = resourceAttributes(environment);
  const pod = said.get('k8s.pod.name') || hostname;
  const cluster = said.get('k8s.cluster.name') || given(environment, 'K8S_CLUSTER_NAME');
  const space = said.get('k8s.namespace.name') || readText(NAMESPACE_FILE).trim();
  const node = said.get('k8s.node.name') || given(environment, 'K8S_NODE_NAME');
  if (cluster === undefined)
    return 'no pod knows its cluster’s name: set K8S_CLUSTER_NAME, or k8s.cluster.name in OTEL_RESOURCE_ATTRIBUTES';
  if (space === '')
    return 'the pod’s namespace: set k8s.namespace.name in OTEL_RESOURCE_ATTRIBUTES';
  const kinds = WORKLOADS.map((kind) => said.get(`k8s.${kind}.name`));
  const workload = kinds.find((one) => one) ?? POD.exec(pod)?.[1];
  const isEks =
    said.get('cloud.platform') === 'aws_eks' ||
    ['AWS_WEB_IDENTITY_TOKEN_FILE', 'AWS_CONTAINER_CREDENTIALS_FULL_URI'].some((variable) =>
      EKS.test(environment[variable] ?? ''),
    );
  return service(workload ?? name, `${isEks ? 'eks' : 'k8s'}:${cluster}/${space}`, {
    PlatformType: isEks ? 'AWS::EKS' : 'K8s',
    [isEks ? 'EKS.Cluster' : 'K8s.Cluster']: cluster,
    'K8s.Namespace': space,
    'K8s.Workload': workload,
    'K8s.Node': node,
    'K8s.Pod': pod,
  });
}

function service(
  Name: string,
  Environment: string,
  attributes: Readonly<Record<string, string | undefined>>,
): Entity {
  const fits = (value: string | undefined): value is string =>
    value !== undefined && value !== '' && value.length <= LONGEST_VALUE;
  const known = Object.entries(attributes).flatMap(([name, value]): [string, string][] =>
    fits(value) ? [[name, value]] : [],
  );
  return { keys: { Type: 'Service', Name, Environment }, attributes: Object.fromEntries(known) };
}

function lastPart(arn: string): string {
  return arn.slice(arn.lastIndexOf('/') + 1);
}
