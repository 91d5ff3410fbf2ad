// Over 200 lines: the receipt's fields, notes and page are told by the same facts.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createFigures, type Figures, PLACES } from '../../src/metrics/figures.ts';
import { adviseSize, sizeText, systemOf } from '../../src/report/advice.ts';
import { receiptBlock } from '../../src/report/block.ts';
import { reportJson, stretchesOf } from '../../src/report/course.ts';
import { failuresOf, isOomKilled, outcomeOf, type RunFacts } from '../../src/report/facts.ts';
import { Folds } from '../../src/report/folds.ts';
import { Histogram } from '../../src/report/histogram.ts';
import { notesOf, sizeOf } from '../../src/report/notes.ts';
import { durationText, reportPage } from '../../src/report/page.ts';
import { MOST_LINE_BYTES, receiptLine, receiptOf } from '../../src/report/receipt.ts';
import { batchFor, bytesText, FARGATE_PAIRS, fargateFor } from '../../src/report/sizes.ts';
import { type Tallied, Tally } from '../../src/report/tally.ts';

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const START_MS = Date.UTC(2026, 10, 25, 12);

const TALLIED: Tallied = {
  samples: 400,
  cpuMedianCores: 0.5,
  cpuP95Cores: 0.8,
  cpuPeakCores: { value: 1.1, atMs: START_MS + 5000 },
  cpuLimitCores: 4,
  heldPeak: { value: 900 * MIB, atMs: START_MS + 6000 },
  workingSetPeak: { value: 3 * GIB, atMs: START_MS + 7000 },
  memoryLimitBytes: 8 * GIB,
  gpuMostPercent: Number.NaN,
  gpuMemoryMostPercent: Number.NaN,
  oomKills: 0,
};

const FACTS: RunFacts = {
  command: 'python',
  startMs: START_MS,
  durationMs: 360_000,
  exitCode: 0,
  signal: undefined,
  wasAsked: false,
  isNotStarted: false,
  system: 'batch',
  scope: 'container',
  tallied: TALLIED,
  cpuSeconds: 180.123,
  periods: 3600,
  throttled: 36,
  kernelPeak: { value: 7 * GIB, atMs: START_MS + 8000 },
  swapPeakBytes: Number.NaN,
  oomKills: 0,
  oomLevel: undefined,
  largest: [],
  blockRead: 1000,
  blockWritten: 2000,
  networkReceived: Number.NaN,
  networkTransmitted: Number.NaN,
  windowsSent: 6,
  windowsSpooled: 0,
  windowsLost: 0,
};

const OOM: RunFacts = {
  ...FACTS,
  exitCode: 137,
  signal: 'SIGKILL',
  durationMs: 5000,
  oomKills: 1,
  oomLevel: { folder: '/sys/fs/cgroup', limitBytes: 2 * GIB },
  largest: [
    { name: 'python', bytes: 1.8 * GIB },
    { name: 'worker', bytes: 90 * MIB },
  ],
  tallied: { ...TALLIED, samples: 5, heldPeak: { value: 1.9 * GIB, atMs: START_MS } },
};

function sample(values: Partial<Record<keyof typeof PLACES, number>>): Figures {
  const figures = createFigures();
  for (const [name, place] of Object.entries(PLACES)) {
    const value = Object.entries(values).find(([key]) => key === name)?.[1];
    if (value !== undefined) figures[place] = value;
  }
  return figures;
}

describe('the histogram', () => {
  test('quantiles are right to 1 %, the extreme is exact', () => {
    const histogram = new Histogram(1e-4, 1e4);
    for (let value = 1; value <= 1000; value += 1) histogram.add(value / 100);
    assert.ok(Math.abs(histogram.quantile(0.5) - 5) < 0.05);
    assert.ok(Math.abs(histogram.quantile(0.95) - 9.5) < 0.1);
    assert.equal(histogram.max, 10);
    assert.equal(histogram.quantile(1), 10);
  });

  test('nothing, zero, what is too large and what is no number', () => {
    const histogram = new Histogram(1e-4, 10);
    assert.ok(Number.isNaN(histogram.quantile(0.5)));
    histogram.add(Number.NaN);
    histogram.add(-1);
    histogram.add(0);
    assert.equal(histogram.quantile(0.95), 0);
    histogram.add(1e6);
    assert.equal(histogram.quantile(1), 1e6);
  });
});

describe('the tally', () => {
  test('peaks are exact and have their times; what was not measured is NaN', () => {
    const tally = new Tally();
    assert.equal(tally.add(sample({ cpuCores: 1, cpu: 50, memoryHeld: 100 }), 1000), true);
    assert.equal(tally.add(sample({ cpuCores: 3, cpu: 100, memoryHeld: 90 }), 2000), false);
    assert.equal(tally.add(sample({ cpuCores: 0.5, oomKills: 2 }), 3000), false);
    const { result } = tally;
    assert.deepEqual(result.cpuPeakCores, { value: 3, atMs: 2000 });
    assert.deepEqual(result.heldPeak, { value: 100, atMs: 1000 });
    assert.equal(result.cpuLimitCores, 2);
    assert.equal(result.samples, 3);
    assert.equal(result.oomKills, 2);
    assert.ok(Number.isNaN(result.workingSetPeak.value));
    assert.ok(Number.isNaN(result.gpuMostPercent));
  });
});

describe('outcomes', () => {
  const ends: [facts: Partial<RunFacts>, outcome: string, failures: number][] = [
    [{ exitCode: 0 }, 'succeeded', 0],
    [{ exitCode: 3 }, 'failed', 1],
    [{ exitCode: 137, signal: 'SIGKILL' }, 'failed', 1],
    [{ exitCode: 143, signal: 'SIGTERM', wasAsked: true }, 'stopped', 0],
    [{ exitCode: 143, wasAsked: false }, 'failed', 1],
    [{ exitCode: 127, isNotStarted: true }, 'notStarted', 1],
  ];
  for (const [facts, outcome, failures] of ends) {
    test(`${JSON.stringify(facts)} is ${outcome}`, () => {
      assert.equal(outcomeOf({ ...FACTS, ...facts }), outcome);
      assert.equal(failuresOf({ ...FACTS, ...facts }), failures);
    });
  }

  test('SIGKILL without an OOM kill is none', () => {
    assert.equal(isOomKilled({ ...OOM, oomKills: 0 }), false);
    assert.equal(isOomKilled({ ...OOM, oomKills: Number.NaN }), false);
    assert.equal(isOomKilled({ ...OOM, exitCode: 1, signal: undefined }), false);
    assert.equal(isOomKilled({ ...OOM, signal: undefined }), true);
  });
});

describe('sizes', () => {
  const pairs: [cores: number, bytes: number, cpu: number | undefined, memoryMiB?: number][] = [
    [0, 0, 256, 512],
    [0.25, 512 * MIB, 256, 512],
    [0.25, 512 * MIB + 1, 256, 1024],
    [0.26, 1, 512, 1024],
    [0.2, 3 * GIB, 512, 3072],
    [1, 9 * GIB, 2048, 9216],
    [16, 120 * GIB, 16384, 122880],
    [8.1, 1, 16384, 32768],
    [8, 17 * GIB, 8192, 20480],
    [16.1, 1, undefined],
    [1, 121 * GIB, undefined],
  ];
  for (const [cores, bytes, cpu, memoryMiB] of pairs) {
    test(`${cores} cores and ${bytesText(bytes)} fit into ${cpu} and ${memoryMiB}`, () => {
      assert.deepEqual(fargateFor(cores, bytes), cpu && { cpu, memoryMiB });
    });
  }

  test('AWS’s own numbers of pairs', () => {
    const count = (cpu: number): number => FARGATE_PAIRS.filter((pair) => pair.cpu === cpu).length;
    assert.deepEqual(
      [256, 512, 1024, 2048, 4096, 8192, 16384].map(count),
      [3, 4, 7, 13, 23, 12, 12],
    );
  });

  test('Batch takes whole vCPUs', () => {
    assert.deepEqual(batchFor(0.1, 1), { vcpus: 1, memoryMiB: 256 });
    assert.deepEqual(batchFor(2.1, 1025 * MIB), { vcpus: 3, memoryMiB: 1280 });
  });
});

describe('advice', () => {
  const basis = {
    durationMs: 60_000,
    samples: 60,
    isContainer: true,
    cpuCores: 0.5,
    heldPeakBytes: GIB,
    memoryLimitBytes: 4 * GIB,
    isOom: false,
  };

  test('p95 and the peak of what was held, × 1.2', () => {
    const size = adviseSize(basis);
    assert.ok(typeof size !== 'string');
    assert.equal(size.cores, 0.6);
    assert.equal(size.bytes, 1.2 * GIB);
    assert.deepEqual(size.fargate, { cpu: 1024, memoryMiB: 2048 });
  });

  test('1.5 × the limit after an OOM kill, however short', () => {
    const size = adviseSize({ ...basis, isOom: true, durationMs: 1, samples: 0 });
    assert.ok(typeof size !== 'string');
    assert.equal(size.bytes, 6 * GIB);
  });

  const none: [why: string, basis: Partial<typeof basis>][] = [
    ['29 s', { durationMs: 29_999 }],
    ['29 samples', { samples: 29 }],
    ['a machine', { isContainer: false }],
    ['no figures', { heldPeakBytes: Number.NaN }],
  ];
  for (const [why, less] of none) {
    test(`none from ${why}`, () =>
      assert.equal(typeof adviseSize({ ...basis, ...less }), 'string'));
  }

  const texts: [environment: Record<string, string>, text: RegExp][] = [
    [
      { AWS_BATCH_JOB_ID: 'x' },
      /^resourceRequirements VCPU=1, MEMORY=1280; on Fargate VCPU=1, MEMORY=2048$/,
    ],
    [{ AWS_EXECUTION_ENV: 'AWS_ECS_FARGATE' }, /^the task definition’s cpu 1024, memory 2048$/],
    [{ ECS_CONTAINER_METADATA_URI_V4: 'x' }, /^the container definition’s cpu 615, memory 1280$/],
    [
      { KUBERNETES_SERVICE_HOST: 'x' },
      /^resources.requests cpu: 600m, memory: 1280Mi; resources.limits memory: 1280Mi$/,
    ],
    [{}, /^1 CPU, 1.2 GiB; Fargate: cpu 1024, memory 2048$/],
  ];
  for (const [environment, text] of texts) {
    test(`names the field of ${Object.keys(environment)[0] ?? 'nowhere'}`, () => {
      const size = adviseSize(basis);
      assert.ok(typeof size !== 'string');
      assert.match(sizeText(systemOf(environment), size), text);
    });
  }
});

describe('the receipt', () => {
  test('is one flat line, without what is not known', () => {
    const receipt = receiptOf(FACTS);
    assert.equal(receipt['type'], 'receipt');
    assert.equal(receipt['version'], 1);
    assert.equal(receipt['outcome'], 'succeeded');
    assert.equal(receipt['durationSeconds'], 360);
    assert.equal(receipt['cpuP95Cores'], 0.8);
    assert.equal(receipt['cpuThrottledPercent'], 1);
    assert.equal(receipt['memoryHeldPeakBytes'], 900 * MIB);
    assert.equal(receipt['memoryKernelPeakAt'], '2026-11-25T12:00:08.000Z');
    assert.equal(receipt['batchMemory'], 1280);
    assert.ok(!('networkReceiveBytes' in receipt) && !('signal' in receipt));
    assert.doesNotMatch(receiptLine(receipt), /NaN|null|\n/);
  });

  test('never exceeds its length: notes give way, then the command', () => {
    const long = {
      ...OOM,
      command: '€'.repeat(4000),
      largest: [{ name: '€'.repeat(900), bytes: 1 }],
    };
    const receipt = {
      ...receiptOf(long),
      notes: ['€'.repeat(300), '€'.repeat(300), '€'.repeat(300)],
    };
    const line = receiptLine(receipt);
    assert.ok(Buffer.byteLength(line) <= MOST_LINE_BYTES, `${Buffer.byteLength(line)}`);
    assert.equal(JSON.parse(line).outcome, 'failed');
  });

  test('every field there is fits', () => {
    const all = {
      ...OOM,
      durationMs: 1e10,
      command: 'x'.repeat(200),
      swapPeakBytes: 1e15,
      networkReceived: 1e15,
      networkTransmitted: 1e15,
      blockRead: 1e15,
      blockWritten: 1e15,
      tallied: { ...TALLIED, samples: 1e9, gpuMostPercent: 0.5, gpuMemoryMostPercent: 99.9 },
    };
    const line = receiptLine(receiptOf(all));
    assert.ok(Buffer.byteLength(line) <= MOST_LINE_BYTES);
    assert.ok(JSON.parse(line).notes.length >= 1);
  });

  test('of what could not be started', () => {
    const facts = { ...FACTS, tallied: undefined, isNotStarted: true, exitCode: 127, scope: '' };
    const receipt = receiptOf(facts);
    assert.equal(receipt['outcome'], 'notStarted');
    assert.equal(receipt['noAdvice'], 'nothing was measured');
    assert.equal(receipt['samples'], 0);
  });

  test('as a block: bars of what was used of what there was', () => {
    const block = receiptBlock(FACTS, true);
    assert.match(block, /^python succeeded after 360 s$/m);
    assert.match(block, /CPU p95 +██████░{24} 20 % \(0\.8 cores of 4 cores\)/);
    assert.match(block, /memory held +███░{27} 11 % \(900 MiB of 8 GiB\)/);
    assert.doesNotMatch(block, /NaN|undefined/);
    assert.match(receiptBlock(FACTS, false), /CPU p95 +#{6}\.{24} 20 %/);
  });
});

describe('notes', () => {
  test('an OOM kill: limit, level, what was held and by whom, and the field to change', () => {
    const [note = ''] = notesOf(OOM);
    assert.match(note, /^killed for want of memory at the limit of 2 GiB \(\/sys\/fs\/cgroup\)/);
    assert.match(note, /1\.9 GiB were held at most, by python 1\.8 GiB, worker 90 MiB/);
    assert.match(note, /Set resourceRequirements MEMORY=3072$/);
  });

  test('a job that used little', () => {
    assert.deepEqual(notesOf(FACTS), [
      'resourceRequirements VCPU=1, MEMORY=1280; on Fargate VCPU=1, MEMORY=2048 would do (from p95 0.8 cores and 900 MiB held under 8 GiB, 400 samples, × 1.2)',
    ]);
  });

  test('an idle GPU', () => {
    const facts = { ...FACTS, tallied: { ...TALLIED, gpuMostPercent: 0 } };
    assert.match(notesOf(facts)[0] ?? '', /did not use its GPU/);
  });

  test('a quota that ran out: more than it, though the p95 is below it', () => {
    const tallied = { ...TALLIED, cpuLimitCores: 1, cpuP95Cores: 0.7 };
    const facts: RunFacts = { ...FACTS, tallied, throttled: 1800 };
    assert.match(notesOf(facts)[0] ?? '', /of 1 cores\. Set resourceRequirements VCPU=2$/);
    const size = sizeOf(facts);
    assert.ok(typeof size !== 'string' && size.cores === 1.2);
    const fargate = notesOf({ ...facts, system: 'batchOnFargate' })[0] ?? '';
    assert.match(fargate, /Set resourceRequirements VCPU=2, MEMORY=4096$/);
  });

  test('an OOM kill on Batch with Fargate names a pair that Fargate has', () => {
    const facts: RunFacts = { ...OOM, system: 'batchOnFargate' };
    const tallied = facts.tallied && { ...facts.tallied, cpuP95Cores: 0.1 };
    const [note = ''] = notesOf({ ...facts, tallied });
    assert.match(note, /Set resourceRequirements VCPU=0.5, MEMORY=3072$/);
  });

  test('one process that was killed while the job went on is one', () => {
    const facts: RunFacts = { ...OOM, exitCode: 0, signal: undefined, oomKills: 1 };
    assert.match(notesOf(facts)[0] ?? '', /^a process was killed for want of memory/);
  });

  test('an idle GPU on Kubernetes', () => {
    const tallied = { ...TALLIED, gpuMostPercent: 0 };
    const [note = ''] = notesOf({ ...FACTS, tallied, system: 'kubernetes' });
    assert.match(note, /drop resources\.limits nvidia\.com\/gpu/);
  });

  test('a quota that ran out', () => {
    assert.match(notesOf({ ...FACTS, throttled: 1800 })[0] ?? '', /ran out in 50 % of its periods/);
  });

  test('never more than three', () => {
    const tallied = { ...TALLIED, gpuMostPercent: 0 };
    assert.equal(notesOf({ ...FACTS, throttled: 1800, tallied, oomKills: 3 }).length, 3);
  });
});

describe('the course', () => {
  function week(): Folds {
    const folds = new Folds(START_MS);
    for (let second = 0; second < 7 * 86_400; second += 5) {
      const wave = 1 + Math.sin(second / 40_000) + (second % 7) / 10;
      const values = { cpuCores: wave, memoryHeld: wave * GIB, memoryUsed: wave * 1.3 * GIB };
      const cpuThrottled = second % 600 < 300 ? 20 : 0;
      folds.add(
        sample({ ...values, cpuThrottled, ...(second === 5000 ? { oomKills: 1 } : {}) }),
        START_MS + second * 1000,
      );
    }
    return folds;
  }

  test('a second is kept, and of a bucket minimum and maximum', () => {
    const folds = new Folds(START_MS);
    for (let second = 0; second < 3000; second += 1) {
      folds.add(sample({ cpuCores: second === 1234 ? 50 : 1 }), START_MS + second * 1000);
    }
    assert.equal(folds.widthMs, 8000);
    const peak = folds.buckets.find(({ folds: { cpuCores } }) => cpuCores?.max === 50);
    assert.equal(peak?.atMs, 1_232_000);
    assert.equal(peak?.folds.cpuCores?.min, 1);
    assert.equal(folds.buckets.at(-1)?.folds.memoryHeld, undefined);
  });

  test('a week’s page is below 100 kB, and needs nothing from elsewhere', () => {
    const page = reportPage(FACTS, receiptOf(FACTS), week());
    assert.ok(Buffer.byteLength(page) < 100_000, `${Buffer.byteLength(page)} bytes`);
    assert.doesNotMatch(page, /<script|<link|@import|url\(|src=|NaN|undefined|Infinity/);
    assert.equal(page.match(/<svg /g)?.length, 2);
    assert.ok((page.match(/<tr>/g)?.length ?? 0) > 168);
  });

  test('what the job is called cannot become part of the page', () => {
    const facts = { ...FACTS, command: '<script>alert(1)</script>' };
    const page = reportPage(facts, receiptOf(facts), new Folds(START_MS));
    assert.doesNotMatch(page, /<script/);
    assert.match(page, /&lt;script&gt;/);
  });

  test('as JSON: a row a bucket, null for what was not measured', () => {
    const folds = new Folds(START_MS);
    folds.add(sample({ cpuCores: 0.5, memoryUsed: 10 }), START_MS + 2500);
    const report = JSON.parse(reportJson(receiptOf(FACTS), folds));
    assert.equal(report.type, 'report');
    assert.equal(report.version, 1);
    assert.equal(report.receipt.command, 'python');
    assert.equal(report.columns.length, report.buckets[0].length);
    assert.deepEqual(report.buckets, [[2, 0.5, 0.5, 0.5, null, null, null, null, 10, 10]]);
  });

  test('the table has a row an hour, of a short run twelve', () => {
    assert.equal(stretchesOf(week()).length, 169);
    const folds = new Folds(START_MS);
    for (let second = 0; second < 60; second += 1) {
      folds.add(sample({ cpuCores: 1 }), START_MS + second * 1000);
    }
    assert.equal(stretchesOf(folds).length, 12);
  });

  test('durations as people say them', () => {
    const texts = [1000, 61_000, 60_000, 3_600_000, 3_660_000].map(durationText);
    assert.deepEqual(texts, ['1 s', '1 min 1 s', '1 min', '1 h', '1 h 1 min']);
  });
});
