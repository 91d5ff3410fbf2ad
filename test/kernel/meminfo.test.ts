import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  AVAILABLE_HINT,
  estimateAvailable,
  held,
  MEMINFO_HEAD_BYTES,
  memory,
  swapTotal,
  swapUsed,
  usedWithCache,
  usedWithoutCache,
} from '../../src/kernel/meminfo.ts';
import { laid } from '../support/bytes.ts';

const KIB = 1024;

function of(formula: (bytes: Buffer, end: number) => number, text: string): number {
  const { bytes, end } = laid(text);
  return formula(bytes, end);
}

/** MemAvailable is missing: a kernel before 3.14. Fixture of prometheus/procfs. */
const PROCFS = `MemTotal:       15666184 kB
MemFree:          440324 kB
Buffers:         1020128 kB
Cached:         12007640 kB
SwapCached:            0 kB
Active:          6761276 kB
Inactive:        6532708 kB
Shmem:               808 kB
Slab:            1807264 kB
SReclaimable:    1738124 kB
SUnreclaim:        69140 kB
`;

/** Fixture intelcorei5 of shirou/gopsutil. */
const COREI5 = `MemTotal:       16115528 kB
MemFree:         8577628 kB
MemAvailable:   11225936 kB
Buffers:          207516 kB
Cached:          3791568 kB
SwapCached:            0 kB
Active(file):    1121992 kB
Inactive(file):  1683344 kB
Shmem:           1193752 kB
Slab:             247824 kB
SReclaimable:     182100 kB
SwapTotal:      16515068 kB
SwapFree:       16515068 kB
`;

/** Linux 2.4 put this before the lines with keys, in bytes; some later kernels do so again. */
const TABLE_OF_2_4 = `        total:    used:    free:  shared: buffers:  cached:
Mem:  260579328 136073216 124506112        0  4915200 94064640
Swap:        0        0        0
`;

describe('a line of meminfo', () => {
  const KEYS = ['MemTotal:', 'MemAvailable:'] as const;
  const NONE = Number.NaN;
  const rows: [what: string, text: string, totalKib: number, availableKib: number][] = [
    ['of the usual text', 'MemTotal: 100 kB\nMemFree: 20 kB\nMemAvailable: 40 kB\n', 100, 40],
    ['with CRLF', 'MemTotal: 100 kB\r\nMemAvailable: 40 kB\r\n', 100, 40],
    ['without a line feed at the end', 'MemTotal: 100 kB\nMemAvailable: 40', 100, 40],
    ['before the one that is usually first', 'MemAvailable: 40 kB\nMemTotal: 100 kB\n', 100, 40],
    ['that is missing', 'MemTotal: 100 kB\nMemFree: 20 kB\n', 100, NONE],
    ['that says 0', 'MemTotal: 0 kB\nMemAvailable: 0 kB\n', 0, 0],
    ['without a number', 'MemTotal: kB\nMemAvailable: kB\n', NONE, NONE],
    ['with a negative number', 'MemTotal: 100 kB\nMemAvailable: -4 kB\n', 100, NONE],
    ['cut short in its key', 'MemTotal: 100 kB\nMemAvaila', 100, NONE],
    ['cut short behind its key', 'MemTotal: 100 kB\nMemAvailable:', 100, NONE],
    ['behind the table of 2.4', `${TABLE_OF_2_4}${COREI5}`, 16115528, 11225936],
    ['where there is only the table of 2.4', TABLE_OF_2_4, NONE, NONE],
    ['beside bytes above ASCII', 'Pr\u00e4: 1 kB\nMemTotal: 9 kB\nMemAvailable: 4 kB\n', 9, 4],
    ['of a machine of 4 EiB', 'MemTotal: 4503599627370496 kB\n', 2 ** 52, NONE],
    ['whose key only ends alike', 'XMemTotal: 5 kB\nXMemAvailable: 5 kB\n', NONE, NONE],
    ['of an empty text', '', NONE, NONE],
  ];
  for (const [what, text, totalKib, availableKib] of rows) {
    test(`${what} is ${totalKib} and ${availableKib} KiB`, () => {
      const { bytes, end } = laid(text);
      const expected = [totalKib * KIB, availableKib * KIB];
      assert.deepEqual(
        KEYS.map((key) => memory(bytes, end, key)),
        expected,
      );
      // A hint changes nothing but the way.
      assert.deepEqual(
        KEYS.map((key) => memory(bytes, end, key, AVAILABLE_HINT)),
        expected,
      );
    });
  }

  test('MemAvailable stands where the hint says, in a text of the kernel’s', () => {
    assert.equal(COREI5.indexOf('MemAvailable:'), AVAILABLE_HINT);
    assert.ok(COREI5.indexOf('kB\nBuffers') < MEMINFO_HEAD_BYTES);
  });
});

describe('estimateAvailable', () => {
  function estimate(text: string, lowWatermark: number): number {
    const { bytes, end } = laid(text);
    return estimateAvailable(bytes, end, lowWatermark);
  }

  test('without watermarks it is free, buffers, cached and reclaimable, less shared', () => {
    // 8577628 + 207516 + 3791568 + 182100 - 1193752 = 11565060; used 28.24 % of the total.
    const available = estimate(COREI5, Number.NaN);
    assert.equal(available, 11565060 * KIB);
    const total = 16115528 * KIB;
    assert.equal(((100 * (total - available)) / total).toFixed(2), '28.24');
    // 440324 + 1020128 + 12007640 + 1738124 - 808 = 15205408; used 2.94 %.
    const old = estimate(PROCFS, Number.NaN);
    assert.equal(old, 15205408 * KIB);
    assert.equal((100 - (100 * old) / (15666184 * KIB)).toFixed(2), '2.94');
  });

  test('with watermarks it is within 0.5 % of what the kernel itself says', () => {
    // Linux 6.18 on 2 CPUs, taken at one instant: low = 53 + 10898 + 10165 + 32 pages of 4 KiB.
    const text = `MemTotal:       24684084 kB
MemFree:        24270692 kB
Buffers:            1184 kB
Cached:           145700 kB
Active(file):     106352 kB
Inactive(file):    31620 kB
Shmem:              8872 kB
SReclaimable:     105244 kB
`;
    const low = (53 + 10898 + 10165 + 32) * 4096;
    // Free less 84592; half of 137972 (below the watermark); half of 105244 (likewise).
    assert.equal(estimate(text, low), (24270692 - 84592 + 68986 + 52622) * KIB);
    const kernels = 24264580 * KIB;
    assert.ok(Math.abs(estimate(text, low) - kernels) / kernels < 0.005);
  });

  test('large caches give all but one watermark each', () => {
    const text =
      'MemTotal: 1000 kB\nMemFree: 100 kB\nActive(file): 200 kB\nInactive(file): 100 kB\nSReclaimable: 60 kB\n';
    // 100 - 10 + (300 - 10) + (60 - 10)
    assert.equal(estimate(text, 10 * KIB), 430 * KIB);
  });

  const chain: [what: string, text: string, lowKib: number, expectedKib: number][] = [
    ['all keys but no zoneinfo', 'F B C SR A I S', Number.NaN, 100 + 5 + 200 + 60 - 7],
    ['no Active(file) (before 2.6.28)', 'F B C SR S', 10, 100 + 5 + 200 + 60 - 7],
    ['no Shmem (before 2.6.32)', 'F B C SR', Number.NaN, 100 + 5 + 200 + 60],
    ['no Buffers', 'F C SR', Number.NaN, 100 + 200 + 60],
    ['no SReclaimable (before 2.6.19)', 'F B C A I S', 10, 100 + 200],
    ['four lines only', 'F C', Number.NaN, 100 + 200],
    ['no Cached', 'F', Number.NaN, 100],
    ['no MemFree', 'B C SR A I S', 10, Number.NaN],
  ];
  const lines: Readonly<Record<string, string>> = {
    F: 'MemFree: 100 kB',
    B: 'Buffers: 5 kB',
    C: 'Cached: 200 kB',
    SR: 'SReclaimable: 60 kB',
    A: 'Active(file): 80 kB',
    I: 'Inactive(file): 90 kB',
    S: 'Shmem: 7 kB',
  };
  for (const [what, keys, lowKib, expectedKib] of chain) {
    test(`the fallback with ${what} is ${expectedKib} KiB`, () => {
      const text = ['MemTotal: 1000 kB', ...keys.split(' ').map((key) => lines[key])].join('\n');
      assert.equal(estimate(text, lowKib * KIB), expectedKib * KIB);
    });
  }

  test('it is never below nothing; above the total, which cannot be, it is not cut', () => {
    const shared = 'MemTotal: 1000 kB\nMemFree: 10 kB\nSReclaimable: 1 kB\nShmem: 500 kB\n';
    assert.equal(estimate(shared, Number.NaN), 0);
    const scarce =
      'MemTotal: 9 kB\nMemFree: 1 kB\nActive(file): 0 kB\nInactive(file): 0 kB\nSReclaimable: 0 kB\n';
    assert.equal(estimate(scarce, 5 * KIB), 0);
    const odd = 'MemTotal: 1000 kB\nMemFree: 900 kB\nCached: 900 kB\n';
    assert.equal(estimate(odd, Number.NaN), 1800 * KIB);
  });
});

describe('meminfo by other formulas', () => {
  const TOTAL = 16115528 * KIB;

  test('with all page cache, what is not free', () => {
    assert.equal(((100 * of(usedWithCache, COREI5)) / TOTAL).toFixed(2), '46.77');
  });

  test('without buffers, page cache and slabs, what the crate’s README says', () => {
    assert.equal(((100 * of(usedWithoutCache, COREI5)) / TOTAL).toFixed(2), '20.42');
  });

  test('lines that are missing count as nothing but for the two that must be there', () => {
    assert.equal(of(usedWithoutCache, 'MemTotal: 100 kB\nMemFree: 40 kB\n'), 60 * KIB);
    assert.equal(of(usedWithCache, 'MemTotal: 100 kB\n'), Number.NaN);
    assert.equal(of(usedWithoutCache, 'MemFree: 40 kB\n'), Number.NaN);
  });

  const swaps: [what: string, text: string, used: number, limit: number][] = [
    ['unused', COREI5, 0, 16515068],
    ['half used', 'SwapTotal: 100 kB\nSwapFree: 50 kB\nSwapCached: 0 kB\n', 50, 100],
    [
      'used, a part of it in memory too',
      'SwapTotal: 100 kB\nSwapFree: 50 kB\nSwapCached: 20 kB\n',
      30,
      100,
    ],
    ['in memory more than used', 'SwapTotal: 100 kB\nSwapFree: 90 kB\nSwapCached: 20 kB\n', 0, 100],
    ['no line for what is cached', 'SwapTotal: 100 kB\nSwapFree: 50 kB\n', 50, 100],
    ['none', 'SwapTotal: 0 kB\nSwapFree: 0 kB\n', 0, 0],
    ['said by its total only', 'SwapTotal: 100 kB\n', Number.NaN, 100],
    ['not said', 'MemTotal: 5 kB\n', Number.NaN, Number.NaN],
  ];
  for (const [what, text, used, limit] of swaps) {
    test(`swap that is ${what}`, () => {
      assert.deepEqual([of(swapUsed, text), of(swapTotal, text)], [used * KIB, limit * KIB]);
    });
  }

  test('a number that ran below nothing, and wrapped, is no 0 % of anything', () => {
    const wrapped = '18446744073709547520 kB';
    assert.ok(of(usedWithCache, `MemTotal: 100 kB\nMemFree: ${wrapped}\n`) < 0);
    assert.ok(of(usedWithoutCache, `MemTotal: 100 kB\nMemFree: ${wrapped}\n`) < 0);
    assert.ok(of(swapUsed, `SwapTotal: 100 kB\nSwapFree: ${wrapped}\n`) < 0);
  });
});

describe('memory that is held', () => {
  const rows: [what: string, text: string, kib: number][] = [
    // 16115528 - 8577628 - 3791568 - 207516 + 1193752 - 182100
    ['less free, page cache and reclaimable slabs; with shared memory', COREI5, 4550468],
    [
      'of a kernel without the newer lines',
      'MemTotal: 100 kB\nMemFree: 20 kB\nCached: 30 kB\n',
      50,
    ],
    [
      'all of a tmpfs, which is cached and shared',
      'MemTotal: 100 kB\nMemFree: 20 kB\nCached: 60 kB\nShmem: 60 kB\n',
      80,
    ],
    ['not known without MemFree', 'MemTotal: 100 kB\nCached: 30 kB\n', Number.NaN],
    ['not known without Cached', 'MemTotal: 100 kB\nMemFree: 30 kB\n', Number.NaN],
    ['not known without MemTotal', 'MemFree: 100 kB\nCached: 30 kB\n', Number.NaN],
    ['not known of an empty text', '', Number.NaN],
  ];
  for (const [what, text, kib] of rows) {
    test(`is ${what}`, () => assert.equal(of(held, text), kib * KIB));
  }
});
