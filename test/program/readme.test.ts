import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { test } from 'node:test';
import { FLAGS } from '../../src/config/table.ts';
import { ADVICE } from '../../src/diagnostics/advice.ts';
import { SIGNS } from '../../src/sources/detect.ts';

const README = new URL('../../README.md', import.meta.url);

function flagsTable(): string {
  const cell = (text: string): string => text.replaceAll('|', '\\|');
  const rows = [
    ...FLAGS.flags.map((flag) => {
      const { name, short, aliases = [], value, fallback, meaning } = flag;
      const spellings = [...(short ? [`-${short}`] : []), `--${name}`].join(', ');
      const also = aliases.map((alias) => `, \`--${alias}\``).join('');
      return `| \`${spellings} ${cell(value)}\`${also} | ${fallback} | ${meaning} |`;
    }),
    ...FLAGS.switches.map(({ name, short, aliases = [], meaning }) => {
      const spellings = [...(short ? [`-${short}`] : []), `--${name}`].join(', ');
      const also = aliases.map((alias) => `, \`--${alias}\``).join('');
      return `| \`${spellings}\`${also} | | ${meaning} |`;
    }),
  ];
  return ['| flag | default | meaning |', '|---|---|---|', ...rows].join('\n');
}

function adviceTable(): string {
  const rows = Object.values(ADVICE).map(([cause, remedy]) => `| ${cause} | ${remedy} |`);
  return ['| `--check` says | what to do |', '|---|---|', ...rows].join('\n');
}

const testFiles = readdirSync(new URL('..', import.meta.url), {
  recursive: true,
  encoding: 'utf8',
}).filter((path) => /\.(?:test|ring)\.ts$/.test(path));

/** Each row of what happens names the test that shows it: `sink: a title`, or how one begins. */
test('the README’s table of events points at tests that are there', () => {
  const text = readFileSync(README, 'utf8');
  const [, table = ''] = /<!-- events -->\n(.*)<!-- \/events -->/s.exec(text) ?? [];
  const rows = table.trim().split('\n').slice(2);
  assert.ok(rows.length > 15);
  for (const row of rows) {
    const [, file = '', title = ''] = /\| (\w+): ([^|]+) \|$/.exec(row) ?? [];
    const source = testFiles
      .filter((path) => basename(path).split('.')[0] === file)
      .map((path) => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8'));
    const isThere = ["test('", 'test(`', 'test(\n    `', "test(\n  '"].some((open) =>
      source.join('').includes(open + title),
    );
    assert.ok(isThere, `${file}: ${title}`);
  }
});

test('the README’s table of signs has the weights of the code, in their order', () => {
  const text = readFileSync(README, 'utf8');
  const [, table = ''] = /<!-- signs -->\n(.*)<!-- \/signs -->/s.exec(text) ?? [];
  const weights = [...table.matchAll(/^\| ([+-]\d+) \|/gm)].map(([, weight]) => Number(weight));
  assert.deepEqual(
    weights,
    SIGNS.map(({ weight }) => weight),
  );
});

const TABLES = { flags: flagsTable, advice: adviceTable };

for (const [name, table] of Object.entries(TABLES)) {
  test(`the README's table of ${name} is the code's`, () => {
    const between = new RegExp(`(<!-- ${name} -->\n)[^]*(<!-- /${name} -->)`);
    const text = readFileSync(README, 'utf8');
    assert.match(text, between);
    const renewed = text.replace(between, (_, open, close) => `${open}${table()}\n${close}`);
    if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(README, renewed);
    assert.equal(text.match(between)?.[0], renewed.match(between)?.[0]);
  });
}
