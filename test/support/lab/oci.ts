import { lstatSync, mkdirSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Cgroup, Limits } from './cgroup.ts';
import { freshFolder, type Place } from './place.ts';

/** Where a container has the programs of the lab. */
const INSIDE = {
  node: '/app/node',
  agent: '/app/agent.js',
  load: '/app/load.mjs',
  folder: '/app',
} satisfies Place;

/** What Docker leaves a container's root. */
const CAPABILITIES = [
  ...[
    'AUDIT_WRITE',
    'CHOWN',
    'DAC_OVERRIDE',
    'FOWNER',
    'FSETID',
    'KILL',
    'MKNOD',
    'NET_BIND_SERVICE',
  ],
  ...['NET_RAW', 'SETFCAP', 'SETGID', 'SETPCAP', 'SETUID', 'SYS_CHROOT'],
].map((name) => `CAP_${name}`);
/** The system's own, as it has them: folders, or links into /usr. */
const SYSTEM = ['/bin', '/lib', '/lib64', '/sbin', '/usr'];
const PERIOD_US = 100_000;
/** With all that is mounted below it, each hierarchy of control groups among it. */
const HOST_MOUNT = {
  destination: '/host',
  source: '/',
  type: 'bind',
  options: ['rbind', 'ro', 'rprivate'],
};

export interface Container {
  readonly cgroup: Cgroup;
  readonly limits?: Limits;
  /** A namespace of its own: `/` is its own cgroup, and whatever is above cannot be seen. */
  readonly cgroupNamespace?: boolean;
  /** The path of another process's namespace, to be shared. */
  readonly pidNamespace?: string;
  /** Without it root, with what Docker leaves to it; any other user has no capability. */
  readonly user?: number;
  /** More than that, such as CAP_SYS_PTRACE. */
  readonly capabilities?: readonly string[];
  /** This machine's root at /host, mounted before all else, as by podman for `-v /:/host`. */
  readonly hostMount?: boolean;
  readonly environment?: Readonly<Record<string, string>>;
  /** Files of this machine by where the container has them, read-only. */
  readonly files?: Readonly<Record<string, string>>;
  /** Folders of this machine that the container may write. */
  readonly writable?: Readonly<Record<string, string>>;
  /** The command inside, which may use the lab's programs. */
  args(inside: Place): readonly string[];
}

export type Runtime = 'runc' | 'crun';

/** Writes the container's bundle, and gives the command that runs it to its end. */
export function containerCommand(
  place: Place,
  runtime: Runtime,
  id: string,
  container: Container,
  flags: readonly string[] = [],
): string[] {
  const state = join(place.folder, 'state');
  const manager = runtime === 'crun' ? ['--cgroup-manager=cgroupfs'] : [];
  const bundle = makeBundle(place, id, container);
  return [runtime, '--root', state, ...manager, 'run', ...flags, '--bundle', bundle, id];
}

/** A root of bound folders, nothing copied. */
function makeBundle(place: Place, id: string, container: Container): string {
  const path = freshFolder(place.folder, id);
  const root = join(path, 'rootfs');
  for (const dir of ['app', 'dev', 'etc', 'host', 'proc', 'sys', 'tmp']) {
    mkdirSync(join(root, dir), { recursive: true });
  }
  const bound: Record<string, string> = {
    [INSIDE.node]: place.node,
    [INSIDE.agent]: place.agent,
    [INSIDE.load]: place.load,
    ...container.files,
  };
  for (const dir of SYSTEM) {
    const stat = lstatSync(dir, { throwIfNoEntry: false });
    if (stat?.isSymbolicLink() === true) symlinkSync(readlinkSync(dir), join(root, dir));
    else if (stat !== undefined) bound[dir] = dir;
  }
  writeFileSync(join(path, 'config.json'), JSON.stringify(configOf(container, bound)));
  return path;
}

function configOf(container: Container, bound: Readonly<Record<string, string>>): object {
  const { user = 0, pidNamespace, cgroupNamespace = false, environment = {} } = container;
  const capabilities = [...(user === 0 ? CAPABILITIES : []), ...(container.capabilities ?? [])];
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  return {
    ociVersion: '1.0.2',
    process: {
      terminal: false,
      user: { uid: user, gid: user },
      args: container.args(INSIDE),
      env: ['PATH=/usr/sbin:/usr/bin:/sbin:/bin', ...variables],
      cwd: '/',
      capabilities: {
        bounding: capabilities,
        effective: capabilities,
        permitted: capabilities,
      },
      noNewPrivileges: true,
    },
    root: { path: 'rootfs', readonly: true },
    hostname: 'lab',
    mounts: [
      ...(container.hostMount === true ? [HOST_MOUNT] : []),
      ...mountsOf(bound),
      ...Object.entries(container.writable ?? {}).map(writableMount),
    ],
    linux: {
      cgroupsPath: container.cgroup.path,
      resources: resourcesOf(container.limits ?? {}),
      namespaces: [
        ...['ipc', 'uts', 'mount'].map((type) => ({ type })),
        pidNamespace === undefined ? { type: 'pid' } : { type: 'pid', path: pidNamespace },
        ...(cgroupNamespace ? [{ type: 'cgroup' }] : []),
      ],
    },
  };
}

function resourcesOf({ cores, memoryMiB, cpus }: Limits): object {
  return {
    // Or a bound disk could not be read.
    devices: [{ allow: true, access: 'rwm' }],
    cpu: {
      ...(cores === undefined ? {} : { quota: cores * PERIOD_US, period: PERIOD_US }),
      ...(cpus === undefined ? {} : { cpus }),
    },
    memory: memoryMiB === undefined ? {} : { limit: memoryMiB * 2 ** 20 },
  };
}

function writableMount([destination, source]: readonly [string, string]): object {
  return { destination, source, type: 'bind', options: ['rbind', 'rw'] };
}

function mountsOf(bound: Readonly<Record<string, string>>): object[] {
  const safe = ['nosuid', 'noexec', 'nodev'];
  const tmpfs = (destination: string, mode: string): object => {
    return { destination, type: 'tmpfs', source: 'tmpfs', options: ['nosuid', `mode=${mode}`] };
  };
  return [
    { destination: '/proc', type: 'proc', source: 'proc' },
    tmpfs('/dev', '755'),
    tmpfs('/tmp', '1777'),
    { destination: '/sys', type: 'sysfs', source: 'sysfs', options: [...safe, 'ro'] },
    {
      destination: '/sys/fs/cgroup',
      type: 'cgroup',
      source: 'cgroup',
      options: [...safe, 'relatime', 'ro'],
    },
    ...Object.entries(bound).map(([destination, source]) => {
      return { destination, source, type: 'bind', options: ['rbind', 'ro'] };
    }),
  ];
}
