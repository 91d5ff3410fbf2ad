import type { TaskLimits } from '../limits.ts';
import type { NamedMeters } from '../meters.ts';
import type { SourceOptions } from '../options.ts';

export interface ContainerOptions extends SourceOptions {
  /** How the scope is called: `container`, `task` (alone in it), or `cgroup`, a path that was named. */
  readonly scope: 'container' | 'task' | 'cgroup';
  readonly taskLimits?: TaskLimits;
  /** This very process runs in the group, so that its counters cannot stand at 0. */
  readonly isOwn: boolean;
}

/** Half of a container: its meters, and its words of the start line. */
export interface ContainerPart {
  readonly meters: NamedMeters;
  describe(): string;
  /** Why it could not be read when it was opened; its meters try again. */
  readonly failure?: string;
}
