import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { derive } from '../../src/metrics/derive.ts';
import {
  type Fill,
  type Group,
  isMissing,
  type Missing,
  type Sample,
  type Source,
} from '../../src/metrics/reading.ts';
import { openHostSource } from '../../src/sources/host.ts';
import { openHost } from '../../src/sources/rootfs.ts';
import { makeRoot, type Root } from '../support/root.ts';
import { sourceOptions } from '../support/sources.ts';

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
  source = openHostSource(openHost(root.path), options);
  const before = source.read(0);
  root.lay(fixture, 't1');
  return derive(before, source.read(1000));
}

function valuesOf(group: Group<Fill> | Missing | undefined): Fill | undefined {
  return group === undefined || isMissing(group) ? undefined : group.values;
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

  function readingOf(files: Readonly<Record<string, string>>): ReturnType<Source['read']> {
    root.write(files);
    source = openHostSource(openHost(root.path), options);
    return source.read(5);
  }

  test('without MemAvailable and zoneinfo, what is free and cached counts as available', () => {
    const { memory } = readingOf({ 'proc/stat': stat, 'proc/meminfo': meminfo });
    assert.deepEqual(valuesOf(memory), { used: 750 * 1024, limit: 1000 * 1024 });
  });

  test('MemAvailable far down in the file is found all the same', () => {
    const filler = 'Filler: 1 kB\n'.repeat(50);
    const text = `MemTotal: 1000 kB\n${filler}MemAvailable: 400 kB\n`;
    const { memory } = readingOf({ 'proc/stat': stat, 'proc/meminfo': text });
    assert.deepEqual(valuesOf(memory), { used: 600 * 1024, limit: 1000 * 1024 });
  });

  test('a number cut by the end of the first bytes is not taken for a smaller one', () => {
    const filler = `Filler:${' '.repeat(128 - 18 - 8 - 2 - 18)}1\n`;
    const text = `MemTotal: 1000 kB\n${filler}MemAvailable: 400000000 kB\n`.replace(
      '1000 kB',
      '500000000 kB',
    );
    const { memory } = readingOf({ 'proc/stat': stat, 'proc/meminfo': text });
    assert.deepEqual(valuesOf(memory), { used: 100_000_000 * 1024, limit: 500_000_000 * 1024 });
  });

  test('without /proc/stat the CPU is missing, with the reason, and memory is there', () => {
    const { ticks, memory } = readingOf({ 'proc/meminfo': meminfo });
    assert.deepEqual(ticks, { missing: '/proc/stat: ENOENT' });
    assert.ok(memory !== undefined && !isMissing(memory));
  });

  test('text that is none of the kernel’s names the file and what was expected', () => {
    const { ticks, memory } = readingOf({ 'proc/stat': 'hello\n', 'proc/meminfo': 'hello\n' });
    assert.deepEqual(ticks, { missing: '/proc/stat: no line "cpu "' });
    assert.deepEqual(memory, {
      missing: '/proc/meminfo: no line "MemTotal:" with a number above 0',
    });
  });

  test('a CPU that goes offline makes a new baseline', () => {
    const files = { 'proc/meminfo': meminfo, 'sys/devices/system/cpu/online': '0-3\n' };
    const before = readingOf({ ...files, 'proc/stat': stat });
    root.write({
      'proc/stat': 'cpu  20 0 20 200 0 0 0 0 0 0\n',
      'sys/devices/system/cpu/online': '0-2\n',
    });
    assert.equal(derive(before, source.read(905)).cpu, undefined);
  });
});
