import type { Bucket, Drawn, Folds } from './folds.ts';
import type { Receipt } from './receipt.ts';

/** Of FILE.json; another number is another form. It is described in docs/receipt.md. */
export const REPORT_VERSION = 1;

const COLUMNS = [
  'atSeconds',
  ...['cpuCoresMin', 'cpuCoresMax', 'cpuCoresMean', 'cpuThrottledPercentMax'],
  ...['memoryHeldBytesMin', 'memoryHeldBytesMax', 'memoryHeldBytesMean'],
  ...['memoryWorkingSetBytesMin', 'memoryWorkingSetBytesMax'],
];

/** The run's course as JSON: a row a span of time, null for what was not measured. */
export function reportJson(receipt: Receipt, folds: Folds): string {
  const buckets = folds.buckets.filter(({ folds: row }) => {
    return Object.values(row).some((fold) => fold !== undefined);
  });
  const head = {
    type: 'report',
    version: REPORT_VERSION,
    receipt,
    bucketSeconds: folds.widthMs / 1000,
    oomKillsAtSeconds: folds.oomKillsMs.map((ms) => ms / 1000),
    columns: COLUMNS,
  };
  const rows = buckets.map((bucket) => JSON.stringify(rowOf(bucket)));
  return `${JSON.stringify(head).slice(0, -1)},"buckets":[\n${rows.join(',\n')}\n]}\n`;
}

function rowOf({ atMs, folds }: Bucket): (number | null)[] {
  const { cpuCores: cpu, memoryHeld: held, memoryUsed: used, cpuThrottled } = folds;
  return [
    atMs / 1000,
    ...[cpu?.min, cpu?.max, cpu?.mean, cpuThrottled?.max].map((value) => digits(value, 3)),
    ...[held?.min, held?.max, held?.mean, used?.min, used?.max].map((value) => digits(value, 0)),
  ];
}

function digits(value: number | undefined, places: number): number | null {
  if (value === undefined || !Number.isFinite(value)) return null;
  return Math.round(value * 10 ** places) / 10 ** places;
}

/** A stretch of the run for the table. */
export interface Stretch {
  readonly fromMs: number;
  readonly toMs: number;
  readonly of: (name: Drawn) => { readonly mean: number; readonly max: number } | undefined;
}

const HOUR_MS = 3_600_000;
const SHORT_ROWS = 12;

/** Hours; of a shorter run twelve parts. */
export function stretchesOf(folds: Folds): readonly Stretch[] {
  const { buckets, widthMs } = folds;
  const lengthMs = buckets.length * widthMs;
  const isShort = lengthMs < 2 * HOUR_MS;
  const partMs = isShort ? Math.max(widthMs, lengthMs / SHORT_ROWS) : HOUR_MS;
  const count = Math.ceil(lengthMs / partMs);
  return Array.from({ length: count }, (_, part) => {
    const [fromMs, toMs] = [part * partMs, Math.min(lengthMs, (part + 1) * partMs)];
    const inside = buckets.filter(({ atMs }) => atMs >= fromMs && atMs < toMs);
    return { fromMs, toMs, of: (name) => summary(inside, name) };
  });
}

function summary(
  buckets: readonly Bucket[],
  name: Drawn,
): { readonly mean: number; readonly max: number } | undefined {
  const folds = buckets.flatMap(({ folds: row }) => row[name] ?? []);
  if (folds.length === 0) return undefined;
  const mean = folds.reduce((sum, fold) => sum + fold.mean, 0) / folds.length;
  return { mean, max: Math.max(...folds.map(({ max }) => max)) };
}
