import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { bundle } from './bundle.mjs';

/** Bytes of dist/agent.js. Lowered when the bundle shrinks, raised only with a reason in the commit. */
const BUDGET = 306_000;

const HOME = new URL('.', import.meta.url);

/**
 * What both bundles are made by: the same bytes from the same sources, wherever they lie. Without logical
 * assignment Node 14, too, can read them, and so say what they need.
 */
const COMMON = {
  absWorkingDir: fileURLToPath(HOME),
  bundle: true,
  write: false,
  platform: 'node',
  target: 'node18',
  supported: { 'logical-assignment': false },
  legalComments: 'none',
  // Said once, in the head, and not in each of the modules.
  tsconfigRaw: { compilerOptions: { alwaysStrict: false } },
};

/** What aws4 requires of Node: a module without `require` imports it. */
const NODE_IMPORTS = {
  name: 'node imports',
  setup({ onResolve, onLoad }) {
    const filter = /^(?:crypto|querystring|url)$/;
    onResolve({ filter }, ({ kind, path }) =>
      kind === 'require-call' ? { path, namespace: 'node imports' } : undefined,
    );
    onLoad({ filter, namespace: 'node imports' }, ({ path }) => ({
      contents: `export * from 'node:${path}';`,
    }));
  },
};

process.chdir(fileURLToPath(HOME));
const { name, license, engines } = JSON.parse(await readFile('package.json', 'utf8'));
const aws4 = JSON.parse(await readFile('node_modules/aws4/package.json', 'utf8'));
const LICENCES = `/*! ${name}, ${license}; contains aws4 ${aws4.version}, ${aws4.license}, Copyright 2013 Michael Hart: see THIRD-PARTY */
`;
const LEAST = Number(/\d+/.exec(engines.node)[0]);

/**
 * The one file runs as a CommonJS and as an ES module, whatever package.json lies around it: `require`
 * is taken where it is, and made by a dynamic import where it is not.
 */
const HEAD = `if(parseInt(process.versions.node)<${LEAST}){console.error("${name}: got Node "+process.version+", expected v${LEAST} or newer");process.exit(1)}
(async()=>{const r=typeof require=="function"?require:(await import("node:module")).createRequire(process.argv[1]);(function(require){"use strict";
`;
const FOOT = '})(r)})();\n';

await mkdir('dist', { recursive: true });
await buildProgram();
await buildLibrary();
await writeDeclarations();

async function buildProgram() {
  const options = { ...COMMON, entryPoints: ['src/door.ts'] };
  const body = await bundle(options, (text) => HEAD + text + FOOT);
  const text = `#!/usr/bin/env node\n${LICENCES}${body}\n`;
  await writeFile('dist/agent.js', text);
  await chmod('dist/agent.js', 0o755);
  // By it an image takes what was built here, and nothing else.
  const hash = createHash('sha256').update(text).digest('hex');
  await writeFile('dist/agent.js.sha256', `${hash}  agent.js\n`);
  const bytes = Buffer.byteLength(text);
  console.log(`dist/agent.js ${bytes} bytes, ${gzipSync(text).length} gzip, budget ${BUDGET}`);
  if (bytes > BUDGET) {
    console.error(`over the budget by ${bytes - BUDGET} bytes`);
    process.exitCode = 1;
  }
}

/**
 * ES modules that can be read, and bundled again: an entry that loads nothing, and pieces beside it, each
 * of which is loaded when it is needed.
 */
async function buildLibrary() {
  const { outputFiles } = await build({
    ...COMMON,
    entryPoints: { index: 'src/index.ts' },
    format: 'esm',
    splitting: true,
    outdir: 'dist',
    chunkNames: 'lib/[name]-[hash]',
    banner: { js: LICENCES },
    plugins: [NODE_IMPORTS],
  });
  await rm('dist/lib', { recursive: true, force: true });
  await mkdir('dist/lib');
  for (const { path, contents } of outputFiles) await writeFile(path, contents);
  const bytes = outputFiles.reduce((sum, { contents }) => sum + contents.length, 0);
  console.log(`dist/index.js and ${outputFiles.length - 1} pieces, ${bytes} bytes`);
}

/** One file that needs no other: TypeScript's declarations of what the entry gives away. */
async function writeDeclarations() {
  const folder = 'dist/types';
  const tsc = 'node_modules/typescript/bin/tsc';
  execFileSync(process.execPath, [tsc, '--project', 'tsconfig.library.json', '--outDir', folder]);
  const textOf = (file) => readFile(`${folder}/${file}.d.ts`, 'utf8');
  const [index, api, errors] = await Promise.all(['index', 'library/api', 'errors'].map(textOf));
  const [error] = /(?:\/\*\*(?:(?!\*\/).)*\*\/\n)?export declare class ConfigError .*?\n}\n/s.exec(
    errors,
  );
  const own = index.slice(index.lastIndexOf('/**'));
  const text = `${api.trim()}\n${error}${own}`;
  if (/\bfrom ['"]|\bimport\(/.test(text)) throw new Error(`it needs another file:\n${text}`);
  await rm(folder, { recursive: true });
  await writeFile('dist/index.d.ts', text);
}
