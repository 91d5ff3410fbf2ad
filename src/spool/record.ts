// A segment's text, e.g. `3f9a01c2 {"window":7,"start":1795464000000,"data":[["CPUUtilization","Percent",[50.5]]]}`:
// one record a line, led by a checksum. It is only ever appended to; a crash may leave half a line.
import { createHash } from 'node:crypto';
import type { Dimension, Publication } from '../cloudwatch/datum.ts';
import type { WaitingDatum, WaitingWindow } from '../delivery/packing.ts';
import type { Unit } from '../metrics/metric.ts';

/** The first word of each segment; another number where the records mean something else. */
const FORMAT = 'cloudwatch-metrics-agent spool 1';
const SUM_LENGTH = 8;
/** Beyond this a number is no date. */
const LAST_INSTANT_MS = 8.64e15;

/** A window with its number in the segment. */
export interface WindowRecord extends WaitingWindow {
  readonly record: number;
}

/** What a segment says. */
export interface Segment {
  /** Whose windows these are; nothing where the head is not there or cannot be read. */
  readonly publication: Publication | undefined;
  /** Those that are not settled, in their order. */
  readonly windows: readonly WindowRecord[];
  /** Lines that are no record, without the half one at the end. */
  readonly damaged: number;
}

export function headLine({ namespace, dimensions, highResolution }: Publication): string {
  return line({ format: FORMAT, namespace, dimensions, highResolution });
}

/** @param instead the record of which this is what still waits */
export function windowLine(
  record: number,
  { startMs, data }: WaitingWindow,
  instead?: number,
): string {
  const figures = data.map(({ name, unit, values, counts }) =>
    counts === undefined ? [name, unit, values] : [name, unit, values, counts],
  );
  return line({ window: record, start: startMs, data: figures, instead });
}

export function settledLine(records: readonly number[]): string {
  return line({ settled: records });
}

/** Reads a segment. It takes any text. */
export function parseSegment(text: string): Segment {
  let publication: Publication | undefined;
  let damaged = 0;
  const windows = new Map<number, WindowRecord>();
  const lines = text.split('\n');
  // What follows the last line feed was cut in the middle.
  for (const one of lines.slice(0, -1)) {
    const value = one === '' ? undefined : recordOf(one);
    const head = publicationOf(value);
    const window = windowOf(value);
    if (one === '') continue;
    if (head !== undefined) publication = head;
    else if (window !== undefined) {
      windows.delete(window.instead ?? Number.NaN);
      windows.set(window.record, window);
    } else if (isList(value?.['settled'])) {
      for (const record of value['settled']) windows.delete(Number(record));
    } else damaged += 1;
  }
  return { publication, windows: [...windows.values()], damaged };
}

type Fields = Readonly<Record<string, unknown>>;

function line(value: Fields): string {
  const json = JSON.stringify(value);
  return `${checksum(json)} ${json}\n`;
}

function checksum(json: string): string {
  return createHash('sha256').update(json).digest('hex').slice(0, SUM_LENGTH);
}

/** A line's record; nothing where it is damaged. */
function recordOf(text: string): Fields | undefined {
  const json = text.slice(SUM_LENGTH + 1);
  if (text.slice(0, SUM_LENGTH + 1) !== `${checksum(json)} `) return undefined;
  try {
    const value: unknown = JSON.parse(json);
    return isFields(value) ? value : undefined;
  } catch (error) {
    // Somebody reckoned a checksum for something else.
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function publicationOf(value: Fields | undefined): Publication | undefined {
  if (value?.['format'] !== FORMAT) return undefined;
  const { namespace, dimensions, highResolution } = value;
  if (typeof namespace !== 'string' || !isDimensions(dimensions)) return undefined;
  return { namespace, dimensions, highResolution: highResolution === true };
}

function windowOf(value: Fields | undefined): (WindowRecord & { instead?: number }) | undefined {
  const { window: record, start: startMs, data, instead } = value ?? {};
  if (!isNumber(record) || !isNumber(startMs) || !isList(data)) return undefined;
  if (Math.abs(startMs) > LAST_INSTANT_MS) return undefined;
  const figures = data.map(datumOf).filter((datum) => datum !== undefined);
  if (figures.length < data.length || figures.length === 0) return undefined;
  const other = typeof instead === 'number' ? { instead } : undefined;
  return { record, startMs, data: figures, ...other };
}

function datumOf(value: unknown): WaitingDatum | undefined {
  const [name, unit, values, counts] = isList(value) ? value : [];
  if (typeof name !== 'string' || !isUnit(unit) || !isNumbers(values)) return undefined;
  if (counts === undefined) return { name, unit, values };
  return isNumbers(counts) && counts.length === values.length
    ? { name, unit, values, counts }
    : undefined;
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** JSON has no infinite numbers, but it can say 1e999. */
function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value);
}

function isNumbers(value: unknown): value is readonly number[] {
  return isList(value) && value.every(isNumber);
}

function isDimensions(value: unknown): value is readonly Dimension[] {
  return isList(value) && value.every(isDimension);
}

function isDimension(value: unknown): value is Dimension {
  return isFields(value) && typeof value['Name'] === 'string' && typeof value['Value'] === 'string';
}

function isUnit(value: unknown): value is Unit {
  return typeof value === 'string' && /^[A-Za-z]{1,32}(?:\/Second)?$/.test(value);
}
