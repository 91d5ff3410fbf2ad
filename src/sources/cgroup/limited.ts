import { type Limit, RESCAN_MS } from '../limits.ts';

/** A level with the limit that was found there. */
export interface Limited<Level> extends Limit {
  readonly level: Level;
}

/** The container's own level first, with all that limits it; then limited levels above it. */
export type Loads<Level> = readonly [Limited<Level>, ...Limited<Level>[]];

/** What a container may use, at each level: read again every ten seconds. */
export abstract class LevelLimits<Level> {
  readonly own: Level;
  loads: Loads<Level>;
  #scannedMs = Number.NEGATIVE_INFINITY;

  constructor(own: Level) {
    this.own = own;
    this.loads = [{ level: own, value: Number.POSITIVE_INFINITY, from: 'nothing' }];
  }

  /** Reads the limits anew when they are older than {@link RESCAN_MS}. */
  refresh(nowMs: number): void {
    if (nowMs - this.#scannedMs >= RESCAN_MS) this.rescan(nowMs);
  }

  rescan(nowMs: number): void {
    this.#scannedMs = nowMs;
    this.loads = this.scan();
  }

  /** The limit as it is now: it may have been raised since it was read. */
  again({ level, value }: Limited<Level>, nowMs: number): number {
    this.rescan(nowMs);
    return this.loads.find((load) => load.level === level)?.value ?? value;
  }

  protected abstract scan(): Loads<Level>;
}
