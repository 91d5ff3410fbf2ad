import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import xterm from '@xterm/headless';
import { defaultMetrics } from '../../src/metrics/catalog.ts';
import { createFigures, PLACES } from '../../src/metrics/figures.ts';
import type { Statistics } from '../../src/metrics/metric.ts';
import { Window } from '../../src/metrics/window.ts';
import { Screen, type ScreenOptions } from '../../src/sinks/screen.ts';
import type { Drawn } from '../../src/sinks/terminal.ts';
import { type DrivenClock, drivenClock } from '../support/clock.ts';

const START_MS = Date.UTC(2026, 10, 25, 12);
const GIB = 2 ** 30;

interface Stage {
  readonly clock: DrivenClock;
  readonly screen: Screen;
  /** What was written, a string a write. */
  readonly writes: string[];
  readonly absent: Map<string, string>;
  readonly said: string[];
  /** As the source's number of its scope. */
  scopeNumber: number;
  attached: Drawn | undefined;
  sample(cpu: number, memory: number): void;
  resize(columns: number, rows: number): void;
  /** What a terminal makes of all that, and where its cursor is. */
  shown(): Promise<{ rows: string[]; hasCursor: boolean }>;
}

function stage(
  statistics: Statistics = 'median',
  columns = 100,
  rows = 24,
  kinds: ScreenOptions['kinds'] = ['cloudwatch'],
): Stage {
  const clock = drivenClock(START_MS);
  const terminal = new xterm.Terminal({ cols: columns, rows, allowProposedApi: true });
  const metrics = defaultMetrics(statistics);
  const window = new Window(metrics.map(({ series }) => series));
  const writes: string[] = [];
  const absent = new Map<string, string>();
  const said: string[] = [];
  let hasCursor = true;
  const source = {
    absent,
    get scopeNumber() {
      return made.scopeNumber;
    },
  };
  const made: Omit<Stage, 'screen'> & { screen?: Screen } = {
    clock,
    writes,
    absent,
    said,
    scopeNumber: 0,
    attached: undefined,
    sample(cpu, memory) {
      const figures = createFigures();
      figures[PLACES.cpu] = cpu;
      figures[PLACES.cpuCores] = cpu / 50;
      figures[PLACES.memory] = memory;
      figures[PLACES.memoryUsed] = (memory * GIB) / 100;
      figures[PLACES.memoryLimit] = GIB;
      window.addFigures(figures);
      made.screen?.sample(figures);
    },
    resize(toColumns, toRows) {
      terminal.resize(toColumns, toRows);
      made.attached?.draw();
    },
    async shown() {
      await new Promise<void>((resolve) => terminal.write('', resolve));
      const { active } = terminal.buffer;
      const all = Array.from({ length: terminal.rows }, (_, at) =>
        active.getLine(active.baseY + at),
      );
      return { rows: all.map((line) => line?.translateToString(true) ?? ''), hasCursor };
    },
  };
  const screen = new Screen({
    terminal: {
      isUtf8: true,
      hasColor: true,
      isLogs: true,
      size: () => ({ columns: terminal.cols, rows: terminal.rows }),
      write: (text) => {
        writes.push(text);
        terminal.write(text);
        if (text.includes('\x1b[?25l')) hasCursor = false;
        if (text.includes('\x1b[?25h')) hasCursor = true;
      },
      attach: (drawn) => {
        made.attached = drawn;
      },
    },
    clock,
    intervalMs: 1000,
    periodMs: 60_000,
    publication: {
      namespace: 'Shop',
      dimensions: [{ Name: 'ServiceName', Value: 'api' }],
      highResolution: false,
    },
    window,
    aggregate: { metrics, statistics, valuesPerDatum: 150, compatFraction: false },
    measured: () => ({
      scope: `this scope ${made.scopeNumber}`,
      source: 'somewhere',
      cpuLimit: '',
      hasMemoryLimit: true,
    }),
    otlpBytes: () => 1553,
    emfBytes: () => 369,
    kinds,
    source,
    said,
  });
  return Object.assign(made, { screen });
}

const rowOf = (rows: readonly string[], label: string): string =>
  rows.find((row) => row.startsWith(` ${label}`)) ?? '';

describe('the screen', () => {
  test('is there at once, and then each second, one write a frame', async () => {
    const { clock, writes, shown } = stage();
    assert.equal(writes.length, 1);
    clock.advance(5000);
    assert.equal(writes.length, 6);
    assert.equal(writes.filter((text) => text.includes('\x1b[?25l')).length, 1);
    for (const text of writes.slice(1)) {
      assert.ok(text.startsWith('\x1b[23A\r') && text.endsWith('\r\n\x1b[J'), JSON.stringify(text));
    }
    const { rows, hasCursor } = await shown();
    assert.match(rowOf(rows, 'This scope 0'), /dry run: nothing is sent/);
    assert.match(rowOf(rows, 'Next'), /in 55 s: 0 datums to Shop, ServiceName=api/);
    assert.equal(hasCursor, false);
  });

  test('shows what is measured, what all of it is, and what has gone without', async () => {
    const { clock, sample, shown } = stage();
    for (const cpu of [10, 20, 30, 40, 60]) {
      clock.advance(1000);
      sample(cpu, 50);
    }
    clock.advance(500);
    clock.advance(500);
    let { rows } = await shown();
    assert.match(
      rowOf(rows, 'CPU'),
      /now +60.0 % \(1.2 CPU\) +median +30.0 % +peak +60.0 % +of 2 CPU$/,
    );
    assert.match(rowOf(rows, 'Memory'), /now +50.0 % \(512 MiB\) .* limit 1024 MiB$/);
    assert.match(rowOf(rows, 'Next'), /in 54 s: 3 datums/);
    clock.advance(5000);
    ({ rows } = await shown());
    assert.match(rowOf(rows, 'CPU'), /now +- % .*median +30.0 % +peak +60.0 %/);
  });

  test('begins a new course with a new scope', async () => {
    const made = stage();
    made.clock.advance(1000);
    made.sample(90, 50);
    made.scopeNumber = 1;
    made.clock.advance(1000);
    made.sample(10, 20);
    made.clock.advance(1000);
    const { rows } = await made.shown();
    assert.match(rowOf(rows, 'This scope 1'), /last 1 s/);
    assert.match(rowOf(rows, 'CPU'), /peak +10.0 %/);
  });

  test('has the price of what is set first', async () => {
    for (const [kind, first] of [
      ['median', 'medians +3 metrics +\\$1.34'],
      ['distribution', 'distributions +2 metrics +\\$1.04'],
    ] as const) {
      const { rows } = await stage(kind).shown();
      assert.match(rowOf(rows, 'Price'), new RegExp(`Price +${first} a month`));
    }
  });

  test('has what is set first, EMF where it is, and says where it goes', async () => {
    for (const [kinds, first, rows] of [
      [['otlp'], 'OTLP +0 metrics', 3],
      [['emf'], 'EMF +3 metrics', 4],
      [['emf', 'otlp'], 'OTLP +0 metrics', 4],
    ] as const) {
      const { clock, sample, shown } = stage('median', 100, 24, kinds);
      sample(10, 50);
      clock.advance(1000);
      const { rows: lines } = await shown();
      assert.match(rowOf(lines, 'Price'), new RegExp(`Price +${first} .* a month`));
      assert.match(rowOf(lines, 'Next'), new RegExp(`ServiceName=api, by ${kinds.join(', ')}$`));
      assert.equal(lines.filter((line) => line.includes('a month')).length, rows);
    }
  });

  test('has warnings as long as they stand, and none twice', async () => {
    const { clock, absent, said, shown } = stage();
    said.push('a', 'b', 'c', 'd', 'nothing there');
    absent.set('CPU and memory', 'nothing there');
    clock.advance(1000);
    let { rows } = await shown();
    const from = (): string[] =>
      rows
        .slice(rows.indexOf(rowOf(rows, 'Warnings')))
        .filter((row) => row !== '')
        .map((row) => row.slice(11));
    assert.deepEqual(from(), ['! no CPU and memory: nothing there', '! c', '! d']);
    absent.clear();
    said.length = 0;
    clock.advance(1000);
    ({ rows } = await shown());
    assert.deepEqual(from(), ['no warnings']);
  });

  test('puts lines of the log above it, folded and harmless', async () => {
    const { clock, screen, shown } = stage();
    clock.advance(1000);
    assert.equal(screen.line(`one ${'x'.repeat(120)}\n\x1b[2Jtwo`), true);
    const { rows } = await shown();
    assert.equal(
      rows.findIndex((row) => row.startsWith(' This scope')),
      3,
    );
    const folded = [`one ${'x'.repeat(95)}`, 'x'.repeat(25), '?[2Jtwo'];
    assert.deepEqual(rows.slice(0, 3), folded);
    assert.match(rowOf(rows, 'Next'), /in 59 s/);
    clock.advance(20_000);
    assert.match(rowOf((await shown()).rows, 'Warnings'), /no warnings/);
  });

  test('keeps to its place while the terminal’s size changes', async () => {
    const { clock, sample, resize, shown } = stage();
    for (let second = 0; second < 90; second += 1) {
      clock.advance(1000);
      sample(second, 100 - second);
    }
    for (const [columns, rows] of [
      [60, 24],
      [40, 10],
      [100, 24],
      [41, 30],
      [200, 50],
      [64, 12],
      [100, 24],
    ] as const) {
      resize(columns, rows);
      clock.advance(1000);
      const { rows: all } = await shown();
      for (const label of ['This scope', 'CPU', 'Memory', 'Next']) {
        const count = all.filter((row) => row.startsWith(` ${label} `)).length;
        assert.equal(count, 1, `${label} at ${columns} by ${rows}:\n${all.join('\n')}`);
      }
    }
  });

  test('gives the cursor back while it is paused, and when it ends', async () => {
    const { clock, screen, shown, writes } = stage();
    screen.pause();
    assert.equal((await shown()).hasCursor, true);
    clock.advance(1000);
    assert.equal((await shown()).hasCursor, false);
    const outcome = await screen.flush();
    assert.equal(outcome.sent, 0);
    const { rows, hasCursor } = await shown();
    assert.ok(hasCursor);
    assert.match(rows.join('\n'), /Next +ended: 0 windows shown/);
    const { length } = writes;
    screen.close();
    screen.draw();
    assert.equal(screen.line('x'), false);
    clock.advance(5000);
    assert.equal(writes.length, length);
    assert.equal(clock.pending(), 0);
  });
});
