import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';

const { bundle } = await import(new URL('../../bundle.mjs', import.meta.url).href);
const base = mkdtempSync(join(tmpdir(), 'bundle '));
const folder = join(base, 'src');
mkdirSync(folder);
after(() => rmSync(base, { recursive: true, force: true }));

function bundled(entry: string): Promise<string> {
  writeFileSync(
    join(folder, 'later.ts'),
    `import { connect } from 'node:net';\nexport const later = (): unknown => connect(1);\n`,
  );
  const path = join(folder, 'entry.ts');
  writeFileSync(path, entry);
  const options = { entryPoints: [path], target: 'node18', absWorkingDir: folder };
  return bundle(options, (text: string) => text);
}

describe('the bundler', () => {
  test('makes imports of ours one scope, and modules of Node late', async () => {
    const text = await bundled(
      `export async function run(): Promise<unknown> {
         const { later } = await import('./later.ts');
         return later();
       }
       globalThis.setTimeout(run, 1);`,
    );
    assert.match(text, /=>\s*require\("node:net"\)/);
    assert.doesNotMatch(text, /Promise\.resolve/);
  });

  const UNKNOWN: Readonly<Record<string, string>> = {
    'over two lines': `import(\n'./later.ts')`,
    'in other quotes': 'import("./later.ts")',
    'in a template': 'import(`./later.ts`)',
  };
  for (const [form, text] of Object.entries(UNKNOWN)) {
    test(`refuses an import() of ours ${form}: it would come with its wrapper`, async () => {
      const entry = `globalThis.setTimeout(async () => (await ${text}).later(), 1);`;
      await assert.rejects(
        bundled(entry),
        /the import\(\) of .*later\.ts has not become an import/,
      );
    });
  }

  test('refuses a module that would be required at the start', async () => {
    const entry = `const net = require('node:net');\nglobalThis.setTimeout(() => net.connect(1), 1);`;
    await assert.rejects(bundled(entry), /required at the start, not at its use: .*node:net/);
  });
});
