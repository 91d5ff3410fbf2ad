// A segment's text, e.g. `3f9a01c2 {"window":7,"start":1795464000000,"end":1795464060000,"data":[["CPUUtilization","Percent",[50.5]]]}`:
// one record a line, led by a checksum. It is only ever appended to; a crash may leave half a line.
import { createHash } from 'node:crypto';
import type { WaitingDatum, WaitingWindow } from '../delivery/packing.ts';
import type { Dimension, Publication } from '../metrics/publication.ts';

/** The first word of each segment; another number where the records mean something else. */
const FORMAT = 'cloudwatch-metrics-agent spool 1';
const SUM_LENGTH = 8;
/** The end of the year 9999: a later date has no four digits for its year. */
const LAST_INSTANT_MS = 253_402_300_799_999;
/** The shape of CloudWatch's units. Another version, or another output, may have some that are not known here. */
const UNIT = /^[A-Za-z]{1,32}(?:\/Second)?$/;

/** A window with its number in the segment. */
export interface WindowRecord extends WaitingWindow {
  readonly record: number;
}

/** Whose windows a segment holds: its first line. */
export interface SegmentHead {
  /** The name of the output for which they wait. */
  readonly output: string;
  readonly publication: Publication;
}

/** What a segment says. */
export interface SegmentContent {
  /** Nothing where it is not there or cannot be read. */
  readonly head: SegmentHead | undefined;
  /** Those that are not settled, in their order. */
  readonly windows: readonly WindowRecord[];
  /** Lines that are no record, without the half one at the end. */
  readonly damaged: number;
}

export function headLine(output: string, publication: Publication): string {
  const { namespace, dimensions, highResolution } = publication;
  return line({ format: FORMAT, output, namespace, dimensions, highResolution });
}

/** @param instead the record of which this is what still waits */
export function windowLine(
  record: number,
  { startMs, endMs, data }: WaitingWindow,
  instead?: number,
): string {
  const figures = data.map(({ name, unit, values, counts }) =>
    counts === undefined ? [name, unit, values] : [name, unit, values, counts],
  );
  return line({ window: record, start: startMs, end: endMs, data: figures, instead });
}

export function settledLine(records: readonly number[]): string {
  return line({ settled: records });
}

/** Reads what a segment begins with. It takes any text; nothing where its first line is no head. */
export function parseHead(text: string): SegmentHead | undefined {
  return headOf(recordOf(text.slice(0, Math.max(0, text.indexOf('\n')))));
}

/** Reads a segment. It takes any text. */
export function parseSegment(text: string): SegmentContent {
  let head: SegmentHead | undefined;
  let damaged = 0;
  const windows = new Map<number, WindowRecord>();
  const lines = text.split('\n');
  // What follows the last line feed was cut in the middle.
  for (const one of lines.slice(0, -1)) {
    const value = one === '' ? undefined : recordOf(one);
    const found = headOf(value);
    const window = windowOf(value);
    if (one === '') continue;
    if (found !== undefined) head = found;
    else if (window !== undefined) {
      windows.delete(window.instead ?? Number.NaN);
      windows.set(window.record, window);
    } else if (isList(value?.['settled'])) {
      for (const record of value['settled']) windows.delete(Number(record));
    } else damaged += 1;
  }
  return { head, windows: [...windows.values()], damaged };
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

function headOf(value: Fields | undefined): SegmentHead | undefined {
  if (value?.['format'] !== FORMAT) return undefined;
  const { output, namespace, dimensions, highResolution } = value;
  if (typeof output !== 'string' || typeof namespace !== 'string') return undefined;
  if (!isDimensions(dimensions)) return undefined;
  const publication = { namespace, dimensions, highResolution: highResolution === true };
  return { output, publication };
}

function windowOf(value: Fields | undefined): (WindowRecord & { instead?: number }) | undefined {
  const { window: record, start: startMs, end: endMs, data, instead } = value ?? {};
  if (!isNumber(record) || !isInstant(startMs) || !isInstant(endMs)) return undefined;
  if (!isList(data)) return undefined;
  const figures = data.map(datumOf).filter((datum) => datum !== undefined);
  if (figures.length < data.length || figures.length === 0) return undefined;
  const other = typeof instead === 'number' ? { instead } : undefined;
  return { record, startMs, endMs, data: figures, ...other };
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

function isInstant(value: unknown): value is number {
  return isNumber(value) && value >= 0 && value <= LAST_INSTANT_MS;
}

function isUnit(value: unknown): value is string {
  return typeof value === 'string' && UNIT.test(value);
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
