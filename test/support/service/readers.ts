import { element } from './answers.ts';
import { Check, parseInstant } from './check.ts';
import { type FormTree, takeFields, takeList, takeText } from './form.ts';
import type { Accepted, Datum, Dimension } from './put-metric-data.ts';
import { dimensionsOf } from './put-metric-data.ts';
import { throwOffences } from './refusal.ts';
import { percentileOf, setOf, type Weighed, weightsOf } from './statistics.ts';

interface Query {
  start: number;
  end: number;
  periodMs: number;
  unit: string | undefined;
  statistics: string[];
  percentiles: string[];
}

interface Point {
  namespace: string;
  datum: Datum;
  at: number;
}

interface Bucket {
  start: number;
  unit: string;
  data: Datum[];
}

const STATISTICS = ['SampleCount', 'Average', 'Sum', 'Minimum', 'Maximum'];
// Shorter than a minute: only what was stored at a resolution of one second can be read so.
const SHORT_PERIODS = [1, 5, 10, 20, 30];
const MAX_DATAPOINTS = 1440;
const PERCENTILE = /^p(100|\d{1,2}(\.\d{1,10})?)$/;

/**
 * The GetMetricStatisticsResult. Buckets are aligned to the clock and stamped with their start.
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricStatistics.html
 */
export function getMetricStatistics(
  form: FormTree,
  accepted: readonly Accepted[],
  now: number,
): string {
  const known = 'Action Version Namespace MetricName Dimensions StartTime EndTime Period';
  takeFields(form, '', [...known.split(' '), 'Unit', 'Statistics', 'ExtendedStatistics']);
  const check = new Check({ now });
  const namespace = check.name(form, 'Namespace', 'Namespace', 255);
  const metricName = check.name(form, 'MetricName', 'MetricName', 255);
  const dimensions = dimensionsOf(
    takeList(form.get('Dimensions'), 'Dimensions'),
    'Dimensions',
    check,
  );
  const query = readQuery(form, check);
  throwOffences(check.offences);

  const wanted = identityOf(namespace, metricName, dimensions);
  const buckets = new Map<string, Bucket>();
  for (const { datum, at, namespace: its } of pointsOf(accepted)) {
    if (identityOf(its, datum.MetricName, datum.Dimensions ?? []) !== wanted) continue;
    const unit = datum.Unit ?? 'None';
    if (query.unit !== undefined && query.unit !== unit) continue;
    if (query.periodMs < 60_000 && datum.StorageResolution !== 1) continue;
    const start = floor(at, query.periodMs);
    if (start < floor(query.start, query.periodMs) || at >= query.end) continue;
    // Data of different units are streams of their own.
    const key = `${start} ${unit}`;
    const bucket = buckets.get(key) ?? { start, unit, data: [] };
    bucket.data.push(datum);
    buckets.set(key, bucket);
  }
  const datapoints = [...buckets.values()].map((bucket) => datapoint(bucket, query));
  const list = `<Datapoints>\n${datapoints.join('')}</Datapoints>\n`;
  return `<GetMetricStatisticsResult>\n${element('Label', metricName)}${list}</GetMetricStatisticsResult>\n`;
}

/** The ListMetricsResult: every metric once, in one page. */
export function listMetrics(form: FormTree, accepted: readonly Accepted[]): string {
  takeFields(form, '', ['Action', 'Version', 'Namespace', 'MetricName', 'Dimensions']);
  const namespace = takeText(form, 'Namespace', 'Namespace');
  const metricName = takeText(form, 'MetricName', 'MetricName');
  const filters = takeList(form.get('Dimensions'), 'Dimensions').map((node, at) => {
    const path = `Dimensions.member.${at + 1}`;
    const tree = takeFields(node, path, ['Name', 'Value']);
    return {
      name: takeText(tree, 'Name', `${path}.Name`),
      value: takeText(tree, 'Value', `${path}.Value`),
    };
  });
  const found = new Map<string, string>();
  for (const { datum, namespace: its } of pointsOf(accepted)) {
    const dimensions = datum.Dimensions ?? [];
    if (namespace !== undefined && namespace !== its) continue;
    if (metricName !== undefined && metricName !== datum.MetricName) continue;
    const fits = filters.every(({ name, value }) =>
      dimensions.some((one) => one.Name === name && (value ?? one.Value) === one.Value),
    );
    if (!fits) continue;
    const names = element('Namespace', its) + element('MetricName', datum.MetricName);
    const listed = dimensions.map(
      (one) => `<member>\n${element('Name', one.Name)}${element('Value', one.Value)}</member>\n`,
    );
    const member = `<member>\n${names}<Dimensions>\n${listed.join('')}</Dimensions>\n</member>\n`;
    found.set(identityOf(its, datum.MetricName, dimensions), member);
  }
  return `<ListMetricsResult>\n<Metrics>\n${[...found.values()].join('')}</Metrics>\n</ListMetricsResult>\n`;
}

function readQuery(form: FormTree, check: Check): Query {
  const instant = (key: string): number => {
    const text = takeText(form, key, key);
    if (text === undefined) check.missing(key);
    else if (Number.isNaN(parseInstant(text))) check.invalid(text, key);
    return parseInstant(text ?? '');
  };
  const [start, end] = [instant('StartTime'), instant('EndTime')];
  const period = check.number(form, 'Period', 'Period');
  if (!SHORT_PERIODS.includes(period) && !(period > 0 && period % 60 === 0)) {
    const message = `The parameter Period must be one of ${SHORT_PERIODS.join(', ')} or a multiple of 60.`;
    check.add('InvalidParameterValue', message);
  }
  const wanted = (key: string, fits: (name: string) => boolean): string[] =>
    takeList(form.get(key), key).map((node, at) => {
      const name = typeof node === 'string' ? node : '';
      if (!fits(name)) check.invalid(name, `${key}.member.${at + 1}`);
      return name;
    });
  const statistics = wanted('Statistics', (name) => STATISTICS.includes(name));
  const percentiles = wanted('ExtendedStatistics', (name) => PERCENTILE.test(name));
  if (statistics.length + percentiles.length === 0) check.missing('Statistics');
  if ((end - start) / (period * 1000) > MAX_DATAPOINTS) {
    const message = `You have requested more datapoints than the limit of ${MAX_DATAPOINTS}.`;
    check.add('InvalidParameterCombination', message);
  }
  const unit = takeText(form, 'Unit', 'Unit');
  return { start, end, periodMs: period * 1000, unit, statistics, percentiles };
}

function* pointsOf(accepted: readonly Accepted[]): Generator<Point> {
  for (const { at: received, namespace, data } of accepted) {
    for (const datum of data) {
      const at = datum.Timestamp === undefined ? received : parseInstant(datum.Timestamp);
      yield { datum, at, namespace };
    }
  }
}

function floor(at: number, periodMs: number): number {
  return Math.floor(at / periodMs) * periodMs;
}

/** A metric is its name space, its name and its dimensions in whatever order. */
function identityOf(
  namespace: string,
  metricName: string,
  dimensions: readonly Dimension[],
): string {
  const pairs = dimensions.map((one) => JSON.stringify([one.Name, one.Value])).sort();
  return JSON.stringify([namespace, metricName, pairs]);
}

function datapoint({ start, unit, data }: Bucket, query: Query): string {
  const set = setOf(data);
  const values = new Map<string, number>(Object.entries(set));
  values.set('Average', set.Sum / set.SampleCount);
  const timestamp = new Date(start).toISOString().replace('.000', '');
  const plain = query.statistics.map((name) => element(name, values.get(name) ?? Number.NaN));
  const head = element('Timestamp', timestamp) + plain.join('') + element('Unit', unit);
  return `<member>\n${head}${percentilesOf(data, query.percentiles)}</member>\n`;
}

/** Nothing where one datum tells no percentiles, or any value is negative: AWS has none then either. */
function percentilesOf(data: readonly Datum[], names: readonly string[]): string {
  const weighed: Weighed[] = [];
  for (const datum of data) {
    const told = weightsOf(datum);
    if (told === undefined || told.some(([value]) => value < 0)) return '';
    weighed.push(...told);
  }
  const entries = names.map((name) => {
    const value = percentileOf(weighed, Number(name.slice(1)));
    return `<entry>\n${element('key', name)}${element('value', value)}</entry>\n`;
  });
  return names.length === 0
    ? ''
    : `<ExtendedStatistics>\n${entries.join('')}</ExtendedStatistics>\n`;
}
