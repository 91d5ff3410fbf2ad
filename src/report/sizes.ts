const GIB = 1024 ** 3;
const MIB = 1024 ** 2;

/** What AWS sells as one: vCPU and the memory that goes with it. */
export interface FargatePair {
  /** In the units of a task definition: 1024 is one vCPU. */
  readonly cpu: number;
  readonly memoryMiB: number;
}

/** vCPU, and least, most and step of memory in GiB. */
type Row = readonly [vcpu: number, least: number, most: number, step: number];

/**
 * @see https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html#fargate-tasks-size
 *   as of 2025-10; Batch on Fargate takes the same pairs as VCPU and MEMORY
 * @see https://docs.aws.amazon.com/batch/latest/APIReference/API_ResourceRequirement.html
 */
const FARGATE: readonly Row[] = [
  [0.25, 0.5, 0.5, 0.5],
  [0.25, 1, 2, 1],
  [0.5, 1, 4, 1],
  [1, 2, 8, 1],
  [2, 4, 16, 1],
  [4, 8, 30, 1],
  [8, 16, 60, 4],
  [16, 32, 120, 8],
];

/** All pairs, the smallest vCPU first, of these the smallest memory. */
export const FARGATE_PAIRS: readonly FargatePair[] = FARGATE.flatMap(
  ([vcpu, least, most, step]) => {
    const count = Math.floor((most - least) / step) + 1;
    return Array.from({ length: count }, (_, place) => ({
      cpu: vcpu * 1024,
      memoryMiB: (least + place * step) * 1024,
    }));
  },
);

/** A size on Batch's EC2: whole vCPUs, and memory in a step that people write. */
export interface BatchSize {
  readonly vcpus: number;
  readonly memoryMiB: number;
}

/** Below that, AWS asks for no less. */
const BATCH_STEP_MIB = 256;

/** The smallest pair that holds both; undefined where none is large enough. */
export function fargateFor(cores: number, bytes: number): FargatePair | undefined {
  return FARGATE_PAIRS.find(
    ({ cpu, memoryMiB }) => cpu / 1024 >= cores && memoryMiB * MIB >= bytes,
  );
}

/** Rounded up to what Batch takes on EC2. */
export function batchFor(cores: number, bytes: number): BatchSize {
  return {
    vcpus: Math.max(1, Math.ceil(cores)),
    memoryMiB: Math.max(1, Math.ceil(bytes / MIB / BATCH_STEP_MIB)) * BATCH_STEP_MIB,
  };
}

/** `1.5 GiB`, `256 MiB` */
export function bytesText(bytes: number): string {
  if (bytes >= 10 * GIB) return `${Math.round(bytes / GIB)} GiB`;
  if (bytes >= GIB) return `${Math.round((bytes / GIB) * 10) / 10} GiB`;
  if (bytes >= 10 * MIB) return `${Math.round(bytes / MIB)} MiB`;
  if (bytes >= MIB) return `${Math.round((bytes / MIB) * 10) / 10} MiB`;
  return `${Math.round(bytes / 1024)} KiB`;
}

/** As many digits as a person reads. */
export function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}
