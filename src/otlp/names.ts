import { CATALOG } from '../metrics/catalog.ts';

/** What a figure is called in OpenTelemetry. */
export interface Name {
  readonly name: string;
  /** By UCUM. */
  readonly unit: string;
  /** What a published number is divided by. */
  readonly divisor: number;
  /** It counts what happened in the window. */
  readonly isSum: boolean;
  /** Of the point: what tells it from others of its name. */
  readonly attribute?: readonly [key: string, value: string];
}

const OWN = 'cloudwatch_metrics_agent.';

/**
 * Name, unit where CloudWatch's does not say it, and an attribute with its value. A name that begins with a
 * dot is the agent's own: there is none in the semantic conventions.
 *
 * @see https://opentelemetry.io/docs/specs/semconv/system/
 */
const NAMES: Readonly<Record<string, string>> = {
  CPUUtilization: 'system.cpu.utilization',
  MaxCPUUtilization: '.cpu.utilization.max',
  CPUCores: 'container.cpu.usage {cpu}',
  CPUThrottled: '.cpu.throttled',
  CPUSteal: '.cpu.steal',
  CPUPressure: '.cpu.pressure',
  MemoryUtilization: 'system.memory.utilization',
  MaxMemoryUtilization: '.memory.utilization.max',
  MemoryUsedBytes: 'container.memory.usage',
  MemoryLimitBytes: '.memory.limit',
  MemoryHeldBytes: '.memory.held',
  MemoryHeldUtilization: '.memory.held.utilization',
  MemoryPressure: '.memory.pressure',
  OOMKills: '.oom_kills {kill}',
  SampleCount: '.samples {sample}',
  SwapUtilization: 'system.paging.utilization',
  DiskUtilization: 'system.filesystem.utilization',
  EphemeralStorageUtilization: '.ephemeral_storage.utilization',
  NetworkReceiveBytes: 'container.network.io By network.io.direction receive',
  NetworkTransmitBytes: 'container.network.io By network.io.direction transmit',
  BlockReadBytes: 'container.disk.io By disk.io.direction read',
  BlockWriteBytes: 'container.disk.io By disk.io.direction write',
  GPUUtilization: 'hw.gpu.utilization',
  GPUMemoryUtilization: 'hw.gpu.memory.utilization',
  JobDuration: '.job.duration',
  JobFailures: '.job.failures {failure}',
  AgentCPU: '.process.cpu.utilization',
  AgentMemory: '.process.memory.usage',
  WindowsSent: '.windows.sent {window}',
  WindowsDropped: '.windows.dropped {window}',
  PublishLatency: '.publish.duration',
  PublishErrors: '.publish.errors {error}',
};

const SUMS = new Set(CATALOG.filter(({ reduce }) => reduce === 'sum').map(({ name }) => name));

/**
 * @param unit CloudWatch's
 * @param isFraction a percentage of ours was published as 0 to 1
 */
export function otelName(metric: string, unit: string, isFraction: boolean): Name {
  const ours = Object.hasOwn(NAMES, metric) ? NAMES[metric] : undefined;
  const [text = '', given, key, value] = (ours ?? `.${snakeCase(metric)}`).split(' ');
  const [ucum, divisor] = ucumOf(unit);
  return {
    name: text.startsWith('.') ? OWN + text.slice(1) : text,
    unit: given ?? ucum,
    divisor: ours && unit === 'Percent' && isFraction ? 1 : divisor,
    // Of the library's callers, counts are summed.
    isSum: ours ? SUMS.has(metric) : unit === 'Count',
    ...(key !== undefined && value !== undefined && { attribute: [key, value] }),
  };
}

/** `OrdersTotal` is `orders_total`. What no instrument's name may hold becomes an underscore. */
function snakeCase(metric: string): string {
  return metric
    .replace(/(?<=[a-z\d])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])/g, '_')
    .replace(/[^\w./-]+/g, '_')
    .toLowerCase()
    .slice(0, 255 - OWN.length);
}

/** Times in seconds and shares from 0 to 1, as the conventions want them. */
const BASE: Readonly<Record<string, readonly [ucum: string, divisor: number]>> = {
  Percent: ['1', 100],
  Seconds: ['s', 1],
  Milliseconds: ['s', 1e3],
  Microseconds: ['s', 1e6],
};

function ucumOf(unit: string): readonly [ucum: string, divisor: number] {
  const [, size = '', what, per] =
    /^(?:([KMGT])\w+?)?(Bytes|Bits|bytes|bits|Count)(\/Second)?$/.exec(unit) ?? [];
  if (what === undefined) return BASE[unit] ?? ['1', 1];
  const base = what === 'Count' ? '{count}' : /bytes/i.test(what) ? 'By' : 'bit';
  return [`${size.replace('K', 'k')}${base}${per === undefined ? '' : '/s'}`, 1];
}
