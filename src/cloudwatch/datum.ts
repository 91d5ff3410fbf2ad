import type { WaitingDatum, WaitingWindow } from '../delivery/packing.ts';

export interface Dimension {
  readonly Name: string;
  readonly Value: string;
}

/** As `aws cloudwatch put-metric-data --cli-input-json` takes it, field for field. */
export interface MetricDatum {
  readonly MetricName: string;
  readonly Dimensions: readonly Dimension[];
  /** ISO 8601, UTC, whole seconds. */
  readonly Timestamp: string;
  readonly Unit: string;
  readonly StorageResolution?: 1;
  readonly Value?: number;
  readonly Values?: readonly number[];
  readonly Counts?: readonly number[];
}

export interface PutMetricDataInput {
  readonly Namespace: string;
  readonly MetricData: readonly MetricDatum[];
}

/** What all datums of this process have in common. */
export interface Publication {
  readonly namespace: string;
  readonly dimensions: readonly Dimension[];
  /** Windows shorter than a minute are stored by the second. */
  readonly highResolution: boolean;
}

/** A window in CloudWatch's words. */
export function metricData(window: WaitingWindow, publication: Publication): MetricDatum[] {
  const timestamp = `${new Date(window.startMs).toISOString().slice(0, 19)}Z`;
  return window.data.map((datum) => ({
    MetricName: datum.name,
    Dimensions: publication.dimensions,
    Timestamp: timestamp,
    Unit: datum.unit,
    ...(publication.highResolution ? { StorageResolution: 1 } : undefined),
    ...figures(datum),
  }));
}

function figures(datum: WaitingDatum): Pick<MetricDatum, 'Value' | 'Values' | 'Counts'> {
  if (datum.counts !== undefined) return { Values: datum.values, Counts: datum.counts };
  const [value] = datum.values;
  return value === undefined ? {} : { Value: value };
}
