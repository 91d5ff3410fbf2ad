import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { assertNoGrowth, type Taken } from '../support/histories/taken.ts';
import { start } from '../support/program.ts';
import { makeRoot } from '../support/root.ts';

const WINDOWS = 1_000_000;
/** Each waits for a disk and a wire. */
const REAL_WINDOWS = 50_000;
/** A byte for each of a million windows is as much. */
const LIVE_GROWTH = 1024 * 1024;
/** A measurement after the first windows, and then after each of five equal stretches. */
const STRETCHES = 5;
/** Node's young generation grows with the speed of allocation, which is 10,000 times the real one here. */
const HEAP = ['--expose-gc', '--max-semi-space-size=1'];
const LIFETIME_MS = 900_000;
/** One request in so many fails, and is tried again. */
const FAILURE = 50;
const ANSWER =
  '<PutMetricDataResponse><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></PutMetricDataResponse>';

/** What a soak says, and what is left at the end. */
interface Said {
  readonly sent: number;
  /** Writes to the spool. */
  readonly appended: number;
  readonly rest: unknown;
}

async function soak(
  t: TestContext,
  windows: number,
  early: number,
  url: string,
  folder: string,
): Promise<Said> {
  const root = makeRoot();
  t.after(() => root.remove());
  root.lay('vm-v2-host-root', 't0');
  const program = join(root.path, 'soak.mjs');
  await build({
    entryPoints: [fileURLToPath(new URL('../support/histories/soak-windows.ts', import.meta.url))],
    bundle: true,
    platform: 'node',
    format: 'esm',
    outfile: program,
    banner: {
      js: 'import{createRequire}from"node:module";const require=createRequire(import.meta.url);',
    },
    logLevel: 'error',
  });
  const marks = Array.from(
    { length: STRETCHES + 1 },
    (_, index) => early + ((windows - early) / STRETCHES) * index,
  );
  const given = [root.path, url, folder, ...marks.map(String)];
  const child = start(process.execPath, [...HEAP, program, ...given], { lifetimeMs: LIFETIME_MS });
  assert.equal(await child.ended, 0, child.stderr());
  const lines = child.stdout().trim().split('\n');
  const { windowsSent: sent, appended, ...rest } = JSON.parse(lines.pop() ?? '');
  t.diagnostic(`after ${early} windows ${lines[0]}, after ${windows} ${lines.at(-1)}`);
  assertNoGrowth(
    lines.map((line): Taken => JSON.parse(line)),
    LIVE_GROWTH,
  );
  return { sent, appended, rest };
}

const NOTHING = { lost: 0, tasks: 0, descriptors: 0, listeners: 0 };

test('a million windows leave no byte, task, listener or descriptor behind', async (t) => {
  const { sent, rest } = await soak(t, WINDOWS, WINDOWS / 100, '', '');
  assert.deepEqual(rest, NOTHING);
  // The first window is partial, and the last one may be.
  assert.ok(sent >= WINDOWS - 1, `${sent} windows were sent`);
});

test('nor do fifty thousand that go over a wire and are on disk meanwhile', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'soak-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  let requests = 0;
  const server = createServer((request, response) => {
    requests += 1;
    const isGood = requests % FAILURE !== 0;
    request
      .resume()
      .on('end', () => response.writeHead(isGood ? 200 : 503).end(isGood ? ANSWER : ''));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}/`;
  const said = await soak(t, REAL_WINDOWS, REAL_WINDOWS / 5, url, folder);
  const { sent, appended, rest } = said;
  assert.deepEqual(rest, NOTHING);
  assert.ok(sent >= REAL_WINDOWS - 1, `${sent} windows were sent`);
  assert.ok(appended >= REAL_WINDOWS - 1, `${appended} writes to the spool`);
  assert.deepEqual(readdirSync(folder), []);
});
