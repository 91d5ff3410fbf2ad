import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { readEvents } from '../support/emf.ts';
import { runAgent } from '../support/program.ts';

const READER = fileURLToPath(new URL('../support/emf-read.py', import.meta.url));
/** A release that carries AWS's schema as a file; later ones have it no more. */
const PACKAGES = ['aws-lambda-powertools==1.10.0', 'jsonschema==4.23.0'];
const ARGUMENTS = ['--namespace', 'Team/App', '--service', 'web', '--scope', 'host', '--once'];

describe('EMF beside a schema and a reader that nobody here wrote', () => {
  const folder = mkdtempSync(join(tmpdir(), 'emf-ring-'));
  let lack = '';

  before(() => {
    for (const [index, name] of PACKAGES.entries()) {
      const how = index === 0 ? ['--no-deps'] : [];
      const argv = ['-m', 'pip', 'install', '--quiet', '--target', folder, ...how, name];
      const { status, stderr } = spawnSync('python3', argv, { encoding: 'utf8' });
      if (status !== 0) lack = `pip failed: ${stderr?.trim().split('\n').at(-1) ?? 'no python3'}`;
    }
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  for (const more of [
    [],
    ['--metrics', 'all'],
    ['--statistics', 'distribution', '--interval', '0.1', '--period', '12'],
  ]) {
    test(`the lines of ${more.join(' ') || 'the defaults'}`, async (t) => {
      if (lack !== '') return t.skip(lack);
      const argv = [...ARGUMENTS, '--period', '2', '--output', 'emf', ...more];
      const { stdout, stderr, code } = await runAgent(argv);
      assert.equal(code, 0, stderr);
      const read = spawnSync('python3', [READER, folder], { input: stdout, encoding: 'utf8' });
      assert.equal(read.status, 0, read.stderr);
      const theirs = read.stdout
        .trim()
        .split('\n')
        .map((line): { name: string; values: number[] } => JSON.parse(line));
      const values = (all: readonly { name: string; values: number[] }[]): string[] =>
        all.flatMap((one) => one.values.map((value) => `${one.name} ${value}`)).sort();
      assert.deepEqual(values(theirs), values(readEvents(stdout.trim().split('\n'))));
      if (more.includes('distribution')) {
        const cpu = theirs.filter(({ name }) => name === 'CPUUtilization');
        assert.ok(cpu.length > 1, 'more than 100 values are more than one event');
      }
    });
  }
});
