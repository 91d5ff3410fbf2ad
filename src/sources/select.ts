// Over 200 lines: the ways to a source, their order and what is said where none leads there.
import type { Clock } from '../clock.ts';
import { ConfigError, NoDataError, ParseError, reasonOf } from '../errors.ts';
import type { Task, TaskMetadata } from '../metadata/ecs.ts';
import type { Source } from '../metrics/reading.ts';
import { type Cgroups, isPlace, resolveCgroups } from './cgroup/hierarchy.ts';
import { openCgroupSource } from './cgroup/source.ts';
import {
  type Environment,
  hasOwnCgroupNamespace,
  hasOwnPidNamespace,
  isAlone,
  signOfContainer,
} from './detect.ts';
import { openHostSource } from './host.ts';
import type { TaskLimits } from './limits.ts';
import type { SourceOptions } from './options.ts';
import type { Host } from './rootfs.ts';
import { openSiblingSource } from './siblings.ts';

/** What is measured: `auto`, one of the scopes, or a cgroup by its path. */
export type Scope = 'auto' | 'host' | 'container' | 'task' | { readonly cgroup: string };

export interface SelectOptions extends SourceOptions {
  readonly scope: Scope;
  readonly host: Host;
  readonly clock: Clock;
  readonly platform: string;
  /** Of this process; nothing where another machine's root is read, which says nothing of us. */
  readonly own: { readonly environment: Environment; readonly pid: number } | undefined;
  /** The task metadata endpoint, where the environment names one. */
  readonly metadata: () => Promise<TaskMetadata | undefined>;
  readonly warn: (message: string) => void;
  /** Opens and describes those as well that come after the one that is chosen. */
  readonly tryAll?: boolean;
  /** Called before a candidate is tried, so that what it reads can be told apart. */
  readonly onTry?: (name: string) => void;
}

/** A possible source, and what became of it. */
export interface Candidate {
  readonly name: string;
  readonly isChosen: boolean;
  /** Its description, or why it cannot be. */
  readonly why: string;
}

export interface Selection {
  readonly source: Source;
  readonly candidates: readonly Candidate[];
}

interface Way {
  readonly name: string;
  /** The scopes that it serves when they are forced. */
  readonly serves: (scope: Scope) => boolean;
  /** @throws NoDataError, ParseError */
  open(): Source | Promise<Source>;
}

/** One request to a local endpoint, twice at most. */
const METADATA_TRIES = 2;

/**
 * Picks the first source that can be opened: what runs on a Mac, an ECS task, containers seen through a
 * shared PID namespace, the own container, the machine.
 *
 * @throws ConfigError where a scope is forced that is not there
 */
export async function selectSource(options: SelectOptions): Promise<Selection> {
  const { scope, tryAll = false, onTry } = options;
  const candidates: Candidate[] = [];
  let chosen: Source | undefined;
  for (const { name, serves, open } of ways(options)) {
    const note = (why: string, isChosen = false): void => {
      candidates.push({ name, isChosen, why });
    };
    if (!serves(scope)) note('not asked for');
    else if (chosen !== undefined && !tryAll) note('one before it was found');
    else {
      try {
        onTry?.(name);
        const source = await open();
        const described = source.describe();
        note(
          chosen === undefined ? described : `one before it was found; else ${described}`,
          chosen === undefined,
        );
        if (chosen === undefined) chosen = source;
        else source.read(options.clock.monoMs());
      } catch (error) {
        if (!(error instanceof NoDataError || error instanceof ParseError)) throw error;
        note(error.message);
      }
    }
  }
  if (chosen === undefined) throw notThere(scope, candidates);
  return { source: chosen, candidates };
}

function notThere(scope: Scope, candidates: readonly Candidate[]): ConfigError {
  const asked = typeof scope === 'string' ? scope : `cgroup:${scope.cgroup}`;
  const looked = candidates.filter(({ why }) => why !== 'not asked for');
  const reasons = looked.map(({ name, why }) => `${name}: ${why}`).join('; ');
  return new ConfigError('--scope', `got ${asked}, which is not there: ${reasons}`);
}

function ways(options: SelectOptions): Way[] {
  const isAuto = (scope: Scope): boolean => scope === 'auto';
  return [
    {
      name: 'macos',
      serves: (scope) => isAuto(scope) || scope === 'host',
      open: () => openMac(options),
    },
    {
      name: 'task',
      serves: (scope) => isAuto(scope) || scope === 'task',
      open: () => openTask(options),
    },
    {
      name: 'siblings',
      serves: (scope) => isAuto(scope) || scope === 'task',
      open: () => openPod(options),
    },
    {
      name: 'container',
      serves: (scope) => isAuto(scope) || scope === 'container' || typeof scope === 'object',
      open: () => openContainer(options),
    },
    {
      name: 'host',
      serves: (scope) => isAuto(scope) || scope === 'host',
      open: () => openHostSource(options.host, options),
    },
  ];
}

async function openMac(options: SelectOptions): Promise<Source> {
  if (options.platform !== 'darwin') throw new NoDataError(`the platform is ${options.platform}`);
  const { openMacSource } = await import('./mac.ts');
  const path = options.own?.environment['PATH'] ?? '/usr/bin:/usr/sbin';
  return openMacSource({ ...options, path });
}

/** Alone in the task: its limits, our files. Else the others' files, else the endpoint's statistics. */
async function openTask(options: SelectOptions): Promise<Source> {
  const { host, warn } = options;
  const metadata = await options.metadata();
  if (metadata === undefined) throw new NoDataError('ECS_CONTAINER_METADATA_URI_V4 is not set');
  let described: { task: Task; ownId: string };
  try {
    described = await describeTask(metadata);
  } catch (error) {
    warn(`task metadata does not answer, so the task around us is unknown: ${reasonOf(error)}`);
    throw new NoDataError(`task metadata: ${reasonOf(error)}`, { cause: error });
  }
  const { task, ownId } = described;
  const taskLimits: TaskLimits = {
    ...(task.cores === undefined ? undefined : { cores: task.cores }),
    ...(task.memoryBytes === undefined ? undefined : { bytes: task.memoryBytes }),
  };
  const others = task.containers.filter(({ id, type }) => type === 'NORMAL' && id !== ownId);
  if (others.length === 0) {
    return openCgroupSource(host, () => ownCgroups(host), {
      ...options,
      scope: 'task',
      taskLimits,
    });
  }
  if (hasOwnPidNamespace(host)) {
    try {
      return openSiblingSource(host, { ...options, taskLimits });
    } catch (error) {
      if (!(error instanceof NoDataError)) throw error;
    }
  }
  const { openTaskSource } = await import('./task.ts');
  return openTaskSource(host, { ...options, metadata, task, ownId });
}

async function describeTask(metadata: TaskMetadata): Promise<{ task: Task; ownId: string }> {
  const { signal } = new AbortController();
  for (let attempt = 1; ; attempt += 1) {
    try {
      return { task: await metadata.task(signal), ownId: await metadata.ownId(signal) };
    } catch (error) {
      if (attempt === METADATA_TRIES) throw error;
    }
  }
}

/** Kubernetes' shareProcessNamespace, compose's `pid:`. */
function openPod(options: SelectOptions): Source {
  const { host, own } = options;
  if (signOfContainer(host, ownCgroups(host), own?.environment ?? {}) === undefined) {
    throw new NoDataError('nothing says that this is a container');
  }
  if (!hasOwnPidNamespace(host)) {
    throw new NoDataError("the PID namespace is the machine's: every process of it is visible");
  }
  return openSiblingSource(host, options);
}

function openContainer(options: SelectOptions): Source {
  const { host, scope, own, warn } = options;
  const forcedPath = typeof scope === 'object' ? scope.cgroup : undefined;
  const resolve = (): Cgroups => ownCgroups(host, forcedPath);
  const cgroups = resolve();
  if (scope === 'auto' && signOfContainer(host, cgroups, own?.environment ?? {}) === undefined) {
    throw new NoDataError('nothing says that this is a container');
  }
  const whole = [cgroups.cpu, cgroups.memory].find((place) => isPlace(place) && place.isMachine);
  if (whole !== undefined && isPlace(whole) && forcedPath === undefined) {
    throw new NoDataError(`no container: its group ${whole.folders[0]} is the whole machine's`);
  }
  try {
    const name = forcedPath === undefined ? 'container' : 'cgroup';
    const source = openCgroupSource(host, resolve, { ...options, scope: name });
    const folder = [cgroups.memory, cgroups.cpu].find(isPlace)?.folders[0] ?? '';
    const isOwn = own !== undefined && forcedPath === undefined;
    if (isOwn && isAlone(host, folder, own.pid)) warn(ALONE);
    return source;
  } catch (error) {
    if (scope === 'auto') {
      warn(
        `in a container whose control group cannot be read: ${reasonOf(error)}; measuring the host`,
      );
    }
    throw error;
  }
}

/** A number that looks like the service's and is not is worse than none. */
const ALONE = [
  'this container holds nothing but the agent, so it would measure itself alone.',
  'ECS: set pidMode to task, or let the task metadata endpoint be reached;',
  'Kubernetes: shareProcessNamespace: true; Docker: --pid container:NAME;',
  'or start the agent in the container of the job (examples/entrypoint.sh)',
].join(' ');

function ownCgroups(host: Host, forcedPath?: string): Cgroups {
  return resolveCgroups({
    memberships: host.text('/proc/self/cgroup'),
    mounts: host.text('/proc/self/mountinfo'),
    hasPrivateNamespace: hasOwnCgroupNamespace(host),
    ...(forcedPath === undefined ? undefined : { forcedPath }),
  });
}
