import { NoDataError } from '../../errors.ts';
import type { Meter } from '../../metrics/figures.ts';
import { putScopeHeld, putScopeMemory } from '../../metrics/memory.ts';
import { bytesLimit, bytesText, NO_LIMIT_BYTES, tightest } from '../limits.ts';
import type { Machine } from '../machine.ts';
import { failureOf, meter } from '../meters.ts';
import { withoutSelf } from '../options.ts';
import { type RootFs, shown } from '../rootfs.ts';
import { type Cgroups, pathOf } from './hierarchy.ts';
import { type MemoryLevel, memoryLevels } from './levels.ts';
import { LevelLimits, type Limited, type Loads } from './limited.ts';
import type { ContainerOptions, ContainerPart } from './options.ts';
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
      memory: memoryMeter(limits, options),
      'held memory': wantsHeld ? heldMeter(limits) : undefined,
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

/** What a container may use of memory. */
class MemoryLimits extends LevelLimits<MemoryLevel> {
  readonly #machine: Machine;
  readonly #parents: readonly MemoryLevel[];
  readonly #options: ContainerOptions;

  constructor(
    machine: Machine,
    own: MemoryLevel,
    parents: readonly MemoryLevel[],
    options: ContainerOptions,
  ) {
    super(own);
    this.#machine = machine;
    this.#parents = parents;
    this.#options = options;
  }

  /** What is not below what the machine has is no limit: version 1 writes a huge number for none. */
  protected scan(): Loads<MemoryLevel> {
    const { own } = this;
    own.rescan();
    const total = this.#machine.total();
    const ceiling = Number.isNaN(total) ? NO_LIMIT_BYTES : total;
    const limited = (level: MemoryLevel): Limited<MemoryLevel> => {
      const value = level.readLimit();
      return {
        level,
        value: value < ceiling ? value : Number.POSITIVE_INFINITY,
        from: `limit of ${shown(level.folder)}`,
      };
    };
    const { taskLimits = {} } = this.#options;
    const bytes = bytesLimit(this.#options, taskLimits, total, limited(own));
    const above = this.#parents.map(limited).filter(({ value }) => Number.isFinite(value));
    return [{ ...bytes, level: own }, ...above];
  }
}

/** Memory of the level that is fullest, since that is where the OOM killer strikes first. */
function memoryMeter(limits: MemoryLimits, options: ContainerOptions): Meter {
  return meter((nowMs, figures) => {
    limits.refresh(nowMs);
    let used = 0;
    let limit = Number.NaN;
    const { loads } = limits;
    for (let depth = 0; depth < loads.length; depth += 1) {
      const load = loads[depth];
      if (load === undefined) continue;
      const bytes = withoutSelf(load.level.readUsed(), options);
      const bound = bytes > load.value * SLACK ? limits.again(load, nowMs) : load.value;
      if (!(bytes / bound <= used / limit)) {
        used = bytes;
        limit = bound;
      }
    }
    putScopeMemory(figures, used, limit);
  });
}

/** What the container's own level cannot give back, against what limits it. */
function heldMeter(limits: MemoryLimits): Meter {
  return meter((nowMs, figures) => {
    limits.refresh(nowMs);
    const held = limits.own.readHeld();
    putScopeHeld(figures, held, limits.loads[0].value);
  });
}
