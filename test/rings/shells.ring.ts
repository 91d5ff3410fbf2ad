/** The man page and the completions as others read them: man, mandoc, zsh, bash-completion. */
import assert from 'node:assert/strict';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { lacking } from '../support/lab/needs.ts';
import { laidOut, offeredByBash, run } from '../support/shells.ts';

const BASH_COMPLETION = '/usr/share/bash-completion/bash_completion';

let folder: string;
before(() => {
  folder = laidOut();
});
after(() => rmSync(folder, { recursive: true, force: true }));

describe('the man page', () => {
  test('is set by man without a warning', { skip: lacking('man') }, () => {
    const { code, stdout, stderr } = run('man', ['--warnings', '-l', 'agent.1'], folder, {
      MANWIDTH: '80',
    });
    assert.equal(code, 0);
    assert.equal(stderr, '');
    assert.match(stdout, /--stop-timeout SECONDS/);
    for (const line of stdout.split('\n')) assert.ok(line.length <= 80, line);
    assert.match(stdout, /^CLOUDWATCH-METRICS-AGENT\(1\) +\S.*\S +CLOUDWATCH-METRICS-AGENT\(1\)$/m);
  });

  test('pleases mandoc', { skip: lacking('mandoc') }, () => {
    const { code, stdout, stderr } = run(
      'mandoc',
      ['-T', 'lint', '-W', 'style', 'agent.1'],
      folder,
    );
    assert.equal(stdout + stderr, '');
    assert.equal(code, 0);
  });
});

/** What a zsh, at a terminal and with none of the user's files, offers after a line. */
function offeredByZsh(line: string): string[] {
  const { stdout, stderr } = run('zsh', ['-f', '-c', ZSH, 'zsh', line], join(folder, 'work'));
  assert.equal(stderr, '');
  return [
    ...new Set(
      stdout
        .split(/\r?\n/)
        .filter((one) => one !== '')
        .map((one) => one.replaceAll('\\ ', ' ')),
    ),
  ];
}

/** A second zsh on a terminal of its own: what it would offer it prints between two marks. */
const ZSH = `
zmodload zsh/zpty
zpty inner zsh -f -i
wait_for() { local got; while zpty -r inner got "*$1*"; do [[ $got == *$1* ]] && return; done }
zpty -w inner "PROMPT=; unsetopt zle_bracketed_paste 2>/dev/null; stty -echo columns 500; echo re''ady"
wait_for ready
zpty -w inner 'fpath=(../functions $fpath); autoload -Uz compinit; compinit -u -D; setopt rcquotes
compadd() {
  local -a hits
  if [[ \${@[1,(i)(-|--)]} == *-(O|A|D)\\ * ]]; then builtin compadd "$@"; return; fi
  builtin compadd -A hits "$@"
  print -rl -- $hits
  builtin compadd "$@"
}
first() { print -r BEGIN }
last() { print -r END; exit }
comppostfuncs=(last) compprefuncs=(first)
bindkey "^I" complete-word
zstyle ":completion:*" list-prompt ""
echo set''up'
wait_for setup
zpty -w -n inner "$1"$'\\t'
zpty -r inner all '*END*'
print -r -- \${\${all##*BEGIN}%%END*}
zpty -d inner
`;

describe('completion in a zsh', { skip: lacking('zsh') }, () => {
  test('offers flags', () => {
    assert.deepEqual(offeredByZsh('cloudwatch-metrics-agent --spool').sort(), [
      '--spool',
      '--spool-limit',
    ]);
  });

  for (const [line, values] of [
    ['--scope ', ['auto', 'container', 'host', 'task']],
    ['--scope=h', ['host']],
    ['--memory-mode ', ['free-cache', 'usage', 'workingset']],
    ['--output ', ['cloudwatch', 'emf', 'otlp']],
    ['--log-level ', ['debug', 'error', 'info', 'warn']],
    ['--metrics OOM', ['OOMKills']],
    ['--metrics default,OOM', ['OOMKills']],
    ['--report run', ['run one.html']],
    ['--spool ', ['spools']],
  ] as const) {
    test(`offers what fits after ${line}`, () => {
      const offered = offeredByZsh(`cloudwatch-metrics-agent ${line}`);
      for (const value of values)
        assert.ok(
          offered.some((one) => one.startsWith(value)),
          `${offered}`,
        );
    });
  }

  test('offers commands behind --, and what the command takes', () => {
    const commands = offeredByZsh('cloudwatch-metrics-agent --dry-run -- mkfif');
    assert.ok(commands.includes('mkfifo'), String(commands));
    assert.ok(offeredByZsh('cloudwatch-metrics-agent -- cat run').includes('run one.html'));
  });
});

test('behind --, bash-completion completes what the command takes', {
  skip: existsSync(BASH_COMPLETION) ? false : 'no bash-completion here',
}, () => {
  const loaded = { before: `source ${BASH_COMPLETION}` };
  assert.ok(offeredByBash(folder, ['--', 'mkfif'], loaded).includes('mkfifo'));
  assert.ok(offeredByBash(folder, ['--', 'kill', '-'], loaded).length > 5);
});
