import { sleep } from '../clock.ts';
import { createFigures, PLACES } from '../metrics/figures.ts';
import type { Metric } from '../metrics/metric.ts';
import { hasOwnCgroupNamespace, signsOf, signsText } from '../sources/detect.ts';
import { type RootFile, type RootFs, shown } from '../sources/rootfs.ts';
import { ownCgroups, type SelectOptions } from '../sources/select.ts';
import { type Candidate, watchSource } from '../sources/watch.ts';

/** Long enough for a CPU figure, and for one answer of the task metadata endpoint. */
const SPAN_MS = 1000;
const LONGEST_TEXT = 160;

/** A file that was read, with its text as far as it is short, or why it could not be. */
interface SeenFile {
  readonly path: string;
  readonly text: string;
}

/** A root that notes what is read through it. */
interface RecordingRootFs extends RootFs {
  /** Begins a new list. */
  begin(name: string): void;
  readonly seen: ReadonlyMap<string, ReadonlyMap<string, string>>;
}

/** All that `--explain` says, before it is laid out. */
interface Explanation {
  readonly candidates: readonly Candidate[];
  readonly files: (name: string) => readonly SeenFile[];
  readonly signs: string;
  readonly notes: readonly string[];
  readonly figures: Readonly<Record<string, number | undefined>>;
  readonly absent: ReadonlyMap<string, string>;
}

/** Every source that could be, what it read, and the figures of the one that was chosen. */
export async function explainSource(
  options: SelectOptions,
  metrics: readonly Metric[],
  format: 'text' | 'json',
): Promise<string> {
  const { clock } = options;
  const fs = recordingRootFs(options.fs);
  const source = await watchSource({ ...options, fs, tryAll: true, onTry: fs.begin });
  const { signal } = new AbortController();
  fs.begin('reading');
  const figures = createFigures();
  const read = (): void => {
    figures.fill(Number.NaN);
    source.measure(clock.monoMs(), figures);
  };
  // What is polled has its first answer by then, and hands over the reading before it.
  await sleep(clock, SPAN_MS, signal);
  read();
  await sleep(clock, SPAN_MS, signal);
  read();
  const signs = signsOf(options.fs, ownCgroups(options.fs), options.own?.environment ?? {});
  const hides = options.platform === 'linux' && hasOwnCgroupNamespace(options.fs);
  const notes = [...source.history, ...(hides ? [HIDDEN_LIMITS] : [])];
  source.close();
  const explanation: Explanation = {
    candidates: source.candidates,
    files: (name) =>
      [...(fs.seen.get(name) ?? [])].map(([path, text]) => ({ path: shown(path), text })),
    signs: signsText(signs),
    notes,
    figures: Object.fromEntries(
      metrics.map(({ name, series }) => [name, rounded(figures[PLACES[series]])]),
    ),
    absent: source.absent,
  };
  return format === 'json' ? jsonText(explanation) : plainText(explanation);
}

const HIDDEN_LIMITS =
  'a limit above this cannot be seen from here (a cgroup namespace of its own): --cpu-limit and --memory-limit say it';

function rounded(value: number | undefined): number | undefined {
  return value === undefined || Number.isNaN(value) ? undefined : Math.round(value * 100) / 100;
}

function recordingRootFs(fs: RootFs): RecordingRootFs {
  const seen = new Map<string, Map<string, string>>();
  let list = new Map<string, string>();
  const note = <Value>(path: string, read: () => Value, told: (value: Value) => string): Value => {
    try {
      const value = read();
      list.set(path, shortened(told(value)));
      return value;
    } catch (error) {
      list.set(path, `(${error instanceof Error ? error.message : error})`);
      throw error;
    }
  };
  const bytes = (end: number): string => fs.buffer.toString('latin1', 0, end);
  return {
    ...fs,
    get buffer() {
      return fs.buffer;
    },
    seen,
    begin(name) {
      list = new Map();
      seen.set(name, list);
    },
    file(path): RootFile {
      const file = fs.file(path);
      return {
        path,
        head: (limit) => note(path, () => file.head(limit), bytes),
        whole: () => note(path, () => file.whole(), bytes),
        text: () => note(path, () => file.text(), String),
      };
    },
    text: (path) => note(path, () => fs.text(path), String),
    link: (path) => note(path, () => fs.link(path), String),
  };
}

function shortened(text: string): string {
  const line = Buffer.from(text, 'latin1').toString('utf8').trim().replaceAll('\n', ' | ');
  return line.length > LONGEST_TEXT ? `${line.slice(0, LONGEST_TEXT)}…` : line;
}

function jsonText({ candidates, files, absent, ...rest }: Explanation): string {
  const all = candidates.map((candidate) => ({ ...candidate, files: files(candidate.name) }));
  return JSON.stringify({
    type: 'explanation',
    candidates: all,
    read: files('reading'),
    ...rest,
    absent: Object.fromEntries(absent),
  });
}

function plainText({ candidates, files, signs, notes, figures, absent }: Explanation): string {
  const fileLines = (name: string): string[] =>
    files(name).map(({ path, text }) => `      ${path} = ${text}`);
  const lines = candidates.flatMap(({ name, isChosen, why }) => [
    `${isChosen ? '*' : ' '} ${name.padEnd(10)} ${isChosen ? 'chosen: ' : 'no: '}${why}`,
    ...fileLines(name),
  ]);
  return [
    'Sources, in the order in which they are tried:',
    ...lines,
    `Signs of a container (above 0) or a machine (below 0): ${signs}`,
    ...notes.map((note) => `Note: ${note}`),
    'Read from the chosen one:',
    ...fileLines('reading'),
    'Which makes:',
    ...Object.entries(figures).map(([name, value]) => `  ${name}: ${value ?? 'absent'}`),
    ...[...absent].map(([name, reason]) => `  ${name} cannot be measured: ${reason}`),
  ]
    .join('\n')
    .replace(/[^\P{Cc}\t\n]/gu, '?');
}
