import {
  containerDocument,
  startTaskServer,
  statsV1,
  type TaskServer,
  taskDocument,
} from '../aws/task-metadata.ts';
import type { Cgroup } from './cgroup.ts';

/** A container of the lab as the endpoint tells of it. */
export interface Listed {
  readonly name: string;
  readonly cgroup: Cgroup;
  /** KnownStatus; empty where it is not listed. */
  status: string;
}

/** The ECS agent of the lab: it lists these containers and tells what the kernel counts of each. */
export async function startLabTask(
  listed: readonly Listed[],
  limits: { readonly CPU: number; readonly Memory: number },
): Promise<TaskServer> {
  const server = await startTaskServer({ '': containerDocument({ id: 'agent' }) });
  const there = (): readonly Listed[] => listed.filter(({ status }) => status !== '');
  const last = new Map<string, { readonly read: number; readonly cpu: number }>();
  server.answers.set('/task', () =>
    taskDocument({
      launchType: 'EC2',
      limits,
      containers: there().map(({ name, status }) => ({ id: name, status })),
    }),
  );
  server.answers.set('/task/stats', () =>
    Object.fromEntries(there().map(({ name, cgroup }) => [name, statsOf(name, cgroup, last)])),
  );
  return server;
}

/** Null where nothing runs, as Docker has it. */
function statsOf(
  name: string,
  cgroup: Cgroup,
  last: Map<string, { readonly read: number; readonly cpu: number }>,
): unknown {
  const counters = cgroup.counters();
  if (counters === undefined) return null;
  const { cpuSec, usage, workingSet } = counters;
  const now = { read: Date.now(), cpu: Math.round(cpuSec * 1e9) };
  const before = last.get(name);
  last.set(name, now);
  return statsV1({
    ...now,
    ...(before === undefined ? undefined : { before }),
    usage,
    inactiveFile: usage - workingSet,
  });
}
