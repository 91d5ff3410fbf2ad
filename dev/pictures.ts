/**
 * `node --import tsx dev/pictures.ts`: docs/live-screen.png and docs/report.png, from a real run in a cgroup of
 * half a CPU and 512 MiB. Needs root, tmux, Chromium and, for the same pictures, DejaVu Sans Mono.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inCgroup } from '../test/support/lab/agent.ts';
import { CGROUPS, Cgroup } from '../test/support/lab/cgroup.ts';
import { removeCgroup } from '../test/support/lab/remove.ts';
import { AGENT, start } from '../test/support/program.ts';
import { DARK, drawTerminal, screenshot } from '../test/support/terminal/picture.ts';
import { Tmux } from '../test/support/terminal/tmux.ts';

const DOCS = fileURLToPath(new URL('../docs/', import.meta.url));
const COLUMNS = 80;
const ROWS = 24;
/** As long as a sample a column has room. */
const SECONDS = 61;
const REPORT = { width: 860, height: 720 };

/** Work that comes and goes, and memory that grows, as of a service under some load. */
const LOAD = `const held = [];
const begun = Date.now();
const end = begun + 1000 * Number(process.argv[1]);
const turn = () => {
  const second = (Date.now() - begun) / 1000;
  const share = 0.08 + 0.3 * Math.max(0, Math.sin(second / 6)) + (second % 23 < 2 ? 0.3 : 0);
  const until = performance.now() + 100 * share;
  while (performance.now() < until) Math.sqrt(second);
  if (held.length < 60 + 100 * Math.max(0, Math.sin(second / 19))) held.push(Buffer.alloc(1 << 20, 1));
  else if (Math.random() < 0.3) held.pop();
  if (Date.now() < end) setTimeout(turn, 100 - 100 * share);
};
turn();`;

const cgroup = new Cgroup(existsSync(join(CGROUPS, 'cgroup.controllers')) ? 2 : 1, 'pictures');
const folder = mkdtempSync(join(tmpdir(), 'pictures-'));
const load = join(folder, 'load.cjs');
writeFileSync(load, LOAD.replace('process.argv[1]', 'process.argv[2]'));
cgroup.make({ cores: 0.5, memoryMiB: 512 });
try {
  await drawScreen();
  await drawReport();
} finally {
  for (const dir of cgroup.dirs) await removeCgroup(dir);
  rmSync(folder, { recursive: true, force: true });
}

async function drawScreen(): Promise<void> {
  const [file = '', ...argv] = inCgroup(cgroup, [process.execPath, load, String(SECONDS * 2)]);
  const worker = start(file, argv, { lifetimeMs: 1000 * SECONDS * 2 });
  const terminal = new Tmux({ columns: COLUMNS, rows: ROWS });
  try {
    const flags = '--dry-run --scope container --namespace Shop --service api';
    const joins = cgroup.dirs.map((dir) => `echo $$ >${dir}/cgroup.procs`).join('; ');
    terminal.type(`${joins}; clear; exec "${process.execPath}" "${AGENT}" ${flags}`);
    await terminal.until('first frame', (screen) => screen.some((row) => row.includes('0.5 CPU')));
    await new Promise((resolve) => setTimeout(resolve, SECONDS * 1000));
    const painted = terminal.painted();
    while (painted.at(-1)?.trim() === '') painted.pop();
    drawTerminal(painted, COLUMNS, join(DOCS, 'live-screen.png'), DARK);
    process.stdout.write(`${terminal.screen().join('\n')}\n`);
  } finally {
    terminal.close();
    worker.kill('SIGKILL');
    await worker.ended;
  }
}

async function drawReport(): Promise<void> {
  const page = join(folder, 'report.html');
  const flags = ['--dry-run', '--scope', 'container', '--log-level', 'error', '--report', page];
  const job = ['--', process.execPath, load, String(SECONDS)];
  const [file = '', ...argv] = inCgroup(cgroup, [process.execPath, AGENT, ...flags, ...job]);
  const run = start(file, argv, { lifetimeMs: 1000 * SECONDS * 2 });
  await run.ended;
  screenshot(readFileSync(page, 'utf8'), join(DOCS, 'report.png'), REPORT.width, REPORT.height);
}
