import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** For a program to draw what is waited for, on a busy machine. */
const DEADLINE_MS = 20_000;
/** Nothing tells of a change of a terminal's screen: it is looked at so often. */
const LOOK_MS = 30;

export interface TmuxOptions {
  readonly columns: number;
  readonly rows: number;
  readonly environment?: Readonly<Record<string, string>>;
  /** Where the shell begins. */
  readonly cwd?: string;
}

/** A real terminal with a shell in it: a tmux with a socket of its own. */
export class Tmux {
  readonly #folder: string;

  constructor({ columns, rows, environment = {}, cwd = tmpdir() }: TmuxOptions) {
    this.#folder = mkdtempSync(join(tmpdir(), 'tmux-'));
    const size = ['-x', String(columns), '-y', String(rows), '-c', cwd];
    const { PATH = '' } = process.env;
    const all = { PATH, PS1: '$ ', TERM: 'screen-256color', LANG: 'C.UTF-8', ...environment };
    const given = Object.entries(all).map(([name, value]) => `${name}=${value}`);
    this.#run('-f', '/dev/null', 'new-session', '-d', ...size, 'env', '-i', ...given, 'sh');
  }

  /** Types a command line into the shell. */
  type(line: string): void {
    this.#run('send-keys', '-l', line);
    this.press('Enter');
  }

  /** A key by its name: `C-c`, `C-z`. */
  press(key: string): void {
    this.#run('send-keys', key);
  }

  resize(columns: number, rows: number): void {
    this.#run('resize-window', '-x', String(columns), '-y', String(rows));
  }

  /** What is on the screen, a string a row. */
  screen(): string[] {
    return this.#run('capture-pane', '-p').split('\n').slice(0, -1);
  }

  /** The same with the escape sequences of its colors. */
  painted(): string[] {
    return this.#run('capture-pane', '-p', '-e').split('\n').slice(0, -1);
  }

  /** Whether a line of it was too long for a row. */
  get isWrapped(): boolean {
    return this.#run('capture-pane', '-p', '-J').split('\n').length <= this.screen().length;
  }

  /** Copies all bytes that come to the terminal from now on into a file. */
  pipe(path: string): void {
    this.#run('pipe-pane', `cat >>${path}`);
  }

  /** One of tmux's variables: `cursor_flag`, `cursor_y`. */
  tell(variable: string): string {
    return this.#run('display-message', '-p', `#{${variable}}`).trim();
  }

  /** Waits for the screen. @throws Error with the screen at the deadline */
  async until(what: string, fits: (screen: string[]) => boolean): Promise<string[]> {
    const endMs = performance.now() + DEADLINE_MS;
    for (;;) {
      const screen = this.screen();
      if (fits(screen)) return screen;
      if (performance.now() > endMs) throw new Error(`no ${what}:\n${screen.join('\n')}`);
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  close(): void {
    this.#run('kill-server');
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #run(...argv: readonly string[]): string {
    const tmux = ['-u', '-S', join(this.#folder, 'socket'), ...argv];
    const { stdout, stderr, status } = spawnSync('tmux', tmux, { encoding: 'utf8' });
    if (status !== 0) throw new Error(`tmux ${argv.join(' ')}: ${stderr}`);
    return stdout;
  }
}
