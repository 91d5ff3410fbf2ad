import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ConfigError } from '../../src/errors.ts';
import type { AgentOptions } from '../../src/library/api.ts';
import { OPTIONS, settingsOf } from '../../src/library/options.ts';

/** One of each, so that the type and the table cannot part. */
const ALL: Required<AgentOptions> = {
  namespace: 'App',
  service: 'api',
  dimensions: { Stage: 'prod', Host: '@hostname', Odd: '=a,b' },
  period: 10,
  interval: 0.5,
  metrics: ['CPUUtilization', 'NodeHeapUsed'],
  statistics: 'distribution',
  region: 'eu-west-1',
  output: ['cloudwatch', 'emf'],
  endpointUrl: new URL('http://127.0.0.1:1'),
  sign: 'never',
  headers: { 'api-key': 'k=1' },
  profile: 'ops',
  caBundle: '/ca.pem',
  root: '/host',
  scope: 'host',
  memoryMode: 'usage',
  cpuBase: 'host',
  flushTimeout: 3,
  jitter: 1.5,
  buffer: '1MiB',
  spool: '/spool',
  spoolLimit: 2 ** 20,
  cpuLimit: 0.5,
  memoryLimit: '512MiB',
  compatFraction: true,
  entity: true,
  dryRun: false,
  statusFile: '/status',
  logLevel: 'debug',
  logFormat: 'json',
  log: () => undefined,
  signal: new AbortController().signal,
};
const NAMES = { namespace: 'App', service: 'api' };

function refusal(options: unknown): ConfigError {
  try {
    settingsOf(options, {});
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    assert.ok(error.message.startsWith(`${error.setting}: `), error.message);
    assert.equal(error.name, 'ConfigError');
    return error;
  }
  throw new Error('nothing was refused');
}

test('each option has a type, and each type is an option', () => {
  const own = ['log', 'signal'];
  const typed = Object.keys(ALL).filter((name) => !own.includes(name));
  assert.deepEqual(typed.sort(), [...OPTIONS.keys()].sort());
});

test('each option sets what its flag sets, in the same units', () => {
  const { config, runtime, signal, log } = settingsOf(ALL, {});
  assert.equal(config.namespace, 'App');
  assert.deepEqual(config.dimensions, [
    { Name: 'ServiceName', Value: 'api' },
    { Name: 'Stage', Value: 'prod' },
    { Name: 'Host', Value: '@hostname' },
    { Name: 'Odd', Value: '=a,b' },
  ]);
  assert.deepEqual([config.periodMs, config.intervalMs, config.jitterMs], [10_000, 500, 1500]);
  assert.deepEqual(
    config.metrics.map(({ name }) => name),
    ['CPUUtilization'],
  );
  assert.deepEqual(runtime, ['NodeHeapUsed']);
  assert.equal(config.endpoint?.href, 'http://127.0.0.1:1/');
  assert.deepEqual(config.outputs, [{ kind: 'cloudwatch' }, { kind: 'emf' }]);
  assert.deepEqual(config.headers, [['api-key', 'k=1']]);
  assert.deepEqual([config.bufferBytes, config.spoolLimitBytes], [2 ** 20, 2 ** 20]);
  assert.deepEqual([config.saidCores, config.saidBytes], [0.5, 2 ** 29]);
  assert.deepEqual([config.flushTimeoutMs, config.compatFraction], [3000, true]);
  assert.deepEqual([config.logLevel, config.logFormat, config.dryRun], ['debug', 'json', false]);
  assert.equal(config.statusFile, '/status');
  assert.ok(signal instanceof AbortSignal);
  assert.equal(typeof log, 'function');
});

test('what is undefined is not given', () => {
  const { config } = settingsOf({ ...NAMES, period: undefined, region: undefined }, {});
  assert.equal(config.periodMs, 60_000);
});

test('no variable of the program is read, not even a wrong one', () => {
  const environment = {
    METRICS_AGENT_PERIOD: 'nonsense',
    METRICS_AGENT_NAMESPACE: 'Other',
    METRICS_AGENT_DRY_RUN: 'true',
  };
  const { config } = settingsOf(NAMES, environment);
  assert.deepEqual([config.namespace, config.periodMs, config.dryRun], ['App', 60_000, false]);
  assert.throws(() => settingsOf({}, environment), { setting: 'namespace and service' });
});

test('an empty list of metrics publishes the caller’s alone', () => {
  for (const metrics of [[], ['NodeHeapUsed'], 'NodeHeapUsed']) {
    assert.deepEqual(settingsOf({ ...NAMES, metrics }, {}).config.metrics, []);
  }
});

describe('is refused, by its own name', () => {
  const CASES: readonly [what: string, options: unknown, setting: string, problem: RegExp][] = [
    ['no object', 'App', 'options', /got a string, expected an object$/],
    ['nothing', undefined, 'options', /got undefined/],
    ['no name', {}, 'namespace and service', /are required.*dryRun needs neither$/],
    ['no service', { namespace: 'App' }, 'service', /is required, expected service of 1 to 1024/],
    ['a misspelt option', { ...NAMES, perod: 1 }, 'perod', /did you mean period\?$/],
    ['a flag', { ...NAMES, 'endpoint-url': '' }, 'endpoint-url', /did you mean endpointUrl\?$/],
    ['something else', { ...NAMES, frobnicate: 1 }, 'frobnicate', /known are namespace, /],
    ['a flag of programs', { ...NAMES, once: true }, 'once', /program alone/],
    ['itself taken out', { ...NAMES, excludeSelf: true }, 'excludeSelf', /program alone/],
    ['a period', { ...NAMES, period: 0 }, 'period', /got "0", expected a whole number of seconds/],
    ['NaN', { ...NAMES, period: Number.NaN }, 'period', /got "NaN", expected a whole number/],
    ['an object', { ...NAMES, period: {} }, 'period', /got an object, expected a whole number/],
    ['null', { ...NAMES, region: null }, 'region', /got null, expected a region/],
    ['an interval', { ...NAMES, interval: 90 }, 'interval', /got 90, expected at most the period/],
    ['a metric', { ...NAMES, metrics: ['CPU'] }, 'metrics', /NodeEventLoopDelay, NodeHeapUsed$/],
    ['no name of one', { ...NAMES, metrics: [1] }, 'metrics', /got a number, expected a list/],
    ['a switch', { ...NAMES, dryRun: 'yes' }, 'dryRun', /got "yes", expected true, false/],
    [
      'an output',
      { ...NAMES, output: ['emf', {}] },
      'output',
      /got an object, expected cloudwatch/,
    ],
    ['an output twice', { ...NAMES, output: ['emf', 'emf'] }, 'output', /got emf twice/],
    ['dimensions', { ...NAMES, dimensions: ['a'] }, 'dimensions', /got a list, expected an object/],
    ['an = in a name', { ...NAMES, dimensions: { 'a=b': 'c' } }, 'dimensions', /no "=" in it$/],
    ['a number', { ...NAMES, dimensions: { a: 1 } }, 'dimensions', /got a number for a/],
    ['a token', { ...NAMES, dimensions: { a: '@no' } }, 'dimensions', /NAME=@TOKEN/],
    ['a dimension twice', { ...NAMES, dimensions: { ServiceName: 'a' } }, 'dimensions', /twice/],
    ['a header', { ...NAMES, headers: { host: 'SECRET' } }, 'headers', /got "host=…", expected/],
    [
      'a Map',
      { ...NAMES, dimensions: new Map([['a', 'b']]) },
      'dimensions',
      /iterable.* object of/,
    ],
    ['Headers', { ...NAMES, headers: new Headers({ a: 'b' }) }, 'headers', /an iterable object/],
    ['no output', { ...NAMES, output: [] }, 'output', /got an empty list, expected cloudwatch/],
    ['a password', { ...NAMES, endpointUrl: 'http://u:p@h' }, 'endpointUrl', /got "…@h"/],
    ['a signal', { ...NAMES, signal: {} }, 'signal', /got an object, expected an AbortSignal/],
    ['a log', { ...NAMES, log: console }, 'log', /got an object, expected a function/],
  ];
  for (const [what, options, setting, problem] of CASES) {
    test(what, () => {
      const error = refusal(options);
      assert.equal(error.setting, setting);
      assert.match(error.message, problem);
    });
  }
});
