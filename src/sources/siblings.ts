// Over 200 lines: who is there, what they may use together and what they use come of the same members.
import { NoDataError } from '../errors.ts';
import { coresFit, utilization } from '../metrics/cpu.ts';
import { type Figures, type Meter, PLACES } from '../metrics/figures.ts';
import { putScopeHeld, putScopeMemory } from '../metrics/memory.ts';
import type { CpuLevel } from './cgroup/levels.ts';
import { onlineText } from './cgroup/source.ts';
import { commonMeters } from './common.ts';
import {
  bytesLimit,
  bytesText,
  coresLimit,
  coresText,
  type Limit,
  NO_LIMIT_BYTES,
  RESCAN_MS,
  type TaskLimits,
} from './limits.ts';
import { Machine } from './machine.ts';
import { findMembers, isReadable, type Member, ownKey } from './members.ts';
import { isAnswer, meter, sourceOf } from './meters.ts';
import { type SourceOptions, withoutSelf } from './options.ts';
import type { Identified } from './process.ts';
import type { RootFs } from './rootfs.ts';
import { siblingTrouble } from './sibling-trouble.ts';
import type { Source } from './source.ts';

const NANOSECONDS_A_USEC = 1000;
/** A member that fails may have ended: who is there is asked again, but not more often than so. */
const LEAST_RESCAN_MS = 1000;

export interface SiblingOptions extends SourceOptions {
  readonly taskLimits?: TaskLimits;
  /** The user that this process runs as, for the advice. */
  readonly user: string;
}

/**
 * The sum over all containers of a task or pod that share our PID namespace, read every tick. It is
 * there only when each of them can be read.
 *
 * @throws NoDataError where no other container is visible
 */
export function openSiblingSource(fs: RootFs, options: SiblingOptions): Source {
  const { memoryMode, wanted } = options;
  const crew = new Crew(fs, options);
  if (crew.found.length + crew.hidden.length < 2) {
    throw new NoDataError('no processes of another container are visible in /proc');
  }
  const wantsHeld = wanted.has('memoryHeld') || wanted.has('memoryHeldShare');
  return sourceOf(
    () =>
      [
        `scope=task source=siblings containers=${crew.found.length}`,
        ...(crew.hidden.length > 0 ? [`hidden=${crew.hidden.length}`] : []),
        coresText(crew.cores),
        bytesText(crew.bytes),
        `mem.mode=${memoryMode} online=${onlineText(crew.machine)}`,
      ].join(' '),
    {
      cpu: new SiblingCpuMeter(crew, options),
      memory: memoryMeter(crew, options),
      'held memory': wantsHeld ? heldMeter(crew) : undefined,
      ...siblingTrouble(crew, options),
      ...commonMeters(fs, options),
    },
    fs.close,
  );
}

/** Why some containers cannot be read, and what to do. */
export function refusalText(hidden: readonly Identified[], user: string): string {
  const some = hidden.map(({ comm, pid, uid }) => `${comm} (process ${pid}, user ${uid})`);
  const count =
    hidden.length === 1 ? '1 other container is' : `${hidden.length} other containers are`;
  // Of the same user already: then it has capabilities that the agent lacks, or forbids to be read.
  const isSame = hidden.every(({ uid }) => uid === user);
  return [
    `${count} visible, but user ${user} may not read ${some.join(', ')}:`,
    `run the agent ${isSame ? '' : 'as the same user, or '}as root with the capability SYS_PTRACE;`,
    'no figures of this scope until then',
  ].join(' ');
}

/** Who is there, and what they may use together: looked at again every ten seconds. */
class Crew {
  readonly #fs: RootFs;
  readonly #options: SiblingOptions;
  readonly machine: Machine;
  found: readonly Member[] = [];
  hidden: readonly Identified[] = [];
  quotas: readonly CpuLevel[] = [];
  cores: Limit = { value: Number.POSITIVE_INFINITY, from: 'nothing' };
  bytes: Limit = { value: Number.POSITIVE_INFINITY, from: 'nothing' };
  own = '';
  online: number = Number.NaN;
  #scannedMs = Number.NEGATIVE_INFINITY;

  constructor(fs: RootFs, options: SiblingOptions) {
    this.#fs = fs;
    this.#options = options;
    this.machine = new Machine(fs);
    this.rescan(Number.NEGATIVE_INFINITY);
  }

  /** @throws NoDataError where somebody is there who cannot be read */
  refresh(nowMs: number): void {
    // Whoever cannot be read may be readable, or gone, a moment later.
    const paceMs = this.hidden.length > 0 ? LEAST_RESCAN_MS : RESCAN_MS;
    if (nowMs - this.#scannedMs >= paceMs) this.rescan(nowMs);
    if (this.hidden.length > 0) throw new NoDataError(refusalText(this.hidden, this.#options.user));
    // The agent's own container alone is not the task: what else there is, is looked for again.
    if (this.found.length < 2) throw new NoDataError('no other container is visible any more');
  }

  /** After a member failed: it may have ended. */
  doubt(nowMs: number): void {
    if (nowMs - this.#scannedMs >= LEAST_RESCAN_MS) this.rescan(nowMs);
  }

  rescan(nowMs: number): void {
    this.#scannedMs = nowMs;
    const before = this.found;
    const { found, hidden } = findMembers(this.#fs, this.#options.memoryMode);
    this.found = found.map(
      (member) => before.find((one) => one.key === member.key && isReadable(one)) ?? member,
    );
    this.hidden = hidden;
    const kept = new Set(this.found.map(({ pid }) => pid));
    for (const { pid } of before) if (!kept.has(pid)) this.#fs.release(`/proc/${pid}`);
    this.own = ownKey(this.#fs);
    this.#readLimits();
  }

  /** What all may use: the sum of their limits where each has one, else what the machine has. */
  #readLimits(): void {
    const { taskLimits = {} } = this.#options;
    const from = `limits of ${this.found.length} containers`;
    this.online = this.machine.countOnline();
    const total = this.machine.total();
    const ceiling = Number.isNaN(total) ? NO_LIMIT_BYTES : Math.min(total, NO_LIMIT_BYTES);
    const quotas = this.found.map(({ cpu }) => cpu.readLimit());
    this.quotas = this.found.map(({ cpu }) => cpu).filter((_, at) => Number.isFinite(quotas[at]));
    const value = quotas.reduce((sum, quota) => sum + quota, 0);
    this.cores = coresLimit(this.#options, taskLimits, this.online, { value, from });
    const bytes = { value: bytesOf(this.found, ceiling), from };
    this.bytes = bytesLimit(this.#options, taskLimits, total, bytes);
  }
}

/**
 * What members may hold together. Version 1 shows each of them the limit of the group that they lie
 * in, which counts once.
 *
 * @param ceiling from here on a limit is none
 */
function bytesOf(members: readonly Member[], ceiling: number): number {
  const known = (value: number): number => (value < ceiling ? value : Number.POSITIVE_INFINITY);
  const parents = new Map<string, { sum: number; most: number }>();
  for (const { parent, memory } of members) {
    memory.rescan();
    const own = known(memory.readOwnLimit());
    const above = known(memory.readLimitAbove());
    const { sum, most } = parents.get(parent) ?? { sum: 0, most: Number.POSITIVE_INFINITY };
    // What is below the own limit is a parent's.
    const inherited = above < own ? above : Number.POSITIVE_INFINITY;
    parents.set(parent, { sum: sum + Math.min(own, above), most: Math.min(most, inherited) });
  }
  return [...parents.values()].reduce((all, { sum, most }) => all + Math.min(sum, most), 0);
}

/** Runs a sum over members; where one fails, they are looked at again and the sum is absent. */
function summed(crew: Crew, nowMs: number, sum: () => void): void {
  try {
    sum();
  } catch (error) {
    if (isAnswer(error)) crew.doubt(nowMs);
    throw error;
  }
}

class SiblingCpuMeter implements Meter {
  readonly #crew: Crew;
  readonly #options: SiblingOptions;
  #atMs = Number.NaN;
  #selfNs = Number.NaN;

  constructor(crew: Crew, options: SiblingOptions) {
    this.#crew = crew;
    this.#options = options;
  }

  measure(nowMs: number, figures: Figures): void {
    this.#crew.refresh(nowMs);
    const spanMs = nowMs - this.#atMs;
    this.#atMs = nowMs;
    let used = 0;
    summed(this.#crew, nowMs, () => {
      used = this.#sum(spanMs);
    });
    if (Number.isNaN(used)) return;
    this.#checkPossible(used, spanMs, nowMs);
    figures[PLACES.cpuCores] = used;
    const { value } = this.#crew.cores;
    if (!Number.isFinite(value)) throw new NoDataError('nothing says how many CPUs are 100 %');
    figures[PLACES.cpu] = utilization(used, value, spanMs);
  }

  /** More CPUs may have come since they were counted. */
  #checkPossible(used: number, spanMs: number, nowMs: number): void {
    if (coresFit(used, spanMs, this.#crew.online)) return;
    this.#crew.doubt(nowMs);
    const { found, online } = this.#crew;
    if (coresFit(used, spanMs, online)) return;
    const sum = `${found.length} containers grew by ${Math.round(used * 100) / 100} cores`;
    throw new NoDataError(`${sum} on ${online} CPUs, which cannot be`);
  }

  /** Cores in use by all; NaN where one of them is new, or began anew: then the sum has no baseline. */
  #sum(spanMs: number): number {
    const { found, own } = this.#crew;
    const lessNs = this.#selfGrown();
    let sum = 0;
    try {
      for (const { key, cpu } of found) {
        cpu.advance(spanMs, key === own ? lessNs : 0);
        sum += cpu.cores;
      }
    } catch (error) {
      for (const { cpu } of found) cpu.usageNs = Number.NaN;
      throw error;
    }
    return sum;
  }

  #selfGrown(): number {
    if (!this.#options.excludeSelf) return 0;
    const before = this.#selfNs;
    this.#selfNs = this.#options.selfUsage().cpuUsec * NANOSECONDS_A_USEC;
    return this.#selfNs - before;
  }
}

function memoryMeter(crew: Crew, options: SiblingOptions): Meter {
  return meter((nowMs, figures) => {
    crew.refresh(nowMs);
    let used = 0;
    summed(crew, nowMs, () => {
      for (const { memory } of crew.found) used += memory.readUsed();
    });
    putScopeMemory(figures, withoutSelf(used, options), crew.bytes.value);
  });
}

function heldMeter(crew: Crew): Meter {
  return meter((nowMs, figures) => {
    crew.refresh(nowMs);
    let held = 0;
    summed(crew, nowMs, () => {
      for (const { memory } of crew.found) held += memory.readHeld();
    });
    putScopeHeld(figures, held, crew.bytes.value);
  });
}
