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

interface Resource {
  readonly tree: object;
  readonly metrics: object[];
  /** The points of each metric, by the JSON of it without them. */
  readonly points: Map<string, object[]>;
}

/** Datums of one window that are one point: a distribution may lie in several. */
interface Together {
  readonly window: Publishable;
  readonly data: readonly WaitingDatum[];
}

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
  const form: Form = (offsetMs) => {
    const resourceMetrics = [...resources.values()].map(({ tree }) => tree);
    return json({ resourceMetrics }, offsetMs);
  };
  /** Of each datum, the numbers of its resource, metric and point. */
  const paths: string[] = [];
  let [bytes, count] = [form(0).length, 0];
  for (const { window, data } of wholePoints(batch)) {
    const { publication } = window;
    const [metric, none, point] = encodePoint(data, window, isFraction);
    const key = json(metric);
    const resource = resources.get(publication) ?? resourceOf(publication);
    const points = resource.points.get(key) ?? none;
    const size =
      json(point).length +
      (points.length === 0 ? key.length : 0) +
      (resources.has(publication) ? 0 : json(resource.tree).length) +
      COMMAS;
    if (count > 0 && (bytes + size > maxBytes || count === MAX_POINTS)) break;
    resources.set(publication, resource);
    if (points.length === 0) resource.metrics.push(metric);
    resource.points.set(key, points);
    const numbers = [
      [...resources.keys()].indexOf(publication),
      [...resource.points.keys()].indexOf(key),
      points.length,
    ];
    const path = numbers.map((number) => number + 1).join();
    for (const _ of data) paths.push(path);
    points.push(point);
    bytes += size;
    count += 1;
  }
  const members: Payload['members'] = (...numbers) =>
    paths.flatMap((path, index) => (path === numbers.join() ? index + 1 : []));
  const body = Object.assign(form, { members });
  return { body, datums: paths.length, bytes: form(0).length };
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
      const { name, unit, counts } = last?.data[0] ?? {};
      const isMore = name === datum.name && unit === datum.unit;
      if (isMore && counts && datum.counts) last?.data.push(datum);
      else points.push({ window, data: [datum] });
    }
    return points;
  });
  const datums = batch.reduce((sum, { data }) => sum + data.length, 0);
  const isCut = datums >= MAX_POINTS && all.at(-1)?.data[0]?.counts !== undefined;
  return isCut && all.length > 1 ? all.slice(0, -1) : all;
}

/** A metric, the list in it for its points, and the point. */
function encodePoint(
  data: readonly WaitingDatum[],
  { startMs, endMs }: Publishable,
  isFraction: boolean,
): [metric: object, points: object[], point: object] {
  const { name: metric = '', unit: ofMetric = '', counts } = data[0] ?? {};
  const { name, unit, divisor, isSum, attribute } = otelName(metric, ofMetric, isFraction);
  const values = data.flatMap((datum) => datum.values.map((value) => divided(value, divisor)));
  const kind = counts !== undefined ? 'exponentialHistogram' : isSum ? 'sum' : 'gauge';
  const isGauge = kind === 'gauge';
  const dataPoints: object[] = [];
  const more = {
    // Of what happened in the window, and in no other: 1 is DELTA.
    ...(!isGauge && { aggregationTemporality: 1 }),
    // Of the library's callers, who may count down.
    ...(kind === 'sum' && { isMonotonic: (values[0] ?? 0) >= 0 }),
  };
  const point = {
    ...(!isGauge && { startTimeUnixNano: startMs }),
    timeUnixNano: endMs,
    ...(counts === undefined
      ? { asDouble: values[0] ?? 0 }
      : exponentialHistogram(
          values,
          data.flatMap((datum) => datum.counts ?? []),
        )),
    ...(attribute && { attributes: attributesOf([attribute]) }),
  };
  return [{ name, unit, [kind]: { dataPoints, ...more } }, dataPoints, point];
}

/** Without what division adds to decimals. */
export function divided(value: number, divisor: number): number {
  return divisor === 1 ? value : Number((value / divisor).toPrecision(12));
}

/** The resource's attributes, by their names there. */
export function resourcePairs({ namespace, dimensions }: Publication): [string, string][] {
  const pairs = dimensions.map(
    ({ Name, Value }) => [Name === SERVICE ? 'service.name' : Name, Value] as const,
  );
  // What is left is the point's own, and the scope's name and version.
  return [...new Map([['service.namespace', namespace], ...pairs])].slice(0, MAX_LABELS - 3);
}

function resourceOf(publication: Publication): Resource {
  const attributes = attributesOf(resourcePairs(publication));
  const metrics: object[] = [];
  const scope = { name: 'cloudwatch-metrics-agent', version: VERSION };
  const tree = { resource: { attributes }, scopeMetrics: [{ scope, metrics }] };
  return { tree, metrics, points: new Map() };
}

function attributesOf(pairs: readonly (readonly [key: string, value: string])[]): object[] {
  return pairs.map(([key, stringValue]) => ({ key, value: { stringValue } }));
}

/** Without a character outside of ASCII; instants, which are milliseconds before, are nanoseconds. */
function json(value: object, offsetMs = 0): string {
  return JSON.stringify(value, (key, one: unknown) =>
    typeof one === 'number' && key.endsWith('UnixNano')
      ? `${Math.round(one + offsetMs)}000000`
      : one,
  ).replace(/[^ -~]/g, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
