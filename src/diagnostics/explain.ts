import { type Group, isMissing, type Missing, type Reading } from '../metrics/reading.ts';
import type { Host, HostFile } from '../sources/rootfs.ts';
import type { Candidate } from '../sources/select.ts';

/** A file that was read, with its text as far as it is short, or why it could not be. */
export interface SeenFile {
  readonly path: string;
  readonly text: string;
}

/** A host that notes what is read through it. */
export interface RecordingHost extends Host {
  /** Begins a new list. */
  begin(name: string): void;
  readonly seen: ReadonlyMap<string, ReadonlyMap<string, string>>;
}

const LONGEST_TEXT = 160;

export function recordingHost(host: Host): RecordingHost {
  const seen = new Map<string, Map<string, string>>();
  let list = new Map<string, string>();
  const note = <Value>(path: string, read: () => Value): Value => {
    try {
      const value = read();
      list.set(path, shortened(String(value)));
      return value;
    } catch (error) {
      list.set(path, `(${error instanceof Error ? error.message : error})`);
      throw error;
    }
  };
  return {
    ...host,
    seen,
    begin(name) {
      list = new Map();
      seen.set(name, list);
    },
    file(path): HostFile {
      const file = host.file(path);
      return {
        path,
        read: () => note(path, file.read),
        head: (bytes) => note(path, () => file.head(bytes)),
      };
    },
    text: (path) => note(path, () => host.text(path)),
    link: (path) => note(path, () => host.link(path)),
  };
}

/** What `--explain` says, for people or for programs. */
export function explanation(
  candidates: readonly Candidate[],
  seen: RecordingHost['seen'],
  readings: readonly [Reading, Reading],
  figures: Readonly<Record<string, number | undefined>>,
  format: 'text' | 'json',
): string {
  const files = (name: string): SeenFile[] =>
    [...(seen.get(name) ?? [])].map(([path, text]) => ({ path, text }));
  const groups = Object.entries(readings[1]).filter(([, group]) => group !== undefined);
  if (format === 'json') {
    const all = candidates.map((candidate) => ({ ...candidate, files: files(candidate.name) }));
    return JSON.stringify({
      type: 'explanation',
      candidates: all,
      groups: Object.fromEntries(groups),
      figures,
    });
  }
  const lines = candidates.flatMap(({ name, isChosen, why }) => [
    `${isChosen ? '*' : ' '} ${name.padEnd(10)} ${isChosen ? 'chosen: ' : 'no: '}${why}`,
    ...files(name).map(({ path, text }) => `      ${path} = ${text}`),
  ]);
  const values = groups.map(([name, group]) => `  ${name}: ${groupText(group)}`);
  const shown = Object.entries(figures).map(([name, value]) => `  ${name}: ${value ?? 'absent'}`);
  return [
    'Sources, in the order in which they are tried:',
    ...lines,
    'Read from the chosen one:',
    ...values,
    'Which makes:',
    ...shown,
  ].join('\n');
}

function groupText(group: Group<unknown> | Missing | undefined): string {
  if (group === undefined) return 'nothing new';
  return isMissing(group) ? `absent: ${group.missing}` : JSON.stringify(group.values);
}

function shortened(text: string): string {
  const line = text.trim().replaceAll('\n', ' | ');
  return line.length > LONGEST_TEXT ? `${line.slice(0, LONGEST_TEXT)}…` : line;
}
