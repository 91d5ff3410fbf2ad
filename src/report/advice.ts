import { type BatchSize, batchFor, bytesText, type FargatePair, fargateFor } from './sizes.ts';

/** Where a run's size is written down. */
export type System = 'batch' | 'batchOnFargate' | 'fargate' | 'ecs' | 'kubernetes' | 'other';

/** What an advice rests on. */
export interface Basis {
  readonly durationMs: number;
  readonly samples: number;
  /** The figures are of a container: a machine's say nothing of a job. */
  readonly isContainer: boolean;
  /** The p95; of a job whose quota ran out at least that quota. */
  readonly cpuCores: number;
  readonly heldPeakBytes: number;
  readonly memoryLimitBytes: number;
  readonly isOom: boolean;
}

/** A size that would do. */
export interface Size {
  readonly cores: number;
  readonly bytes: number;
  readonly fargate: FargatePair | undefined;
  readonly batch: BatchSize;
}

const LEAST_MS = 30_000;
const LEAST_SAMPLES = 30;
/** Room above what was seen. */
const HEADROOM = 1.2;
/** After an OOM kill nobody knows how much it would have been. */
const OOM_FACTOR = 1.5;

/** The size that would do; a text is the reason for there being none. */
export function adviseSize(basis: Basis): Size | string {
  const { durationMs, samples, isContainer, cpuCores, heldPeakBytes, isOom } = basis;
  if (!isContainer) return 'no container, so no size of its own';
  if (isOom && basis.memoryLimitBytes > 0) {
    const cores = Number.isNaN(cpuCores) ? 0 : cpuCores * HEADROOM;
    return sizeFor(cores, basis.memoryLimitBytes * OOM_FACTOR);
  }
  if (durationMs < LEAST_MS || samples < LEAST_SAMPLES) {
    return `no size from less than ${LEAST_MS / 1000} s and ${LEAST_SAMPLES} samples`;
  }
  if (Number.isNaN(cpuCores) || Number.isNaN(heldPeakBytes)) return 'no figures to go by';
  return sizeFor(cpuCores * HEADROOM, heldPeakBytes * HEADROOM);
}

function sizeFor(cores: number, bytes: number): Size {
  return { cores, bytes, fargate: fargateFor(cores, bytes), batch: batchFor(cores, bytes) };
}

/** The field to change and its value, as that system spells it. */
export function sizeText(system: System, { cores, bytes, fargate, batch }: Size): string {
  const pair =
    fargate === undefined
      ? 'no Fargate pair is large enough'
      : `cpu ${fargate.cpu}, memory ${fargate.memoryMiB}`;
  switch (system) {
    case 'batch': {
      const onFargate = fargate === undefined ? '' : `; on Fargate ${batchPair(fargate)}`;
      return `resourceRequirements VCPU=${batch.vcpus}, MEMORY=${batch.memoryMiB}${onFargate}`;
    }
    case 'batchOnFargate':
      return `resourceRequirements ${batchPair(fargate)}`;
    case 'fargate':
      return `the task definition’s ${pair}`;
    case 'ecs':
      return `the container definition’s cpu ${Math.ceil(cores * 1024)}, memory ${batch.memoryMiB}`;
    case 'kubernetes': {
      return `resources.requests cpu: ${milliOf(cores)}m, memory: ${batch.memoryMiB}Mi; resources.limits memory: ${batch.memoryMiB}Mi`;
    }
    case 'other':
      return `${batch.vcpus} CPU, ${bytesText(bytes)}; Fargate: ${pair}`;
  }
}

/** Of a core, as Kubernetes writes it. */
export function milliOf(cores: number): number {
  return Math.max(10, Math.ceil((cores * 1000) / 10) * 10);
}

function batchPair(pair: FargatePair | undefined): string {
  if (pair === undefined) return 'no Fargate pair is large enough';
  return `VCPU=${pair.cpu / 1024}, MEMORY=${pair.memoryMiB}`;
}

/** Whose definition it is, by what the orchestrator sets. */
export function systemOf(environment: Readonly<Record<string, string | undefined>>): System {
  const has = (name: string): boolean => (environment[name] ?? '') !== '';
  const isFargate = (environment['AWS_EXECUTION_ENV'] ?? '').includes('FARGATE');
  if (has('AWS_BATCH_JOB_ID')) return isFargate ? 'batchOnFargate' : 'batch';
  if (isFargate) return 'fargate';
  if (has('ECS_CONTAINER_METADATA_URI_V4')) return 'ecs';
  return has('KUBERNETES_SERVICE_HOST') ? 'kubernetes' : 'other';
}
