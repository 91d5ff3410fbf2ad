import type { Figures, Meter } from '../metrics/figures.ts';
import { putAgentCpu, putAgentMemory } from '../metrics/health.ts';
import { diskMeter } from './disk.ts';
import type { NamedMeters } from './meters.ts';
import type { SourceOptions } from './options.ts';
import type { RootFs } from './rootfs.ts';

/** What is the same in every scope: the root file system, and the agent itself. */
export function commonMeters(fs: RootFs, options: SourceOptions): NamedMeters {
  const { wanted } = options;
  const wantsAgent = wanted.has('agentCpu') || wanted.has('agentMemory');
  return {
    disk: wanted.has('disk') ? diskMeter(fs) : undefined,
    agent: wantsAgent ? new AgentMeter(options) : undefined,
  };
}

/** What the agent itself costs. */
export class AgentMeter implements Meter {
  readonly #options: SourceOptions;
  #cpuUsec = Number.NaN;
  #atMs = Number.NaN;

  constructor(options: SourceOptions) {
    this.#options = options;
  }

  measure(nowMs: number, figures: Figures): void {
    const { cpuUsec, residentBytes } = this.#options.selfUsage();
    putAgentMemory(figures, residentBytes);
    putAgentCpu(figures, cpuUsec - this.#cpuUsec, nowMs - this.#atMs);
    this.#cpuUsec = cpuUsec;
    this.#atMs = nowMs;
  }
}
