import { Check, type DatumRules } from './check.ts';
import { type FormNode, type FormTree, takeFields, takeList, takeText } from './form.ts';
import type { OtlpPoint } from './otlp.ts';
import { Refusal, throwOffences } from './refusal.ts';

export interface Dimension {
  Name: string;
  Value: string;
}

export interface StatisticSet {
  SampleCount: number;
  Sum: number;
  Minimum: number;
  Maximum: number;
}

/** A metric datum in the shape of `aws cloudwatch put-metric-data --cli-input-json`; absent is absent. */
export interface Datum {
  MetricName: string;
  Dimensions?: Dimension[];
  /** ISO 8601, as it came. */
  Timestamp?: string;
  Unit?: string;
  StorageResolution?: number;
  Value?: number;
  Values?: number[];
  Counts?: number[];
  StatisticValues?: StatisticSet;
}

/** What data are of. */
export interface Entity {
  KeyAttributes: Record<string, string>;
  Attributes: Record<string, string>;
}

/** One PutMetricData that was taken. */
export interface Accepted {
  /** Milliseconds since 1970 of the server's clock. */
  at: number;
  requestId: string;
  namespace: string;
  /** Those of entities too. */
  data: Datum[];
  /** Where it came over OTLP. */
  points?: OtlpPoint[];
  /** What data came with, where any did. */
  entities?: Entity[];
  /** Of the body on the wire. */
  bytes: number;
  uncompressedBytes: number;
  gzip: boolean;
  /** What went wrong with its answer. */
  fault?: string;
  /** Who signed it. */
  accessKeyId?: string;
}

// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html and API_MetricDatum.html
const MAX_DATA = 1000;
const MAX_DIMENSIONS = 30;
const MAX_NAME = 255;
const MAX_DIMENSION_VALUE = 1024;
const DATUM_KEYS =
  'MetricName Dimensions Timestamp Unit StorageResolution Value Values Counts StatisticValues'.split(
    ' ',
  );
const STATISTIC_KEYS = ['SampleCount', 'Sum', 'Minimum', 'Maximum'];
const SIZES = ['Bytes', 'Kilobytes', 'Megabytes', 'Gigabytes', 'Terabytes'];
const BITS = ['Bits', 'Kilobits', 'Megabits', 'Gigabits', 'Terabits'];
const PER_SECOND = [...SIZES, ...BITS, 'Count'].map((unit) => `${unit}/Second`);
const TIMES = ['Seconds', 'Microseconds', 'Milliseconds'];

/** The 27 units of the API, in the order in which AWS's message lists them. */
export const UNITS: readonly string[] = [
  ...TIMES,
  ...SIZES,
  ...BITS,
  'Percent',
  'Count',
  ...PER_SECOND,
  'None',
];

// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_Entity.html
const MAX_ENTITIES = 2;
const ENTITY_KEYS = ['Type', 'ResourceType', 'Identifier', 'Name', 'Environment'];

/** The Namespace and data of a PutMetricData body. @throws {Refusal} that names every offence, one a line */
export function decodePutMetricData(
  form: FormTree,
  rules: DatumRules,
): { namespace: string; data: Datum[]; entities?: Entity[] } {
  const own = ['MetricData', 'EntityMetricData', 'StrictEntityValidation'];
  takeFields(form, '', ['Action', 'Version', 'Namespace', ...own]);
  const check = new Check(rules);
  const namespace = check.name(form, 'Namespace', 'Namespace', MAX_NAME);
  if (namespace.startsWith(':')) check.invalid(namespace, 'Namespace');
  if (namespace.startsWith('AWS/')) check.invalid('AWS/', 'Namespace');
  const of = takeList(form.get('EntityMetricData'), 'EntityMetricData').map((node, at) => {
    const path = `EntityMetricData.member.${at + 1}`;
    const tree = takeFields(node, path, ['Entity', 'MetricData']);
    const list = `${path}.MetricData`;
    return { list, members: takeList(tree.get('MetricData'), list), entity: entity(tree, path) };
  });
  if (of.length > 0) check.oneOf(takeText(form, own[2] ?? '', '') ?? '', ['true', 'false'], 'it');
  const plain = { list: 'MetricData', members: takeList(form.get('MetricData'), 'MetricData') };
  const lists = [plain, ...of];
  const members = lists.flatMap((one) => one.members);
  if (members.length === 0) check.missing('MetricData');
  check.atMost(members, MAX_DATA, 'MetricData');
  if (of.length > MAX_ENTITIES) check.invalid(String(of.length), 'EntityMetricData');
  const data = lists.flatMap(({ list, members: each }) =>
    each.map((node, at) => datum(node, `${list}.member.${at + 1}`, check)),
  );
  throwOffences(check.offences);
  const entities = of.map((one) => one.entity);
  return { namespace, data, ...(entities.length > 0 ? { entities } : {}) };
}

function entity(tree: FormTree, path: string): Entity {
  const fields = takeFields(tree.get('Entity') ?? '', path, ['KeyAttributes', 'Attributes']);
  const map = (name: string, [least, most]: [number, number], longest: number) => {
    const entries = entriesOf(fields.get(name));
    const isWrong = ([key, value]: [string, string]): boolean =>
      key === '' || key.length > longest || value === '' || value.length > 2048;
    if (entries.length < least || entries.length > most || entries.some(isWrong)) {
      throw new Refusal(400, 'InvalidParameterValue', `${path}.Entity.${name} is invalid.`);
    }
    return Object.fromEntries(entries);
  };
  const KeyAttributes = map('KeyAttributes', [2, 4], 32);
  if (!Object.keys(KeyAttributes).every((key) => ENTITY_KEYS.includes(key))) {
    throw new Refusal(400, 'InvalidParameterValue', `${path}.Entity.KeyAttributes is invalid.`);
  }
  return { KeyAttributes, Attributes: map('Attributes', [0, 10], 256) };
}

/** `entry.1.key`, `entry.1.value`, as the Query protocol writes a map. */
function entriesOf(node: FormNode | undefined): [string, string][] {
  if (node === undefined) return [];
  const entries = takeFields(node, 'map', ['entry']).get('entry');
  if (!(entries instanceof Map)) throw new Refusal(400, 'MalformedInput', 'no map');
  return Array.from({ length: entries.size }, (_, at): [string, string] => {
    const pair = takeFields(entries.get(String(at + 1)) ?? '', 'entry', ['key', 'value']);
    return [takeText(pair, 'key', 'key') ?? '', takeText(pair, 'value', 'value') ?? ''];
  });
}

function datum(node: FormNode, path: string, check: Check): Datum {
  const tree = takeFields(node, path, DATUM_KEYS);
  const made: Datum = {
    MetricName: check.name(tree, 'MetricName', `${path}.MetricName`, MAX_NAME),
  };
  const dimensions = takeList(tree.get('Dimensions'), `${path}.Dimensions`);
  if (dimensions.length > 0) {
    made.Dimensions = dimensionsOf(dimensions, `${path}.Dimensions`, check);
  }
  const timestamp = takeText(tree, 'Timestamp', `${path}.Timestamp`);
  if (timestamp !== undefined) {
    check.timestamp(timestamp, `${path}.Timestamp`);
    made.Timestamp = timestamp;
  }
  const unit = takeText(tree, 'Unit', `${path}.Unit`);
  if (unit !== undefined) made.Unit = check.oneOf(unit, UNITS, `${path}.Unit`);
  const resolution = takeText(tree, 'StorageResolution', `${path}.StorageResolution`);
  if (resolution !== undefined) {
    made.StorageResolution = Number(
      check.oneOf(resolution, ['1', '60'], `${path}.StorageResolution`),
    );
  }
  return Object.assign(made, measured(tree, path, check));
}

/** Dimensions, each name once. */
export function dimensionsOf(nodes: readonly FormNode[], path: string, check: Check): Dimension[] {
  check.atMost(nodes, MAX_DIMENSIONS, path);
  const dimensions = nodes.map((node, at) => {
    const each = `${path}.member.${at + 1}`;
    const tree = takeFields(node, each, ['Name', 'Value']);
    const Name = check.name(tree, 'Name', `${each}.Name`, MAX_NAME);
    if (Name.startsWith(':')) check.invalid(Name, `${each}.Name`);
    return { Name, Value: check.name(tree, 'Value', `${each}.Value`, MAX_DIMENSION_VALUE) };
  });
  const names = new Set(dimensions.map((dimension) => dimension.Name));
  // AWS's words do not say where; the path is ours, so that a reader can tell which datum to drop.
  if (names.size < dimensions.length) {
    check.add('InvalidParameterValue', `${path}: No Metric may specify the same dimension twice.`);
  }
  return dimensions;
}

/** Value, or Values with Counts, or StatisticValues: one of them, and no second. */
function measured(tree: FormTree, path: string, check: Check): Partial<Datum> {
  const sent = ['Value', 'Values', 'StatisticValues'].filter((key) => tree.has(key));
  if (sent.length === 0 || (tree.has('Counts') && !tree.has('Values'))) {
    const choice = `${path}.Value and ${path}.StatisticValues`;
    const message = `At least one of the parameters ${choice} must be specified.`;
    check.add('InvalidParameterCombination', message);
  }
  const [first, second] = sent;
  const tolerated = first === 'Values' && check.rules.valuesWithStatistics;
  if (second !== undefined && !tolerated) {
    const both = `The parameters ${path}.${first} and ${path}.${second} are mutually exclusive`;
    check.add('InvalidParameterCombination', `${both} and you have specified both.`);
  }
  const made: Partial<Datum> = {};
  if (tree.has('Value')) made.Value = check.number(tree, 'Value', `${path}.Value`);
  if (tree.has('Values')) made.Values = check.numbers(tree.get('Values'), `${path}.Values`);
  if (tree.has('Counts')) {
    made.Counts = check.numbers(tree.get('Counts'), `${path}.Counts`);
    counts(made.Counts, made.Values ?? [], path, check);
  }
  const set = tree.get('StatisticValues');
  if (set !== undefined) made.StatisticValues = statistics(set, `${path}.StatisticValues`, check);
  return made;
}

function counts(
  list: readonly number[],
  values: readonly number[],
  path: string,
  check: Check,
): void {
  if (list.length !== values.length) {
    const both = `The parameters ${path}.Values and ${path}.Counts`;
    check.add('InvalidParameterValue', `${both} must be of the same size.`);
  }
  for (const [at, count] of list.entries()) {
    if (count <= 0) check.tooSmall(`${path}.Counts.member.${at + 1}`);
  }
}

function statistics(node: FormNode, path: string, check: Check): StatisticSet {
  const tree = takeFields(node, path, STATISTIC_KEYS);
  const read = (key: string): number => check.number(tree, key, `${path}.${key}`);
  const [SampleCount, Sum] = [read('SampleCount'), read('Sum')];
  const [Minimum, Maximum] = [read('Minimum'), read('Maximum')];
  if (SampleCount <= 0) check.tooSmall(`${path}.SampleCount`);
  if (Maximum < Minimum) {
    const message = `The parameter ${path}.Maximum must be greater than ${path}.Minimum.`;
    check.add('InvalidParameterValue', message);
  }
  return { SampleCount, Sum, Minimum, Maximum };
}
