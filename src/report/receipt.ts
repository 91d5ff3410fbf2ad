import { outcomeOf, type RunFacts } from './facts.ts';
import { notesOf, sizeOf, throttledPercent } from './notes.ts';

/** The line's form; another number is another form. */
export const RECEIPT_VERSION = 1;
/** A log line of this length is cut by nobody. */
export const MOST_LINE_BYTES = 2048;
const MOST_COMMAND = 200;

type Field = string | number | readonly string[] | undefined;
export type Receipt = Readonly<Record<string, Field>>;

/** The run as one flat object; what is not known is not there. */
export function receiptOf(facts: RunFacts): Receipt {
  const { tallied } = facts;
  const size = sizeOf(facts);
  const advised = typeof size === 'string' ? undefined : size;
  const fields: Record<string, Field> = {
    type: 'receipt',
    version: RECEIPT_VERSION,
    command: facts.command.slice(0, MOST_COMMAND),
    start: timeOf(facts.startMs),
    durationSeconds: rounded(facts.durationMs / 1000, 3),
    exitCode: facts.exitCode,
    signal: facts.signal,
    outcome: outcomeOf(facts),
    scope: facts.scope || undefined,
    cpuLimitCores: rounded(tallied?.cpuLimitCores, 2),
    cpuMedianCores: rounded(tallied?.cpuMedianCores, 3),
    cpuP95Cores: rounded(tallied?.cpuP95Cores, 3),
    cpuPeakCores: rounded(tallied?.cpuPeakCores.value, 3),
    cpuPeakAt: timeOf(tallied?.cpuPeakCores.atMs),
    cpuSeconds: rounded(facts.cpuSeconds, 2),
    cpuThrottledPercent: rounded(throttledPercent(facts), 2),
    memoryLimitBytes: rounded(tallied?.memoryLimitBytes, 0),
    memoryHeldPeakBytes: rounded(tallied?.heldPeak.value, 0),
    memoryHeldPeakAt: timeOf(tallied?.heldPeak.atMs),
    memoryWorkingSetPeakBytes: rounded(tallied?.workingSetPeak.value, 0),
    memoryWorkingSetPeakAt: timeOf(tallied?.workingSetPeak.atMs),
    memoryKernelPeakBytes: rounded(facts.kernelPeak.value, 0),
    memoryKernelPeakAt: timeOf(facts.kernelPeak.atMs),
    swapPeakBytes: rounded(facts.swapPeakBytes, 0),
    oomKills: rounded(facts.oomKills, 0),
    blockReadBytes: rounded(facts.blockRead, 0),
    blockWriteBytes: rounded(facts.blockWritten, 0),
    networkReceiveBytes: rounded(facts.networkReceived, 0),
    networkTransmitBytes: rounded(facts.networkTransmitted, 0),
    gpuMaxPercent: rounded(tallied?.gpuMostPercent, 1),
    gpuMemoryMaxPercent: rounded(tallied?.gpuMemoryMostPercent, 1),
    samples: tallied?.samples ?? 0,
    windowsSent: facts.windowsSent,
    windowsSpooled: facts.windowsSpooled,
    windowsLost: facts.windowsLost,
    adviceCores: rounded(advised?.cores, 2),
    adviceMemoryBytes: rounded(advised?.bytes, 0),
    fargateCpu: advised?.fargate?.cpu,
    fargateMemory: advised?.fargate?.memoryMiB,
    batchVcpu: advised?.batch.vcpus,
    batchMemory: advised?.batch.memoryMiB,
    noAdvice: typeof size === 'string' ? size : undefined,
    notes: notesOf(facts),
  };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

/** One line of at most {@link MOST_LINE_BYTES}, without its line feed: notes give way, the last first. */
export function receiptLine(receipt: Receipt): string {
  let fields: Receipt = receipt;
  const notes = Array.isArray(receipt['notes']) ? [...receipt['notes']] : [];
  for (;;) {
    const line = JSON.stringify(fields);
    if (Buffer.byteLength(line) <= MOST_LINE_BYTES) return line;
    if (notes.length === 0) break;
    notes.pop();
    fields = { ...fields, notes: [...notes] };
  }
  return JSON.stringify({ ...fields, command: '…' });
}

function timeOf(ms: number | undefined): string | undefined {
  return ms === undefined || Number.isNaN(ms) ? undefined : new Date(ms).toISOString();
}

/** Neither NaN nor Infinity is JSON. */
function rounded(value: number | undefined, digits: number): number | undefined {
  if (value === undefined || !Number.isFinite(value)) return undefined;
  const scale = 10 ** digits;
  return Math.round(value * scale) / scale;
}
