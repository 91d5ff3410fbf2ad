import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { assertNoGrowth, type Taken } from '../support/histories/taken.ts';
import { start } from '../support/program.ts';
import { makeRoot, type Root } from '../support/root.ts';

/** A number for each sample is more. */
const LIVE_GROWTH = 256 * 1024;
const STRETCHES = [5000, 14_000, 23_000, 32_000, 41_000, 50_000].map(String);
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
  test(`50,000 samples of ${fixture} take no more memory than 5000`, async (t) => {
    const root = makeRoot();
    t.after(() => root.remove());
    root.lay(fixture, 't0');
    const soak = start(process.execPath, [...HEAP, program, root.path, ...STRETCHES]);
    assert.equal(await soak.ended, 0, soak.stderr());
    const lines = soak.stdout().split('\n').slice(0, STRETCHES.length);
    assertNoGrowth(
      lines.map((line): Taken => JSON.parse(line)),
      LIVE_GROWTH,
    );
    assert.match(soak.stdout(), /^1 tasks$/m);
  });
}
