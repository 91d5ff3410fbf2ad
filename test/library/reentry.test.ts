import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { answerOf, startScript } from '../support/library.ts';
import { awsOf, startCloudwatch } from '../support/service/cloudwatch.ts';

const NAMES = `namespace: 'App', service: 'api', jitter: 0, flushTimeout: 5`;
const ONCE = { windowsSent: 1, windowsWaiting: 0, windowsLost: 0 };

describe('a listener that stops the agent', () => {
  for (const event of ['sample', 'window'] as const) {
    // The sample that ends a window is the next one's first.
    test(`amid a ${event}: nothing is read afterwards, and nothing stays open`, async (t) => {
      const cloudwatch = await startCloudwatch();
      t.after(() => cloudwatch.close());
      const program = startScript(
        `import { readdirSync, readlinkSync } from 'node:fs';
         const linkOf = (fd) => {
           try { return readlinkSync('/proc/self/fd/' + fd); } catch { return ''; }
         };
         const agent = await startAgent({ ${NAMES}, period: 1, interval: 0.1 });
         const hold = setTimeout(() => undefined, 20_000);
         let late = 0;
         const stopped = await new Promise((resolve) => {
           agent.on('${event}', () => {
             if (!agent.status().isStopped) resolve(agent.stop());
           });
           agent.on('sample', () => { late += agent.status().isStopped ? 1 : 0; });
         });
         const seen = late;
         setTimeout(() => {
           clearTimeout(hold);
           const open = readdirSync('/proc/self/fd').map(linkOf).filter((name) => /^.(?:proc|sys).(?!self.fd|\\d+.fd)/.test(name));
           console.log(JSON.stringify({ stopped, later: late - seen, open }));
         }, 500);`,
        awsOf(cloudwatch),
      );
      const stopped = event === 'sample' ? ONCE : { ...ONCE, windowsSent: 2 };
      assert.deepEqual(await answerOf(program), { stopped, later: 0, open: [] });
    });
  }

  test('amid the last window: there is one stop', async (t) => {
    const cloudwatch = await startCloudwatch();
    t.after(() => cloudwatch.close());
    const program = startScript(
      `const agent = await startAgent({ ${NAMES}, metrics: [] });
       const all = [];
       agent.on('window', () => all.push(agent.stop()));
       agent.put('A', 1);
       all.push(agent.stop());
       const [stopped] = await Promise.all(all);
       console.log(JSON.stringify([all.length, all[0] === all[1], stopped]));`,
      awsOf(cloudwatch),
    );
    assert.deepEqual(await answerOf(program), [2, true, ONCE]);
  });
});

test('flushes that wait for the same second are one: a burst ends as soon as two', async (t) => {
  const cloudwatch = await startCloudwatch();
  t.after(() => cloudwatch.close());
  const program = startScript(
    `const agent = await startAgent({ ${NAMES}, metrics: [] });
     const began = performance.now();
     await Promise.all(Array.from({ length: 20 }, () => {
       agent.put('A', 1, 'Count');
       return agent.flush();
     }));
     const took = performance.now() - began;
     const sent = agent.status().windowsSent;
     await agent.stop();
     console.log(JSON.stringify([took, sent]));`,
    awsOf(cloudwatch),
  );
  const answer = await answerOf(program);
  assert.ok(Array.isArray(answer));
  assert.ok(answer[0] < 4000, `${answer[0]} ms`);
  const data = cloudwatch.accepted.flatMap((request) => request.data);
  assert.equal(
    data.reduce((sum, { Value = 0 }) => sum + Value, 0),
    20,
  );
  assert.ok(answer[1] <= 2, `${answer[1]} windows`);
});

test('a flush behind one that hangs ends by its own deadline', async (t) => {
  const cloudwatch = await startCloudwatch();
  t.after(() => cloudwatch.close());
  cloudwatch.play(() => ({ kind: 'stall' }));
  const program = startScript(
    `const agent = await startAgent({ ${NAMES}, flushTimeout: 2, metrics: [], log() {} });
     const began = performance.now();
     agent.put('A', 1);
     const first = agent.flush();
     await new Promise((resolve) => setTimeout(resolve, 100));
     agent.put('A', 1);
     await agent.flush();
     const took = performance.now() - began;
     await first;
     console.log(JSON.stringify(took));
     process.exit();`,
    awsOf(cloudwatch),
  );
  const took = Number(await answerOf(program));
  assert.ok(took > 1500 && took < 3000, `${took} ms`);
});

test('a log that rejects harms nobody', async () => {
  const program = startScript(
    `const unheard = [];
     process.on('unhandledRejection', (error) => unheard.push(String(error)));
     const log = async () => { throw new Error('mine'); };
     const agent = await startAgent({ ${NAMES}, dryRun: true, log });
     agent.put('', 1);
     await agent.stop();
     await new Promise(setImmediate);
     console.log(JSON.stringify(unheard));`,
  );
  assert.deepEqual(await answerOf(program), []);
});

test('what is said names options, and no flags of the program', async () => {
  const program = startScript(
    `const lines = [];
     const agent = await startAgent({ ${NAMES}, flushTimeout: 1, caBundle: '/nowhere',
       log: ({ message, fields }) => lines.push(message, fields) });
     await agent.stop();
     console.log(JSON.stringify(lines));`,
    awsOf({ url: 'https://127.0.0.1:9' }),
  );
  const lines = JSON.stringify(await answerOf(program));
  assert.match(lines, /caBundle: \/nowhere is not there/);
  assert.doesNotMatch(lines, /--[a-z]/);
});
