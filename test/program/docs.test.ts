import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { CATALOG } from '../../src/metrics/catalog.ts';
import { anchorsOf, linesOf, PAGES, proseOf, ROOT } from '../support/pages.ts';
import { AGENT } from '../support/program.ts';

/** Two screens, and three. */
const README_LINES = 160;
const PAGE_LINES = 150;

describe('the README and docs/', () => {
  for (const page of PAGES) {
    const most = page === 'README.md' ? README_LINES : PAGE_LINES;
    test(`${page} has at most ${most} lines, and one title`, () => {
      const lines = linesOf(page);
      assert.ok(lines.length <= most, String(lines.length));
      assert.match(lines[0] ?? '', /^# /);
      assert.equal(proseOf(page).match(/^# /gm)?.length, 1);
    });

    test(`${page} links to what is there`, () => {
      for (const target of targetsOf(page)) {
        if (/^[a-z]+:/.test(target)) {
          assert.ok(URL.canParse(target) && target.startsWith('https://'), target);
          continue;
        }
        const [path = '', anchor] = target.split('#');
        const file = path === '' ? page : normalize(join(dirname(page), path));
        assert.ok(!file.startsWith('..') && existsSync(ROOT + file), target);
        if (anchor === undefined) continue;
        assert.ok(statSync(ROOT + file).isFile() && anchorsOf(file).has(anchor), target);
      }
    });
  }

  test('each page is one click from docs/README.md, and at most two from the README', () => {
    const pages = PAGES.filter((page) => !page.endsWith('README.md'));
    const near = pagesOf('README.md');
    const far = near.filter((page) => PAGES.includes(page)).flatMap(pagesOf);
    for (const reached of [pagesOf('docs/README.md'), [...near, ...far]]) {
      const missing = pages.filter((page) => !reached.includes(page));
      assert.deepEqual(missing, []);
    }
  });

  test('the page of each place is one click from the README', () => {
    const near = pagesOf('README.md');
    for (const place of ['ecs', 'batch', 'kubernetes', 'ec2', 'container']) {
      assert.ok(near.includes(`docs/${place}.md`), place);
    }
  });

  test('no line of prose ends in the middle of a mark', () => {
    for (const page of PAGES) {
      const marks = proseOf(page).match(/`/g)?.length ?? 0;
      assert.equal(marks % 2, 0, page);
    }
  });

  test('each table has as many cells in a row as in its head', () => {
    for (const page of PAGES) {
      let columns = 0;
      for (const line of linesOf(page)) {
        const cells = line.startsWith('|') ? line.match(/(?<!\\)\|/g)?.length : 0;
        if (columns > 0 && cells) assert.equal(cells, columns, `${page}: ${line}`);
        columns = cells ?? 0;
      }
    }
  });
});

test('the README names metrics that there are, and says rightly which are sent unasked', () => {
  const rows = linesOf('README.md').filter((line) =>
    /\| (?:sent unasked|unasked with a job|by `--metrics`) \|$/.test(line),
  );
  assert.ok(rows.length >= 5);
  for (const row of rows) {
    for (const [, name] of (row.split('|')[1] ?? '').matchAll(/`(\w+)`/g)) {
      const metric = CATALOG.find((one) => one.name === name);
      assert.ok(metric, name);
      assert.equal(metric.unasked.includes('median'), row.endsWith('| sent unasked |'), name);
    }
  }
});

test('the house in docs/design.md shows each folder of src/, and none that is not there', () => {
  const tree =
    /^src\/\n(.*?)^```$/ms.exec(readFileSync(`${ROOT}docs/design.md`, 'utf8'))?.[1] ?? '';
  const shown = [...tree.matchAll(/^ {2}(\w+)\/ /gm)].map(([, name]) => name);
  const there = readdirSync(`${ROOT}src`, { withFileTypes: true });
  const folders = there.filter((one) => one.isDirectory()).map(({ name }) => name);
  assert.deepEqual(shown.sort(), folders.sort());
});

test('the size of the program in the pages is its size, within one in fifty', () => {
  const page = readFileSync(`${ROOT}docs/performance.md`, 'utf8');
  const [, said = '', packed = ''] = /\| bundle \| (\d+) kB, (\d+) kB gzip \|/.exec(page) ?? [];
  const bytes = readFileSync(AGENT);
  for (const [told, size] of [
    [Number(said), bytes.length],
    [Number(packed), gzipSync(bytes).length],
  ] as const) {
    assert.ok(Math.abs(told * 1000 - size) < size / 50, `${told} kB, but ${size} bytes`);
  }
  const readme = readFileSync(`${ROOT}README.md`, 'utf8');
  assert.ok(readme.includes(`one file of ${(bytes.length / 1e6).toFixed(1)} MB`));
});

test('the README’s picture of the live screen and of a report have a text for who cannot see them', () => {
  const pictures = [
    ...readFileSync(`${ROOT}README.md`, 'utf8').matchAll(/!\[([^\]]*)\]|<img [^>]*alt="([^"]*)"/g),
  ];
  assert.equal(pictures.length, 2);
  for (const [, text, other] of pictures) assert.ok((text ?? other ?? '').length > 20);
});

/** The files that a page links to, by their path below the root. */
function pagesOf(page: string): string[] {
  return targetsOf(page).map((target) =>
    normalize(join(dirname(page), target.split('#')[0] ?? '')),
  );
}

/** Where links and pictures lead, in the order of the page. */
function targetsOf(page: string): string[] {
  const text = proseOf(page).replaceAll(/`[^`]*`/g, '');
  return [...text.matchAll(/\]\(([^)]*)\)|(?:href|src)="([^"]*)"/g)].map(
    ([, target, other]) => target ?? other ?? '',
  );
}
