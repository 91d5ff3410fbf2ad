import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  afterKey,
  grownBy,
  keyedNumber,
  lowDigitsAt,
  numberAt,
  numbersAt,
  skipBlanks,
} from '../../src/kernel/bytes.ts';
import { laid } from '../support/bytes.ts';

const NONE = Number.NaN;

describe('a key', () => {
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
    ['at its first line of several', 'A: 1\nA: 2\n', 'A:', 2],
    ['behind bytes above ASCII', 'Prä: 1\nA: 2\n', 'A:', 10],
  ];
  for (const [what, text, key, at] of keys) {
    test(`is found ${what}`, () => {
      const { bytes, end } = laid(text);
      assert.equal(afterKey(bytes, end, key), at);
    });
  }

  const hints: [what: string, text: string, hint: number, at: number][] = [
    ['it stands', 'A: 1\nB: 2\n', 5, 7],
    ['it stands no more, and it is earlier', 'B: 2\nA: 1\n', 5, 2],
    ['it stands no more, and it is later', 'A: 100\nB: 2\n', 5, 9],
    ['another key ends with it', 'A: 1\nXB: 2\nB: 3\n', 6, 13],
    ['there is only another key that ends with it', 'A: 1\nXB: 2\n', 6, -1],
    ['it begins, and the text ends', 'A: 1\nB', 5, -1],
    ['the text has ended', 'A: 1\n', 5, -1],
    ['no byte is', 'A: 1\nB: 2\n', 100_000, 7],
  ];
  for (const [what, text, hint, at] of hints) {
    test(`with a hint at a place where ${what}`, () => {
      const { bytes, end } = laid(text);
      assert.equal(afterKey(bytes, end, 'B:', hint), at);
    });
  }

  test('of an earlier reading at the hint does not hide the one of this reading', () => {
    const bytes = Buffer.from('B: 2\nA: 1\nB: 7\n');
    assert.equal(afterKey(bytes, 'B: 2\nA: 1\n'.length, 'B:', 10), 2);
    assert.equal(afterKey(bytes, 'B: 2\nA: 1\nB'.length, 'B:', 10), 2);
    assert.equal(afterKey(bytes, bytes.length, 'B:', 10), 12);
  });

  test('that begins in this reading and ends in an earlier one is none', () => {
    const bytes = Buffer.from('A: 1\nMemFree: 5\n');
    for (let end = 5; end < 13; end += 1) assert.equal(afterKey(bytes, end, 'MemFree:'), -1);
    assert.equal(afterKey(bytes, 13, 'MemFree:'), 13);
  });
});

describe('a number', () => {
  const numbers: [text: string, value: number][] = [
    ['0', 0],
    ['007', 7],
    ['12 34', 12],
    ['12kB', 12],
    ['9007199254740993', 9007199254740992],
    ['18446744073709551615', 2 ** 64],
    ['', NONE],
    ['-1', NONE],
    ['+1', NONE],
    [' 1', NONE],
    ['.5', NONE],
    ['٣', NONE],
    ['\n1', NONE],
  ];
  for (const [text, value] of numbers) {
    test(`at the beginning of ${JSON.stringify(text)} is ${value}`, () => {
      const { bytes, end } = laid(text);
      assert.equal(numberAt(bytes, end, 0), value);
      const low = Number.isNaN(value) ? NONE : Number(BigInt(/^\d+/.exec(text)?.[0] ?? '') % LOW);
      assert.equal(lowDigitsAt(bytes, end, 0), low);
    });
  }

  test('ends with the text, whatever digits were read before', () => {
    const bytes = Buffer.from('123456');
    assert.deepEqual([numberAt(bytes, 3, 0), lowDigitsAt(bytes, 3, 0)], [123, 123]);
    assert.deepEqual([numberAt(bytes, 3, 3), lowDigitsAt(bytes, 3, 3)], [NONE, NONE]);
  });

  test('behind blanks is behind spaces and tabs, and no line is skipped', () => {
    const blanks = (text: string): number => {
      const { bytes, end } = laid(text);
      return skipBlanks(bytes, end, 0);
    };
    assert.deepEqual([' \t x', 'x', '  \n 1', '  '].map(blanks), [3, 0, 2, 2]);
    assert.equal(skipBlanks(Buffer.from('    '), 2, 0), 2, 'nor what was read before');
  });

  test('is not there behind a key without one, whatever the next line holds', () => {
    const keyed = (text: string, key: string): number => {
      const { bytes, end } = laid(text);
      return keyedNumber(bytes, end, key);
    };
    assert.equal(keyed('MemFree:\n5 kB\n', 'MemFree:'), NONE);
    assert.equal(keyed('MemFree:     ', 'MemFree:'), NONE);
    assert.equal(keyed('MemFree:', 'MemFree:'), NONE);
    assert.equal(keyed('', 'MemFree:'), NONE);
    assert.equal(keyed('MemFree:\t 5 kB', 'MemFree:'), 5);
    assert.equal(keyed('HugePages_Total:       3\n', 'HugePages_Total:'), 3);
  });
});

/** What the last 15 digits are the remainder of. */
const LOW = 10n ** 15n;
const HALF = Number(LOW / 2n);
const COUNTER = fc.bigInt({ min: 0n, max: 2n ** 64n });

function lowDigits(text: string): number {
  const { bytes, end } = laid(text);
  return lowDigitsAt(bytes, end, 0);
}

describe('the last digits of a counter', () => {
  const rows: [text: string, low: number][] = [
    ['999999999999999', 999999999999999],
    ['1000000000000000', 0],
    ['9007199254740993', 7199254740993],
    ['9999999999999999', 999999999999999],
    ['99999999999999999999', 999999999999999],
    ['18446744073709551615', 744073709551615],
    ['1000000000000007 8', 7],
  ];
  for (const [text, low] of rows) {
    test(`of ${text} are ${low}`, () => assert.equal(lowDigits(text), low));
  }

  test('are exact for any counter', () => {
    fc.assert(
      fc.property(COUNTER, (count) => {
        assert.equal(lowDigits(`${count}`), Number(count % LOW));
      }),
      { numRuns: 1000 },
    );
  });

  const growth: [before: string, now: string, grown: number][] = [
    ['5', '7', 2],
    ['7', '7', 0],
    ['7', '5', -2],
    ['9007199254740992', '9007199254740993', 1],
    ['1999999999999999', '2000000000000001', 2],
    ['2000000000000001', '1999999999999999', -2],
    ['999999999999990', '1000000000000010', 20],
    ['18446744073709551614', '18446744073709551615', 1],
  ];
  for (const [before, now, grown] of growth) {
    test(`from ${before} to ${now} have grown by ${grown}`, () => {
      assert.equal(grownBy(lowDigits(before), lowDigits(now)), grown);
    });
  }

  test('tell by how much a counter has grown or run backwards, exactly, up to half of 10^15', () => {
    const step = fc.bigInt({ min: -LOW / 2n + 1n, max: LOW / 2n - 1n });
    fc.assert(
      fc.property(COUNTER, step, (before, by) => {
        fc.pre(before + by >= 0n);
        const grown = grownBy(lowDigits(`${before}`), lowDigits(`${before + by}`));
        assert.equal(grown, Number(by));
      }),
      { numRuns: 1000 },
    );
  });

  test('never tell more than half of 10^15, nor anything of a first reading', () => {
    const low = fc.integer({ min: 0, max: Number(LOW) - 1 });
    fc.assert(fc.property(low, low, (a, b) => assert.ok(Math.abs(grownBy(a, b)) <= HALF)));
    assert.ok(Number.isNaN(grownBy(NONE, 5)));
    assert.ok(Number.isNaN(grownBy(5, NONE)));
  });
});

describe('numbers in a row', () => {
  const rows: [what: string, text: string, room: number, count: number, numbers: number[]][] = [
    ['to the end of the line', '1 2\n3 4', 4, 2, [1, 2]],
    ['to the end of the text', '1 2', 4, 2, [1, 2]],
    ['to CRLF', '1 2\r\n3', 4, 2, [1, 2]],
    ['as many as there is room for', '1 2 3 4', 2, 2, [1, 2]],
    ['with blanks of any kind around', ' \t1 \t 2 \t\n', 4, 2, [1, 2]],
    ['of which there are none', '\n1', 4, 0, []],
    ['of an empty text', '', 4, 0, []],
    ['up to a word', '1 2 x 4', 4, -3, [1, 2]],
    ['up to a sign', '1 -2', 4, -2, [1]],
    ['up to a unit', '1 2kB', 4, -3, [1, 2]],
    ['before a word', 'x', 4, -1, []],
    ['past 2^53', '18446744073709551615 1', 2, 2, [2 ** 64, 1]],
  ];
  for (const [what, text, room, count, numbers] of rows) {
    test(what, () => {
      const { bytes, end } = laid(text);
      const into = new Float64Array(room).fill(NONE);
      assert.equal(numbersAt(bytes, end, 0, into), count);
      assert.deepEqual([...into.slice(0, numbers.length)], numbers);
      assert.ok(into.slice(numbers.length).every(Number.isNaN), 'nothing else is touched');
    });
  }
});
