import { type BatchSize, batchFor, bytesText, type FargatePair, fargateFor } from './sizes.ts';

/** Where a run's size is written down. */
export type System = 'batch' | 'fargate' | 'ecs' | 'kubernetes' | 'other';

/** What an advice rests on. */
export interface Basis {
  readonly durationMs: number;
  readonly samples: number;
  /** The figures are of a container: a machine's say nothing of a job. */
  readonly isContainer: boolean;
  readonly cpuP95Cores: number;
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
  const { durationMs, samples, isContainer, cpuP95Cores, heldPeakBytes, isOom } = basis;
  if (!isContainer) return 'no container, so no size of its own';
  if (isOom && basis.memoryLimitBytes > 0) {
    const cores = Number.isNaN(cpuP95Cores) ? 0 : cpuP95Cores * HEADROOM;
    return sizeFor(cores, basis.memoryLimitBytes * OOM_FACTOR);
  }
  if (durationMs < LEAST_MS || samples < LEAST_SAMPLES) {
    return `no size from less than ${LEAST_MS / 1000} s and ${LEAST_SAMPLES} samples`;
  }
  if (Number.isNaN(cpuP95Cores) || Number.isNaN(heldPeakBytes)) return 'no figures to go by';
  return sizeFor(cpuP95Cores * HEADROOM, heldPeakBytes * HEADROOM);
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
      const onFargate =
        fargate === undefined
          ? ''
          : `; on Fargate VCPU=${fargate.cpu / 1024}, MEMORY=${fargate.memoryMiB}`;
      return `resourceRequirements VCPU=${batch.vcpus}, MEMORY=${batch.memoryMiB}${onFargate}`;
    }
    case 'fargate':
      return `the task definition’s ${pair}`;
    case 'ecs':
      return `the container definition’s cpu ${Math.ceil(cores * 1024)}, memory ${batch.memoryMiB}`;
    case 'kubernetes': {
      const milli = Math.max(10, Math.ceil((cores * 1000) / 10) * 10);
      return `resources.requests cpu: ${milli}m, memory: ${batch.memoryMiB}Mi; resources.limits memory: ${batch.memoryMiB}Mi`;
    }
    case 'other':
      return `${batch.vcpus} CPU, ${bytesText(bytes)}; Fargate: ${pair}`;
  }
}

/** Whose definition it is, by what the orchestrator sets. */
export function systemOf(environment: Readonly<Record<string, string | undefined>>): System {
  const has = (name: string): boolean => (environment[name] ?? '') !== '';
  if (has('AWS_BATCH_JOB_ID')) return 'batch';
  if ((environment['AWS_EXECUTION_ENV'] ?? '').includes('FARGATE')) return 'fargate';
  if (has('ECS_CONTAINER_METADATA_URI_V4')) return 'ecs';
  return has('KUBERNETES_SERVICE_HOST') ? 'kubernetes' : 'other';
}
