import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { describe, test } from 'node:test';
import { VERSION } from '../../src/version.ts';

type Json = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function textOf(name: string): string {
  return readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8');
}

function jsonOf(name: string): Json {
  const value: unknown = JSON.parse(textOf(name));
  assert.ok(isObject(value));
  return value;
}

describe('package.json', () => {
  const manifest = jsonOf('package.json');

  test('has the version that the program says', () => {
    assert.equal(VERSION, manifest['version']);
    assert.match(VERSION, /^\d+\.\d+\.\d+$/);
  });

  test('asks for nothing at run time', () => {
    const kinds = [
      'dependencies',
      'peerDependencies',
      'optionalDependencies',
      'bundleDependencies',
    ];
    for (const kind of kinds) assert.equal(kind in manifest, false, kind);
  });

  test('runs nothing when it is installed as a package', () => {
    const { scripts } = manifest;
    assert.ok(isObject(scripts));
    for (const script of ['preinstall', 'install', 'postinstall', 'prepare']) {
      assert.equal(script in scripts, false, script);
    }
  });

  test('names each package that it builds and tests with by one version', () => {
    const { devDependencies } = manifest;
    assert.ok(isObject(devDependencies));
    for (const [name, version] of Object.entries(devDependencies)) {
      assert.match(String(version), /^\d+\.\d+\.\d+$/, name);
    }
  });

  test('asks for Node 18, for which the bundle is built', () => {
    assert.deepEqual(manifest['engines'], { node: '>=18' });
    assert.match(textOf('build.mjs'), /target: 'node18'/);
  });

  test('has a program of its name, which is built, begins with #! and may be executed', () => {
    assert.deepEqual(manifest['bin'], { 'cloudwatch-metrics-agent': 'dist/agent.js' });
    assert.equal(manifest['name'], 'cloudwatch-metrics-agent');
    assert.match(textOf('dist/agent.js'), /^#!\/usr\/bin\/env node\n/);
    const { mode } = statSync(new URL('../../dist/agent.js', import.meta.url));
    assert.equal(mode & 0o111, 0o111);
  });

  test('has a library that is imported and required by one file, with its types', () => {
    assert.deepEqual(manifest['exports'], {
      '.': { types: './dist/index.d.ts', default: './dist/index.js' },
      './package.json': './package.json',
    });
    assert.equal(manifest['sideEffects'], false);
    assert.doesNotMatch(textOf('dist/index.d.ts'), /\bfrom ['"]|\bimport\(/);
    // Without a top-level await, which require could not wait for.
    assert.doesNotMatch(textOf('dist/index.js'), /^\s*await /m);
  });

  test('has no text in the program that publint takes for CommonJS: `require` with a blank before it', () => {
    assert.doesNotMatch(textOf('dist/agent.js'), /[\s;]require\s*\(/);
  });

  test('takes into the package what the program needs, and it is there', () => {
    const { files } = manifest;
    assert.ok(Array.isArray(files) && files.includes('dist/agent.js'));
    // Those of the shells are made when it is packed, which the ring of the package looks at.
    for (const name of files.filter((one) => !/completions$|\.1$/.test(String(one)))) {
      const path = new URL(`../../${String(name)}`, import.meta.url);
      assert.ok(statSync(path, { throwIfNoEntry: false }), String(name));
    }
  });
});

describe('THIRD-PARTY', () => {
  const text = textOf('THIRD-PARTY');

  test('holds the licence of what the bundles contain beside our own code, in its version', () => {
    const { version, license } = jsonOf('node_modules/aws4/package.json');
    assert.ok(
      text.includes(`aws4 ${String(version)}, `) && text.includes(`, ${String(license)}\n`),
    );
    assert.ok(text.endsWith(textOf('node_modules/aws4/LICENSE')));
  });

  test('is named in the first lines of each bundle', () => {
    for (const file of ['dist/agent.js', 'dist/index.js']) {
      const [head = ''] = textOf(file).split('*/');
      assert.match(
        head,
        /\/\*! cloudwatch-metrics-agent, MIT; contains aws4 \S+, MIT, .*THIRD-PARTY $/,
      );
    }
  });

  test('leaves nothing out: no other package is in the library’s pieces', () => {
    const pieces = readdirSync(new URL('../../dist/lib', import.meta.url));
    const packages = pieces.flatMap((name) => [
      ...textOf(`dist/lib/${name}`).matchAll(/^\s*\/\/ node_modules\/([^/]+)/gm),
    ]);
    assert.deepEqual([...new Set(packages.map(([, name]) => name))], ['aws4']);
  });
});

describe('package-lock.json', () => {
  const { name, version, packages } = jsonOf('package-lock.json');

  test('is of this package and version', () => {
    const { name: ours, version: current } = jsonOf('package.json');
    assert.deepEqual([name, version], [ours, current]);
  });

  test('asks for what package.json asks for', () => {
    assert.ok(isObject(packages) && isObject(packages['']));
    const { devDependencies } = jsonOf('package.json');
    assert.deepEqual(packages['']['devDependencies'], devDependencies);
    assert.equal('dependencies' in packages[''], false);
  });

  test('names no registry, so that any will do, and checks what it gives', () => {
    assert.ok(isObject(packages));
    for (const [path, entry] of Object.entries(packages)) {
      if (path === '') continue;
      assert.ok(isObject(entry));
      assert.equal('resolved' in entry, false, path);
      // Of other platforms' packages a version is enough: they are not installed here.
      const isElsewhere = entry['optional'] === true && 'os' in entry;
      if (!isElsewhere) assert.match(String(entry['integrity']), /^sha512-/, path);
      assert.ok(entry['dev'] === true || entry['devOptional'] === true, path);
    }
  });
});
