/**
 * A line of bars shows so much time, or a little more; in the beginning what there is, a sample a column
 * as long as there is room.
 */
export const SPAN_MS = 300_000;
const BARS = ' ▁▂▃▄▅▆▇█';
/** Each of them fuller than the one before. */
const ASCII_BARS = ' _.-=+*%#';
const STEPS = 8;

/** The samples that a line of bars shows. */
export interface Course {
  /** Percent; NaN where nothing could be measured. */
  readonly samples: readonly number[];
  /** The largest of each column's samples, the newest column last. */
  readonly columns: readonly number[];
}

/** When samples were taken. */
export interface Pace {
  readonly intervalMs: number;
  /** The number of the newest sample since the start: a column keeps its samples while others come. */
  readonly newest: number;
}

/**
 * As many samples as so many columns show, and the columns.
 *
 * @param samples a number for each interval, the newest last
 */
export function courseOf(samples: readonly number[], pace: Pace, width: number): Course {
  const most = Math.ceil(SPAN_MS / pace.intervalMs / width);
  let each = 1;
  while (each < most && samples.length > each * width) each = Math.min(most, each * 2);
  const inNewest = (pace.newest % each) + 1;
  const shown = samples.slice(-((width - 1) * each + inNewest));
  const columns: number[] = [];
  for (let end = shown.length, size = inNewest; end > 0; end -= size, size = each) {
    const held = finite(shown.slice(Math.max(0, end - size), end));
    columns.unshift(held.length > 0 ? Math.max(...held) : Number.NaN);
  }
  return { samples: shown, columns };
}

export function finite(values: readonly number[]): readonly number[] {
  return values.filter(Number.isFinite);
}

/** Bars of 0 to 100 %, the topmost row first. A column without a sample is blank. */
export function bars(columns: readonly number[], height: number, isUtf8: boolean): string[] {
  const steps = isUtf8 ? BARS : ASCII_BARS;
  const levels = columns.map((percent) =>
    percent >= 0 ? Math.max(1, Math.round((Math.min(100, percent) / 100) * height * STEPS)) : 0,
  );
  return Array.from({ length: height }, (_, row) => {
    const below = (height - 1 - row) * STEPS;
    return levels.map((level) => steps[Math.max(0, Math.min(STEPS, level - below))]).join('');
  });
}
