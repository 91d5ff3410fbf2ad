import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import type { HealthSeries } from '../metrics/figures.ts';

/** Where delivery's own figures go, where they are asked for. */
export type Health = (series: HealthSeries, value: number) => void;

const HOUR_MS = 3_600_000;
const NONE = { windowsSent: 0, windowsDropped: 0, publishErrors: 0, latencyMostMs: 0 };

/** Counts what delivery does: in all, for the metrics of the open window, and for a line an hour. */
export class Stats {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #health: Health;
  #total = { sent: 0, lost: 0 };
  #hour = { ...NONE };
  #hourStartMs: number;
  #acceptedAt: string | undefined;

  constructor(clock: Clock, log: Log, health: Health) {
    this.#clock = clock;
    this.#log = log;
    this.#health = health;
    this.#hourStartMs = clock.monoMs();
  }

  /** Windows since the start. */
  get total(): { readonly sent: number; readonly lost: number } {
    return this.#total;
  }

  /** When the last request was accepted. */
  get acceptedAt(): string | undefined {
    return this.#acceptedAt;
  }

  sent(): void {
    this.#total = { ...this.#total, sent: this.#total.sent + 1 };
    this.#hour.windowsSent += 1;
    this.#health('windowsSent', 1);
  }

  lost(): void {
    this.#total = { ...this.#total, lost: this.#total.lost + 1 };
    this.#hour.windowsDropped += 1;
    this.#health('windowsDropped', 1);
  }

  /** An attempt, and how long the service took where it accepted. */
  attempted(isAccepted: boolean, tookMs: number): void {
    if (isAccepted) {
      this.#acceptedAt = new Date(this.#clock.wallMs()).toISOString();
      this.#hour.latencyMostMs = Math.max(this.#hour.latencyMostMs, Math.round(tookMs));
      this.#health('publishLatency', tookMs);
    } else {
      this.#hour.publishErrors += 1;
      this.#health('publishErrors', 1);
    }
  }

  /** A window begins: what does not happen in it counts as 0, since it is known. */
  begin(): void {
    for (const series of ['windowsSent', 'windowsDropped', 'publishErrors'] as const) {
      this.#health(series, 0);
    }
    if (this.#clock.monoMs() - this.#hourStartMs < HOUR_MS) return;
    this.#log.info('the last hour', this.#hour);
    this.#hour = { ...NONE };
    this.#hourStartMs = this.#clock.monoMs();
  }
}
