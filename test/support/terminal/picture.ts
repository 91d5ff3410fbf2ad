import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Of the terminal's colors, those that the screen uses. */
export interface Theme {
  readonly ground: string;
  readonly text: string;
  readonly red: string;
  readonly cyan: string;
}

export const DARK: Theme = { ground: '#1b1f24', text: '#e6e9ed', red: '#ff7b72', cyan: '#4fc1d6' };
export const LIGHT: Theme = { ground: '#ffffff', text: '#1f2328', red: '#c9302c', cyan: '#0a8296' };

const FONT_PX = 14;
const LINE_PX = 17;
/** Of DejaVu Sans Mono, in em. */
const COLUMN = 0.602;
const PADDING_PX = 12;

/** The captured rows of a terminal as a PNG. */
export function drawTerminal(
  painted: readonly string[],
  columns: number,
  path: string,
  theme: Theme,
): void {
  const width = Math.ceil(columns * FONT_PX * COLUMN) + 2 * PADDING_PX;
  screenshot(pageOf(painted, theme), path, width, painted.length * LINE_PX + 2 * PADDING_PX);
}

/** A page of HTML as a PNG, by headless Chromium. */
export function screenshot(html: string, path: string, width: number, height: number): void {
  const folder = mkdtempSync(join(tmpdir(), 'picture-'));
  try {
    const page = join(folder, 'page.html');
    writeFileSync(page, html);
    const always = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'];
    const own = [`--user-data-dir=${join(folder, 'profile')}`, '--no-first-run'];
    const what = [`--window-size=${width},${height}`, `--screenshot=${path}`, `file://${page}`];
    const argv = [...always, ...own, '--hide-scrollbars', ...what];
    const { status, stderr } = spawnSync('chromium', argv, { encoding: 'utf8', timeout: 60_000 });
    if (status !== 0) throw new Error(`chromium: ${stderr.slice(-2000)}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function pageOf(painted: readonly string[], theme: Theme): string {
  const rows = painted.map((row) => `<div>${spansOf(row, theme) || ' '}</div>`).join('');
  return `<!doctype html><meta charset="utf-8"><style>
body{margin:0;padding:${PADDING_PX}px;background:${theme.ground};color:${theme.text};
font:${FONT_PX}px/${LINE_PX}px "DejaVu Sans Mono",monospace;white-space:pre}
div{height:${LINE_PX}px}</style>${rows}`;
}

/** Text behind SGR sequences as spans. */
function spansOf(row: string, { red, cyan }: Theme): string {
  const styles: Readonly<Record<string, string>> = {
    1: 'font-weight:bold;',
    2: 'opacity:.62;',
    31: `color:${red};`,
    36: `color:${cyan};`,
  };
  let style = '';
  return `0m${row}`
    .split('\x1b[')
    .map((part) => {
      const end = part.indexOf('m');
      for (const code of part.slice(0, end).split(';')) {
        style = code === '' || code === '0' ? '' : style + (styles[code] ?? '');
        if (code === '39') style = style.replace(/color:[^;]*;/, '');
      }
      const text = part
        .slice(end + 1)
        .replaceAll('&', '&amp;')
        .replaceAll('<', '&lt;');
      return style === '' || text === '' ? text : `<span style="${style}">${text}</span>`;
    })
    .join('');
}
