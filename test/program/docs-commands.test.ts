import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type Block, commandBlocks, commandsOf, PAGES, ROOT } from '../support/pages.ts';
import { AGENT, DEADLINE_MS, type Program, start } from '../support/program.ts';
import {
  type Cloudwatch,
  CREDENTIALS,
  REGION,
  startCloudwatch,
} from '../support/service/cloudwatch.ts';

/** What needs more than a machine with Node says so itself: see docs/README.md. */
const NEEDS = /^(?:aws|docker|kubectl|systemctl|sudo|npm publish|export) /;
const MARK = /^# needs /;
const AGENT_COMMAND = /^(?:node (?:\S*\/)?agent\.js|cloudwatch-metrics-agent)(?= |$)/;
/** Those that end by themselves. */
const ENDS = /--(?:dry-run|once|explain|check|check-publish|healthy|help|version)\b| -- /;
/** Where nothing listens: publishing does not need STS. */
const NOBODY = 'http://127.0.0.1:1/';
/** Leads elsewhere than to the loopback: what it says of itself is enough. */
const ELSEWHERE = / --output /;

let cloudwatch: Cloudwatch;
let folder: string;

before(async () => {
  cloudwatch = await startCloudwatch();
  folder = await mkdtemp(join(tmpdir(), 'docs-'));
  await mkdir(join(folder, 'bin'));
  await symlink(AGENT, join(folder, 'bin', 'cloudwatch-metrics-agent'));
  await writeFile(join(folder, 'bin', 'python'), '#!/bin/sh\nexit 0\n');
  await chmod(join(folder, 'bin', 'python'), 0o755);
});

after(async () => {
  await cloudwatch.close();
  await rm(folder, { recursive: true, force: true });
});

describe('every command in the README and docs/ is run, or says what it needs', {
  concurrency: 4,
}, () => {
  for (const block of PAGES.flatMap(commandBlocks)) {
    const commands = commandsOf(block).filter((command) => !NEEDS.test(command));
    const isMarked = block.lines.some((line) => MARK.test(line));
    if (isMarked || commands.length === 0) continue;
    test(`${block.where}: ${commands.join('; ')}`, () => runBlock(block, commands));
  }
});

test('some commands are run, and some are marked', () => {
  const blocks = PAGES.flatMap(commandBlocks);
  const marked = blocks.filter(({ lines }) => lines.some((line) => MARK.test(line)));
  const run = blocks.flatMap(commandsOf).filter((command) => AGENT_COMMAND.test(command));
  assert.ok(marked.length >= 2);
  assert.ok(run.length >= 5);
});

async function runBlock({ where }: Block, commands: readonly string[]): Promise<void> {
  const running: Program[] = [];
  try {
    for (const command of commands.flatMap((line) => line.split(' && '))) {
      if (AGENT_COMMAND.test(command)) await runAgent(command, where, running);
      else assertProjects(command);
    }
    for (const program of running) {
      program.kill('SIGTERM');
      assert.equal(await program.ended, 0, program.stderr());
    }
  } finally {
    for (const program of running) program.kill('SIGKILL');
  }
}

/** A command of the project: `.ci/run` runs it, so that it is there is enough. */
function assertProjects(command: string): void {
  const ring = readFileSync(`${ROOT}.ci/run`, 'utf8');
  const manifest: unknown = JSON.parse(readFileSync(`${ROOT}package.json`, 'utf8'));
  const script = /^npm (?:run )?(?:--silent )?([\w:-]+)/.exec(command)?.[1];
  if (script === 'ci') assert.match(ring, /npm ci/);
  else if (script !== undefined) assert.match(JSON.stringify(manifest), new RegExp(`"${script}":`));
  else {
    const [, file] = /^(?:bash|sh|node) (\S+)/.exec(command) ?? [];
    assert.ok(file !== undefined && existsSync(ROOT + file), `neither run nor marked: ${command}`);
  }
}

/** Runs the built agent with the page's own words. One that publishes stays until its block has ended. */
async function runAgent(command: string, where: string, running: Program[]): Promise<void> {
  const page = where.replaceAll(/\W/g, '-');
  const state = join(folder, page);
  await mkdir(state, { recursive: true });
  const line = command
    .replace(AGENT_COMMAND, (word) =>
      word.startsWith('node') ? `"${process.execPath}" "${AGENT}"` : word,
    )
    .replaceAll('…', 'x')
    .replace(/(--period|-p) \d+/, '$1 1')
    .replaceAll(/ \/(?:run|var|dev\/shm)\/(?:\S+\/)?(?=\S)/g, ` ${state}/`);
  const isElsewhere = ELSEWHERE.test(command);
  const program = start('sh', ['-c', `exec ${line}${isElsewhere ? ' --explain' : ''}`], {
    cwd: state,
    environment: {
      PATH: `${join(folder, 'bin')}:${process.env['PATH']}`,
      AWS_ENDPOINT_URL: cloudwatch.url,
      AWS_ENDPOINT_URL_STS: NOBODY,
      AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
      AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
      AWS_REGION: REGION,
      AWS_EC2_METADATA_DISABLED: 'true',
      METRICS_AGENT_PERIOD: '1',
      METRICS_AGENT_INTERVAL: '0.5',
      METRICS_AGENT_LOG_LEVEL: 'debug',
      ...(/--dry-run/.test(command) && !/ -- /.test(command) ? { METRICS_AGENT_ONCE: '1' } : {}),
    },
  });
  if (ENDS.test(command) || isElsewhere) {
    assert.equal(await program.ended, 0, program.stdout() + program.stderr());
    return;
  }
  running.push(program);
  const count = cloudwatch.accepted.length;
  await cloudwatch.waitFor(({ accepted }) => accepted.length > count, DEADLINE_MS);
}
