import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { start } from '../support/program.ts';
import { makeRoot, type Root } from '../support/root.ts';

const MEBIBYTE = 1024 * 1024;
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
    const [early = 0, late = 0] = soak.stdout().split('\n').map(Number);
    assert.ok(late - early < MEBIBYTE, `${early} bytes after 10,000, ${late} after 100,000`);
    assert.match(soak.stdout(), /^1 tasks$/m);
  });
}
