/**
 * `npm run release`: all that a release consists of, in release/: the tarball, the one file, what it contains
 * (CycloneDX) and the checksums of these. It publishes nothing, and says the line that would.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    // Another folder than release/.
    to: { type: 'string', default: 'release' },
    // What comes of a tree as it is, to be looked at: not to be published.
    trial: { type: 'boolean', default: false },
  },
});

function run(command: string, ...argv: readonly string[]): string {
  return execFileSync(command, argv, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
}

function refuse(reason: string): void {
  if (!values.trial) throw new Error(`no release: ${reason}`);
  console.error(`a trial, no release: ${reason}`);
}

/** @throws Error for what is no such object */
function parsed(text: string): Record<string, unknown> {
  const value: unknown = JSON.parse(text);
  if (!isObject(value)) throw new Error('expected an object');
  return value;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function isTarball(file: string): boolean {
  return file.startsWith('cloudwatch-metrics-agent-') && file.endsWith('.tgz');
}

const manifest = parsed(readFileSync('package.json', 'utf8'));
const [name, version] = [String(manifest['name']), String(manifest['version'])];
// What a release has left there goes; a folder of anything else is not ours to empty.
const before = existsSync(values.to) ? readdirSync(values.to) : [];
const others = before.filter(
  (file) => !['agent.js', 'sbom.cdx.json', 'SHA256SUMS'].includes(file) && !isTarball(file),
);
if (others.length > 0) throw new Error(`${values.to} holds ${others[0]}, expected a new folder`);
if (run('git', 'status', '--porcelain') !== '') refuse('the tree holds what is not committed');
const [, head = ''] = /^## (.*)$/m.exec(readFileSync('CHANGELOG.md', 'utf8')) ?? [];
if (!head.startsWith(`${version}, `) || !/, \d{4}-\d{2}-\d{2}$/.test(head)) {
  refuse(`CHANGELOG.md begins with "${head}", expected "${version}, YYYY-MM-DD"`);
}
if (!values.trial) {
  run('npm', 'ci', '--no-fund');
  run('npm', 'audit', '--audit-level=low');
  run('npm', 'test');
}

mkdirSync(values.to, { recursive: true });
for (const file of before) rmSync(join(values.to, file));
run('npm', 'pack', '--pack-destination', values.to);
const tarball = `${name}-${version}.tgz`;
copyFileSync('dist/agent.js', join(values.to, 'agent.js'));
const sbom = parsed(run('npm', 'sbom', '--sbom-format', 'cyclonedx', '--sbom-type', 'application'));
// npm takes the folder's name for the package's.
const { metadata } = sbom;
if (isObject(metadata) && isObject(metadata['component'])) metadata['component']['name'] = name;
writeFileSync(join(values.to, 'sbom.cdx.json'), `${JSON.stringify(sbom, undefined, 2)}\n`);
const sums = [tarball, 'agent.js', 'sbom.cdx.json'].map((file) => {
  const sum = createHash('sha256')
    .update(readFileSync(join(values.to, file)))
    .digest('hex');
  return `${sum}  ${file}\n`;
});
writeFileSync(join(values.to, 'SHA256SUMS'), sums.join(''));
console.log(sums.join(''));
console.log(`npm publish ${join(values.to, tarball)} --dry-run --provenance --access public`);
