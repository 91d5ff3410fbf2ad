/** What labels are made of. */
export interface LabelsOptions {
  readonly clock: { monoMs(): number; wallMs(): number };
  /** Milliseconds since the boot, time of suspension included; NaN where that is not known. */
  readonly uptimeMs: () => number;
  readonly periodMs: number;
  /** Labels lie on wall-clock multiples of the period. */
  readonly isAligned: boolean;
}

/** A wall clock that differs from the monotonic one by more than this since the last look was set. */
export const STEP_MS = 1000;
/** Or by this share of the time since: ntpd corrects a clock by 0.5 ms in a second, and no faster. */
export const SLEW = 0.001;
export const SECOND_MS = 1000;
const HOUR_MS = 3_600_000;

/** Labels that were given: each point of a grid from one to another. */
interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

interface Instant {
  readonly monoMs: number;
  readonly wallMs: number;
  readonly uptimeMs: number;
}

/**
 * The labels of windows: on the grid of the period where that is free, and none of them twice. It also
 * tells by how much the wall clock was set, which makes labels wrong that nobody has seen yet.
 */
export class Labels {
  readonly #options: LabelsOptions;
  /** The newest last: one, but for a clock that was set. */
  #taken: Span[] = [];
  #seen: Instant;
  #setMs = 0;
  readonly #followers: ((byMs: number) => void)[] = [];
  /** What the last step made of labels: a window that waits in several places keeps one. */
  #moved = new Map<number, number>();

  constructor(options: LabelsOptions) {
    this.#options = options;
    this.#seen = this.#now();
  }

  /** Calls each `listener` as soon as it is noticed that the wall clock was set. */
  follow(listener: (byMs: number) => void): void {
    this.#followers.push(listener);
  }

  /**
   * By how much the wall clock has been set since the start, as it is now. What the time since the boot
   * shares was a suspension, and the clock was right before.
   */
  setMs(): number {
    const before = this.#seen;
    const now = this.#now();
    this.#seen = now;
    const lengthMs = now.monoMs - before.monoMs;
    const leastMs = STEP_MS + lengthMs * SLEW;
    const isStep = (ms: number): boolean => Math.abs(ms) >= leastMs;
    const stepMs = now.wallMs - before.wallMs - lengthMs;
    const sleptMs = now.uptimeMs - before.uptimeMs - lengthMs;
    const byMs = stepMs - (sleptMs >= leastMs ? sleptMs : 0);
    if (!isStep(stepMs) || !isStep(byMs)) return this.#setMs;
    this.#setMs += byMs;
    this.#moved = new Map();
    for (const follower of this.#followers) follower(byMs);
    return this.#setMs;
  }

  /**
   * @param gridMs the period; a second for what is left of one whose beginning has gone already
   * @returns the label of a window that began then: the first free second from its point of the grid on
   */
  take(startMs: number, gridMs: number = this.#options.periodMs): number {
    const { periodMs, isAligned } = this.#options;
    let label = isAligned ? gridBefore(startMs, gridMs) : startMs;
    while (this.#isTaken(label)) label += SECOND_MS;
    const newest = this.#taken.at(-1);
    const gapMs = newest === undefined ? 0 : label - newest.toMs;
    const isNext = gapMs > 0 && gapMs <= HOUR_MS && gapMs % periodMs === 0;
    if (newest !== undefined && isNext) this.#taken.pop();
    this.#taken.push({ fromMs: isNext ? (newest?.fromMs ?? label) : label, toMs: label });
    return label;
  }

  /**
   * Other labels for windows that nobody has seen under theirs, after the clock was set.
   *
   * @param labels in the order of the windows
   */
  move(labels: readonly number[], byMs: number): readonly number[] {
    if (this.#followers.length < 2) {
      for (const label of [...labels].reverse()) this.#release(label);
      return labels.map((label) => this.take(label + byMs));
    }
    // A label stays taken: what waits in one place may have been sent from another.
    return labels.map((label) => {
      const moved = this.#moved.get(label) ?? this.take(label + byMs);
      this.#moved.set(label, moved);
      return moved;
    });
  }

  #release(label: number): void {
    const at = this.#taken.findIndex((span) => this.#holds(span, label));
    const span = this.#taken[at];
    if (span === undefined) return;
    const { periodMs } = this.#options;
    const parts = [
      { fromMs: span.fromMs, toMs: label - periodMs },
      { fromMs: label + periodMs, toMs: span.toMs },
    ];
    this.#taken.splice(at, 1, ...parts.filter(({ fromMs, toMs }) => fromMs <= toMs));
  }

  #isTaken(label: number): boolean {
    return this.#taken.some((span) => this.#holds(span, label));
  }

  #holds({ fromMs, toMs }: Span, label: number): boolean {
    const { periodMs } = this.#options;
    return label >= fromMs && label <= toMs && (label - fromMs) % periodMs === 0;
  }

  #now(): Instant {
    const { clock, uptimeMs } = this.#options;
    return { monoMs: clock.monoMs(), wallMs: clock.wallMs(), uptimeMs: uptimeMs() };
  }
}

/** The last point of the grid that is not after a time. */
export function gridBefore(timeMs: number, gridMs: number): number {
  return Math.floor(timeMs / gridMs) * gridMs;
}
