import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import xterm from '@xterm/headless';
import fc from 'fast-check';
import { columnsOf, cut, fold, harmless } from '../../src/sinks/columns.ts';
import { frame, type Shape, type View } from '../../src/sinks/frame.ts';
import { bars, courseOf } from '../../src/sinks/spark.ts';

const PLAIN: Shape = { columns: 80, rows: 24, isUtf8: true, hasColor: false };

const VIEW: View = {
  scope: 'this container',
  source: 'cgroup v2 in /sys/fs/cgroup, limits by cpu.max and memory.max, memory: working set',
  gauges: [
    { name: 'CPU', samples: [10, 20, 95, 30], used: '0.15 CPU', limit: '0.5 CPU', isLimited: true },
    {
      name: 'Memory',
      samples: [40, 40, 41, 42],
      used: '215 MiB',
      limit: '512 MiB',
      isLimited: true,
    },
  ],
  intervalMs: 900,
  newest: 3,
  next: 'in 23 s: 3 datums to Shop, ServiceName=api',
  datums: ['CPUUtilization        25 Percent', 'MemoryUtilization     40.5 Percent'],
  prices: [
    ['medians', '3 metrics', '$1.34'],
    ['distributions', '2 metrics', '$1.04'],
    ['OTLP', '0 metrics', '$0.03'],
  ],
  pricesOf: 'us-east-1, 2026-10',
  warnings: [],
};

function linesOf(view: Partial<View>, shape: Partial<Shape> = {}): string[] {
  return frame({ ...VIEW, ...view }, { ...PLAIN, ...shape }).map(({ text }) => text.trimEnd());
}

describe('a frame', () => {
  test('at 80 columns and 24 rows', () => {
    assert.deepEqual(linesOf({}), [
      ' This container  dry run: nothing is sent; Ctrl-C ends it              last 4 s',
      ' Source    cgroup v2 in /sys/fs/cgroup, limits by cpu.max and memory.max, memo…',
      '',
      ' CPU       now  30.0 %   median  25.0 %   peak  95.0 %            limit 0.5 CPU',
      `     100 % ${' '.repeat(66)}▇`,
      `           ${' '.repeat(66)}█`,
      `       0 % ${' '.repeat(64)}▂▅█▇`,
      '',
      ' Memory    now  42.0 %   median  40.5 %   peak  42.0 %            limit 512 MiB',
      '     100 %',
      `           ${' '.repeat(64)}▂▂▂▂`,
      `       0 % ${' '.repeat(64)}████`,
      '',
      ' Next      in 23 s: 3 datums to Shop, ServiceName=api',
      '           CPUUtilization        25 Percent',
      '           MemoryUtilization     40.5 Percent',
      '',
      ' Price     medians         3 metrics   $1.34 a month',
      '           distributions   2 metrics   $1.04 a month',
      '           OTLP            0 metrics   $0.03 a month   us-east-1, 2026-10',
      '',
      ' Warnings  no warnings',
    ]);
  });

  test('at 40 columns and 10 rows', () => {
    assert.deepEqual(linesOf({}, { columns: 40, rows: 10 }), [
      ' This container                last 4 s',
      ' Source cgroup v2 in /sys/fs/cgroup, l…',
      ' CPU     30 %  median  25 %  peak  95 %',
      `${' '.repeat(27)}▁▂█▂ 0.5 CPU`,
      ' Memory  42 %  median  41 %  peak  42 %',
      `${' '.repeat(27)}▃▃▃▃ 512 MiB`,
      ' Next in 23 s: 3 datums to Shop, Servi…',
      ' 3 metrics $1.34 a month, OTLP $0.03',
      ' or 2 metrics $1.04 as distributions',
    ]);
  });

  test('with less room than it needs keeps what is measured', () => {
    const lines = linesOf({}, { columns: 40, rows: 5 });
    assert.equal(lines.length, 4);
    assert.match(lines[1] ?? '', /CPU {5}30 %/);
  });

  test('in ASCII where the locale is not UTF-8', () => {
    const lines = linesOf({ scope: 'the cgroup:/café' }, { isUtf8: false });
    assert.match(lines.join('\n'), /^[ -~\n]*$/);
    assert.match(lines[0] ?? '', /The cgroup:\/caf\?/);
    assert.match(lines[6] ?? '', /_=#%$|[.+*#%=-]{4}$/);
    assert.match(lines[1] ?? '', /\.\.\.$/);
  });

  test('without color has no escape sequence, with color ends each that it begins', () => {
    assert.ok(!linesOf({}).join('').includes('\x1b'));
    for (const line of linesOf({}, { hasColor: true })) {
      const begun = line.split('\x1b[').filter((part) => /^\d+m/.test(part)).length;
      assert.equal(line.split('\x1b[m').length - 1, begun, JSON.stringify(line));
    }
  });

  test('has what nobody could measure as a dash', () => {
    const [cpu, memory] = VIEW.gauges;
    assert.ok(cpu !== undefined && memory !== undefined);
    const gauges = [
      { ...cpu, samples: [10, Number.NaN], limit: '' },
      { ...memory, samples: [] },
    ];
    const lines = linesOf({ gauges });
    assert.match(lines[3] ?? '', /now +- % +median +10.0 % +peak +10.0 %$/);
    assert.match(lines[8] ?? '', /now +- % +median +- % +peak +- %/);
  });
});

describe('warnings', () => {
  const LONG =
    'no CPU pressure: /proc/pressure/cpu is not there, since the kernel was built without PSI';
  const shown = (warnings: string[], shape: Partial<Shape> = {}): string[] => {
    const lines = linesOf({ warnings }, shape);
    return lines.slice(lines.findIndex((line) => line.includes('! ')));
  };

  test('are folded where there is room', () => {
    assert.deepEqual(shown([LONG, 'another']), [
      ' Warnings  ! no CPU pressure: /proc/pressure/cpu is not there, since the kernel',
      '             was built without PSI',
      '           ! another',
    ]);
  });

  test('are cut where there is not, and counted where there is none', () => {
    const small = { columns: 40, rows: 10 };
    assert.deepEqual(shown([LONG], small), [' ! no CPU pressure: /proc/pressure/cpu…']);
    assert.deepEqual(shown([LONG, 'another'], small), [
      ' ! no CPU pressure: /proc/pressure/cpu…',
      ' ! another',
    ]);
    assert.deepEqual(shown([LONG, 'b', 'c', 'd'], small), [
      ' ! no CPU pressure: /proc/pressure/cpu…',
      '   and 3 more warnings',
    ]);
  });
});

describe('a course', () => {
  const pace = (newest: number): { intervalMs: number; newest: number } => {
    return { intervalMs: 1000, newest };
  };

  test('is a sample a column as long as there is room, then two, four, five minutes at most', () => {
    const upTo = (count: number): number[] => Array.from({ length: count }, (_, at) => at);
    const lengths = [5, 60, 61, 120, 121, 240, 241, 600].map((count) => {
      const { columns, samples } = courseOf(upTo(count), pace(count - 1), 60);
      assert.equal(columns.at(-1), count - 1);
      assert.equal(samples.at(-1), count - 1);
      return columns.length;
    });
    assert.deepEqual(lengths, [5, 60, 31, 60, 31, 60, 49, 60]);
  });

  test('keeps what a column shows while others come', () => {
    const samples = Array.from({ length: 600 }, (_, at) => (at * 7919) % 101);
    const earlier = courseOf(samples.slice(0, 550), pace(549), 60).columns;
    const later = courseOf(samples.slice(0, 552), pace(551), 60).columns;
    assert.deepEqual(later.slice(0, -1), earlier.slice(1));
  });

  test('has a gap where nothing was measured', () => {
    const { columns } = courseOf([1, Number.NaN, 3], pace(2), 60);
    assert.deepEqual(columns, [1, Number.NaN, 3]);
    assert.deepEqual(bars(columns, 1, true), ['▁ ▁']);
  });

  test('is drawn from nothing to the limit', () => {
    const steps = [0, 12.5, 25, 37.5, 50, 62.5, 75, 87.5, 100, 250];
    assert.deepEqual(bars(steps, 1, true), ['▁▁▂▃▄▅▆▇██']);
    assert.deepEqual(bars(steps, 2, true), ['     ▂▄▆██', '▁▂▄▆██████']);
    assert.deepEqual(bars(steps, 1, false), ['__.-=+*%##']);
  });
});

describe('text', () => {
  test('from elsewhere is one line that no terminal obeys', () => {
    assert.equal(harmless('a\x1b[2Jb\nc\td\u202ee\u2028f\x9bg', true), 'a?[2Jb?c?d?e?f?g');
    assert.equal(harmless('漢字 é', true), '漢字 é');
    assert.equal(harmless('漢字 é', false), '?? ?');
  });

  test('is cut by columns', () => {
    assert.equal(cut('abcdef', 6, true), 'abcdef');
    assert.equal(cut('abcdef', 5, true), 'abcd…');
    assert.equal(cut('漢字漢字', 6, true), '漢字…');
    assert.equal(cut('abcdef', 5, false), 'ab...');
    assert.equal(cut('abcdef', 2, false), '..');
    assert.equal(cut('abcdef', 0, true), '');
  });

  test('is folded at blanks, without losing a character', () => {
    assert.deepEqual(fold('one two three', 7), ['one two', 'three']);
    assert.deepEqual(fold('0123456789', 4), ['0123', '4567', '89']);
    assert.deepEqual(fold('', 4), ['']);
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme' }),
        fc.integer({ min: 2, max: 40 }),
        (text, width) => {
          const lines = fold(text, width);
          assert.equal(lines.join('').replaceAll(/\s/g, ''), text.replaceAll(/\s/g, ''));
          for (const line of lines) assert.ok(columnsOf(line) <= width, JSON.stringify(lines));
        },
      ),
    );
  });
});

/** The rows of a terminal that nobody here wrote, and whether any of them was wrapped. */
async function onTerminal(text: string, { columns, rows }: Shape): Promise<Shown> {
  const terminal = new xterm.Terminal({ cols: columns, rows, allowProposedApi: true });
  await new Promise<void>((resolve) => terminal.write(text, resolve));
  const { buffer } = terminal;
  const lines = Array.from({ length: rows }, (_, at) => buffer.active.getLine(at));
  const shown = {
    isWrapped: lines.some((line) => line?.isWrapped),
    hasScrolled: buffer.active.baseY > 0,
    cursorY: buffer.active.cursorY,
    rows: lines.map((line) => line?.translateToString(true) ?? ''),
  };
  terminal.dispose();
  return shown;
}

interface Shown {
  readonly isWrapped: boolean;
  readonly hasScrolled: boolean;
  readonly cursorY: number;
  readonly rows: readonly string[];
}

describe('whatever there is to show, on a terminal', () => {
  const text = fc.oneof(
    fc.string({ maxLength: 300 }),
    fc.string({ unit: 'grapheme', maxLength: 100 }),
    fc.string({ unit: 'binary', maxLength: 100 }),
  );
  const percent = fc.oneof(fc.constant(Number.NaN), fc.double({ min: 0, max: 120, noNaN: true }));
  const gauge = fc.record({
    name: fc.constantFrom('CPU', 'Memory'),
    samples: fc.array(percent, { maxLength: 900, size: 'max' }),
    used: fc.constantFrom('', '0.12 CPU', '1023 MiB', '1203.4 GiB'),
    limit: fc.constantFrom('', '0.5 CPU', '192 CPU', '512 MiB', '24576.0 GiB'),
    isLimited: fc.boolean(),
  });
  const price = fc.tuple(
    fc.constantFrom('medians', 'distributions', 'OTLP'),
    fc.nat({ max: 99 }).map((count) => `${count} metrics`),
    fc.double({ min: 0, max: 999, noNaN: true }).map((dollars) => `$${dollars.toFixed(2)}`),
  );
  const view: fc.Arbitrary<View> = fc.record({
    scope: text,
    source: text,
    gauges: fc.tuple(gauge, gauge),
    intervalMs: fc.constantFrom(100, 900, 5000, 60_000),
    newest: fc.nat(),
    next: text,
    datums: fc.array(text, { maxLength: 40 }),
    prices: fc.array(price, { minLength: 3, maxLength: 3 }),
    pricesOf: fc.constant('us-east-1, 2026-10'),
    warnings: fc.array(text, { maxLength: 8 }),
  });
  const shape = (least: [columns: number, rows: number]): fc.Arbitrary<Shape> =>
    fc.record({
      columns: fc.integer({ min: least[0], max: 200 }),
      rows: fc.integer({ min: least[1], max: 60 }),
      isUtf8: fc.boolean(),
      hasColor: fc.boolean(),
    });

  for (const [name, least] of Object.entries({
    'no line is wider and no frame higher': [40, 10],
    'the same holds for terminals that are too small': [1, 1],
  } as const)) {
    test(name, async () => {
      await fc.assert(
        fc.asyncProperty(view, shape([...least]), async (told, terminal) => {
          const rows = frame(told, terminal);
          assert.ok(rows.length < terminal.rows || rows.length === 0);
          for (const { columns } of rows) assert.ok(columns <= terminal.columns);
          const lines = rows.map((row) => `${row.text}\r\n`).join('');
          const shown = await onTerminal(lines, terminal);
          assert.ok(!shown.isWrapped, shown.rows.join('\n'));
          assert.ok(!shown.hasScrolled);
          assert.equal(shown.cursorY, rows.length);
        }),
        { numRuns: Number(process.env['FRAMES'] ?? 200) },
      );
    });
  }

  test('from 40 columns and 10 rows on nothing essential is missing', () => {
    fc.assert(
      fc.property(view, shape([40, 10]), (told, terminal) => {
        const all = { ...told, scope: 'this container', next: 'in 9 s', warnings: ['trouble'] };
        const lines = linesOf(all, { ...terminal, hasColor: false }).join('\n');
        for (const part of ['This container', 'median', 'peak', 'in 9 s', 'month', '! trouble']) {
          assert.ok(lines.includes(part), `${part} in\n${lines}`);
        }
      }),
    );
  });
});
