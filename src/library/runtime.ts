import type { Unit } from '../metrics/metric.ts';

/** What Node tells of the own process, by name alone. */
export const RUNTIME_METRICS = ['NodeEventLoopDelay', 'NodeHeapUsed'] as const;
export type RuntimeMetric = (typeof RUNTIME_METRICS)[number];

/** As often as this the loop is looked at. */
const RESOLUTION_MS = 10;
const NS_PER_MS = 1e6;

/** Where a figure goes. */
type Take = (name: RuntimeMetric, value: number, unit: Unit) => void;

/** Figures of the own process, taken with each sample. */
export interface RuntimeMeter {
  measure(take: Take): void;
  close(): void;
}

export function isRuntimeMetric(name: string): name is RuntimeMetric {
  return RUNTIME_METRICS.some((one) => one === name);
}

/** Neither module of Node is loaded where its figure is not asked for. */
export async function openRuntime(names: readonly RuntimeMetric[]): Promise<RuntimeMeter> {
  const delay = names.includes('NodeEventLoopDelay') ? await openDelay() : undefined;
  const heap = names.includes('NodeHeapUsed') ? await import('node:v8') : undefined;
  return {
    measure(take) {
      delay?.look((delayMs) => take('NodeEventLoopDelay', delayMs, 'Milliseconds'));
      if (heap === undefined) return;
      take('NodeHeapUsed', heap.getHeapStatistics().used_heap_size, 'Bytes');
    },
    close: () => delay?.close(),
  };
}

/** The histogram holds what passed between two looks: what is above the resolution is the delay. */
async function openDelay(): Promise<{ look(take: (ms: number) => void): void; close(): void }> {
  const { monitorEventLoopDelay } = await import('node:perf_hooks');
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  histogram.enable();
  return {
    look(take) {
      // After a timer that held up the loop comes the next before the histogram sees it, and a reset forgets.
      setImmediate(() => {
        const longestMs = histogram.max / NS_PER_MS;
        histogram.reset();
        if (longestMs > 0) take(Math.max(0, longestMs - RESOLUTION_MS));
      }).unref();
    },
    close() {
      histogram.disable();
    },
  };
}
