import { escaped } from '../aws/escape.ts';
import type { WaitingDatum } from '../delivery/packing.ts';
import type { Page, Publishable } from '../delivery/service.ts';
import type { Dimension, Entity, Publication } from '../metrics/publication.ts';
import { timestamp } from './datum.ts';
import { MAX_BODY_BYTES, MAX_DATUMS } from './limits.ts';

/**
 * A request body. It is put together for each attempt, with timestamps by the services' clock: what is
 * added is how far this machine's is off. ASCII, so that its length is its bytes, and always the same.
 */
export type Form = (offsetMs: number) => string;

/** Nothing where nothing is known. */
export type EntityOf = (publication: Publication) => Entity | undefined;

const ENTITY = 'EntityMetricData.member.1.';
const HEAD = 'Action=PutMetricData&Version=2010-08-01&Namespace=';
const TIMESTAMP_BYTES = encodeTimestamp(0).length;

/**
 * One form body of the Query protocol with as many of the datums, from the first on, as it may hold: at
 * least one. All are of the first one's namespace.
 *
 * @param maxBytes of a body before it is compressed
 * @param entityOf what the console relates a window's metrics to; a body has one of these, or none
 * @see https://smithy.io/2.0/aws/protocols/aws-query-protocol.html
 */
export function encodePage(
  batch: readonly Publishable[],
  maxBytes: number = MAX_BODY_BYTES,
  entityOf: EntityOf = () => undefined,
): Page<Form> {
  const first = batch[0]?.publication;
  const entity = first && entityOf(first);
  const head = `${HEAD}${escaped(first?.namespace ?? '')}${encodeEntity(entity)}`;
  /** Text with the instants that stand in it. */
  const parts: (string | number)[] = [head];
  let bytes = head.length;
  let datums = 0;
  const all = batch.flatMap((window) => window.data.map((datum) => ({ datum, window })));
  for (const { datum, window } of all.slice(0, MAX_DATUMS)) {
    const { publication } = window;
    if (entityOf(publication) !== entity) break;
    const list = `&${entity === undefined ? '' : ENTITY}MetricData.member.${datums + 1}.`;
    const [before, after] = encodeDatum(datum, publication, list);
    const size = before.length + TIMESTAMP_BYTES + after.length;
    if (datums > 0 && bytes + size > maxBytes) break;
    parts.push(before, window.startMs, after);
    bytes += size;
    datums += 1;
  }
  const body: Form = (offsetMs) =>
    parts
      .map((part) => (typeof part === 'number' ? encodeTimestamp(part + offsetMs) : part))
      .join('');
  return { body, datums, bytes };
}

/** A whole window, in order: one body, unless a limit asks for more. */
export function encodePages(
  window: Publishable,
  maxBytes?: number,
  entityOf?: EntityOf,
): Page<Form>[] {
  const pages: Page<Form>[] = [];
  for (let from = 0; from < window.data.length; ) {
    const page = encodePage([{ ...window, data: window.data.slice(from) }], maxBytes, entityOf);
    pages.push(page);
    from += page.datums;
  }
  return pages;
}

/** A bad entity costs only itself: the data are taken all the same. */
function encodeEntity(entity: Entity | undefined): string {
  if (entity === undefined) return '';
  const { keys: KeyAttributes, attributes: Attributes } = entity;
  const entries = Object.entries({ KeyAttributes, Attributes }).flatMap(([map, pairs]) =>
    Object.entries(pairs).map(([key, value], index) => {
      const entry = `&${ENTITY}Entity.${map}.entry.${index + 1}.`;
      return `${entry}key=${escaped(key)}${entry}value=${escaped(value)}`;
    }),
  );
  return `&StrictEntityValidation=false${entries.join('')}`;
}

/** What stands before the timestamp, and behind it. */
function encodeDatum(
  datum: WaitingDatum,
  { dimensions, highResolution }: Publication,
  prefix: string,
): [before: string, after: string] {
  const joined = (pairs: readonly string[]): string => pairs.map((pair) => prefix + pair).join('');
  const before = [
    `MetricName=${escaped(datum.name)}`,
    ...dimensions.flatMap(encodeDimension),
    'Timestamp=',
  ];
  const after = [
    ...encodeFigures(datum),
    `Unit=${escaped(datum.unit)}`,
    ...(highResolution ? ['StorageResolution=1'] : []),
  ];
  return [joined(before), joined(after)];
}

function encodeFigures({ values, counts }: WaitingDatum): string[] {
  if (counts !== undefined)
    return [...encodeList('Values', values), ...encodeList('Counts', counts)];
  return values.slice(0, 1).map((value) => `Value=${encodeNumber(value)}`);
}

function encodeDimension({ Name, Value }: Dimension, index: number): string[] {
  const prefix = `Dimensions.member.${index + 1}.`;
  return [`${prefix}Name=${escaped(Name)}`, `${prefix}Value=${escaped(Value)}`];
}

function encodeTimestamp(wallMs: number): string {
  return escaped(timestamp(wallMs));
}

function encodeList(name: string, values: readonly number[]): string[] {
  return values.map((value, index) => `${name}.member.${index + 1}=${encodeNumber(value)}`);
}

/** JavaScript's shortest form; its `1e+21` needs the plus sign escaped. */
function encodeNumber(value: number): string {
  return escaped(String(value));
}
