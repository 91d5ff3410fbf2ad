import { type Clock, sleep } from '../clock.ts';
import type { ClosedWindow } from '../metrics/aggregate.ts';
import type { Sink } from './sink.ts';

/** Windows that wait while it is loaded, which takes milliseconds. */
const MAX_EARLY = 60;

/** A sink that is there before what it stands for. */
export interface LazySink extends Sink {
  /** Loads that right after what runs now. Once; what fails ends the program, unless somebody hears of it. */
  load(open: () => Promise<Sink>, onFault?: (error: unknown) => void): void;
}

/**
 * A sink that is loaded while sampling already runs. Windows that close before it is there are handed over
 * when it is.
 */
export function lazySink(clock: Clock): LazySink {
  const early: ClosedWindow[] = [];
  let lost = 0;
  let loaded: Sink | undefined;
  let hurriedMs: number | undefined;
  let loading: Promise<Sink> | undefined;
  return {
    load(open, onFault) {
      loading = sleep(clock, 0, new AbortController().signal).then(async () => {
        loaded = await open();
        for (const window of early.splice(0)) loaded.accept(window);
        if (hurriedMs !== undefined) loaded.hurry?.(hurriedMs);
        return loaded;
      });
      if (onFault) loading.catch(onFault);
    },
    accept(window) {
      if (loaded !== undefined) return loaded.accept(window);
      early.push(window);
      if (early.length <= MAX_EARLY) return;
      early.shift();
      lost += 1;
    },
    flush: (deadlineMs) =>
      new Promise((resolve, reject) => {
        const cancel = clock.after(Math.max(0, deadlineMs - clock.monoMs()), () => {
          const all = lost + early.length;
          resolve({ sent: 0, spooled: 0, lost: all, lostAtEnd: all, isStuck: false });
        });
        loading?.then((sink) => {
          cancel();
          resolve(sink.flush(deadlineMs));
        }, reject);
      }),
    hurry(deadlineMs) {
      hurriedMs = deadlineMs;
      loaded?.hurry?.(deadlineMs);
    },
    status: () => loaded?.status() ?? { windowsWaiting: early.length, windowsLost: lost },
  };
}
