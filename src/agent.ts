// Over 200 lines: the loop, and when a window begins and ends, which follow from one clock.
import type { Clock } from './clock.ts';
import type { Fields, Log } from './log.ts';
import {
  type AggregateOptions,
  aggregate,
  type ClosedWindow,
  type Datum,
} from './metrics/aggregate.ts';
import { createFigures, type Figures, figureOf, type Series } from './metrics/figures.ts';
import { gridBefore, type Labels, SECOND_MS, SLEW, STEP_MS } from './metrics/labels.ts';
import type { Window } from './metrics/window.ts';
import type { Outcome, Sink } from './sinks/sink.ts';
import type { Source } from './sources/source.ts';

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
  /** All metrics were asked for at once: a figure that its scope never had is no surprise. */
  readonly wantsAll?: boolean;
  readonly aggregate: AggregateOptions;
  /** Collects what is published; its other inlets are delivery's own health, and custom metrics. */
  readonly window: Window;
  /** What windows are called. */
  readonly labels: Labels;
  /** Sees each sample as it is taken; the figures are the next sample's after that. */
  readonly onSample?: (figures: Figures, wallMs: number) => void;
  /** What else the window says that closes. */
  readonly more?: () => readonly Datum[];
  readonly onWindow?: (window: ClosedWindow) => void;
}

/** What everybody wants to be measured, by the names that sources give it. */
const ESSENTIAL = new Set(['CPU and memory', 'cpu', 'memory', 'task statistics']);
/** The loop: measures at each tick, closes a window at each boundary, flushes at the stop. */
export class Agent {
  readonly #options: AgentOptions;
  readonly #figures: Figures = createFigures();
  readonly #leastSpanMs: number;
  readonly #missing = new Map<string, string>();
  /** Of these the ones that are no surprise. */
  readonly #unsurprising = new Set<string>();
  #windows = 0;
  #scopeNumber = 0;
  #startedMs = 0;
  #open: OpenWindow = NOTHING_OPEN;
  #readMs = 0;
  #samples = 0;
  #sampledMs = 0;
  #cpu: number | undefined;
  #memory: number | undefined;
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
    this.#scopeNumber = source.scopeNumber;
    this.#openWindow(0);
    this.#measure();
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

  /**
   * What is measured so far goes at once; what comes after it has a label of its own.
   *
   * @param deadlineMs for a stop that is on its way already: it ends by then
   */
  hurry(deadlineMs: number): void {
    if (this.#stopped === undefined) {
      this.#sampleUnlessFresh();
      this.#closeWindow(false);
      this.#openWindow(0, true);
    }
    this.#options.sink.hurry?.(deadlineMs);
  }

  /** Takes a figure that no source reads, into the open window. */
  note(series: Series, value: number): void {
    this.#options.window.add(series, value);
  }

  /** What is measured, as the start line says it. */
  get scope(): string {
    return this.#options.source.describe();
  }

  /** Windows that had something to tell. */
  get windows(): number {
    return this.#windows;
  }

  status(): Fields {
    const { clock, sink } = this.#options;
    return {
      upSeconds: Math.round((clock.monoMs() - this.#startedMs) / 1000),
      samples: this.#samples,
      samplesInWindow: this.#options.window.samples,
      cpuPercent: rounded(this.#cpu),
      memoryPercent: rounded(this.#memory),
      scope: this.scope,
      lastSample: this.#samples === 0 ? undefined : this.#sampledAt(),
      notMeasured: [...this.#missing].map((one) => one.join(': ')).join('; ') || undefined,
      ...sink.status(),
    };
  }

  /** By the wall clock as it is now. */
  #sampledAt(): string {
    const { clock } = this.#options;
    return new Date(clock.wallMs() - clock.monoMs() + this.#sampledMs).toISOString();
  }

  /** On a grid from the start, so that neither lateness nor work adds up to a drift. */
  #schedule(): void {
    const { clock, intervalMs } = this.#options;
    const elapsedMs = this.#readMs - this.#startedMs;
    const earliestMs = elapsedMs + this.#leastSpanMs;
    const dueMs = Math.ceil(earliestMs / intervalMs) * intervalMs;
    this.#cancelTick = clock.after(Math.ceil(dueMs - elapsedMs), this.#tick);
  }

  readonly #tick = (): void => {
    try {
      this.#sample();
    } finally {
      this.#schedule();
    }
  };

  /** What a tick tells belongs to the window in which it was measured. */
  #sample(): void {
    const { aligned, clock, onSample, window } = this.#options;
    const figures = this.#figures;
    this.#measure();
    if (aligned && this.#readMs >= this.#open.endMonoMs) this.#turn();
    if (!window.addFigures(figures)) return;
    this.#samples += 1;
    this.#sampledMs = this.#readMs;
    this.#cpu = figureOf(figures, 'cpu') ?? this.#cpu;
    this.#memory = figureOf(figures, 'memory') ?? this.#memory;
    onSample?.(figures, clock.wallMs());
  }

  #measure(): void {
    const { clock, source } = this.#options;
    this.#readMs = clock.monoMs();
    this.#figures.fill(Number.NaN);
    if (source.measure(this.#readMs, this.#figures)) this.#noteChanges();
  }

  #noteChanges(): void {
    this.#reportAbsent();
    if (this.#options.source.scopeNumber !== this.#scopeNumber) this.#changeScope();
  }

  /** No figure spans two scopes: what the window holds of the scope before is not published. */
  #changeScope(): void {
    const { source, window, log } = this.#options;
    this.#scopeNumber = source.scopeNumber;
    const { samples } = window;
    window.clear();
    log.info('the scope has changed', { scope: source.describe(), samplesDiscarded: samples });
  }

  #turn(): void {
    const { periodMs } = this.#options;
    this.#closeWindow(true);
    this.#openWindow(Math.min(STEP_MS + periodMs * SLEW, periodMs / 4));
  }

  /**
   * Windows end where the wall clock, as it is now, reaches a multiple of the period.
   *
   * @param earlyMs the window before may have ended so much too early, by a clock that is being
   *   corrected: what is left of its period is no window
   * @param isRest the beginning of its period has gone already
   */
  #openWindow(earlyMs: number, isRest = false): void {
    const { aligned, clock, periodMs, labels } = this.#options;
    const setMs = labels.setMs();
    const [monoMs, wallMs] = [clock.monoMs(), clock.wallMs()];
    const leftMs = gridBefore(wallMs + earlyMs, periodMs) + periodMs - wallMs;
    const endMonoMs = aligned ? monoMs + leftMs : Number.POSITIVE_INFINITY;
    this.#open = { monoMs, wallMs, setMs, earlyMs, endMonoMs, isRest };
  }

  /** @param isOver whether the period is */
  #closeWindow(isOver: boolean): void {
    const { aligned, sink, log, aggregate: how, window, clock, periodMs, labels } = this.#options;
    const { more, onWindow } = this.#options;
    const data = [...aggregate(window, how), ...(more?.() ?? [])];
    const { samples } = window;
    window.clear();
    if (data.length === 0) {
      log.debug('a window without samples, nothing to send');
      return;
    }
    const wallMs = this.#startWallMs();
    const startMs = labels.take(
      wallMs + (aligned ? this.#open.earlyMs : 0),
      this.#open.isRest ? SECOND_MS : periodMs,
    );
    const nowMs = clock.wallMs();
    const lastMs = this.#open.isRest ? nowMs : startMs + periodMs;
    const endMs = isOver || (aligned && nowMs > lastMs) ? lastMs : nowMs;
    this.#windows += 1;
    const closed = { startMs, endMs: Math.max(endMs, startMs), samples, data };
    sink.accept(closed);
    onWindow?.(closed);
  }

  /** When the open window began, by the wall clock as it is now: one that was set was wrong before. */
  #startWallMs(): number {
    const { labels, log } = this.#options;
    const { wallMs, setMs } = this.#open;
    const stepMs = labels.setMs() - setMs;
    if (stepMs === 0) return wallMs;
    log.warn('the wall clock was set; windows follow it', { bySeconds: Math.round(stepMs / 1000) });
    return wallMs + stepMs;
  }

  #sampleUnlessFresh(): void {
    const ageMs = this.#options.clock.monoMs() - this.#readMs;
    if (ageMs >= this.#leastSpanMs || this.#samples === 0) this.#sample();
  }

  async #finish(deadlineMs: number): Promise<Outcome> {
    const { sink, source } = this.#options;
    this.#cancelTick();
    this.#sampleUnlessFresh();
    this.#closeWindow(false);
    source.close();
    return sink.flush(deadlineMs);
  }

  /** Said once when something can no longer be measured, and once when it can be again. */
  #reportAbsent(): void {
    const { source, log, wantsAll = false } = this.#options;
    const isNewScope = this.#samples === 0 || source.scopeNumber !== this.#scopeNumber;
    const levelOf = (name: string): 'info' | 'warn' =>
      this.#unsurprising.has(name) ? 'info' : 'warn';
    for (const [name, reason] of source.absent) {
      if (!this.#missing.has(name)) {
        if (wantsAll && isNewScope && !ESSENTIAL.has(name)) this.#unsurprising.add(name);
        log[levelOf(name)](`${name} cannot be measured`, { reason });
      }
      this.#missing.set(name, reason);
    }
    for (const name of this.#missing.keys()) {
      if (source.absent.has(name)) continue;
      this.#missing.delete(name);
      log[levelOf(name)](`${name} is measured again`);
      this.#unsurprising.delete(name);
    }
  }
}

/** When a window began, by each clock, and when it is to end. */
interface OpenWindow {
  readonly monoMs: number;
  readonly wallMs: number;
  /** By how much the clock had been set until then. */
  readonly setMs: number;
  /** So much later than the start lies the point of the grid that it may belong to. */
  readonly earlyMs: number;
  readonly endMonoMs: number;
  /** What is left of a period whose beginning has gone already: it is called by its own first second. */
  readonly isRest: boolean;
}

const NOTHING_OPEN: OpenWindow = {
  ...{ monoMs: 0, wallMs: 0, setMs: 0, earlyMs: 0, endMonoMs: 0, isRest: false },
};

function rounded(percent: number | undefined): number | undefined {
  return percent === undefined ? undefined : Math.round(percent * 100) / 100;
}
