import { NoDataError, ParseError } from '../errors.ts';
import { type Figures, type Meter, PLACES } from '../metrics/figures.ts';
import { throttledShare } from './cgroup/cpu.ts';
import type { Member } from './members.ts';
import { absentBecause, type NamedMeters } from './meters.ts';
import type { SourceOptions } from './options.ts';
import { shown } from './rootfs.ts';

/** Whose figures these are: looked at again at its pace. */
interface Members {
  readonly found: readonly Member[];
  /** @throws NoDataError where somebody is there who cannot be read */
  refresh(nowMs: number): void;
}

const NO_SUM = 'it cannot be added up: of several containers no file of the kernel tells it';

/** Throttling and OOM kills of several containers, and why there is no more. */
export function siblingTrouble(members: Members, { wanted }: SourceOptions): NamedMeters {
  return {
    throttling: wanted.has('cpuThrottled') ? new ThrottlingMeter(members) : undefined,
    'OOM kills': wanted.has('oomKills') ? new KillsMeter(members) : undefined,
    'CPU pressure': wanted.has('cpuPressure') ? absentBecause(NO_SUM) : undefined,
    'memory pressure': wanted.has('memoryPressure') ? absentBecause(NO_SUM) : undefined,
    swap: wanted.has('swap') ? absentBecause(NO_SUM) : undefined,
  };
}

/** Of the container that is throttled most: the others say nothing of it. */
class ThrottlingMeter implements Meter {
  readonly #members: Members;

  constructor(members: Members) {
    this.#members = members;
  }

  measure(nowMs: number, figures: Figures): void {
    this.#members.refresh(nowMs);
    let most = Number.NaN;
    let hasQuota = false;
    for (const { cpu } of this.#members.found) {
      if (!Number.isFinite(cpu.limit)) continue;
      hasQuota = true;
      const share = throttledShare(cpu);
      if (!(most >= share)) most = share;
    }
    if (!hasQuota) throw new NoDataError('no container has a CPU quota');
    if (!Number.isNaN(most)) figures[PLACES.cpuThrottled] = most;
  }
}

/** The sum of all; absent where one of them is new, or began anew. */
class KillsMeter implements Meter {
  readonly #members: Members;

  constructor(members: Members) {
    this.#members = members;
  }

  measure(nowMs: number, figures: Figures): void {
    this.#members.refresh(nowMs);
    let sum = 0;
    for (const { memory } of this.#members.found) {
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
  }
}
