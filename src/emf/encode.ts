import type { WaitingDatum, WaitingWindow } from '../delivery/packing.ts';
import type { Publication } from '../metrics/publication.ts';

/**
 * What an event may hold.
 *
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
 */
export const MAX_METRICS = 100;
export const MAX_VALUES = 100;
/** Log drivers and runtimes cut a line after 16 KiB (Docker, containerd); agents read 64 KiB of it. */
export const SPLIT_BYTES = 16_000;
/** What CloudWatch Logs counts for an event besides its text. */
export const EVENT_BYTES = 26;
/** 256 KiB, which services took before they took 1 MB, with what they add. */
export const MAX_EVENT_BYTES: number = 256 * 1024 - EVENT_BYTES;
/** Of one datagram over IPv4, with its line feed. */
export const MAX_DATAGRAM_BYTES = 65_506;

export interface EventOptions {
  /** What no event exceeds: what cannot be split further is left out. */
  readonly maxBytes: number;
  /** Where a CloudWatch agent is to put the events; elsewhere that is the log driver's. */
  readonly logGroup?: string | undefined;
}

export interface Events {
  /** JSON texts without a line feed. */
  readonly lines: readonly string[];
  /** Names of metrics that have no place in an event, or not with all of their values. */
  readonly left: readonly string[];
}

/** What stands in one event of one metric. */
interface Part {
  readonly name: string;
  /** Its definition, and its member on the root. */
  readonly definition: string;
  readonly member: string;
}

/**
 * A window as events of the embedded metric format. CloudWatch adds up what several say of one instant, so
 * that all values of a distribution arrive, in arrays: the format has no counts.
 */
export function encodeEvents(
  window: WaitingWindow,
  { namespace, dimensions, highResolution }: Publication,
  { maxBytes, logGroup }: EventOptions,
): Events {
  const names = dimensions.map(({ Name }) => Name);
  const group = logGroup === undefined ? '' : `"LogGroupName":${JSON.stringify(logGroup)},`;
  const before =
    `{"_aws":{"Timestamp":${window.startMs},${group}"CloudWatchMetrics":[{"Namespace":` +
    `${JSON.stringify(namespace)},"Dimensions":[${JSON.stringify(names)}],"Metrics":[`;
  const members = dimensions.map(({ Name, Value }) => member(Name, Value)).join('');
  const frame = Buffer.byteLength(`${before}]}]}${members}}`);
  const lines: string[] = [];
  const left = new Set<string>();
  let event: Part[] = [];
  let bytes = frame;
  const end = (): void => {
    if (event.length === 0) return;
    const definitions = event.map(({ definition }) => definition).join(',');
    lines.push(
      `${before}${definitions}]}]}${members}${event.map((part) => part.member).join('')}}`,
    );
    event = [];
    bytes = frame;
  };
  const taken = new Set(['_aws', ...names]);
  for (const part of partsOf(window.data, highResolution)) {
    // A comma stands before all but the first.
    const size = Buffer.byteLength(part.definition + part.member) + 1;
    if (taken.has(part.name) || frame + size > maxBytes) {
      left.add(part.name);
      continue;
    }
    const isFull = event.length === MAX_METRICS || bytes + size > Math.min(SPLIT_BYTES, maxBytes);
    if (isFull || event.some(({ name }) => name === part.name)) end();
    event.push(part);
    bytes += size;
  }
  end();
  return { lines, left: [...left] };
}

/** The first values of all metrics, then the next of those that have more: as few events as can be. */
function* partsOf(data: readonly WaitingDatum[], isHigh: boolean): Generator<Part> {
  const metrics = new Map<string, { name: string; definition: string; values: number[] }>();
  for (const datum of data) {
    const { name, unit } = datum;
    const definition = JSON.stringify({
      Name: name,
      Unit: unit,
      ...(isHigh ? { StorageResolution: 1 } : undefined),
    });
    const metric = metrics.get(definition) ?? { name, definition, values: [] };
    metrics.set(definition, metric);
    for (const value of valuesOf(datum)) metric.values.push(value);
  }
  const all = [...metrics.values()];
  const most = all.reduce((sum, { values }) => Math.max(sum, values.length), 0);
  for (let from = 0; from < most; from += MAX_VALUES) {
    for (const { name, definition, values } of all) {
      const some = values.slice(from, from + MAX_VALUES);
      const target = some.length === 1 ? some[0] : some;
      if (some.length > 0) yield { name, definition, member: member(name, target) };
    }
  }
}

/** Each as often as it came. What is not finite has no place in JSON. */
function* valuesOf({ values, counts }: WaitingDatum): Generator<number> {
  for (const [index, value] of values.entries()) {
    const count = Number.isFinite(value) ? (counts?.[index] ?? 1) : 0;
    for (let nth = 0; nth < count; nth += 1) yield value;
  }
}

function member(name: string, value: unknown): string {
  return `,${JSON.stringify(name)}:${JSON.stringify(value)}`;
}

/** As AWS's own clients name it, in what characters a log group's name may have. */
export function logGroupOf({ dimensions }: Publication): string {
  return `${dimensions[0]?.Value ?? ''}-metrics`.replace(/[^\w./#-]/g, '_').slice(0, 512);
}
