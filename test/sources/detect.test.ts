import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { Environment } from '../../src/environment.ts';
import { isContainer, type Sign, signsOf, signsText } from '../../src/sources/detect.ts';
import { openRootFs } from '../../src/sources/rootfs.ts';
import { ownCgroups } from '../../src/sources/select.ts';
import { makeRoot, type Root } from '../support/root.ts';

const INITIAL = {
  'proc/self/ns/cgroup': 'cgroup:[4026531835]',
  'proc/self/ns/pid': 'pid:[4026531836]',
};
const OWN_PID = { ...INITIAL, 'proc/self/ns/pid': 'pid:[4026532439]' };
const OWN_CGROUP = { ...INITIAL, 'proc/self/ns/cgroup': 'cgroup:[4026532441]' };
const OWN_BOTH = { ...OWN_PID, ...OWN_CGROUP, 'proc/self/ns/pid': 'pid:[4026532439]' };

const MOUNT = '104 103 0:27 / /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw,nsdelegate\n';
const legacy = (root: string, point = '/sys/fs/cgroup/memory'): string =>
  `105 103 0:28 ${root} ${point} ro,nosuid - cgroup cgroup rw,memory\n`;

/** Files of a group of version 2 that is not the root. */
function group(folder: string, limits = ['max', 'max']): Readonly<Record<string, string>> {
  const [cpuMax, memoryMax] = limits;
  return {
    [`${folder}/cgroup.procs`]: '7\n',
    [`${folder}/cgroup.events`]: 'populated 1\n',
    [`${folder}/cpu.stat`]: 'usage_usec 1\n',
    [`${folder}/cpu.max`]: `${cpuMax} 100000\n`,
    [`${folder}/memory.current`]: '1\n',
    [`${folder}/memory.max`]: `${memoryMax}\n`,
  };
}
/** The root of the hierarchy, which has neither limits nor memory's files. */
const HIERARCHY_ROOT = {
  'sys/fs/cgroup/cgroup.procs': '1\n',
  'sys/fs/cgroup/cpu.stat': 'usage_usec 1\n',
};
const LIMITED = ['50000', '268435456'];

interface Row {
  readonly what: string;
  readonly links: Readonly<Record<string, string>>;
  readonly path: string;
  readonly mounts?: string;
  /** The name of process 1. */
  readonly init?: string;
  readonly files?: Readonly<Record<string, string>>;
  readonly environment?: Environment;
}

const MACHINES: readonly Row[] = [
  {
    what: 'a plain host',
    links: INITIAL,
    path: '0::/user.slice/user-0.slice/session-1.scope',
    init: 'systemd',
  },
  ...['ecs-metrics', 'docker-exporter', 'kubepods-exporter', 'lxc-monitor', 'containerd'].map(
    (name) => ({
      what: `a unit that is called ${name}.service`,
      links: INITIAL,
      path: `0::/system.slice/${name}.service`,
      init: 'systemd',
      files: group(`sys/fs/cgroup/system.slice/${name}.service`),
    }),
  ),
  {
    what: 'a template unit docker-compose@app.service',
    links: INITIAL,
    path: '0::/system.slice/system-docker\\x2dcompose.slice/docker-compose@app.service',
    init: 'systemd',
  },
  {
    what: 'a unit with limits of its own',
    links: INITIAL,
    path: '0::/system.slice/agent.service',
    init: 'systemd',
    files: group('sys/fs/cgroup/system.slice/agent.service', LIMITED),
  },
  {
    what: 'a unit of a slice with limits',
    links: INITIAL,
    path: '0::/monitoring.slice/agent.service',
    init: 'systemd',
    files: group('sys/fs/cgroup/monitoring.slice', LIMITED),
  },
  {
    what: 'a host with a leftover mount of a container’s group',
    links: INITIAL,
    path: '0::/system.slice/agent.service',
    mounts: `${MOUNT}9 8 0:27 /docker/01 /var/lib/x/cgroup rw - cgroup2 cgroup rw\n`,
    init: 'systemd',
  },
  {
    what: 'a host with a leftover mount in the usual place, of a group that is not ours',
    links: INITIAL,
    path: '4:memory:/system.slice/agent.service',
    mounts: legacy('/') + legacy('/docker/01', '/sys/fs/cgroup/left'),
    init: 'systemd',
  },
  {
    what: 'a VM made from an image, with /.dockerenv',
    links: INITIAL,
    path: '0::/system.slice/agent.service',
    init: 'systemd',
    files: { '.dockerenv': '' },
  },
  {
    what: 'a micro-VM made from an image, whose process 1 is small',
    links: INITIAL,
    path: '0::/',
    init: 'tini',
    files: { '.dockerenv': '', 'run/.containerenv': '', ...HIERARCHY_ROOT },
  },
  {
    what: 'WSL2 with a PID namespace of its own',
    links: OWN_PID,
    path: '0::/',
    init: 'init(Ubuntu)',
    files: HIERARCHY_ROOT,
  },
  {
    what: 'WSL2 with systemd and a PID namespace of its own',
    links: OWN_PID,
    path: '0::/system.slice/agent.service',
    init: 'systemd',
    files: { ...HIERARCHY_ROOT, ...group('sys/fs/cgroup/system.slice/agent.service') },
  },
  {
    what: 'WSL2 with PID and cgroup namespaces of its own, in which all of the hierarchy is',
    links: OWN_BOTH,
    path: '0::/init.scope',
    init: 'systemd',
    files: HIERARCHY_ROOT,
  },
  {
    what: 'WSL2 of version 1, the same, imported from docker export',
    links: OWN_BOTH,
    path: '4:memory:/',
    mounts: legacy('/'),
    init: 'init',
    files: { '.dockerenv': '', 'sys/fs/cgroup/memory/release_agent': '\n' },
  },
  {
    what: 'a unit with a private cgroup namespace and no limits',
    links: OWN_CGROUP,
    path: '0::/',
    init: 'systemd',
    files: group('sys/fs/cgroup'),
    environment: { INVOCATION_ID: '0123456789abcdef0123456789abcdef' },
  },
  {
    what: 'a unit with a PID namespace of its own',
    links: OWN_PID,
    path: '0::/system.slice/agent.service',
    init: 'agent',
    files: group('sys/fs/cgroup/system.slice/agent.service', LIMITED),
  },
  {
    what: 'a batch system’s job with limits in the initial namespaces',
    links: INITIAL,
    path: '0::/slurm/job_1',
    init: 'systemd',
    files: group('sys/fs/cgroup/slurm/job_1', LIMITED),
  },
];

const CONTAINERS: readonly Row[] = [
  {
    what: 'Docker with namespaces of its own',
    links: OWN_BOTH,
    path: '0::/',
    init: 'node',
    files: group('sys/fs/cgroup'),
  },
  {
    what: 'docker --pid=host with limits',
    links: OWN_CGROUP,
    path: '0::/',
    init: 'systemd',
    files: group('sys/fs/cgroup', LIMITED),
  },
  {
    what: 'docker --pid=host without limits',
    links: OWN_CGROUP,
    path: '0::/',
    init: 'systemd',
    files: { ...group('sys/fs/cgroup'), '.dockerenv': '' },
  },
  {
    what: 'a container of another runtime in the host’s PID namespace, without limits',
    links: OWN_CGROUP,
    path: '0::/',
    init: 'systemd',
    files: group('sys/fs/cgroup'),
  },
  {
    what: 'a container started by a unit whose variables it has inherited',
    links: OWN_BOTH,
    path: '0::/',
    init: 'node',
    files: group('sys/fs/cgroup'),
    environment: { INVOCATION_ID: '0123456789abcdef0123456789abcdef' },
  },
  {
    what: 'Docker with --cgroupns=host',
    links: OWN_PID,
    path: '0::/system.slice/docker-0123.scope',
    init: 'node',
    files: { '.dockerenv': '' },
  },
  {
    what: 'Docker of a daemon with cgroupfs',
    links: OWN_PID,
    path: '0::/docker/0123456789ab',
    init: 'node',
  },
  {
    what: 'systemd in Docker with --cgroupns=host: its unit is inside',
    links: OWN_PID,
    path: '0::/system.slice/docker-0123.scope/system.slice/agent.service',
    init: 'systemd',
  },
  {
    what: 'an LXC guest without limits',
    links: OWN_BOTH,
    path: '0::/system.slice/agent.service',
    init: 'systemd',
    files: { ...group('sys/fs/cgroup'), ...group('sys/fs/cgroup/system.slice/agent.service') },
  },
  {
    what: 'an LXC guest of version 1, without a cgroup namespace',
    links: OWN_PID,
    path: '4:memory:/lxc/guest/system.slice/agent.service',
    mounts: legacy('/'),
    init: 'systemd',
  },
  {
    what: 'rootless podman with the host’s cgroup namespace',
    links: OWN_PID,
    path: '0::/user.slice/user-1.slice/user@1.service/user.slice/libpod-25.scope/container',
    init: 'node',
    files: { 'run/.containerenv': '' },
  },
  {
    what: 'rootless podman by its variable alone',
    links: OWN_PID,
    path: '0::/user.slice/user-1.slice/user@1.service/app.slice/run.scope',
    init: 'node',
    environment: { container: 'podman' },
  },
  ...[
    { KUBERNETES_SERVICE_HOST: '10.0.0.1' },
    { ECS_CONTAINER_METADATA_URI_V4: 'http://169.254.170.2/v4/x' },
    { AWS_EXECUTION_ENV: 'AWS_ECS_FARGATE' },
    { AWS_BATCH_JOB_ID: 'a' },
  ].map((environment) => ({
    what: `a runtime’s variable ${Object.keys(environment).join()}, in the host’s namespaces`,
    links: INITIAL,
    path: '0::/some/group',
    init: 'systemd',
    environment,
  })),
  {
    what: 'Docker of version 1: its own group is mounted in the usual place',
    links: INITIAL,
    path: '4:memory:/some/0123',
    mounts: legacy('/some/0123'),
    init: 'node',
  },
  {
    what: 'a sandbox with a PID namespace and a limited group that is no unit (bubblewrap)',
    links: OWN_PID,
    path: '0::/lab/in',
    init: 'bwrap',
    files: group('sys/fs/cgroup/lab', LIMITED),
  },
];

let root: Root;

beforeEach(() => {
  root = makeRoot();
});

afterEach(() => root.remove());

function signsIn(row: Row): readonly Sign[] {
  const { links, path, mounts = MOUNT, init = '', files, environment } = row;
  root.write({
    'proc/self/cgroup': `${path}\n`,
    'proc/self/mountinfo': mounts,
    'proc/1/comm': `${init}\n`,
    ...files,
  });
  root.link(links);
  const fs = openRootFs(root.path);
  const signs = signsOf(fs, ownCgroups(fs), environment ?? {});
  fs.close();
  return signs;
}

describe('a machine is', () => {
  for (const row of MACHINES) {
    test(row.what, () => {
      const signs = signsIn(row);
      assert.equal(isContainer(signs), false, signsText(signs));
    });
  }
});

describe('a container is', () => {
  for (const row of CONTAINERS) {
    test(row.what, () => {
      const signs = signsIn(row);
      assert.equal(isContainer(signs), true, signsText(signs));
    });
  }
});

describe('signs', () => {
  test('that are weak never decide alone', () => {
    assert.equal(isContainer([{ weight: 1, text: 'weak' }]), false);
  });

  test('that are strong decide against whatever speaks for a machine', () => {
    const against = Array.from({ length: 9 }, () => ({ weight: -1, text: 'machine' }));
    assert.equal(isContainer([{ weight: 8, text: 'strong' }, ...against]), true);
  });

  test('are told with their weights', () => {
    const signs = signsIn({
      what: '',
      links: INITIAL,
      path: '0::/system.slice/a.service',
      init: 'systemd',
      files: { '.dockerenv': '' },
    });
    assert.equal(
      signsText(signs),
      '+1 /.dockerenv, -1 the initial PID namespace, -1 the initial cgroup namespace, ' +
        '-1 systemd as process 1, -1 the unit of systemd /system.slice/a.service',
    );
    assert.equal(signsText([]), 'no sign of a container or a machine');
  });

  test('show a path with names outside ASCII as people read it', () => {
    const signs = signsIn({
      what: '',
      links: OWN_PID,
      path: `0::${Buffer.from('/docker/größe', 'utf8').toString('latin1')}`,
    });
    assert.match(signsText(signs), /in the cgroup path \/docker\/größe/);
  });
});
