import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { start } from '../support/program.ts';
import { makeRoot, type Root } from '../support/root.ts';

/** One number kept of each sample were 700 kB. What is reachable hangs on nothing but the program. */
const MOST_REACHABLE = 256 * 1024;
/** What else the process has is the engine's to give back when it likes: seen to differ by 2 MB. */
const MOST_RESIDENT = 8 * 1024 * 1024;
/** Node's young generation grows with the speed of allocation, which is 20,000 times the real one here. */
const HEAP = ['--expose-gc', '--max-semi-space-size=1'];

let built: Root;
let program: string;

before(async () => {
  built = makeRoot();
  program = join(built.path, 'soak.mjs');
  const entry = fileURLToPath(new URL('../support/histories/soak.ts', import.meta.url));
  await build({
    entryPoints: [entry],
    bundle: true,
    platform: 'node',
    format: 'esm',
    outfile: program,
    logLevel: 'error',
  });
});

after(() => built.remove());

for (const fixture of ['vm-v2-host-root', 'runc-v2-cgroupns-quota0.5-mem160M-cpuset1']) {
  test(`100,000 samples of ${fixture} take no more memory than 10,000`, async (t) => {
    const root = makeRoot();
    t.after(() => root.remove());
    root.lay(fixture, 't0');
    const soak = start(process.execPath, [...HEAP, program, root.path, '10000', '100000']);
    assert.equal(await soak.ended, 0, soak.stderr());
    const [early = [], late = []] = soak
      .stdout()
      .split('\n')
      .map((line) => line.split(' ').map(Number));
    const [resident = Number.NaN, reachable = Number.NaN] = late.map(
      (bytes, index) => bytes - (early[index] ?? Number.NaN),
    );
    const grown = `${resident} bytes more are resident, ${reachable} of them reachable`;
    assert.ok(reachable < MOST_REACHABLE && resident < MOST_RESIDENT, grown);
    // The next tick, and the next look at which scope it should be.
    assert.match(soak.stdout(), /^2 tasks$/m);
  });
}
