import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { lacking } from '../support/lab/needs.ts';
import { AGENT } from '../support/program.ts';
import { Tmux, type TmuxOptions } from '../support/terminal/tmux.ts';

const SIZES: readonly (readonly [columns: number, rows: number])[] = [
  [40, 10],
  [80, 24],
  [200, 50],
];

function isFrame(screen: readonly string[]): boolean {
  return ['This host', 'CPU', 'Memory', 'in '].every((part) => rowsWith(screen, part) >= 1);
}

/** Where nothing of an older frame is left over. */
function isOneFrame(screen: readonly string[]): boolean {
  const parts = [/^ This (host|container|task)/, /^ CPU +/, /^ Memory +/, /^ Next +/];
  return parts.every((part) => screen.filter((row) => part.test(row)).length === 1);
}

function rowsWith(screen: readonly string[], part: string): number {
  return screen.filter((row) => row.includes(part)).length;
}

/** A sample has come. */
function hasSample(screen: readonly string[]): boolean {
  return isFrame(screen) && screen.some((row) => /CPU.* \d+(\.\d)? %.*peak +\d/.test(row));
}

describe('the screen of a dry run', { skip: lacking('tmux') }, () => {
  let folder: string;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'screen-'));
    const command = `"${process.execPath}" "${AGENT}" --dry-run --namespace Shop --service api "$@"`;
    writeFileSync(join(folder, 'agent'), `echo $$ >pid; exec ${command}\n`);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  /** Runs in a terminal that is closed whatever happens. */
  async function inTerminal(
    options: Partial<TmuxOptions>,
    run: (terminal: Tmux) => Promise<void>,
  ): Promise<void> {
    const terminal = new Tmux({ columns: 80, rows: 24, cwd: folder, ...options });
    try {
      await terminal.until('prompt', (screen) => screen[0] === '$');
      await run(terminal);
    } finally {
      terminal.close();
    }
  }

  /** The shell is back, and the cursor with it. */
  async function assertEnded(terminal: Tmux, code: number): Promise<void> {
    await terminal.until('prompt', (screen) => screen.filter((row) => row !== '').at(-1) === '$');
    terminal.type('echo "code=$?"');
    await terminal.until('exit code', (screen) => screen.includes(`code=${code}`));
    assert.equal(terminal.tell('cursor_flag'), '1');
  }

  for (const [columns, rows] of SIZES) {
    test(`fits ${columns} columns and ${rows} rows, and is there within a second`, async () => {
      await inTerminal({ columns, rows }, async (terminal) => {
        const begunMs = performance.now();
        terminal.type('sh agent');
        await terminal.until('frame', isFrame);
        const ms = performance.now() - begunMs;
        assert.ok(ms < 1000, `${Math.round(ms)} ms`);
        const screen = await terminal.until('sample', hasSample);
        assert.ok(isOneFrame(screen), screen.join('\n'));
        assert.equal(terminal.tell('cursor_flag'), '0');
        for (const part of [
          'This host',
          'median',
          'peak',
          'metrics',
          '$1.34',
          'OTLP',
          '/proc/stat',
        ])
          assert.ok(rowsWith(screen, part) > 0, part);
        assert.ok(!terminal.isWrapped, screen.join('\n'));
        terminal.press('C-c');
        await assertEnded(terminal, 0);
      });
    });
  }

  test('counts down, and shows what was there when it ends', async () => {
    await inTerminal({}, async (terminal) => {
      terminal.type('sh agent --period 3');
      for (const seconds of [3, 2, 1, 3]) {
        await terminal.until(
          `${seconds} s`,
          (screen) => rowsWith(screen, `in ${seconds} s: 3 datums to Shop, ServiceName=api`) === 1,
        );
      }
      terminal.press('C-c');
      const screen = await terminal.until('end', (shown) =>
        shown.some((row) => /Next +ended: \d+ windows? shown/.test(row)),
      );
      assert.ok(isOneFrame(screen), screen.join('\n'));
      await assertEnded(terminal, 0);
    });
  });

  test('follows its terminal’s size, and leaves nothing behind', async () => {
    await inTerminal({}, async (terminal) => {
      terminal.type('sh agent');
      await terminal.until('sample', hasSample);
      const sizes: [number, number][] = [
        [60, 24],
        [79, 24],
        [40, 10],
        [80, 24],
        [200, 50],
        [41, 30],
        [120, 12],
        [40, 11],
        [80, 24],
      ];
      for (const [columns, rows] of sizes) {
        terminal.resize(columns, rows);
        await terminal.until(
          `one frame at ${columns} by ${rows}`,
          (shown) =>
            isOneFrame(shown) &&
            shown.some((row) => row.length === columns - 1) &&
            shown.length === rows,
        );
      }
      for (let columns = 80; columns >= 40; columns -= 2) terminal.resize(columns, columns >> 1);
      await terminal.until(
        'one frame after a drag',
        (shown) => isOneFrame(shown) && shown.some((row) => row.length === 39),
      );
      terminal.press('C-c');
      await assertEnded(terminal, 0);
    });
  });

  test('gives the cursor back after SIGTERM and SIGHUP', async () => {
    for (const signal of ['SIGTERM', 'SIGHUP'] as const) {
      await inTerminal({}, async (terminal) => {
        terminal.type('sh agent');
        await terminal.until('sample', hasSample);
        process.kill(pidOf(folder), signal);
        await terminal.until('end', (screen) => rowsWith(screen, 'ended: ') === 1);
        await assertEnded(terminal, 0);
      });
    }
  });

  test('gives the cursor back after an exception, which stands below it', async () => {
    const hook = join(folder, 'fault.cjs');
    writeFileSync(hook, "setTimeout(() => { throw new Error('a fault'); }, 2000);");
    await inTerminal({ environment: { NODE_OPTIONS: `--require ${hook}` } }, async (terminal) => {
      terminal.type('sh agent');
      await terminal.until('sample', hasSample);
      await terminal.until('fault', (screen) => rowsWith(screen, 'Error: a fault') > 0);
      await assertEnded(terminal, 1);
    });
  });

  test('gives way to Ctrl-Z, and is there again afterwards', async () => {
    await inTerminal({}, async (terminal) => {
      terminal.type('set -m');
      terminal.type('sh agent');
      await terminal.until('sample', hasSample);
      terminal.press('C-z');
      await terminal.until('stop', (screen) => rowsWith(screen, 'Stopped') > 0);
      assert.equal(terminal.tell('cursor_flag'), '1');
      terminal.type('clear; fg');
      await terminal.until('frame again', (screen) => hasSample(screen) && isOneFrame(screen));
      assert.equal(terminal.tell('cursor_flag'), '0');
      terminal.press('C-c');
      await assertEnded(terminal, 0);
    });
  });

  test('lets a line of the log through, above it', async () => {
    await inTerminal({}, async (terminal) => {
      terminal.type('sh agent');
      await terminal.until('sample', hasSample);
      process.kill(pidOf(folder), 'SIGUSR1');
      await terminal.until(
        'status and one frame below it',
        (screen) =>
          rowsWith(screen, 'info status upSeconds=') === 1 &&
          rowsWith(screen, 'windowsShown=') === 1 &&
          screen.findIndex((row) => row.includes('windowsShown')) <
            screen.findIndex((row) => row.startsWith(' This host')),
      );
      terminal.press('C-c');
      await assertEnded(terminal, 0);
    });
  });

  test('leaves lines of the log where they were sent to', async () => {
    const log = join(folder, 'log');
    await inTerminal({}, async (terminal) => {
      terminal.type(`sh agent 2>${log}`);
      await terminal.until('sample', hasSample);
      terminal.press('C-c');
      await assertEnded(terminal, 0);
      const lines = readFileSync(log, 'utf8');
      assert.match(lines, /info started: measures this host/);
      assert.match(lines, /info ended windowsShown=1/);
      assert.ok(!lines.includes('\x1b'));
    });
  });

  test('has no color where NO_COLOR is set, and else two', async () => {
    for (const [NO_COLOR, has] of [
      ['1', false],
      ['', true],
    ] as const) {
      await inTerminal({ environment: { NO_COLOR } }, async (terminal) => {
        terminal.type('sh agent');
        await terminal.until('sample', hasSample);
        assert.equal(terminal.painted().join('\n').includes('\x1b['), has);
      });
    }
  });

  test('is of ASCII where the locale is not UTF-8', async () => {
    await inTerminal({ environment: { LANG: 'C' } }, async (terminal) => {
      terminal.type('sh agent');
      const screen = await terminal.until('sample', hasSample);
      assert.match(screen.join('\n'), /^[ -~\n]*$/);
      assert.ok(screen.some((row) => /[_.=+*%#-]$/.test(row)));
    });
  });

  const lineCases: [name: string, command: string, environment: Record<string, string>][] = [
    ['TERM=dumb', 'sh agent', { TERM: 'dumb' }],
    ['no TERM', 'sh agent', { TERM: '' }],
    ['--log-format json', 'sh agent --log-format json', {}],
    ['--once', 'sh agent --once --period 2', {}],
    ['a job', 'sh agent --receipt none -- sleep 2', {}],
    ['a pipe', 'sh agent | cat', {}],
  ];
  for (const [name, command, environment] of lineCases) {
    test(`keeps to lines, without one escape byte, with ${name}`, async () => {
      await inTerminal({ columns: 200, environment }, async (terminal) => {
        // All that reaches the terminal, not only what it makes of that.
        const raw = join(folder, `raw-${name.replaceAll(/\W/g, '')}`);
        terminal.pipe(raw);
        terminal.type(command);
        await terminal.until('line', (screen) =>
          screen.some((row) => /^(\d{4}-\S+ +|\{"type".*)"?CPUUtilization/.test(row)),
        );
        terminal.press('C-c');
        await terminal.until('prompt', (screen) =>
          screen.some((row, at) => at > 1 && row.startsWith('$')),
        );
        assert.match(readFileSync(raw, 'latin1'), /MemoryUtilization/);
        assert.ok(!readFileSync(raw, 'latin1').includes('\x1b'), name);
      });
    });
  }

  test('ends with its terminal', async () => {
    const terminal = new Tmux({ columns: 80, rows: 24, cwd: folder });
    try {
      terminal.type('sh agent');
      await terminal.until('sample', hasSample);
    } finally {
      terminal.close();
    }
    const pid = pidOf(folder);
    const endMs = performance.now() + 10_000;
    while (isAlive(pid) && performance.now() < endMs)
      await new Promise((resolve) => setImmediate(resolve));
    assert.ok(!isAlive(pid));
  });

  test('costs less than a hundredth of a core', async () => {
    await inTerminal({ columns: 200, rows: 50 }, async (terminal) => {
      terminal.type('sh agent --period 10 --metrics AgentCPU,CPUUtilization');
      const row = /AgentCPU +([\d.]+) Percent/;
      await terminal.until('a window', (screen) => screen.some((line) => /in 1 s/.test(line)));
      const screen = await terminal.until(
        'a second one',
        (shown) =>
          shown.some((line) => /in 2 s/.test(line)) && shown.some((line) => row.test(line)),
      );
      const percent = Number(
        screen.map((line) => row.exec(line)?.[1]).find((one) => one !== undefined),
      );
      assert.ok(percent < 1, `${percent} %`);
    });
  });
});

function pidOf(folder: string): number {
  return Number(readFileSync(join(folder, 'pid'), 'utf8'));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
