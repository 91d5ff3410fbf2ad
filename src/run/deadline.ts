/** When the container ends by force, and how much of that is ours. */
export interface StopTimes {
  /** From the first SIGTERM until the container is killed. */
  readonly stopTimeoutMs: number;
  /** From the job's end where nobody asked it to stop. */
  readonly flushTimeoutMs: number;
}

/** Docker, Kubernetes' preStop and most people kill after 10 s or more; ECS and Batch after 30 s. */
const USUAL_STOP_MS = 10_000;
const ECS_STOP_MS = 30_000;
/** A container that was told to stop should not wait longer for figures. */
const MOST_AFTER_SIGTERM_MS = 2000;
/** Left for the runtime, which must see us gone before it kills. */
const RESERVE_MS = 500;

/** How long after SIGTERM the container is killed, where nobody said. */
export function usualStopMs(environment: Readonly<Record<string, string | undefined>>): number {
  const isAws = ['ECS_CONTAINER_METADATA_URI_V4', 'AWS_BATCH_JOB_ID'].some(
    (name) => (environment[name] ?? '') !== '',
  );
  return isAws ? ECS_STOP_MS : USUAL_STOP_MS;
}

/**
 * Until when the agent may stay after the job's end, monotonic.
 *
 * @param askedMs when the first SIGTERM came; undefined for none
 */
export function stayUntil(endedMs: number, askedMs: number | undefined, times: StopTimes): number {
  if (askedMs === undefined) return endedMs + times.flushTimeoutMs;
  const leftMs = times.stopTimeoutMs - (endedMs - askedMs) - RESERVE_MS;
  // A job that outlived the time has not been killed yet, so perhaps nobody will.
  if (leftMs <= 0) return endedMs + MOST_AFTER_SIGTERM_MS;
  return endedMs + Math.min(MOST_AFTER_SIGTERM_MS, leftMs);
}
