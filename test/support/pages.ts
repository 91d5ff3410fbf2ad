import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const ROOT: string = fileURLToPath(new URL('../../', import.meta.url));

/** The README and the pages in docs/, by their path below the root. */
export const PAGES: readonly string[] = [
  'README.md',
  ...readdirSync(`${ROOT}docs`)
    .filter((name) => name.endsWith('.md'))
    .sort()
    .map((name) => `docs/${name}`),
];

export function linesOf(page: string): string[] {
  return readFileSync(ROOT + page, 'utf8')
    .replace(/\n$/, '')
    .split('\n');
}

/** The text without its blocks of code. */
export function proseOf(page: string): string {
  return linesOf(page)
    .join('\n')
    .replaceAll(FENCED, '')
    .replaceAll(/^ {4,}.*$/gm, '');
}

const FENCED = /^( *)```[\s\S]*?^\1```$/gm;
/** What a command begins with. Files, tables and output do not. */
const COMMAND =
  /^(?:[A-Z_]+=\S+ )*(?:agent\.js|apt-get|aws|bash|cd|cloudwatch-metrics-agent|cosign|cp|curl|docker|export|gh|git|kubectl|man|mkdir|node|npm|npx|openssl|pip|podman|ps|python3?|sh|sha256sum|source|ss|sudo|systemctl|tar|tini)(?: |$)/;

export interface Block {
  /** The page and the block's first line. */
  readonly where: string;
  readonly lines: readonly string[];
}

/** Blocks of code that begin with a command, or a comment above one; fenced or indented. */
export function commandBlocks(page: string): Block[] {
  const blocks: Block[] = [];
  const lines = linesOf(page);
  let open: { fence: string | undefined; at: number; lines: string[] } | undefined;
  const close = (): void => {
    if (open !== undefined) blocks.push({ where: `${page}:${open.at}`, lines: open.lines });
    open = undefined;
  };
  for (const [index, line] of lines.entries()) {
    const fence = /^ *```/.exec(line)?.[0];
    if (open?.fence !== undefined) {
      if (line === open.fence) close();
      else open.lines.push(line.trim());
    } else if (fence !== undefined) {
      close();
      open = { fence, at: index + 2, lines: [] };
    } else if (/^ {4,}\S/.test(line)) {
      open ??= { fence: undefined, at: index + 1, lines: [] };
      open.lines.push(line.trim());
    } else if (line.trim() !== '') close();
  }
  close();
  return blocks.filter(({ lines }) =>
    COMMAND.test(lines.find((line) => !/^#|^$/.test(line)) ?? ''),
  );
}

/** Commands of a block: continued lines are one, comments and blank lines none. */
export function commandsOf(block: Block): string[] {
  return block.lines
    .join('\n')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
    .map((line) => line.replace(/(?:^|\s)#\s.*$/, '').trim())
    .filter((line) => line !== '');
}

/** What GitHub makes of a heading. */
export function anchorsOf(page: string): Set<string> {
  const headings = linesOf(page).filter((line) => /^#+ /.test(line));
  return new Set(
    headings.map((line) =>
      line
        .replace(/^#+ /, '')
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}
