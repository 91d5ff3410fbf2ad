import { type Figures, PLACES } from './figures.ts';
import { asked, type Metric } from './metric.ts';

const { agentCpu: CPU, agentMemory: MEMORY } = PLACES;

/** The agent itself, and its delivery. */
export const HEALTH_METRICS: readonly Metric[] = [
  asked('AgentCPU', 'Percent', 'agentCpu'),
  asked('AgentMemory', 'Bytes', 'agentMemory'),
  asked('WindowsSent', 'Count', 'windowsSent', 'sum'),
  asked('WindowsDropped', 'Count', 'windowsDropped', 'sum'),
  asked('PublishLatency', 'Milliseconds', 'publishLatency'),
  asked('PublishErrors', 'Count', 'publishErrors', 'sum'),
];

/** The agent's own CPU in percent of one core; more than 100 where several of its threads ran. */
export function putAgentCpu(figures: Figures, usedUsec: number, spanMs: number): void {
  if (spanMs > 0 && usedUsec >= 0) figures[CPU] = usedUsec / (spanMs * 10);
}

/** The agent's own resident memory, in bytes. */
export function putAgentMemory(figures: Figures, residentBytes: number): void {
  figures[MEMORY] = residentBytes;
}
