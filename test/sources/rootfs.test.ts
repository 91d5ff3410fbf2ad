import assert from 'node:assert/strict';
import {
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { ConfigError, NoDataError } from '../../src/errors.ts';
import { openHostSource } from '../../src/sources/host.ts';
import { openRootFs, type RootFs, shown, typed } from '../../src/sources/rootfs.ts';
import type { Source } from '../../src/sources/source.ts';
import { makeRoot, type Root } from '../support/root.ts';
import { sampleAt, sourceOptions } from '../support/sources.ts';

const opened: { root: Root; fs: RootFs }[] = [];
after(() => {
  for (const { root, fs } of opened) {
    fs.close();
    root.remove();
  }
});

function rootFsOf(files: Readonly<Record<string, string>>): { root: Root; fs: RootFs } {
  const root = makeRoot(files);
  const fs = openRootFs(root.path);
  opened.push({ root, fs });
  return { root, fs };
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

describe('text', () => {
  test('gives the text as it is now, at every call', () => {
    const { root, fs } = rootFsOf({ 'proc/stat': 'one\n' });
    const file = fs.file('/proc/stat');
    assert.equal(file.path, '/proc/stat');
    assert.equal(file.text(), 'one\n');
    root.write({ 'proc/stat': 'another\n' });
    assert.equal(file.text(), 'another\n');
    root.write({ 'proc/stat': '2' });
    assert.equal(file.text(), '2');
  });

  test('keeps the bytes of a text that is not ASCII, as latin1', () => {
    const text = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code)).join('');
    assert.equal(rootFsOf({ 'proc/stat': text }).fs.file('/proc/stat').text(), text);
  });

  const sizes = [1, 4095, 4096, 8191, 8192, 8193, 16_384, 100_000, 3_000_000];
  for (const size of sizes) {
    test(`gives all of ${size} bytes`, () => {
      const text = 'a'.repeat(size - 1).concat('z');
      assert.equal(rootFsOf({ 'proc/stat': text }).fs.file('/proc/stat').text(), text);
    });
  }

  test('a file may outgrow the first buffer and shrink again', () => {
    const { root, fs } = rootFsOf({ 'proc/stat': 'small\n' });
    const file = fs.file('/proc/stat');
    assert.equal(file.text(), 'small\n');
    const large = 'cpu 1 2 3 4\n'.repeat(5000);
    root.write({ 'proc/stat': large });
    assert.equal(file.text(), large);
    root.write({ 'proc/stat': 'tiny\n' });
    assert.equal(file.text(), 'tiny\n');
  });

  test('a text beyond 4 MiB is cut', () => {
    const { fs } = rootFsOf({ 'proc/stat': 'x'.repeat(5 * 1024 * 1024) });
    assert.equal(fs.file('/proc/stat').text().length, 4 * 1024 * 1024);
  });

  test('two files of one root do not mix', () => {
    const { fs } = rootFsOf({ 'proc/stat': 'stat '.repeat(4000), 'proc/meminfo': 'mem' });
    const [stat, meminfo] = [fs.file('/proc/stat'), fs.file('/proc/meminfo')];
    assert.equal(meminfo.text(), 'mem');
    const first = stat.text();
    assert.equal(meminfo.text(), 'mem');
    assert.equal(first, 'stat '.repeat(4000));
  });

  test('a masked file is empty, which is no data, until it is filled', () => {
    const { root, fs } = rootFsOf({ 'proc/stat': '' });
    const file = fs.file('/proc/stat');
    assert.throws(() => file.text(), noData(/^\/proc\/stat: empty/));
    assert.throws(() => file.head(64), noData(/^\/proc\/stat: empty/));
    root.write({ 'proc/stat': 'cpu\n' });
    assert.equal(file.text(), 'cpu\n');
  });

  test('a file that is not there is no data, until it is there', () => {
    const { root, fs } = rootFsOf({});
    const file = fs.file('/proc/stat');
    assert.throws(() => file.text(), noData(/^\/proc\/stat: ENOENT$/));
    assert.throws(() => file.head(64), noData(/^\/proc\/stat: ENOENT$/));
    root.write({ 'proc/stat': 'cpu\n' });
    assert.equal(file.text(), 'cpu\n');
  });

  test('a folder in place of the file is no data, until the file is there', () => {
    const { root, fs } = rootFsOf({ 'proc/stat/inside': '' });
    const file = fs.file('/proc/stat');
    assert.throws(() => file.text(), noData(/^\/proc\/stat: EISDIR$/));
    assert.throws(() => file.head(64), noData(/^\/proc\/stat: EISDIR$/));
    rmSync(join(root.path, 'proc/stat'), { recursive: true });
    root.write({ 'proc/stat': 'cpu\n' });
    assert.equal(file.text(), 'cpu\n');
  });

  test('a file in place of a folder on the way is no data', () => {
    const { fs } = rootFsOf({ proc: 'a file' });
    assert.throws(() => fs.file('/proc/stat').text(), noData(/^\/proc\/stat: ENOTDIR$/));
  });

  test('the error carries what the system said', () => {
    const { fs } = rootFsOf({});
    assert.throws(
      () => fs.file('/proc/stat').text(),
      (error) =>
        error instanceof NoDataError && error.cause instanceof Error && 'code' in error.cause,
    );
  });

  test('the descriptor is kept: a file that takes the name over is not seen', () => {
    // The kernel's files never change their inode. What does is told by ENODEV, and opened anew.
    const { root, fs } = rootFsOf({ 'proc/stat': 'kept\n', 'proc/other': 'other\n' });
    const file = fs.file('/proc/stat');
    assert.equal(file.text(), 'kept\n');
    renameSync(join(root.path, 'proc/other'), join(root.path, 'proc/stat'));
    assert.equal(file.text(), 'kept\n');
    rmSync(join(root.path, 'proc/stat'));
    assert.equal(file.text(), 'kept\n');
    fs.close();
    root.write({ 'proc/stat': 'anew\n' });
    assert.equal(headOf(openRootFs(root.path), 64), 'anew\n');
  });

  test('a link below the root is followed', () => {
    const { root, fs } = rootFsOf({ 'proc/real': 'real\n' });
    symlinkSync('real', join(root.path, 'proc/stat'));
    assert.equal(fs.file('/proc/stat').text(), 'real\n');
    assert.equal(fs.root, root.path);
  });
});

/** The first bytes of /proc/stat as a text. */
function headOf(fs: RootFs, bytes: number): string {
  const end = fs.file('/proc/stat').head(bytes);
  return fs.buffer.toString('latin1', 0, end);
}

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
      assert.equal(headOf(rootFsOf({ 'proc/stat': text }).fs, bytes), head);
    });
  }

  test('gives the first lines of a file that is larger than any buffer', () => {
    const { fs } = rootFsOf({ 'proc/stat': `cpu  1 2 3 4\nintr${' 0'.repeat(50_000)}\n` });
    assert.equal(headOf(fs, 256), 'cpu  1 2 3 4\n');
  });

  test('a whole reading between two heads changes nothing', () => {
    const { fs } = rootFsOf({ 'proc/stat': `a\n${'b'.repeat(20_000)}\n` });
    const file = fs.file('/proc/stat');
    assert.equal(headOf(fs, 8), 'a\n');
    assert.equal(file.text().length, 20_003);
    assert.equal(headOf(fs, 8), 'a\n');
  });
});

describe('descriptors', { skip: process.platform !== 'linux' && 'needs /proc/self/fd' }, () => {
  test('one a file is kept, however often it is read, and close() gives all back', () => {
    const { root, fs } = rootFsOf({ 'proc/stat': 'cpu\n', 'proc/meminfo': 'mem\n' });
    const files = [fs.file('/proc/stat'), fs.file('/proc/stat'), fs.file('/proc/meminfo')];
    for (const file of [...files, ...files]) file.text();
    assert.equal(descriptorsBelow(root.path).length, 2);
    fs.close();
    assert.deepEqual(descriptorsBelow(root.path), []);
  });

  test('none is kept of a file that could not be read', () => {
    const { root, fs } = rootFsOf({ 'proc/stat/inside': '' });
    for (let time = 0; time < 3; time += 1) {
      assert.throws(() => fs.file('/proc/stat').text(), NoDataError);
    }
    assert.deepEqual(descriptorsBelow(root.path), []);
  });

  test('closing twice is closing once', () => {
    const { fs } = rootFsOf({ 'proc/stat': 'cpu\n' });
    fs.file('/proc/stat').text();
    fs.close();
    assert.doesNotThrow(() => fs.close());
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
        () => openRootFs(join(root.path, path)),
        (error) =>
          error instanceof ConfigError &&
          error.setting === '--root' &&
          error.message.includes(path) &&
          error.message.includes('expected a folder'),
      );
    });
  }

  test('but a link to a folder is a folder', () => {
    assert.equal(openRootFs(join(root.path, 'link')).file('/file').text(), 'text');
  });
});

describe('the host source on odd files', () => {
  const OPTIONS = sourceOptions({ wanted: new Set() });
  const STAT = 'cpu  1 2 3 4 5 6 7 8 0 0\ncpu0 1 2 3 4 5 6 7 8 0 0\n';
  const MEMINFO = 'MemTotal: 1000 kB\nMemFree: 100 kB\nMemAvailable: 400 kB\n';
  const ONLINE = 'sys/devices/system/cpu/online';

  function open(files: Readonly<Record<string, string>>): Source {
    return openHostSource(rootFsOf(files).fs, OPTIONS);
  }

  /** What is absent after one measuring. */
  function absentOf(files: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
    const source = open(files);
    sampleAt(source, 5);
    return Object.fromEntries(source.absent);
  }

  function memoryOf(files: Readonly<Record<string, string>>): (number | undefined)[] {
    const { memoryLimit, memoryUsed } = sampleAt(open(files), 5);
    return [memoryLimit, (memoryLimit ?? 0) - (memoryUsed ?? 0)];
  }

  test('measures memory at once, and CPU from the second time on', () => {
    const files = { 'proc/meminfo': MEMINFO, [ONLINE]: '0\n' };
    const { root, fs } = rootFsOf({ ...files, 'proc/stat': STAT });
    const source = openHostSource(fs, OPTIONS);
    assert.deepEqual(sampleAt(source, 5), {
      memory: 60,
      memoryUsed: 614_400,
      memoryLimit: 1_024_000,
    });
    // All but idle (4) and iowait (5): guest is in user, guest_nice in nice.
    root.write({ 'proc/stat': 'cpu  11 12 13 24 15 8 9 10 5 5\n' });
    const { cpu, cpuSteal, cpuCores } = sampleAt(source, 805);
    assert.deepEqual(
      [cpu, cpuSteal, cpuCores].map((value) => value?.toFixed(4)),
      [36 / 66, 2 / 66, 36 / 66].map((value, place) =>
        (place < 2 ? 100 * value : value).toFixed(4),
      ),
    );
    assert.deepEqual([...source.absent], []);
  });

  test('one group may be missing, with the file and the reason, and the other not', () => {
    assert.deepEqual(absentOf({ 'proc/meminfo': MEMINFO }), { cpu: '/proc/stat: ENOENT' });
    const noMeminfo = absentOf({ 'proc/stat': STAT, 'proc/meminfo': '' });
    assert.deepEqual(Object.keys(noMeminfo), ['memory']);
    assert.match(noMeminfo['memory'] ?? '', /\/proc\/meminfo: empty/);
  });

  test('an intr line of 100 kB before the end does not matter', () => {
    const intr = `intr${' 0'.repeat(50_000)}\n`;
    assert.deepEqual(absentOf({ 'proc/stat': STAT + intr, 'proc/meminfo': MEMINFO }), {});
  });

  /** Cores in use where 3 of 4 ticks were busy, on a machine with such a list of CPUs. */
  function coresOf(files: Readonly<Record<string, string>>): number | undefined {
    const { root, fs } = rootFsOf({ 'proc/stat': STAT, 'proc/meminfo': MEMINFO, ...files });
    const source = openHostSource(fs, OPTIONS);
    sampleAt(source, 0);
    root.write({ 'proc/stat': STAT.replace('cpu  1 2 3 4', 'cpu  31 2 3 14') });
    return sampleAt(source, 1000).cpuCores;
  }

  test('a machine whose list of CPUs is long is told from one that lost a CPU', () => {
    // Every second CPU of 512, as with SMT switched off: 1.2 kB.
    const list = Array.from({ length: 256 }, (_, index) => 2 * index);
    assert.equal(coresOf({ [ONLINE]: `${list.join(',')}\n` }), 192);
    assert.equal(coresOf({ [ONLINE]: `${list.slice(0, -1).join(',')}\n` }), 191.25);
  });

  test('without a list of CPUs those of /proc/stat are counted, and CPU is measured', () => {
    assert.equal(coresOf({}), 0.75);
    assert.equal(coresOf({ [ONLINE]: '' }), 0.75);
  });

  test('without any number of CPUs the share of busy ticks is there all the same', () => {
    const lone = 'cpu  1 2 3 4 5 6 7 8 0 0\n';
    const { root, fs } = rootFsOf({ 'proc/stat': lone, 'proc/meminfo': MEMINFO });
    const source = openHostSource(fs, OPTIONS);
    sampleAt(source, 0);
    root.write({ 'proc/stat': lone.replace('cpu  1 2 3 4', 'cpu  31 2 3 14') });
    const { cpu, cpuCores } = sampleAt(source, 1000);
    assert.deepEqual([cpu, cpuCores], [75, undefined]);
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
      assert.deepEqual(memoryOf({ 'proc/meminfo': meminfo }), [1000 * 1024, availableKib * 1024]);
    });
  }

  test('the estimate takes the watermarks where /proc/zoneinfo is', () => {
    const meminfo =
      'MemTotal: 1000 kB\nMemFree: 100 kB\nCached: 200 kB\nActive(file): 200 kB\nInactive(file): 100 kB\nSReclaimable: 60 kB\n';
    // 2 pages of 4 KiB: 100 - 8 + (300 - 8) + (60 - 8).
    const zoneinfo = 'Node 0, zone Normal\n  pages free 25\n        low      2\n';
    const available = (files: Readonly<Record<string, string>>): number | undefined =>
      memoryOf({ 'proc/meminfo': meminfo, ...files })[1];
    assert.equal(available({ 'proc/zoneinfo': zoneinfo }), 436 * 1024);
    assert.equal(available({}), 360 * 1024);
    assert.equal(available({ 'proc/zoneinfo': 'odd\n' }), 360 * 1024);
  });

  test('without MemFree nothing can be estimated, and the reason names it', () => {
    const absent = absentOf({ 'proc/meminfo': 'MemTotal: 1000 kB\nCached: 50 kB\n' });
    assert.match(absent['memory'] ?? '', /^\/proc\/meminfo: .*MemFree/);
  });

  test('what is missing comes back with its file', () => {
    const { root, fs } = rootFsOf({ 'proc/meminfo': MEMINFO });
    const source = openHostSource(fs, OPTIONS);
    sampleAt(source, 1);
    assert.deepEqual([...source.absent.keys()], ['cpu']);
    root.write({ 'proc/stat': STAT });
    sampleAt(source, 1001);
    assert.deepEqual([...source.absent], []);
  });
});

describe('names outside ASCII', () => {
  test('are the same bytes in and out, and people read them', () => {
    const { root, fs } = rootFsOf({});
    mkdirSync(join(root.path, 'sys/fs/cgroup/ärger.slice/名'), { recursive: true });
    const [slice = ''] = fs.list('/sys/fs/cgroup');
    assert.equal(shown(slice), 'ärger.slice');
    assert.equal(typed('ärger.slice'), slice);
    const folder = `/sys/fs/cgroup/${slice}/${typed('名')}`;
    assert.ok(fs.has(folder));
    assert.notEqual(fs.identity(folder), '');
    writeFileSync(join(root.path, shown(folder), 'cpu.stat'), 'usage_usec 1\n');
    assert.equal(fs.text(`${folder}/cpu.stat`), 'usage_usec 1\n');
    assert.equal(fs.file(`${folder}/cpu.stat`).text(), 'usage_usec 1\n');
    assert.throws(
      () => fs.file(`${folder}/gone`).text(),
      noData(/ärger\.slice\/名\/gone: ENOENT$/),
    );
  });

  test('and not even UTF-8 are found', () => {
    const { root, fs } = rootFsOf({});
    const base = Buffer.from(`${root.path}/`, 'utf8');
    mkdirSync(Buffer.concat([base, Buffer.from([0xff, 0xfe])]));
    symlinkSync('x', Buffer.concat([base, Buffer.from([0xe9])]));
    assert.deepEqual([...fs.list('/')].sort(), ['\u00e9', '\u00ff\u00fe']);
    assert.ok(fs.has('/\u00ff\u00fe'));
    assert.equal(fs.link('/\u00e9'), 'x');
  });

  test('may stand in the root itself', () => {
    const { root } = rootFsOf({ 'wurzel-ß/proc/stat': 'cpu\n' });
    assert.equal(openRootFs(join(root.path, 'wurzel-ß')).file('/proc/stat').text(), 'cpu\n');
  });
});

describe('what a root is asked beside its files', () => {
  test('is nothing where nothing is', () => {
    const { fs } = rootFsOf({ file: '' });
    assert.deepEqual(
      [fs.text('/a'), fs.list('/a'), fs.link('/a'), fs.has('/a'), fs.identity('/a')],
      ['', [], '', false, ''],
    );
    assert.deepEqual(
      [fs.refusal('/a'), fs.refusal('/file'), fs.refusal('/file/a')],
      ['ENOENT', '', 'ENOTDIR'],
    );
  });

  test('a folder has one identity by whatever path', () => {
    const { root, fs } = rootFsOf({ 'a/b/file': '' });
    symlinkSync('a/b', join(root.path, 'other'));
    assert.equal(fs.identity('/other'), fs.identity('/a/b'));
    assert.notEqual(fs.identity('/a'), fs.identity('/a/b'));
  });

  test('what is released below a folder is closed, and opens anew', () => {
    const { root, fs } = rootFsOf({ 'proc/1/stat': 'one\n', 'proc/12/stat': 'twelve\n' });
    const files = [fs.file('/proc/1/stat'), fs.file('/proc/12/stat')];
    for (const file of files) file.text();
    fs.release('/proc/1');
    assert.deepEqual(descriptorsBelow(root.path), [join(root.path, 'proc/12/stat')]);
    assert.equal(fs.file('/proc/1/stat').text(), 'one\n');
  });
});
