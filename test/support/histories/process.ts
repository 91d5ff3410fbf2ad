import type { Clock } from '../../../src/clock.ts';
import type { Form } from '../../../src/cloudwatch/form.ts';
import { Sender } from '../../../src/delivery/sender.ts';
import type { Verdict } from '../../../src/delivery/verdict.ts';
import { createLog } from '../../../src/log.ts';
import { cloudwatchService } from '../../../src/sinks/cloudwatch.ts';
import { Spool } from '../../../src/spool/spool.ts';
import type { DrivenClock } from '../clock.ts';
import { datumOf, PUBLICATION } from '../sink.ts';
import type { MemoryDisk, MemoryFolder } from './memory-disk.ts';

const PERIOD = 60_000;
/** Two beats. */
const SURE_MS = 10_000;

interface Flight {
  readonly keys: readonly string[];
  /** How much was logged before it. */
  readonly lines: number;
  /** Its process had heard of its segments a moment ago. */
  readonly isSure: boolean;
  /** It had not, and its disk did not answer: a request is not kept for that. */
  readonly isUnheard: boolean;
  readonly resolve: (verdict: Verdict) => void;
}

/** `--buffer` and `--spool-limit`. */
export interface Limits {
  readonly bufferBytes: number;
  readonly spoolBytes: number;
}

/** One agent's sink with its spool, until it is killed. */
export class Process {
  readonly sink: Sender<Form>;
  readonly owner: string;
  readonly #folder: MemoryFolder;
  readonly #disk: MemoryDisk;
  flight: Flight | undefined;
  readonly logged: string[] = [];
  #isAlive = true;
  #isPaused = false;
  /** When it last heard that a segment was still its own. */
  #touchedMs = 0;
  readonly #clock: DrivenClock;
  /** What fell due while it stood still. */
  readonly #late: (() => void)[] = [];

  constructor(folder: MemoryFolder, clock: DrivenClock, random: () => number, limits: Limits) {
    this.#folder = folder;
    this.#clock = clock;
    this.#disk = folder.open();
    this.#disk.touching = () => {
      const askedMs = clock.monoMs();
      return () => {
        this.#touchedMs = askedMs;
      };
    };
    const mortal: Clock = {
      monoMs: clock.monoMs,
      wallMs: clock.wallMs,
      after: (delayMs, task) => {
        const run = (): void => {
          if (this.#isPaused) this.#late.push(task);
          else if (this.#isAlive) task();
        };
        return clock.after(delayMs, run);
      },
    };
    const log = createLog({
      level: 'debug',
      format: 'text',
      clock,
      write: (line) => this.logged.push(line),
    });
    const digits = (): string => Math.floor(random() * 2 ** 32).toString(16);
    this.owner = digits() + digits();
    this.sink = new Sender({
      publication: PUBLICATION,
      resolve: (dimensions) => Promise.resolve(dimensions),
      prepare: () => Promise.resolve({}),
      service: cloudwatchService(
        ({ body }, timeoutMs) =>
          new Promise((resolve) => {
            const { isSure } = this;
            const isUnheard = !isSure && (folder.isFailing || folder.isBusy(this.#disk));
            const lines = this.logged.length;
            const flight = { keys: keysIn(body(0)), lines, isSure, isUnheard, resolve };
            this.flight = flight;
            mortal.after(timeoutMs, () => {
              if (this.flight === flight) this.answer('retry');
            });
          }),
      ),
      periodMs: PERIOD,
      jitterMs: 15_000,
      bufferBytes: limits.bufferBytes,
      openStore: (pending, adopt) =>
        new Spool({
          disk: this.#disk,
          limitBytes: limits.spoolBytes,
          owner: this.owner,
          output: 'cloudwatch',
          namespace: PUBLICATION.namespace,
          clock: mortal,
          log,
          pending,
          adopt,
        }),
      health: () => undefined,
      remedyFor: () => undefined,
      clock: mortal,
      log,
      random,
    });
  }

  close(number: number, datums: number, clock: Clock): void {
    const startMs = Math.floor(clock.wallMs() / PERIOD) * PERIOD - PERIOD;
    const data = Array.from({ length: datums }, (_, place) => ({
      ...datumOf([number]),
      name: `M${place}`,
    }));
    this.sink.accept({ startMs, endMs: startMs + PERIOD, samples: 1, data });
  }

  answer(kind: Verdict['kind']): void {
    const { flight } = this;
    this.flight = undefined;
    const nothing = { code: kind, message: '', requestId: '', members: [], waitMs: 0 };
    flight?.resolve({ ...nothing, kind });
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** It heard of its segments a moment ago. */
  get isSure(): boolean {
    return this.#clock.monoMs() - this.#touchedMs <= SURE_MS;
  }

  /** It owns that file, and has read it. */
  knows(name: string): boolean {
    return this.isQuiet && this.#disk.hasTouched(name);
  }

  /** It has done all that it had to do. */
  get isQuiet(): boolean {
    return !this.#isPaused && !this.#folder.isBusy(this.#disk);
  }

  /** It stands still, as by SIGSTOP: nothing of it runs, while time goes on. */
  pause(): void {
    this.#isPaused = true;
    this.#disk.isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#disk.isPaused = false;
    for (const task of this.#late.splice(0)) task();
  }

  /** Windows that it says are lost. */
  get lost(): number {
    return Number(this.sink.status()['windowsLost']);
  }

  /** Never heard of again. */
  kill(part: number): void {
    this.#isAlive = false;
    this.#folder.kill(this.#disk, part);
    this.flight = undefined;
  }
}

/** The datums of a request, as `window.place`: the one is their value, the other in their name. */
function keysIn(body: string): string[] {
  const datums = body.matchAll(/\.MetricName=M(\d+)&.*?\.Value=(\d+)/g);
  return [...datums].map(([, place, window]) => `${window}.${place}`);
}
