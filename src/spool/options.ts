import type { Clock } from '../clock.ts';
import type { Adopt, PendingWindows } from '../delivery/store.ts';
import type { Log } from '../log.ts';
import type { Disk } from './disk.ts';

export interface SpoolOptions {
  readonly disk: Disk;
  readonly limitBytes: number;
  /** A name that no other process has, nor another output of this one: hexadecimal digits. */
  readonly owner: string;
  /** The output whose windows these are: what another one's orphans hold is not for it. */
  readonly output: string;
  readonly namespace: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly pending: PendingWindows;
  readonly adopt: Adopt;
}
