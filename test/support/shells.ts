import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bashCompletion, zshCompletion } from '../../dev/completions.ts';
import { manPage } from '../../dev/man.ts';
import { FLAGS } from '../../src/config/table.ts';

/** A folder with the man page, the completions, and some files to complete. The caller removes it. */
export function laidOut(): string {
  const folder = mkdtempSync(join(tmpdir(), 'shells-'));
  writeFileSync(join(folder, 'agent.1'), manPage('1.2.3', FLAGS));
  writeFileSync(join(folder, 'agent.bash'), bashCompletion(FLAGS));
  mkdirSync(join(folder, 'functions'));
  writeFileSync(join(folder, 'functions', '_cloudwatch-metrics-agent'), zshCompletion(FLAGS));
  mkdirSync(join(folder, 'work', 'spools'), { recursive: true });
  writeFileSync(join(folder, 'work', 'run one.html'), '');
  return folder;
}

/** Runs a command to its end, without this process's environment. */
export function run(
  command: string,
  argv: readonly string[],
  cwd: string,
  environment: Readonly<Record<string, string>> = {},
): { code: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(command, argv, {
    cwd,
    encoding: 'utf8',
    timeout: 20_000,
    env: { PATH: process.env['PATH'] ?? '', HOME: cwd, LC_ALL: 'C.UTF-8', ...environment },
  });
  return { code: status, stdout: stdout ?? '', stderr: stderr ?? '' };
}

/** What a bash offers after `words`, the last of which is being typed. */
export function offeredByBash(
  folder: string,
  words: readonly string[],
  { before = '' }: { before?: string } = {},
): string[] {
  const script = `
    ${before}
    source ../agent.bash
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE="$*" COMP_POINT=\${#COMP_LINE}
    COMP_TYPE=9 COMP_KEY=9
    _cloudwatch_metrics_agent
    printf '%s\\n' "\${COMPREPLY[@]}"`;
  const argv = ['--norc', '-c', script, 'bash', 'cloudwatch-metrics-agent', ...words];
  const { code, stdout, stderr } = run('bash', argv, join(folder, 'work'));
  if (code !== 0 || /error|not found/.test(stderr)) throw new Error(stderr);
  return stdout.split('\n').filter((line) => line !== '');
}
