import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { SourceOptions } from '../../src/sources/options.ts';
import type { Scope } from '../../src/sources/select.ts';
import type { Source } from '../../src/sources/source.ts';
import { watchSource } from '../../src/sources/watch.ts';
import { makeRoot, type Root } from '../support/root.ts';
import { type Sample, sampleAt, selectOptions } from '../support/sources.ts';

const MEBIBYTE = 1024 * 1024;
let root: Root;
let source: Source | undefined;

beforeEach(() => {
  root = makeRoot();
});

afterEach(() => {
  source?.close();
  source = undefined;
  root.remove();
});

interface Measured {
  readonly described: string;
  readonly sample: Sample;
}

/** Opens a fixture and takes the sample between its two instants. */
async function measure(
  fixture: string,
  scope: Scope = 'auto',
  over: Partial<SourceOptions> = {},
): Promise<Measured> {
  root.lay(fixture, 't0');
  const at = (): number => Number(readFileSync(`${root.path}/monotonic-ns`, 'utf8')) / 1e6;
  source = await watchSource(selectOptions(root, { scope, ...over }));
  sampleAt(source, at());
  root.lay(fixture, 't1');
  return { described: source.describe(), sample: sampleAt(source, at()) };
}

function assertNear(actual: number | undefined, expected: number, what: string): void {
  const isNear = actual !== undefined && Math.abs(actual - expected) < 1e-6 * expected + 1e-9;
  assert.ok(isNear, `${what}: ${actual}, expected ${expected}`);
}

describe('captured containers', () => {
  // Cores in use and working sets reckoned from the captures by another program.
  const cases: readonly {
    fixture: string;
    scope?: Scope;
    cores: number;
    limit: number;
    used: number;
    bytes: number;
    throttled?: number;
  }[] = [
    {
      fixture: 'runc-v1-nocgroupns-quota0.5-mem256M',
      cores: 0.49285436814971983,
      limit: 0.5,
      used: 156_000_256,
      bytes: 256 * MEBIBYTE,
      throttled: 100,
    },
    {
      fixture: 'runc-v1-cgroupns-quota0.5-cpuset1-mem256M',
      cores: 0.5203122189990773,
      limit: 0.5,
      used: 137_265_152,
      bytes: 256 * MEBIBYTE,
      throttled: 100,
    },
    {
      fixture: 'bwrap-v1-ancestor-limit-visible',
      scope: 'container',
      cores: 0.47056055300956895,
      limit: 0.5,
      used: 94_277_632,
      bytes: 200 * MEBIBYTE,
      throttled: 100,
    },
    {
      fixture: 'runc-v1-comounted-task150M-1cpu-nolimit-own',
      cores: 0.8231290760599982,
      limit: 2,
      used: 87_400_448,
      bytes: 150 * MEBIBYTE,
    },
    {
      fixture: 'runc-v1-comounted-cgroupns-own128M-quota0.5',
      cores: 0.4418550433651067,
      limit: 0.5,
      used: 78_327_808,
      bytes: 128 * MEBIBYTE,
      throttled: 100,
    },
    {
      fixture: 'runc-v2-cgroupns-quota0.5-mem160M-cpuset1',
      cores: 0.46452126528869114,
      limit: 0.5,
      used: 82_309_120,
      bytes: 160 * MEBIBYTE,
      throttled: 100,
    },
    {
      fixture: 'runc-v2-cgroupns-nolimit-task-limit-hidden',
      cores: 0.8957557802565252,
      limit: 2,
      used: 89_116_672,
      bytes: 2_026_024 * 1024,
    },
  ];
  for (const { fixture, scope, cores, limit, used, bytes, throttled } of cases) {
    const megabytes = Math.round(bytes / MEBIBYTE);
    test(`${fixture}: ${limit} cores and ${megabytes} MiB are 100 %`, async () => {
      const { described, sample } = await measure(fixture, scope);
      assert.match(described, /^scope=container source=cgroup/);
      assertNear(sample.cpuCores, cores, 'cores');
      assertNear(sample.cpu, Math.min((100 * cores) / limit, 100), 'CPU');
      assertNear(sample.memoryUsed, used, 'memory used');
      assertNear(sample.memoryLimit, bytes, 'memory limit');
      assertNear(sample.memory, (100 * used) / bytes, 'memory');
      assert.equal(sample.cpuThrottled, throttled);
      assert.equal(sample.cpuSteal, undefined, 'steal is the machine’s, no container’s');
    });
  }
});

describe('captured hosts', () => {
  for (const fixture of ['host-v1-hybrid-split', 'vm-v1-comounted-host', 'vm-v2-host-root']) {
    test(`${fixture} is measured as a host`, async () => {
      const { described } = await measure(fixture);
      assert.match(described, /^scope=host source=host/);
    });
  }

  test('a group of a host can be measured by its path', async () => {
    const { described, sample } = await measure('host-v1-hybrid-split', {
      cgroup: '/lab.slice/job-1',
    });
    assert.match(
      described,
      /^scope=cgroup .* mem\.dir=\/sys\/fs\/cgroup\/memory\/lab\.slice\/job-1/,
    );
    assertNear(sample.memoryUsed, 295_403_520, 'memory used');
    assert.equal(sample.cpu, undefined);
  });
});

describe('modes', () => {
  const fixture = 'runc-v2-cgroupns-quota0.5-mem160M-cpuset1';

  test('usage is what the kernel charges, page cache included', async () => {
    const { sample } = await measure('runc-v1-nocgroupns-quota0.5-mem256M', 'auto', {
      memoryMode: 'usage',
    });
    const usage = `${root.path}/sys/fs/cgroup/memory/memory.usage_in_bytes`;
    assert.equal(sample.memoryUsed, Number(readFileSync(usage, 'utf8')));
  });

  test('free-cache leaves all page cache out', async () => {
    const { sample } = await measure('runc-v1-nocgroupns-quota0.5-mem256M', 'auto', {
      memoryMode: 'free-cache',
    });
    const folder = `${root.path}/sys/fs/cgroup/memory`;
    const cache = /^total_cache (\d+)$/m.exec(readFileSync(`${folder}/memory.stat`, 'utf8'))?.[1];
    const usage = Number(readFileSync(`${folder}/memory.usage_in_bytes`, 'utf8'));
    assert.equal(sample.memoryUsed, usage - Number(cache));
  });

  test('--cpu-base host holds CPU against all CPUs that are online', async () => {
    const { sample } = await measure(fixture, 'auto', { cpuBase: 'host' });
    assertNear(sample.cpu, (100 * 0.46452126528869114) / 2, 'CPU');
  });

  test('--exclude-self takes the agent’s CPU time and anonymous memory out', async () => {
    let cpuUsec = 0;
    const selfUsage: SourceOptions['selfUsage'] = () => {
      cpuUsec += 100_000;
      return { cpuUsec, residentBytes: 1, anonymousBytes: 5_000_000 };
    };
    const { sample } = await measure(fixture, 'auto', { excludeSelf: true, selfUsage });
    const all = await measure(fixture);
    assert.ok((sample.cpuCores ?? 9) < (all.sample.cpuCores ?? 0) - 0.05);
    assertNear(sample.memoryUsed, 82_309_120 - 5_000_000, 'memory used');
  });
});

describe('limits that change while the agent runs', () => {
  test('are seen within 10 s, and cost no baseline', async () => {
    const fixture = 'runc-v2-cgroupns-quota0.5-mem160M-cpuset1';
    root.lay(fixture, 't0');
    source = await watchSource(selectOptions(root));
    sampleAt(source, 0);
    root.write({
      'sys/fs/cgroup/cpu.max': '40000 100000\n',
      'sys/fs/cgroup/memory.max': `${100 * MEBIBYTE}\n`,
    });
    const early = sampleAt(source, 9000);
    assert.equal(early.memoryLimit, 160 * MEBIBYTE);
    root.lay(fixture, 't1');
    root.write({
      'sys/fs/cgroup/cpu.max': '40000 100000\n',
      'sys/fs/cgroup/memory.max': `${100 * MEBIBYTE}\n`,
    });
    const late = sampleAt(source, 12_000);
    assert.equal(late.memoryLimit, 100 * MEBIBYTE);
    assertNear(late.cpu, (100 * (late.cpuCores ?? 0)) / 0.4, 'CPU');
  });

  test('a group that is removed is missing, and is there again when it is made anew', async () => {
    root.lay('runc-v2-cgroupns-quota0.5-mem160M-cpuset1', 't0');
    source = await watchSource(selectOptions(root));
    sampleAt(source, 0);
    const stat = readFileSync(`${root.path}/sys/fs/cgroup/cpu.stat`, 'latin1');
    root.write({ 'sys/fs/cgroup/cpu.stat': '' });
    const gone = sampleAt(source, 1000);
    assert.ok(source.absent.has('cpu'));
    assert.ok(gone.cpu === undefined && gone.memory !== undefined);
    root.write({ 'sys/fs/cgroup/cpu.stat': stat });
    // The first reading after it is a baseline and no figure.
    assert.equal(sampleAt(source, 2000).cpu, undefined);
    assert.ok(!source.absent.has('cpu'));
    assert.equal(sampleAt(source, 3000).cpu, 0);
  });
});

describe('half a container', () => {
  test('without a memory controller the CPU is still measured', async () => {
    root.lay('runc-v2-cgroupns-quota0.5-mem160M-cpuset1', 't0');
    root.write({ 'sys/fs/cgroup/memory.current': '' });
    source = await watchSource(selectOptions(root));
    sampleAt(source, 0);
    const { cpu, memory } = sampleAt(source, 1000);
    assert.deepEqual([cpu, memory], [0, undefined]);
    assert.match(source.absent.get('memory') ?? '', /memory\.current: empty/);
    assert.match(source.describe(), /memory=none \(\/sys\/fs\/cgroup\/memory\.current: empty/);
  });

  test('whose memory file comes later is whole from then on', async () => {
    root.lay('runc-v2-cgroupns-quota0.5-mem160M-cpuset1', 't0');
    const current = readFileSync(`${root.path}/sys/fs/cgroup/memory.current`, 'latin1');
    root.write({ 'sys/fs/cgroup/memory.current': '' });
    source = await watchSource(selectOptions(root));
    assert.equal(sampleAt(source, 0).memory, undefined);
    root.write({ 'sys/fs/cgroup/memory.current': current });
    assert.ok(sampleAt(source, 1000).memory !== undefined);
    assert.match(source.describe(), /mem\.limit=160MiB/);
  });
});
