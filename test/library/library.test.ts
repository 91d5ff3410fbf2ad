// Over 200 lines: the built library in a process of its own, in each way that a caller would use it.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { answerOf, LIBRARY, startScript } from '../support/library.ts';
import { start } from '../support/program.ts';
import { awsOf, startCloudwatch } from '../support/service/cloudwatch.ts';
import { refusal } from '../support/service/faults.ts';

const NAMES = `namespace: 'App', service: 'api', jitter: 0, flushTimeout: 5`;
/** As Node before 18.18: nothing knows the symbol. */
const WITHOUT = encodeURIComponent(
  `const known = Symbol;
   globalThis.Symbol = new Proxy(() => undefined, {
     get: (_, name) => (name === 'asyncDispose' ? undefined : known[name]),
     apply: (_, self, given) => known(...given),
   });`,
);

describe('import', () => {
  test('reads nothing but the library, and begins nothing', async () => {
    const folder = fileURLToPath(new URL('.', LIBRARY));
    const isStable = Number.parseInt(process.versions.node, 10) >= 24;
    const script = `
      const look = () => [process.getActiveResourcesInfo().filter((name) => !/Close|FSReq|Pipe/.test(name)),
        process.eventNames().map((name) => [String(name), process.listenerCount(name)])];
      const before = look();
      const { startAgent } = await import(${JSON.stringify(LIBRARY)});
      console.log(JSON.stringify([before, look(), typeof startAgent]));`;
    const flags = [
      `--${isStable ? '' : 'experimental-'}permission`,
      `--allow-fs-read=${folder}*`,
      '--input-type=module',
    ];
    const answer = await answerOf(start(process.execPath, [...flags, '-e', script]));
    assert.ok(Array.isArray(answer));
    assert.deepEqual(answer[1], answer[0]);
    assert.equal(answer[2], 'function');
  });

  test('require gives the same', async () => {
    const program = startScript(
      `import { createRequire } from 'node:module';
       const required = createRequire(import.meta.url)(new URL(${JSON.stringify(LIBRARY)}).pathname);
       console.log(JSON.stringify([required.startAgent === startAgent, Object.keys(required).sort()]));`,
    );
    assert.deepEqual(await answerOf(program), [true, ['ConfigError', 'startAgent']]);
  });
});

describe('an agent', () => {
  test('publishes what was put beside its own, at the flush and at the stop', async (t) => {
    const cloudwatch = await startCloudwatch();
    t.after(() => cloudwatch.close());
    const program = startScript(
      `const deliveries = [];
       const agent = await startAgent({ ${NAMES}, dimensions: { Stage: 'prod' } });
       agent.on('delivery', (delivery) => deliveries.push(delivery.isAccepted));
       agent.put('OrdersPlaced', 2, 'Count');
       agent.put('OrdersPlaced', 3);
       const flushed = await agent.flush();
       agent.put('OrdersPlaced', 1);
       agent.put('Latency', 12.5, 'Milliseconds');
       const [stopped, again] = await Promise.all([agent.stop(), agent.stop()]);
       const left = process.getActiveResourcesInfo().filter((name) => !/Pipe|TTY/.test(name));
       console.log(JSON.stringify({ deliveries, flushed, stopped, again, left }));`,
      awsOf(cloudwatch),
    );
    const delivered = (windowsSent: number): unknown => {
      return { windowsSent, windowsWaiting: 0, windowsLost: 0 };
    };
    assert.deepEqual(await answerOf(program), {
      deliveries: [true, true],
      flushed: delivered(1),
      stopped: delivered(2),
      again: delivered(2),
      left: [],
    });
    const own = cloudwatch.accepted.map(({ data }) =>
      data
        .filter(({ MetricName }) => !MetricName.endsWith('Utilization'))
        .map(({ MetricName, Value, Unit, Dimensions }) => [MetricName, Value, Unit, Dimensions]),
    );
    const dimensions = [
      { Name: 'ServiceName', Value: 'api' },
      { Name: 'Stage', Value: 'prod' },
    ];
    assert.deepEqual(own, [
      [['OrdersPlaced', 5, 'Count', dimensions]],
      [
        ['OrdersPlaced', 1, 'Count', dimensions],
        ['Latency', 12.5, 'Milliseconds', dimensions],
      ],
    ]);
    assert.equal(program.stderr(), '');
  });

  test('installs no handler on the process, and its signal stops it', async (t) => {
    const cloudwatch = await startCloudwatch();
    t.after(() => cloudwatch.close());
    const program = startScript(
      `const handlers = () => process.eventNames().map((name) => [String(name), process.listenerCount(name)]);
       const before = handlers();
       const ending = new AbortController();
       const agent = await startAgent({ ${NAMES}, signal: ending.signal });
       agent.put('A', 1);
       const during = handlers();
       ending.abort();
       await agent.stop();
       console.log(JSON.stringify([before, during, agent.status().isStopped]));`,
      awsOf(cloudwatch),
    );
    const answer = await answerOf(program);
    assert.ok(Array.isArray(answer));
    assert.deepEqual(answer[1], answer[0]);
    assert.equal(answer[2], true);
    assert.equal(cloudwatch.accepted.length, 1);
  });

  test('is disposed of by await using’s symbol, and where Node lacks it by the one of tools', async () => {
    for (const symbol of ['Symbol.asyncDispose', `Symbol.for('Symbol.asyncDispose')`]) {
      const flags = symbol.includes('for') ? [`--import=data:text/javascript,${WITHOUT}`] : [];
      const program = startScript(
        `const agent = await startAgent({ ${NAMES}, dryRun: true, log() {} });
         await agent[${symbol}]();
         console.log(JSON.stringify(agent.status().isStopped));`,
        {},
        flags,
      );
      assert.equal(await answerOf(program), true, symbol);
    }
  });

  for (const kind of ['answers', 'stays silent'] as const) {
    test(`does not keep a script that has ended, where the service ${kind}`, async (t) => {
      const cloudwatch = await startCloudwatch();
      t.after(() => cloudwatch.close());
      if (kind === 'stays silent') cloudwatch.play(() => ({ kind: 'stall' }));
      const program = startScript(
        `const agent = await startAgent({ ${NAMES}, period: 1, interval: 0.1 });
         const hold = setTimeout(() => undefined, 10_000);
         const next = (name) => new Promise((resolve) => agent.on(name, resolve));
         await next('window');
         await next('${kind === 'answers' ? 'delivery' : 'window'}');
         clearTimeout(hold);
         process.on('exit', () => console.log(JSON.stringify(performance.now() - ended)));
         const ended = performance.now();`,
        awsOf(cloudwatch),
      );
      const took = Number(await answerOf(program));
      assert.ok(took < 250, `${took} ms`);
      assert.ok(cloudwatch.requests.length > 0);
    });
  }

  const SMI = '#!/bin/sh\nwhile :; do echo "0, 10, 20, 100"; sleep 1; done\n';
  test('does not keep one either while a credential process goes on, which ends with it', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'library '));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const config = join(folder, 'config');
    const left = join(folder, 'left');
    writeFileSync(config, `[default]\ncredential_process = echo $$ > "${left}"; exec sleep 50\n`);
    const program = startScript(
      `import { existsSync } from 'node:fs';
       await startAgent({ ${NAMES}, log() {} });
       while (!existsSync(${JSON.stringify(left)})) await new Promise((resolve) => setTimeout(resolve, 20));
       process.on('exit', () => console.log(JSON.stringify(performance.now() - ended)));
       const ended = performance.now();`,
      { AWS_CONFIG_FILE: config, AWS_REGION: 'us-east-1', AWS_EC2_METADATA_DISABLED: 'true' },
    );
    const took = Number(await answerOf(program));
    assert.ok(took < 1500, `${took} ms`);
  });

  for (const [what, options] of Object.entries({
    'datagrams go': `output: 'emf=udp://127.0.0.1:9'`,
    'nvidia-smi runs': `metrics: ['GPUUtilization']`,
  })) {
    test(`does not keep one either while ${what}`, async (t) => {
      const folder = mkdtempSync(join(tmpdir(), 'library '));
      t.after(() => rmSync(folder, { recursive: true, force: true }));
      writeFileSync(join(folder, 'nvidia-smi'), SMI, { mode: 0o755 });
      const program = startScript(
        `const agent = await startAgent({ ${NAMES}, period: 1, interval: 0.1, log() {}, ${options} });
         const hold = setTimeout(() => undefined, 10_000);
         await new Promise((resolve) => agent.on('window', ({ metrics }) => metrics.length > 0 && resolve()));
         await new Promise((resolve) => agent.on('window', resolve));
         clearTimeout(hold);
         process.on('exit', () => console.log(JSON.stringify(performance.now() - ended)));
         const ended = performance.now();`,
        { PATH: `${folder}:${process.env['PATH']}`, ...awsOf({ url: 'http://127.0.0.1:9' }) },
      );
      const took = Number(await answerOf(program));
      assert.ok(took < 1000, `${took} ms`);
    });
  }

  test('keeps it for a second at most where no connection comes about', async (t) => {
    // Its thread sleeps, so nothing is accepted, and the queue is full soon: the kernel then drops what comes.
    const deaf = start(process.execPath, [
      '-e',
      `const server = require('node:net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
         require('node:fs').writeSync(1, server.address().port + '\\n');
         Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
       });`,
    ]);
    t.after(() => deaf.kill('SIGKILL'));
    await deaf.until('port', ({ stdout }) => stdout().includes('\n'));
    const port = Number(deaf.stdout());
    const filling = Array.from({ length: 4 }, () => connect({ port, host: '127.0.0.1' }));
    for (const socket of filling) socket.on('error', () => undefined);
    t.after(() => {
      for (const socket of filling) socket.destroy();
    });
    const program = startScript(
      `const agent = await startAgent({ ${NAMES}, period: 1, interval: 0.1 });
       const hold = setTimeout(() => undefined, 10_000);
       await new Promise((resolve) => agent.on('window', resolve));
       await new Promise((resolve) => agent.on('window', resolve));
       clearTimeout(hold);
       const ended = performance.now();
       process.on('exit', () => console.log(JSON.stringify(performance.now() - ended)));`,
      awsOf({ url: `http://127.0.0.1:${port}` }),
    );
    const took = Number(await answerOf(program));
    assert.ok(took < 2000, `${took} ms`);
  });

  test('stops by its deadline where the service is silent, and says what was lost', async (t) => {
    const cloudwatch = await startCloudwatch();
    t.after(() => cloudwatch.close());
    cloudwatch.play(() => ({ kind: 'stall' }));
    const program = startScript(
      `const agent = await startAgent({ ${NAMES}, flushTimeout: 1 });
       const errors = [];
       agent.on('error', (error) => errors.push([error.code, error.message]));
       agent.put('A', 1);
       const began = performance.now();
       const stopped = await agent.stop();
       console.log(JSON.stringify([performance.now() - began, stopped, errors]));`,
      awsOf(cloudwatch),
    );
    const answer = await answerOf(program);
    assert.ok(Array.isArray(answer));
    const [took, stopped, [[code, message] = []]] = answer;
    assert.ok(took > 500 && took < 1500, `${took} ms`);
    assert.deepEqual(stopped, { windowsSent: 0, windowsWaiting: 0, windowsLost: 1 });
    assert.equal(code, 'DELIVERY');
    assert.match(message, /could not be sent within 1 s.*; spool DIR would have kept it/);
  });

  test('a refusal ends the flush at once; nobody listens, so it is a line of the log', async (t) => {
    const cloudwatch = await startCloudwatch();
    t.after(() => cloudwatch.close());
    cloudwatch.play(() => refusal(403, 'AccessDenied', 'not for you'));
    const program = startScript(
      `const agent = await startAgent({ ${NAMES}, flushTimeout: 20 });
       agent.put('A', 1);
       console.log(JSON.stringify(await agent.flush()));`,
      awsOf(cloudwatch),
    );
    const waits = { windowsSent: 0, windowsWaiting: 1, windowsLost: 0 };
    assert.deepEqual(await answerOf(program), waits);
    assert.match(program.stderr(), /^\S+ error publishing is refused, windows wait .*AccessDenied/);
  });

  test('does not meet another one in the same process', async (t) => {
    const cloudwatch = await startCloudwatch();
    t.after(() => cloudwatch.close());
    const program = startScript(
      `const one = await startAgent({ ${NAMES}, metrics: [], dimensions: { N: '1' } });
       const other = await startAgent({ ${NAMES}, namespace: 'Other', metrics: [] });
       const errors = [0, 0];
       [one, other].forEach((agent, index) => agent.on('error', () => { errors[index] += 1; }));
       one.put('A', 1, 'Count');
       other.put('A', 2, 'Count');
       other.put('B', NaN);
       await one.stop();
       other.put('A', 40);
       await other.flush();
       await other.stop();
       console.log(JSON.stringify(errors));`,
      awsOf(cloudwatch),
    );
    assert.deepEqual(await answerOf(program), [0, 1]);
    const seen = cloudwatch.accepted.map(({ namespace, data }) => [
      namespace,
      data.map(({ MetricName, Value, Dimensions = [] }) => [MetricName, Value, Dimensions.length]),
    ]);
    assert.deepEqual(seen, [
      ['App', [['A', 1, 2]]],
      ['Other', [['A', 42, 1]]],
    ]);
  });

  test('holds 1,000 names and says once that there are more', async () => {
    const program = startScript(
      `const agent = await startAgent({ ${NAMES}, dryRun: true, log() {} });
       const codes = [];
       agent.on('error', ({ code, count }) => codes.push([code, count]));
       for (let index = 0; index < 1500; index += 1) agent.put('name ' + index, 1, 'Count');
       await agent.flush();
       agent.put('one more', 1);
       const { names, putsLost } = agent.status();
       await agent.stop();
       agent.put('late', 1);
       agent.put('later', 1);
       console.log(JSON.stringify([names, putsLost, codes, agent.status().putsLost]));`,
    );
    const codes = [
      ['TOO_MANY_METRICS', 1],
      ['STOPPED', 1],
    ];
    assert.deepEqual(await answerOf(program), [1000, 501, codes, 503]);
  });

  test('flushes at most once a second, as often as it is asked, and each time all that was put before', async (t) => {
    const cloudwatch = await startCloudwatch();
    t.after(() => cloudwatch.close());
    const program = startScript(
      `const agent = await startAgent({ ${NAMES}, metrics: [] });
       const began = performance.now();
       agent.put('A', 1, 'Count');
       const first = agent.flush();
       await new Promise(setImmediate);
       agent.put('A', 2, 'Count');
       await Promise.all([first, agent.flush()]);
       const took = performance.now() - began;
       await agent.stop();
       console.log(JSON.stringify(took));`,
      awsOf(cloudwatch),
    );
    const took = Number(await answerOf(program));
    assert.ok(took > 900 && took < 5000, `${took} ms`);
    const data = cloudwatch.accepted.flatMap((request) => request.data);
    assert.equal(
      data.reduce((sum, { Value = 0 }) => sum + Value, 0),
      3,
    );
    const stamps = data.map(({ Timestamp }) => Timestamp);
    assert.equal(new Set(stamps).size, stamps.length);
  });

  test('reads no variable of the program, and rejects with errors of its options alone', async () => {
    const program = startScript(
      `const errors = [];
       for (const wrong of [{ period: -1 }, { scope: 'task' }, { root: '/nowhere' }]) {
         await startAgent({ ${NAMES}, ...wrong }).catch((error) =>
           errors.push([error instanceof ConfigError, error.name, error.setting]));
       }
       console.log(JSON.stringify(errors));`,
      { METRICS_AGENT_PERIOD: 'x', METRICS_AGENT_ROOT: '/nowhere' },
    );
    const wrong = (setting: string): unknown => [true, 'ConfigError', setting];
    assert.deepEqual(await answerOf(program), [wrong('period'), wrong('scope'), wrong('root')]);
  });

  test('gives its lines to a log of the caller’s, and survives one that throws', async () => {
    const program = startScript(
      `const lines = [];
       const log = (line) => {
         lines.push(line.level + ' ' + (line.time instanceof Date) + ' ' + line.message);
         throw new Error('mine');
       };
       const agent = await startAgent({ ${NAMES}, dryRun: true, log });
       agent.put('', 1);
       await agent.stop();
       console.log(JSON.stringify(lines));`,
    );
    const lines = String(await answerOf(program));
    assert.match(lines, /error true put: got the name ""/);
    assert.match(lines, /info true ended/);
    assert.equal(program.stderr(), '');
  });

  test('measures Node’s own loop and heap where that is asked for', async () => {
    const program = startScript(
      `const agent = await startAgent({ ${NAMES}, dryRun: true, log() {}, interval: 0.1,
         metrics: ['NodeEventLoopDelay', 'NodeHeapUsed'] });
       const hold = setTimeout(() => undefined, 20_000);
       const metrics = [];
       agent.on('window', (window) => metrics.push(...window.metrics));
       let samples = 0;
       await new Promise((resolve) => agent.on('sample', () => {
         samples += 1;
         if (samples === 2) { const end = Date.now() + 300; while (Date.now() < end); }
         if (samples === 6) resolve();
       }));
       await agent.stop();
       clearTimeout(hold);
       console.log(JSON.stringify(metrics.map(({ name, unit, value }) => [name, unit, value])));`,
    );
    const answer = await answerOf(program);
    assert.ok(Array.isArray(answer));
    const of = (name: string, unit: string): number[] =>
      answer.filter((one) => one[0] === name && one[1] === unit).map((one) => one[2]);
    const delay = Math.max(...of('NodeEventLoopDelay', 'Milliseconds'));
    assert.ok(delay > 200 && delay < 5000, String(delay));
    const heaps = of('NodeHeapUsed', 'Bytes');
    assert.ok(Math.min(...heaps) > 1e6 && Math.max(...heaps) < 1e9, String(heaps));
  });
});

test('put costs less than a microsecond and allocates nothing', async () => {
  const program = startScript(
    `const agent = await startAgent({ ${NAMES}, dryRun: true, log() {}, metrics: [] });
     const names = Array.from({ length: 100 }, (_, index) => 'name ' + index);
     const ROUND = 200_000;
     const round = () => {
       for (let index = 0; index < ROUND; index += 1) {
         agent.put(names[index % 100], index % 2 === 0 ? 0.5 : 12.25, index % 3 === 0 ? 'None' : undefined);
       }
     };
     for (let index = 0; index < 5; index += 1) round();
     let [ms, bytes] = [Infinity, Infinity];
     for (let index = 0; index < 10; index += 1) {
       globalThis.gc();
       const heap = process.memoryUsage().heapUsed;
       const began = performance.now();
       round();
       ms = Math.min(ms, performance.now() - began);
       bytes = Math.min(bytes, process.memoryUsage().heapUsed - heap);
     }
     console.log(JSON.stringify([ms * 1e6 / ROUND, bytes / ROUND]));
     process.exit();`,
    {},
    ['--expose-gc'],
  );
  const answer = await answerOf(program);
  assert.ok(Array.isArray(answer));
  const [nanoseconds, bytes] = answer;
  assert.ok(nanoseconds < 1000, `${nanoseconds} ns a call`);
  assert.ok(bytes < 0.5, `${bytes} bytes a call`);
  console.log(`# put: ${nanoseconds.toFixed(0)} ns and ${bytes.toFixed(3)} bytes a call`);
});
