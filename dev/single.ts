/**
 * Makes one executable of dist/agent.js and the Node that runs this: `node --import tsx dev/single.ts FILE`. See docs/images.md.
 * @see https://nodejs.org/api/single-executable-applications.html
 */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const MOST_BYTES = 130_000_000;
/** What Node looks for in its own binary, and the tool that its documentation names, as a version that was tried. */
const FUSE = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2';
const POSTJECT = 'postject@1.0.0-alpha.6';
/**
 * The agent starts Node once more to write a file apart (`-e SCRIPT`) or to serve a spool (`agent.js @disk`).
 * Here Node is this very file, which would take those arguments for the agent's.
 */
const AS_NODE = `const at = process.argv.indexOf('-e');
if (at === 2 || (at === 3 && process.argv[2] === '--no-warnings')) {
  const [script, ...rest] = process.argv.slice(at + 1);
  process.argv = [process.execPath, ...rest.slice(rest[0] === '--' ? 1 : 0)];
  new Function('require', script)(require);
} else {
  if (process.argv[3] === '@disk') process.argv.splice(2, 1);
`;

const [target] = process.argv.slice(2);
if (target === undefined) throw new Error('expected the file to make, got none');
const out = resolve(target);
const folder = mkdtempSync(join(tmpdir(), 'single-'));
try {
  const [config, blob] = [join(folder, 'config.json'), join(folder, 'blob')];
  const how = { disableExperimentalSEAWarning: true, useSnapshot: false, useCodeCache: true };
  const main = join(folder, 'main.js');
  // The line for the shell may stand at the very top alone.
  const agent = readFileSync('dist/agent.js', 'utf8').replace(/^#!.*/, '');
  writeFileSync(main, `${AS_NODE}${agent}}\n`);
  writeFileSync(config, JSON.stringify({ main, output: blob, ...how }));
  execFileSync(process.execPath, ['--experimental-sea-config', config], { stdio: 'ignore' });
  copyFileSync(process.execPath, out);
  chmodSync(out, 0o755);
  const inject = ['--yes', POSTJECT, out, 'NODE_SEA_BLOB', blob, '--sentinel-fuse', FUSE];
  execFileSync('npx', inject, { stdio: ['ignore', 'ignore', 'inherit'] });
  const { size } = statSync(out);
  const { status, stdout } = spawnSync(out, ['--version'], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${out} does not start`);
  if (size > MOST_BYTES)
    throw new Error(`${out} has ${size} bytes, expected at most ${MOST_BYTES}`);
  console.log(`${out}: version ${stdout.trim()}, Node ${process.version}, ${size} bytes`);
} catch (error) {
  rmSync(out, { force: true });
  throw error;
} finally {
  rmSync(folder, { recursive: true });
}
