import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { AGENT, start } from '../support/program.ts';
import { CREDENTIALS, REGION, startCloudwatch } from '../support/service/cloudwatch.ts';

const PLATFORM = `linux-${process.arch}`;
const NODES = [18, 20, 22, 24, 26];
/** What the package.json beside agent.js says. */
const FOLDERS: Readonly<Record<string, string | undefined>> = {
  commonjs: '{"type":"commonjs"}',
  module: '{"type":"module"}',
  nothing: undefined,
};

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
          environment: {
            AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
            AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
            AWS_REGION: REGION,
            AWS_ENDPOINT_URL: cloudwatch.url,
          },
        },
      );
      assert.equal(await program.ended, 0, program.stderr());
      assert.equal(cloudwatch.accepted.length, 1);
    });
  });
}
