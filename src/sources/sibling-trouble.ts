import { ParseError } from '../errors.ts';
import { type Meter, PLACES } from '../metrics/figures.ts';
import { throttlingMeter } from './cgroup/cpu.ts';
import type { CpuLevel } from './cgroup/levels.ts';
import type { Member } from './members.ts';
import { absentBecause, meter, type NamedMeters } from './meters.ts';
import type { SourceOptions } from './options.ts';
import { shown } from './rootfs.ts';

/** Whose figures these are: looked at again at its pace. */
interface Members {
  readonly found: readonly Member[];
  /** Their groups that have a quota. */
  readonly quotas: readonly CpuLevel[];
  /** @throws NoDataError where somebody is there who cannot be read */
  refresh(nowMs: number): void;
}

const NO_SUM = 'it cannot be added up: of several containers no file of the kernel tells it';

/** Throttling and OOM kills of several containers, and why there is no more. */
export function siblingTrouble(members: Members, { wanted }: SourceOptions): NamedMeters {
  return {
    throttling: wanted.has('cpuThrottled')
      ? throttlingMeter(members, 'no container has a CPU quota')
      : undefined,
    'OOM kills': wanted.has('oomKills') ? killsMeter(members) : undefined,
    'CPU pressure': wanted.has('cpuPressure') ? absentBecause(NO_SUM) : undefined,
    'memory pressure': wanted.has('memoryPressure') ? absentBecause(NO_SUM) : undefined,
    swap: wanted.has('swap') ? absentBecause(NO_SUM) : undefined,
  };
}

/** The sum of all; absent where one of them is new, or began anew. */
function killsMeter(members: Members): Meter {
  return meter((nowMs, figures) => {
    members.refresh(nowMs);
    let sum = 0;
    for (const { memory } of members.found) {
      const before = memory.kills;
      memory.kills = Number.NaN;
      memory.kills = memory.readKills();
      if (Number.isNaN(memory.kills)) {
        throw new ParseError(shown(memory.killsPath), 'no line "oom_kill" with a number');
      }
      const grown = memory.kills - before;
      sum += grown >= 0 ? grown : Number.NaN;
    }
    if (!Number.isNaN(sum)) figures[PLACES.oomKills] = sum;
  });
}
