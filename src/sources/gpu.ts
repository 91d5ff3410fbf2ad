import type { ChildProcess, ChildProcessByStdio } from 'node:child_process';
import type { Readable } from 'node:stream';
import type { Clock } from '../clock.ts';
import { codeOf, reasonOf } from '../errors.ts';
import type { Figures, Meter } from '../metrics/figures.ts';
import { type GpuCard, parseGpuLine, putGpu } from '../metrics/gpu.ts';

export interface GpuOptions {
  readonly clock: Clock;
  readonly intervalMs: number;
  /** PATH, and what the driver's library wants. */
  readonly environment: Readonly<Record<string, string>>;
  /** One line, once: why there is nothing to measure. */
  readonly info: (message: string) => void;
}

const QUERY = 'index,utilization.gpu,memory.used,memory.total';
/** A card is asked that often; NVIDIA's own figure is a mean of up to a second. */
const LEAST_INTERVAL_MS = 1000;
/** What has not come for so long is no figure of now. */
const STALE_INTERVALS = 5;
const STALE_LEAST_MS = 10_000;
/** A line is about 30 bytes; what goes on without an end is none. */
const LONGEST_LINE = 4096;

/**
 * One `nvidia-smi` that goes on telling, as long as the run lasts: a spawn for each sample would cost
 * more than it tells. It is measured when there is news. Its absence, death or silence is said once.
 */
export class GpuMeter implements Meter {
  readonly #options: GpuOptions;
  readonly #cards = new Map<number, GpuCard>();
  readonly #staleMs: number;
  #child: ChildProcess | undefined;
  #newsMs: number;
  #hasNews = false;
  #rest = '';
  #hasSaid = false;
  #isClosed = false;

  constructor(options: GpuOptions) {
    const { clock, intervalMs } = options;
    this.#options = options;
    this.#staleMs = Math.max(STALE_LEAST_MS, intervalMs * STALE_INTERVALS);
    this.#newsMs = clock.monoMs();
    this.#start();
  }

  measure(nowMs: number, figures: Figures): void {
    if (this.#hasNews) {
      this.#hasNews = false;
      putGpu(figures, this.#cards.values());
    } else if (nowMs - this.#newsMs > this.#staleMs && this.#child !== undefined) {
      this.#give('nvidia-smi does not answer');
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#child?.kill('SIGKILL');
    this.#child = undefined;
  }

  async #start(): Promise<void> {
    const { spawn } = await import('node:child_process');
    if (this.#isClosed) return;
    const everyMs = Math.max(LEAST_INTERVAL_MS, this.#options.intervalMs);
    const argv = [`--query-gpu=${QUERY}`, '--format=csv,noheader,nounits', `-lms`, `${everyMs}`];
    // A terminal's Ctrl-C is not for it.
    const how = { env: this.#options.environment, detached: true };
    let child: ChildProcessByStdio<null, Readable, null>;
    try {
      child = spawn('nvidia-smi', argv, { ...how, stdio: ['ignore', 'pipe', 'ignore'] });
    } catch (error) {
      // Node's permission model, which says what allows it.
      if (codeOf(error) === undefined) throw error;
      return this.#give(`nvidia-smi cannot be started: ${reasonOf(error)}`);
    }
    child.unref();
    // Where the process is another's, its pipe must not keep it either.
    unrefPipe(child.stdout);
    this.#child = child;
    child.on('error', (error) => this.#give(`nvidia-smi cannot be started: ${error.message}`));
    child.on('exit', (code, signal) => this.#give(`nvidia-smi ended (${signal ?? code})`));
    child.stdout.setEncoding('latin1');
    child.stdout.on('data', (text: string) => this.#take(text));
  }

  #take(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = (lines.pop() ?? '').slice(0, LONGEST_LINE);
    for (const line of lines) {
      const card = parseGpuLine(line);
      if (card === undefined) continue;
      this.#cards.set(card.index, card);
      this.#hasNews = true;
      this.#newsMs = this.#options.clock.monoMs();
    }
  }

  #give(reason: string): void {
    if (this.#isClosed || this.#hasSaid) return;
    this.#hasSaid = true;
    this.#options.info(`no GPU figures: ${reason}`);
    this.#child?.kill('SIGKILL');
    this.#child = undefined;
    this.#cards.clear();
  }
}

/** A pipe is a socket, whatever its type says. */
function unrefPipe(pipe: object): void {
  if ('unref' in pipe && typeof pipe.unref === 'function') pipe.unref();
}
