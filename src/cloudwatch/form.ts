import { escaped } from '../aws/escape.ts';
import type { Dimension, MetricDatum } from './datum.ts';
import { MAX_BODY_BYTES, MAX_DATUMS } from './limits.ts';

/** A request body, and how many datums it carries. ASCII, so its length is its bytes. */
export interface Page {
  readonly body: string;
  readonly datums: number;
}

const HEAD = 'Action=PutMetricData&Version=2010-08-01&Namespace=';

/**
 * One form body of the Query protocol with as many of the datums, from the first on, as it may hold: at
 * least one.
 *
 * @param maxBytes of a body before it is compressed
 * @see https://smithy.io/2.0/aws/protocols/aws-query-protocol.html
 */
export function encodePage(
  namespace: string,
  data: readonly MetricDatum[],
  maxBytes: number = MAX_BODY_BYTES,
): Page {
  let body = `${HEAD}${escaped(namespace)}`;
  let datums = 0;
  for (const datum of data.slice(0, MAX_DATUMS)) {
    const encoded = encodeDatum(datum, datums + 1);
    if (datums > 0 && body.length + encoded.length > maxBytes) break;
    body += encoded;
    datums += 1;
  }
  return { body, datums };
}

/** All datums, in order: one body, unless a limit asks for more. */
export function encodePages(
  namespace: string,
  data: readonly MetricDatum[],
  maxBytes?: number,
): Page[] {
  const pages: Page[] = [];
  for (let from = 0; from < data.length; ) {
    const page = encodePage(namespace, data.slice(from), maxBytes);
    pages.push(page);
    from += page.datums;
  }
  return pages;
}

function encodeDatum(datum: MetricDatum, member: number): string {
  const prefix = `&MetricData.member.${member}.`;
  const pairs = [
    `MetricName=${escaped(datum.MetricName)}`,
    ...datum.Dimensions.flatMap(encodeDimension),
    `Timestamp=${escaped(datum.Timestamp)}`,
    ...(datum.Value === undefined ? [] : [`Value=${encodeNumber(datum.Value)}`]),
    ...encodeList('Values', datum.Values),
    ...encodeList('Counts', datum.Counts),
    `Unit=${escaped(datum.Unit)}`,
    ...(datum.StorageResolution === undefined
      ? []
      : [`StorageResolution=${datum.StorageResolution}`]),
  ];
  return pairs.map((pair) => prefix + pair).join('');
}

function encodeDimension({ Name, Value }: Dimension, index: number): string[] {
  const prefix = `Dimensions.member.${index + 1}.`;
  return [`${prefix}Name=${escaped(Name)}`, `${prefix}Value=${escaped(Value)}`];
}

function encodeList(name: string, values: readonly number[] = []): string[] {
  return values.map((value, index) => `${name}.member.${index + 1}=${encodeNumber(value)}`);
}

/** JavaScript's shortest form; its `1e+21` needs the plus sign escaped. */
function encodeNumber(value: number): string {
  return escaped(String(value));
}
