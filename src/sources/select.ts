// Over 200 lines: the ways to a source, their order and what is said where none leads there.
import type { Clock } from '../clock.ts';
import type { Environment } from '../environment.ts';
import { reasonOf } from '../errors.ts';
import { parseMounts } from '../kernel/mountinfo.ts';
import type { Task, TaskMetadata } from '../metadata/ecs.ts';
import { type Cgroups, isPath, resolveCgroups } from './cgroup/hierarchy.ts';
import { openCgroupSource } from './cgroup/source.ts';
import {
  hasOwnCgroupNamespace,
  hasOwnPidNamespace,
  isAlone,
  isContainer,
  type Sign,
  signsOf,
  signsText,
} from './detect.ts';
import { openHostSource } from './host.ts';
import type { TaskLimits } from './limits.ts';
import { findMembers, isForeign, type Members } from './members.ts';
import { isAnswer } from './meters.ts';
import { mountTable } from './mounts.ts';
import type { SourceOptions } from './options.ts';
import { type RootFs, shown, typed } from './rootfs.ts';
import { openSiblingSource, refusalText } from './siblings.ts';
import type { Source } from './source.ts';

/** What is measured: `auto`, one of the scopes, or a cgroup by its path. */
export type Scope = 'auto' | 'host' | 'container' | 'task' | { readonly cgroup: string };

export interface SelectOptions extends SourceOptions {
  readonly scope: Scope;
  readonly fs: RootFs;
  readonly clock: Clock;
  readonly platform: string;
  /** Of this process; nothing where another machine's root is read, which says nothing of us. */
  readonly own:
    | { readonly environment: Environment; readonly pid: number; readonly user?: string }
    | undefined;
  /** The task metadata endpoint, where the environment names one. */
  readonly metadata: () => Promise<TaskMetadata | undefined>;
  readonly warn: (message: string) => void;
  /** The agent has started a job here, so it is not alone. */
  readonly isBesideJob?: boolean;
  /** Looks at those as well that come after the one that is chosen. */
  readonly tryAll?: boolean;
  /** Called before a way is tried, so that what it reads can be told apart. */
  readonly onTry?: (name: string) => void;
}

/** A source that can be opened now. */
export interface Found {
  /** What it is a figure of; another key is another scope. */
  readonly key: string;
  /** Nothing better is to be expected soon. */
  readonly isSettled: boolean;
  /** What the user should know of this choice. */
  readonly warning?: string;
  /** @throws NoDataError, ParseError */
  open(): Source | Promise<Source>;
}

/** What became of one way: a source; or what must be waited for; or why it does not lead anywhere. */
export type Look = Found | { readonly pending: string } | { readonly none: string };

/** A way to a source, and what became of it. */
export interface Way {
  readonly name: string;
  /** The scopes that it serves when they are forced. */
  readonly serves: (scope: Scope) => boolean;
  look(round: Round): Look | Promise<Look>;
}

/** What all ways of one round look at, read once. */
export class Round {
  readonly #options: SelectOptions;
  #cgroups: Cgroups | undefined;
  #signs: readonly Sign[] | undefined;
  #members: Members | undefined;

  constructor(options: SelectOptions) {
    this.#options = options;
  }

  get cgroups(): Cgroups {
    this.#cgroups ??= ownCgroups(this.#options.fs);
    return this.#cgroups;
  }

  get signs(): readonly Sign[] {
    const { fs, own } = this.#options;
    this.#signs ??= signsOf(fs, this.cgroups, own?.environment ?? {});
    return this.#signs;
  }

  get members(): Members {
    const { fs, memoryMode } = this.#options;
    this.#members ??= findMembers(fs, memoryMode);
    return this.#members;
  }
}

/** So long a metadata endpoint that has never answered is waited for. */
const SILENT_MS = 120_000;

export function isFound(look: Look): look is Found {
  return 'open' in look;
}

/**
 * The ways to a source, in their order: what runs on a Mac, an ECS task, containers seen through a
 * shared PID namespace, the own container, the machine.
 */
export function waysTo(options: SelectOptions): readonly Way[] {
  const isAuto = (scope: Scope): boolean => scope === 'auto';
  const described = new TaskDescription(options);
  return [
    {
      name: 'macos',
      serves: (scope) => isAuto(scope) || scope === 'host',
      look: () => lookAtMac(options),
    },
    {
      name: 'task',
      serves: (scope) => isAuto(scope) || scope === 'task',
      look: (round) => lookAtTask(options, described, round),
    },
    {
      name: 'siblings',
      serves: (scope) => isAuto(scope) || scope === 'task',
      look: (round) => lookAtPod(options, round),
    },
    {
      name: 'container',
      serves: (scope) => isAuto(scope) || scope === 'container' || typeof scope === 'object',
      look: (round) => lookAtContainer(options, round),
    },
    {
      name: 'host',
      serves: (scope) => isAuto(scope) || scope === 'host',
      look: (round) => lookAtHost(options, round),
    },
  ];
}

function lookAtMac(options: SelectOptions): Look {
  if (options.platform !== 'darwin') return { none: `the platform is ${options.platform}` };
  return {
    key: 'macos',
    isSettled: true,
    open: async () => {
      const { openMacSource } = await import('./mac.ts');
      const path = options.own?.environment['PATH'] ?? '/usr/bin:/usr/sbin';
      return openMacSource({ ...options, path });
    },
  };
}

/** What task metadata said last, and whether it has said anything. */
class TaskDescription {
  readonly #options: SelectOptions;
  #firstMs = Number.NaN;
  #last: { task: Task; ownId: string } | undefined;
  #isSaid = false;

  constructor(options: SelectOptions) {
    this.#options = options;
  }

  /** The task as it is now; while the endpoint fails, as it was. A text is the reason for neither. */
  async ask(metadata: TaskMetadata): Promise<{ task: Task; ownId: string } | string> {
    const { signal } = new AbortController();
    const nowMs = this.#options.clock.monoMs();
    if (Number.isNaN(this.#firstMs)) this.#firstMs = nowMs;
    try {
      this.#last = { task: await metadata.task(signal), ownId: await metadata.ownId(signal) };
    } catch (error) {
      if (this.#last === undefined) return reasonOf(error);
    }
    return this.#last;
  }

  /** The task's limits as they are at each look: they are read again at their pace. */
  get limits(): TaskLimits {
    const task = (): Task | undefined => this.#last?.task;
    return {
      get cores() {
        return task()?.cores;
      },
      get bytes() {
        return task()?.memoryBytes;
      },
    };
  }

  /** It has never answered, and was asked long enough. */
  get isGivenUp(): boolean {
    return this.#last === undefined && this.#options.clock.monoMs() - this.#firstMs >= SILENT_MS;
  }

  /** Loudly, and once. */
  sayGivenUp(reason: string): void {
    if (this.#isSaid) return;
    this.#isSaid = true;
    this.#options.warn(
      `${reason}; it never answered within two minutes, so the own container is measured`,
    );
  }
}

/** Alone in the task: its limits, our files. Else the others' files, else the endpoint's statistics. */
async function lookAtTask(
  options: SelectOptions,
  description: TaskDescription,
  round: Round,
): Promise<Look> {
  const metadata = await options.metadata();
  if (metadata === undefined) return { none: 'ECS_CONTAINER_METADATA_URI_V4 is not set' };
  const described = await description.ask(metadata);
  if (typeof described === 'string') {
    const reason = `task metadata does not answer, so the task around us is unknown: ${described}`;
    if (options.scope !== 'auto' || !description.isGivenUp) return { pending: reason };
    description.sayGivenUp(reason);
    return { none: reason };
  }
  const { task, ownId } = described;
  const { runningMembers, comingMembers, namesOf } = await import('./task-news.ts');
  const others = runningMembers(task).filter(({ id }) => id !== ownId);
  const taskLimits = description.limits;
  if (others.length === 0) {
    const coming = comingMembers(task).filter(({ id }) => id !== ownId);
    if (coming.length > 0) {
      return { pending: `the task has ${namesOf(coming)}, which has not started yet` };
    }
    return lookAtOwnTask(options, taskLimits, round);
  }
  if (hasOwnPidNamespace(options.fs) && isWhole(round, others.length + 1)) {
    return {
      key: 'task, by the files of its containers',
      isSettled: true,
      open: () => openSiblingSource(options.fs, { ...options, ...userOf(options), taskLimits }),
    };
  }
  const { openTaskSource } = await import('./task.ts');
  return {
    key: 'task, by its metadata',
    isSettled: true,
    open: () => openTaskSource(options.fs, { ...options, metadata, task, ownId }),
  };
}

/** Whether so many containers can be seen and read by their files. */
function isWhole({ members }: Round, count: number): boolean {
  const { found, hidden } = members;
  return hidden.length === 0 && found.length === count;
}

function userOf({ own }: SelectOptions): { readonly user: string } {
  return { user: own?.user ?? '?' };
}

/** The only container of its task: then the job is in it, or is yet to come. */
function lookAtOwnTask(options: SelectOptions, taskLimits: TaskLimits, round: Round): Look {
  const { fs, own } = options;
  const isLonely = own !== undefined && options.isBesideJob !== true;
  const alone = isLonely && isAlone(fs, ownFolder(round.cgroups), own.pid);
  return {
    key: 'task, which is the own container',
    isSettled: !alone,
    ...(alone
      ? {
          warning: `${ALONE} The task has no other container (yet): one that starts is measured then.`,
        }
      : undefined),
    open: () =>
      openCgroupSource(fs, () => ownCgroups(fs), {
        ...options,
        scope: 'task',
        taskLimits,
        isOwn: true,
      }),
  };
}

/** Kubernetes' shareProcessNamespace, compose's `pid:`. */
function lookAtPod(options: SelectOptions, round: Round): Look {
  const { fs } = options;
  const { signs } = round;
  if (!isContainer(signs)) return { none: `this is no container: ${signsText(signs)}` };
  if (!hasOwnPidNamespace(fs)) {
    return { none: "the PID namespace is the machine's: every process of it is visible" };
  }
  const { found, hidden } = round.members;
  const { user } = userOf(options);
  if (hidden.length > 0) return { pending: refusalText(hidden, user) };
  if (found.length < 2) {
    const none = 'no processes of another container are visible in /proc';
    return options.scope !== 'auto' && isShared(fs) ? { pending: `${none} yet` } : { none };
  }
  return {
    key: 'task, by the files of its containers',
    isSettled: true,
    open: () => openSiblingSource(fs, { ...options, user }),
  };
}

function lookAtContainer(options: SelectOptions, round: Round): Look {
  const { fs, scope, own } = options;
  const forcedPath = typeof scope === 'object' ? scope.cgroup : undefined;
  const resolve = (): Cgroups => ownCgroups(fs, forcedPath);
  const cgroups = forcedPath === undefined ? round.cgroups : resolve();
  if (scope === 'auto' && !isContainer(round.signs)) {
    return { none: `this is no container: ${signsText(round.signs)}` };
  }
  const whole = [cgroups.cpu, cgroups.memory].find((place) => isPath(place) && place.isMachine);
  if (whole !== undefined && isPath(whole) && forcedPath === undefined) {
    return { none: `no container: its group ${shown(whole.folders[0])} is the whole machine's` };
  }
  const folder = ownFolder(cgroups);
  if (forcedPath !== undefined && folder !== '' && !fs.has(folder)) {
    return { pending: `there is no group ${forcedPath} yet (${shown(folder)})` };
  }
  const isOwn = own !== undefined && forcedPath === undefined;
  const alone = isOwn && options.isBesideJob !== true && isAlone(fs, folder, own.pid);
  return {
    key: forcedPath === undefined ? 'container' : `cgroup ${forcedPath}`,
    isSettled: !alone,
    ...(alone ? { warning: `${ALONE} ${advice(options)}` } : undefined),
    open: () => {
      const name = forcedPath === undefined ? 'container' : 'cgroup';
      return openCgroupSource(fs, resolve, { ...options, scope: name, isOwn });
    },
  };
}

function lookAtHost(options: SelectOptions, round: Round): Look {
  const { fs } = options;
  // A container that is measured as a machine is a makeshift: its group may be readable later.
  const isSettled = options.scope !== 'auto' || !isContainer(round.signs);
  return {
    key: 'host',
    isSettled,
    ...(isSettled
      ? undefined
      : { warning: 'in a container whose control group cannot be read; measuring the host' }),
    open: () => openHostSource(fs, options),
  };
}

/** A number that looks like the service's and is not is worse than none. */
const ALONE = 'this container holds nothing but the agent, so it would measure itself alone.';

/** What makes other containers visible here: not what is so already. */
function advice({ fs, own }: SelectOptions): string {
  const environment = own?.environment ?? {};
  if (isShared(fs)) return 'Its PID namespace is shared, and no other container has started yet.';
  const inside = 'or start the agent in the container of the job (examples/entrypoint.sh)';
  if ((environment['ECS_CONTAINER_METADATA_URI_V4'] ?? '') !== '') {
    return `ECS: set pidMode to task, ${inside}`;
  }
  if ((environment['KUBERNETES_SERVICE_HOST'] ?? '') !== '') {
    return `Kubernetes: shareProcessNamespace: true, ${inside}`;
  }
  return [
    'ECS: set pidMode to task, or let the task metadata endpoint be reached;',
    'Kubernetes: shareProcessNamespace: true; Docker: --pid container:NAME;',
    inside,
  ].join(' ');
}

/** Process 1 is another container's. */
function isShared(fs: RootFs): boolean {
  return hasOwnPidNamespace(fs) && isForeign(fs, '1');
}

function ownFolder({ memory, cpu }: Cgroups): string {
  return [memory, cpu].find(isPath)?.folders[0] ?? '';
}

/** The control groups of this very process, or of a path that was named. */
export function ownCgroups(fs: RootFs, namedPath?: string): Cgroups {
  const mounts = namedPath === undefined ? fs.text('/proc/self/mountinfo') : mountTable(fs);
  const forcedPath = namedPath && belowMount(typed(namedPath), mounts);
  return resolveCgroups({
    memberships: fs.text('/proc/self/cgroup'),
    mounts,
    hasPrivateNamespace: hasOwnCgroupNamespace(fs),
    has: fs.has,
    ...(forcedPath === undefined ? undefined : { forcedPath }),
  });
}

/** A path with its mount point, as a file's path, is taken for what is below that. */
function belowMount(path: string, mounts: string): string {
  const points = parseMounts(mounts)
    .filter(({ type, point }) => type.startsWith('cgroup') && point !== '/')
    .map(({ point }) => point);
  const prefixes = points.filter((point) => path === point || path.startsWith(`${point}/`));
  const longest = prefixes.reduce((best, point) => (point.length > best.length ? point : best), '');
  return path.slice(longest.length) || '/';
}

/** Opens what was found. @returns the source, or why it cannot be opened */
export async function opened(found: Found): Promise<Source | string> {
  try {
    return await found.open();
  } catch (error) {
    if (!isAnswer(error)) throw error;
    return error.message;
  }
}
