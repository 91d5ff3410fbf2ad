import { readFile } from 'node:fs/promises';
import { minify } from '@swc/core';
import { build, transform } from 'esbuild';

/** Loaded by Node before any program starts; a tick uses them. */
const IS_THERE = /"node:(?:fs|path|process)"/;

/**
 * The program as the body of one function. All modules share one scope, so that none pays for a wrapper;
 * each module of Node is required at its first use, so that a start pays for none that it does not use.
 *
 * @param options of esbuild
 * @param wrapped puts the body into the function that gives it `require`
 */
export async function bundle(options, wrapped) {
  const { outputFiles, metafile } = await build({
    ...options,
    bundle: true,
    write: false,
    metafile: true,
    platform: 'node',
    format: 'cjs',
    plugins: [oneScope],
  });
  checkHoisted(metafile);
  return smallest(wrapped(requireLate(outputFiles[0].text)), options.target);
}

/** @throws Error for an `import()` of ours in a form that is not known here: it would come with its wrapper */
function checkHoisted({ inputs }) {
  for (const [file, { imports }] of Object.entries(inputs)) {
    const left = imports.find(({ kind, external }) => kind === 'dynamic-import' && !external);
    if (left) throw new Error(`${file}: the import() of ${left.path} has not become an import`);
  }
}

/**
 * `await import('./x.ts')` becomes `import … from './x.ts'`. A function that nobody calls costs next to
 * nothing here; what esbuild wraps around every module that may come later is 11 kB.
 */
const oneScope = {
  name: 'one scope',
  setup({ onLoad }) {
    onLoad({ filter: /[/\\]src[/\\].*\.ts$/ }, async ({ path }) => {
      const imports = [];
      const hoist = (what, from) => imports.push(`import ${what} from ${from};`);
      const late = (from) => {
        const name = `late${imports.length}`;
        hoist(`* as ${name}`, from);
        return name;
      };
      const text = await readFile(path, 'utf8');
      const contents = text
        .replace(/const (\{[^{}]*\}) = await import\(('\.[^']+')\);/g, (_, names, from) => {
          hoist(names.replace(/:/g, ' as'), from);
          return '';
        })
        .replace(/\bawait import\(('\.[^']+')\)/g, (_, from) => late(from))
        .replace(/\bimport\(('\.[^']+')\)/g, (_, from) => `Promise.resolve(${late(from)})`);
      return { contents: `${contents}\n${imports.join('\n')}`, loader: 'ts' };
    });
  },
};

/**
 * `var import_x = require("x")` becomes a function that `import_x.y` calls, one for all modules. The call
 * stands in brackets: `new f().C()` would make an `f`.
 *
 * @throws Error where a module is required in another form: it would be loaded at each start
 */
function requireLate(text) {
  const firsts = new Map();
  const names = new Map();
  const body = text.replace(/^var (import_\w+) = (.*\brequire.*);$/gm, (_, name, module) => {
    const isThere = IS_THERE.test(module);
    const first = firsts.get(module) ?? name;
    names.set(name, isThere ? `the_${first}` : `(the_${first}())`);
    if (firsts.has(module)) return '';
    firsts.set(module, name);
    return `const the_${name} = ${isThere ? '' : '() => '}${module};`;
  });
  const late = body.replace(/\bimport_\w+/g, (name) => names.get(name) ?? name);
  const [left] = /^(?!const the_)\S.*\brequire\(".*|^.*\bimport_\w+.*/m.exec(late) ?? [];
  if (left !== undefined) throw new Error(`it is required at the start, not at its use: ${left}`);
  return late;
}

/** What one minifier leaves, the other finds: 3 % of the bytes, and 5 % of those that are packed. */
async function smallest(text, target) {
  const { code } = await transform(text, { minify: true, target, legalComments: 'none' });
  const small = await minify(code, {
    ecma: 2022,
    compress: { ecma: 2022, passes: 3, keep_fargs: false },
    mangle: true,
    // One byte a character in memory, too, where the text stays for functions that are yet to be compiled.
    format: { ascii_only: true },
  });
  return small.code;
}
