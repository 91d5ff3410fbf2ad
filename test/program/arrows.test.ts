import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const SRC = fileURLToPath(new URL('../../src/', import.meta.url));

/**
 * Where each room may look, from the door to the ground. A room is a folder, or one file of it; the
 * row that names the file goes before its folder's. `room` alone is all of a folder, `room/file` one
 * file; files of one folder may look at one another, except where the row of a file says otherwise.
 */
const ARROWS: Readonly<Record<string, string>> = {
  door: 'health/healthy main node:process',
  main: 'agent clock compose config/config config/flags config/help config/table delivery/outcome errors health/healthy log node:fs node:os node:tty run sinks/lines sinks/terminal spool/serve version wiring/check wiring/world',
  // The library's door, and what stands behind it. Its words are in one file that needs no other.
  index: 'errors library/api library/start',
  'library/api': '',
  library:
    'agent clock cloudwatch/limits compose config delivery/outcome delivery/sender delivery/verdict environment errors log metrics node:os node:perf_hooks node:stream node:v8 sinks/lines sources/detect sources/rootfs sources/select wiring/world',
  compose:
    'agent cloudwatch/limits config/config delivery/stats diagnostics/start health/status-file metadata/dimensions metrics node:os sinks/console version wiring',
  // The wiring, a part a file: from the setting to what it opens.
  wiring:
    'agent aws/aws aws/files clock cloudwatch config/config config/outputs delivery diagnostics emf/open environment errors kernel/bytes log metadata metrics net/http net/threads node:os otlp sinks sources spool version',

  'diagnostics/start': 'config/config environment errors log',
  'diagnostics/explain': 'clock metrics sources/detect sources/rootfs sources/select sources/watch',
  'diagnostics/check-otlp':
    'aws/answer cloudwatch/post delivery/service delivery/verdict metadata/json net/http otlp diagnostics',
  diagnostics:
    'aws aws/credentials clock cloudwatch delivery environment errors metrics/publication net/http',

  'config/flags': 'config/nearest environment errors node:util',
  'config/help': 'config/flags',
  config:
    'aws/endpoint cloudwatch/compression cloudwatch/limits environment errors log metadata/dimensions metrics/catalog metrics/metric metrics/publication sources/options sources/select',

  // What is kept for whoever looks from outside. The one that looks takes nothing with it.
  'health/healthy': 'node:fs node:process',
  health:
    'aws/mounts clock errors health/healthy log net/threads node:fs node:fs/promises node:path node:process run/write-file sinks/sink',

  // Around a job. What starts it knows the ground alone; what measures it is wired here, and loaded then.
  'run/beside':
    'agent compose config/config errors metrics/figures report run sources aws/s3 wiring/aws wiring/world',
  run: 'clock environment errors node:child_process node:fs node:os',
  // What a run took and what would do: values and arithmetic.
  report: 'clock metrics/figures',

  // The loop knows neither AWS nor files: source and sink come as arguments.
  agent: 'clock log metrics sinks/sink sources/source',

  sources: 'clock environment errors kernel metadata metrics sources/cgroup',
  'sources/rootfs': 'errors node:fs',
  // The sources that start processes: on macOS, and for GPUs; never on a tick.
  'sources/gpu': 'clock errors metrics node:child_process node:stream',
  'sources/mac':
    'clock errors kernel/vmstat metrics node:child_process node:os sources/common sources/meters sources/options sources/source',
  'sources/cgroup': 'errors kernel metrics sources',
  kernel: 'kernel/bytes',

  metrics: 'errors',

  // An output is a file. The contract knows none of them.
  sinks: 'aws/aws clock cloudwatch delivery log metrics node:stream otlp',
  'sinks/emf':
    'clock delivery/outcome delivery/publications delivery/stats emf/encode emf/way errors log metrics/aggregate metrics/labels metrics/publication sinks/sink',
  // Lines of the embedded metric format, and the ways that they go.
  'emf/encode': 'delivery/packing metrics/publication',
  emf: 'clock environment errors metrics/aggregate metrics/publication net/dial net/lookup node:dgram node:fs node:fs/promises node:net node:path run/write-file',
  'sinks/several': 'clock delivery/outcome errors log sinks/sink',
  'sinks/sink': 'delivery/outcome log metrics/aggregate',

  // Windows that wait, and when they go. Knows no service, no disk and no output.
  delivery: 'clock errors log metrics/aggregate metrics/figures metrics/labels metrics/publication',

  // Encoding is values and arithmetic; the post does things.
  cloudwatch: 'aws/escape delivery/packing delivery/service metrics/publication',
  'cloudwatch/compression': 'environment errors',
  'cloudwatch/judge': 'aws/answer aws/redact delivery/verdict net/http',
  'cloudwatch/post':
    'aws aws/credentials clock cloudwatch/compression cloudwatch/form cloudwatch/judge delivery/service delivery/verdict environment net/http node:zlib',

  'otlp/preview': 'metrics/aggregate metrics/publication otlp',
  otlp: 'aws/endpoint aws/redact cloudwatch/form cloudwatch/limits cloudwatch/post delivery metrics/publication version',
  'otlp/names': 'metrics/catalog',
  'otlp/resource': 'environment metadata/ecs metadata/resource-attributes metrics/publication',
  'otlp/judge':
    'aws/answer aws/redact delivery/service delivery/verdict metadata/json net/http otlp/encode',
  'otlp/target':
    'aws/aws aws/endpoint aws/skew aws/trust clock cloudwatch/post environment net/http net/route otlp/post',

  // The copy on disk of what waits.
  'spool/apart': 'errors node:child_process spool/disk',
  'spool/serve': 'errors node:stream spool',
  spool: 'clock delivery errors log metrics/publication node:crypto node:fs node:path',

  // Knows nothing of metrics.
  'aws/sign': 'aws/credentials/identity aws4 net/route',
  aws: 'aws/credentials clock environment errors log metadata net node:child_process node:crypto node:fs node:path node:process node:stream',
  'aws/credentials':
    'aws clock environment errors metadata net/http node:child_process node:crypto node:process node:stream',
  // A leaf, for sources, config and aws alike.
  'metadata/dimensions': 'metrics/publication environment errors metadata',
  metadata: 'clock environment errors metrics/publication net/http',
  net: 'environment errors node:dns node:fs node:http node:https node:net node:os node:stream node:tls',

  log: 'clock',
  clock: '',
  errors: '',
  environment: '',
  version: '',
};

/** Rooms where even the neighbours are shut: pure text and plain values. */
const SHUT = ['kernel'];

/** What a file imports, by `import`, `export … from` and `import()`. */
function specifiersOf(text: string): string[] {
  const forms = /(?:^|[^.\w])(?:from|import)\s*\(?\s*(['"])([\w@:./-]+)\1/g;
  return [...text.matchAll(forms)].map(([, , specifier = '']) => specifier);
}

/** `aws/sign` of src/aws/sign.ts. */
function nameOf(path: string): string {
  return relative(SRC, path).replace(/\.ts$/, '').replaceAll('\\', '/');
}

/** The specifier as a name in the table: of a file of ours, of a package, or `node:…`. */
function targetOf(file: string, specifier: string): string {
  if (!specifier.startsWith('.')) return specifier;
  return nameOf(join(dirname(join(SRC, `${file}.ts`)), specifier));
}

function textOf(file: string): string {
  return readFileSync(join(SRC, `${file}.ts`), 'utf8');
}

function folderOf(name: string): string {
  return name.includes('/') ? name.slice(0, name.lastIndexOf('/')) : '';
}

/** The table's answer. */
function mayLook(file: string, target: string): boolean {
  const folder = folderOf(file);
  const row = ARROWS[file] ?? ARROWS[folder];
  if (row === undefined) return false;
  const allowed = row.split(/\s+/);
  if (allowed.includes(target) || allowed.includes(folderOf(target))) return true;
  const ownRow = file in ARROWS;
  const neighbour = folder !== '' && folderOf(target) === folder;
  return neighbour && !ownRow && !SHUT.includes(folder);
}

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts'))
  .map((path) => nameOf(join(SRC, path)));
const imports = files.map((file): [file: string, targets: string[]] => {
  return [file, specifiersOf(textOf(file)).map((specifier) => targetOf(file, specifier))];
});

describe('each file looks only where its room may', () => {
  for (const [file, targets] of imports) {
    test(`${file}.ts`, () => {
      const wrong = targets.filter((target) => !mayLook(file, target));
      assert.deepEqual(wrong, []);
    });
  }
});

describe('the table', () => {
  test('has no row without a file', () => {
    const rooms = new Set(files.flatMap((file) => [file, folderOf(file)]));
    const idle = Object.keys(ARROWS).filter((row) => !rooms.has(row));
    assert.deepEqual(idle, []);
  });

  test('allows nothing that nobody does', () => {
    for (const [row, allowed] of Object.entries(ARROWS)) {
      const done = imports
        .filter(([file]) => file === row || (folderOf(file) === row && !(file in ARROWS)))
        .flatMap(([, targets]) => targets);
      const idle = allowed
        .split(/\s+/)
        .filter((one) => one !== '')
        .filter((one) => !done.some((target) => target === one || folderOf(target) === one));
      assert.deepEqual(idle, [], row);
    }
  });

  const arrows: [file: string, target: string, allowed: boolean][] = [
    ['kernel/stat', 'kernel/bytes', true],
    ['kernel/stat', 'kernel/meminfo', false],
    ['kernel/stat', 'node:fs', false],
    ['kernel/stat', 'errors', false],
    ['agent', 'delivery/sender', false],
    ['agent', 'sources/rootfs', false],
    ['agent', 'metrics/window', true],
    ['agent', 'sources/source', true],
    ['metrics/window', 'kernel/meminfo', false],
    ['metrics/window', 'metrics/catalog', true],
    ['sources/host', 'node:fs', false],
    ['cloudwatch/form', 'net/http', false],
    ['cloudwatch/post', 'aws4', false],
    ['cloudwatch/form', 'delivery/sender', false],
    ['delivery/sender', 'cloudwatch/form', false],
    ['delivery/sender', 'spool/spool', false],
    ['delivery/delivery', 'sinks/sink', false],
    ['delivery/sender', 'aws/call', false],
    ['spool/spool', 'delivery/store', true],
    ['spool/spool', 'cloudwatch/datum', false],
    ['aws/credentials/sts', 'aws4', false],
    ['aws/sign', 'aws4', true],
    ['aws/endpoint', 'cloudwatch/limits', false],
    ['sinks/cloudwatch', 'delivery/sender', true],
    ['sinks/sink', 'delivery/sender', false],
    ['new/room', 'errors', false],
  ];
  for (const [file, target, allowed] of arrows) {
    test(`${allowed ? 'lets' : 'does not let'} ${file} look at ${target}`, () => {
      assert.equal(mayLook(file, target), allowed);
    });
  }
});

describe('what holds wherever the table leads', () => {
  test('no file imports itself by way of others, not even for a type', () => {
    const targetsOf = new Map(imports);
    const done = new Set<string>();
    const circleFrom = (file: string, way: readonly string[]): readonly string[] => {
      if (way.includes(file)) return [...way.slice(way.indexOf(file)), file];
      if (done.has(file)) return [];
      for (const target of targetsOf.get(file) ?? []) {
        const circle = circleFrom(target, [...way, file]);
        if (circle.length > 0) return circle;
      }
      done.add(file);
      return [];
    };
    assert.deepEqual(
      files.flatMap((file) => circleFrom(file, [])),
      [],
    );
  });

  function whoImports(what: RegExp): string[] {
    return imports
      .filter(([, targets]) => targets.some((one) => what.test(one)))
      .map(([file]) => file);
  }

  test('aws4 is imported by aws/sign.ts alone', () => {
    assert.deepEqual(whoImports(/^aws4$/), ['aws/sign']);
  });

  test('no other package is imported, and what is of Node by its node: name', () => {
    const all = imports.flatMap(([, targets]) => targets);
    const foreign = all.filter((one) => !one.startsWith('node:') && !files.includes(one));
    assert.deepEqual([...new Set(foreign)], ['aws4']);
  });

  test('the pure rooms take nothing from Node', () => {
    const pure = /^(?:kernel|metrics)\/|^sinks\/sink$|^(?:agent|clock|environment|errors|log)$/;
    assert.deepEqual(
      whoImports(/^node:/).filter((file) => pure.test(file)),
      [],
    );
  });

  test('what takes milliseconds to load is not loaded with the program', () => {
    const dear = /^(?:aws4|node:(?:https?|zlib|tls|dns|child_process|crypto|fs\/promises))$/;
    const atOnce = new Set(['door', 'main']);
    for (const file of atOnce) {
      const targets = [
        ...textOf(file).matchAll(/^(?:import|export) (?!type )[^;]*? from '([^']+)';/gms),
      ];
      for (const [, specifier = ''] of targets) {
        const target = targetOf(file, specifier);
        assert.doesNotMatch(target, dear, `${file} imports it, and main that`);
        if (files.includes(target)) atOnce.add(target);
      }
    }
    assert.ok(atOnce.has('kernel/bytes') && !atOnce.has('aws/sign'));
  });
});

test('specifiers are found in every form', () => {
  const text = `import a from './a.ts';
import { type B } from "./b.ts";
import type { C } from './c.ts';
import {
  d,
} from './d.ts';
export { e } from './e.ts';
export * from './f.ts';
import './g.ts';
const h = await import('./h.ts');
const i = import(
  './i.ts'
);
// not from here
`;
  assert.deepEqual(
    specifiersOf(text),
    [...'abcdefghi'].map((letter) => `./${letter}.ts`),
  );
});
