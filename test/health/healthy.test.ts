import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { healthOf } from '../../src/health/healthy.ts';

const folder = mkdtempSync(join(tmpdir(), 'healthy-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const file = join(folder, 'status.json');

function ago(seconds: number): string {
  return new Date(Date.now() - seconds * 1000).toISOString();
}

/** A process that was there and is not any more. */
function gonePid(): number {
  return spawnSync('true').pid;
}

const here = statSync('/proc/self/ns/pid').ino;

/** What an agent in a good way says of itself. */
const WELL = {
  state: 'running',
  time: ago(5),
  periodSeconds: 60,
  pid: process.pid,
  pidNamespace: here,
  upSeconds: 4000,
  lastSample: ago(6),
  lastAccepted: ago(30),
  windowsWaiting: 0,
  windowsLost: 0,
};

function judged(changes: object, maxAge?: number): readonly [boolean, string] {
  writeFileSync(file, JSON.stringify({ ...WELL, ...changes }));
  return healthOf(file, maxAge);
}

const HEALTHY: readonly (readonly [
  what: string,
  changes: object,
  sentence: RegExp,
  max?: number,
])[] = [
  ['samples and sends', {}, /^healthy: sampled 6 s ago; requests accepted: the last 30 s ago; /],
  ['has not sampled yet', { lastSample: undefined, upSeconds: 3 }, /: no sample yet; /],
  [
    'cannot reach CloudWatch for an hour',
    { lastAccepted: ago(3600), windowsWaiting: 60 },
    /accepted: the last 3600 s ago; windows waiting 60, lost 0$/,
  ],
  ['has never sent anything', { lastAccepted: undefined }, /requests accepted: none; /],
  [
    'measures nothing, and says why',
    { lastSample: undefined, notMeasured: 'memory: gone' },
    /^healthy, but for 4000 s no sample: memory: gone$/,
  ],
  [
    'measures nothing any more, and says why',
    { lastSample: ago(900), notMeasured: 'memory: gone' },
    /^healthy, but for 900 s no sample: memory: gone$/,
  ],
  [
    'tells once in ten minutes',
    { time: ago(1700), lastSample: ago(1700), periodSeconds: 600 },
    /s/,
  ],
  ['told 180 s ago', { time: ago(180), lastSample: ago(180) }, /^healthy: sampled 180 s ago/],
  ['is of another container', { pid: 999_999_999, pidNamespace: 1 }, /^healthy: /],
  ['runs where there are no namespaces', { pidNamespace: undefined }, /^healthy: /],
  ['told before a clock was set back a little', { time: ago(-60), lastSample: ago(-60) }, /^h/],
  ['has an age that the caller allows', { time: ago(400), lastSample: ago(400) }, /^h/, 500],
];

describe('healthy is an agent that', () => {
  for (const [what, changes, sentence, maxAge] of HEALTHY) {
    test(what, () => {
      const [isHealthy, said] = judged(changes, maxAge);
      assert.match(said, sentence);
      assert.equal(isHealthy, true, said);
    });
  }
});

const SICK: readonly (readonly [what: string, changes: object, sentence: RegExp, max?: number])[] =
  [
    ['has ended', { state: 'ended' }, /^sick: the agent, process \d+, ended 5 s ago$/],
    ['is gone', { pid: gonePid() }, /, is gone without a last word$/],
    ['hangs', { time: ago(182) }, /, told of itself 182 s ago, expected at most 180$/],
    ['is older than the caller allows', { time: ago(40) }, /ago, expected at most 30$/, 30],
    [
      'told in the future',
      { time: ago(-400) },
      /told of itself 400 s in the future: a clock was set$/,
    ],
    [
      'lives and does not sample',
      { lastSample: ago(300) },
      /not sampled for 300 s and gives no reason/,
    ],
    ['has never sampled', { lastSample: undefined }, /not sampled for 4000 s and gives no reason$/],
    ['tells no time', { time: 'noon' }, /told of itself NaN s ago/],
  ];

describe('sick is an agent that', () => {
  for (const [what, changes, sentence, maxAge] of SICK) {
    test(what, () => {
      const [isHealthy, said] = judged(changes, maxAge);
      assert.match(said, sentence);
      assert.equal(isHealthy, false, said);
    });
  }
});

const TORN = /^sick: \S+status.json is torn, or not what --status-file writes$/;

describe('sick is a file that', () => {
  const texts: readonly (readonly [what: string, text: string, sentence: RegExp])[] = [
    ['is empty', '', TORN],
    ['is torn', '{"state":"running","ti', TORN],
    ['is not JSON', 'windows_sent 12\n', TORN],
    ['is another program’s', '{"state":"ok","time":12}', TORN],
    ['is null', 'null', TORN],
    ['is a list', '[]', TORN],
  ];
  for (const [what, text, sentence] of texts) {
    test(what, () => {
      writeFileSync(file, text);
      const [isHealthy, said] = healthOf(file);
      assert.match(said, sentence);
      assert.equal(isHealthy, false);
    });
  }

  test('is missing', () => {
    const [isHealthy, said] = healthOf(join(folder, 'none'));
    assert.match(said, /^sick: Error: ENOENT: .*; is there an agent with --status-file \S+none\?$/);
    assert.equal(isHealthy, false);
  });

  test('is a folder', () => {
    mkdirSync(join(folder, 'folder'));
    assert.match(healthOf(join(folder, 'folder'))[1], /^sick: \S+folder is not an ordinary file$/);
  });

  test('is a FIFO, which would keep whoever reads it', () => {
    const fifo = join(folder, 'fifo');
    assert.equal(spawnSync('mkfifo', [fifo]).status, 0);
    assert.match(healthOf(fifo)[1], /^sick: \S+fifo is not an ordinary file$/);
  });
});
