import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { MEMINFO_HEAD_BYTES } from '../../src/kernel/meminfo.ts';
import { openHostSource } from '../../src/sources/host.ts';
import { openRootFs } from '../../src/sources/rootfs.ts';
import type { Source } from '../../src/sources/source.ts';
import { makeRoot, type Root } from '../support/root.ts';
import { type Sample, sampleAt, sourceOptions } from '../support/sources.ts';

/** What the host scope needs for its two default figures. */
const options = sourceOptions({ wanted: new Set() });

let root: Root;
let source: Source;

beforeEach(() => {
  root = makeRoot();
});

afterEach(() => {
  source.close();
  root.remove();
});

/** The sample between the two instants of a fixture. */
function sampleOf(fixture: string): Sample {
  root.lay(fixture, 't0');
  source = openHostSource(openRootFs(root.path), options);
  const at = (): number => Number(readFileSync(`${root.path}/monotonic-ns`, 'utf8')) / 1e6;
  sampleAt(source, at());
  root.lay(fixture, 't1');
  return sampleAt(source, at());
}

describe('captured hosts', () => {
  // Reckoned from the captures by another program: (Δtotal − Δidle − Δiowait) / Δtotal, (T − A) / T.
  const truth: readonly [string, number | undefined, number][] = [
    ['host-v1-busy-core-1GiB-tmpfs', 50.5, 5.738159050179865],
    ['host-v1-hybrid-split', 51.23152709359606, 2.243194440595811],
    ['host-v1-masked-stat', undefined, 1.3602287206606491],
    ['vm-v1-comounted-host', 63.46863468634686, 16.540179188400533],
    ['vm-v2-host-root', 58.57740585774059, 17.254287214761522],
  ];
  for (const [fixture, cpu, memory] of truth) {
    test(`${fixture} reads ${cpu?.toFixed(1) ?? 'no'} % CPU and ${memory.toFixed(1)} % memory`, () => {
      const sample = sampleOf(fixture);
      const digits = (value: number | undefined) => value?.toFixed(9);
      assert.deepEqual([sample.cpu, sample.memory].map(digits), [cpu, memory].map(digits));
    });
  }
});

describe('a host that lacks something', () => {
  const stat = 'cpu  10 0 10 100 0 0 0 0 0 0\n';
  const meminfo = 'MemTotal: 1000 kB\nMemFree: 100 kB\nBuffers: 50 kB\nCached: 150 kB\n';

  function open(files: Readonly<Record<string, string>>): Source {
    root.write(files);
    source = openHostSource(openRootFs(root.path), options);
    return source;
  }

  /** Bytes in use, and of how many. */
  function memoryOf(files: Readonly<Record<string, string>>): (number | undefined)[] {
    const { memoryUsed, memoryLimit } = sampleAt(open(files), 5);
    return [memoryUsed, memoryLimit];
  }

  test('without MemAvailable and zoneinfo, what is free and cached counts as available', () => {
    const files = { 'proc/stat': stat, 'proc/meminfo': meminfo };
    assert.deepEqual(memoryOf(files), [750 * 1024, 1000 * 1024]);
  });

  test('MemAvailable far down in the file is found all the same', () => {
    const filler = 'Filler: 1 kB\n'.repeat(50);
    const text = `MemTotal: 1000 kB\n${filler}MemAvailable: 400 kB\n`;
    const files = { 'proc/stat': stat, 'proc/meminfo': text };
    assert.deepEqual(memoryOf(files), [600 * 1024, 1000 * 1024]);
  });

  for (const cut of [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]) {
    test(`a number of which ${cut} characters stand in the first bytes is read as a whole`, () => {
      const total = 'MemTotal: 500000000 kB\n';
      const key = 'MemAvailable: ';
      const before = MEMINFO_HEAD_BYTES - total.length - key.length - cut;
      const filler = `Filler:${' '.repeat(before - 'Filler:1\n'.length)}1\n`;
      const text = `${total}${filler}${key}400000000 kB\n`;
      const files = { 'proc/stat': stat, 'proc/meminfo': text };
      assert.deepEqual(memoryOf(files), [100_000_000 * 1024, 500_000_000 * 1024]);
    });
  }

  test('without /proc/stat the CPU is missing, with the reason, and memory is there', () => {
    const sample = sampleAt(open({ 'proc/meminfo': meminfo }), 5);
    assert.deepEqual([...source.absent], [['cpu', '/proc/stat: ENOENT']]);
    assert.ok(sample.memory !== undefined);
  });

  test('text that is none of the kernel’s names the file and what was expected', () => {
    sampleAt(open({ 'proc/stat': 'hello\n', 'proc/meminfo': 'hello\n' }), 5);
    assert.deepEqual(
      [...source.absent],
      [
        ['cpu', '/proc/stat: no line "cpu "'],
        ['memory', '/proc/meminfo: no line "MemTotal:" with a number above 0'],
      ],
    );
  });

  test('a CPU that goes offline makes a new baseline', () => {
    open({
      'proc/meminfo': meminfo,
      'sys/devices/system/cpu/online': '0-3\n',
      'proc/stat': 'cpu  10 0 10 1000 0 0 0 0 0 0\n',
    });
    sampleAt(source, 5);
    // The sum is over the CPUs that are online: it has less idle time than before.
    root.write({
      'proc/stat': 'cpu  20 0 20 800 0 0 0 0 0 0\n',
      'sys/devices/system/cpu/online': '0-2\n',
    });
    assert.equal(sampleAt(source, 905).cpu, undefined);
    assert.deepEqual([...source.absent], []);
    root.write({ 'proc/stat': 'cpu  95 0 20 995 0 0 0 0 0 0\n' });
    const { cpu, cpuCores } = sampleAt(source, 1805);
    assert.deepEqual([cpu?.toFixed(3), cpuCores?.toFixed(3)], ['27.778', '0.833']);
  });

  test('a CPU that comes online counts from then on', () => {
    open({
      'proc/meminfo': meminfo,
      'sys/devices/system/cpu/online': '0\n',
      'proc/stat': 'cpu  10 0 0 1000 0 0 0 0 0 0\n',
    });
    sampleAt(source, 0);
    // Three CPUs of which the two new ones bring what they counted before.
    root.write({
      'proc/stat': 'cpu  60 0 0 3200 0 0 0 0 0 0\n',
      'sys/devices/system/cpu/online': '0-2\n',
    });
    assert.equal(sampleAt(source, 1000).cpu, undefined);
    assert.deepEqual([...source.absent], []);
    root.write({ 'proc/stat': 'cpu  135 0 0 3425 0 0 0 0 0 0\n' });
    assert.equal(sampleAt(source, 2000).cpu, 25);
  });
});
