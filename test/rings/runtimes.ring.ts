import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { AGENT, type Program, start } from '../support/program.ts';
import { makeRoot } from '../support/root.ts';
import { CREDENTIALS, REGION, startCloudwatch } from '../support/service/cloudwatch.ts';
import { serviceUnavailable } from '../support/service/faults.ts';

const PLATFORM = `linux-${process.arch}`;
const NODES = [18, 20, 22, 24, 26];
/** What the package.json beside agent.js says. */
const FOLDERS: Readonly<Record<string, string | undefined>> = {
  commonjs: '{"type":"commonjs"}',
  module: '{"type":"module"}',
  nothing: undefined,
};

function environmentOf(url: string): Record<string, string> {
  return {
    AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
    AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
    AWS_REGION: REGION,
    AWS_ENDPOINT_URL: url,
  };
}

const base = mkdtempSync(join(tmpdir(), 'agent runtimes '));
const bun = `@oven/bun-${PLATFORM.replace('arm64', 'aarch64')}`;
const deno = `@deno/${PLATFORM}-glibc`;
const runtimes: Readonly<Record<string, readonly string[]>> = {
  ...Object.fromEntries(
    NODES.map((version) => [`Node ${version}`, [`node_modules/node${version}/bin/node`]]),
  ),
  Bun: [`node_modules/${bun}/bin/bun`],
  Deno: [`node_modules/${deno}/deno`, 'run', '--allow-all'],
};

before(() => {
  const nodes = NODES.map((version) => `node${version}@npm:node-${PLATFORM}@${version}`);
  writeFileSync(join(base, 'package.json'), '{}');
  const flags = ['install', '--no-audit', '--no-fund', '--prefix', base];
  const { status, stderr } = spawnSync('npm', [...flags, ...nodes, bun, deno], {
    cwd: base,
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
  rmSync(join(base, 'package.json'));
  for (const [name, text] of Object.entries(FOLDERS)) {
    mkdirSync(join(base, name));
    copyFileSync(AGENT, join(base, name, 'agent.js'));
    if (text !== undefined) writeFileSync(join(base, name, 'package.json'), text);
  }
});

after(() => rmSync(base, { recursive: true, force: true }));

for (const [runtime, [command = '', ...argv]] of Object.entries(runtimes)) {
  describe(runtime, () => {
    for (const folder of Object.keys(FOLDERS)) {
      test(`measures one period beside a package.json that says ${folder}`, async () => {
        const agent = join(base, folder, 'agent.js');
        const flags = ['--once', '--dry-run', '--period', '1', '--log-format', 'json'];
        const program = start(join(base, command), [...argv, agent, ...flags]);
        assert.equal(await program.ended, 0, program.stderr());
        const window = JSON.parse(program.stdout().trimEnd().split('\n').at(-1) ?? '');
        assert.equal(window.type, 'window');
        assert.equal(window.request.MetricData.length, 3);
      });
    }

    test('publishes a signed window', async (t) => {
      const cloudwatch = await startCloudwatch();
      t.after(() => cloudwatch.close());
      const names = ['--namespace', 'Runtimes', '--service', runtime];
      const agent = join(base, 'nothing', 'agent.js');
      const program = start(
        join(base, command),
        [...argv, agent, ...names, '--once', '--period', '1'],
        {
          environment: environmentOf(cloudwatch.url),
        },
      );
      assert.equal(await program.ended, 0, program.stderr());
      assert.equal(cloudwatch.accepted.length, 1);
    });
  });
}

/** What Node's permission model needs to be told, by version: 20 calls it an experiment, 26 shuts the network too. */
const PERMISSION: Readonly<Record<string, readonly string[]>> = {
  20: ['--experimental-permission'],
  22: ['--permission'],
  24: ['--permission'],
  26: ['--permission', '--allow-net'],
};
const MACHINE = ['--allow-fs-read=/proc', '--allow-fs-read=/sys'];

for (const [version, permission] of Object.entries(PERMISSION)) {
  describe(`Node ${version} with the least permissions`, () => {
    const folder = mkdtempSync(join(tmpdir(), 'permissions-'));
    after(() => rmSync(folder, { recursive: true, force: true }));
    const agent = (): string => join(base, 'nothing', 'agent.js');
    const within = (more: readonly string[], flags: readonly string[], url = ''): Program =>
      start(
        join(base, `node_modules/node${version}/bin/node`),
        [...permission, `--allow-fs-read=${agent()}`, ...more, agent(), ...flags],
        { environment: environmentOf(url) },
      );
    const once = ['--namespace', 'N', '--service', 's', '--once', '--period', '1'];

    test('publishes with nothing but the agent, /proc and /sys, and warns of nothing', async (t) => {
      const cloudwatch = await startCloudwatch();
      t.after(() => cloudwatch.close());
      const program = within(MACHINE, [...once, '--metrics', 'all'], cloudwatch.url);
      assert.equal(await program.ended, 0, program.stderr());
      assert.equal(cloudwatch.accepted.length, 1);
      assert.doesNotMatch(program.stderr(), / error |fault|restricted|ACCESS_DENIED/);
    });

    test('spools and keeps a status file where it may read and write that folder', async (t) => {
      const cloudwatch = await startCloudwatch();
      t.after(() => cloudwatch.close());
      cloudwatch.play(() => serviceUnavailable());
      const file = join(folder, 'status.json');
      const kept = [`--allow-fs-read=${folder}`, `--allow-fs-write=${folder}`];
      const flags = ['--spool', join(folder, 'spool'), '--status-file', file];
      const out = [...once, ...flags, '--flush-timeout', '2'];
      const program = within([...MACHINE, ...kept], out, cloudwatch.url);
      assert.equal(await program.ended, 0, program.stderr());
      assert.match(program.stderr(), /windowsSpooled=1 windowsLost=0/);
      const checked = within([`--allow-fs-read=${folder}`], ['--healthy', file]);
      assert.equal(await checked.ended, 1);
      assert.match(checked.stdout(), /^sick: the agent, process \d+, ended \d s ago$/m);
    });

    test('runs a job where it may start processes', async (t) => {
      const cloudwatch = await startCloudwatch();
      t.after(() => cloudwatch.close());
      const job = ['--namespace', 'N', '--service', 's', '--', 'sh', '-c', 'exit 7'];
      const program = within([...MACHINE, '--allow-child-process'], job, cloudwatch.url);
      assert.equal(await program.ended, 7, program.stderr());
      assert.ok(cloudwatch.accepted.length > 0);
    });

    test('without /proc it says which flags are missing', async () => {
      const program = within([], ['--dry-run']);
      assert.equal(await program.ended, 2);
      assert.match(
        program.stderr(),
        /permissions: do not let \/ be read: node wants .*=\/proc .*=\/sys /,
      );
    });
  });
}

describe('Deno with the least permissions', () => {
  const run = ['run', '--no-prompt', '--no-config'];
  const [command = ''] = runtimes['Deno'] ?? [];

  test('publishes another root’s figures', async (t) => {
    const cloudwatch = await startCloudwatch();
    t.after(() => cloudwatch.close());
    const root = makeRoot();
    root.lay('host-v1-hybrid-split', 't0');
    t.after(() => root.remove());
    const allowed = ['--allow-env', '--allow-sys=hostname,osUptime,uid,homedir', '--allow-net'];
    const names = ['--namespace', 'N', '--service', 's', '--once', '--period', '2'];
    const agent = join(base, 'nothing', 'agent.js');
    const argv = [...run, ...allowed, `--allow-read=${root.path}`, agent, ...names];
    const program = start(join(base, command), [...argv, '--root', root.path], {
      environment: environmentOf(cloudwatch.url),
    });
    assert.equal(await program.ended, 0, program.stderr());
    assert.equal(cloudwatch.accepted.length, 1);
  });

  test('keeps /proc for --allow-all, and the agent says so', async () => {
    const agent = join(base, 'nothing', 'agent.js');
    const allowed = ['--allow-env', '--allow-sys', '--allow-read'];
    const program = start(join(base, command), [...run, ...allowed, agent, '--dry-run']);
    assert.equal(await program.ended, 2);
    assert.match(program.stderr(), /permissions: do not let \/ be read: .* Deno --allow-all$/m);
  });
});

test('one executable of Node and the agent publishes, checks a health and goes around a job', async (t) => {
  const cloudwatch = await startCloudwatch();
  t.after(() => cloudwatch.close());
  const single = fileURLToPath(new URL('../../dev/single.ts', import.meta.url));
  const home = dirname(dirname(AGENT));
  const made = join(base, 'single');
  const built = start(process.execPath, ['--import', 'tsx', single, made], { cwd: home });
  assert.equal(await built.ended, 0, built.stderr());
  const names = ['--namespace', 'N', '--service', 's', '--once', '--period', '1'];
  const file = join(base, 'status.json');
  const environment = environmentOf(cloudwatch.url);
  const program = start(made, [...names, '--status-file', file], { environment });
  assert.equal(await program.ended, 0, program.stderr());
  assert.equal(cloudwatch.accepted.length, 1);
  const checked = start(made, ['--healthy', file]);
  assert.equal(await checked.ended, 1);
  assert.match(checked.stdout(), /^sick: the agent, process \d+, ended \d s ago$/m);
  // It starts itself, as Node, for the job's files.
  cloudwatch.play(() => serviceUnavailable());
  const [spool, receipt] = [join(base, 'spool'), join(base, 'receipt.json')];
  const files = ['--spool', spool, '--status-file', file, '--receipt', receipt];
  const flags = ['--namespace', 'N', '--service', 's', '--flush-timeout', '2', ...files];
  const job = start(made, [...flags, '--', 'sh', '-c', 'exit 7'], { environment });
  assert.equal(await job.ended, 7, job.stderr());
  assert.doesNotMatch(job.stderr(), /not written|cannot be written/);
  const { exitCode, windowsSpooled } = JSON.parse(readFileSync(receipt, 'utf8'));
  assert.deepEqual([exitCode, windowsSpooled], [7, 1]);
  assert.match(readFileSync(file, 'utf8'), /^{"state":"ended"/);
});
