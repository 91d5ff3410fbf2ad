import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Config, parseCommand } from '../../src/config/config.ts';
import { fieldsOf, periodWarning, startLine } from '../../src/diagnostics/start.ts';

function configOf(...argv: string[]): Config {
  const config = parseCommand(['--namespace', 'N', '--service', 's', ...argv], {});
  return typeof config === 'string' ? assert.fail(config) : config;
}

describe('the line of the start', () => {
  const container =
    'scope=container source=cgroup cpu.limit=0.5 (quota of /sys/fs/cgroup) mem.mode=workingset';

  test('says what is measured in words, and the rest in fields', () => {
    const [message, fields] = startLine(configOf('--period', '60'), container, {
      AWS_REGION: 'eu-west-1',
    });
    assert.equal(message, 'started: measures this container, publishes every 60 s');
    assert.deepEqual(fields, {
      namespace: 'N',
      service: 's',
      destination: 'CloudWatch in eu-west-1',
      metrics: 'CPUUtilization,MemoryUtilization,MaxMemoryUtilization',
      scope: 'container',
      source: 'cgroup',
      'cpu.limit': '0.5 (quota of /sys/fs/cgroup)',
      'mem.mode': 'workingset',
    });
  });

  const rows: [what: string, argv: string[], environment: Record<string, string>, to: string][] = [
    ['the flag’s endpoint', ['--endpoint-url', 'http://h:1'], {}, 'CloudWatch at http://h:1/'],
    ['no region yet', [], {}, 'CloudWatch, its region yet to be found'],
    ['a dry run', ['--dry-run'], { AWS_REGION: 'eu-west-1' }, 'standard output'],
    [
      'a variable with a password',
      [],
      { AWS_ENDPOINT_URL: 'http://me:secret-of-URL@h:1/?a=b' },
      'CloudWatch at …@h:1/?…',
    ],
    [
      'a variable whose password has a slash',
      [],
      { AWS_ENDPOINT_URL: 'http://me:secret/of-URL@h:1/#secret-of-URL' },
      'CloudWatch at …@h:1/#…',
    ],
    [
      'a variable that has no scheme',
      [],
      { AWS_ENDPOINT_URL: 'me:secret-of-URL@h:1' },
      'CloudWatch at …@h:1',
    ],
  ];
  for (const [what, argv, environment, destination] of rows) {
    test(`names the destination by ${what}`, () => {
      const [, fields] = startLine(configOf(...argv), 'scope=host', environment);
      assert.equal(fields['destination'], destination);
    });
  }
});

test('a description without pairs has no fields', () => {
  assert.deepEqual(fieldsOf('nothing of the kind'), {});
});

test('a period that CloudWatch has no statistics for is said', () => {
  for (const seconds of [1, 5, 10, 30, 60, 120, 3600]) {
    assert.equal(periodWarning(seconds * 1000), undefined, String(seconds));
  }
  for (const seconds of [2, 45, 59, 90]) {
    assert.match(periodWarning(seconds * 1000) ?? '', /1, 5, 10, 30 and multiples of 60/);
  }
});
