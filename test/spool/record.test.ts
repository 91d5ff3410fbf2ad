import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { Outbox } from '../../src/delivery/outbox.ts';
import type { WaitingDatum, WaitingWindow } from '../../src/delivery/packing.ts';
import type { Publication } from '../../src/metrics/publication.ts';
import {
  headLine,
  parseHead,
  parseSegment,
  type SegmentContent,
  type SegmentHead,
  settledLine,
  type WindowRecord,
  windowLine,
} from '../../src/spool/record.ts';
import { runsOf } from '../support/histories/chance.ts';
import { assertLinear } from '../support/linear.ts';

const PUBLICATION: Publication = {
  namespace: 'Jobs',
  dimensions: [{ Name: 'ServiceName', Value: 'a' }],
  highResolution: false,
};
const SIZES = ['Bytes', 'Bits'].flatMap((size) =>
  ['', 'Kilo', 'Mega', 'Giga', 'Tera'].map((prefix) => (prefix + size).replace(/(?<=.)B/, 'b')),
);
/** All that CloudWatch knows. */
const UNITS: readonly string[] = [
  ...['Seconds', 'Microseconds', 'Milliseconds', 'Percent', 'Count', 'None', ...SIZES],
  ...['Count', ...SIZES].map((unit) => `${unit}/Second`),
];
const OUTPUT = 'cloudwatch';
const HEAD = { output: OUTPUT, publication: PUBLICATION };
const NOON = 1_795_464_000_000;

function windowWith(...values: readonly number[]): WaitingWindow {
  return {
    startMs: NOON,
    endMs: NOON + 60_000,
    data: [{ name: 'CPUUtilization', unit: 'Percent', values }],
  };
}

function recordWith(record: number, ...values: readonly number[]): WindowRecord {
  return { record, ...windowWith(...values) };
}

/** A line as it would be written of any text. */
function sealed(json: string): string {
  return `${createHash('sha256').update(json).digest('hex').slice(0, 8)} ${json}\n`;
}

/** What a segment says, without what a record remembers of its own line. */
function said({ head, windows, damaged }: SegmentContent): SegmentContent {
  const plain = windows.map(({ record, startMs, endMs, data }) => ({
    record,
    startMs,
    endMs,
    data,
  }));
  return { head, windows: plain, damaged };
}

/** A line of a segment, and what it means. */
interface Line {
  readonly text: string;
  readonly kind: 'head' | 'window' | 'settled' | 'damaged';
  readonly head?: SegmentHead;
  readonly window?: WindowRecord;
  /** The records that are no more. */
  readonly records?: readonly number[];
}

/** What lines say, when each is read as it was meant. */
function meant(lines: readonly Line[]): SegmentContent {
  let head: SegmentHead | undefined;
  let windows: readonly WindowRecord[] = [];
  let damaged = 0;
  for (const line of lines) {
    head = line.head ?? head;
    windows = windows.filter(({ record }) => !line.records?.includes(record));
    if (line.window !== undefined) windows = [...windows, line.window];
    if (line.kind === 'damaged') damaged += 1;
  }
  return { head, windows, damaged };
}

const DAMAGED: Line = { text: '', kind: 'damaged' };

function head(publication: Publication, output = OUTPUT): Line {
  return { kind: 'head', text: headLine(output, publication), head: { output, publication } };
}

function kept(window: WindowRecord, instead?: number): Line {
  const text = windowLine(window.record, window, instead);
  return { kind: 'window', text, window, records: instead === undefined ? [] : [instead] };
}

function settled(records: readonly number[]): Line {
  return { kind: 'settled', text: settledLine(records), records };
}

/** The same lines, but for one. */
function replaced(lines: readonly Line[], which: number, other: Line): readonly Line[] {
  return lines.map((line, index) => (index === which ? other : line));
}

function textOf(lines: readonly Line[]): string {
  return lines.map(({ text }) => text).join('');
}

/** A segment with all there is, in plain letters and in others. */
const REAL: readonly Line[] = [
  head(PUBLICATION),
  kept(recordWith(1, 50.5)),
  kept(recordWith(2, 1, 2)),
  kept({
    record: 3,
    startMs: NOON + 60_000,
    endMs: NOON + 120_000,
    data: [
      { name: 'CPUUtilization', unit: 'Percent', values: [0.1, 99.9], counts: [60, 7] },
      { name: 'AgentMemory', unit: 'Bytes', values: [2 ** 53] },
      { name: 'Drift', unit: 'Parsec/Second', values: [1] },
      { name: 'Naïve \u{1f600} "metric"\n', unit: 'None', values: [] },
    ],
  }),
  settled([1]),
  kept(recordWith(4, 2), 2),
  kept(recordWith(5, 5e-324, -1.7976931348623157e308)),
  settled([4, 3]),
  kept(recordWith(6, 0)),
];

describe('a line', () => {
  const lines: [what: string, line: string, text: string][] = [
    [
      'of whose windows these are',
      headLine(OUTPUT, PUBLICATION),
      '28895abe {"format":"cloudwatch-metrics-agent spool 1","output":"cloudwatch","namespace":"Jobs",' +
        '"dimensions":[{"Name":"ServiceName","Value":"a"}],"highResolution":false}\n',
    ],
    [
      'of a window',
      windowLine(7, {
        startMs: NOON,
        endMs: NOON + 60_000,
        data: [
          { name: 'CPUUtilization', unit: 'Percent', values: [50.5] },
          { name: 'MemoryUtilization', unit: 'Percent', values: [1, 2.5], counts: [3, 4] },
        ],
      }),
      '7c23beb7 {"window":7,"start":1795464000000,"end":1795464060000,"data":[["CPUUtilization","Percent",[50.5]],' +
        '["MemoryUtilization","Percent",[1,2.5],[3,4]]]}\n',
    ],
    [
      'of a window in place of another',
      windowLine(8, windowWith(50.5), 7),
      '2463ca2e {"window":8,"start":1795464000000,"end":1795464060000,' +
        '"data":[["CPUUtilization","Percent",[50.5]]],"instead":7}\n',
    ],
    ['of settled records', settledLine([7, 9]), '0dc3b84e {"settled":[7,9]}\n'],
  ];
  for (const [what, line, text] of lines) {
    test(`${what} is as other releases write and read it`, () => {
      assert.equal(line, text);
    });
  }

  test('holds of a window its figures alone, whatever else comes with them', () => {
    const outbox = new Outbox(1024);
    const [datum] = windowWith(50.5).data;
    assert.ok(datum);
    const more = { samples: 67, least: 1, most: 99, secret: 'wJalrXUtnFEMI' };
    outbox.push({ ...windowWith(50.5), data: [datum] }, 3, 17);
    const [pending] = outbox.batch(1000);
    assert.ok(pending);
    assert.equal(windowLine(1, pending), windowLine(1, windowWith(50.5)));
    const window = { ...pending, ...more, data: [{ ...datum, ...more }] };
    assert.equal(windowLine(1, window), windowLine(1, windowWith(50.5)));
    assert.equal(headLine(OUTPUT, { ...PUBLICATION, ...more }), headLine(OUTPUT, PUBLICATION));
  });
});

describe('a segment', () => {
  test('without text says nothing', () => {
    assert.deepEqual(parseSegment(''), { head: undefined, windows: [], damaged: 0 });
  });

  test('says whose its windows are, and which they are, in their order', () => {
    const text = textOf([head(PUBLICATION), kept(recordWith(1, 1)), kept(recordWith(2, 2))]);
    const windows = [recordWith(1, 1), recordWith(2, 2)];
    assert.deepEqual(parseSegment(text), { head: HEAD, windows, damaged: 0 });
  });

  test('keeps the resolution', () => {
    const publication = { ...PUBLICATION, highResolution: true };
    assert.deepEqual(parseSegment(headLine(OUTPUT, publication)).head?.publication, publication);
  });

  test('does not have what is settled, wherever that stands', () => {
    const windows = [1, 2, 3, 4].map((record) => kept(recordWith(record, record)));
    const text = textOf([...windows, settled([2]), settled([4, 1, 2, 77])]);
    assert.deepEqual(parseSegment(text).windows, [recordWith(3, 3)]);
  });

  test('has a window that takes the place of another, and not that one', () => {
    const lines = [kept(recordWith(1, 1, 2)), kept(recordWith(2, 3)), kept(recordWith(3, 2), 1)];
    const { windows, damaged } = said(parseSegment(textOf(lines)));
    assert.deepEqual(windows, [recordWith(2, 3), recordWith(3, 2)]);
    assert.equal(damaged, 0);
    const again = [...lines, kept(recordWith(4, 1), 3), settled([3, 1])];
    const [, last] = said(parseSegment(textOf(again))).windows;
    assert.deepEqual(last, recordWith(4, 1));
  });

  test('without a head has windows, but nobody’s', () => {
    const text = textOf([kept(recordWith(1, 1))]);
    const expected = { head: undefined, windows: [recordWith(1, 1)], damaged: 0 };
    assert.deepEqual(parseSegment(text), expected);
  });

  test('has the datums of any unit of CloudWatch, and of those that it may get', () => {
    assert.equal(UNITS.length, 27);
    for (const unit of [...UNITS, 'Parsec', 'Parsec/Second', 'x'.repeat(32)]) {
      const window = { ...recordWith(1), data: [{ name: 'A', unit, values: [1] }] };
      const { windows, damaged } = parseSegment(windowLine(1, window));
      assert.deepEqual([windows, damaged], [[window], 0], unit);
    }
  });

  test('says by its first line for which output it is', () => {
    const text = textOf([head(PUBLICATION, 'otlp'), kept(recordWith(1, 1))]);
    assert.deepEqual(parseHead(text), { output: 'otlp', publication: PUBLICATION });
    assert.deepEqual(parseSegment(text).head, parseHead(text));
    const first = headLine('otlp', PUBLICATION);
    for (const other of ['', 'x', first.slice(0, -1), `x${first}`, `\n${first}`]) {
      assert.equal(parseHead(other), undefined, other);
    }
  });

  test('without its output in the head is nobody’s', () => {
    const json = headLine('otlp', PUBLICATION).slice(9, -1).replace('"output":"otlp",', '');
    assert.equal(parseHead(sealed(json)), undefined);
  });

  test('of another format is nobody’s', () => {
    const other = headLine(OUTPUT, PUBLICATION).slice(9).trim().replace('spool 1', 'spool 2');
    const { head, damaged } = parseSegment(sealed(other));
    assert.equal(head, undefined);
    assert.equal(damaged, 1);
  });
});

/** Any number that a window may hold. JSON has no -0. */
const number = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0),
  fc.integer(),
  fc.integer({ min: 0, max: 1e6 }).map((value) => value / 1e4),
);
const text = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 20 }),
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.string({ unit: fc.constantFrom('"', '\\', '\n', '\r', '\u2028', '\0', '\ufffd', ',', ']') }),
);
const dimension = fc.record({ Name: text, Value: text }, { noNullPrototype: true });
const dimensions = fc.array(dimension, { maxLength: 4 });
const publications: fc.Arbitrary<Publication> = fc.record(
  { namespace: text, dimensions, highResolution: fc.boolean() },
  { noNullPrototype: true },
);
/** CloudWatch's, and any other of that shape. */
const units = fc.oneof(fc.constantFrom(...UNITS), fc.stringMatching(/^[A-Za-z]{1,32}(\/Second)?$/));
const datum: fc.Arbitrary<WaitingDatum> = fc
  .record({
    name: text,
    unit: units,
    pairs: fc.array(fc.tuple(number, fc.integer({ min: 1 })), { maxLength: 8 }),
    isCounted: fc.boolean(),
  })
  .map(({ name, unit, pairs, isCounted }) => {
    const values = pairs.map(([value]) => value);
    return isCounted
      ? { name, unit, values, counts: pairs.map(([, count]) => count) }
      : { name, unit, values };
  });
/** Until the end of the year 9999. */
const instants = fc.integer({ min: 0, max: 253_402_300_799_999 });
const windows: fc.Arbitrary<WaitingWindow> = fc.record({
  startMs: instants,
  endMs: instants,
  data: fc.array(datum, { minLength: 1, maxLength: 4 }),
});
const steps = fc.oneof(
  { weight: 6, arbitrary: fc.record({ window: windows, which: fc.constant(undefined) }) },
  { weight: 2, arbitrary: fc.record({ window: windows, which: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ settled: fc.array(fc.nat(9), { maxLength: 5 }) }) },
);
/** The lines of any segment, with its head. */
const segments = fc
  .tuple(publications, fc.array(steps, { maxLength: 12 }))
  .map(([publication, all]) => {
    let record = 0;
    const lines = all.map((step): Line => {
      if ('settled' in step) return settled(step.settled);
      record += 1;
      const instead = step.which === undefined ? undefined : step.which % record;
      return kept({ record, ...step.window }, instead);
    });
    return [head(publication), ...lines];
  });

/** A place in a text, as a part of it. */
const place = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

function at(part: number, whole: { readonly length: number }): number {
  return Math.floor(part * whole.length);
}

/** Windows that nobody wrote. */
function foreign({ windows }: SegmentContent, lines: readonly Line[]): WindowRecord[] {
  const written = new Map(lines.map(({ window }) => [window?.record, JSON.stringify(window)]));
  return windows.filter((window) => written.get(window.record) !== JSON.stringify(window));
}

describe('whatever is written', () => {
  test('comes back to the bit', (t) => {
    fc.assert(
      fc.property(segments, (lines) => {
        assert.deepEqual(said(parseSegment(textOf(lines))), meant(lines));
      }),
      runsOf(t, 500, 2000),
    );
  });

  test('comes back from the bytes of a file', (t) => {
    fc.assert(
      fc.property(segments, (lines) => {
        const bytes = Buffer.from(textOf(lines), 'utf8');
        assert.deepEqual(said(parseSegment(bytes.toString('utf8'))), meant(lines));
      }),
      runsOf(t, 250, 1000),
    );
  });

  const FIELDS: Readonly<Record<Line['kind'], readonly string[]>> = {
    head: ['format', 'output', 'namespace', 'dimensions', 'highResolution'],
    window: ['window', 'start', 'end', 'data'],
    settled: ['settled'],
    damaged: [],
  };

  test('is a line each, of these fields and no others', (t) => {
    fc.assert(
      fc.property(segments, (lines) => {
        for (const { text, kind, records } of lines) {
          assert.match(text, /^[0-9a-f]{8} \{[^\n]*\}\n$/);
          const value: unknown = JSON.parse(text.slice(9));
          const isInstead = kind === 'window' && (records?.length ?? 0) > 0;
          const fields = isInstead ? [...FIELDS[kind], 'instead'] : FIELDS[kind];
          assert.deepEqual(Object.keys(Object(value)), fields);
        }
      }),
      runsOf(t, 125, 500),
    );
  });
});

describe('a segment that was cut', () => {
  test('anywhere says what its whole lines say', () => {
    const whole = textOf(REAL);
    for (let length = 0; length <= whole.length; length += 1) {
      const cut = whole.slice(0, length);
      const lines = REAL.slice(0, cut.split('\n').length - 1);
      assert.deepEqual(said(parseSegment(cut)), meant(lines), `after ${length} characters`);
    }
  });

  test('at any byte, too', () => {
    const whole = Buffer.from(textOf(REAL), 'utf8');
    assert.ok(whole.length > textOf(REAL).length);
    for (let length = 0; length <= whole.length; length += 1) {
      const cut = whole.subarray(0, length).toString('utf8');
      const lines = REAL.slice(0, cut.split('\n').length - 1);
      assert.deepEqual(said(parseSegment(cut)), meant(lines), `after ${length} bytes`);
    }
  });

  test('and written on loses its torn line alone', () => {
    const more = [kept(recordWith(9, 9)), settled([6])];
    const whole = textOf(REAL);
    for (let length = 0; length <= whole.length; length += 1) {
      const cut = whole.slice(0, length);
      const lines = REAL.slice(0, cut.split('\n').length - 1);
      const isWhole = REAL[lines.length]?.text === `${cut.slice(textOf(lines).length)}\n`;
      // The line is there but for its end, or nothing of it is.
      const torn = isWhole ? REAL.slice(lines.length, lines.length + 1) : [DAMAGED];
      const isBetween = textOf(lines).length === length;
      const expected = meant([...lines, ...(isBetween ? [] : torn), ...more]);
      const segment = said(parseSegment(`${cut}\n${textOf(more)}`));
      assert.deepEqual(segment, expected, `after ${length} characters`);
    }
  });

  test('whatever it says, says what its whole lines say', (t) => {
    fc.assert(
      fc.property(segments, place, (lines, part) => {
        const whole = Buffer.from(textOf(lines), 'utf8');
        const cut = whole.subarray(0, at(part, whole)).toString('utf8');
        const left = lines.slice(0, cut.split('\n').length - 1);
        assert.deepEqual(said(parseSegment(cut)), meant(left));
      }),
      runsOf(t, 500, 2000),
    );
  });

  test('in its middle, or has a part twice, has no window that nobody wrote', (t) => {
    fc.assert(
      fc.property(segments, place, place, (lines, from, to) => {
        const bytes = Buffer.from(textOf(lines), 'utf8');
        const [start, end] = [bytes.subarray(0, at(from, bytes)), bytes.subarray(at(to, bytes))];
        const segment = said(parseSegment(Buffer.concat([start, end]).toString('utf8')));
        assert.deepEqual(foreign(segment, lines), []);
      }),
      runsOf(t, 500, 2000),
    );
  });
});

describe('a flipped character', () => {
  const others = ['0', 'f', ' ', '"', '}', '9', 'A', 'é', '\0', '\ufffd', '\r'];

  /** All lines, and one of them with another character at a place. */
  function flipped(
    lines: readonly Line[],
    which: number,
    where: number,
    other: string,
  ): SegmentContent {
    const texts = lines.map(({ text }, index) => {
      return index === which ? text.slice(0, where) + other + text.slice(where + 1) : text;
    });
    return said(parseSegment(texts.join('')));
  }

  for (const [which, { text, kind }] of REAL.entries()) {
    test(`anywhere in line ${which + 1}, of a ${kind}, makes that line damaged`, () => {
      const expected = meant(replaced(REAL, which, DAMAGED));
      for (let where = 0; where < text.length - 1; where += 1) {
        for (const other of others.filter((one) => one !== text[where])) {
          const what = `${JSON.stringify(other)} at ${where}`;
          assert.deepEqual(flipped(REAL, which, where, other), expected, what);
        }
      }
    });
  }

  test('that ends a line makes damaged ones of both its parts', () => {
    for (const [which, { text }] of REAL.entries()) {
      for (let where = 0; where < text.length - 1; where += 1) {
        // An empty line is no damage: it stands where half a line was ended.
        const isAtEdge = where === 0 || where === text.length - 2;
        const parts = isAtEdge ? [DAMAGED] : [DAMAGED, DAMAGED];
        const expected = meant([...REAL.slice(0, which), ...parts, ...REAL.slice(which + 1)]);
        assert.deepEqual(flipped(REAL, which, where, '\n'), expected, `line ${which}, ${where}`);
      }
    }
  });

  test('in place of a line’s end makes one damaged line of two', () => {
    for (const [which, { text }] of REAL.slice(0, -1).entries()) {
      const expected = meant([...REAL.slice(0, which), DAMAGED, ...REAL.slice(which + 2)]);
      assert.deepEqual(flipped(REAL, which, text.length - 1, ' '), expected, `line ${which}`);
    }
  });

  test('of whatever segment makes its line damaged', (t) => {
    const other = fc.oneof(fc.constantFrom(...others), fc.string({ unit: 'grapheme' }));
    fc.assert(
      fc.property(segments, place, place, other, (lines, one, part, character) => {
        const which = at(one, lines);
        const { text = '' } = lines[which] ?? {};
        const where = at(part, text.slice(0, -1));
        fc.pre(character !== text[where] && !character.includes('\n'));
        const expected = meant(replaced(lines, which, DAMAGED));
        assert.deepEqual(flipped(lines, which, where, character), expected);
      }),
      runsOf(t, 500, 2000),
    );
  });

  test('or byte of whatever segment makes no window that nobody wrote', (t) => {
    fc.assert(
      fc.property(segments, place, fc.integer({ min: 1, max: 255 }), (lines, part, bits) => {
        const bytes = Buffer.from(textOf(lines), 'utf8');
        const where = at(part, bytes);
        bytes[where] = (bytes[where] ?? 0) ^ bits;
        assert.deepEqual(foreign(said(parseSegment(bytes.toString('utf8'))), lines), []);
      }),
      runsOf(t, 500, 2000),
    );
  });
});

describe('a line that is whole but says nothing', () => {
  const GOOD = '["A","Percent",[1]]';
  const datumWith = (datum: string): string => `{"window":1,"start":1,"end":2,"data":[${datum}]}`;
  const texts: [what: string, json: string][] = [
    ['nothing', 'null'],
    ['a number', '5'],
    ['a list', '[]'],
    ['no field', '{}'],
    ['other fields', '{"sealed":[1]}'],
    ['a settled number', '{"settled":1}'],
    ['a window without its start', `{"window":1,"end":2,"data":[${GOOD}]}`],
    ['a window without its end', `{"window":1,"start":1,"data":[${GOOD}]}`],
    ['a window before all clocks', `{"window":1,"start":-1,"end":2,"data":[${GOOD}]}`],
    ['a window of the year 10000', `{"window":1,"start":1,"end":253402300800000,"data":[${GOOD}]}`],
    ['a window without datums', '{"window":1,"start":1,"end":2}'],
    ['a window with a list of none', '{"window":1,"start":1,"end":2,"data":[]}'],
    ['a window whose number is text', `{"window":"1","start":1,"end":2,"data":[${GOOD}]}`],
    ['a datum that is none', datumWith('5')],
    ['a datum without values', datumWith('["A","Percent"]')],
    ['a datum whose values are text', datumWith('["A","Percent",["1"]]')],
    ['a datum with a value that is no number', datumWith('["A","Percent",[1,null]]')],
    ['a unit of two words', datumWith('["A","Per cent",[1]]')],
    ['a rate by another time', datumWith('["A","Bytes/Minute",[1]]')],
    ['a unit of no letters', datumWith('["A","",[1]]')],
    ['a unit that is too long', datumWith(`["A","${'x'.repeat(33)}",[1]]`)],
    ['a unit that is no text', datumWith('["A",5,[1]]')],
    ['a datum without a name', datumWith('[null,"Percent",[1]]')],
    ['fewer counts than values', datumWith('["A","Percent",[1,2],[1]]')],
    ['counts that are none', datumWith('["A","Percent",[1],null]')],
    ['one datum of two that is none', datumWith('["A","Percent",[1]],["A"]')],
    ['dimensions without a value', '{"dimensions":[{"Name":"A"}]}'],
    ['dimensions that are none', '{"dimensions":{"Name":"A","Value":"B"}}'],
    ['no JSON', '{"window":1'],
    ['not a character', ''],
    ['a deep nest', '['.repeat(5e5) + ']'.repeat(5e5)],
  ];
  for (const [what, json] of texts) {
    test(`but ${what} is damaged, and harms no other`, () => {
      const lines = [head(PUBLICATION), { ...DAMAGED, text: sealed(json) }, kept(recordWith(2, 2))];
      assert.deepEqual(said(parseSegment(textOf(lines))), meant(lines));
    });
  }
});

describe('any text', () => {
  const word = fc.oneof(
    fc.constantFrom(...REAL.map(({ text }) => text)),
    fc.constantFrom('\n', ' ', '{', '}', '0dc3b84e', 'e3b0c442', '{"settled":[7,9]}', '\r\n'),
    fc.string({ unit: 'binary' }),
    fc.json().map(sealed),
  );

  test('is read, without a window that nobody wrote', (t) => {
    fc.assert(
      fc.property(fc.array(word, { maxLength: 30 }), (words) => {
        assert.deepEqual(foreign(said(parseSegment(words.join(''))), REAL), []);
      }),
      runsOf(t, 500, 2000),
    );
  });

  test('of any bytes is read', (t) => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const { head, windows } = parseSegment(Buffer.from(bytes).toString('utf8'));
        assert.deepEqual([head, windows], [undefined, []]);
      }),
      runsOf(t, 500, 2000),
    );
  });
});

describe('1 MB', () => {
  const filled = (unit: string): string => unit.repeat(Math.ceil(1e6 / unit.length));
  const values = Array.from({ length: 60_000 }, (_, index) => index / 7);
  const texts: [what: string, text: string, windows: number][] = [
    ['a line without an end', filled('x'), 0],
    ['a damaged line', `${filled('x')}\n`, 0],
    ['braces', `${filled('{')}\n`, 0],
    ['line feeds', filled('\n'), 0],
    ['short lines', filled('x\n'), 0],
    ['a window in one line', windowLine(1, windowWith(...values)), 1],
    ['settled records in one line', settledLine([...Array(150_000).keys()]), 0],
    ['windows, each in place of the one before', chain(10_000), 1],
  ];

  function chain(length: number): string {
    const windows = Array.from({ length }, (_, record) =>
      windowLine(record, windowWith(record), record - 1),
    );
    return windows.join('');
  }

  for (const [what, text, windows] of texts) {
    test(`of ${what} is read in linear time`, () => {
      assertLinear(() => assert.equal(parseSegment(text).windows.length, windows));
      assert.ok(text.length > 9e5, `${text.length}`);
    });
  }
});
