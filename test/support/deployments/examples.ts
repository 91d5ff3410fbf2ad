import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from './tools.ts';

export const EXAMPLES: string = fileURLToPath(new URL('../../../examples', import.meta.url));
const DOCS = fileURLToPath(new URL('../../../docs', import.meta.url));
const VALIDATE = fileURLToPath(new URL('validate.py', import.meta.url));
/** The pages of the places. */
const PAGES = ['batch.md', 'container.md', 'ec2.md', 'ecs.md', 'kubernetes.md'];
/** What `ENTRYPOINT` of the image is; what follows is the agent's own. */
export const ENTRYPOINT = ['node', '/opt/agent.js'] as const;
export const IMAGE = '123456789012.dkr.ecr.eu-central-1.amazonaws.com/cloudwatch-metrics-agent';

type Json = Readonly<Record<string, unknown>>;
/** The documents of each YAML and JSON example, by its path below `examples/`. */
export type Documents = ReadonlyMap<string, readonly unknown[]>;

/** An agent's arguments as an example has them. */
export interface Line {
  readonly where: string;
  readonly args: readonly string[];
}

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

/** The value at a way of keys and places. */
export function at(value: unknown, ...way: readonly (string | number)[]): unknown {
  return way.reduce<unknown>((here, key) => {
    if (Array.isArray(here)) return here[Number(key)];
    return isObject(here) ? here[key] : undefined;
  }, value);
}

/** Paths below `examples/`, sorted. */
export function examplesLike(name: RegExp): string[] {
  const all = readdirSync(EXAMPLES, { recursive: true, encoding: 'utf8' });
  return all.filter((path) => name.test(path)).sort();
}

export function readDocuments(python: string): Documents {
  const paths = examplesLike(/\.(?:ya?ml|json)$/);
  const said = run(python, [VALIDATE, 'parse', ...paths.map((path) => join(EXAMPLES, path))]);
  const parsed: unknown = said.ok ? JSON.parse(said.stdout) : undefined;
  if (!isObject(parsed)) throw new Error(said.text);
  return new Map(
    paths.map((path) => {
      const documents = parsed[join(EXAMPLES, path)];
      return [path, Array.isArray(documents) ? documents : []];
    }),
  );
}

/** All objects in a value that name an image, which are containers. */
export function containersIn(value: unknown): Json[] {
  if (Array.isArray(value)) return value.flatMap(containersIn);
  if (!isObject(value)) return [];
  const own = typeof value['image'] === 'string' ? [value] : [];
  return [...own, ...Object.values(value).flatMap(containersIn)];
}

export function isAgent(container: Json): boolean {
  return String(container['image']).startsWith(IMAGE);
}

/** Each list of words in a value that starts the agent, by its file or as its image's arguments. */
export function linesIn(where: string, value: unknown): Line[] {
  if (isTexts(value)) {
    const script = value.findIndex((word) => word.endsWith('agent.js'));
    return script < 0 ? [] : [{ where, args: value.slice(script + 1) }];
  }
  if (Array.isArray(value)) {
    return value.flatMap((inner, place) => linesIn(`${where}[${place}]`, inner));
  }
  if (!isObject(value)) return [];
  const own = isAgent(value) ? [value['command'], value['args']].filter(isTexts) : [];
  return [
    ...own.map((args) => ({ where: `${where}.args`, args })),
    ...Object.entries(value).flatMap(([key, one]) => linesIn(`${where}.${key}`, one)),
  ];
}

/** Each line of shell in a unit, a Dockerfile or a page's code that starts the agent. */
function shellLinesIn(where: string, text: string): Line[] {
  const joined = text.replaceAll(/\\\n\s*/g, '');
  return joined.split('\n').flatMap((line): Line[] => {
    if (/^CMD \[/.test(line)) return linesIn(where, JSON.parse(line.slice('CMD '.length)));
    const [, byFile] = /node \S*agent\.js ([^|;&]+)/.exec(line) ?? [];
    const [, byImage] = new RegExp(`docker run .*${IMAGE}:\\S+ (--.+)`).exec(line) ?? [];
    const args = byFile ?? byImage;
    return args === undefined ? [] : [{ where: `${where}: ${line.trim()}`, args: words(args) }];
  });
}

function words(text: string): string[] {
  return (text.match(/(?:'[^']*'|"[^"]*"|\S)+/g) ?? []).map((word) => word.replaceAll(/['"]/g, ''));
}

/** The code of a page: what is indented by four, or fenced. */
function codeOf(page: string): string {
  const text = readFileSync(page, 'utf8');
  const fenced = [...text.matchAll(/^ *```\w*\n(.*?)^ *```/gms)].map(([, code = '']) => code);
  const indented = text.split('\n').filter((line) => line.startsWith('    '));
  return [...fenced, ...indented].join('\n');
}

/** All of them, in all examples and pages. */
export function allLines(documents: Documents): Line[] {
  const plain = examplesLike(/(?:\.service|Dockerfile)$/);
  return [
    ...[...documents].flatMap(([path, document]) => linesIn(path, document)),
    ...plain.flatMap((path) => shellLinesIn(path, readFileSync(join(EXAMPLES, path), 'utf8'))),
    ...PAGES.flatMap((page) => shellLinesIn(page, codeOf(join(DOCS, page)))),
  ];
}
