import type { Publication } from '../cloudwatch/datum.ts';
import type { Adopted, Piece } from './outbox.ts';
import type { Kept } from './packing.ts';

/** The waiting windows, of which the spool is the copy on disk. */
export interface Mirrored {
  /** Windows that are not on disk, oldest first, so many at most. */
  unkept(most: number): readonly Piece[];
  /** What of a window waits now; nothing where it is gone. */
  left(piece: Piece): Piece | undefined;
  /** Notes where a window is. @returns false where it waits no longer */
  keep(piece: Piece, where: Kept): boolean;
  /** Takes windows over. @returns whether there was room */
  adopt(windows: readonly Omit<Adopted, 'label'>[], publication: Publication): boolean;
  /** Forgets the windows of a segment that somebody else took. */
  release(segment: number): void;
  /** Notes that the windows of a segment are on disk no longer. */
  unkeep(segment: number): void;
  /** What the windows take in memory, and may take. */
  readonly bytes: number;
  readonly limitBytes: number;
}
