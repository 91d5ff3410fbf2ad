import { metricData, putMetricData } from '../cloudwatch/datum.ts';
import { encodePages } from '../cloudwatch/form.ts';
import type { Fields } from '../log.ts';
import type { ClosedWindow, Datum } from '../metrics/aggregate.ts';
import { type Figures, figureOf } from '../metrics/figures.ts';
import type { Entity, Publication } from '../metrics/publication.ts';
import type { Lines } from './lines.ts';
import type { Outcome, Sink } from './sink.ts';

export interface ConsoleOptions {
  readonly publication: Publication;
  readonly format: 'text' | 'json';
  /** 100 where percentages are shown as fractions, else 1. */
  readonly percentScale: number;
  readonly lines: Lines;
  /** What the metrics are of, or why that is not known; empty where nobody asked. */
  readonly entity?: Entity | string;
  /** Windows go to CloudWatch's PutMetricData. */
  readonly isClassic?: boolean;
  /** What other outputs would send. */
  readonly others?: readonly ((window: ClosedWindow) => readonly string[])[];
}

/** Shows samples as they are taken, and windows as they would be sent. */
export class ConsoleSink implements Sink {
  readonly #options: ConsoleOptions;
  #windows = 0;
  #leftOut = 0;

  constructor(options: ConsoleOptions) {
    this.#options = options;
  }

  readonly sample = (sample: Figures, wallMs: number): void => {
    const cpu = figureOf(sample, 'cpu');
    const memory = figureOf(sample, 'memory');
    const figures = {
      ...(cpu === undefined ? undefined : { CPUUtilization: this.#scaled(cpu) }),
      ...(memory === undefined ? undefined : { MemoryUtilization: this.#scaled(memory) }),
    };
    const time = new Date(wallMs).toISOString();
    if (this.#options.format === 'json') {
      this.#write(JSON.stringify({ type: 'sample', time, ...figures }));
    } else {
      const shown = Object.entries(figures).map(([name, value]) => `${name} ${value}`);
      this.#write(`${time}  ${shown.join('  ')}`);
    }
  };

  accept(window: ClosedWindow): void {
    const { publication, format, isClassic = true, others = [] } = this.#options;
    for (const line of others.flatMap((show) => show(window))) this.#write(line);
    if (!isClassic) {
      this.#windows += 1;
      return;
    }
    const publishable = { ...window, publication };
    const data = metricData(publishable);
    const { entity = '' } = this.#options;
    const isKnown = typeof entity !== 'string';
    const request = putMetricData(publication.namespace, data, isKnown ? entity : undefined);
    const pages = encodePages(publishable, undefined, () => (isKnown ? entity : undefined));
    const requestBytes = pages.reduce((sum, { bytes }) => sum + bytes, 0);
    this.#windows += 1;
    const start = new Date(window.startMs).toISOString();
    const end = new Date(window.endMs).toISOString();
    const { samples } = window;
    if (format === 'json') {
      const line = { type: 'window', start, end, samples, requestBytes, request };
      this.#write(JSON.stringify(line));
      return;
    }
    const billed = new Set(data.map(({ MetricName }) => MetricName)).size;
    const dimensions = publication.dimensions.map(({ Name, Value }) => `${Name}=${Value}`);
    this.#write(`window ${start} to ${end}: ${samples} samples, to ${publication.namespace}`);
    for (const datum of window.data) this.#write(`  ${datumLine(datum)}  ${dimensions.join(' ')}`);
    const of = isKnown ? Object.values(entity.keys).join(' ') : entity;
    if (of !== '') this.#write(`  entity: ${of}`);
    this.#write(
      `  ${plural(pages.length, 'request')} of ${requestBytes} bytes, ${billed} billed metrics`,
    );
  }

  async flush(deadlineMs: number): Promise<Outcome> {
    await this.#options.lines.drained(deadlineMs);
    return { sent: this.#windows, spooled: 0, lost: 0, lostAtEnd: 0, isStuck: false };
  }

  status(): Fields {
    return { windowsShown: this.#windows, linesLeftOut: this.#leftOut };
  }

  #write(line: string): void {
    if (this.#leftOut > 0 && this.#options.lines.write(this.#missedLine())) this.#leftOut = 0;
    if (this.#leftOut > 0 || !this.#options.lines.write(line)) this.#leftOut += 1;
  }

  #missedLine(): string {
    const missed = this.#leftOut;
    return this.#options.format === 'json'
      ? JSON.stringify({ type: 'missed', lines: missed })
      : `(${missed} lines left out: the reader was too slow)`;
  }

  #scaled(percent: number): number {
    const scale = this.#options.percentScale;
    return Math.round((percent / scale) * 100 * scale) / (100 * scale);
  }
}

function datumLine(datum: Datum): string {
  const { name, samples, least, most } = datum;
  return `${name} ${datumText(datum)} (${samples} samples, min ${least}, max ${most})`;
}

/** `28.4 Percent` */
export function datumText({ unit, values, counts }: Datum): string {
  return `${counts === undefined ? values[0] : `${values.length} distinct values`} ${unit}`;
}

export function plural(count: number, noun: string): string {
  return count === 1 ? `1 ${noun}` : `${count} ${noun}s`;
}
