import { NoDataError } from '../../errors.ts';
import { type Figures, type Meter, PLACES } from '../../metrics/figures.ts';
import { putHeld, putMemory } from '../../metrics/memory.ts';
import { bytesText, knownLimit, RESCAN_MS, saidBytes, taskLimit, tightest } from '../limits.ts';
import type { Machine } from '../machine.ts';
import { failureOf } from '../meters.ts';
import { withoutSelf } from '../options.ts';
import { type RootFs, shown } from '../rootfs.ts';
import { type Cgroups, pathOf } from './hierarchy.ts';
import { type MemoryLevel, memoryLevels } from './levels.ts';
import type { ContainerOptions, ContainerPart, Limited } from './options.ts';
import { containerSwapMeter } from './swap.ts';

/** More than this above a limit is not explained by the instants of reading. */
const SLACK = 1.05;

/** @throws NoDataError where no folder counts the container's memory */
export function openContainerMemory(
  fs: RootFs,
  machine: Machine,
  cgroups: Cgroups,
  options: ContainerOptions,
): ContainerPart {
  const { memoryMode, wanted } = options;
  const place = pathOf(cgroups.memory);
  const [own, ...parents] = memoryLevels(fs, place, memoryMode);
  if (own === undefined) throw new NoDataError('no folder counts memory');
  const failure = failureOf(() => own.readUsed());
  const limits = new MemoryLimits(machine, own, parents, options);
  const wantsHeld = wanted.has('memoryHeld') || wanted.has('memoryHeldShare');
  return {
    meters: {
      memory: new ContainerMemoryMeter(limits, options),
      'held memory': wantsHeld ? new HeldMeter(limits) : undefined,
      swap: wanted.has('swap') ? containerSwapMeter(fs, place) : undefined,
    },
    describe: () => {
      const unread = failureOf(() => own.readUsed());
      if (unread !== undefined) return `memory=none (${unread})`;
      limits.rescan(0);
      const mode = own.lacksStat ? `${memoryMode} (page cache included)` : memoryMode;
      return `${bytesText(tightest(...limits.loads))} mem.mode=${mode} mem.dir=${shown(own.folder)}`;
    },
    ...(failure === undefined ? undefined : { failure }),
  };
}

/** What a container may use of memory, at each level: read again every ten seconds. */
class MemoryLimits {
  readonly #machine: Machine;
  readonly #parents: readonly MemoryLevel[];
  readonly #options: ContainerOptions;
  readonly own: MemoryLevel;
  /** The container's own level first, then limited levels above it. */
  loads: readonly [Limited<MemoryLevel>, ...Limited<MemoryLevel>[]];
  #scannedMs = Number.NEGATIVE_INFINITY;

  constructor(
    machine: Machine,
    own: MemoryLevel,
    parents: readonly MemoryLevel[],
    options: ContainerOptions,
  ) {
    this.#machine = machine;
    this.own = own;
    this.#parents = parents;
    this.#options = options;
    this.loads = [{ level: own, value: Number.POSITIVE_INFINITY, from: 'nothing' }];
  }

  /** Reads the limits anew when they are older than {@link RESCAN_MS}. */
  refresh(nowMs: number): void {
    if (nowMs - this.#scannedMs >= RESCAN_MS) this.rescan(nowMs);
  }

  /** What is not below what the machine has is no limit: version 1 writes a huge number for none. */
  rescan(nowMs: number): void {
    const { own } = this;
    this.#scannedMs = nowMs;
    own.rescan();
    const total = knownLimit(this.#machine.total(), 'MemTotal');
    const ceiling = Number.isFinite(total.value) ? total.value : NO_LIMIT_BYTES;
    const known = (value: number): number => (value < ceiling ? value : Number.POSITIVE_INFINITY);
    const bytes = tightest(
      total,
      { value: known(own.readLimit()), from: `limit of ${shown(own.folder)}` },
      taskLimit(this.#options.taskLimits?.bytes),
      saidBytes(this.#options),
    );
    const above = this.#parents.map((level) => ({
      level,
      value: known(level.readLimit()),
      from: `limit of ${shown(level.folder)}`,
    }));
    this.loads = [{ level: own, ...bytes }, ...above.filter(({ value }) => Number.isFinite(value))];
  }
}

/** Version 1 writes about 2^63 for no limit; no machine has as much as this. */
export const NO_LIMIT_BYTES: number = 2 ** 60;

/** Memory of the level that is fullest, since that is where the OOM killer strikes first. */
class ContainerMemoryMeter implements Meter {
  readonly #limits: MemoryLimits;
  readonly #options: ContainerOptions;

  constructor(limits: MemoryLimits, options: ContainerOptions) {
    this.#limits = limits;
    this.#options = options;
  }

  measure(nowMs: number, figures: Figures): void {
    const limits = this.#limits;
    limits.refresh(nowMs);
    let used = 0;
    let limit = Number.NaN;
    const { loads } = limits;
    for (let depth = 0; depth < loads.length; depth += 1) {
      const load = loads[depth];
      if (load === undefined) continue;
      const bytes = withoutSelf(load.level.readUsed(), this.#options);
      const bound = bytes > load.value * SLACK ? this.#again(load, nowMs) : load.value;
      if (!(bytes / bound <= used / limit)) {
        used = bytes;
        limit = bound;
      }
    }
    if (Number.isFinite(limit)) {
      putMemory(figures, used, limit);
      return;
    }
    figures[PLACES.memoryUsed] = used;
    throw new NoDataError('no memory limit is seen, and /proc/meminfo does not say what there is');
  }

  /** A limit may have been raised since it was read. */
  #again({ level, value }: Limited<MemoryLevel>, nowMs: number): number {
    this.#limits.rescan(nowMs);
    return this.#limits.loads.find((load) => load.level === level)?.value ?? value;
  }
}

/** What the container's own level cannot give back, against what limits it. */
class HeldMeter implements Meter {
  readonly #limits: MemoryLimits;

  constructor(limits: MemoryLimits) {
    this.#limits = limits;
  }

  measure(nowMs: number, figures: Figures): void {
    this.#limits.refresh(nowMs);
    const held = this.#limits.own.readHeld();
    const [{ value }] = this.#limits.loads;
    if (Number.isFinite(value)) putHeld(figures, held, value);
    else figures[PLACES.memoryHeld] = held;
  }
}
