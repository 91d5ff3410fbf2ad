import type { Clock } from '../clock.ts';
import type { Mirrored } from '../delivery/store.ts';
import type { Log } from '../log.ts';
import type { Disk } from './disk.ts';

export interface SpoolOptions {
  readonly disk: Disk;
  readonly limitBytes: number;
  /** A name that no other process has: hexadecimal digits. */
  readonly owner: string;
  readonly namespace: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly mirrored: Mirrored;
}
