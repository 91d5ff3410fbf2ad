import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { stayUntil, usualStopMs } from '../../src/run/deadline.ts';
import { inheritedDescriptors } from '../../src/run/descriptors.ts';
import { intrusions, jobEnvironment } from '../../src/run/environment.ts';
import { isToldByParent, isToldByTerminal, stateOf } from '../../src/run/signals.ts';
import { isAboutUs, splitCommand } from '../../src/run/split.ts';

describe('the command line', () => {
  const splits: [argv: string[], flags: string[] | undefined, command?: string[]][] = [
    [['--namespace', 'N'], undefined],
    [['-n', 'N', '--', 'ls'], ['-n', 'N'], ['ls']],
    [['--', 'ls', '--', 'x'], [], ['ls', '--', 'x']],
    [['--'], [], []],
    [['--x=--', '--', 'a'], ['--x=--'], ['a']],
    [['---', '--', 'a'], ['---'], ['a']],
  ];
  for (const [argv, flags, command] of splits) {
    test(`${JSON.stringify(argv)} is split at the first --`, () => {
      const split = splitCommand(argv);
      assert.deepEqual(split, flags && { flags, command });
    });
  }

  for (const flag of [
    '--help',
    '-h',
    '--version',
    '--check',
    '--check-publish',
    '--explain',
    '--healthy=f',
  ]) {
    test(`${flag} keeps the job from running`, () => assert.ok(isAboutUs(['-n', 'N', flag])));
  }

  test('other flags do not', () => {
    assert.ok(!isAboutUs(['--namespace', 'help', '--check=false', '--dry-run']));
  });
});

describe('the job’s environment', () => {
  test('holds none of our settings', () => {
    const environment = {
      PATH: '/bin',
      METRICS_AGENT_PERIOD: '1',
      NODE_OPTIONS: '-r x',
      GONE: undefined,
    };
    assert.deepEqual(jobEnvironment(environment), { PATH: '/bin', NODE_OPTIONS: '-r x' });
  });

  test('has NODE_OPTIONS of its own where they are given', () => {
    const environment = { METRICS_AGENT_JOB_NODE_OPTIONS: '--import apm', NODE_OPTIONS: '-r x' };
    assert.deepEqual(jobEnvironment(environment), { NODE_OPTIONS: '--import apm' });
  });

  test('what has loaded into the agent is named without its values', () => {
    const NODE_OPTIONS = '--inspect=0.0.0.0:9229 --require ./secret.js --max-old-space-size=9 -r a';
    assert.deepEqual(intrusions({ NODE_OPTIONS }), ['--inspect', '--require', '-r']);
    assert.deepEqual(intrusions({}), []);
  });
});

describe('who tells the job of a signal', () => {
  const foreground = '42 (node) S 1 42 40 34816 42 4194304 1 0';
  const background = '42 (no) de) S 1 42 40 34816 99 4194304 1 0';
  const without = '42 (node) S 1 42 42 0 -1 4194304 1 0';

  for (const signal of ['SIGINT', 'SIGQUIT', 'SIGTSTP', 'SIGWINCH']) {
    test(`${signal} comes from the terminal where our group has it`, () => {
      assert.equal(isToldByTerminal(signal, foreground), true);
      assert.equal(isToldByTerminal(signal, background), false);
      assert.equal(isToldByTerminal(signal, without), false);
      assert.equal(isToldByTerminal(signal, ''), false);
    });
  }

  test('SIGTERM never does', () => assert.equal(isToldByTerminal('SIGTERM', foreground), false));

  test('a process’s state is read behind its name', () => {
    assert.equal(stateOf('7 (a) T b) R 1'), 'R');
    assert.equal(stateOf('7 (sleep) T 1'), 'T');
  });

  const parents: [cmdline: string, environment: Record<string, string>, isTold: boolean][] = [
    ['tini -- node agent.js', {}, false],
    ['/usr/bin/tini -g -- node', {}, true],
    ['tini -s -vg node', {}, true],
    ['tini -p SIGTERM -g -- node', {}, true],
    ['tini -- node -g', {}, false],
    ['tini -- node', { TINI_KILL_PROCESS_GROUP: '1' }, true],
    ['/sbin/docker-init -- node', {}, false],
    ['dumb-init node', {}, true],
    ['/usr/bin/dumb-init -r 15:3 -- node', {}, true],
    ['dumb-init --single-child -- node', {}, false],
    ['dumb-init -- sh -c x', {}, true],
    ['dumb-init node', { DUMB_INIT_SETSID: '0' }, false],
    ['bash', {}, false],
    ['', {}, false],
  ];
  for (const [cmdline, environment, isTold] of parents) {
    test(`${cmdline || 'nobody'} ${isTold ? 'tells' : 'does not tell'} the whole group`, () => {
      assert.equal(isToldByParent(cmdline.replaceAll(' ', '\0'), environment), isTold);
    });
  }
});

test('descriptors that we came with are told from Node’s own', () => {
  const links = new Map([
    [0, '/dev/null'],
    [3, 'anon_inode:[eventpoll]'],
    [4, 'pipe:[10]'],
    [5, '/etc/hostname'],
    [6, 'socket:[3]'],
    [7, 'pipe:[11]'],
    [15, 'pipe:[12]'],
    [16, 'pipe:[12]'],
    [17, 'pipe:[10]'],
    [63, 'pipe:[13]'],
  ]);
  assert.deepEqual(inheritedDescriptors(links), [5, 6, 7]);
});

describe('how long the agent stays', () => {
  const times = { stopTimeoutMs: 10_000, flushTimeoutMs: 8000 };
  const cases: [title: string, endedMs: number, askedMs: number | undefined, untilMs: number][] = [
    ['8 s where nobody asked', 100_000, undefined, 108_000],
    ['2 s after a job that stops at once', 100_000, 100_000, 102_000],
    ['2 s after a job that stops in 4 s', 104_000, 100_000, 106_000],
    ['1 s where 1.5 s are left', 108_500, 100_000, 109_500],
    ['nothing but the reserve is not overdrawn', 109_400, 100_000, 109_500],
    ['2 s after a job that outlived the time', 130_000, 100_000, 132_000],
  ];
  for (const [title, endedMs, askedMs, untilMs] of cases) {
    test(title, () => assert.equal(stayUntil(endedMs, askedMs, times), untilMs));
  }

  test('10 s from SIGTERM are usual, 30 s on ECS and Batch', () => {
    assert.equal(usualStopMs({}), 10_000);
    assert.equal(usualStopMs({ AWS_BATCH_JOB_ID: '' }), 10_000);
    assert.equal(usualStopMs({ AWS_BATCH_JOB_ID: 'a' }), 30_000);
    assert.equal(usualStopMs({ ECS_CONTAINER_METADATA_URI_V4: 'http://x' }), 30_000);
  });
});
