import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { test } from 'node:test';
import { FLAGS } from '../../src/config/table.ts';
import { ADVICE } from '../../src/diagnostics/advice.ts';
import { CATALOG, defaultMetrics } from '../../src/metrics/catalog.ts';

const README = new URL('../../README.md', import.meta.url);

/** What each metric says, in words. A metric without a row here fails the test. */
const PROSE: Readonly<Record<string, string>> = {
  CPUUtilization: 'median of CPU in use, of what is 100 % in the scope',
  MemoryUtilization: 'median of memory in use, of what is 100 % in the scope',
  MaxMemoryUtilization: 'maximum of memory in use',
  MaxCPUUtilization: 'maximum of CPU in use',
  SampleCount: 'samples in the window',
  CPUCores: 'median of cores in use, whatever the limit',
  CPUThrottled:
    'share of the quota’s periods that were throttled, at the level that throttles most',
  CPUSteal: 'share of time that the hypervisor gave to others (host scope)',
  MemoryUsedBytes: 'median of memory in use',
  MemoryLimitBytes:
    'what is 100 % of memory: the limit of the fullest level, or the machine’s memory',
  MemoryHeldBytes:
    'median of memory that cannot be given back: without page cache of files and reclaimable slabs',
  MemoryHeldUtilization: 'median of the same, of what is 100 % of memory',
  OOMKills: 'processes that the kernel killed for want of memory, in the window',
  CPUPressure: 'share of time in which some task waited for CPU (PSI)',
  MemoryPressure: 'share of time in which some task waited for memory (PSI)',
  SwapUtilization: 'swap in use, where there is a limit or swap at all',
  DiskUtilization: 'root file system in use, as `df` says, if it is of a local type',
  EphemeralStorageUtilization: 'ephemeral storage of a Fargate task in use',
  AgentCPU: 'the agent’s own CPU, of one core',
  AgentMemory: 'the agent’s own resident memory',
  WindowsSent: 'windows that CloudWatch accepted',
  WindowsDropped: 'windows that were lost: no room, too old, or refused',
  PublishLatency: 'median time until CloudWatch accepted a request',
  PublishErrors: 'requests that failed, each attempt counted',
};

function metricsTable(): string {
  const rows = CATALOG.map(({ name, unit }) => {
    const isDefault = defaultMetrics('median').some((metric) => metric.name === name);
    const prose = PROSE[name];
    assert.ok(prose, `${name} has no prose`);
    return `| \`${name}\` | ${unit} | ${prose} | ${isDefault ? 'yes' : 'by `--metrics`'} |`;
  });
  return ['| metric | unit | what it is | published |', '|---|---|---|---|', ...rows].join('\n');
}

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

const TABLES = { metrics: metricsTable, flags: flagsTable, advice: adviceTable };

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
