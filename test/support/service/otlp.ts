import { randomUUID } from 'node:crypto';
import type { Answer } from './answers.ts';
import type { Fault } from './faults.ts';
import { Refusal } from './refusal.ts';

/** One data point with all that it hangs under. */
export interface OtlpPoint {
  readonly resource: Readonly<Record<string, string>>;
  readonly name: string;
  readonly unit: string;
  readonly kind: 'gauge' | 'sum' | 'exponentialHistogram';
  readonly attributes: Readonly<Record<string, string>>;
  /** Milliseconds. */
  readonly startMs?: number;
  readonly timeMs: number;
  /** Of a gauge or a sum. */
  readonly value?: number;
  readonly count?: number;
  readonly sum?: number;
  readonly min?: number;
  readonly max?: number;
  readonly scale?: number;
  readonly zeroCount?: number;
  readonly buckets?: number;
}

// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch-OTLPEndpoint.html
const MAX_POINTS = 1000;
const MAX_LABELS = 150;
const MAX_BUCKETS = 160;

type Json = Readonly<Record<string, unknown>>;

/**
 * An ExportMetricsServiceRequest as the JSON form of OTLP 1 has it, of the kinds that the agent sends: every
 * member must be known, 64-bit numbers are text, and CloudWatch's limits hold.
 *
 * @throws {Refusal} 400
 */
export function decodeOtlp(text: string): OtlpPoint[] {
  let request: unknown;
  try {
    request = JSON.parse(text);
  } catch (cause) {
    throw new Refusal(400, 'SerializationException', 'The body is not JSON.', { cause });
  }
  const points: OtlpPoint[] = [];
  list(only(request, ['resourceMetrics']), 'resourceMetrics').forEach((one, r) => {
    const { resource, scopeMetrics } = only(one, ['resource', 'scopeMetrics']);
    const ofResource = attributesOf(only(resource, ['attributes']));
    list({ scopeMetrics }, 'scopeMetrics').forEach((scoped, s) => {
      const { scope, metrics } = only(scoped, ['scope', 'metrics']);
      const ofScope = Object.keys(only(scope, ['name', 'version'])).length;
      list({ metrics }, 'metrics').forEach((metric, m) => {
        decodeMetric(metric, ofResource).forEach((point, p) => {
          const labels =
            Object.keys(ofResource).length + Object.keys(point.attributes).length + ofScope;
          const path = `ResourceMetrics.${r + 1}.ScopeMetrics.${s + 1}.Metrics.${m + 1}.Datapoint.${p + 1}`;
          if (labels > MAX_LABELS) throw bad(`${path} has ${labels} labels, at most ${MAX_LABELS}`);
          if (point.name.includes('refused')) throw bad(`${path} is refused`);
          points.push(point);
        });
      });
    });
  });
  if (points.length > MAX_POINTS) throw bad(`${points.length} points, at most ${MAX_POINTS}`);
  return points;
}

const KINDS = ['gauge', 'sum', 'exponentialHistogram'] as const;

function decodeMetric(value: unknown, resource: OtlpPoint['resource']): OtlpPoint[] {
  const metric = only(value, ['name', 'unit', ...KINDS]);
  const kind = KINDS.find((one) => one in metric);
  const { name, unit } = metric;
  if (typeof name !== 'string' || !/^[A-Za-z][\w./-]{0,254}$/.test(name)) throw bad(`name ${name}`);
  if (typeof unit !== 'string' || kind === undefined) throw bad(`${name} lacks unit or data`);
  const more = kind === 'gauge' ? [] : ['aggregationTemporality'];
  const data = only(metric[kind], [
    'dataPoints',
    ...more,
    ...(kind === 'sum' ? ['isMonotonic'] : []),
  ]);
  if (kind !== 'gauge' && data['aggregationTemporality'] !== 1) throw bad(`${name} is not DELTA`);
  return list(data, 'dataPoints').map((point) => {
    const common = { resource, name, unit, kind };
    if (kind === 'exponentialHistogram') return { ...common, ...decodeHistogram(point) };
    const decoded = decodeNumber(point, kind === 'sum');
    if (kind === 'sum' && data['isMonotonic'] !== decoded.value >= 0) {
      throw bad(`${name}: monotonic or not, by ${decoded.value}`);
    }
    return { ...common, ...decoded };
  });
}

const TIMES = ['startTimeUnixNano', 'timeUnixNano', 'attributes'];

function timesOf(point: Json, hasStart: boolean) {
  const timeMs = instant(point['timeUnixNano']);
  const attributes = attributesOf(point);
  if (!hasStart) return { attributes, timeMs };
  const startMs = instant(point['startTimeUnixNano']);
  if (startMs > timeMs) throw bad('a point ends before it starts');
  return { attributes, timeMs, startMs };
}

function decodeNumber(value: unknown, hasStart: boolean) {
  const point = only(value, [...TIMES, 'asDouble']);
  return { ...timesOf(point, hasStart), value: number(point['asDouble']) };
}

function decodeHistogram(value: unknown) {
  const own = ['count', 'sum', 'min', 'max', 'scale', 'zeroCount', 'positive', 'negative'];
  const point = only(value, [...TIMES, ...own]);
  const sides = ['positive', 'negative'].flatMap((side) =>
    side in point ? [only(point[side], ['offset', 'bucketCounts'])] : [],
  );
  const buckets = sides.map((side) => {
    if (!Number.isInteger(number(side['offset']))) throw bad('the offset is no integer');
    const counts = list(side, 'bucketCounts').map(uint64);
    if (counts.length > MAX_BUCKETS) throw bad(`${counts.length} buckets`);
    return counts.reduce((sum, count) => sum + count, 0);
  });
  const zeroCount = point['zeroCount'] === undefined ? 0 : uint64(point['zeroCount']);
  const count = uint64(point['count']);
  if (buckets.reduce((sum, one) => sum + one, zeroCount) !== count) throw bad('counts differ');
  const [min, max, scale] = ['min', 'max', 'scale'].map((name) => number(point[name]));
  const sum = point['sum'] === undefined ? {} : { sum: number(point['sum']) };
  const rest = { min: min ?? 0, max: max ?? 0, scale: scale ?? 0, zeroCount };
  return { ...timesOf(point, true), count, ...sum, ...rest, buckets: sides.length };
}

function attributesOf(holder: Json): Record<string, string> {
  if (holder['attributes'] === undefined) return {};
  const pairs = list(holder, 'attributes').map((one): [string, string] => {
    const { key, value } = only(one, ['key', 'value']);
    const { stringValue } = only(value, ['stringValue']);
    if (typeof key !== 'string' || key === '' || typeof stringValue !== 'string') {
      throw bad('an attribute is no text');
    }
    return [key, stringValue];
  });
  const all = Object.fromEntries(pairs);
  if (Object.keys(all).length < pairs.length) throw bad('an attribute stands there twice');
  return all;
}

function only(value: unknown, names: readonly string[]): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw bad('no object');
  const all: Json = { ...value };
  const foreign = Object.keys(all).find((name) => !names.includes(name));
  if (foreign !== undefined) throw bad(`unknown member ${foreign}`);
  return all;
}

function list(holder: Json, name: string): readonly unknown[] {
  const value = holder[name];
  if (!Array.isArray(value) || value.length === 0) throw bad(`${name} is empty or no list`);
  return value;
}

function number(value: unknown): number {
  if (typeof value !== 'number' || !Number.isFinite(value)) throw bad(`${value} is no number`);
  return value;
}

function uint64(value: unknown): number {
  if (typeof value !== 'string' || !/^\d{1,16}$/.test(value)) throw bad(`${value} is no uint64`);
  return Number(value);
}

function instant(value: unknown): number {
  if (typeof value !== 'string' || !/^\d{1,13}000000$/.test(value)) throw bad(`time ${value}`);
  return Number(value.slice(0, -6));
}

function bad(problem: string): Refusal {
  return new Refusal(400, 'ValidationException', problem);
}

/** As AWS's JSON services answer. */
export function otlpAnswer(status: number, body: object, code?: string): Answer {
  const headers: Record<string, string> = {
    'content-type': 'application/json',
    'x-amzn-requestid': randomUUID(),
    ...(code === undefined ? {} : { 'x-amzn-errortype': code }),
  };
  return { status, headers, body: JSON.stringify(body) };
}

/** Some points are left out without saying which. */
export function partialSuccess(rejectedDataPoints: number, errorMessage: string): Fault {
  const partial = { rejectedDataPoints: String(rejectedDataPoints), errorMessage };
  return { kind: 'answer', answer: otlpAnswer(200, { partialSuccess: partial }) };
}

/** An error of an OTLP receiver: a google.rpc.Status, and perhaps Retry-After. */
export function otlpError(status: number, message: string, retryAfter?: string): Fault {
  const answer = otlpAnswer(status, { code: 13, message });
  if (retryAfter !== undefined) answer.headers['retry-after'] = retryAfter;
  return { kind: 'answer', answer };
}
