import { adviseSize, milliOf, type Size, type System, sizeText } from './advice.ts';
import { isOomKilled, type RunFacts } from './facts.ts';
import { bytesText, rounded } from './sizes.ts';

export const MOST_NOTES = 3;
/** Shares of periods, of the limit, below or above which there is something to say. */
const MUCH_THROTTLED = 5;
const LITTLE_USED = 0.65;
const NO_GPU = 1;

export function sizeOf(facts: RunFacts): Size | string {
  const { tallied } = facts;
  if (tallied === undefined) return 'nothing was measured';
  return adviseSize({
    durationMs: facts.durationMs,
    samples: tallied.samples,
    isContainer: facts.scope === 'container' || facts.scope === 'task',
    // A quota that ran out has held the figure down.
    cpuCores: isThrottled(facts)
      ? Math.max(tallied.cpuP95Cores, tallied.cpuLimitCores || 0)
      : tallied.cpuP95Cores,
    heldPeakBytes: tallied.heldPeak.value,
    memoryLimitBytes: facts.oomLevel?.limitBytes ?? tallied.memoryLimitBytes,
    isOom: isOomKilled(facts),
  });
}

/** Share of a quota's periods in which it ran out, in percent; NaN without a quota. */
export function throttledPercent({ periods, throttled }: RunFacts): number {
  return periods > 0 ? (100 * throttled) / periods : Number.NaN;
}

/** What a person should know or change, the gravest first, three at most. */
export function notesOf(facts: RunFacts): readonly string[] {
  const size = sizeOf(facts);
  const all = [
    oomNote(facts, size),
    gpuNote(facts),
    throttleNote(facts, size),
    sizeNote(facts, size),
  ];
  return all.filter((note) => note !== undefined).slice(0, MOST_NOTES);
}

function oomNote(facts: RunFacts, size: Size | string): string | undefined {
  const { oomKills, oomLevel, largest, tallied, system } = facts;
  if (!(oomKills > 0)) return undefined;
  const limit = oomLevel?.limitBytes ?? tallied?.memoryLimitBytes ?? Number.NaN;
  const at = limit > 0 ? ` at the limit of ${bytesText(limit)}` : '';
  const where = oomLevel === undefined ? '' : ` (${lastOf(oomLevel.folder)})`;
  const held = tallied?.heldPeak.value ?? Number.NaN;
  const heldText = held > 0 ? `; ${bytesText(held)} were held at most` : '';
  const names = largest.map(({ name, bytes }) => `${name.slice(0, 15)} ${bytesText(bytes)}`);
  const whoText = names.length === 0 ? '' : `, by ${names.join(', ')}`;
  const remedy = typeof size === 'string' ? '' : `. Set ${memoryField(system, size)}`;
  if (!isOomKilled(facts)) {
    const who = oomKills === 1 ? 'a process was' : `${oomKills} processes were`;
    return `${who} killed for want of memory${at}${where}, and the job went on${heldText}${whoText}`;
  }
  return `killed for want of memory${at}${where}${heldText}${whoText}${remedy}`;
}

/** Of a path the part that tells levels apart. */
function lastOf(folder: string): string {
  return folder.length <= 48 ? folder : `…${folder.slice(-47)}`;
}

function memoryField(system: System, size: Size): string {
  const { batch, fargate } = size;
  switch (system) {
    case 'batch':
      return `resourceRequirements MEMORY=${batch.memoryMiB}`;
    case 'batchOnFargate':
      return sizeText(system, size);
    case 'fargate':
      return fargate === undefined
        ? 'more memory than Fargate has'
        : `the task definition’s memory ${fargate.memoryMiB} (cpu ${fargate.cpu})`;
    case 'ecs':
      return `the container definition’s memory ${batch.memoryMiB}`;
    case 'kubernetes':
      return `resources.limits memory: ${batch.memoryMiB}Mi`;
    case 'other':
      return `a memory limit of ${bytesText(size.bytes)}`;
  }
}

function cpuField(system: System, size: Size): string {
  switch (system) {
    case 'batch':
      return `resourceRequirements VCPU=${size.batch.vcpus}`;
    case 'ecs':
      return `the container definition’s cpu ${Math.ceil(size.cores * 1024)}`;
    case 'kubernetes':
      return `resources.limits cpu: ${milliOf(size.cores)}m`;
    case 'other':
      return `a limit of ${rounded(size.cores)} cores`;
    default:
      return sizeText(system, size);
  }
}

function isThrottled(facts: RunFacts): boolean {
  return throttledPercent(facts) > MUCH_THROTTLED;
}

function gpuNote({ tallied, system }: RunFacts): string | undefined {
  const most = tallied?.gpuMostPercent ?? Number.NaN;
  if (!(most < NO_GPU)) return undefined;
  const field =
    system === 'kubernetes' ? 'resources.limits nvidia.com/gpu' : 'resourceRequirements GPU';
  return `this job did not use its GPU: drop ${field}, or look why`;
}

function throttleNote(facts: RunFacts, size: Size | string): string | undefined {
  if (!isThrottled(facts)) return undefined;
  const percent = Math.round(throttledPercent(facts));
  const what = `the CPU quota ran out in ${percent} % of its periods`;
  if (typeof size === 'string') return what;
  const limit = rounded(facts.tallied?.cpuLimitCores ?? Number.NaN);
  return `${what}, of ${limit} cores. Set ${cpuField(facts.system, size)}`;
}

function sizeNote(facts: RunFacts, size: Size | string): string | undefined {
  if (typeof size === 'string' || isOomKilled(facts)) return undefined;
  const { tallied, system } = facts;
  if (tallied === undefined) return undefined;
  const { cpuP95Cores, heldPeak, samples, memoryLimitBytes, cpuLimitCores } = tallied;
  const isSmaller =
    size.bytes < memoryLimitBytes * LITTLE_USED || size.cores < cpuLimitCores * LITTLE_USED;
  const verb = isSmaller ? 'would do' : 'fits';
  const under = memoryLimitBytes > 0 ? ` under ${bytesText(memoryLimitBytes)}` : '';
  const from = `from p95 ${rounded(cpuP95Cores)} cores and ${bytesText(heldPeak.value)} held${under}, ${samples} samples, × 1.2`;
  return `${sizeText(system, size)} ${verb} (${from})`;
}
