import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Program, start } from '../program.ts';
import {
  agentCommand,
  loadCommand,
  type Measured,
  measureBeside,
  START_MS,
  untilSamples,
} from './agent.ts';
import type { Cgroup, Limits } from './cgroup.ts';
import type { Load } from './load.ts';
import { type Container, containerCommand } from './oci.ts';
import type { Place } from './place.ts';
import { removeCgroup } from './remove.ts';

/** Longer than any agent beside it. */
const LIFETIME_MS = 240_000;

/** What is not the same for all containers of a pod. */
type Own = Pick<Container, 'user' | 'capabilities' | 'environment'> & { readonly limits: Limits };

export interface Pod {
  /** Its containers' cgroups are below this one. */
  readonly cgroup: Cgroup;
  readonly cgroupNamespace: boolean;
  readonly app: Own & {
    readonly load: Load;
    /** Of another container, whose cgroup lies in the app's, as with Docker in a container. */
    readonly inner?: Load;
  };
  readonly sidecar: Own;
  /** The app starts after so many samples of the agent; without it, before the agent. */
  readonly lateBy?: number;
  /** Each container has a PID namespace of its own, and there is none that holds one for all. */
  readonly isApart?: boolean;
  /** Called before the app starts, and when it runs. */
  readonly onApp?: (state: 'CREATED' | 'RUNNING') => void;
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
  const { runFlags, cgroupNamespace, lateBy, seconds, flags } = pod;
  const shared = pod.isApart === true ? {} : { pidNamespace: holdNamespace(place, name, pod) };
  const cgroups = { app: pod.cgroup.child('app'), sidecar: pod.cgroup.child('sidecar') };
  const run = (part: string, own: Own, cgroup: Cgroup, args: Container['args']): string[] => {
    const container = { ...own, ...shared, cgroupNamespace, cgroup, args };
    return containerCommand(place, 'runc', `${name}-${part}`, container, runFlags);
  };
  const running: Program[] = [];
  const begin = async ([file = '', ...argv]: readonly string[]): Promise<void> => {
    const program = start(file, argv, { lifetimeMs: LIFETIME_MS });
    running.push(program);
    await program.until('load', ({ stdout }) => stdout().includes('ready'), START_MS);
  };
  const startApp = async (): Promise<void> => {
    const { load, inner } = pod.app;
    pod.onApp?.('CREATED');
    await begin(run('app', pod.app, cgroups.app, (inside) => loadCommand(inside, load)));
    pod.onApp?.('RUNNING');
    if (inner === undefined) return;
    makeRoom(cgroups.app);
    const own = cgroups.app.child('inner');
    await begin(run('inner', { limits: {} }, own, (inside) => loadCommand(inside, inner)));
  };

  if (lateBy === undefined) await startApp();
  const agent = run('sidecar', pod.sidecar, cgroups.sidecar, (inside) =>
    agentCommand(inside, seconds, flags),
  );
  const measured = await measureBeside(agent, [cgroups.app, cgroups.sidecar], async (program) => {
    if (lateBy === undefined) return;
    await untilSamples(program, lateBy);
    await startApp();
  });
  for (const dir of pod.cgroup.dirs) await removeCgroup(dir);
  for (const program of running) await program.ended;
  return measured;
}

/** @returns the path of the namespace */
function holdNamespace(
  place: Place,
  name: string,
  { cgroup, cgroupNamespace, runFlags }: Pod,
): string {
  const pidFile = join(place.folder, `${name}.pid`);
  const [runtime = '', ...argv] = containerCommand(
    place,
    'runc',
    `${name}-pause`,
    {
      cgroup: cgroup.child('pause'),
      cgroupNamespace,
      files: { '/app/pause': '/usr/bin/sleep' },
      args: () => ['/app/pause', 'infinity'],
    },
    [...runFlags, '--detach', '--pid-file', pidFile],
  );
  execFileSync(runtime, argv, { stdio: 'ignore' });
  return `/proc/${readFileSync(pidFile, 'latin1').trim()}/ns/pid`;
}

/** In version 2 a group with processes has no groups with limits: they move down, as Docker's do. */
function makeRoom({ dirs }: Cgroup): void {
  const [dir = '', ...more] = dirs;
  if (more.length > 0) return;
  const init = join(dir, 'init');
  mkdirSync(init);
  for (const pid of readFileSync(join(dir, 'cgroup.procs'), 'latin1').trim().split('\n')) {
    writeFileSync(join(init, 'cgroup.procs'), pid);
  }
}
