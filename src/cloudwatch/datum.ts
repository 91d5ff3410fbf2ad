import type { WaitingDatum } from '../delivery/packing.ts';
import type { Publishable } from '../delivery/service.ts';
import type { Dimension, Entity } from '../metrics/publication.ts';

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
  readonly MetricData?: readonly MetricDatum[];
  readonly EntityMetricData?: readonly {
    readonly Entity: {
      readonly KeyAttributes: Entity['keys'];
      readonly Attributes: Entity['attributes'];
    };
    readonly MetricData: readonly MetricDatum[];
  }[];
  readonly StrictEntityValidation?: false;
}

/** @param entity what the data are of, where that is known */
export function putMetricData(
  Namespace: string,
  MetricData: readonly MetricDatum[],
  entity?: Entity,
): PutMetricDataInput {
  if (entity === undefined) return { Namespace, MetricData };
  const Entity = { KeyAttributes: entity.keys, Attributes: entity.attributes };
  return { Namespace, EntityMetricData: [{ Entity, MetricData }], StrictEntityValidation: false };
}

/** A window in CloudWatch's words. */
export function metricData({ startMs, data, publication }: Publishable): MetricDatum[] {
  const Timestamp = timestamp(startMs);
  return data.map((datum) => ({
    MetricName: datum.name,
    Dimensions: publication.dimensions,
    Timestamp,
    Unit: datum.unit,
    ...(publication.highResolution ? { StorageResolution: 1 } : undefined),
    ...figures(datum),
  }));
}

/** ISO 8601, UTC, whole seconds. */
export function timestamp(wallMs: number): string {
  return `${new Date(wallMs).toISOString().slice(0, 19)}Z`;
}

function figures(datum: WaitingDatum): Pick<MetricDatum, 'Value' | 'Values' | 'Counts'> {
  if (datum.counts !== undefined) return { Values: datum.values, Counts: datum.counts };
  const [value] = datum.values;
  return value === undefined ? {} : { Value: value };
}
