import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { LIBRARY } from '../support/library.ts';
import { start } from '../support/program.ts';
import { awsOf, startCloudwatch } from '../support/service/cloudwatch.ts';

const PAGE = fileURLToPath(new URL('../../docs/library.md', import.meta.url));
const page = readFileSync(PAGE, 'utf8');
const OPTIONS_PAGE = fileURLToPath(new URL('../../docs/library-options.md', import.meta.url));
/** What callers' compilers read. */
const declarations = readFileSync(new URL('../../dist/index.d.ts', import.meta.url), 'utf8');

/** The members of an interface, each with the first of its comment. */
function membersOf(name: string): [member: string, comment: string][] {
  const [, body = ''] =
    new RegExp(`export interface ${name}[^{]*\\{\\n(.*?)\\n\\}`, 's').exec(declarations) ?? [];
  const member = /(?: {4}\/\*\*((?:(?!\*\/).)*)\*\/\n)? {4}(?:readonly )?(\w+)\??[:(<]/gs;
  return [...body.matchAll(member)].map(([, comment = '', one = '']) => [
    one,
    comment
      .replace(/\n\s*\*/g, ' ')
      .replace(/\s+/g, ' ')
      .trim(),
  ]);
}

function optionsTable(): string {
  const rows = membersOf('AgentOptions').map(([name, comment]) => {
    const [, type = ''] =
      new RegExp(` {4}readonly ${name}\\?: (.*) \\| undefined;\\n`).exec(declarations) ?? [];
    const shown = type.replace(/^\((.*)\)$/, '$1').replaceAll('|', '\\|');
    return `| \`${name}\` | \`${shown}\` | ${comment.replaceAll('|', '\\|')} |`;
  });
  return ['| option | type | |', '|---|---|---|', ...rows].join('\n');
}

test('the table of the options is of the declarations', () => {
  const block = `<!-- options -->\n${optionsTable()}\n<!-- /options -->`;
  const before = readFileSync(OPTIONS_PAGE, 'utf8');
  const renewed = before.replace(/<!-- options -->.*<!-- \/options -->/s, () => block);
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(OPTIONS_PAGE, renewed);
  else assert.equal(before, renewed);
});

describe('the page tells of each', () => {
  for (const name of ['MetricsAgent', 'AgentEvents', 'AgentError', 'AgentStatus', 'Delivered']) {
    test(`member of ${name}`, () => {
      const members = membersOf(name).map(([member]) => member);
      assert.ok(members.length > 1);
      assert.deepEqual(
        members.filter((member) => member !== 'name' && !new RegExp(`\\b${member}\\b`).test(page)),
        [],
      );
    });
  }
  for (const name of ['Sample', 'MetricsWindow', 'WindowMetric', 'Delivery']) {
    test(`member of ${name}`, () => {
      const missing = membersOf(name).filter(([member]) => !page.includes(`\`${member}\``));
      assert.deepEqual(missing, []);
    });
  }
});

describe('an example that runs as it stands', () => {
  const examples = [...page.matchAll(/```js\n(.*?)```/gs)].map(([, text = '']) => text);
  assert.ok(examples.length >= 6);
  const file = new URL('../../examples/library.mjs', import.meta.url);
  for (const [index, text] of [...examples, readFileSync(file, 'utf8')].entries()) {
    test(`${index + 1}, ${text.split('\n').find((line) => line.includes('agent.')) ?? ''}`, async (t) => {
      const cloudwatch = await startCloudwatch();
      t.after(() => cloudwatch.close());
      const script = text.replace(`'cloudwatch-metrics-agent'`, JSON.stringify(LIBRARY));
      const argv = ['--input-type=module', '-e', script];
      const program = start(process.execPath, argv, { environment: awsOf(cloudwatch) });
      assert.equal(await program.ended, 0, program.stderr());
      if (text.includes('.put(')) assert.ok(cloudwatch.accepted.length > 0, program.stdout());
    });
  }
});
