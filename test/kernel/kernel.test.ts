import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { estimateAvailable, parseMemory } from '../../src/kernel/meminfo.ts';
import { parseStat } from '../../src/kernel/stat.ts';
import { afterKey, keyedNumber, numberAt, skipBlanks, skipDigits } from '../../src/kernel/text.ts';
import { parseLowWatermarks } from '../../src/kernel/zoneinfo.ts';

const KIB = 1024;

/** user nice system idle iowait irq softirq steal, in the order of the line. */
function fieldsOf(text: string): number[] {
  const { user, nice, system, idle, iowait, irq, softirq, steal } = parseStat(text);
  return [user, nice, system, idle, iowait, irq, softirq, steal];
}

describe('text', () => {
  const keys: [what: string, text: string, key: string, at: number][] = [
    ['at the beginning of the text', 'Cached: 1', 'Cached:', 7],
    ['at the beginning of a later line', 'A: 1\nCached: 2', 'Cached:', 12],
    ['behind CRLF', 'A: 1\r\nCached: 2', 'Cached:', 13],
    ['not inside a longer key', 'SwapCached: 1\n', 'Cached:', -1],
    ['past a longer key that ends alike', 'SwapCached: 1\nCached: 2', 'Cached:', 21],
    ['not where the text ends before its delimiter', 'A: 1\nCached', 'Cached:', -1],
    ['not behind blanks', '  low 5', 'low', -1],
    ['not in an empty text', '', 'Cached:', -1],
    ['as the last characters of the text', 'A: 1\nB:', 'B:', 7],
  ];
  for (const [what, text, key, at] of keys) {
    test(`a key is found ${what}`, () => assert.equal(afterKey(text, key), at));
  }

  const numbers: [text: string, value: number, after: number][] = [
    ['0', 0, 1],
    ['007', 7, 3],
    ['12 34', 12, 2],
    ['12kB', 12, 2],
    ['9007199254740993', 9007199254740992, 16],
    ['18446744073709551615', 2 ** 64, 20],
    ['', Number.NaN, 0],
    ['-1', Number.NaN, 0],
    ['+1', Number.NaN, 0],
    [' 1', Number.NaN, 0],
    ['.5', Number.NaN, 0],
    ['٣', Number.NaN, 0],
  ];
  for (const [text, value, after] of numbers) {
    test(`the number at the beginning of "${text}" is ${value}`, () => {
      assert.equal(numberAt(text, 0), value);
      assert.equal(skipDigits(text, 0), after);
    });
  }

  test('blanks are spaces and tabs, and no line is skipped', () => {
    assert.equal(skipBlanks(' \t x', 0), 3);
    assert.equal(skipBlanks('x', 0), 0);
    assert.equal(skipBlanks('  \n 1', 0), 2);
    assert.equal(skipBlanks('  ', 0), 2);
  });

  test('a key without its number is no number, whatever the next line holds', () => {
    assert.equal(keyedNumber('MemFree:\n5 kB\n', 'MemFree:'), Number.NaN);
    assert.equal(keyedNumber('MemFree:     ', 'MemFree:'), Number.NaN);
    assert.equal(keyedNumber('MemFree:\t 5 kB', 'MemFree:'), 5);
    assert.equal(keyedNumber('HugePages_Total:       3\n', 'HugePages_Total:'), 3);
  });
});

describe('parseStat', () => {
  const good: [what: string, text: string, fields: number[]][] = [
    [
      'ten fields, of which guest and guest_nice are left out',
      'cpu  10132153 290696 3084719 46828483 16683 0 25195 175628 7 8\ncpu0 1 2 3 4\n',
      [10132153, 290696, 3084719, 46828483, 16683, 0, 25195, 175628],
    ],
    [
      'eleven fields, of a kernel to come',
      'cpu  1 2 3 4 5 6 7 8 9 10 11\n',
      [1, 2, 3, 4, 5, 6, 7, 8],
    ],
    ['nine fields (2.6.24)', 'cpu  1 2 3 4 5 6 7 8 9\n', [1, 2, 3, 4, 5, 6, 7, 8]],
    ['eight fields (2.6.11)', 'cpu  1 2 3 4 5 6 7 8\n', [1, 2, 3, 4, 5, 6, 7, 8]],
    ['seven fields (2.6.0)', 'cpu  1 2 3 4 5 6 7\n', [1, 2, 3, 4, 5, 6, 7, 0]],
    ['six fields', 'cpu  1 2 3 4 5 6\n', [1, 2, 3, 4, 5, 6, 0, 0]],
    ['five fields (2.5.41)', 'cpu  1 2 3 4 5\n', [1, 2, 3, 4, 5, 0, 0, 0]],
    ['four fields (2.4)', 'cpu  1 2 3 4\n', [1, 2, 3, 4, 0, 0, 0, 0]],
    ['CRLF', 'cpu  1 2 3 4 5\r\ncpu0 1 2 3 4 5\r\n', [1, 2, 3, 4, 5, 0, 0, 0]],
    ['no line feed at the end', 'cpu  1 2 3 4 5 6 7 8 9 10', [1, 2, 3, 4, 5, 6, 7, 8]],
    ['blanks at the end of the line', 'cpu  1 2 3 4 \t \n', [1, 2, 3, 4, 0, 0, 0, 0]],
    ['one blank after the name', 'cpu 1 2 3 4\n', [1, 2, 3, 4, 0, 0, 0, 0]],
    ['all zero (gVisor)', 'cpu  0 0 0 0 0 0 0 0 0 0\n', [0, 0, 0, 0, 0, 0, 0, 0]],
    ['another line first', 'cpu0 9 9 9 9\ncpu  1 2 3 4\n', [1, 2, 3, 4, 0, 0, 0, 0]],
    ['bytes above ASCII elsewhere', 'cpu  1 2 3 4\nb\u00fcro 1\n', [1, 2, 3, 4, 0, 0, 0, 0]],
    [
      'numbers past 2^53, with their last digits lost',
      'cpu  9007199254740993 0 0 18446744073709551615\n',
      [2 ** 53, 0, 0, 2 ** 64, 0, 0, 0, 0],
    ],
  ];
  for (const [what, text, fields] of good) {
    test(`reads ${what}`, () => assert.deepEqual(fieldsOf(text), fields));
  }

  const bad: [what: string, text: string, message: RegExp][] = [
    ['an empty text', '', /no line "cpu "/],
    ['only the lines of single CPUs', 'cpu0 1 2 3 4\ncpu1 1 2 3 4\n', /no line "cpu "/],
    ['a name cut short', 'cpu', /no line "cpu "/],
    ['a line without numbers', 'cpu  \n', /field 1 /],
    ['three fields', 'cpu  1 2 3\n', /field 4 /],
    ['three fields, the next line being numbers', 'cpu  1 2 3\n4 5 6\n', /field 4 /],
    ['a negative counter', 'cpu  1 -2 3 4\n', /field 2 /],
    ['a word for a number', 'cpu  1 2 three 4\n', /field 3 /],
    ['a fraction', 'cpu  1 2 3 4.5 6\n', /field 5 /],
    ['a word behind the fourth field', 'cpu  1 2 3 4 five\n', /field 5 /],
    ['digits that are not ASCII', 'cpu  \u0661 2 3 4\n', /field 1 /],
    ['the name indented', '  cpu  1 2 3 4\n', /no line "cpu "/],
    ['HTML', '<html><body>cpu  1 2 3 4</body></html>', /no line "cpu "/],
  ];
  for (const [what, text, message] of bad) {
    test(`refuses ${what}`, () => {
      assert.throws(() => parseStat(text), { name: 'SyntaxError', message });
    });
  }

  test('an intr line of 100 kB changes nothing, before or behind', () => {
    const intr = `intr 12345${' 0'.repeat(50_000)}\n`;
    assert.deepEqual(fieldsOf(`cpu  1 2 3 4\n${intr}`), [1, 2, 3, 4, 0, 0, 0, 0]);
    assert.deepEqual(fieldsOf(`${intr}cpu  1 2 3 4\n`), [1, 2, 3, 4, 0, 0, 0, 0]);
  });
});

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
`;

/** Linux 2.4 put this before the lines with keys, in bytes; some later kernels do so again. */
const TABLE_OF_2_4 = `        total:    used:    free:  shared: buffers:  cached:
Mem:  260579328 136073216 124506112        0  4915200 94064640
Swap:        0        0        0
`;

describe('parseMemory', () => {
  const good: [what: string, text: string, totalKib: number, availableKib: number][] = [
    ['the usual lines', 'MemTotal: 100 kB\nMemFree: 20 kB\nMemAvailable: 40 kB\n', 100, 40],
    ['CRLF', 'MemTotal: 100 kB\r\nMemAvailable: 40 kB\r\n', 100, 40],
    ['no line feed at the end', 'MemTotal: 100 kB\nMemAvailable: 40', 100, 40],
    ['MemAvailable before MemTotal', 'MemAvailable: 40 kB\nMemTotal: 100 kB\n', 100, 40],
    ['MemAvailable equal to the total', 'MemTotal: 100 kB\nMemAvailable: 100 kB\n', 100, 100],
    ['MemAvailable missing', 'MemTotal: 100 kB\nMemFree: 20 kB\n', 100, Number.NaN],
    ['MemAvailable 0', 'MemTotal: 100 kB\nMemAvailable: 0 kB\n', 100, Number.NaN],
    ['MemAvailable above the total', 'MemTotal: 100 kB\nMemAvailable: 101 kB\n', 100, Number.NaN],
    ['MemAvailable without a number', 'MemTotal: 100 kB\nMemAvailable: kB\n', 100, Number.NaN],
    ['MemAvailable negative', 'MemTotal: 100 kB\nMemAvailable: -4 kB\n', 100, Number.NaN],
    ['a key cut short', 'MemTotal: 100 kB\nMemAvaila', 100, Number.NaN],
    ['the table of 2.4 first', `${TABLE_OF_2_4}${COREI5}`, 16115528, 11225936],
    ['bytes above ASCII', 'Pr\u00e4: 1 kB\nMemTotal: 9 kB\nMemAvailable: 4 kB\n', 9, 4],
    ['a machine of 4 EiB', 'MemTotal: 4503599627370496 kB\n', 2 ** 52, Number.NaN],
  ];
  for (const [what, text, totalKib, availableKib] of good) {
    test(`reads ${what}`, () => {
      const expected = { total: totalKib * KIB, available: availableKib * KIB };
      assert.deepEqual(parseMemory(text), expected);
    });
  }

  const bad: [what: string, text: string][] = [
    ['an empty text', ''],
    ['a text without MemTotal', 'MemFree: 20 kB\nMemAvailable: 40 kB\n'],
    ['a total of 0', 'MemTotal: 0 kB\nMemAvailable: 40 kB\n'],
    ['a total without a number', 'MemTotal: kB\n'],
    ['only the table of 2.4', TABLE_OF_2_4],
    ['a key that only ends alike', 'XMemTotal: 5 kB\n'],
  ];
  for (const [what, text] of bad) {
    test(`refuses ${what}`, () => {
      assert.throws(() => parseMemory(text), { name: 'SyntaxError', message: /MemTotal/ });
    });
  }
});

describe('estimateAvailable', () => {
  test('without watermarks it is free, buffers, cached and reclaimable, less shared', () => {
    // 8577628 + 207516 + 3791568 + 182100 - 1193752 = 11565060; used 28.24 % of the total.
    const available = estimateAvailable(COREI5, Number.NaN);
    assert.equal(available, 11565060 * KIB);
    const total = 16115528 * KIB;
    assert.equal(((100 * (total - available)) / total).toFixed(2), '28.24');
    // 440324 + 1020128 + 12007640 + 1738124 - 808 = 15205408; used 2.94 %.
    const old = estimateAvailable(PROCFS, Number.NaN);
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
    assert.equal(estimateAvailable(text, low), (24270692 - 84592 + 68986 + 52622) * KIB);
    const kernels = 24264580 * KIB;
    assert.ok(Math.abs(estimateAvailable(text, low) - kernels) / kernels < 0.005);
  });

  test('large caches give all but one watermark each', () => {
    const text =
      'MemTotal: 1000 kB\nMemFree: 100 kB\nActive(file): 200 kB\nInactive(file): 100 kB\nSReclaimable: 60 kB\n';
    // 100 - 10 + (300 - 10) + (60 - 10)
    assert.equal(estimateAvailable(text, 10 * KIB), 430 * KIB);
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
      assert.equal(estimateAvailable(text, lowKib * KIB), expectedKib * KIB);
    });
  }

  test('it is never below nothing and never above the total', () => {
    const shared = 'MemTotal: 1000 kB\nMemFree: 10 kB\nSReclaimable: 1 kB\nShmem: 500 kB\n';
    assert.equal(estimateAvailable(shared, Number.NaN), 0);
    const scarce =
      'MemTotal: 9 kB\nMemFree: 1 kB\nActive(file): 0 kB\nInactive(file): 0 kB\nSReclaimable: 0 kB\n';
    assert.equal(estimateAvailable(scarce, 5 * KIB), 0);
    const odd = 'MemTotal: 1000 kB\nMemFree: 900 kB\nCached: 900 kB\n';
    assert.equal(estimateAvailable(odd, Number.NaN), 1000 * KIB);
  });
});

describe('parseLowWatermarks', () => {
  const ZONES = `Node 0, zone      DMA
  per-node stats
      nr_inactive_anon 15628
  pages free     3840
        boost    0
        min      42
        low      53
        high     64
Node 0, zone    DMA32
  pages free     765432
        min      8718
        low      10898
        high     13078
        protection: (0, 0, 21095)
Node 0, zone   Device
  pages free     0
        low      0
`;
  const cases: [what: string, text: string, pages: number][] = [
    ['of all zones', ZONES, 53 + 10898],
    ['with CRLF', ZONES.replaceAll('\n', '\r\n'), 53 + 10898],
    ['without a line feed at the end', '        low 7', 7],
    ['of zones that are all empty', '        low      0\n', 0],
    ['of an empty text', '', Number.NaN],
    ['where only other words begin or end alike', '  lowest 5\n  slow 6\n  low\n', Number.NaN],
    ['where the number is none', '        low      x\n        low -3\n', Number.NaN],
    ['where the word does not stand in a zone', 'low 5\n', Number.NaN],
    ['past 2^53', '  low 18446744073709551615\n', 2 ** 64],
  ];
  for (const [what, text, pages] of cases) {
    test(`the low watermarks ${what} add up to ${pages}`, () => {
      assert.equal(parseLowWatermarks(text), pages);
    });
  }
});

/** Texts from nowhere, and texts that are nearly right. */
const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc
    .array(
      fc.oneof(
        fc.constantFrom('cpu ', 'cpu  ', 'cpu', ' ', '\t', '\n', '\r\n', '\0', ' kB', ':', '-'),
        fc.constantFrom('MemTotal:', 'MemAvailable:', 'MemFree:', 'Cached:', 'SReclaimable:'),
        fc.constantFrom('Active(file):', 'Inactive(file):', 'Shmem:', 'Buffers:', '  low '),
        fc.bigInt({ min: 0n, max: 2n ** 64n }).map(String),
        fc.nat(20).map(String),
        fc.string(),
      ),
      { maxLength: 40 },
    )
    .map((pieces) => pieces.join('')),
);

/** What a parser gives, or nothing where it refuses in the agreed way. */
function parsedOrRefused<Value>(parse: () => Value): Value | undefined {
  try {
    return parse();
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

describe('any text', () => {
  test('parseStat gives eight counters or a SyntaxError', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const fields = parsedOrRefused(() => fieldsOf(text)) ?? [];
        assert.ok(fields.every((field) => field >= 0));
      }),
      { numRuns: 1000 },
    );
  });

  test('parseMemory gives a total above 0 with what fits into it, or a SyntaxError', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const memory = parsedOrRefused(() => parseMemory(text));
        if (memory === undefined) return;
        assert.ok(memory.total > 0);
        const { available, total } = memory;
        assert.ok(Number.isNaN(available) || (available > 0 && available <= total));
      }),
      { numRuns: 1000 },
    );
  });

  test('estimateAvailable gives 0 to the total, or NaN', () => {
    const low = fc.oneof(fc.constant(Number.NaN), fc.nat(2 ** 40));
    fc.assert(
      fc.property(anyText, low, (text, lowWatermark) => {
        const estimate = estimateAvailable(text, lowWatermark);
        const total = keyedNumber(text, 'MemTotal:') * KIB;
        assert.ok(Number.isNaN(estimate) || (estimate >= 0 && estimate <= total));
      }),
      { numRuns: 1000 },
    );
  });

  test('parseLowWatermarks gives a number of pages, or NaN', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const pages = parseLowWatermarks(text);
        assert.ok(Number.isNaN(pages) || pages >= 0);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('one line of 1 MB', () => {
  /** Quadratic work on 10^6 characters takes minutes; linear work a few milliseconds. */
  const LONGEST_MS = 1000;
  const BYTES = 1_000_000;
  const filled = (unit: string): string => unit.repeat(Math.ceil(BYTES / unit.length));
  const texts: [what: string, text: string][] = [
    ['blanks', filled(' ')],
    ['digits', `cpu  ${filled('9')}`],
    ['a counter and blanks', `cpu  1${filled(' ')}x`],
    ['numbers', `cpu  ${filled('1 ')}`],
    ['the key over and over', filled('cpu ')],
    ['another key over and over', filled('xMemTotal:')],
    ['a watermark with blanks', `  low${filled(' ')}x`],
    ['a watermark with digits', `  low ${filled('1')}x`],
    ['a watermark with digits and blanks', `  low ${'1'.repeat(5e5)}${' '.repeat(5e5)}x`],
    ['line feeds', filled('\n')],
    ['blanks and the word', filled(' low')],
  ];
  for (const [what, text] of texts) {
    test(`of ${what} is done with in linear time`, () => {
      const startMs = performance.now();
      parsedOrRefused(() => parseStat(text));
      parsedOrRefused(() => parseMemory(text));
      estimateAvailable(text, 0);
      parseLowWatermarks(text);
      assert.ok(performance.now() - startMs < LONGEST_MS);
    });
  }
});
