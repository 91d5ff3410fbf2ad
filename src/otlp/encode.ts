// Over 200 lines: a request's parts are sized and written by the same functions.
import type { Form } from '../cloudwatch/form.ts';
import type { WaitingDatum } from '../delivery/packing.ts';
import type { Page, Publishable } from '../delivery/service.ts';
import type { Publication } from '../metrics/publication.ts';
import { VERSION } from '../version.ts';
import { exponentialHistogram } from './histogram.ts';
import { MAX_BODY_BYTES, MAX_LABELS, MAX_POINTS } from './limits.ts';
import { otelName } from './names.ts';

/** A body, and which of the batch's datums stand behind a point that an answer names. */
export interface Payload extends Form {
  /** Numbers of datums, from 1. All three count from 1. */
  readonly members: (resource: number, metric: number, point: number) => readonly number[];
}

export interface EncodeOptions {
  /** Percentages were published as 0 to 1. */
  readonly isFraction: boolean;
  readonly maxBytes?: number;
}

/** Text with the instants that stand in it, in milliseconds. */
type Parts = readonly (string | number)[];

interface Point {
  readonly parts: Parts;
  readonly members: readonly number[];
}

interface Metric {
  readonly head: string;
  readonly tail: string;
  readonly points: Point[];
}

interface Resource {
  readonly head: string;
  readonly metrics: Map<string, Metric>;
}

/** Datums of one window that are one point: a distribution may lie in several. */
interface Together {
  readonly window: Publishable;
  readonly data: readonly WaitingDatum[];
}

const HEAD = '{"resourceMetrics":[';
const TAIL = ']}';
const SCOPE = `,"scopeMetrics":[{"scope":{"name":"cloudwatch-metrics-agent","version":"${VERSION}"},"metrics":[`;
const RESOURCE_TAIL = ']}]}';
/** An instant in nanoseconds, in its quotes, until the year 2286. */
const INSTANT_BYTES = 21;
/** Before a point, its metric and its resource. */
const COMMAS = 3;
/** The name of the dimension that --service is. */
const SERVICE = 'ServiceName';

/**
 * One ExportMetricsServiceRequest as JSON with as many of the datums, from the first on, as it may hold: at
 * least one. ASCII, so that its length is its bytes.
 *
 * @see https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
 */
export function encodePage(
  batch: readonly Publishable[],
  { isFraction, maxBytes = MAX_BODY_BYTES }: EncodeOptions,
): Page<Payload> {
  const resources = new Map<Publication, Resource>();
  let bytes = HEAD.length + TAIL.length;
  let [datums, points] = [0, 0];
  for (const { window, data } of wholePoints(batch)) {
    const { publication, startMs, endMs } = window;
    const known = resources.get(publication);
    const resource = known ?? { head: resourceHead(publication), metrics: new Map() };
    const [key, head, tail, parts] = encodePoint(data, startMs, endMs, isFraction);
    const metric = resource.metrics.get(key) ?? { head, tail, points: [] };
    const size =
      sizeOf(parts) +
      (metric.points.length === 0 ? head.length + tail.length : 0) +
      (known === undefined ? resource.head.length + RESOURCE_TAIL.length : 0) +
      COMMAS;
    if (datums > 0 && (bytes + size > maxBytes || points === MAX_POINTS)) break;
    resources.set(publication, resource);
    resource.metrics.set(key, metric);
    metric.points.push({ parts, members: data.map((_, index) => datums + index + 1) });
    bytes += size;
    datums += data.length;
    points += 1;
  }
  const all = [...resources.values()];
  const form: Form = (offsetMs) => textOf(all, offsetMs);
  const members: Payload['members'] = (resource, metric, point) =>
    [...(all[resource - 1]?.metrics.values() ?? [])][metric - 1]?.points[point - 1]?.members ?? [];
  return { body: Object.assign(form, { members }), datums, bytes: form(0).length };
}

/** A whole window, in order: one body, unless a limit asks for more. */
export function encodePages(window: Publishable, options: EncodeOptions): Page<Payload>[] {
  const pages: Page<Payload>[] = [];
  for (let from = 0; from < window.data.length; ) {
    const page = encodePage([{ ...window, data: window.data.slice(from) }], options);
    pages.push(page);
    from += page.datums;
  }
  return pages;
}

/** What a full batch may have cut in two goes with the next one. */
function wholePoints(batch: readonly Publishable[]): readonly Together[] {
  const all = batch.flatMap((window) => {
    const points: { window: Publishable; data: WaitingDatum[] }[] = [];
    for (const datum of window.data) {
      const last = points.at(-1);
      const isMore = datum.counts !== undefined && last?.data[0]?.name === datum.name;
      if (isMore && last.data[0]?.counts !== undefined) last.data.push(datum);
      else points.push({ window, data: [datum] });
    }
    return points;
  });
  const datums = batch.reduce((sum, { data }) => sum + data.length, 0);
  const isCut = datums >= MAX_POINTS && all.at(-1)?.data[0]?.counts !== undefined;
  return isCut && all.length > 1 ? all.slice(0, -1) : all;
}

function encodePoint(
  data: readonly WaitingDatum[],
  startMs: number,
  endMs: number,
  isFraction: boolean,
): [key: string, head: string, tail: string, point: Parts] {
  const { name: metric = '', unit: ofMetric = '', counts } = data[0] ?? {};
  const { name, unit, divisor, isSum, attribute } = otelName(metric, ofMetric, isFraction);
  const scaled = (value: number): number =>
    divisor === 1 ? value : Number((value / divisor).toPrecision(12));
  const values = data.flatMap((datum) => datum.values.map(scaled));
  const kind = counts !== undefined ? 'exponentialHistogram' : isSum ? 'sum' : 'gauge';
  const fields =
    kind === 'exponentialHistogram'
      ? exponentialHistogram(
          values,
          data.flatMap((datum) => datum.counts ?? []),
        )
      : { asDouble: values[0] ?? 0 };
  const rest = { ...fields, ...(attribute && { attributes: attributesOf([attribute]) }) };
  const start = kind === 'gauge' ? [] : ['"startTimeUnixNano":', startMs, ','];
  // Of what happened in the window, and in no other: 1 is DELTA.
  const delta = kind === 'gauge' ? '' : ',"aggregationTemporality":1';
  return [
    `${kind} ${unit} ${name}`,
    `{"name":${json(name)},"unit":${json(unit)},"${kind}":{"dataPoints":[`,
    `]${delta}${kind === 'sum' ? ',"isMonotonic":true' : ''}}}`,
    ['{', ...start, '"timeUnixNano":', endMs, `,${json(rest).slice(1)}`],
  ];
}

function resourceHead({ namespace, dimensions }: Publication): string {
  const pairs = dimensions.map(
    ({ Name, Value }) => [Name === SERVICE ? 'service.name' : Name, Value] as const,
  );
  const all = new Map([['service.namespace', namespace], ...pairs]);
  // One is left for the point's own.
  const attributes = attributesOf([...all].slice(0, MAX_LABELS - 1));
  return `{"resource":${json({ attributes })}${SCOPE}`;
}

function attributesOf(pairs: readonly (readonly [key: string, value: string])[]): object[] {
  return pairs.map(([key, stringValue]) => ({ key, value: { stringValue } }));
}

function sizeOf(parts: Parts): number {
  return parts.reduce<number>(
    (sum, part) => sum + (typeof part === 'string' ? part.length : INSTANT_BYTES),
    0,
  );
}

function textOf(resources: readonly Resource[], offsetMs: number): string {
  const point = ({ parts }: Point): string =>
    parts
      .map((part) => (typeof part === 'string' ? part : `"${Math.round(part + offsetMs)}000000"`))
      .join('');
  const metric = ({ head, tail, points }: Metric): string =>
    head + points.map(point).join(',') + tail;
  const resource = ({ head, metrics }: Resource): string =>
    head + [...metrics.values()].map(metric).join(',') + RESOURCE_TAIL;
  return HEAD + resources.map(resource).join(',') + TAIL;
}

/** Without a character outside of ASCII. */
function json(value: unknown): string {
  return JSON.stringify(value).replace(
    /[^ -~]/g,
    (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
