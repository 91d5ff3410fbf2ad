import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const HOME = fileURLToPath(new URL('../../', import.meta.url));
const base = mkdtempSync(join(tmpdir(), 'release '));
after(() => rmSync(base, { recursive: true, force: true }));

function script(name: string, ...argv: readonly string[]): ReturnType<typeof spawnSync> {
  const flags = ['--import', 'tsx', join(HOME, 'dev', name), ...argv];
  return spawnSync(process.execPath, flags, { cwd: HOME, encoding: 'utf8' });
}

describe('npm run release', () => {
  test('refuses a changelog whose first heading is not this version’s with a day', () => {
    const isReleased = /^## \d+\.\d+\.\d+, \d{4}-/m.test(
      readFileSync(join(HOME, 'CHANGELOG.md'), 'utf8'),
    );
    if (isReleased) return;
    const { status, stderr } = script('release.ts', '--to', join(base, 'none'));
    assert.equal(status, 1);
    assert.match(String(stderr), /no release: /);
  });

  test('empties no folder but one of a release', () => {
    const folder = join(base, 'mine');
    mkdirSync(folder);
    writeFileSync(join(folder, 'agent.js'), 'mine');
    writeFileSync(join(folder, 'thesis.txt'), 'mine');
    const { status, stderr } = script('release.ts', '--trial', '--to', folder);
    assert.equal(status, 1);
    assert.match(String(stderr), /mine holds thesis\.txt, expected a new folder/);
    assert.deepEqual(readdirSync(folder).sort(), ['agent.js', 'thesis.txt']);
  });

  test('leaves the tarball, the file, what it contains and checksums that are right', () => {
    const folder = join(base, 'trial');
    mkdirSync(folder);
    writeFileSync(join(folder, 'cloudwatch-metrics-agent-0.0.1.tgz'), 'of the one before');
    const { status, stdout, stderr } = script('release.ts', '--trial', '--to', folder);
    assert.equal(status, 0, String(stderr));
    const [tarball = '', ...rest] = [...readdirSync(folder)].sort(
      (one, other) =>
        Number(other.endsWith('.tgz')) - Number(one.endsWith('.tgz')) || one.localeCompare(other),
    );
    assert.match(tarball, /^cloudwatch-metrics-agent-\d+\.\d+\.\d+\.tgz$/);
    assert.deepEqual(rest, ['agent.js', 'sbom.cdx.json', 'SHA256SUMS']);
    for (const line of readFileSync(join(folder, 'SHA256SUMS'), 'utf8').trim().split('\n')) {
      const [sum, file = ''] = line.split('  ');
      assert.equal(
        createHash('sha256')
          .update(readFileSync(join(folder, file)))
          .digest('hex'),
        sum,
      );
    }
    const sbom = JSON.parse(readFileSync(join(folder, 'sbom.cdx.json'), 'utf8'));
    assert.equal(sbom.bomFormat, 'CycloneDX');
    assert.equal(sbom.metadata.component.name, 'cloudwatch-metrics-agent');
    const aws4 = sbom.components.find((one: { name: string }) => one.name === 'aws4');
    assert.equal(aws4.licenses[0].license.id, 'MIT');
    assert.match(String(stdout), /npm publish .*\.tgz --dry-run --provenance --access public/);
  });
});

test('pinning writes the commits that git names, and follows the tag when it has moved', () => {
  const tree = join(base, 'tree');
  mkdirSync(join(tree, '.github/workflows'), { recursive: true });
  const workflow = join(tree, '.github/workflows/ci.yml');
  writeFileSync(workflow, '      - uses: own/action@v1\n      - run: bash .ci/run\n');
  const repository = join(base, 'own/action');
  const git = (...argv: readonly string[]): string =>
    execFileSync('git', ['-C', repository, '-c', 'user.name=a', '-c', 'user.email=a@b', ...argv], {
      encoding: 'utf8',
    }).trim();
  mkdirSync(repository, { recursive: true });
  git('init', '--quiet');
  const pin = (): string => {
    // git itself leads GitHub's address to the repository on this disk.
    const env = {
      ...process.env,
      GIT_CONFIG_COUNT: '1',
      GIT_CONFIG_KEY_0: `url.file://${base}/.insteadOf`,
      GIT_CONFIG_VALUE_0: 'https://github.com/',
    };
    const tsx = join(HOME, 'node_modules/tsx/dist/loader.mjs');
    const argv = ['--import', `file://${tsx}`, join(HOME, 'dev/pin-actions.ts')];
    const { status, stderr } = spawnSync(process.execPath, argv, {
      cwd: tree,
      env,
      encoding: 'utf8',
    });
    assert.equal(status, 0, stderr);
    return readFileSync(workflow, 'utf8');
  };
  for (const message of ['one', 'two']) {
    git('commit', '--quiet', '--allow-empty', '-m', message);
    git('tag', '--force', '--annotate', '-m', message, 'v1');
    const commit = git('rev-parse', 'HEAD');
    assert.equal(pin(), `      - uses: own/action@${commit} # v1\n      - run: bash .ci/run\n`);
  }
});
