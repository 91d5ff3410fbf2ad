// Runs inside the booted guest, as its only program: makes containers, lets the agent measure them, and
// tells the results as lines on stdout. Bundled to plain JavaScript; its tests are containers-vm.ring.ts.
import { mkdirSync } from 'node:fs';
import {
  agentCommand,
  HOG_SECONDS,
  inCgroup,
  loadCommand,
  type Measured,
  measure,
} from './agent.ts';
import { Cgroup, type Limits } from './cgroup.ts';
import { HIDDEN } from './hidden.ts';
import type { Load } from './load.ts';
import { type Container, containerCommand, type Runtime } from './oci.ts';
import type { Place } from './place.ts';
import { measurePod, type Pod } from './sidecar.ts';
import type { Arrangement, GuestLine } from './vm.ts';

const SECONDS = 3;
/** Enough periods of a quota, also where the load takes a second to begin. */
const THROTTLED_SECONDS = 5;
const METRICS = ['--metrics', 'all'];
/** An initramfs cannot be pivoted away from. */
const RUN_FLAGS = ['--no-pivot'];
/** Runs at a time: under a quota most of a run is waiting. */
const LANES = 3;
/** The guest's disk: read through, it fills the page cache. */
const DISK = '/dev/nvme0n1';

const place: Place = {
  node: process.execPath,
  agent: '/lab/agent.js',
  load: '/lab/load.mjs',
  folder: '/tmp/lab',
};

interface Options extends Omit<Container, 'cgroup' | 'args'> {
  readonly runtime?: Runtime;
  /** Without one the agent is alone. */
  readonly load?: Load;
  /** Of a cgroup around the container's, whose counters are then the truth. */
  readonly parent?: Limits;
}

function run(cgroup: Cgroup, name: string, options: Options): Promise<Measured> {
  const { runtime = 'runc', load, parent, ...container } = options;
  const around = parent === undefined ? undefined : cgroup.child(`${name}-parent`).make(parent);
  const own = (around ?? cgroup).child(name);
  const args: Container['args'] = (inside) => {
    const agent = agentCommand(inside, secondsFor(load), METRICS);
    return load === undefined ? agent : loadCommand(inside, load, agent);
  };
  const command = containerCommand(
    place,
    runtime,
    name,
    { ...container, cgroup: own, args },
    RUN_FLAGS,
  );
  return measure(command, around ?? own);
}

function secondsFor({ hog = false, spin = 0 }: Load = {}): number {
  if (hog) return HOG_SECONDS;
  return spin > 0 ? THROTTLED_SECONDS : SECONDS;
}

type Runs = Readonly<Record<string, () => Promise<Measured>>>;

function runsOf(arrangement: Arrangement): Runs {
  const cgroup = new Cgroup(arrangement === 'v2' ? 2 : 1, '/lab').make();
  return arrangement === 'v2' ? runsV2(cgroup) : runsV1(cgroup);
}

function runsV2(cgroup: Cgroup): Runs {
  const tight = { cores: 0.5, memoryMiB: 200 };
  return {
    machine: () => measure(agentCommand(place, SECONDS, METRICS)),
    service: () => {
      const own = cgroup.child('service').make({ cores: 0.5, memoryMiB: 128 });
      return measure(inCgroup(own, agentCommand(place, SECONDS, METRICS)), own);
    },
    half: () =>
      run(cgroup, 'half', {
        load: { spin: 2, spinLater: true, pinMiB: 50 },
        limits: { cores: 0.5, memoryMiB: 160, cpus: '1' },
        cgroupNamespace: true,
      }),
    nested: () =>
      run(cgroup, 'nested', {
        runtime: 'crun',
        load: { spin: 1, spinLater: true, pinMiB: 50 },
        parent: tight,
        limits: { memoryMiB: 400 },
      }),
    nestedKilled: () =>
      run(cgroup, 'nested-killed', {
        runtime: 'crun',
        load: { hog: true },
        parent: { memoryMiB: 160 },
        limits: { memoryMiB: 400 },
      }),
    hidden: () =>
      run(cgroup, 'hidden', { load: { pinMiB: 50 }, parent: tight, cgroupNamespace: true }),
    tmpfs: () =>
      run(cgroup, 'tmpfs', {
        runtime: 'crun',
        load: { write: '/tmp/data', writeMiB: 60 },
        limits: { memoryMiB: 160 },
        cgroupNamespace: true,
      }),
    cache: () =>
      run(cgroup, 'cache', {
        load: { pinMiB: 20, read: '/app/disk' },
        limits: { memoryMiB: 160 },
        cgroupNamespace: true,
        files: { '/app/disk': DISK },
      }),
    killed: () =>
      run(cgroup, 'killed', {
        load: { hog: true },
        limits: { memoryMiB: 128 },
        cgroupNamespace: true,
      }),
    alone: () => run(cgroup, 'alone', { limits: { memoryMiB: 128 }, cgroupNamespace: true }),
    hostMount: () =>
      run(cgroup, 'host-mount', {
        load: { spin: 1, spinLater: true, pinMiB: 50 },
        limits: { cores: 0.5, memoryMiB: 160 },
        cgroupNamespace: true,
        hostMount: true,
      }),
    hostMountBare: () =>
      run(cgroup, 'host-mount-bare', {
        runtime: 'crun',
        load: { pinMiB: 50 },
        limits: { cores: 0.5, memoryMiB: 160 },
        hostMount: true,
      }),
    pod: () => runPod(cgroup, 'pod'),
    podLate: () => runPod(cgroup, 'pod-late', { lateBy: 3, seconds: 40 }),
    podNested: () =>
      runPod(cgroup, 'pod-nested', {
        app: { load: { pinMiB: 20 }, inner: { pinMiB: 50 }, limits: APP_LIMITS },
      }),
    ...hiddenRuns(cgroup),
  };
}

const APP_LIMITS: Limits = { cores: 0.5, memoryMiB: 160 };

function runPod(cgroup: Cgroup, name: string, pod: Partial<Pod> = {}): Promise<Measured> {
  return measurePod(place, name, {
    cgroup: cgroup.child(name),
    cgroupNamespace: true,
    app: { load: { pinMiB: 50 }, limits: APP_LIMITS },
    sidecar: { limits: { cores: 0.5, memoryMiB: 96 } },
    seconds: SECONDS,
    flags: METRICS,
    runFlags: RUN_FLAGS,
    ...pod,
  });
}

/** Whom the kernel does not let read the app. */
function hiddenRuns(cgroup: Cgroup): Runs {
  const runs = HIDDEN.map(({ name, app, sidecar }) => {
    const pod = {
      app: { load: { pinMiB: 50 }, limits: APP_LIMITS, ...app },
      sidecar: { limits: { cores: 0.5, memoryMiB: 96 }, ...sidecar },
      flags: [],
    };
    return [name, () => runPod(cgroup, name, pod)] as const;
  });
  return Object.fromEntries(runs);
}

function runsV1(cgroup: Cgroup): Runs {
  return {
    machine: () => measure(agentCommand(place, SECONDS, METRICS)),
    task: () => run(cgroup, 'task', { load: { pinMiB: 50 }, parent: { cores: 1, memoryMiB: 150 } }),
    own: () =>
      run(cgroup, 'own', {
        load: { spin: 1, spinLater: true, pinMiB: 30 },
        limits: { cores: 0.5, memoryMiB: 128 },
        cgroupNamespace: true,
      }),
  };
}

async function tell(name: string, act: () => Promise<Measured>): Promise<void> {
  const line: GuestLine = await act().then(
    (measured) => ({ name, measured }),
    (error) => ({ name, failure: String(error) }),
  );
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

async function main(): Promise<void> {
  mkdirSync(place.folder);
  const runs = Object.entries(runsOf(process.argv[2] === 'v1' ? 'v1' : 'v2'));
  const lane = async (): Promise<void> => {
    for (let next = runs.shift(); next !== undefined; next = runs.shift()) await tell(...next);
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

main();
