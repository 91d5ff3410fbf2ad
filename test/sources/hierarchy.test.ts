import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { NoDataError } from '../../src/errors.ts';
import {
  type Cgroups,
  type CgroupTexts,
  isPath,
  pathOf,
  type Resolved,
  resolveCgroups,
} from '../../src/sources/cgroup/hierarchy.ts';

/** What the tests tell apart: a version and folders, or why there are none. */
type Found = readonly [version: 1 | 2, ...folders: string[]] | RegExp;

function resolved(texts: Partial<CgroupTexts>): Cgroups {
  return resolveCgroups({
    memberships: '',
    mounts: '',
    hasPrivateNamespace: false,
    has: () => true,
    ...texts,
  });
}

function assertFound(actual: Resolved, expected: Found): void {
  if (expected instanceof RegExp) {
    assert.ok(!isPath(actual), JSON.stringify(actual));
    assert.match(actual.unresolved, expected);
  } else {
    assert.ok(isPath(actual), JSON.stringify(actual));
    assert.deepEqual([actual.version, ...actual.folders], expected);
  }
}

const unified = (root = '/', point = '/sys/fs/cgroup'): string =>
  `35 24 0:30 ${root} ${point} rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n`;
const legacy = (controllers: string, root = '/', name = controllers): string =>
  `36 24 0:31 ${root} /sys/fs/cgroup/${name} rw,nosuid shared:10 - cgroup cgroup rw,${controllers}\n`;

interface Row {
  readonly what: string;
  readonly texts: Partial<CgroupTexts>;
  readonly cpu: Found;
  /** As `cpu` where it is left out; so with `memory`. */
  readonly cpuacct?: Found;
  readonly memory?: Found;
  readonly isMachine?: boolean;
  readonly isPartial?: boolean;
}

const V1_PATHS = '4:memory:/docker/01\n3:cpuset:/docker/01\n2:cpu,cpuacct:/docker/01\n';
const NOTHING = /^no hierarchy with \w+ is mounted$/;
const NAMELESS = /^\/sys\/fs\/cgroup\S* shows \S+, which has no name here$/;

const ROWS: readonly Row[] = [
  {
    what: 'version 2, a host’s service: its folder, and each parent up to the mount point',
    texts: { memberships: '0::/system.slice/a.service\n', mounts: unified() },
    cpu: [
      2,
      '/sys/fs/cgroup/system.slice/a.service',
      '/sys/fs/cgroup/system.slice',
      '/sys/fs/cgroup',
    ],
  },
  {
    what: 'version 2, the root of the hierarchy: all of the machine',
    texts: { memberships: '0::/\n', mounts: unified() },
    cpu: [2, '/sys/fs/cgroup'],
    isMachine: true,
  },
  {
    what: 'version 2 with a namespace of its own: the mount point is the container',
    texts: { memberships: '0::/\n', mounts: unified(), hasPrivateNamespace: true },
    cpu: [2, '/sys/fs/cgroup'],
  },
  {
    what: 'a process further down in its own namespace (an init system): still the mount point',
    texts: { memberships: '0::/init.scope\n', mounts: unified(), hasPrivateNamespace: true },
    cpu: [2, '/sys/fs/cgroup'],
  },
  {
    what: 'a mount of a part, without a namespace: the mount point, not the path below it again',
    texts: { memberships: '0::/docker/01\n', mounts: unified('/docker/01') },
    cpu: [2, '/sys/fs/cgroup'],
    isPartial: true,
  },
  {
    what: 'a mount of a part that the process is not even in',
    texts: { memberships: '0::/docker/02/init\n', mounts: unified('/docker/01') },
    cpu: [2, '/sys/fs/cgroup'],
    isPartial: true,
  },
  {
    what: 'Docker with --cgroupns=host: all levels are visible',
    texts: {
      memberships: '0::/system.slice/docker-01.scope\n',
      mounts: unified().replace('rw,nosuid', 'ro,nosuid'),
    },
    cpu: [
      2,
      '/sys/fs/cgroup/system.slice/docker-01.scope',
      '/sys/fs/cgroup/system.slice',
      '/sys/fs/cgroup',
    ],
  },
  {
    what: 'a path with colons',
    texts: { memberships: '0::/k.slice/pod1.slice:cri-containerd:77\n', mounts: unified() },
    cpu: [
      2,
      '/sys/fs/cgroup/k.slice/pod1.slice:cri-containerd:77',
      '/sys/fs/cgroup/k.slice',
      '/sys/fs/cgroup',
    ],
  },
  {
    what: 'a mount point with a blank',
    texts: { memberships: '0::/a\n', mounts: unified('/', '/my\\040cgroups') },
    cpu: [2, '/my cgroups/a', '/my cgroups'],
  },
  {
    what: 'a mount point that is the root folder',
    texts: { memberships: '0::/a/b\n', mounts: unified('/', '/') },
    cpu: [2, '/a/b', '/a', '/'],
  },
  {
    what: 'a root that begins with /.. (a new namespace over an old mount)',
    texts: { memberships: '0::/\n', mounts: unified('/../..'), hasPrivateNamespace: true },
    cpu: NAMELESS,
    isPartial: true,
  },
  {
    what: 'a path that begins with /.. (moved out of the namespace’s root)',
    texts: { memberships: '0::/../app\n', mounts: unified(), hasPrivateNamespace: true },
    cpu: NAMELESS,
  },
  {
    what: 'dots in a name, which are no way up',
    texts: { memberships: '0::/a..b/...\n', mounts: unified() },
    cpu: [2, '/sys/fs/cgroup/a..b/...', '/sys/fs/cgroup/a..b', '/sys/fs/cgroup'],
  },
  {
    what: 'version 1, one mount a controller',
    texts: {
      memberships: '5:cpuacct:/b\n4:memory:/a/b\n1:cpu:/\n',
      mounts: legacy('cpu') + legacy('cpuacct') + legacy('memory'),
    },
    cpu: [1, '/sys/fs/cgroup/cpu'],
    cpuacct: [1, '/sys/fs/cgroup/cpuacct/b', '/sys/fs/cgroup/cpuacct'],
    memory: [1, '/sys/fs/cgroup/memory/a/b', '/sys/fs/cgroup/memory/a', '/sys/fs/cgroup/memory'],
    isMachine: true,
  },
  ...['cpu,cpuacct', 'cpuacct,cpu'].map(
    (controllers): Row => ({
      what: `version 1, ${controllers} mounted together: Docker on Amazon Linux 2`,
      texts: {
        memberships: V1_PATHS,
        mounts: legacy(controllers, '/docker/01') + legacy('memory', '/docker/01'),
      },
      cpu: [1, `/sys/fs/cgroup/${controllers}`],
      memory: [1, '/sys/fs/cgroup/memory'],
      isPartial: true,
    }),
  ),
  {
    what: 'a controller by its whole name only: cpuset is not cpu',
    texts: { memberships: '3:cpuset:/x\n2:cpu:/y\n', mounts: legacy('cpuset') + legacy('cpu') },
    cpu: [1, '/sys/fs/cgroup/cpu/y', '/sys/fs/cgroup/cpu'],
    cpuacct: NOTHING,
    memory: NOTHING,
  },
  {
    what: 'a hybrid host: what version 1 lists is there, the rest in the unified hierarchy',
    texts: {
      memberships: '9:name=systemd:/s\n4:memory:/lab.slice\n0::/u\n',
      mounts: legacy('memory') + unified('/', '/sys/fs/cgroup/unified'),
    },
    cpu: [2, '/sys/fs/cgroup/unified/u', '/sys/fs/cgroup/unified'],
    memory: [1, '/sys/fs/cgroup/memory/lab.slice', '/sys/fs/cgroup/memory'],
  },
  {
    what: 'a controller of version 1 that is not mounted, which no unified hierarchy has then',
    texts: {
      memberships: '4:memory:/a\n0::/a\n',
      mounts: unified(),
    },
    cpu: [2, '/sys/fs/cgroup/a', '/sys/fs/cgroup'],
    memory: NOTHING,
  },
  {
    what: 'a later mount over the first, which is the one that is seen',
    texts: {
      memberships: '1:cpu,cpuacct:/cg-lab/in\n4:memory:/cg-lab/in\n',
      mounts:
        legacy('cpu,cpuacct') +
        legacy('memory') +
        legacy('cpu,cpuacct', '/cg-lab/in') +
        legacy('memory', '/cg-lab/in'),
    },
    cpu: [1, '/sys/fs/cgroup/cpu,cpuacct'],
    memory: [1, '/sys/fs/cgroup/memory'],
    isPartial: true,
  },
  {
    what: 'a later mount of another type over it, which takes it away',
    texts: {
      memberships: '0::/a\n',
      mounts: `${unified()}99 35 0:77 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n`,
    },
    cpu: NOTHING,
  },
  {
    what: 'no mount at all (a distroless chroot)',
    texts: { memberships: '0::/docker/01\n', mounts: '1 0 8:1 / / rw - ext4 /dev/sda rw\n' },
    cpu: NOTHING,
  },
  { what: 'no line in /proc/self/cgroup', texts: { mounts: unified() }, cpu: NOTHING },
  { what: 'two empty texts', texts: {}, cpu: NOTHING },
  {
    what: 'a path that was named, on a host',
    texts: { memberships: '0::/me\n', mounts: unified(), forcedPath: '/a.slice/b' },
    cpu: [2, '/sys/fs/cgroup/a.slice/b', '/sys/fs/cgroup/a.slice', '/sys/fs/cgroup'],
  },
  {
    what: 'a path that was named, in a container: below the mount point',
    texts: {
      memberships: '0::/\n',
      mounts: unified(),
      hasPrivateNamespace: true,
      forcedPath: '/system.slice',
    },
    cpu: [2, '/sys/fs/cgroup/system.slice', '/sys/fs/cgroup'],
  },
  {
    what: 'a path that was named with the mount point before it',
    texts: { memberships: '0::/me\n', mounts: unified(), forcedPath: '/sys/fs/cgroup/a.slice' },
    cpu: [2, '/sys/fs/cgroup/a.slice', '/sys/fs/cgroup'],
  },
  {
    what: 'a path that was named with the mount point of one controller before it',
    texts: {
      memberships: '4:memory:/\n2:cpu,cpuacct:/\n',
      mounts: legacy('cpu,cpuacct') + legacy('memory'),
      forcedPath: '/sys/fs/cgroup/memory/a',
    },
    cpu: [1, '/sys/fs/cgroup/cpu,cpuacct/a', '/sys/fs/cgroup/cpu,cpuacct'],
    memory: [1, '/sys/fs/cgroup/memory/a', '/sys/fs/cgroup/memory'],
  },
  {
    what: 'a path that was named whose name only begins like the mount point',
    texts: { memberships: '0::/\n', mounts: unified(), forcedPath: '/sys/fs/cgroups' },
    cpu: [
      2,
      '/sys/fs/cgroup/sys/fs/cgroups',
      '/sys/fs/cgroup/sys/fs',
      '/sys/fs/cgroup/sys',
      '/sys/fs/cgroup',
    ],
  },
  {
    what: 'a path that was named where our own has no name',
    texts: { memberships: '0::/../x\n', mounts: unified(), forcedPath: '/a' },
    cpu: [2, '/sys/fs/cgroup/a', '/sys/fs/cgroup'],
  },
  {
    what: 'a path that was named where the mount has no name',
    texts: { memberships: '0::/\n', mounts: unified('/..'), forcedPath: '/a' },
    cpu: NAMELESS,
    isPartial: true,
  },
  {
    what: 'a path longer than any of the kernel’s',
    texts: { memberships: `0::${'/a'.repeat(2049)}\n`, mounts: unified() },
    cpu: /longer/,
  },
];

describe('the folders of', () => {
  for (const { what, texts, cpu, isMachine = false, isPartial = false, ...row } of ROWS) {
    test(what, () => {
      const cgroups = resolved(texts);
      assertFound(cgroups.cpu, cpu);
      assertFound(cgroups.cpuacct, row.cpuacct ?? cpu);
      assertFound(cgroups.memory, row.memory ?? cpu);
      assert.equal(isPath(cgroups.cpu) && cgroups.cpu.isMachine, isMachine);
      assert.equal(cgroups.isPartial, isPartial);
    });
  }
});

test('the paths that the process has are told, each once', () => {
  const { paths } = resolved({
    memberships: '4:memory:/docker/01\n2:cpu,cpuacct:/docker/01\n0::/\n',
  });
  assert.deepEqual(paths, ['/docker/01', '/']);
});

test('a place that is none is no data, with its reason', () => {
  assert.throws(
    () => pathOf(resolved({}).memory),
    (error) => error instanceof NoDataError && NOTHING.test(error.message),
  );
});

describe('whatever the texts', () => {
  const name = fc.constantFrom('a', 'b.slice', '..', '.', '', 'docker-01.scope', ':', '\\040', 'é');
  const path = fc.array(name, { maxLength: 6 }).map((names) => `/${names.join('/')}`);
  const controllers = fc
    .array(fc.constantFrom('cpu', 'cpuacct', 'cpuset', 'memory', 'pids', 'name=systemd', ''), {
      maxLength: 4,
    })
    .map((names) => names.join(','));
  const junk = fc.string({ unit: 'binary', maxLength: 40 });
  const membership = fc.oneof(
    {
      weight: 9,
      arbitrary: fc.tuple(fc.nat(12), controllers, path).map((parts) => parts.join(':')),
    },
    { weight: 1, arbitrary: junk },
  );
  const type = fc.constantFrom('cgroup', 'cgroup2', 'tmpfs', 'cgroupfs', 'ext4');
  const mount = fc.oneof(
    {
      weight: 9,
      arbitrary: fc
        .tuple(path, path, fc.constantFrom('', ' shared:1', ' master:1 - '), type, controllers)
        .map(
          ([root, point, optional, fs, options]) =>
            `1 0 0:1 ${root} ${point} rw${optional} - ${fs} none rw,${options}`,
        ),
    },
    { weight: 1, arbitrary: junk },
  );
  const lines = (line: fc.Arbitrary<string>): fc.Arbitrary<string> =>
    fc.array(line, { maxLength: 12 }).map((all) => all.join('\n'));
  const texts: fc.Arbitrary<CgroupTexts> = fc
    .record({
      memberships: lines(membership),
      mounts: lines(mount),
      hasPrivateNamespace: fc.boolean(),
      has: fc.func(fc.boolean()),
      forced: fc.option(path),
    })
    .map(({ forced, ...rest }) => (forced === null ? rest : { ...rest, forcedPath: forced }));

  test('each controller has folders from its own up to a mount point, or a reason', () => {
    fc.assert(
      fc.property(texts, (given) => {
        const { cpu, cpuacct, cpuset, memory } = resolveCgroups(given);
        for (const found of [cpu, cpuacct, cpuset, memory]) {
          if (!isPath(found)) {
            assert.ok(found.unresolved.length > 0);
            continue;
          }
          const { folders } = found;
          const point = folders[folders.length - 1] ?? '';
          for (const [index, folder] of folders.entries()) {
            assert.ok(!folder.split('/').slice(point.split('/').length).includes('..'), folder);
            const parent = folders[index + 1];
            if (parent === undefined) continue;
            const base = parent === '/' ? '' : parent;
            assert.equal(folder.slice(0, base.length + 1), `${base}/`);
            assert.ok(!folder.slice(base.length + 1).includes('/'), `${folder} below ${parent}`);
          }
        }
      }),
      { numRuns: 3000 },
    );
  });

  test('twice the text takes about twice the time, and not its square', () => {
    const work = (lines: number): CgroupTexts => ({
      memberships: '0::/a/b/c:d\n3:cpu,cpuacct:/x/y\n'.repeat(lines),
      mounts: Array.from({ length: lines }, (_, index) =>
        [unified('/', `/m${index}`), legacy('cpu,memory', '/r', `c${index}`)].join(''),
      ).join(''),
      hasPrivateNamespace: false,
      has: () => true,
    });
    const [small, large] = [work(2000), work(16_000)];
    /** Of CPU time, and the least of several: others share the machine. */
    const leastMs = (given: CgroupTexts): number =>
      Math.min(
        ...Array.from({ length: 5 }, () => {
          const before = process.cpuUsage();
          resolveCgroups(given);
          const { user, system } = process.cpuUsage(before);
          return (user + system) / 1000;
        }),
      );
    leastMs(small);
    const [few, many] = [leastMs(small), leastMs(large)];
    // Eight times the text; its square would be 64 times the time.
    assert.ok(many < few * 30, `${few} ms and ${many} ms`);
  });

  test('one line of 1 MB is no reason to hang or to throw', () => {
    const long = '/a'.repeat(500_000);
    for (const memberships of [`0::${long}`, `0:${long}`, long, '0:,'.repeat(300_000)]) {
      assert.ok(!isPath(resolved({ memberships, mounts: unified() }).cpu));
    }
    const mounts = [unified(long), unified('/', long), '1 0 0:1 / /x rw '.repeat(60_000), long];
    for (const text of mounts) {
      assert.doesNotThrow(() => resolved({ memberships: '0::/a', mounts: text }));
    }
  });
});
