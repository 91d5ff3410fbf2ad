import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, test } from 'node:test';
import { anchorsOf, linesOf, PAGES, proseOf, ROOT } from '../support/pages.ts';

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

  test('each page is one click from the README and from docs/README.md', () => {
    const pages = PAGES.filter((page) => !page.endsWith('README.md'));
    for (const from of ['README.md', 'docs/README.md']) {
      const reached = targetsOf(from).map((target) => normalize(join(dirname(from), target)));
      assert.deepEqual(
        pages.filter((page) => !reached.includes(page)),
        [],
        from,
      );
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

test('the README’s picture of the live screen and of a report have a text for who cannot see them', () => {
  const pictures = [...readFileSync(`${ROOT}README.md`, 'utf8').matchAll(/!\[([^\]]*)\]/g)];
  assert.equal(pictures.length, 2);
  for (const [, text = ''] of pictures) assert.ok(text.length > 20);
});

/** Where links and pictures lead, in the order of the page. */
function targetsOf(page: string): string[] {
  const text = proseOf(page).replaceAll(/`[^`]*`/g, '');
  return [...text.matchAll(/\]\(([^)]*)\)/g)].map(([, target = '']) => target);
}
