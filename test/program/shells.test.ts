import assert from 'node:assert/strict';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { rowsOf } from '../../dev/words.ts';
import { FLAGS } from '../../src/config/table.ts';
import { CATALOG } from '../../src/metrics/catalog.ts';
import { laidOut, offeredByBash } from '../support/shells.ts';

let folder: string;
before(() => {
  folder = laidOut();
});
after(() => rmSync(folder, { recursive: true, force: true }));

/** The two ways in which bash hands over a value: a word of its own, or three words with `=`. */
const ways = (flag: string, typed: string): string[][] => [
  [flag, typed],
  [flag, '=', ...(typed === '' ? [] : [typed])],
];

describe('completion in a bash', () => {
  test('offers every flag, and those that begin as the word does', () => {
    const spellings = rowsOf(FLAGS).flatMap(({ name, short }) => [
      `--${name}`,
      ...(short === undefined ? [] : [`-${short}`]),
    ]);
    assert.deepEqual(offeredByBash(folder, ['-']).sort(), [...spellings, '--'].sort());
    assert.deepEqual(offeredByBash(folder, ['--dry-run', '--spool']), ['--spool', '--spool-limit']);
  });

  const VALUES: Readonly<Record<string, readonly string[]>> = {
    '--statistics': ['median', 'distribution'],
    '--scope': ['auto', 'host', 'container', 'task', 'cgroup:'],
    '--memory-mode': ['workingset', 'usage', 'free-cache'],
    '--cpu-base': ['limit', 'host'],
    '--output': ['cloudwatch', 'otlp', 'emf'],
    '--sign': ['auto', 'always', 'never'],
    '--log-level': ['error', 'warn', 'info', 'debug'],
    '--log-format': ['text', 'json'],
  };
  for (const [flag, values] of Object.entries(VALUES)) {
    test(`offers the values of ${flag}`, () => {
      for (const words of ways(flag, '')) assert.deepEqual(offeredByBash(folder, words), values);
      const [first = ''] = values;
      for (const words of ways(flag, first.slice(0, 4))) {
        assert.deepEqual(offeredByBash(folder, words), [first]);
      }
    });
  }

  test('offers each enumerated value that the table has', () => {
    const enumerated = FLAGS.flags.filter(({ value }) => /^[a-z].*\|[a-z-]+\b/.test(value));
    const names = enumerated.map(({ name }) => `--${name}`);
    assert.deepEqual(names.sort(), [...Object.keys(VALUES), '--receipt'].sort());
  });

  test('offers metrics one after the other', () => {
    const names = CATALOG.map(({ name }) => name);
    assert.deepEqual(offeredByBash(folder, ['--metrics', '']), ['default', 'all', ...names]);
    assert.deepEqual(offeredByBash(folder, ['--metrics', 'default,OOM']), ['default,OOMKills']);
  });

  test('offers files and folders where they are meant', () => {
    for (const words of ways('--report', 'run')) {
      assert.deepEqual(offeredByBash(folder, words), ['run one.html']);
    }
    assert.deepEqual(offeredByBash(folder, ['--spool', '']), ['spools']);
    assert.deepEqual(offeredByBash(folder, ['--receipt', 'r']), ['run one.html']);
    assert.deepEqual(offeredByBash(folder, ['--receipt', 'j']), ['json']);
  });

  test('offers nothing for a value that nobody can know', () => {
    for (const flag of ['--namespace', '-n', '--period', '--region', '--header']) {
      assert.deepEqual(offeredByBash(folder, [flag, '']), [], flag);
    }
  });

  test('offers commands behind --, and then files', () => {
    assert.ok(offeredByBash(folder, ['--dry-run', '--', 'bas']).includes('bash'));
    assert.deepEqual(offeredByBash(folder, ['--', 'cat', 'run']), ['run one.html']);
    assert.deepEqual(offeredByBash(folder, ['--', 'cat', '--dry']), []);
  });
});

test('the man page has each flag with its meaning, once', () => {
  const page = readFileSync(join(folder, 'agent.1'), 'utf8')
    .replaceAll(/\\f[BIR]/g, '')
    .replaceAll('\\-', '-');
  for (const { name } of rowsOf(FLAGS)) {
    assert.equal(page.match(new RegExp(`^(?:-\\w, )?--${name}(?: .*)?$`, 'gm'))?.length, 1, name);
  }
});
