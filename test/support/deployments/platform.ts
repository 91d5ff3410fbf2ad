import type { Box } from './box.ts';
import { at, containersIn, type Documents, ENTRYPOINT, isAgent, isObject } from './examples.ts';

/** A number of MiB as the platforms write it. */
function mebibytes(value: unknown): number {
  return Number(/^(\d+)(?:Mi|m)?$/.exec(String(value))?.[1]);
}

/** Cores as Kubernetes and Compose write them: `100m`, 0.1. */
function coresOf(value: unknown): Pick<Box, 'cores'> {
  if (value === undefined) return {};
  const text = String(value);
  return { cores: text.endsWith('m') ? Number.parseInt(text, 10) / 1000 : Number(text) };
}

function textsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

function objectsOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** Those added to none: each example drops all of them. */
function capabilitiesOf(dropped: unknown, added: unknown): readonly string[] {
  if (textsOf(dropped)[0] !== 'ALL') throw new Error('it keeps capabilities');
  return textsOf(added).map((name) => `CAP_${name}`);
}

function agentIn(documents: Documents, path: string): Readonly<Record<string, unknown>> {
  const agents = containersIn(documents.get(path)).filter(isAgent);
  const [agent] = agents;
  if (agent === undefined) throw new Error(`${path} has no agent`);
  return agent;
}

/** The agent as ECS would run it by a task definition, or a daemon's. */
export function ecsBox(documents: Documents, path: string): Box {
  const agent = agentIn(documents, path);
  const volumes = new Map(
    objectsOf(at(documents.get(path), 0, 'volumes')).map((volume) => [
      at(volume, 'name'),
      String(at(volume, 'host', 'sourcePath')),
    ]),
  );
  const capabilities = at(agent, 'linuxParameters', 'capabilities');
  return {
    args: [...ENTRYPOINT, ...textsOf(agent['command'])],
    user: Number.parseInt(String(agent['user']), 10),
    capabilities: capabilitiesOf(at(capabilities, 'drop'), at(capabilities, 'add')),
    memoryMiB: mebibytes(agent['memory']),
    binds: Object.fromEntries(
      objectsOf(agent['mountPoints']).map((mount) => [
        String(at(mount, 'containerPath')),
        volumes.get(at(mount, 'sourceVolume')) ?? '',
      ]),
    ),
  };
}

/** The agent as a kubelet would run it. */
export function podBox(documents: Documents, path: string): Box {
  const agent = agentIn(documents, path);
  const [document] = documents.get(path) ?? [];
  const pod = at(document, 'spec', 'template', 'spec') ?? at(document, 'spec');
  const paths = new Map(
    objectsOf(at(pod, 'volumes')).map((volume) => [
      at(volume, 'name'),
      String(at(volume, 'hostPath', 'path')),
    ]),
  );
  const own = at(agent, 'securityContext', 'runAsUser');
  const capabilities = at(agent, 'securityContext', 'capabilities');
  return {
    args: [
      ...ENTRYPOINT,
      ...textsOf(agent['args']).map((word) => word.replace('$(NODE_NAME)', 'n1')),
    ],
    user: Number(own ?? at(pod, 'securityContext', 'runAsUser')),
    capabilities: capabilitiesOf(at(capabilities, 'drop'), at(capabilities, 'add')),
    memoryMiB: mebibytes(at(agent, 'resources', 'limits', 'memory')),
    ...coresOf(at(agent, 'resources', 'limits', 'cpu')),
    binds: Object.fromEntries(
      objectsOf(agent['volumeMounts']).map((mount) => [
        String(at(mount, 'mountPath')),
        paths.get(at(mount, 'name')) ?? '',
      ]),
    ),
  };
}

/** The agent as Docker would run it for a service of the compose file. */
export function composeBox(documents: Documents, path: string, name: string): Box {
  const service = at(documents.get(path), 0, 'services', name);
  if (!isObject(service)) throw new Error(`${path} has no service ${name}`);
  const volumes = textsOf(service['volumes']).map((volume) => volume.split(':'));
  return {
    args: [...ENTRYPOINT, ...textsOf(service['command'])],
    user: Number.parseInt(String(service['user']), 10),
    capabilities: capabilitiesOf(service['cap_drop'], service['cap_add']),
    memoryMiB: mebibytes(service['mem_limit']),
    ...coresOf(service['cpus']),
    binds: Object.fromEntries(volumes.map(([from = '', to = '']) => [to, from])),
  };
}
