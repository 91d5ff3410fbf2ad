// A table: a row for each limit, hence its length.
import { formOf } from './client.ts';
import { UNITS } from './put-metric-data.ts';
import { basicIso } from './signature.ts';

/** Keys to set in a request that is otherwise good; undefined takes one out. */
export type Pairs = Readonly<Record<string, string | undefined>>;

/** A request beyond a limit, and the answer to it. */
export interface Limit {
  name: string;
  over: Pairs;
  code: string;
  message: string | RegExp;
}

/** The server's clock in the tests of what it takes. */
export const NOW: number = Date.UTC(2026, 7, 13, 12, 0, 30);
export const ONE = 'MetricData.member.1';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const INVALID = 'InvalidParameterValue';
const MALFORMED = 'MalformedInput';
const MISSING = 'MissingParameter';
const COMBINATION = 'InvalidParameterCombination';
const SET = `${ONE}.StatisticValues`;
const HOST = `${ONE}.Dimensions.member.1`;
const NOTHING: Pairs = { [`${ONE}.MetricName`]: undefined, [`${ONE}.Value`]: undefined };

/** In place of the Value. */
export const STATISTICS: Pairs = {
  [`${ONE}.Value`]: undefined,
  [`${SET}.SampleCount`]: '2',
  [`${SET}.Sum`]: '3',
  [`${SET}.Minimum`]: '1',
  [`${SET}.Maximum`]: '2',
};
export const VALUES: Pairs = {
  [`${ONE}.Value`]: undefined,
  ...members(`${ONE}.Values`, 2),
  ...members(`${ONE}.Counts`, 2),
};

/** A good PutMetricData of one datum, some keys changed. */
export function form(over: Pairs = {}): string {
  const pairs: Record<string, string> = {};
  const good = {
    Action: 'PutMetricData',
    Version: '2010-08-01',
    Namespace: 'Test/Agent',
    [`${ONE}.MetricName`]: 'CPU',
    [`${ONE}.Value`]: '12.5',
  };
  for (const [key, value] of Object.entries({ ...good, ...over })) {
    if (value !== undefined) pairs[key] = value;
  }
  return formOf(pairs);
}

export const LIMITS: readonly Limit[] = [
  row('1001 data', data(1001), INVALID, tooMany('MetricData', 1000)),
  row(
    '151 values',
    { [`${ONE}.Value`]: undefined, ...members(`${ONE}.Values`, 151) },
    INVALID,
    tooMany(`${ONE}.Values`, 150),
  ),
  row('31 dimensions', dimensions(31), INVALID, tooMany(`${ONE}.Dimensions`, 30)),
  row(
    'a dimension named twice',
    { ...host('Host', 'a'), ...dimension(2, 'Host', 'b') },
    INVALID,
    /same dimension twice/,
  ),
  row(
    'a dimension without a value',
    { [`${HOST}.Name`]: 'Host' },
    MISSING,
    `The parameter ${HOST}.Value is required.`,
  ),
  row('a colon before a dimension', host(':H', 'a'), INVALID, invalid(':H', `${HOST}.Name`)),
  row('a dimension name of 256', host('n'.repeat(256), 'a'), INVALID, tooLong(`${HOST}.Name`, 256)),
  row(
    'a dimension value of 1025',
    host('Host', 'v'.repeat(1025)),
    INVALID,
    tooLong(`${HOST}.Value`, 1025),
  ),
  row(
    'an empty dimension value',
    host('Host', ''),
    INVALID,
    `The parameter ${HOST}.Value must be longer than 0 characters.`,
  ),
  row(
    'a blank dimension value',
    host('Host', ' '),
    INVALID,
    `The parameter ${HOST}.Value must not be blank.`,
  ),
  row(
    'a dimension value that is not ASCII',
    host('Host', 'Zürich'),
    INVALID,
    `The value for parameter ${HOST}.Value contains non-ASCII characters.`,
  ),
  row(
    'a control character',
    host('Host', 'a\tb'),
    INVALID,
    `The value for parameter ${HOST}.Value contains control characters.`,
  ),
  row(
    'no metric name',
    { [`${ONE}.MetricName`]: undefined },
    MISSING,
    `The parameter ${ONE}.MetricName is required.`,
  ),
  row(
    'a metric name of 256',
    { [`${ONE}.MetricName`]: 'm'.repeat(256) },
    INVALID,
    tooLong(`${ONE}.MetricName`, 256),
  ),
  row('no name space', { Namespace: undefined }, MISSING, 'The parameter Namespace is required.'),
  row('a name space of 256', { Namespace: 'n'.repeat(256) }, INVALID, tooLong('Namespace', 256)),
  row('a colon before the name space', { Namespace: ':N' }, INVALID, invalid(':N', 'Namespace')),
  row('a name space of AWS', { Namespace: 'AWS/EC2' }, INVALID, invalid('AWS/', 'Namespace')),
  row(
    'a name space that is not ASCII',
    { Namespace: 'Größe' },
    INVALID,
    'The value for parameter Namespace contains non-ASCII characters.',
  ),
  row('no data', NOTHING, MISSING, 'The parameter MetricData is required.'),
  row(
    'a unit in lower case',
    { [`${ONE}.Unit`]: 'percent' },
    INVALID,
    `The parameter ${ONE}.Unit must be a value in the set [ ${UNITS.join(', ')} ].`,
  ),
  row(
    'a storage resolution of 10',
    { [`${ONE}.StorageResolution`]: '10' },
    INVALID,
    `The parameter ${ONE}.StorageResolution must be a value in the set [ 1, 60 ].`,
  ),
  ...['NaN', 'Infinity', '-Infinity', '2.4e108', '-2.4e108', '0x10', '1,5', ''].map((value) =>
    row(
      `the value "${value}"`,
      { [`${ONE}.Value`]: value },
      INVALID,
      invalid(value, `${ONE}.Value`),
    ),
  ),
  row(
    'NaN among the values',
    { ...VALUES, [`${ONE}.Values.member.2`]: 'NaN' },
    INVALID,
    invalid('NaN', `${ONE}.Values.member.2`),
  ),
  row(
    'no value at all',
    { [`${ONE}.Value`]: undefined },
    COMBINATION,
    `At least one of the parameters ${ONE}.Value and ${SET} must be specified.`,
  ),
  row(
    'a value beside values',
    { ...VALUES, [`${ONE}.Value`]: '1' },
    COMBINATION,
    exclusive('Value', 'Values'),
  ),
  row(
    'a value beside statistics',
    { ...STATISTICS, [`${ONE}.Value`]: '1' },
    COMBINATION,
    exclusive('Value', 'StatisticValues'),
  ),
  row(
    'values beside statistics',
    { ...STATISTICS, ...VALUES },
    COMBINATION,
    exclusive('Values', 'StatisticValues'),
  ),
  row('counts without values', members(`${ONE}.Counts`, 1), COMBINATION, /^At least one of the/),
  row(
    'fewer counts than values',
    { ...VALUES, [`${ONE}.Counts.member.2`]: undefined },
    INVALID,
    `The parameters ${ONE}.Values and ${ONE}.Counts must be of the same size.`,
  ),
  row(
    'a count of nothing',
    { ...VALUES, [`${ONE}.Counts.member.2`]: '0' },
    INVALID,
    `The parameter ${ONE}.Counts.member.2 must be greater than 0.`,
  ),
  row(
    'statistics without their sum',
    { ...STATISTICS, [`${SET}.Sum`]: undefined },
    MISSING,
    `The parameter ${SET}.Sum is required.`,
  ),
  row(
    'statistics of no sample',
    { ...STATISTICS, [`${SET}.SampleCount`]: '0' },
    INVALID,
    `The parameter ${SET}.SampleCount must be greater than 0.`,
  ),
  row(
    'a maximum below the minimum',
    { ...STATISTICS, [`${SET}.Maximum`]: '0' },
    INVALID,
    `The parameter ${SET}.Maximum must be greater than ${SET}.Minimum.`,
  ),
  ...[NOW - 14 * DAY - 1000, NOW + 2 * HOUR + 1000].map((at) =>
    row(
      `the far-off time ${iso(at)}`,
      { [`${ONE}.Timestamp`]: iso(at) },
      INVALID,
      `The parameter ${ONE}.Timestamp must specify a time within the past two weeks.`,
    ),
  ),
  ...[
    '1786622430',
    '13 Aug 2026 12:00:00 GMT',
    '2026-08-13T12:00:00',
    '2026-02-30T12:00:00Z',
    '2026-08-13',
  ].map((time) =>
    row(
      `the time ${time}`,
      { [`${ONE}.Timestamp`]: time },
      INVALID,
      invalid(time, `${ONE}.Timestamp`),
    ),
  ),
  row(
    'a list that starts from 0',
    { [`${ONE}.Value`]: undefined, [`${ONE}.Values.member.0`]: '1' },
    MALFORMED,
    `${ONE}.Values.member.1 is missing from the list.`,
  ),
  row(
    'a list that starts from 2',
    { ...NOTHING, 'MetricData.member.2.MetricName': 'M', 'MetricData.member.2.Value': '1' },
    MALFORMED,
    `${ONE} is missing from the list.`,
  ),
  row(
    'a gap in a list',
    { 'MetricData.member.3.MetricName': 'M', 'MetricData.member.3.Value': '1' },
    MALFORMED,
    'MetricData.member.2 is missing from the list.',
  ),
  row(
    'an index with a leading zero',
    { ...VALUES, [`${ONE}.Values.member.02`]: '1', [`${ONE}.Values.member.2`]: undefined },
    MALFORMED,
    `${ONE}.Values.member.2 is missing from the list.`,
  ),
  row('an empty list', { [`${ONE}.Dimensions`]: '' }, MALFORMED, /is empty/),
  row('an unknown key', { [`${ONE}.Units`]: 'Count' }, MALFORMED, `Unknown key ${ONE}.Units.`),
  row('an unknown key at the top', { NameSpace: 'N' }, MALFORMED, 'Unknown key NameSpace.'),
  row('no structure', { [SET]: '1' }, MALFORMED, `${SET} is not a structure.`),
  row('an unknown action', { Action: 'PutMetricDatum' }, 'InvalidAction', /PutMetricDatum/),
  row('an unknown version', { Version: '2009-05-15' }, 'InvalidAction', /2009-05-15/),
  row('no action', { Action: undefined }, 'MissingAction', /Action/),
];

/** What is just within the limits. */
export const EDGES: readonly (readonly [name: string, over: Pairs])[] = [
  ['1000 data', data(1000)],
  ['150 values', { [`${ONE}.Value`]: undefined, ...members(`${ONE}.Values`, 150) }],
  ['fractional counts', { ...VALUES, [`${ONE}.Counts.member.2`]: '0.5' }],
  ['30 dimensions of the longest value', dimensions(30)],
  ['the longest names', { Namespace: 'n'.repeat(255), [`${ONE}.MetricName`]: 'm'.repeat(255) }],
  ['two weeks ago', { [`${ONE}.Timestamp`]: iso(NOW - 14 * DAY) }],
  ['two hours ahead', { [`${ONE}.Timestamp`]: iso(NOW + 2 * HOUR) }],
  ['the basic form of a time', { [`${ONE}.Timestamp`]: basicIso(NOW) }],
  ['a time with microseconds', { [`${ONE}.Timestamp`]: '2026-08-13T12:00:00.123000Z' }],
  ['a time with an offset', { [`${ONE}.Timestamp`]: '2026-08-13T14:00:00+02:00' }],
  ['the largest value', { [`${ONE}.Value`]: String(2 ** 360) }],
  ['an exponent', { [`${ONE}.Value`]: '-1e-07' }],
  ['statistics', STATISTICS],
  ...UNITS.map((unit): [string, Pairs] => [unit, { [`${ONE}.Unit`]: unit }]),
];

function row(name: string, over: Pairs, code: string, message: string | RegExp): Limit {
  return { name, over, code, message };
}

function invalid(value: string, path: string): string {
  return `The value ${value} for parameter ${path} is invalid.`;
}

function tooLong(path: string, limit: number): string {
  return `The parameter ${path} must be shorter than ${limit} characters.`;
}

function tooMany(path: string, most: number): string {
  return `The collection ${path} must not have a size greater than ${most}.`;
}

function exclusive(one: string, other: string): string {
  const both = `${ONE}.${one} and ${ONE}.${other}`;
  return `The parameters ${both} are mutually exclusive and you have specified both.`;
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}

function members(path: string, length: number): Record<string, string> {
  const pairs: Record<string, string> = {};
  for (let at = 1; at <= length; at += 1) pairs[`${path}.member.${at}`] = String(at);
  return pairs;
}

function data(length: number): Record<string, string> {
  const pairs: Record<string, string> = {};
  for (let at = 1; at <= length; at += 1) {
    pairs[`MetricData.member.${at}.MetricName`] = 'M';
    pairs[`MetricData.member.${at}.Value`] = '1';
  }
  return pairs;
}

function dimensions(length: number): Record<string, string> {
  const pairs: Record<string, string> = {};
  for (let at = 1; at <= length; at += 1) {
    Object.assign(pairs, dimension(at, `D${at}`, 'v'.repeat(1024)));
  }
  return pairs;
}

function dimension(index: number, Name: string, Value: string): Record<string, string> {
  const path = `${ONE}.Dimensions.member.${index}`;
  return { [`${path}.Name`]: Name, [`${path}.Value`]: Value };
}

function host(Name: string, Value: string): Record<string, string> {
  return dimension(1, Name, Value);
}
