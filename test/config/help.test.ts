import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GROUPS, helpText } from '../../src/config/help.ts';
import { FLAGS } from '../../src/config/table.ts';

const all = [...FLAGS.flags, ...FLAGS.switches];
const lines = helpText('1.2.3', FLAGS).split('\n');

test('every flag stands in exactly one group of the help, and nothing else does', () => {
  const grouped = GROUPS.flatMap(([, names]) => names.split(' '));
  assert.deepEqual(grouped.sort(), all.map(({ name }) => name).sort());
});

test('the help fits 80 columns', () => {
  for (const line of lines) assert.ok(line.length <= 80, line);
  assert.deepEqual(
    lines.filter((line) => line !== line.trimEnd()),
    [],
  );
});

test('the help shows the three most used commands before its first group', () => {
  const before = lines.slice(0, lines.indexOf(`${GROUPS[0]?.[0]}:`));
  const commands = before.filter((line) => line.startsWith('  cloudwatch-metrics-agent '));
  assert.equal(commands.length, 3);
});

test('the help has a line for each flag and switch, with its short spelling and all of its meaning', () => {
  const text = lines.join(' ').replaceAll(/ +/g, ' ');
  for (const flag of all) {
    const dash = flag.short === undefined ? '    ' : `-${flag.short}, `;
    const value = 'value' in flag ? ` ${flag.value}` : '';
    const found = lines.filter((line) => `${line} `.startsWith(`  ${dash}--${flag.name}${value} `));
    assert.equal(found.length, 1, flag.name);
    const fallback = 'fallback' in flag && flag.fallback !== '' ? ` (${flag.fallback})` : '';
    assert.ok(text.includes(`--${flag.name}${value} ${flag.meaning}${fallback}`), flag.name);
  }
});
