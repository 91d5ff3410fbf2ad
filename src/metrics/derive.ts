// Over 200 lines: a function for each group, and each is short.
import {
  type AgentUse,
  type CpuCounter,
  type CpuLoad,
  type Fill,
  type Group,
  type GroupName,
  type Groups,
  isMissing,
  type MachineTicks,
  type QuotaPeriods,
  type Reading,
  type Sample,
} from './reading.ts';

type Mutable = { -readonly [series in keyof Sample]: Sample[series] };
type Earlier<Values> = Group<Values> | undefined;

/** What each group says, given its last reading where the two can be compared. */
type Figures = {
  readonly [name in GroupName]: (
    sample: Mutable,
    now: Group<Groups[name]>,
    before: Earlier<Groups[name]>,
  ) => void;
};

const FIGURES: Figures = {
  ticks: fromTicks,
  cpu: fromCpu,
  memory: fromMemory,
  throttling: fromThrottling,
  cpuPressure(sample, now, before) {
    sample.cpuPressure = stalledPercent(now, before);
  },
  memoryPressure(sample, now, before) {
    sample.memoryPressure = stalledPercent(now, before);
  },
  oomKills: fromOomKills,
  swap(sample, { values }) {
    sample.swap = percentOf(values);
  },
  disk(sample, { values }) {
    sample.disk = percentOf(values);
  },
  ephemeralStorage(sample, { values }) {
    sample.ephemeralStorage = percentOf(values);
  },
  agent: fromAgent,
};

/**
 * What happened between two readings. Whatever cannot be told honestly is absent: after a hotplug, or
 * after a counter that ran backwards.
 */
export function derive(before: Reading, now: Reading): Sample {
  const sample: Mutable = {};
  let name: GroupName;
  for (name in now) figures(name, sample, now, before);
  let series: keyof Sample;
  for (series in sample) {
    if (sample[series] === undefined) continue;
    sample.tick = 1;
    break;
  }
  return sample;
}

function figures<Name extends GroupName>(
  name: Name,
  sample: Mutable,
  now: Reading,
  before: Reading,
): void {
  const group = now[name];
  if (group === undefined || isMissing(group)) return;
  const earlier = before[name];
  const isComparable = earlier !== undefined && !isMissing(earlier) && earlier.key === group.key;
  FIGURES[name](sample, group, isComparable ? earlier : undefined);
}

/** What the next reading is held against: a group without news keeps its last one. */
export function latest(before: Reading | undefined, now: Reading): Reading {
  // Most sources give all their groups at each tick, and cost nothing here.
  for (const name in before) if (!(name in now)) return { ...before, ...now };
  return now;
}

/** Busy time of all CPUs. Steal is busy: somebody wanted to run and could not. */
function fromTicks(
  sample: Mutable,
  group: Group<MachineTicks>,
  earlier: Earlier<MachineTicks>,
): void {
  if (earlier === undefined || group.at <= earlier.at) return;
  const { online, cores, ticks: now } = group.values;
  const before = earlier.values.ticks;
  // Idle time never shrinks but where a CPU went offline: the aggregate changes its source then.
  if (now.idle < before.idle) return;
  const idle = now.idle - before.idle + grown(before.iowait, now.iowait);
  const steal = grown(before.steal, now.steal);
  const busy =
    grown(before.user, now.user) +
    grown(before.nice, now.nice) +
    grown(before.system, now.system) +
    grown(before.irq, now.irq) +
    grown(before.softirq, now.softirq) +
    steal;
  const total = busy + idle;
  // Ticks that stand still are a file that does (gVisor), not an idle machine.
  if (total <= 0) return;
  sample.cpuCores = (busy / total) * online;
  sample.cpu = percent(sample.cpuCores, cores);
  sample.cpuSteal = percent(steal, total);
}

/** The kernel documents that iowait may shrink, and others do by a tick: that is no time passed. */
function grown(before: number, now: number): number {
  return now > before ? now - before : 0;
}

/** The tightest limit counts: of all levels, the one whose share is the largest. */
function fromCpu(
  sample: Mutable,
  now: Group<readonly CpuLoad[]>,
  before: Earlier<readonly CpuLoad[]>,
): void {
  if (before === undefined) return;
  for (const load of now.values) {
    const used = coresUsed(load.counters, before.values);
    if (used === undefined) continue;
    if (load === now.values[0]) sample.cpuCores = used;
    sample.cpu = Math.max(sample.cpu ?? 0, percent(used, load.cores));
  }
}

const NANOSECONDS_A_MS = 1e6;

/**
 * Cores in use over all counters that can be compared. One that is new or ran backwards (a restart) is
 * a baseline: a container that joins must not add its lifetime to one sample.
 */
function coresUsed(
  counters: readonly CpuCounter[],
  earlier: readonly CpuLoad[],
): number | undefined {
  let sum: number | undefined;
  for (const { key, at, nanoseconds } of counters) {
    const before = counterOf(key, earlier);
    if (before === undefined || at <= before.at || nanoseconds < before.nanoseconds) continue;
    const spanNs = (at - before.at) * NANOSECONDS_A_MS;
    sum = (sum ?? 0) + (nanoseconds - before.nanoseconds) / spanNs;
  }
  return sum;
}

function counterOf(key: string, loads: readonly CpuLoad[]): CpuCounter | undefined {
  for (const { counters } of loads) {
    for (const counter of counters) if (counter.key === key) return counter;
  }
  return undefined;
}

function fromMemory(sample: Mutable, { values }: Group<Fill>): void {
  sample.memory = percentOf(values);
  sample.memoryUsed = values.used;
  sample.memoryLimit = values.limit;
}

/** Of the level that throttles most: a parent's quota shows in the parent's counters only. */
function fromThrottling(
  sample: Mutable,
  now: Group<readonly QuotaPeriods[]>,
  before: Earlier<readonly QuotaPeriods[]>,
): void {
  const shares = now.values.flatMap(({ key, periods, throttled }) => {
    const earlier = before?.values.find((level) => level.key === key);
    if (earlier === undefined || periods <= earlier.periods) return [];
    return [percent(throttled - earlier.throttled, periods - earlier.periods)];
  });
  if (shares.length > 0) sample.cpuThrottled = Math.max(...shares);
}

function stalledPercent(now: Group<number>, before: Earlier<number>): number | undefined {
  if (before === undefined || now.at <= before.at || now.values < before.values) return undefined;
  return percent(now.values - before.values, (now.at - before.at) * 1000);
}

function fromOomKills(sample: Mutable, now: Group<number>, before: Earlier<number>): void {
  if (before === undefined || now.values < before.values) return;
  sample.oomKills = now.values - before.values;
}

/** The agent's own CPU in percent of one core. */
function fromAgent(sample: Mutable, now: Group<AgentUse>, before: Earlier<AgentUse>): void {
  const { cpuUsec, residentBytes } = now.values;
  sample.agentMemory = residentBytes;
  if (before === undefined || now.at <= before.at) return;
  const spanUsec = (now.at - before.at) * 1000;
  sample.agentCpu = percent(cpuUsec - before.values.cpuUsec, spanUsec);
}

function percentOf({ used, limit }: Fill): number | undefined {
  return limit > 0 ? percent(used, limit) : undefined;
}

/** Clocks and counters are not read at the same instant, so a full limit may read 101 %. */
function percent(part: number, whole: number): number {
  return Math.min(Math.max((100 * part) / whole, 0), 100);
}
