import type { CpuTicks } from '../kernel/stat.ts';

/** Counters or gauges of one kind, taken at one instant. */
export interface Group<Values> {
  /** Monotonic milliseconds of this group's own reading. */
  readonly at: number;
  /** What was counted. Readings with different keys cannot be subtracted. */
  readonly key: string;
  readonly values: Values;
}

/** A group that cannot be had now, and why. */
export interface Missing {
  readonly missing: string;
}

/** Time of all CPUs since boot. */
export interface MachineTicks {
  readonly ticks: CpuTicks;
  /** CPUs that are online. */
  readonly online: number;
  /** Cores that count as 100 %; `online`, but for a task on a machine of its own. */
  readonly cores: number;
}

/** CPU time that one container (or one level above it) has used since it began. */
export interface CpuCounter {
  /** Which container or folder: counters are subtracted one by one, then summed. */
  readonly key: string;
  /** Milliseconds on the counter's own clock. */
  readonly at: number;
  readonly nanoseconds: number;
}

/** CPU time held against one limit. */
export interface CpuLoad {
  /** Cores that count as 100 %, above 0. */
  readonly cores: number;
  readonly counters: readonly CpuCounter[];
}

/** Periods of a CPU quota, at one level. */
export interface QuotaPeriods {
  readonly key: string;
  readonly periods: number;
  readonly throttled: number;
}

/** Bytes in use, of bytes that there are. */
export interface Fill {
  readonly used: number;
  readonly limit: number;
}

/** What the agent itself costs. */
export interface AgentUse {
  readonly cpuUsec: number;
  readonly residentBytes: number;
}

/** All that can be read. The key of `ticks` is the list of CPUs that are online. */
export interface Groups {
  /** Host scope. */
  readonly ticks: MachineTicks;
  /** Container and task scope: the measured load first, then those of limited levels above it. */
  readonly cpu: readonly CpuLoad[];
  readonly memory: Fill;
  readonly throttling: readonly QuotaPeriods[];
  /** Microseconds in which some task waited. */
  readonly cpuPressure: number;
  readonly memoryPressure: number;
  readonly oomKills: number;
  readonly swap: Fill;
  readonly disk: Fill;
  readonly ephemeralStorage: Fill;
  readonly agent: AgentUse;
}

export type GroupName = keyof Groups;

/** One instant's raw counters. A group that is not there has nothing new. */
export type Reading = { readonly [name in GroupName]?: Group<Groups[name]> | Missing | undefined };

/** What can be drawn as a line over time. `tick` is 1 for each sample that was taken. */
export type Series =
  | 'tick'
  | 'cpu'
  | 'cpuCores'
  | 'cpuThrottled'
  | 'cpuSteal'
  | 'memory'
  | 'memoryUsed'
  | 'memoryLimit'
  | 'oomKills'
  | 'cpuPressure'
  | 'memoryPressure'
  | 'swap'
  | 'disk'
  | 'ephemeralStorage'
  | 'agentCpu'
  | 'agentMemory'
  | HealthSeries;

/** What delivery says of itself. */
export type HealthSeries = 'windowsSent' | 'windowsDropped' | 'publishLatency' | 'publishErrors';

/** One instant's figures, percentages 0 to 100. What could not be had is absent. */
export type Sample = { readonly [series in Series]?: number | undefined };

/** Where numbers come from. */
export interface Source {
  /** One line: the scope, the limits and where they were found. */
  describe(): string;
  /** Reads all groups now. Synchronous, and it does not throw: what fails is {@link Missing}. */
  read(nowMs: number): Reading;
  close(): void;
}

export function isMissing(group: Group<unknown> | Missing): group is Missing {
  return 'missing' in group;
}
