// Over 200 lines: what a frame is made of, and when and where it is written, share one state.
import type { Clock } from '../clock.ts';
import type { Fields } from '../log.ts';
import { type AggregateOptions, aggregate, type ClosedWindow } from '../metrics/aggregate.ts';
import { CATALOG } from '../metrics/catalog.ts';
import { type Figures, PLACES } from '../metrics/figures.ts';
import { gridBefore, SECOND_MS } from '../metrics/labels.ts';
import type { Statistics } from '../metrics/metric.ts';
import { bytesMonth, metricsMonth, metricsOf, PRICES, requestsMonth } from '../metrics/price.ts';
import type { Publication } from '../metrics/publication.ts';
import type { Window } from '../metrics/window.ts';
import { fold, harmless } from './columns.ts';
import { datumText, plural } from './console.ts';
import { frame, type Price, type View } from './frame.ts';
import type { Gauge } from './gauge.ts';
import type { Outcome, Sink } from './sink.ts';
import { SPAN_MS } from './spark.ts';
import type { Drawn, Terminal } from './terminal.ts';

/** What is measured, in words. */
export interface Measured {
  readonly scope: string;
  readonly source: string;
  /** `0.5 CPU`; empty where there is no limit. */
  readonly cpuLimit: string;
  readonly hasMemoryLimit: boolean;
}

export interface ScreenOptions {
  readonly terminal: Terminal;
  readonly clock: Clock;
  readonly intervalMs: number;
  readonly periodMs: number;
  readonly publication: Publication;
  /** The open window, and what becomes of it. */
  readonly window: Window;
  readonly aggregate: AggregateOptions;
  readonly measured: () => Measured;
  /** What a window takes over OTLP. */
  readonly otlpBytes: (window: ClosedWindow) => number;
  /** And as EMF lines. */
  readonly emfBytes: (window: ClosedWindow) => number;
  /** Kinds of outputs, as they are set. */
  readonly kinds: readonly string[];
  readonly source: {
    readonly absent: ReadonlyMap<string, string>;
    /** Another one has a course of its own. */
    readonly scopeNumber: number;
  };
  /** What was warned of, the newest last. */
  readonly said: readonly string[];
}

const HIDE_CURSOR = '\x1b[?25l';
const SHOW_CURSOR = '\x1b[?25h';
const ERASE_LINE = '\x1b[K';
const ERASE_BELOW = '\x1b[J';
/** A wider terminal shows no longer course. */
const MOST_COLUMNS = 500;
/** Limits change in place; to look for them is some reading of files. */
const LOOK_MS = 10_000;
const MOST_SAID = 3;
/** Lines of the log can be read so long, as far as this many rows are left for the frame. */
const READING_MS = 10_000;
const LEAST_ROWS = 10;
const MEBIBYTE = 2 ** 20;
const GIBIBYTE = 2 ** 30;
/** Sizes from here on are in GiB. */
const LARGE_BYTES = 8 * GIBIBYTE;

/** The live view of a dry run: drawn anew in place each second, one write a frame. */
export class Screen implements Sink, Drawn {
  readonly #options: ScreenOptions;
  readonly #terminal: Terminal;
  readonly #clock: Clock;
  readonly #startedMs: number;
  /** Percent, a number for each interval. */
  #cpu: number[] = [];
  #memory: number[] = [];
  /** The number of the newest. */
  #newest = -1;
  #scopeNumber = 0;
  /** Cores in use and in all, bytes in use and in all. */
  #cores = Number.NaN;
  #allCores = Number.NaN;
  #bytes = Number.NaN;
  #allBytes = Number.NaN;
  #measured: Measured;
  #lookedMs = 0;
  /** Metrics that have had a datum. */
  readonly #billed = new Set<string>();
  #otlpBytes = 0;
  #emfBytes = 0;
  #windows = 0;
  #hasEnded = false;

  /** Columns of each line of the frame that is on the terminal. */
  #drawn: readonly number[] = [];
  #rows = 0;
  /** Lines of frames that a smaller terminal has pushed out; they come back when it grows. */
  #outside = 0;
  /** Lines of the log that are being read above it. */
  #above = 0;
  #readUntilMs = 0;
  #isHidingCursor = false;
  #isClosed = false;
  #cancel: () => void = () => undefined;

  /** Draws the first frame at once. */
  constructor(options: ScreenOptions) {
    this.#options = options;
    this.#terminal = options.terminal;
    this.#clock = options.clock;
    this.#startedMs = this.#clock.monoMs();
    this.#measured = this.#look();
    this.#terminal.attach(this);
    this.#tick();
  }

  readonly sample = (figures: Figures): void => {
    const of = (place: number): number => figures[place] ?? Number.NaN;
    if (this.#options.source.scopeNumber !== this.#scopeNumber) this.#forget();
    const number = Math.round(this.#intervals());
    this.#passUntil(number - 1);
    const cpu = of(PLACES.cpu);
    if (number > this.#newest) this.#add(cpu, of(PLACES.memory));
    this.#cores = of(PLACES.cpuCores);
    // Less is a rounding error's, and more than the whole is cut off.
    if (cpu > 0.1 && cpu < 100) this.#allCores = (100 * this.#cores) / cpu;
    this.#bytes = of(PLACES.memoryUsed);
    this.#allBytes = of(PLACES.memoryLimit);
  };

  accept(window: ClosedWindow): void {
    this.#windows += 1;
    this.#weigh(window);
  }

  /** The most that a window has taken: one that has just begun tells less. */
  #weigh(window: ClosedWindow): void {
    for (const { name } of window.data) this.#billed.add(name);
    if (window.data.length === 0) return;
    const { otlpBytes, emfBytes } = this.#options;
    this.#otlpBytes = Math.max(this.#otlpBytes, otlpBytes(window));
    this.#emfBytes = Math.max(this.#emfBytes, emfBytes(window));
  }

  async flush(): Promise<Outcome> {
    this.#hasEnded = true;
    this.draw();
    this.close();
    return { sent: this.#windows, spooled: 0, lost: 0, lostAtEnd: 0, isStuck: false };
  }

  status(): Fields {
    return { windowsShown: this.#windows };
  }

  readonly draw = (): void => {
    if (!this.#isClosed) this.#write([]);
  };

  readonly line = (text: string): boolean => {
    if (this.#isClosed) return false;
    const columns = Math.max(1, this.#terminal.size().columns - 1);
    const lines = text.split('\n').map((line) => harmless(line, this.#terminal.isUtf8));
    this.#write(lines.flatMap((line) => fold(line, columns)));
    this.#outside = 0;
    return true;
  };

  readonly pause = (): void => {
    if (this.#isHidingCursor) this.#terminal.write(SHOW_CURSOR);
    this.#isHidingCursor = false;
    this.#drawn = [];
    this.#outside = 0;
  };

  readonly close = (): void => {
    this.#cancel();
    this.pause();
    this.#isClosed = true;
  };

  /** At the wall clock's seconds, so that the countdown goes evenly. */
  readonly #tick = (): void => {
    this.draw();
    this.#cancel = this.#clock.after(SECOND_MS - (this.#clock.wallMs() % SECOND_MS), this.#tick);
  };

  #write(above: readonly string[]): void {
    const { columns, rows: all } = this.#terminal.size();
    const nowMs = this.#clock.monoMs();
    this.#above = above.length + (nowMs < this.#readUntilMs ? this.#above : 0);
    if (above.length > 0) this.#readUntilMs = nowMs + READING_MS;
    const kept = Math.min(this.#above, Math.max(0, all - LEAST_ROWS));
    const rows = frame(this.#view(), { ...this.#terminal, columns, rows: all - kept });
    const up = this.#linesUp(columns, all);
    const begin = (this.#isHidingCursor ? '' : HIDE_CURSOR) + (up > 0 ? `\x1b[${up}A\r` : '\r');
    const lines = [...above, ...rows.map(({ text }) => text)];
    const text = lines.map((line) => `${line}${ERASE_LINE}\r\n`).join('');
    this.#terminal.write(begin + text + ERASE_BELOW);
    this.#isHidingCursor = true;
    this.#drawn = rows.map((row) => row.columns);
  }

  /** How far above the cursor the frame before begins, on a terminal that may have another size by now. */
  #linesUp(columns: number, rows: number): number {
    const up = this.#drawn.reduce((sum, width) => sum + Math.max(1, Math.ceil(width / columns)), 0);
    const grown = this.#rows === 0 ? 0 : rows - this.#rows;
    this.#rows = rows;
    const back = Math.min(this.#outside, Math.max(0, grown));
    const inside = Math.min(up + back, rows - 1);
    this.#outside += up - inside;
    return inside;
  }

  #view(): View {
    const { intervalMs, source, said, window, aggregate: how } = this.#options;
    // A sample that is late is not missing.
    this.#passUntil(Math.floor(this.#intervals()) - 2);
    if (this.#clock.monoMs() - this.#lookedMs >= LOOK_MS) this.#measured = this.#look();
    const data = aggregate(window, how);
    const nowMs = this.#clock.wallMs();
    this.#weigh({ startMs: nowMs, endMs: nowMs, samples: window.samples, data });
    const width = Math.max(...data.map(({ name }) => name.length));
    const absent = [...source.absent].map(([name, reason]) => `no ${name}: ${reason}`);
    const isNews = (text: string): boolean => !absent.some((line) => line.endsWith(`: ${text}`));
    return {
      ...this.#measured,
      gauges: this.#gauges(),
      intervalMs,
      newest: this.#newest,
      next: this.#next(data.length),
      datums:
        data.length > 0
          ? data.map((datum) => `${datum.name.padEnd(width)}  ${datumText(datum)}`)
          : how.metrics.map(({ name }) => name),
      prices: this.#prices(),
      pricesOf: `us-east-1, ${PRICES.asOf}`,
      warnings: [...absent, ...said.slice(-MOST_SAID).filter(isNews)],
    };
  }

  #gauges(): Gauge[] {
    const { cpuLimit, hasMemoryLimit } = this.#measured;
    return [
      {
        name: 'CPU',
        samples: this.#cpu,
        used: cpuText(this.#cores),
        limit: cpuLimit || cpuText(this.#allCores),
        isLimited: cpuLimit !== '',
      },
      {
        name: 'Memory',
        samples: this.#memory,
        used: sizeText(this.#bytes),
        limit: sizeText(this.#allBytes),
        isLimited: hasMemoryLimit,
      },
    ];
  }

  /** When the open window goes, and where to. */
  #next(datums: number): string {
    if (this.#hasEnded) return `ended: ${plural(this.#windows, 'window')} shown`;
    const { periodMs, publication, kinds } = this.#options;
    const wallMs = this.#clock.wallMs();
    const leftMs = gridBefore(wallMs, periodMs) + periodMs - wallMs;
    const dimensions = publication.dimensions.map(({ Name, Value }) => `${Name}=${Value}`);
    const by = kinds.join() === 'cloudwatch' ? '' : `, by ${kinds.join(', ')}`;
    const where = [publication.namespace, ...dimensions].join(', ');
    return `in ${Math.ceil(leftMs / SECOND_MS)} s: ${plural(datums, 'datum')} to ${where}${by}`;
  }

  /** What is billed is what has had a datum; as long as nothing has, what is asked for. What is set stands first. */
  #prices(): Price[] {
    const { periodMs, aggregate: how, kinds } = this.#options;
    const told = how.metrics.filter(({ name }) => this.#billed.has(name));
    const metrics = told.length > 0 ? told : how.metrics;
    const price = (model: string, count: number, dollars: number): Price => [
      model,
      plural(count, 'metric'),
      `$${dollars.toFixed(2)}`,
    ];
    const countOf = (kind: Statistics): number => metricsOf(kind, metrics, CATALOG).length;
    const classic = (['median', 'distribution'] as const).map((kind) =>
      price(`${kind}s`, countOf(kind), metricsMonth(countOf(kind)) + requestsMonth(periodMs)),
    );
    if (how.statistics === 'distribution') classic.reverse();
    const [first, second] = classic;
    const otlp = bytesMonth(periodMs, this.#otlpBytes, PRICES.otlpGigabyte);
    const count = countOf(how.statistics);
    const logs = bytesMonth(periodMs, this.#emfBytes, PRICES.logsGigabyte);
    const rows: readonly (readonly [row: Price | undefined, isSet: boolean])[] = [
      [first, kinds.includes('cloudwatch')],
      [second, false],
      [price('OTLP', 0, otlp), kinds.includes('otlp')],
      [price('EMF', count, metricsMonth(count) + logs), kinds.includes('emf')],
    ];
    return [true, false].flatMap((which) =>
      rows.flatMap(([row, isSet]) =>
        row === undefined || isSet !== which || (row[0] === 'EMF' && !isSet) ? [] : [row],
      ),
    );
  }

  #look(): Measured {
    this.#lookedMs = this.#clock.monoMs();
    return this.#options.measured();
  }

  /** No course spans two scopes. */
  #forget(): void {
    this.#scopeNumber = this.#options.source.scopeNumber;
    this.#cpu = [];
    this.#memory = [];
    this.#allCores = Number.NaN;
    this.#measured = this.#look();
  }

  #intervals(): number {
    return (this.#clock.monoMs() - this.#startedMs) / this.#options.intervalMs;
  }

  /** Nothing was measured until this number. */
  #passUntil(number: number): void {
    this.#newest = Math.max(this.#newest, number - this.#most());
    while (this.#newest < number) this.#add(Number.NaN, Number.NaN);
  }

  #add(cpu: number, memory: number): void {
    this.#newest += 1;
    this.#cpu = [...this.#cpu, cpu].slice(-this.#most());
    this.#memory = [...this.#memory, memory].slice(-this.#most());
  }

  #most(): number {
    return Math.ceil(SPAN_MS / this.#options.intervalMs) + MOST_COLUMNS;
  }
}

function cpuText(cores: number): string {
  return cores >= 0 ? `${Math.round(cores * 100) / 100} CPU` : '';
}

function sizeText(bytes: number): string {
  if (!(bytes >= 0)) return '';
  if (bytes < LARGE_BYTES) return `${Math.round(bytes / MEBIBYTE)} MiB`;
  return `${(bytes / GIBIBYTE).toFixed(1)} GiB`;
}
