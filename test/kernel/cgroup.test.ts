import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { parseMemberships, UNIFIED } from '../../src/kernel/cgroup.ts';
import { countCpus } from '../../src/kernel/cpus.ts';
import { parseByteLimit, parseCfsQuota, parseCpuMax } from '../../src/kernel/limits.ts';
import { type Mount, parseMounts } from '../../src/kernel/mountinfo.ts';
import { parseVmStat } from '../../src/kernel/vmstat.ts';

describe('parseMemberships', () => {
  const rows: [what: string, text: string, paths: Record<string, string>][] = [
    ['version 2', '0::/user.slice/a.scope\n', { [UNIFIED]: '/user.slice/a.scope' }],
    [
      'version 1, co-mounted in either order',
      '4:memory:/docker/0123\n2:cpu,cpuacct:/a\n3:net_prio,net_cls:/b\n',
      { memory: '/docker/0123', cpu: '/a', cpuacct: '/a', net_prio: '/b', net_cls: '/b' },
    ],
    [
      'a hybrid host, whose named hierarchy is no controller',
      '9:name=systemd:/\n4:memory:/lab.slice/job-1\n1:cpu:/\n0::/\n',
      { 'name=systemd': '/', memory: '/lab.slice/job-1', cpu: '/', [UNIFIED]: '/' },
    ],
    [
      'a path with colons, as containerd writes them with systemd',
      '0::/system.slice/containerd.service/kubepods-besteffort-pod1.slice:cri-containerd:77ab\n',
      {
        [UNIFIED]:
          '/system.slice/containerd.service/kubepods-besteffort-pod1.slice:cri-containerd:77ab',
      },
    ],
    ['a path with blanks and backslashes', '0::/a b/c\\x2dd\n', { [UNIFIED]: '/a b/c\\x2dd' }],
    ['a path out of the namespace', '0::/../../app\n', { [UNIFIED]: '/../../app' }],
    ['no line feed at the end', '0::/', { [UNIFIED]: '/' }],
    ['lines of another form', 'junk\n:::\n0:/\n-1::/x\n1:cpu:/c\n', { cpu: '/c' }],
    ['an empty text', '', {}],
  ];
  for (const [what, text, paths] of rows) {
    test(`reads ${what}`, () =>
      assert.deepEqual(Object.fromEntries(parseMemberships(text)), paths));
  }
});

describe('parseMounts', () => {
  const CGROUP2: Mount = {
    root: '/',
    point: '/sys/fs/cgroup',
    type: 'cgroup2',
    options: ['rw', 'nsdelegate'],
  };
  const LINE = '35 24 0:30 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n';

  const rows: [what: string, text: string, mounts: Mount[]][] = [
    ['a mount without optional fields', LINE, [CGROUP2]],
    ['one optional field', LINE.replace(' - ', ' shared:9 - '), [CGROUP2]],
    [
      'several optional fields',
      LINE.replace(' - ', ' shared:9 master:4 propagate_from:2 unbindable - '),
      [CGROUP2],
    ],
    [
      'the escapes for blank, tab, line feed and backslash, in root and mount point',
      '1 0 0:1 /a\\134b\\040c /my\\040cg\\011roup\\012x\\134040 rw - cgroup cgroup rw,memory\n',
      [
        {
          root: '/a\\b c',
          point: '/my cg\troup\nx\\040',
          type: 'cgroup',
          options: ['rw', 'memory'],
        },
      ],
    ],
    [
      'a part of a hierarchy',
      '7 6 0:25 /docker/01 /sys/fs/cgroup/memory ro master:12 - cgroup cgroup rw,memory\n',
      [
        {
          root: '/docker/01',
          point: '/sys/fs/cgroup/memory',
          type: 'cgroup',
          options: ['rw', 'memory'],
        },
      ],
    ],
    [
      'the later of two on one point, which hides the first',
      `${LINE}97 35 0:26 /cg-lab/in /sys/fs/cgroup rw - cgroup cgroup rw,cpu\n`,
      [{ root: '/cg-lab/in', point: '/sys/fs/cgroup', type: 'cgroup', options: ['rw', 'cpu'] }],
    ],
    [
      'a later one of another type, which takes the cgroup away',
      `${LINE}98 35 0:50 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n`,
      [{ root: '/', point: '/sys/fs/cgroup', type: 'tmpfs', options: ['rw'] }],
    ],
    [
      'a source with a dash in its name',
      '5 1 8:1 / /data rw - ext4 /dev/disk - rw\n',
      [{ root: '/', point: '/data', type: 'ext4', options: ['-'] }],
    ],
    [
      'no options',
      '5 1 8:1 / /x rw - proc\n',
      [{ root: '/', point: '/x', type: 'proc', options: [''] }],
    ],
    ['lines of another form', `\njunk\n1 2 3 - \n4 5 6 / - cgroup2 c rw\n${LINE}`, [CGROUP2]],
    ['a line cut short', `${LINE}36 24 0:31 / /sys/fs/cgr`, [CGROUP2]],
    ['an empty text', '', []],
  ];
  for (const [what, text, mounts] of rows) {
    test(`reads ${what}`, () => assert.deepEqual(parseMounts(text), mounts));
  }
});

describe('countCpus', () => {
  const rows: [list: string, count: number][] = [
    ['0', 1],
    ['0-3', 4],
    ['0-3,8', 5],
    ['0,2,4-5\n', 4],
    ['0-191', 192],
    ['7-7', 1],
    ['', Number.NaN],
    ['\n', Number.NaN],
    ['3-0', Number.NaN],
    ['0-3,', Number.NaN],
    ['a-b', Number.NaN],
    ['-1', Number.NaN],
    ['0-', Number.NaN],
    ['0 1', Number.NaN],
  ];
  for (const [list, count] of rows) {
    test(`"${list.trim()}" names ${count}`, () => assert.equal(countCpus(list), count));
  }
});

describe('limits', () => {
  const NONE = Number.POSITIVE_INFINITY;
  const cpuMax: [text: string, cores: number][] = [
    ['50000 100000\n', 0.5],
    ['150000 50000\n', 3],
    ['max 100000\n', NONE],
    ['50000\n', 0.5],
    ['max\n', NONE],
    ['50000 0\n', NONE],
    ['0 100000\n', NONE],
    ['0 0\n', NONE],
    ['-1 100000\n', NONE],
    ['50000 junk\n', NONE],
    ['junk 100000\n', NONE],
    ['5e4 1e5\n', NONE],
    ['', NONE],
  ];
  for (const [text, cores] of cpuMax) {
    test(`cpu.max "${text.trim()}" is ${cores} cores`, () =>
      assert.equal(parseCpuMax(text), cores));
  }

  const quotas: [quota: string, period: string, cores: number][] = [
    ['50000\n', '100000\n', 0.5],
    ['-1\n', '100000\n', NONE],
    ['50000\n', '0\n', NONE],
    ['0\n', '100000\n', NONE],
    ['50000\n', '\n', NONE],
    ['', '', NONE],
  ];
  for (const [quota, period, cores] of quotas) {
    test(`a quota of "${quota.trim()}" in "${period.trim()}" is ${cores} cores`, () => {
      assert.equal(parseCfsQuota(quota, period), cores);
    });
  }

  const bytes: [text: string, bytes: number][] = [
    ['268435456\n', 268435456],
    ['max\n', NONE],
    ['0\n', NONE],
    ['-1\n', NONE],
    ['', NONE],
    ['256M\n', NONE],
    // Version 1 without a limit: LONG_MAX in whole pages of 4 KiB and of 64 KiB.
    ['9223372036854771712\n', 2 ** 63 - 4096],
    ['9223372036854710272\n', 2 ** 63 - 65_536],
  ];
  for (const [text, expected] of bytes) {
    test(`a limit of "${text.trim()}" is ${expected} bytes`, () => {
      assert.equal(parseByteLimit(text), expected);
    });
  }
});

describe('parseVmStat', () => {
  const APPLE = `Mach Virtual Memory Statistics: (page size of 16384 bytes)
Pages free:                              230372.
Pages active:                           1482390.
Pages inactive:                         1467600.
Pages speculative:                        17506.
Pages throttled:                              0.
Pages wired down:                        283654.
Pages purgeable:                          37518.
"Translation faults":                5294967296.
Pages copy-on-write:                   68461713.
File-backed pages:                      1197391.
Anonymous pages:                        1770105.
Pages stored in compressor:             1415705.
Pages occupied by compressor:            652133.
`;
  const BYTES = (1770105 - 37518 + 283654 + 652133) * 16384;

  const good: [what: string, text: string, bytes: number][] = [
    ['Apple silicon', APPLE, BYTES],
    ['pages of Intel', APPLE.replace('16384', '4096'), BYTES / 4],
    ['quoted labels', APPLE.replaceAll(/^([A-Z][\w -]+):/gm, '"$1":'), BYTES],
    ['CRLF', APPLE.replaceAll('\n', '\r\n'), BYTES],
    [
      'labels of systems to come, between and behind',
      APPLE.replace('Pages free', 'Pages tagged:   77.\nPages free').concat(
        'Bytes of compressed tags:  12345.\nTagged compressions: 5.\n',
      ),
      BYTES,
    ],
    [
      'labels of before 10.9, without compressor and anonymous pages',
      `Mach Virtual Memory Statistics: (page size of 4096 bytes)
Pages free:                         1069.
Pages active:                     500000.
Pages inactive:                   200000.
Pages speculative:                  5000.
Pages wired down:                 100000.
"Translation faults":          797355551.
Object cache: 14 hits of 797355 lookups (0% hit rate)
`,
      600_000 * 4096,
    ],
  ];
  for (const [what, text, bytes] of good) {
    test(`reads ${what}`, () => assert.equal(parseVmStat(text), bytes));
  }

  const bad: [what: string, text: string][] = [
    ['an empty text', ''],
    ['only the first line', 'Mach Virtual Memory Statistics: (page size of 4096 bytes)\n'],
    ['no page size', APPLE.replace(/^.*\n/, '')],
    ['no wired pages', APPLE.replace(/^Pages wired.*\n/m, '')],
    [
      'another program’s text',
      'procs -----------memory---------- ---swap--\n r  b   swpd   free\n',
    ],
  ];
  for (const [what, text] of bad) {
    test(`refuses ${what}`, () => {
      assert.throws(() => parseVmStat(text), { name: 'SyntaxError', message: /page size/ });
    });
  }
});

test('whatever the text, no parser throws but the one of vm_stat, and that a SyntaxError', () => {
  const word = fc.constantFrom(
    ...'0 1 :: : / /.. cpu memory,cpu - cgroup cgroup2 max 100000 -1 \n \\040 some total= 0-3'.split(
      ' ',
    ),
  );
  const text = fc.oneof(
    fc.array(word, { maxLength: 60 }).map((words) => words.join(' ')),
    fc.array(word, { maxLength: 60 }).map((words) => words.join('')),
    fc.string({ unit: 'binary', maxLength: 200 }),
  );
  fc.assert(
    fc.property(text, text, (one, other) => {
      parseMemberships(one);
      parseMounts(one);
      assert.ok(Number.isNaN(countCpus(one)) || countCpus(one) > 0);
      assert.ok(parseCpuMax(one) > 0 && parseCfsQuota(one, other) > 0);
      assert.ok(parseByteLimit(one) > 0);
      try {
        parseVmStat(one);
      } catch (error) {
        assert.ok(error instanceof SyntaxError);
      }
    }),
    { numRuns: 1000 },
  );
});
