import { type Figures, PLACES } from './figures.ts';
import { asked, type Metric } from './metric.ts';

const { gpu: GPU, gpuMemory: GPU_MEMORY, gpuMost: GPU_MOST } = PLACES;
const MOST_PERCENT = 100;

export const GPU_METRICS: readonly Metric[] = [
  asked('GPUUtilization', 'Percent', 'gpu'),
  asked('GPUMemoryUtilization', 'Percent', 'gpuMemory'),
];

/** One card as nvidia-smi tells of it; NaN for what it does not know. */
export interface GpuCard {
  readonly index: number;
  /** Percent of time in which a kernel ran. */
  readonly utilization: number;
  readonly memoryUsed: number;
  readonly memoryTotal: number;
}

/**
 * A line of `nvidia-smi --query-gpu=index,utilization.gpu,memory.used,memory.total
 * --format=csv,noheader,nounits`:
 *
 *     0, 37, 1024, 16384
 *
 * `[N/A]` stands for what a card does not tell (MIG tells no utilization).
 *
 * @returns nothing for a line of another form
 */
export function parseGpuLine(line: string): GpuCard | undefined {
  const words = line.split(',').map((word) => word.trim());
  const [index, utilization, memoryUsed, memoryTotal] = words.map((word) =>
    /^\d+(?:\.\d+)?$/.test(word) ? Number(word) : Number.NaN,
  );
  if (words.length !== 4 || index === undefined || !Number.isInteger(index)) return undefined;
  return {
    index,
    utilization:
      utilization !== undefined && utilization <= MOST_PERCENT ? utilization : Number.NaN,
    memoryUsed: memoryUsed ?? Number.NaN,
    memoryTotal: memoryTotal ?? Number.NaN,
  };
}

/** The mean over the cards, and the busiest one. What no card tells stays absent. */
export function putGpu(figures: Figures, cards: Iterable<GpuCard>): void {
  let [busy, busyCards, most, filled, filledCards] = [0, 0, 0, 0, 0];
  for (const { utilization, memoryUsed, memoryTotal } of cards) {
    if (!Number.isNaN(utilization)) {
      busy += utilization;
      busyCards += 1;
      most = Math.max(most, utilization);
    }
    const share = (100 * memoryUsed) / memoryTotal;
    if (share >= 0 && share <= MOST_PERCENT) {
      filled += share;
      filledCards += 1;
    }
  }
  if (busyCards > 0) {
    figures[GPU] = busy / busyCards;
    figures[GPU_MOST] = most;
  }
  if (filledCards > 0) figures[GPU_MEMORY] = filled / filledCards;
}
