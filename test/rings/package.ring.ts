// Over 200 lines: one tarball, in the hands of everybody who may install it.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const HOME = fileURLToPath(new URL('../../', import.meta.url));
const MODULES = join(HOME, 'node_modules');
const PLATFORM = `linux-${process.arch}`;
/** Where `require` of an ES module works without a flag. */
const REQUIRING = [20, 22, 24, 26];
const TOO_OLD = [14, 16];
const base = mkdtempSync(join(tmpdir(), 'package of the agent '));
const project = join(base, 'project');
const installed = join(project, 'node_modules', 'cloudwatch-metrics-agent');
const HELLO = `startAgent({ dryRun: true, log() {} }).then(async (agent) => {
  agent.put('A', 1);
  console.log(JSON.stringify(await agent.stop()));
});`;
let tarball = '';

function run(
  command: string,
  argv: readonly string[],
  cwd: string,
): { status: number | null; stdout: string; stderr: string } {
  const { PATH = '', HOME: home = '' } = process.env;
  const options = { cwd, encoding: 'utf8', env: { PATH, HOME: home } } as const;
  return spawnSync(command, argv, options);
}

function done(command: string, argv: readonly string[], cwd: string): string {
  const { status, stdout, stderr } = run(command, argv, cwd);
  assert.equal(status, 0, `${command} ${argv.join(' ')}\n${stdout}${stderr}`);
  return stdout;
}

const nodeOf = (version: number): string =>
  join(base, 'node_modules', `node${version}`, 'bin', 'node');

before(() => {
  const flags = ['--no-audit', '--no-fund', '--loglevel=error'];
  writeFileSync(join(base, 'package.json'), '{}');
  const nodes = [...TOO_OLD, 18, ...REQUIRING].map(
    (version) => `node${version}@npm:node-${PLATFORM}@${version}`,
  );
  done('npm', ['install', ...flags, '--prefix', base, ...nodes], base);
  const packed = done('npm', ['pack', '--json', '--pack-destination', base], HOME);
  const [{ filename }] = JSON.parse(packed.slice(packed.indexOf('[\n')));
  tarball = join(base, filename);
  mkdirSync(project);
  writeFileSync(join(project, 'package.json'), '{"private":true}');
  done('npm', ['install', ...flags, '--offline', tarball], project);
});

after(() => rmSync(base, { recursive: true, force: true }));

describe('the tarball', () => {
  test('holds what is needed, and nothing else', () => {
    const names = readdirSync(installed, { recursive: true, encoding: 'utf8' })
      .filter((name) => !/^(?:examples|dist.lib|dist.completions)/.test(name) && name !== 'dist')
      .sort();
    assert.deepEqual(names, [
      'CHANGELOG.md',
      'LICENSE',
      'README.md',
      'THIRD-PARTY',
      'dist/agent.js',
      'dist/cloudwatch-metrics-agent.1',
      'dist/index.d.ts',
      'dist/index.js',
      'package.json',
    ]);
    assert.ok(readdirSync(join(installed, 'examples')).includes('library.mjs'));
    assert.ok(readdirSync(join(installed, 'dist/lib')).every((name) => name.endsWith('.js')));
  });

  test('needs no other package', () => {
    const names = readdirSync(join(project, 'node_modules')).filter((name) => name[0] !== '.');
    assert.deepEqual(names, ['cloudwatch-metrics-agent']);
  });

  test('is what publint wants a package to be', () => {
    done(process.execPath, [join(MODULES, 'publint/src/cli.js'), tarball, '--strict'], HOME);
  });

  test('has types that are right in every way to resolve them, as ES modules', () => {
    const attw = join(MODULES, '@arethetypeswrong/cli/dist/index.js');
    done(process.execPath, [attw, tarball, '--profile', 'esm-only', '--no-color'], HOME);
  });
});

describe('an empty project', () => {
  test('has the program', () => {
    const { version } = JSON.parse(readFileSync(join(HOME, 'package.json'), 'utf8'));
    const program = join(project, 'node_modules/.bin/cloudwatch-metrics-agent');
    assert.equal(done(program, ['--version'], project).trim(), version);
  });

  for (const version of [18, ...REQUIRING]) {
    test(`imports it with Node ${version}`, () => {
      writeFileSync(
        join(project, 'hello.mjs'),
        `import { startAgent } from 'cloudwatch-metrics-agent';\n${HELLO}`,
      );
      const said = done(nodeOf(version), ['hello.mjs'], project).trim().split('\n').at(-1) ?? '';
      assert.deepEqual(JSON.parse(said), { windowsSent: 1, windowsWaiting: 0, windowsLost: 0 });
    });
  }

  for (const version of REQUIRING) {
    test(`requires it with Node ${version}`, () => {
      writeFileSync(
        join(project, 'hello.cjs'),
        `const { startAgent } = require('cloudwatch-metrics-agent');\n${HELLO}`,
      );
      const said = done(nodeOf(version), ['hello.cjs'], project).trim().split('\n').at(-1) ?? '';
      assert.deepEqual(JSON.parse(said), { windowsSent: 1, windowsWaiting: 0, windowsLost: 0 });
    });
  }

  for (const version of TOO_OLD) {
    test(`says with Node ${version} which one it needs, as program and as library`, () => {
      const wanted = new RegExp(`got (?:Node )?v${version}\\..*, expected v18 or newer`);
      const program = run(nodeOf(version), [join(installed, 'dist/agent.js')], project);
      assert.deepEqual([program.status, program.stdout], [1, '']);
      assert.match(program.stderr, wanted);
      writeFileSync(
        join(project, 'old.mjs'),
        `import { startAgent } from 'cloudwatch-metrics-agent';
         startAgent({ dryRun: true }).catch((error) => console.log(error.name, error.message));`,
      );
      const library = done(nodeOf(version), ['old.mjs'], project);
      assert.match(library, /^ConfigError Node: /);
      assert.match(library, wanted);
    });
  }
});

describe('a caller in TypeScript', () => {
  const CALLER = `import { startAgent, ConfigError, type MetricsAgent, type Unit } from 'cloudwatch-metrics-agent';
const unit: Unit = 'Count/Second';
const agent: MetricsAgent = await startAgent({ namespace: 'App', service: 'api', metrics: ['default'],
  dimensions: { Stage: 'prod' }, signal: AbortSignal.timeout(1000), endpointUrl: new URL('http://localhost') });
agent.put('A', 1, unit);
agent.put('B', 2);
agent.on('window', ({ start, metrics }) => metrics.map(({ name }) => name + start.toISOString()))
  .on('error', ({ code, count }) => code === 'BAD_METRIC' && count > 1);
const { windowsSent }: { windowsSent: number } = await agent.flush();
await agent[Symbol.asyncDispose]();
export const isWrong = (error: unknown): boolean => error instanceof ConfigError && error.setting === String(windowsSent);
// @ts-expect-error: not a unit
agent.put('A', 1, 'Counts');
// @ts-expect-error: not an option
await startAgent({ namespace: 'App', service: 'api', perod: 1 });
// @ts-expect-error: not an event
agent.on('windows', () => undefined);
`;
  const WAYS: Readonly<Record<string, readonly string[]>> = {
    'with Node’s types': [
      '--types',
      'node',
      '--lib',
      'es2022',
      '--typeRoots',
      join(MODULES, '@types'),
    ],
    'with a browser’s types alone': ['--types', '', '--lib', 'es2022,dom'],
    'with the newest library': ['--types', '', '--lib', 'esnext,dom'],
  };
  for (const [way, flags] of Object.entries(WAYS)) {
    test(`compiles ${way}, strict, nodenext`, () => {
      writeFileSync(join(project, 'caller.mts'), CALLER);
      const strict = ['--strict', '--exactOptionalPropertyTypes', '--noEmit', '--target', 'es2022'];
      const modules = ['--module', 'nodenext', '--moduleResolution', 'nodenext'];
      const tsc = join(MODULES, 'typescript/bin/tsc');
      done(process.execPath, [tsc, ...strict, ...modules, ...flags, 'caller.mts'], project);
    });
  }
});

test('the same bytes come of the same sources, in two folders and by two versions of Node', () => {
  const needed = [
    'esbuild',
    '@esbuild',
    '@swc',
    'aws4',
    'typescript',
    '@typescript',
    '@types',
    'undici-types',
  ];
  const sumsOf = (version: number): Record<string, string> => {
    const folder = join(base, `built by ${version}`);
    for (const name of [
      'src',
      'package.json',
      'build.mjs',
      'bundle.mjs',
      'tsconfig.json',
      'tsconfig.library.json',
    ]) {
      cpSync(join(HOME, name), join(folder, name), { recursive: true });
    }
    for (const name of needed) {
      cpSync(join(MODULES, name), join(folder, 'node_modules', name), { recursive: true });
    }
    // From elsewhere: where it is started is nothing to it.
    done(nodeOf(version), [join(folder, 'build.mjs')], base);
    const built = readdirSync(join(folder, 'dist'), { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.(?:js|ts)$/.test(name))
      .sort();
    const sum = (name: string): string =>
      createHash('sha256')
        .update(readFileSync(join(folder, 'dist', name)))
        .digest('hex');
    return Object.fromEntries(built.map((name) => [name, sum(name)]));
  };
  const [one, other] = [sumsOf(20), sumsOf(24)];
  assert.ok(Object.keys(one).length > 20);
  assert.deepEqual(one, other);
  for (const [name, sum] of Object.entries(one)) {
    const ours = createHash('sha256')
      .update(readFileSync(join(HOME, 'dist', name)))
      .digest('hex');
    assert.equal(ours, sum, `dist/${name}`);
  }
});

test('npm audit knows nothing against any package that builds or tests it', (t) => {
  const { status, stdout, stderr } = run('npm', ['audit', '--json'], HOME);
  const answer = JSON.parse(stdout || '{}');
  if (!('metadata' in answer)) {
    return t.skip(`the registry has no audit: ${stderr.split('\n')[0] ?? ''}`);
  }
  assert.equal(status, 0, stdout);
});
