import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readlinkSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { ConfigError, NoDataError } from '../../src/errors.ts';
import { type Group, isMissing, type Missing, type Reading } from '../../src/metrics/reading.ts';
import { openHostSource } from '../../src/sources/host.ts';
import { type Host, openHost } from '../../src/sources/rootfs.ts';
import { makeRoot, type Root } from '../support/root.ts';
import { sourceOptions } from '../support/sources.ts';

const opened: { root: Root; host: Host }[] = [];
after(() => {
  for (const { root, host } of opened) {
    host.close();
    root.remove();
  }
});

function hostOf(files: Readonly<Record<string, string>>): { root: Root; host: Host } {
  const root = makeRoot(files);
  const host = openHost(root.path);
  opened.push({ root, host });
  return { root, host };
}

function noData(message: RegExp): (error: unknown) => boolean {
  return (error) => error instanceof NoDataError && message.test(error.message);
}

/** Descriptors of this process that lead below `path`. */
function descriptorsBelow(path: string): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`);
      return target.startsWith(path) ? [target] : [];
    } catch {
      // The descriptor of the listing itself is gone by now.
      return [];
    }
  });
}

describe('read', () => {
  test('gives the text as it is now, at every call', () => {
    const { root, host } = hostOf({ 'proc/stat': 'one\n' });
    const file = host.file('/proc/stat');
    assert.equal(file.path, '/proc/stat');
    assert.equal(file.read(), 'one\n');
    root.write({ 'proc/stat': 'another\n' });
    assert.equal(file.read(), 'another\n');
    root.write({ 'proc/stat': '2' });
    assert.equal(file.read(), '2');
  });

  test('keeps the bytes of a text that is not ASCII, as latin1', () => {
    const text = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code)).join('');
    assert.equal(hostOf({ 'proc/stat': text }).host.file('/proc/stat').read(), text);
  });

  const sizes = [1, 4095, 4096, 8191, 8192, 8193, 16_384, 100_000, 3_000_000];
  for (const size of sizes) {
    test(`gives all of ${size} bytes`, () => {
      const text = 'a'.repeat(size - 1).concat('z');
      assert.equal(hostOf({ 'proc/stat': text }).host.file('/proc/stat').read(), text);
    });
  }

  test('a file may outgrow the first buffer and shrink again', () => {
    const { root, host } = hostOf({ 'proc/stat': 'small\n' });
    const file = host.file('/proc/stat');
    assert.equal(file.read(), 'small\n');
    const large = 'cpu 1 2 3 4\n'.repeat(5000);
    root.write({ 'proc/stat': large });
    assert.equal(file.read(), large);
    root.write({ 'proc/stat': 'tiny\n' });
    assert.equal(file.read(), 'tiny\n');
  });

  test('a text beyond 4 MiB is cut', () => {
    const { host } = hostOf({ 'proc/stat': 'x'.repeat(5 * 1024 * 1024) });
    assert.equal(host.file('/proc/stat').read().length, 4 * 1024 * 1024);
  });

  test('two files of one host do not mix', () => {
    const { host } = hostOf({ 'proc/stat': 'stat '.repeat(4000), 'proc/meminfo': 'mem' });
    const [stat, meminfo] = [host.file('/proc/stat'), host.file('/proc/meminfo')];
    assert.equal(meminfo.read(), 'mem');
    const first = stat.read();
    assert.equal(meminfo.read(), 'mem');
    assert.equal(first, 'stat '.repeat(4000));
  });

  test('a masked file is empty, which is no data, until it is filled', () => {
    const { root, host } = hostOf({ 'proc/stat': '' });
    const file = host.file('/proc/stat');
    assert.throws(() => file.read(), noData(/^\/proc\/stat: empty/));
    assert.throws(() => file.head(64), noData(/^\/proc\/stat: empty/));
    root.write({ 'proc/stat': 'cpu\n' });
    assert.equal(file.read(), 'cpu\n');
  });

  test('a file that is not there is no data, until it is there', () => {
    const { root, host } = hostOf({});
    const file = host.file('/proc/stat');
    assert.throws(() => file.read(), noData(/^\/proc\/stat: ENOENT$/));
    assert.throws(() => file.head(64), noData(/^\/proc\/stat: ENOENT$/));
    root.write({ 'proc/stat': 'cpu\n' });
    assert.equal(file.read(), 'cpu\n');
  });

  test('a folder in place of the file is no data, until the file is there', () => {
    const { root, host } = hostOf({ 'proc/stat/inside': '' });
    const file = host.file('/proc/stat');
    assert.throws(() => file.read(), noData(/^\/proc\/stat: EISDIR$/));
    assert.throws(() => file.head(64), noData(/^\/proc\/stat: EISDIR$/));
    rmSync(join(root.path, 'proc/stat'), { recursive: true });
    root.write({ 'proc/stat': 'cpu\n' });
    assert.equal(file.read(), 'cpu\n');
  });

  test('a file in place of a folder on the way is no data', () => {
    const { host } = hostOf({ proc: 'a file' });
    assert.throws(() => host.file('/proc/stat').read(), noData(/^\/proc\/stat: ENOTDIR$/));
  });

  test('the error carries what the system said', () => {
    const { host } = hostOf({});
    assert.throws(
      () => host.file('/proc/stat').read(),
      (error) =>
        error instanceof NoDataError && error.cause instanceof Error && 'code' in error.cause,
    );
  });

  test('the descriptor is kept: a file that takes the name over is not seen', () => {
    // The kernel's files never change their inode. What does is told by ENODEV, and opened anew.
    const { root, host } = hostOf({ 'proc/stat': 'kept\n', 'proc/other': 'other\n' });
    const file = host.file('/proc/stat');
    assert.equal(file.read(), 'kept\n');
    renameSync(join(root.path, 'proc/other'), join(root.path, 'proc/stat'));
    assert.equal(file.read(), 'kept\n');
    rmSync(join(root.path, 'proc/stat'));
    assert.equal(file.read(), 'kept\n');
    host.close();
    root.write({ 'proc/stat': 'anew\n' });
    assert.equal(openHost(root.path).file('/proc/stat').head(64), 'anew\n');
  });

  test('a link below the root is followed', () => {
    const { root, host } = hostOf({ 'proc/real': 'real\n' });
    symlinkSync('real', join(root.path, 'proc/stat'));
    assert.equal(host.file('/proc/stat').read(), 'real\n');
    assert.equal(host.root, root.path);
  });
});

describe('head', () => {
  const cases: [what: string, text: string, bytes: number, head: string][] = [
    ['the whole of a shorter text', 'a\nbc\n', 16, 'a\nbc\n'],
    ['a shorter text without a line feed at its end', 'a\nbc', 16, 'a\nbc'],
    ['no line that is cut', 'a\nbcdefgh\n', 4, 'a\n'],
    ['a line that ends with the last byte', 'a\nbc\nd\n', 5, 'a\nbc\n'],
    ['nothing of a text of just as many bytes without a line feed', 'abcd', 4, ''],
    ['nothing where the first line is longer', 'abcdefgh\n', 4, ''],
    ['lines with CRLF', 'a\r\nbcdefg\r\n', 6, 'a\r\n'],
  ];
  for (const [what, text, bytes, head] of cases) {
    test(`gives ${what}`, () => {
      assert.equal(hostOf({ 'proc/stat': text }).host.file('/proc/stat').head(bytes), head);
    });
  }

  test('gives the first lines of a file that is larger than any buffer', () => {
    const { host } = hostOf({ 'proc/stat': `cpu  1 2 3 4\nintr${' 0'.repeat(50_000)}\n` });
    assert.equal(host.file('/proc/stat').head(256), 'cpu  1 2 3 4\n');
  });

  test('a whole reading between two heads changes nothing', () => {
    const { host } = hostOf({ 'proc/stat': `a\n${'b'.repeat(20_000)}\n` });
    const file = host.file('/proc/stat');
    assert.equal(file.head(8), 'a\n');
    assert.equal(file.read().length, 20_003);
    assert.equal(file.head(8), 'a\n');
  });
});

describe('descriptors', { skip: process.platform !== 'linux' && 'needs /proc/self/fd' }, () => {
  test('one a file is kept, however often it is read, and close() gives all back', () => {
    const { root, host } = hostOf({ 'proc/stat': 'cpu\n', 'proc/meminfo': 'mem\n' });
    const files = [host.file('/proc/stat'), host.file('/proc/stat'), host.file('/proc/meminfo')];
    for (const file of [...files, ...files]) file.read();
    assert.equal(descriptorsBelow(root.path).length, 2);
    host.close();
    assert.deepEqual(descriptorsBelow(root.path), []);
  });

  test('none is kept of a file that could not be read', () => {
    const { root, host } = hostOf({ 'proc/stat/inside': '' });
    for (let time = 0; time < 3; time += 1) {
      assert.throws(() => host.file('/proc/stat').read(), NoDataError);
    }
    assert.deepEqual(descriptorsBelow(root.path), []);
  });

  test('closing twice is closing once', () => {
    const { host } = hostOf({ 'proc/stat': 'cpu\n' });
    host.file('/proc/stat').read();
    host.close();
    assert.doesNotThrow(() => host.close());
  });
});

describe('a root that is not a folder is a ConfigError of --root', () => {
  const root = makeRoot({ file: 'text', 'folder/file': 'text' });
  symlinkSync('loop', join(root.path, 'loop'));
  symlinkSync('gone', join(root.path, 'dangling'));
  symlinkSync('folder', join(root.path, 'link'));
  after(() => root.remove());

  const bad: [what: string, path: string][] = [
    ['a path that is not there', 'nothing/here'],
    ['a file', 'file'],
    ['a path through a file', 'file/below'],
    ['a link to nothing', 'dangling'],
    ['a link to itself', 'loop'],
    ['a name longer than the system takes', 'x'.repeat(300)],
  ];
  for (const [what, path] of bad) {
    test(what, () => {
      assert.throws(
        () => openHost(join(root.path, path)),
        (error) =>
          error instanceof ConfigError &&
          error.setting === '--root' &&
          error.message.includes(path) &&
          error.message.includes('expected a folder'),
      );
    });
  }

  test('but a link to a folder is a folder', () => {
    assert.equal(openHost(join(root.path, 'link')).file('/file').read(), 'text');
  });
});

describe('the host source on odd files', () => {
  const OPTIONS = sourceOptions({ wanted: new Set() });
  const STAT = 'cpu  1 2 3 4 5 6 7 8 0 0\ncpu0 1 2 3 4 5 6 7 8 0 0\n';
  const MEMINFO = 'MemTotal: 1000 kB\nMemFree: 100 kB\nMemAvailable: 400 kB\n';
  const ONLINE = 'sys/devices/system/cpu/online';

  function read(files: Readonly<Record<string, string>>): Reading {
    return openHostSource(hostOf(files).host, OPTIONS).read(5);
  }

  /** A group that is there. */
  function there<Values>(group: Group<Values> | Missing | undefined): Group<Values> {
    assert.ok(group !== undefined && !isMissing(group), JSON.stringify(group));
    return group;
  }

  /** Why a group is not there. */
  function reason(group: Group<unknown> | Missing | undefined): string {
    assert.ok(group !== undefined && isMissing(group), JSON.stringify(group));
    return group.missing;
  }

  function memoryOf(files: Readonly<Record<string, string>>): { total: number; available: number } {
    const { used, limit } = there(read(files).memory).values;
    return { total: limit, available: limit - used };
  }

  function keyOf(reading: Reading): string {
    return there(reading.ticks).key;
  }

  test('reads both groups at the instant it was given', () => {
    const { ticks, memory } = read({
      'proc/stat': STAT,
      'proc/meminfo': MEMINFO,
      [ONLINE]: '0\n',
    });
    const counted = {
      user: 1,
      nice: 2,
      system: 3,
      idle: 4,
      iowait: 5,
      irq: 6,
      softirq: 7,
      steal: 8,
    };
    assert.deepEqual(ticks, {
      at: 5,
      key: '0\n',
      values: { ticks: counted, online: 1, cores: 1 },
    });
    assert.deepEqual(memory, {
      at: 5,
      key: '',
      values: { used: 614_400, limit: 1_024_000 },
    });
  });

  test('one group may be missing, with the file and the reason, and the other not', () => {
    const noStat = read({ 'proc/meminfo': MEMINFO });
    assert.equal(reason(noStat.ticks), '/proc/stat: ENOENT');
    there(noStat.memory);
    const noMeminfo = read({ 'proc/stat': STAT, 'proc/meminfo': '' });
    there(noMeminfo.ticks);
    assert.match(reason(noMeminfo.memory), /\/proc\/meminfo: empty/);
  });

  test('an intr line of 100 kB before the end does not matter', () => {
    const intr = `intr${' 0'.repeat(50_000)}\n`;
    there(read({ 'proc/stat': STAT + intr }).ticks);
  });

  test('a machine whose list of CPUs is long is told from one that lost a CPU', () => {
    // Every second CPU of 512, as with SMT switched off: 1.2 kB.
    const list = Array.from({ length: 256 }, (_, index) => 2 * index);
    const all = keyOf(read({ 'proc/stat': STAT, [ONLINE]: `${list.join(',')}\n` }));
    const less = keyOf(read({ 'proc/stat': STAT, [ONLINE]: `${list.slice(0, -1).join(',')}\n` }));
    assert.notEqual(all, less);
  });

  test('without a list of CPUs the key is empty, and CPU is measured', () => {
    assert.equal(keyOf(read({ 'proc/stat': STAT })), '');
    assert.equal(keyOf(read({ 'proc/stat': STAT, [ONLINE]: '' })), '');
  });

  const TABLE = `        total:    used:    free:  shared: buffers:  cached:
Mem:  260579328 136073216 124506112        0  4915200 94064640
Swap:        0        0        0
`;
  const FILLER = 'Filler:       0 kB\n'.repeat(20);
  const layouts: [what: string, meminfo: string, availableKib: number][] = [
    ['in the first lines', MEMINFO, 400],
    [
      'in the middle of the file',
      `MemTotal: 1000 kB\n${FILLER}MemAvailable: 400 kB\n${FILLER}`,
      400,
    ],
    ['behind the table of 2.4', TABLE + MEMINFO, 400],
    ['with MemTotal in the middle too', `${FILLER}${MEMINFO}`, 400],
    [
      'nowhere, so that it is estimated',
      'MemTotal: 1000 kB\nMemFree: 100 kB\nCached: 50 kB\n',
      150,
    ],
    ['as 0, so that it is estimated', `${MEMINFO.replace('400', '0')}Cached: 50 kB\n`, 150],
    ['above the total, so that it is estimated', MEMINFO.replace('400', '1001'), 100],
  ];
  for (const [what, meminfo, availableKib] of layouts) {
    test(`what is available may stand ${what}`, () => {
      assert.deepEqual(memoryOf({ 'proc/meminfo': meminfo }), {
        total: 1000 * 1024,
        available: availableKib * 1024,
      });
    });
  }

  test('the estimate takes the watermarks where /proc/zoneinfo is', () => {
    const meminfo =
      'MemTotal: 1000 kB\nMemFree: 100 kB\nCached: 200 kB\nActive(file): 200 kB\nInactive(file): 100 kB\nSReclaimable: 60 kB\n';
    // 2 pages of 4 KiB: 100 - 8 + (300 - 8) + (60 - 8).
    const zoneinfo = 'Node 0, zone Normal\n  pages free 25\n        low      2\n';
    const available = 436 * 1024;
    assert.equal(
      memoryOf({ 'proc/meminfo': meminfo, 'proc/zoneinfo': zoneinfo }).available,
      available,
    );
    assert.equal(memoryOf({ 'proc/meminfo': meminfo }).available, 360 * 1024);
    assert.equal(
      memoryOf({ 'proc/meminfo': meminfo, 'proc/zoneinfo': 'odd\n' }).available,
      360 * 1024,
    );
  });

  test('without MemFree nothing can be estimated, and the reason names it', () => {
    const { memory } = read({ 'proc/meminfo': 'MemTotal: 1000 kB\nCached: 50 kB\n' });
    assert.match(reason(memory), /^\/proc\/meminfo: .*MemFree/);
  });

  test('what is missing comes back with its file', () => {
    const { root, host } = hostOf({ 'proc/meminfo': MEMINFO });
    const source = openHostSource(host, OPTIONS);
    reason(source.read(1).ticks);
    mkdirSync(join(root.path, 'proc'), { recursive: true });
    root.write({ 'proc/stat': STAT });
    there(source.read(2).ticks);
  });
});
