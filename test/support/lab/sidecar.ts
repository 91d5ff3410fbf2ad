import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { start } from '../program.ts';
import { agentCommand, loadCommand, type Measured, measure } from './agent.ts';
import type { Cgroup, Limits } from './cgroup.ts';
import type { Load } from './load.ts';
import { containerCommand } from './oci.ts';
import type { Place } from './place.ts';
import { removeCgroup } from './remove.ts';

export interface Pod {
  /** Its containers' cgroups are below this one. */
  readonly cgroup: Cgroup;
  readonly cgroupNamespace: boolean;
  readonly app: { readonly load: Load; readonly limits: Limits };
  readonly sidecar: { readonly limits: Limits; readonly user?: number };
  readonly seconds: number;
  readonly flags: readonly string[];
  /** For the runtime's `run`. */
  readonly runFlags: readonly string[];
}

/**
 * Three containers in one PID namespace, as a Kubernetes pod with shareProcessNamespace has them: one
 * that does nothing and holds the namespace, the app, and the agent. The truth is the app's and the
 * agent's.
 */
export async function measurePod(place: Place, name: string, pod: Pod): Promise<Measured> {
  const { cgroupNamespace, runFlags } = pod;
  const common = { cgroupNamespace };
  const cgroups = { pause: pod.cgroup.child('pause'), app: pod.cgroup.child('app') };
  const sidecar = pod.cgroup.child('sidecar');

  const pidFile = join(place.folder, `${name}.pid`);
  const detached = [...runFlags, '--detach', '--pid-file', pidFile];
  const holds = { ...common, cgroup: cgroups.pause, files: { '/app/pause': '/usr/bin/sleep' } };
  const args = (): string[] => ['/app/pause', 'infinity'];
  const pause = containerCommand(place, 'runc', `${name}-pause`, { ...holds, args }, detached);
  const [runtime = '', ...pauseArgv] = pause;
  execFileSync(runtime, pauseArgv, { stdio: 'ignore' });
  const pidNamespace = `/proc/${readFileSync(pidFile, 'latin1').trim()}/ns/pid`;

  const works = { ...common, pidNamespace, cgroup: cgroups.app, limits: pod.app.limits };
  const [, ...appArgv] = containerCommand(
    place,
    'runc',
    `${name}-app`,
    { ...works, args: (inside) => loadCommand(inside, pod.app.load) },
    runFlags,
  );
  const app = start(runtime, appArgv);
  await app.until('load', ({ stdout }) => stdout().includes('ready'));

  const watches = { ...common, ...pod.sidecar, pidNamespace, cgroup: sidecar };
  const agent = containerCommand(
    place,
    'runc',
    `${name}-sidecar`,
    { ...watches, args: (inside) => agentCommand(inside, pod.seconds, pod.flags) },
    runFlags,
  );
  const measured = await measure(agent, cgroups.app, sidecar);
  for (const { dirs } of Object.values(cgroups)) for (const dir of dirs) await removeCgroup(dir);
  await app.ended;
  return measured;
}
