import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  countCpuLines,
  IDLE,
  IOWAIT,
  IRQ,
  NICE,
  parseStat,
  SOFTIRQ,
  STEAL,
  SYSTEM,
  TICK_FIELDS,
  USER,
} from '../../src/kernel/stat.ts';
import { laid } from '../support/bytes.ts';

/** user nice system idle iowait irq softirq steal, in the order of the line. */
function fieldsOf(text: string): number[] {
  const { bytes, end } = laid(text);
  const ticks = new Float64Array(TICK_FIELDS);
  assert.equal(parseStat(bytes, end, ticks), '');
  return [...ticks];
}

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
      const { bytes, end } = laid(text);
      assert.match(parseStat(bytes, end, new Float64Array(TICK_FIELDS)), message);
    });
  }

  test('an intr line of 100 kB changes nothing, before or behind', () => {
    const intr = `intr 12345${' 0'.repeat(50_000)}\n`;
    assert.deepEqual(fieldsOf(`cpu  1 2 3 4\n${intr}`), [1, 2, 3, 4, 0, 0, 0, 0]);
    assert.deepEqual(fieldsOf(`${intr}cpu  1 2 3 4\n`), [1, 2, 3, 4, 0, 0, 0, 0]);
  });

  test('what the numbers were before does not stay', () => {
    const { bytes, end } = laid('cpu  1 2 3 4\n');
    const ticks = new Float64Array(TICK_FIELDS).fill(7);
    assert.equal(parseStat(bytes, end, ticks), '');
    assert.deepEqual([...ticks], [1, 2, 3, 4, 0, 0, 0, 0]);
  });

  test('a line that ends where the reading does is not continued by what was read before', () => {
    const bytes = Buffer.from('cpu  1 2 3 4 5 6 7 8 9 10\n');
    const ticks = new Float64Array(TICK_FIELDS);
    assert.equal(parseStat(bytes, 'cpu  1 2 3 4'.length, ticks), '');
    assert.deepEqual([...ticks], [1, 2, 3, 4, 0, 0, 0, 0]);
    assert.match(parseStat(bytes, 'cpu  1 2 3'.length, ticks), /field 4 /);
    assert.match(parseStat(bytes, 'cpu'.length, ticks), /no line "cpu "/);
  });

  test('each number has the place that its name says', () => {
    assert.deepEqual([USER, NICE, SYSTEM, IDLE, IOWAIT, IRQ, SOFTIRQ, STEAL], [...Array(8).keys()]);
  });

  const lists: [what: string, text: string, count: number][] = [
    ['two CPUs', 'cpu  1 2 3 4\ncpu0 1 2 3 4\ncpu1 1 2 3 4\nintr 5\n', 2],
    ['CPUs between which some are offline', 'cpu  1\ncpu0 1\ncpu7 1\ncpu191 1\n', 3],
    ['no line of a CPU (gVisor)', 'cpu  0 0 0 0\n', 0],
    ['lines that only begin alike', 'cpu  1\ncpufreq 1\ncpu\ncpu1\n  cpu2 1\n', 0],
    ['an empty text', '', 0],
  ];
  for (const [what, text, count] of lists) {
    test(`${what}: ${count} lines`, () => assert.equal(countCpuLines(text), count));
  }
});
