import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const HERE = fileURLToPath(new URL('.', import.meta.url));
/** Beside npm's own packages, so that a second run need not fetch them again. */
const CACHE = fileURLToPath(new URL('../../../node_modules/.cache/deployments', import.meta.url));
const INSTALL_MS = 180_000;

/** What a program said, all of it, and whether that was good. */
export interface Said {
  readonly ok: boolean;
  readonly stdout: string;
  readonly text: string;
}

/** The folder of a tool's programs, or why it is not there. */
export interface Tools {
  readonly bin: string;
  readonly lacking: string | false;
}

export function run(command: string, argv: readonly string[]): Said {
  const options = { encoding: 'utf8', timeout: INSTALL_MS } as const;
  const { status, stdout, stderr, error } = spawnSync(command, argv, options);
  const text = `${stdout ?? ''}${stderr ?? ''}${error?.message ?? ''}`.trim();
  return { ok: status === 0, stdout: stdout ?? '', text };
}

/** Python's validators, fetched once for each list of versions. */
export function pythonTools(): Tools {
  const list = join(HERE, 'requirements.txt');
  return made('python', readFileSync(list, 'utf8'), (folder) => [
    ['python3', '-m', 'venv', folder],
    [join(folder, 'bin/python'), '-m', 'pip', 'install', '--quiet', '-r', list],
  ]);
}

/** The loader of Docker Compose. */
export function composeLoader(): Tools {
  const module = join(HERE, 'compose');
  const seed = ['go.mod', 'main.go'].map((name) => readFileSync(join(module, name), 'utf8'));
  return made('compose', seed.join(''), (folder) => [
    ['go', 'build', '-C', module, '-o', join(folder, 'bin/compose'), '.'],
  ]);
}

/** Runs the commands that make a folder, unless one of the same seed is there whole. */
function made(
  name: string,
  seed: string,
  commands: (folder: string) => readonly (readonly string[])[],
): Tools {
  const hash = createHash('sha256').update(seed).digest('hex').slice(0, 12);
  const folder = join(CACHE, `${name}-${hash}`);
  const bin = join(folder, 'bin');
  const whole = join(folder, 'whole');
  if (existsSync(whole)) return { bin, lacking: false };
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(bin, { recursive: true });
  for (const [command = '', ...argv] of commands(folder)) {
    const { ok, text } = run(command, argv);
    if (!ok) return { bin, lacking: `${command} ${argv[0]}: ${text.split('\n').at(-1)}` };
  }
  mkdirSync(whole);
  return { bin, lacking: false };
}
