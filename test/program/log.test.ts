import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { createLog, type Fields, LEVELS, type Level, type LogOptions } from '../../src/log.ts';
import { drivenClock } from '../support/clock.ts';

const clock = drivenClock(Date.UTC(2026, 10, 23, 8, 15, 30, 5));
const TIME = '2026-11-23T08:15:30.005Z';

/** The lines that one event makes. */
function linesOf(
  message: string,
  fields?: Fields,
  options: Partial<LogOptions> = {},
  at: Level = 'error',
): string[] {
  const lines: string[] = [];
  const write = (line: string): unknown => lines.push(line);
  const log = createLog({ level: 'debug', format: 'text', clock, write, ...options });
  log[at](message, fields);
  return lines;
}

describe('levels', () => {
  for (const [loudest, level] of LEVELS.entries()) {
    test(`at ${level} are written ${LEVELS.slice(0, loudest + 1).join(', ')}`, () => {
      const written = LEVELS.filter((at) => linesOf('x', {}, { level }, at).length > 0);
      assert.deepEqual(written, LEVELS.slice(0, loudest + 1));
    });
  }
});

test('the notice is of level info, and shown where warnings are; nothing else of info is', () => {
  const at = (level: Level): string[] => {
    const lines: string[] = [];
    const log = createLog({ level, format: 'text', clock, write: (line) => lines.push(line) });
    log.notice('here');
    log.info('there');
    return lines.map((line) => line.replace(`${TIME} `, ''));
  };
  assert.deepEqual(at('error'), []);
  assert.deepEqual(at('warn'), ['info here']);
  assert.deepEqual(at('info'), ['info here', 'info there']);
});

describe('text', () => {
  const cases: [what: string, message: string, fields: Fields | undefined, rest: string][] = [
    ['without fields', 'a message', undefined, 'a message'],
    [
      'with plain values',
      'm',
      { a: 'b', n: 5, on: true, off: false },
      'm a=b n=5 on=true off=false',
    ],
    ['with a value that is not there', 'm', { a: undefined, b: 'c' }, 'm b=c'],
    ['with blanks in a value', 'm', { a: 'b c' }, 'm a="b c"'],
    ['with nothing in a value', 'm', { a: '' }, 'm a=""'],
    ['with quotes in a value', 'm', { a: 'b"c' }, 'm a="b\\"c"'],
    ['with = in a value', 'm', { a: 'b=c' }, 'm a="b=c"'],
    ['with line feeds in a value', 'm', { a: 'b\r\nc' }, 'm a="b\\r\\nc"'],
    ['with line feeds in the message', 'one\ntwo', {}, 'one two'],
    ['with what a terminal would obey in the message', 'a\x1b[2Jb\x9b', {}, 'a [2Jb '],
    ['with letters beyond ASCII', 'm', { a: 'caf\u00e9' }, 'm a=caf\u00e9'],
    ['with an escape for a terminal', 'm', { a: '\u001b[2J' }, 'm a="\\u001b[2J"'],
    ['with one of a single character', 'm', { a: '\u009b2J' }, 'm a="\\u009b2J"'],
  ];
  for (const [what, message, fields, rest] of cases) {
    test(`is one line ${what}`, () => {
      assert.deepEqual(linesOf(message, fields), [`${TIME} error ${rest}`]);
    });
  }

  test('is one line whatever a value holds, and the value can be had back', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        const [line = '', ...more] = linesOf('m', { a: value });
        assert.deepEqual(more, []);
        assert.doesNotMatch(line, /\p{Cc}/u);
        const written = line.slice(line.indexOf(' a=') + 3);
        assert.equal(written.startsWith('"') ? JSON.parse(written) : written, value);
      }),
      { numRuns: 500 },
    );
  });
});

describe('JSON', () => {
  test('is one object a line, with the fields beside the message', () => {
    const fields = { a: 'b c', n: 5, on: true, none: undefined };
    const [line = ''] = linesOf('one\ntwo', fields, { format: 'json' }, 'warn');
    assert.equal(
      line,
      `{"time":"${TIME}","level":"warn","message":"one\\ntwo","a":"b c","n":5,"on":true}`,
    );
  });

  test('is one line whatever a value holds', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string(), (value, message) => {
        const [line = ''] = linesOf(message, { value }, { format: 'json' });
        assert.ok(!line.includes('\n'));
        assert.deepEqual(JSON.parse(line), { time: TIME, level: 'error', message, value });
      }),
    );
  });
});
