import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { explainSource } from '../../src/diagnostics/explain.ts';
import { CATALOG } from '../../src/metrics/catalog.ts';
import { MEBIBYTE, makePod, type Pod } from '../support/pod.ts';
import { selectOptions } from '../support/sources.ts';

let pod: Pod;

beforeEach(() => {
  pod = makePod();
});

afterEach(() => pod.remove());

/** What `--explain` prints; time passes as fast as it is waited for. */
async function explain(
  over: Parameters<typeof selectOptions>[1] = {},
  format: 'text' | 'json' = 'text',
): Promise<string> {
  const options = selectOptions(pod, over);
  let text: string | undefined;
  const done = explainSource(options, CATALOG, format).then((all) => {
    text = all;
  });
  while (text === undefined) {
    await Promise.race([done, new Promise((resolve) => setImmediate(resolve))]);
    options.clock.advance(100);
  }
  return text;
}

describe('--explain with all metrics', () => {
  const scopes: readonly [what: string, lay: () => void][] = [
    ['a machine', () => undefined],
    ['a container', () => pod.own({ cores: 1, limitBytes: 100 * MEBIBYTE })],
    [
      'a pod',
      () => {
        pod.own({});
        for (const [pid, name] of [
          ['self', 'agent'],
          [7, 'agent'],
          [20, 'app'],
        ] as const) {
          pod.container(name, { cores: 1, limitBytes: 100 * MEBIBYTE });
          pod.process(pid, name === 'app' ? '/../app' : '/', { in: name });
        }
      },
    ],
  ];
  for (const [what, lay] of scopes) {
    for (const memoryMode of ['workingset', 'usage', 'free-cache'] as const) {
      test(`of ${what} in the mode ${memoryMode} shows files and reasons, no fault of ours`, async () => {
        lay();
        const text = await explain({ memoryMode, excludeSelf: true });
        assert.doesNotMatch(text, /undefined|TypeError|\[object|NaN/);
        assert.match(text, /^\* (?:host|container|siblings) +chosen: scope=/m);
        assert.match(text, /^ {2}MemoryUtilization: [\d.]+$/m);
        // What is read whole is shown, and what is not there says so.
        assert.match(text, /^ {6}\/proc\/self\/cgroup = 0::\/$/m);
        assert.match(text, /cannot be measured: \S/);
      });
    }
  }

  test('prints the signs, and that a limit above cannot be seen', async () => {
    pod.own({ cores: 1 });
    const text = await explain();
    assert.match(text, /^Signs of a container .*\+8 cgroup and PID namespaces of its own/m);
    assert.match(text, /^Note: a limit above this cannot be seen from here/m);
  });

  test('of a machine has no such note', async () => {
    assert.doesNotMatch(await explain(), /a limit above this cannot be seen/);
  });

  test('shows groups with names outside ASCII as people read them', async () => {
    const path = Buffer.from('/docker/größe', 'utf8').toString('latin1');
    pod.write({ 'proc/self/cgroup': `0::${path}\n` });
    pod.group('sys/fs/cgroup/docker/größe', { cores: 1 });
    const text = await explain();
    assert.match(text, /chosen: scope=container .*mem\.dir=\/sys\/fs\/cgroup\/docker\/größe/);
    assert.match(text, /\/proc\/self\/cgroup = 0::\/docker\/größe$/m);
    assert.match(text, /^ {6}\/sys\/fs\/cgroup\/docker\/größe\/cpu\.max = 100000 100000$/m);
  });

  test('shows nothing of a name that a terminal would obey', async () => {
    pod.write({ 'proc/self/cgroup': '0::/docker/a\x1b[2Jb\n' });
    pod.group('sys/fs/cgroup/docker/a\x1b[2Jb', { cores: 1 });
    const text = await explain();
    assert.match(text, /mem\.dir=\S*\/docker\/a\?\[2Jb/);
    assert.ok(!text.includes('\x1b'));
  });

  test('as JSON is one object with the same', async () => {
    pod.own({ cores: 1, limitBytes: 100 * MEBIBYTE });
    const { type, candidates, figures, absent } = JSON.parse(await explain({}, 'json'));
    assert.equal(type, 'explanation');
    assert.deepEqual(
      candidates.map(({ name, isChosen }: { name: string; isChosen: boolean }) => [name, isChosen]),
      [
        ['macos', false],
        ['task', false],
        ['siblings', false],
        ['container', true],
        ['host', false],
      ],
    );
    assert.equal(figures.MemoryUtilization, 1);
    assert.match(absent.swap, /ENOENT/);
  });
});
