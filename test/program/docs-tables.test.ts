import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { test } from 'node:test';
import type { Flag, Switch } from '../../src/config/flags.ts';
import { GROUPS } from '../../src/config/help.ts';
import { FLAGS } from '../../src/config/table.ts';
import { ADVICE } from '../../src/diagnostics/advice.ts';
import { SIGNS } from '../../src/sources/detect.ts';

const DOCS = new URL('../../docs/', import.meta.url);

function flagsTable(): string {
  const cell = (text: string): string => text.replaceAll('|', '\\|');
  const all: readonly (Flag<unknown> | Switch)[] = [...FLAGS.flags, ...FLAGS.switches];
  const tables = GROUPS.map(([title, names]) => {
    const rows = names.split(' ').map((name) => {
      const flag = all.find((one) => one.name === name);
      assert.ok(flag, name);
      const { short, aliases = [], meaning } = flag;
      const value = 'value' in flag ? ` ${cell(flag.value)}` : '';
      const spellings = [...(short ? [`-${short}`] : []), `--${name}`].join(', ');
      const also = aliases.map((alias) => `, \`--${alias}\``).join('');
      const fallback = 'fallback' in flag ? flag.fallback : '';
      return `| \`${spellings}${value}\`${also} | ${fallback} | ${meaning} |`;
    });
    return [`## ${title}`, '', '| flag | default | meaning |', '|---|---|---|', ...rows].join('\n');
  });
  return tables.join('\n\n');
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
test('the table of events in docs/delivery.md points at tests that are there', () => {
  const text = readFileSync(new URL('delivery.md', DOCS), 'utf8');
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

test('the table of signs in docs/which-number.md has the weights of the code, in their order', () => {
  const text = readFileSync(new URL('which-number.md', DOCS), 'utf8');
  const [, table = ''] = /<!-- signs -->\n(.*)<!-- \/signs -->/s.exec(text) ?? [];
  const weights = [...table.matchAll(/^\| ([+-]\d+) \|/gm)].map(([, weight]) => Number(weight));
  assert.deepEqual(
    weights,
    SIGNS.map(({ weight }) => weight),
  );
});

const TABLES = [
  { name: 'flags', page: 'flags.md', table: flagsTable },
  { name: 'advice', page: 'troubleshooting.md', table: adviceTable },
];

for (const { name, page, table } of TABLES) {
  test(`the table of ${name} in docs/${page} is the code's`, () => {
    const file = new URL(page, DOCS);
    const between = new RegExp(`(<!-- ${name} -->\n)[^]*(<!-- /${name} -->)`);
    const text = readFileSync(file, 'utf8');
    assert.match(text, between);
    const renewed = text.replace(between, (_, open, close) => `${open}${table()}\n${close}`);
    if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(file, renewed);
    assert.equal(text.match(between)?.[0], renewed.match(between)?.[0]);
  });
}
