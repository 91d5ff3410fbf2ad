import type { Clock } from './clock.ts';
import type { Fields, Log } from './log.ts';
import { type AggregateOptions, aggregate } from './metrics/aggregate.ts';
import { derive, latest } from './metrics/derive.ts';
import {
  type GroupName,
  isMissing,
  type Reading,
  type Sample,
  type Series,
  type Source,
} from './metrics/reading.ts';
import { Window } from './metrics/window.ts';
import type { Outcome, Sink } from './sinks/sink.ts';

/**
 * Readings that lie closer together say little: at 10 ms a tick, 0.5 s on one CPU is 2 % a step, and
 * a CPU quota's period of 100 ms makes 0.25 s read 80 to 121 % of the truth.
 */
const LEAST_SPAN_MS = 500;
/** A timer may be late and the next one on time, which is no reason to skip one. */
const TIMER_LATENESS = 0.8;

export interface AgentOptions {
  readonly source: Source;
  readonly sink: Sink;
  readonly clock: Clock;
  readonly log: Log;
  readonly intervalMs: number;
  readonly periodMs: number;
  /** Windows end at wall-clock multiples of the period; otherwise one window lasts until the stop. */
  readonly aligned: boolean;
  readonly aggregate: AggregateOptions;
  /** Sees each sample as it is taken. */
  readonly onSample?: (sample: Sample, wallMs: number) => void;
}

/** The loop: reads at each tick, closes a window at each boundary, flushes at the stop. */
export class Agent {
  readonly #options: AgentOptions;
  readonly #window = new Window();
  readonly #leastSpanMs: number;
  readonly #missing = new Set<GroupName>();
  #startedMs = 0;
  #windowStartMs = 0;
  #before: Reading | undefined;
  #readMs = 0;
  #samples = 0;
  #lastSample: Sample = {};
  #cancelTick: () => void = () => undefined;
  #stopped: Promise<Outcome> | undefined;

  constructor(options: AgentOptions) {
    this.#options = options;
    this.#leastSpanMs = Math.min(LEAST_SPAN_MS, options.intervalMs * TIMER_LATENESS);
  }

  /** Takes the baseline at once, then a sample every interval. */
  start(): void {
    const { clock, log, source } = this.#options;
    this.#startedMs = clock.monoMs();
    this.#openWindow(clock.wallMs());
    this.#read();
    log.info(source.describe());
    this.#schedule();
  }

  /**
   * The last sample, the last window, and out with what waits. A second call waits for the first.
   *
   * @param deadlineMs monotonic
   */
  stop(deadlineMs: number): Promise<Outcome> {
    this.#stopped ??= this.#finish(deadlineMs);
    return this.#stopped;
  }

  /** Takes a figure that no source reads, into the open window. */
  note(series: Series, value: number): void {
    this.#window.add(series, value);
  }

  status(): Fields {
    const { clock, sink } = this.#options;
    return {
      upSeconds: Math.round((clock.monoMs() - this.#startedMs) / 1000),
      samples: this.#samples,
      samplesInWindow: this.#window.samples,
      cpuPercent: rounded(this.#lastSample.cpu),
      memoryPercent: rounded(this.#lastSample.memory),
      ...sink.status(),
    };
  }

  /** On a grid from the start, so that neither lateness nor work adds up to a drift. */
  #schedule(): void {
    const { clock, intervalMs } = this.#options;
    const elapsedMs = clock.monoMs() - this.#startedMs;
    const earliestMs = elapsedMs + this.#leastSpanMs;
    const dueMs = Math.ceil(earliestMs / intervalMs) * intervalMs;
    this.#cancelTick = clock.after(Math.ceil(dueMs - elapsedMs), this.#tick);
  }

  readonly #tick = (): void => {
    this.#read();
    this.#schedule();
  };

  #read(): void {
    const { clock, source } = this.#options;
    const wallMs = clock.wallMs();
    this.#readMs = clock.monoMs();
    const reading = source.read(this.#readMs);
    this.#turn(wallMs);
    if (this.#before !== undefined) this.#take(derive(this.#before, reading), wallMs);
    this.#before = latest(this.#before, reading);
    this.#tellMissing(reading);
  }

  #take(sample: Sample, wallMs: number): void {
    if (sample.tick === undefined) return;
    this.#samples += 1;
    this.#lastSample = sample;
    this.#window.addSample(sample);
    this.#options.onSample?.(sample, wallMs);
  }

  /**
   * Closes the window when its time is over. A clock that was set back a little leaves the window open
   * until its end comes again, so that its label stays the only one of its kind; set back by more than
   * that, the labels follow the clock.
   */
  #turn(wallMs: number): void {
    const { aligned, periodMs, log } = this.#options;
    if (!aligned) return;
    const endMs = this.#windowStartMs + periodMs;
    const setBack = wallMs < this.#windowStartMs - periodMs;
    if (setBack) log.warn('the wall clock was set back; windows follow it');
    if (wallMs < endMs && !setBack) return;
    this.#closeWindow(endMs);
    this.#openWindow(wallMs);
  }

  #openWindow(wallMs: number): void {
    const { aligned, periodMs } = this.#options;
    this.#windowStartMs = aligned ? Math.floor(wallMs / periodMs) * periodMs : wallMs;
  }

  #closeWindow(endMs: number): void {
    const { sink, log, aggregate: how } = this.#options;
    const data = aggregate(this.#window, how);
    const { samples } = this.#window;
    this.#window.clear();
    if (data.length > 0) sink.accept({ startMs: this.#windowStartMs, endMs, samples, data });
    else log.debug('a window without samples, nothing to send');
  }

  async #finish(deadlineMs: number): Promise<Outcome> {
    const { clock, periodMs, sink, source } = this.#options;
    this.#cancelTick();
    const ageMs = clock.monoMs() - this.#readMs;
    if (ageMs >= this.#leastSpanMs || this.#samples === 0) this.#read();
    this.#closeWindow(Math.min(clock.wallMs(), this.#windowStartMs + periodMs));
    source.close();
    return sink.flush(deadlineMs);
  }

  /** Said once when something can no longer be measured, and once when it can be again. */
  #tellMissing(reading: Reading): void {
    let name: GroupName;
    for (name in reading) {
      const group = reading[name];
      if (group === undefined) continue;
      const wasMissing = this.#missing.size > 0 && this.#missing.has(name);
      if (isMissing(group) === wasMissing) continue;
      if (isMissing(group)) {
        this.#missing.add(name);
        this.#options.log.warn(`${name} cannot be measured`, { reason: group.missing });
      } else {
        this.#missing.delete(name);
        this.#options.log.warn(`${name} is measured again`);
      }
    }
  }
}

function rounded(percent: number | undefined): number | undefined {
  return percent === undefined ? undefined : Math.round(percent * 100) / 100;
}
