import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const FIXTURES = fileURLToPath(new URL('../fixtures/', import.meta.url));
/** A fixture's links, path to target (`test/fixtures/make.mjs`). */
const LINKS = 'links.json';

/** A folder that stands for `/`, to be removed with {@link Root.remove}. */
export interface Root {
  readonly path: string;
  /** Writes files in place, so that kept descriptors see the new text, as with the kernel's files. */
  write(files: Readonly<Record<string, string>>): void;
  /** Lays a fixture's instant over what is there. */
  lay(fixture: string, instant: 't0' | 't1'): void;
  /** Lays symbolic links, path to target. */
  link(links: Readonly<Record<string, string>>): void;
  remove(): void;
}

export function makeRoot(files: Readonly<Record<string, string>> = {}): Root {
  const path = mkdtempSync(join(tmpdir(), 'agent-root-'));
  const root: Root = {
    path,
    write(more) {
      for (const [name, text] of Object.entries(more)) {
        const target = join(path, name);
        mkdirSync(dirname(target), { recursive: true });
        writeFileSync(target, text, 'latin1');
      }
    },
    lay: (fixture, instant) => layTree(join(FIXTURES, fixture, instant), path),
    link: (links) => layLinks(links, path),
    remove: () => rmSync(path, { recursive: true, force: true }),
  };
  root.write(files);
  return root;
}

/** Files are overwritten in place; a fresh inode would leave kept descriptors with the old text. */
function layTree(from: string, to: string): void {
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) {
      mkdirSync(target, { recursive: true });
      layTree(source, target);
    } else if (entry.name === LINKS) {
      layLinks(JSON.parse(readFileSync(source, 'utf8')), to);
    } else {
      copyFileSync(source, target);
    }
  }
}

function layLinks(links: Readonly<Record<string, string>>, root: string): void {
  for (const [path, points] of Object.entries(links)) {
    const link = join(root, path);
    mkdirSync(dirname(link), { recursive: true });
    rmSync(link, { force: true });
    symlinkSync(points, link);
  }
}
