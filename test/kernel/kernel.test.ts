import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { keyedNumber, lowDigitsAt } from '../../src/kernel/bytes.ts';
import {
  AVAILABLE_HINT,
  estimateAvailable,
  held,
  memory,
  swapTotal,
  swapUsed,
  usedWithCache,
  usedWithoutCache,
} from '../../src/kernel/meminfo.ts';
import { parseStalledUsec } from '../../src/kernel/pressure.ts';
import { countCpuLines, parseStat, TICK_FIELDS } from '../../src/kernel/stat.ts';
import { parseLowWatermarks } from '../../src/kernel/zoneinfo.ts';
import { laid } from '../support/bytes.ts';
import { assertLinear } from '../support/linear.ts';

const BYTE_PARSERS: readonly ((bytes: Buffer, end: number) => number)[] = [
  (bytes, end) => memory(bytes, end, 'MemAvailable:', AVAILABLE_HINT),
  (bytes, end) => estimateAvailable(bytes, end, Number.NaN),
  (bytes, end) => estimateAvailable(bytes, end, 4096),
  (bytes, end) => lowDigitsAt(bytes, end, 0),
  held,
  swapTotal,
  swapUsed,
  usedWithCache,
  usedWithoutCache,
  parseStalledUsec,
];

/** Texts from nowhere, and texts that are nearly right. */
const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc
    .array(
      fc.oneof(
        fc.constantFrom('cpu ', 'cpu  ', 'cpu', ' ', '\t', '\n', '\r\n', '\0', ' kB', ':', '-'),
        fc.constantFrom('MemTotal:', 'MemAvailable:', 'MemFree:', 'Cached:', 'SReclaimable:'),
        fc.constantFrom(
          'Active(file):',
          'Inactive(file):',
          'Shmem:',
          'Buffers:',
          '  low ',
          'some ',
          'total=',
        ),
        fc.bigInt({ min: 0n, max: 2n ** 64n }).map(String),
        fc.nat(20).map(String),
        fc.string(),
      ),
      { maxLength: 40 },
    )
    .map((pieces) => pieces.join('')),
);

/** The plain way to the same number: all lines as texts, a regular expression for each. */
function plainNumber(text: string, key: string): number {
  const line = text.split('\n').find((one) => one.startsWith(key));
  const [, digits] = /^[ \t]*([0-9]+)/.exec(line?.slice(key.length) ?? '') ?? [];
  return digits === undefined ? Number.NaN : Number(digits);
}

describe('any text', () => {
  const KEYS = ['cpu ', 'MemTotal:', 'MemAvailable:', 'MemFree:', 'Cached:', 'some '];

  test('a keyed number is that of the plain way, with any hint, whatever lies behind the end', () => {
    fc.assert(
      fc.property(anyText, fc.constantFrom(...KEYS), fc.nat(100), (text, key, hint) => {
        const { bytes, end } = laid(text);
        const expected = plainNumber(bytes.toString('latin1', 0, end), key);
        const found = keyedNumber(bytes, end, key);
        // More digits than a double holds may be rounded otherwise on the way.
        const isSame = Math.abs(found - expected) <= expected * 1e-15;
        assert.ok(Object.is(found, expected) || isSame, `${found}, not ${expected}`);
        // Of several lines with one key the hint may lead to a later one.
        const again = keyedNumber(bytes, end, key, hint);
        assert.equal(Number.isNaN(again), isWithoutNumber(bytes, end, key, hint));
      }),
      { numRuns: 2000 },
    );
  });

  test('parseStat gives eight counters or says what is wrong', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const { bytes, end } = laid(text);
        const ticks = new Float64Array(TICK_FIELDS).fill(Number.NaN);
        const problem = parseStat(bytes, end, ticks);
        assert.ok(problem !== '' || ticks.every((field) => field >= 0));
      }),
      { numRuns: 1000 },
    );
  });

  test('no parser sees what lies behind the end', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const { bytes, end } = laid(text);
        const alone = bytes.subarray(0, end);
        const ticks = [new Float64Array(TICK_FIELDS), new Float64Array(TICK_FIELDS)] as const;
        assert.equal(parseStat(bytes, end, ticks[0]), parseStat(alone, end, ticks[1]));
        assert.deepEqual(ticks[0], ticks[1]);
        for (const parse of BYTE_PARSERS) assert.equal(parse(bytes, end), parse(alone, end));
      }),
      { numRuns: 1000 },
    );
  });

  test('estimateAvailable gives at least 0, or NaN', () => {
    const low = fc.oneof(fc.constant(Number.NaN), fc.nat(2 ** 40));
    fc.assert(
      fc.property(anyText, low, (text, lowWatermark) => {
        const { bytes, end } = laid(text);
        assert.ok(!(estimateAvailable(bytes, end, lowWatermark) < 0));
        assert.ok(!(parseStalledUsec(bytes, end) < 0));
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

/** Whether no number stands behind the key where the hint leads to, or at its first line. */
function isWithoutNumber(bytes: Buffer, end: number, key: string, hint: number): boolean {
  const text = bytes.toString('latin1', 0, end);
  const isThere = text.startsWith(key, hint) && (hint === 0 || text[hint - 1] === '\n');
  return Number.isNaN(plainNumber(isThere ? text.slice(hint) : text, key));
}

describe('one line of 1 MB', () => {
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
      const { bytes, end } = laid(text);
      assertLinear(() => parseStat(bytes, end, new Float64Array(TICK_FIELDS)));
      assertLinear(() => memory(bytes, end, 'MemTotal:', AVAILABLE_HINT));
      assertLinear(() => estimateAvailable(bytes, end, 0));
      assertLinear(() => parseStalledUsec(bytes, end));
      assertLinear(() => lowDigitsAt(bytes, end, 0));
      assertLinear(() => countCpuLines(text));
      assertLinear(() => parseLowWatermarks(text));
    });
  }
});
