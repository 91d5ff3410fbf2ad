import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { start } from '../support/program.ts';
import { makeRoot } from '../support/root.ts';

const WINDOWS = 1_000_000;
const MEBIBYTE = 1024 * 1024;
/** Node's young generation grows with the speed of allocation, which is 10,000 times the real one here. */
const HEAP = ['--expose-gc', '--max-semi-space-size=1'];
const LIFETIME_MS = 900_000;

test('a million windows leave no byte, task, listener or descriptor behind', async (t) => {
  const root = makeRoot();
  t.after(() => root.remove());
  root.lay('vm-v2-host-root', 't0');
  const program = join(root.path, 'soak.mjs');
  await build({
    entryPoints: [fileURLToPath(new URL('../support/soak-windows.ts', import.meta.url))],
    bundle: true,
    platform: 'node',
    format: 'esm',
    outfile: program,
    banner: {
      js: 'import{createRequire}from"node:module";const require=createRequire(import.meta.url);',
    },
    logLevel: 'error',
  });
  const marks = [WINDOWS / 100, WINDOWS].map(String);
  const soak = start(process.execPath, [...HEAP, program, root.path, ...marks], {
    lifetimeMs: LIFETIME_MS,
  });
  assert.equal(await soak.ended, 0, soak.stderr());
  const [early = '', late = '', left = ''] = soak.stdout().split('\n');
  const grownBytes = Number(late) - Number(early);
  t.diagnostic(`${early} bytes after 1 %, ${late} at the end`);
  assert.ok(grownBytes < 2 * MEBIBYTE, `${grownBytes} bytes more than after 1 %`);
  const { windowsSent, ...rest } = JSON.parse(left);
  assert.deepEqual(rest, { lost: 0, tasks: 0, descriptors: 0, listeners: 0 });
  // The first window is partial, and the last one may be.
  assert.ok(windowsSent >= WINDOWS - 1, `${windowsSent} windows were sent`);
});
