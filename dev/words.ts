import type { Flag, FlagTable, Switch } from '../src/config/flags.ts';
import { GROUPS } from '../src/config/help.ts';
import { CATALOG } from '../src/metrics/catalog.ts';

export type Row = Flag<unknown> | Switch;

/** What may stand behind a flag: words, or a file, or several of the words between commas. */
export interface Values {
  readonly words: readonly string[];
  readonly isFile: boolean;
  readonly isFolder: boolean;
  readonly isList: boolean;
}

export function rowsOf({ flags, switches }: FlagTable): readonly Row[] {
  return [...flags, ...switches];
}

/** The help's groups with their rows. */
export function groupsOf(table: FlagTable): readonly (readonly [title: string, rows: Row[]])[] {
  return GROUPS.map(([title, names]) => [
    title,
    names.split(' ').flatMap((name) => rowsOf(table).filter((row) => row.name === name)),
  ]);
}

/** Read from the placeholder: `auto|always|never`, `FILE`, `json|text|none|FILE`, `otlp[=URL]`. */
export function valuesOf(row: Row): Values | undefined {
  if (!('value' in row)) return undefined;
  const isList = row.value === 'LIST';
  const choices = row.value.split(/\|(?![^[]*\])/);
  const words = isList
    ? ['default', 'all', ...CATALOG.map(({ name }) => name)]
    : choices.map((choice) => /^[a-z-]+:?(?=[A-Z[]|$)/.exec(choice)?.[0] ?? '');
  return {
    words: words.filter((word) => word !== ''),
    isFile: choices.some((choice) => choice.startsWith('FILE')),
    isFolder: row.value === 'DIR',
    isList,
  };
}

export function isRepeatable(row: Row): boolean {
  return row.meaning.includes('repeatable');
}
