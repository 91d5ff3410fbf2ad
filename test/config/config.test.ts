import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { gzipFrom } from '../../src/cloudwatch/compression.ts';
import { type Command, type Config, parseCommand } from '../../src/config/config.ts';
import { twinOf, unknownVariables } from '../../src/config/flags.ts';
import type { Output } from '../../src/config/outputs.ts';
import { FLAGS } from '../../src/config/table.ts';
import type { Environment } from '../../src/environment.ts';
import { ConfigError } from '../../src/errors.ts';
import { TOKENS } from '../../src/metadata/dimensions.ts';
import { CATALOG } from '../../src/metrics/catalog.ts';

const REQUIRED: Readonly<Record<string, string>> = {
  namespace: 'Space',
  service: 'Service',
};

/** The required flags, but for those that are the matter. */
function requiredWithout(...left: string[]): string[] {
  const rest = Object.entries(REQUIRED).filter(([name]) => !left.includes(name));
  return rest.map(([name, value]) => `--${name}=${value}`);
}

function configOf(argv: readonly string[], environment: Environment = {}): Config {
  const command = parseCommand(argv, environment);
  assert.ok(command !== 'help' && command !== 'version');
  return command;
}

/** What comes of arguments beside the required ones. */
function withArguments(...argv: string[]): Config {
  return configOf([...requiredWithout(), ...argv]);
}

function withEnvironment(environment: Environment): Config {
  return configOf(requiredWithout(), environment);
}

/** The message of the ConfigError that names `setting`. */
function refusal(setting: string, argv: readonly string[], environment: Environment = {}): string {
  let message = '';
  assert.throws(
    () => parseCommand(argv, environment),
    (error) => {
      assert.ok(error instanceof ConfigError, String(error));
      assert.equal(error.setting, setting);
      assert.ok(error.message.startsWith(`${setting}: `), error.message);
      message = error.message;
      return true;
    },
  );
  return message;
}

/** One row of the command line's table, with its good and bad values. */
interface Row {
  readonly flag: string;
  readonly read: (config: Config) => unknown;
  /** What is read where nothing is given; left out where the flag is required. */
  readonly fallback?: unknown;
  readonly good: readonly (readonly [text: string, value: unknown])[];
  readonly bad: readonly string[];
  /** What a bad value's message says was expected. */
  readonly expected: RegExp;
}

const MIB = 1024 * 1024;
const A255 = 'a'.repeat(255);
const THREE = ['CPUUtilization', 'MemoryUtilization', 'MaxMemoryUtilization'];

const ROWS: readonly Row[] = [
  {
    flag: 'namespace',
    read: ({ namespace }) => namespace,
    good: [
      ['TestNamespace', 'TestNamespace'],
      ['Team/App', 'Team/App'],
      ['a', 'a'],
      ['with blank', 'with blank'],
      ['AWSOME', 'AWSOME'],
      ['AWS', 'AWS'],
      ['a:b', 'a:b'],
      ['0-9A-Za-z.-_/#:', '0-9A-Za-z.-_/#:'],
      [A255, A255],
    ],
    bad: [
      `${A255}a`,
      ':a',
      'AWS/',
      'AWS/EC2',
      'Bj\u00f6rn',
      'a\tb',
      'a\nb',
      'a\u007fb',
      '\u{1f600}',
    ],
    expected: /expected 1 to 255 printable ASCII characters, not beginning with ":" or "AWS\/"$/,
  },
  {
    flag: 'service',
    read: ({ dimensions }) => dimensions,
    good: [
      ['FooService', [{ Name: 'ServiceName', Value: 'FooService' }]],
      ['a=b', [{ Name: 'ServiceName', Value: 'a=b' }]],
      [':a', [{ Name: 'ServiceName', Value: ':a' }]],
      ['a'.repeat(1024), [{ Name: 'ServiceName', Value: 'a'.repeat(1024) }]],
    ],
    bad: ['a'.repeat(1025), 'caf\u00e9', 'a\rb'],
    expected: /expected 1 to 1024 printable ASCII characters$/,
  },
  {
    flag: 'period',
    read: ({ periodMs }) => periodMs,
    fallback: 60_000,
    good: [
      ['1', 1000],
      ['59', 59_000],
      ['60', 60_000],
      ['3600', 3_600_000],
      ['060', 60_000],
    ],
    bad: ['0', '3601', '-1', '1.5', '60s', '1e1', 'minute', 'Infinity', 'NaN', '0x10', '+5', '٦٠'],
    expected: /expected a whole number of seconds from 1 to 3600$/,
  },
  {
    flag: 'interval',
    read: ({ intervalMs }) => intervalMs,
    fallback: 900,
    good: [
      ['0.1', 100],
      ['.5', 500],
      ['0.3', 300],
      ['0.70', 700],
      ['1', 1000],
      ['1.0', 1000],
      ['10', 10_000],
      ['60', 60_000],
      ['59.9', 59_900],
    ],
    bad: ['0', '0.0', '0.05', '0.15', '0.90000001', '-1', '1s', '1e0', '.', '', '1,5', '3600.1'],
    expected: /expected a multiple of 0\.1 seconds, at least 0\.1, at most the period$/,
  },
  {
    flag: 'metrics',
    read: ({ metrics }) => metrics.map(({ name }) => name),
    fallback: THREE,
    good: [
      ['CPUUtilization', ['CPUUtilization']],
      ['SampleCount,MaxCPUUtilization', ['MaxCPUUtilization', 'SampleCount']],
      [' CPUUtilization , MemoryUtilization ', ['CPUUtilization', 'MemoryUtilization']],
      ['SampleCount,SampleCount', ['SampleCount']],
      ['default', THREE],
      ['default,-MaxMemoryUtilization', ['CPUUtilization', 'MemoryUtilization']],
      ['default,SampleCount', [...THREE, 'SampleCount']],
      ['all', CATALOG.map(({ name }) => name)],
      ['all,-default', CATALOG.map(({ name }) => name).filter((name) => !THREE.includes(name))],
    ],
    bad: [
      'CPU',
      'cpuutilization',
      'CPUUtilization,',
      'CPUUtilization,Nope',
      ',',
      'constructor',
      'default,-Nope',
      'default,-default',
      'none',
    ],
    expected: /expected names between commas, default, all, or -Name .* CPUUtilization, Memory/,
  },
  {
    flag: 'statistics',
    read: ({ statistics }) => statistics,
    fallback: 'median',
    good: [
      ['median', 'median'],
      ['distribution', 'distribution'],
    ],
    bad: ['mean', 'Median', 'median,distribution'],
    expected: /expected median or distribution$/,
  },
  {
    flag: 'region',
    read: ({ region }) => region,
    fallback: undefined,
    good: [
      ['eu-west-1', 'eu-west-1'],
      ['us-gov-west-1', 'us-gov-west-1'],
      ['EU-West-1', 'eu-west-1'],
      ['mars-north-1', 'mars-north-1'],
    ],
    bad: [
      'eu west 1',
      'eu/west',
      'a.b',
      '-1eu',
      'eu-',
      '12345',
      'eu_west_1',
      'x'.repeat(64),
      'eu#',
    ],
    expected: /expected a region such as eu-west-1$/,
  },
  {
    flag: 'endpoint-url',
    read: ({ endpoint }) => endpoint?.href,
    fallback: undefined,
    good: [
      ['http://127.0.0.1:8080', 'http://127.0.0.1:8080/'],
      ['https://cloudwatch.internal/base/', 'https://cloudwatch.internal/base/'],
      ['https://[::1]:444', 'https://[::1]:444/'],
    ],
    bad: [
      'localhost',
      'localhost:4566',
      'ftp://host',
      'http://user@host',
      'http://user:secret@host',
      'http://host/?a=b',
      'http://host/#a',
      'http://',
      '//host',
    ],
    expected: /expected http:\/\/HOST or https:\/\/HOST, without user, query or fragment$/,
  },
  {
    flag: 'sign',
    read: ({ sign }) => sign,
    fallback: 'auto',
    good: [
      ['always', 'always'],
      ['never', 'never'],
      ['auto', 'auto'],
    ],
    bad: ['Auto', 'yes', 'v4'],
    expected: /expected auto, always or never$/,
  },
  {
    flag: 'profile',
    read: ({ profile }) => profile,
    fallback: undefined,
    good: [['dev', 'dev']],
    bad: [''],
    expected: /expected the name of a profile$/,
  },
  {
    flag: 'ca-bundle',
    read: ({ caBundle }) => caBundle,
    fallback: undefined,
    good: [['/etc/ca.pem', '/etc/ca.pem']],
    bad: [''],
    expected: /expected a file$/,
  },
  {
    flag: 'root',
    read: ({ root }) => root,
    fallback: '/',
    good: [
      ['/host', '/host'],
      ['./fixture', './fixture'],
    ],
    bad: [],
    expected: /expected a folder$/,
  },
  {
    flag: 'scope',
    read: ({ scope }) => scope,
    fallback: 'auto',
    good: [
      ['auto', 'auto'],
      ['host', 'host'],
      ['container', 'container'],
      ['task', 'task'],
      ['cgroup:/', { cgroup: '/' }],
      ['cgroup:/system.slice/a:b.service', { cgroup: '/system.slice/a:b.service' }],
    ],
    bad: ['Auto', 'pod', 'cgroup', 'cgroup:', 'cgroup:relative', 'cgroup:/a/../b', 'host,task'],
    expected: /expected auto, host, container, task or cgroup:\/PATH$/,
  },
  {
    flag: 'memory-mode',
    read: ({ memoryMode }) => memoryMode,
    fallback: 'workingset',
    good: [
      ['workingset', 'workingset'],
      ['usage', 'usage'],
      ['free-cache', 'free-cache'],
    ],
    bad: ['working-set', 'rss', 'Usage'],
    expected: /expected workingset, usage, free-cache$/,
  },
  {
    flag: 'cpu-base',
    read: ({ cpuBase }) => cpuBase,
    fallback: 'limit',
    good: [
      ['limit', 'limit'],
      ['host', 'host'],
    ],
    bad: ['reserved', 'Host', 'limit,host'],
    expected: /expected limit or host$/,
  },
  {
    flag: 'flush-timeout',
    read: ({ flushTimeoutMs }) => flushTimeoutMs,
    fallback: 8000,
    good: [
      ['1', 1000],
      ['2.5', 2500],
      ['600', 600_000],
    ],
    bad: ['0', '0.5', '601', '-1', '8s', '1e2', '.5', '1.', 'never'],
    expected: /expected a number of seconds from 1 to 600$/,
  },
  {
    flag: 'stop-timeout',
    read: ({ stopTimeoutMs }) => stopTimeoutMs,
    fallback: undefined,
    good: [
      ['1', 1000],
      ['2.5', 2500],
      ['600', 600_000],
    ],
    bad: ['0', '0.5', '601', '-1', '8s', 'never'],
    expected: /expected a number of seconds from 1 to 600$/,
  },
  {
    flag: 'grace',
    read: ({ graceMs }) => graceMs,
    fallback: undefined,
    good: [
      ['1', 1000],
      ['2.5', 2500],
      ['600', 600_000],
    ],
    bad: ['0', '0.5', '601', '-1', '8s', 'never'],
    expected: /expected a number of seconds from 1 to 600$/,
  },
  {
    flag: 'receipt',
    read: ({ receipt }) => receipt,
    fallback: undefined,
    good: [
      ['json', 'json'],
      ['text', 'text'],
      ['none', 'none'],
      ['out/receipt', { file: 'out/receipt' }],
      ['receipt.json', { file: 'receipt.json' }],
    ],
    bad: ['yaml', 'JSON', 'file'],
    expected: /expected json, text, none or a file/,
  },
  {
    flag: 'report',
    read: ({ report }) => report,
    fallback: undefined,
    good: [
      ['run.html', 'run.html'],
      ['/out/run.json', '/out/run.json'],
      ['s3://bucket/a/b.html', 's3://bucket/a/b.html'],
    ],
    bad: ['run', 'run.txt', 's3://bucket', 's3://bucket/key', 's3:///a.html', 's3://B/a.html'],
    expected: /expected a name that ends in \.html or \.json/,
  },
  {
    flag: 'jitter',
    read: ({ jitterMs }) => jitterMs,
    fallback: 15_000,
    good: [
      ['0', 0],
      ['2.5', 2500],
      ['60', 60_000],
    ],
    bad: ['-1', '3601', '5s', '.5', '1e1', 'none'],
    expected: /expected a number of seconds from 0 to the period$/,
  },
  {
    flag: 'buffer',
    read: ({ bufferBytes }) => bufferBytes,
    fallback: 4 * MIB,
    good: [
      ['65536', 65_536],
      ['64KiB', 65_536],
      ['64K', 65_536],
      ['8MB', 8 * MIB],
      ['1G', 1024 * MIB],
    ],
    bad: ['65535', '63KiB', '2GiB', '4 MiB', '4mib', '4.5MiB', '-1', 'MiB', '4TiB', '4iB'],
    expected: /expected a size from 64KiB to 1GiB, such as 4MiB$/,
  },
  {
    flag: 'spool',
    read: ({ spool }) => spool,
    fallback: undefined,
    good: [
      ['/var/spool/agent', '/var/spool/agent'],
      ['here', 'here'],
    ],
    bad: [],
    expected: /expected a folder$/,
  },
  {
    flag: 'spool-limit',
    read: ({ spoolLimitBytes }) => spoolLimitBytes,
    fallback: 64 * MIB,
    good: [
      ['1MiB', MIB],
      ['1048576', MIB],
      ['1GiB', 1024 * MIB],
    ],
    bad: ['1048575', '512KiB', '2GiB', 'much'],
    expected: /expected a size from 1MiB to 1GiB, such as 64MiB$/,
  },
  {
    flag: 'cpu-limit',
    read: ({ saidCores }) => saidCores,
    fallback: undefined,
    good: [
      ['0.5', 0.5],
      ['500m', 0.5],
      ['2', 2],
      ['1500m', 1.5],
    ],
    bad: ['0', '0m', '-1', 'm', '500M', '0.5 cores', '1e3'],
    expected: /expected cores above 0, such as 0\.5 or 500m$/,
  },
  {
    flag: 'memory-limit',
    read: ({ saidBytes }) => saidBytes,
    fallback: undefined,
    good: [
      ['512MiB', 512 * MIB],
      ['512Mi', 512 * MIB],
      ['536870912', 512 * MIB],
      ['9223372036854', 9_223_372_036_854],
    ],
    bad: ['0', '1023KiB', '-1', '512mib', 'max'],
    expected: /expected a size of at least 1MiB, such as 512MiB or 536870912$/,
  },
  {
    flag: 'log-level',
    read: ({ logLevel }) => logLevel,
    fallback: 'warn',
    good: [
      ['error', 'error'],
      ['warn', 'warn'],
      ['info', 'info'],
      ['debug', 'debug'],
    ],
    bad: ['trace', 'WARN', 'warning', '1'],
    expected: /expected error, warn, info, debug$/,
  },
  {
    flag: 'log-format',
    read: ({ logFormat }) => logFormat,
    fallback: 'text',
    good: [
      ['text', 'text'],
      ['json', 'json'],
    ],
    bad: ['JSON', 'xml', 'text,json'],
    expected: /expected text or json$/,
  },
  {
    flag: 'status-file',
    read: ({ statusFile }) => statusFile,
    fallback: undefined,
    good: [
      ['/run/agent/status.json', '/run/agent/status.json'],
      ['here', 'here'],
    ],
    bad: [],
    expected: /expected a file$/,
  },
  {
    flag: 'healthy',
    read: ({ healthy }) => healthy,
    fallback: undefined,
    good: [['/run/agent/status.json', '/run/agent/status.json']],
    bad: [],
    expected: /expected a file$/,
  },
  {
    flag: 'max-age',
    read: ({ maxAgeSeconds }) => maxAgeSeconds,
    fallback: undefined,
    good: [
      ['180', 180],
      ['1', 1],
      ['86400', 86_400],
    ],
    bad: ['0', '-1', '1.5', '86401', '3m'],
    expected: /expected a whole number of seconds from 1 to 86400$/,
  },
];

for (const { flag, read, good, bad, expected, ...row } of ROWS) {
  describe(`--${flag}`, () => {
    const rest = requiredWithout(flag);
    const twin = twinOf(flag);

    for (const [text, value] of good) {
      test(`takes "${shown(text)}" as two arguments, as one, and from ${twin}`, () => {
        assert.deepEqual(read(configOf([...rest, `--${flag}`, text])), value);
        assert.deepEqual(read(configOf([...rest, `--${flag}=${text}`])), value);
        assert.deepEqual(read(configOf(rest, { [twin]: text })), value);
      });
    }

    for (const text of bad) {
      test(`refuses "${shown(text)}", wherever it comes from`, () => {
        // A password in a URL is not repeated, and nothing that a terminal would obey.
        const said = `got "${text
          .replace(/\p{Cc}/gu, '?')
          .replace(/^.*@(?=h)/, '…@')
          .replace(/\?a=b$/, '?…')
          .replace(/\/#a$/, '/#…')}", `;
        const messages = [
          refusal(`--${flag}`, [...rest, `--${flag}`, text]),
          refusal(`--${flag}`, [...rest, `--${flag}=${text}`]),
          ...(text === '' ? [] : [refusal(twin, rest, { [twin]: text })]),
        ];
        for (const message of messages) {
          assert.ok(message.includes(said), message);
          assert.match(message, expected);
        }
      });
    }

    test('refuses an empty value, which is not the same as none', () => {
      assert.match(refusal(`--${flag}`, [...rest, `--${flag}=`]), /got "", expected /);
      assert.match(refusal(`--${flag}`, [...rest, `--${flag}`, '']), /got "", expected /);
    });

    test('refuses to go without its value', () => {
      const none = /expected a value, got none$/;
      assert.match(refusal(`--${flag}`, [...rest, `--${flag}`]), none);
      const next = /expected a value, got "--once"; if that is it: --[a-z-]+=--once$/;
      assert.match(refusal(`--${flag}`, [...rest, `--${flag}`, '--once']), next);
    });

    const [[text, value] = ['', undefined]] = good;

    test(`counts for more than ${twin}, which is not even judged then`, () => {
      const argv = [...rest, `--${flag}=${text}`];
      assert.deepEqual(read(configOf(argv, { [twin]: 'caf\u00e9' })), value);
    });

    test(`leaves a blank ${twin} unset`, () => {
      for (const blank of ['', '  ', '\t\n']) {
        if (flag in REQUIRED) refusal(`--${flag}`, rest, { [twin]: blank });
        else assert.deepEqual(read(configOf(rest, { [twin]: blank })), row.fallback);
      }
    });

    test(`takes ${twin} without the blanks around it`, () => {
      assert.deepEqual(read(configOf(rest, { [twin]: `  ${text}\n` })), value);
    });

    test('given more than once counts the last time', () => {
      const [first] = good.slice(1);
      const argv = [...rest, `--${flag}=${first?.[0] ?? text}`, `--${flag}=${text}`];
      assert.deepEqual(read(configOf(argv)), value);
    });

    test(flag in REQUIRED ? 'is required' : 'has its default', () => {
      if (flag in REQUIRED) assert.match(refusal(`--${flag}`, rest), /expected /);
      else assert.deepEqual(read(configOf(rest)), row.fallback);
    });
  });
}

test('every flag that takes a value has its row here, or a section of its own', () => {
  const here = ROWS.map(({ flag }) => flag);
  const apart = ['dimension', 'output', 'header'];
  const names = FLAGS.flags.map(({ name }) => name).filter((name) => !apart.includes(name));
  assert.deepEqual(here, names);
});

describe('--output', () => {
  const outputsOf = (...argv: string[]) => withArguments(...argv).outputs;
  const good: [text: string, output: Output][] = [
    ['cloudwatch', { kind: 'cloudwatch' }],
    ['otlp', { kind: 'otlp' }],
    ['otlp=http://127.0.0.1:4318', { kind: 'otlp', url: 'http://127.0.0.1:4318/' }],
    ['otlp=https://a.test/x', { kind: 'otlp', url: 'https://a.test/x/' }],
    ['emf', { kind: 'emf' }],
    ['emf=/var/log/a=b.log', { kind: 'emf', to: '/var/log/a=b.log' }],
    ['emf=tcp://127.0.0.1:25888', { kind: 'emf', to: 'tcp://127.0.0.1:25888' }],
    ['emf=udp://[::1]:25888', { kind: 'emf', to: 'udp://[::1]:25888' }],
  ];
  for (const [text, output] of good) {
    test(`takes ${text} in place of the default`, () => {
      assert.deepEqual(outputsOf(`--output=${text}`), [output]);
      assert.deepEqual(withEnvironment({ METRICS_AGENT_OUTPUT: text }).outputs, [output]);
    });
  }

  test('is cloudwatch where nothing is said', () => {
    assert.deepEqual(outputsOf(), [{ kind: 'cloudwatch' }]);
  });

  test('is repeatable, and in a variable stands between commas', () => {
    const several = [{ kind: 'otlp' }, { kind: 'cloudwatch' }, { kind: 'otlp', url: 'http://c/' }];
    const texts = ['otlp', 'cloudwatch', 'otlp=http://c'];
    assert.deepEqual(outputsOf(...texts.map((text) => `--output=${text}`)), several);
    assert.deepEqual(withEnvironment({ METRICS_AGENT_OUTPUT: texts.join(', ') }).outputs, several);
  });

  test('refuses the same one twice', () => {
    const argv = requiredWithout();
    for (const [one, other, name] of [
      ['otlp', 'otlp', 'otlp'],
      ['otlp=http://c', 'otlp=http://c/', 'otlp=http://c/'],
      ['emf=a', 'emf=a', 'emf=a'],
    ]) {
      const message = refusal('--output', [...argv, `--output=${one}`, `--output=${other}`]);
      assert.equal(message, `--output: got ${name} twice, expected once`);
    }
  });

  const bad = ['', 'Cloudwatch', 'cloudwatch=x', 'otlp=', 'otlp=host', 'otlp=grpc://h', 'emf='];
  for (const text of [...bad, 'emf=tcp://h', 'emf=http://h:1', 'stdout', 'otlp=http://u:pw@h']) {
    test(`refuses "${text}"`, () => {
      const message = refusal('--output', [...requiredWithout(), `--output=${text}`]);
      assert.match(message, /expected cloudwatch, otlp, otlp=http:\/\/HOST /);
      assert.doesNotMatch(message, /pw/);
    });
  }
});

describe('--output emf', () => {
  test('refuses a dimension that has no place in an event', () => {
    for (const name of ['_aws', 'CPUUtilization', 'n'.repeat(251)]) {
      const argv = [...requiredWithout(), '--output=emf', '--dimension', `${name}=x`];
      const message = refusal('--dimension', argv);
      assert.match(
        message,
        /^--dimension: got .*, expected with --output emf a name of at most 250/,
      );
    }
    assert.equal(withArguments('--dimension', 'CPUUtilization=x').dimensions.length, 2);
  });

  test('refuses standard output where that is a job’s', () => {
    const parse = (text: string): Command =>
      parseCommand([...requiredWithout(), `--output=${text}`], {}, true);
    assert.throws(
      () => parse('emf'),
      /^ConfigError: --output: got emf, but standard output is the job/,
    );
    assert.ok(parse('emf=a.log'));
  });

  test('is none that --entity could be told to', () => {
    const message = refusal('--entity', [...requiredWithout(), '--output=emf', '--entity']);
    assert.match(message, /^--entity: is for the output cloudwatch/);
    assert.equal(withArguments('--output=emf', '--output=cloudwatch', '--entity').entity, true);
  });
});

describe('--header', () => {
  test('takes names and values, in order', () => {
    const { headers } = withArguments('--header', 'X-Key=a=b c', '--header=authorization=Basic x');
    assert.deepEqual(headers, [
      ['x-key', 'a=b c'],
      ['authorization', 'Basic x'],
    ]);
    assert.deepEqual(withEnvironment({ METRICS_AGENT_HEADER: 'a=b,c=d' }).headers, [
      ['a', 'b'],
      ['c', 'd'],
    ]);
    assert.deepEqual(withArguments().headers, []);
  });

  const bad = [
    'name',
    'secret',
    'secretAsBase64=',
    '=secret',
    'a b=secret',
    'a=',
    'host=secret',
    'Content-Length=secret',
  ];
  for (const text of [...bad, 'x-amz-date=secret', 'a=secret\n', 'a=secr\u00e9t']) {
    test(`refuses ${JSON.stringify(text)} without repeating the value`, () => {
      const message = refusal('--header', [...requiredWithout(), `--header=${text}`]);
      assert.match(message, /expected NAME=VALUE/);
      assert.doesNotMatch(message, /secr/);
    });
  }
});

test('the rest of a header that was not quoted is not repeated', () => {
  for (const argv of [
    ['--header', 'authorization=Bearer', 'secret'],
    ['--header=authorization=Bearer', 'secret'],
  ]) {
    assert.throws(
      () => configOf([...requiredWithout(), ...argv]),
      ({ message }: Error) => /got "…", expected only flags/.test(message),
    );
  }
});

describe('short flags and aliases', () => {
  test('-n, -s and -p take the next argument or the rest of their own', () => {
    const config = configOf(['-n', 'Space', '-sService', '-p', '5', '--region=eu-west-1']);
    assert.equal(config.namespace, 'Space');
    assert.deepEqual(config.dimensions, [{ Name: 'ServiceName', Value: 'Service' }]);
    assert.equal(config.periodMs, 5000);
    assert.equal(withArguments('-p5').periodMs, 5000);
  });

  test('-d is --dry-run, alone and before others', () => {
    assert.equal(configOf(['-d']).dryRun, true);
    const config = configOf(['-dp5']);
    assert.deepEqual([config.dryRun, config.periodMs], [true, 5000]);
  });

  test('--service-name is --service, and --dryrun is --dry-run', () => {
    const config = configOf(['--dryrun', '--service-name', 'Foo']);
    assert.equal(config.dryRun, true);
    assert.deepEqual(config.dimensions, [{ Name: 'ServiceName', Value: 'Foo' }]);
    assert.equal(configOf(['--dryrun', '--service-name=Foo']).dimensions[0]?.Value, 'Foo');
  });

  test('-p -1 is a bad number, not an unknown flag', () => {
    for (const argv of [['-p', '-1'], ['-p-1']]) {
      assert.match(refusal('-p', [...requiredWithout(), ...argv]), /got "-1", expected a whole /);
    }
    assert.match(refusal('--period', [...requiredWithout(), '--period', '-1']), /got "-1", /);
  });

  test('a value that looks like a flag is taken where it cannot be one', () => {
    const services = [['--service=--odd'], ['-s--odd'], ['--service-name=--odd']];
    for (const argv of services) {
      const { dimensions } = configOf([...requiredWithout('service'), ...argv]);
      assert.equal(dimensions[0]?.Value, '--odd');
    }
  });

  test('-p=5 is a bad number', () => {
    assert.match(refusal('-p', [...requiredWithout(), '-p=5']), /got "=5", expected a whole /);
  });

  test('-p without a number says so, by the name it was given', () => {
    assert.match(refusal('-p', [...requiredWithout(), '-p']), /expected a value, got none$/);
    assert.match(
      refusal('-p', [...requiredWithout(), '-p', '-d']),
      /got "-d"; if that is it: -p-d$/,
    );
  });

  test('an alias is named in errors as it was written', () => {
    assert.match(refusal('--service-name', ['--service-name', 'caf\u00e9']), /got "caf\u00e9", /);
  });
});

describe('what is no flag', () => {
  const unknown = [
    '--nope',
    '--nope=1',
    '-x',
    '-5',
    '--Period',
    '--period_',
    '--no-dry-run',
    '--p',
    '--p=5',
    '--n=Space',
    '--d',
    '--h',
    '--constructor',
    '--__proto__',
    '--__proto__=1',
    '--tag',
    '--serviceName',
  ];
  for (const flag of unknown) {
    test(`${flag} is unknown`, () => {
      const [name = ''] = flag.split('=');
      const message = refusal(name, [...requiredWithout(), flag]);
      assert.match(message, /no such flag; see --help$/);
    });
  }

  const stray: [what: string, argv: string[], word: string][] = [
    ['a word', ['word'], 'word'],
    ['a word behind a switch', ['--dry-run', 'false'], 'false'],
    ['a second value', ['--period', '5', '6'], '6'],
    ['a word behind --', ['--', 'word'], 'word'],
    ['a flag behind --', ['--', '--once'], '--once'],
    ['a lone dash', ['-'], '-'],
    ['an empty argument', [''], ''],
  ];
  for (const [what, argv, word] of stray) {
    test(`${what} is refused`, () => {
      const message = refusal('arguments', [...requiredWithout(), ...argv]);
      assert.ok(message.includes(`got "${word}", expected only flags`), message);
    });
  }

  test('a lone -- at the end ends the flags, which have ended', () => {
    assert.equal(withArguments('--').periodMs, 60_000);
  });
});

interface SwitchRow {
  readonly flag: string;
  readonly read: (config: Config) => boolean;
}

const SWITCHES: readonly SwitchRow[] = [
  { flag: 'dry-run', read: ({ dryRun }) => dryRun },
  { flag: 'once', read: ({ once }) => once },
  { flag: 'explain', read: ({ explain }) => explain },
  { flag: 'check', read: ({ check }) => check },
  { flag: 'check-publish', read: ({ checkPublish }) => checkPublish },
  { flag: 'entity', read: ({ entity }) => entity },
  { flag: 'exclude-self', read: ({ excludeSelf }) => excludeSelf },
  { flag: 'compat-fraction', read: ({ compatFraction }) => compatFraction },
];

for (const { flag, read } of SWITCHES) {
  describe(`--${flag}`, () => {
    const twin = twinOf(flag);

    test('is off unasked, and on where it is given', () => {
      assert.equal(read(withArguments()), false);
      assert.equal(read(withArguments(`--${flag}`)), true);
      assert.equal(read(withArguments(`--${flag}`, `--${flag}`)), true);
    });

    const values: [text: string, on: boolean][] = [
      ['true', true],
      ['1', true],
      ['false', false],
      ['0', false],
    ];
    for (const [text, on] of values) {
      test(`is ${on ? 'on' : 'off'} with ${text}, as an argument and in ${twin}`, () => {
        assert.equal(read(withArguments(`--${flag}=${text}`)), on);
        assert.equal(read(withEnvironment({ [twin]: text })), on);
        assert.equal(read(withEnvironment({ [twin]: ` ${text} ` })), on);
      });
    }

    for (const text of ['yes', 'no', 'TRUE', 'on', '2', '00', 'null']) {
      test(`refuses "${text}"`, () => {
        const expected = `got "${text}", expected true, false, 1 or 0`;
        const argument = refusal(`--${flag}`, [...requiredWithout(), `--${flag}=${text}`]);
        assert.ok(argument.endsWith(expected), argument);
        const variable = refusal(twin, requiredWithout(), { [twin]: text });
        assert.ok(variable.endsWith(expected), variable);
      });
    }

    test('refuses an empty argument, and takes a blank variable for unset', () => {
      assert.match(refusal(`--${flag}`, [...requiredWithout(), `--${flag}=`]), /got "", expected /);
      assert.equal(read(withEnvironment({ [twin]: ' ' })), false);
    });

    test('the argument counts for more than the variable, either way', () => {
      assert.equal(read(configOf([...requiredWithout(), `--${flag}`], { [twin]: '0' })), true);
      assert.equal(read(configOf([...requiredWithout(), `--${flag}=0`], { [twin]: '1' })), false);
    });
  });
}

test('every switch has its row here, or is --help or --version', () => {
  const names = FLAGS.switches.map(({ name }) => name);
  assert.deepEqual(names, [...SWITCHES.map(({ flag }) => flag), 'help', 'version']);
});

describe('--help and --version', () => {
  test('need nothing else, and come before anything that is missing', () => {
    assert.equal(parseCommand(['--help'], {}), 'help');
    assert.equal(parseCommand(['-h'], {}), 'help');
    assert.equal(parseCommand(['--version'], {}), 'version');
    assert.equal(parseCommand(['--version', '--help'], {}), 'help');
    assert.equal(parseCommand(['--period', 'bad', '--help'], {}), 'help');
  });

  test('are not taken from the environment', () => {
    const environment = { METRICS_AGENT_HELP: '1', METRICS_AGENT_VERSION: '2.0' };
    assert.equal(withEnvironment(environment).dryRun, false);
  });
});

describe('--dry-run', () => {
  test('needs neither namespace nor service nor region, and says info', () => {
    const config = configOf(['--dry-run']);
    assert.equal(config.namespace, 'DryRun');
    assert.deepEqual(config.dimensions, [{ Name: 'ServiceName', Value: 'DryRun' }]);
    assert.equal(config.region, undefined);
    assert.equal(config.logLevel, 'info');
  });

  test('takes what it is given all the same', () => {
    const config = configOf([...requiredWithout(), '--dry-run', '--log-level=error']);
    assert.equal(config.namespace, 'Space');
    assert.equal(config.dimensions[0]?.Value, 'Service');
    assert.equal(config.logLevel, 'error');
  });

  test('still refuses what is wrong', () => {
    refusal('--namespace', ['--dry-run', '--namespace=AWS/X']);
    refusal('--period', ['--dry-run', '--period=0']);
  });

  test('switched off needs what it needs', () => {
    refusal('--namespace and --service', ['--dry-run=false']);
  });
});

describe('--interval and --period', () => {
  test('may be equal', () => {
    const config = withArguments('--interval=5', '--period=5');
    assert.deepEqual([config.intervalMs, config.periodMs], [5000, 5000]);
    assert.equal(withArguments('--interval=3600', '--period=3600').intervalMs, 3_600_000);
  });

  test('an interval above the period is refused by the name it was given', () => {
    const argv = [...requiredWithout(), '--period', '5'];
    const expected = /got 5\.1, expected at most the period, 5$/;
    assert.match(refusal('--interval', [...argv, '--interval=5.1']), expected);
    const environment = { METRICS_AGENT_INTERVAL: '5.1' };
    assert.match(refusal('METRICS_AGENT_INTERVAL', argv, environment), expected);
    assert.match(
      refusal('--interval', [...requiredWithout(), '--interval=61']),
      /got 61, expected at most the period, 60$/,
    );
  });

  test('every interval that is a multiple of 0.1 s is a whole number of milliseconds', () => {
    for (let tenths = 1; tenths <= 36_000; tenths += 1) {
      const text = `${Math.floor(tenths / 10)}.${tenths % 10}`;
      assert.equal(withArguments('--period=3600', `--interval=${text}`).intervalMs, tenths * 100);
    }
  });
});

describe('--scope', () => {
  test('is the host with another root, unless it is asked for', () => {
    assert.equal(withArguments('--root', '/host').scope, 'host');
    assert.equal(withArguments('--root', '/host', '--scope', 'auto').scope, 'auto');
  });
});

describe('--explain', () => {
  test('needs what a dry run needs', () => {
    assert.equal(configOf(['--explain']).dryRun, true);
  });
});

describe('--dimension NAME=@TOKEN', () => {
  test('takes the tokens that there are', () => {
    for (const token of TOKENS) {
      const { dimensions } = withArguments(`--dimension=A=${token}`);
      assert.deepEqual(dimensions.at(-1), { Name: 'A', Value: token });
    }
  });

  test('refuses one that there is not, and lists them', () => {
    const message = refusal('--dimension', [...requiredWithout(), '--dimension=A=@nope']);
    for (const token of TOKENS) assert.ok(message.includes(token), token);
  });
});

describe('--dimension', () => {
  const SERVICE = { Name: 'ServiceName', Value: 'Service' };
  const good: [what: string, text: string, name: string, value: string][] = [
    ['a name and a value', 'Stage=prod', 'Stage', 'prod'],
    ['a value with =', 'Query=a=b=c', 'Query', 'a=b=c'],
    ['a value that begins with a colon', 'Time=:30', 'Time', ':30'],
    ['blanks inside', 'My Name=My Value', 'My Name', 'My Value'],
    ['a name of 255 characters', `${A255}=x`, A255, 'x'],
    ['a value of 1024 characters', `N=${'v'.repeat(1024)}`, 'N', 'v'.repeat(1024)],
  ];
  for (const [what, text, Name, Value] of good) {
    test(`takes ${what}, behind ServiceName`, () => {
      const expected = [SERVICE, { Name, Value }];
      assert.deepEqual(withArguments('--dimension', text).dimensions, expected);
      assert.deepEqual(withArguments(`--dimension=${text}`).dimensions, expected);
      assert.deepEqual(withEnvironment({ METRICS_AGENT_DIMENSION: text }).dimensions, expected);
    });
  }

  const bad: [what: string, text: string][] = [
    ['no =', 'Stage'],
    ['no name', '=prod'],
    ['no value', 'Stage='],
    ['only blanks as value', 'Stage=  '],
    ['only blanks as name', '  =prod'],
    ['a name that begins with a colon', ':Stage=prod'],
    ['a name of 256 characters', `${A255}a=x`],
    ['a value of 1025 characters', `N=${'v'.repeat(1025)}`],
    ['a name beyond ASCII', 'St\u00e4ge=prod'],
    ['a value beyond ASCII', 'Stage=pr\u00f6d'],
    ['a line feed', 'Stage=a\nb'],
    ['nothing', ''],
  ];
  for (const [what, text] of bad) {
    test(`refuses ${what}`, () => {
      const message = refusal('--dimension', [...requiredWithout(), `--dimension=${text}`]);
      const said = text.replace('\n', '?');
      assert.ok(message.includes(`got "${said}", expected NAME=VALUE: `), message);
      if (text === '') return;
      const variable = 'METRICS_AGENT_DIMENSION';
      const twin = refusal(variable, requiredWithout(), { [variable]: text });
      assert.ok(twin.includes(`got "${said.trim()}", expected NAME=VALUE: `), twin);
    });
  }

  test('may be repeated, and the order is kept', () => {
    const names = withArguments('--dimension=B=1', '--dimension=A=2').dimensions;
    assert.deepEqual(names, [SERVICE, { Name: 'B', Value: '1' }, { Name: 'A', Value: '2' }]);
  });

  test('takes several between commas from the environment, and not from an argument', () => {
    const twin = 'METRICS_AGENT_DIMENSION';
    assert.deepEqual(withEnvironment({ [twin]: 'B=1, A=2' }).dimensions, [
      SERVICE,
      { Name: 'B', Value: '1' },
      { Name: 'A', Value: '2' },
    ]);
    assert.deepEqual(withArguments('--dimension', 'B=1,A=2').dimensions, [
      SERVICE,
      { Name: 'B', Value: '1,A=2' },
    ]);
    assert.match(refusal(twin, requiredWithout(), { [twin]: 'B=1,,A=2' }), /got "", expected /);
    assert.match(refusal(twin, requiredWithout(), { [twin]: 'B=1,A' }), /got "A", expected /);
  });

  test('arguments take the place of all that the environment has', () => {
    const argv = [...requiredWithout(), '--dimension=A=1'];
    const { dimensions } = configOf(argv, { METRICS_AGENT_DIMENSION: 'B=2' });
    assert.deepEqual(dimensions, [SERVICE, { Name: 'A', Value: '1' }]);
  });

  test('one name twice is refused, ServiceName too, by the flag that gave it', () => {
    const twice = [...requiredWithout(), '--dimension=A=1', '--dimension=A=2'];
    assert.match(refusal('--dimension', twice), /got A twice, expected once$/);
    const service = [...requiredWithout(), '--dimension=ServiceName=x'];
    assert.match(refusal('--dimension', service), /got ServiceName twice, expected once$/);
    const twin = 'METRICS_AGENT_DIMENSION';
    assert.match(refusal(twin, requiredWithout(), { [twin]: 'A=1,A=1' }), /got A twice/);
    assert.match(refusal('--tags', [...requiredWithout(), '--tags', 'ServiceName', 'x']), /twice/);
  });

  test('names that differ in case are two', () => {
    assert.equal(withArguments('--dimension=a=1', '--dimension=A=1').dimensions.length, 3);
  });

  test('there may be 30 with ServiceName, and no more', () => {
    const some = (count: number): string[] =>
      Array.from({ length: count }, (_, index) => `--dimension=D${index}=x`);
    assert.equal(withArguments(...some(29)).dimensions.length, 30);
    const message = refusal('--dimension', [...requiredWithout(), ...some(30)]);
    assert.match(message, /got 31 with ServiceName, expected at most 30$/);
  });
});

describe('--tags NAME VALUE', () => {
  const tagged = (...argv: string[]): unknown => withArguments(...argv).dimensions.slice(1);

  test('is a dimension, as often as it is given', () => {
    assert.deepEqual(tagged('--tags', 'Stage', 'prod'), [{ Name: 'Stage', Value: 'prod' }]);
    assert.deepEqual(tagged('--tags=Stage', 'a=b'), [{ Name: 'Stage', Value: 'a=b' }]);
    assert.deepEqual(tagged('--tags', 'A', '1', '--dimension=B=2', '--tags', 'C', '3'), [
      { Name: 'A', Value: '1' },
      { Name: 'B', Value: '2' },
      { Name: 'C', Value: '3' },
    ]);
  });

  const bad: [what: string, argv: string[], message: RegExp][] = [
    ['without values', ['--tags'], /got none$/],
    ['with one value', ['--tags', 'Stage'], /got only "Stage", expected two values/],
    ['with one value and a flag', ['--tags', 'Stage', '--once'], /got only "Stage", expected two/],
    ['with a flag for a name', ['--tags', '--once', 'x'], /expected a value, got "--once"/],
    ['with NAME=VALUE as from --dimension', ['--tags', 'A=B'], /got only "A=B", expected two/],
    ['with = in the name', ['--tags', 'A=B', 'C'], /got "A=B" "C", expected two values/],
    ['with an empty name', ['--tags', '', 'x'], /got "=x", expected NAME=VALUE/],
    ['with an empty value', ['--tags', 'Stage', ''], /got "Stage=", expected NAME=VALUE/],
  ];
  for (const [what, argv, message] of bad) {
    test(`is refused ${what}`, () => {
      assert.match(refusal('--tags', [...requiredWithout(), ...argv]), message);
    });
  }

  test('with a third value is refused', () => {
    assert.match(refusal('arguments', [...requiredWithout(), '--tags', 'A', 'B', 'C']), /got "C"/);
  });
});

describe('--check', () => {
  test('needs neither namespace nor service', () => {
    const { check, checkPublish } = configOf(['--check']);
    assert.deepEqual([check, checkPublish], [true, false]);
  });

  test('with a datum it needs both, and is a check by itself', () => {
    refusal('--namespace and --service', ['--check-publish']);
    refusal('--namespace', ['--check-publish', '--service=a']);
    const { check, checkPublish } = withArguments('--check-publish');
    assert.deepEqual([check, checkPublish], [true, true]);
  });
});

describe('other variables', () => {
  test('those that the AWS context reads are left to it, even wrong ones', () => {
    const { region, endpoint } = configOf(requiredWithout('region'), {
      AWS_REGION: 'eu west',
      AWS_ENDPOINT_URL: 'localhost:1',
    });
    assert.deepEqual([region, endpoint], [undefined, undefined]);
  });

  const sizes: [environment: Environment, bytes: number][] = [
    [{}, 10_240],
    [{ AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES: '' }, 10_240],
    [{ AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES: '0' }, 0],
    [{ AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES: ' 128 ' }, 128],
    [{ AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES: '10485760' }, 10_485_760],
    [{ AWS_DISABLE_REQUEST_COMPRESSION: 'false' }, 10_240],
    [{ AWS_DISABLE_REQUEST_COMPRESSION: 'True' }, Number.POSITIVE_INFINITY],
    [
      { AWS_DISABLE_REQUEST_COMPRESSION: 'true', AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES: '5' },
      Number.POSITIVE_INFINITY,
    ],
  ];
  for (const [environment, bytes] of sizes) {
    test(`with ${JSON.stringify(environment)} bodies of ${bytes} bytes are compressed`, () => {
      const setting = (variable: string): string | undefined =>
        environment[variable]?.trim() || undefined;
      assert.equal(gzipFrom(setting), bytes);
    });
  }

  const badSizes: [variable: string, text: string][] = [
    ['AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES', '10485761'],
    ['AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES', '-1'],
    ['AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES', '10k'],
    ['AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES', '1.5'],
    ['AWS_DISABLE_REQUEST_COMPRESSION', 'yes'],
    ['AWS_DISABLE_REQUEST_COMPRESSION', '1'],
  ];
  for (const [variable, text] of badSizes) {
    test(`${variable}=${text} is refused`, () => {
      const message = refusal(variable, requiredWithout(), { [variable]: text });
      assert.ok(message.includes(`got "${text}", expected `), message);
    });
  }
});

describe('--statistics', () => {
  test('distribution leaves the maximum of memory out, unless it is asked for', () => {
    const names = (...argv: string[]): string[] =>
      withArguments('--statistics=distribution', ...argv).metrics.map(({ name }) => name);
    assert.deepEqual(names(), ['CPUUtilization', 'MemoryUtilization']);
    assert.deepEqual(names('--metrics=MaxMemoryUtilization'), ['MaxMemoryUtilization']);
  });
});

test('neither the arguments nor the environment are changed', () => {
  const argv = Object.freeze([...requiredWithout(), '--tags', 'A', 'B']);
  const environment = Object.freeze({ METRICS_AGENT_PERIOD: ' 5 ' });
  assert.equal(configOf(argv, environment).periodMs, 5000);
});

describe('unknownVariables', () => {
  const cases: [what: string, names: string[], stray: string[]][] = [
    ['nothing', [], []],
    ['other programs’ variables', ['PATH', 'AWS_REGION', 'XMETRICS_AGENT_PERIODS'], []],
    ['twins', [...FLAGS.flags, ...FLAGS.switches].map(({ name }) => twinOf(name)), []],
    ['a misspelling', ['METRICS_AGENT_PERIODS', 'PATH'], ['METRICS_AGENT_PERIODS']],
    ['another case', ['METRICS_AGENT_Period'], ['METRICS_AGENT_Period']],
    ['dashes', ['METRICS_AGENT_DRY-RUN'], ['METRICS_AGENT_DRY-RUN']],
    [
      'aliases, which have no twin',
      ['METRICS_AGENT_TAGS', 'METRICS_AGENT_DRYRUN', 'METRICS_AGENT_SERVICE_NAME'],
      ['METRICS_AGENT_TAGS', 'METRICS_AGENT_DRYRUN', 'METRICS_AGENT_SERVICE_NAME'],
    ],
    [
      'what Kubernetes sets for a service called metrics-agent',
      [
        'METRICS_AGENT_SERVICE_HOST',
        'METRICS_AGENT_SERVICE_PORT',
        'METRICS_AGENT_SERVICE_PORT_HTTP',
        'METRICS_AGENT_PORT',
        'METRICS_AGENT_PORT_8125_UDP',
        'METRICS_AGENT_PORT_8125_UDP_ADDR',
        'METRICS_AGENT_PORT_8125_UDP_PORT',
        'METRICS_AGENT_PORT_8125_UDP_PROTO',
      ],
      [],
    ],
    ['a word that has PORT in it', ['METRICS_AGENT_RAPPORT'], ['METRICS_AGENT_RAPPORT']],
  ];
  for (const [what, names, stray] of cases) {
    test(`of ${what} are ${stray.length}`, () => {
      const environment = Object.fromEntries(names.map((name) => [name, 'x']));
      const found = unknownVariables(FLAGS, environment);
      assert.deepEqual(
        found.map(([name]) => name),
        stray,
      );
    });
  }
});

test('a variable that looks like a setting is said with the one that it may mean', () => {
  const meant = (name: string): string | undefined =>
    unknownVariables(FLAGS, { [name]: 'x' })[0]?.[1];
  assert.equal(meant('METRICS_AGENT_NAMESPCE'), 'METRICS_AGENT_NAMESPACE');
  assert.equal(meant('METRICS_AGENT_PERIODS'), 'METRICS_AGENT_PERIOD');
  assert.equal(meant('METRICS_AGENT_DRYRUN'), 'METRICS_AGENT_DRY_RUN');
  assert.equal(meant('METRICS_AGENT_SOMETHING_ELSE'), undefined);
});

test('what is missing is said at once, with its variables and what needs neither', () => {
  assert.throws(() => parseCommand([], {}), {
    name: 'ConfigError',
    message:
      /^--namespace and --service: are required, .*METRICS_AGENT_NAMESPACE and METRICS_AGENT_SERVICE; --dry-run needs neither$/,
  });
});

function shown(text: string): string {
  return text.length > 40 ? `${text.slice(0, 10)}… (${text.length})` : text;
}
