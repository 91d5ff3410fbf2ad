import type { Attempt } from '../delivery/sender.ts';
import type { ClosedWindow } from '../metrics/aggregate.ts';
import { type Figures, figureOf, type Series } from '../metrics/figures.ts';
import type { Metric } from '../metrics/metric.ts';
import type { Delivery, MetricsWindow, Sample } from './api.ts';

/** A reading as the caller sees it: a figure that several metrics are made of stands under the first. */
export function sampleOf(metrics: readonly Metric[], figures: Figures, wallMs: number): Sample {
  const values: Record<string, number> = {};
  const seen = new Set<Series>();
  for (const { name, series } of metrics) {
    const value = figureOf(figures, series);
    if (value === undefined || seen.has(series)) continue;
    seen.add(series);
    values[name] = value;
  }
  return { time: new Date(wallMs), values };
}

/** Numbers of its own: what the caller does with them is not sent. */
export function windowOf({ startMs, endMs, samples, data }: ClosedWindow): MetricsWindow {
  return {
    start: new Date(startMs),
    end: new Date(endMs),
    samples,
    metrics: data.map(({ name, unit, values, counts, least, most, samples: behind }) => ({
      name,
      unit,
      ...(counts === undefined
        ? { value: values[0] ?? Number.NaN }
        : { values: [...values], counts: [...counts] }),
      samples: behind,
      minimum: least,
      maximum: most,
    })),
  };
}

export function deliveryOf({ verdict, tookMs, windowsWaiting }: Attempt): Delivery {
  const { kind, code, message, requestId } = verdict;
  const isAccepted = kind === 'accepted';
  return {
    isAccepted,
    code: isAccepted ? '' : code,
    reason: isAccepted ? '' : message,
    requestId,
    durationMs: tookMs,
    windowsWaiting,
  };
}
