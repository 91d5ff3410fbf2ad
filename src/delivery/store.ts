import type { Publication } from '../metrics/publication.ts';
import type { Entry } from './chunks.ts';
import type { RecordPosition, WaitingWindow } from './packing.ts';

/** A window, or what is left of it, as it is taken out to be sent. */
export interface PendingWindow extends WaitingWindow, RecordPosition {
  readonly id: number;
  readonly entry: Entry;
  /** Whose window it is: a number that whoever put it in gave. */
  readonly publicationId: number;
  /** The place of each datum in the window as it was put in. */
  readonly indexes: readonly number[];
}

/** A window of another process. */
export interface Adopted extends WaitingWindow, RecordPosition {
  readonly publicationId: number;
  /** Monotonic: from when on it ages. */
  readonly bornMs: number;
}

/** A window that left the outbox; delivered where at least one of its datums was. */
export interface Removed extends RecordPosition {
  readonly id: number;
  readonly isDelivered: boolean;
}

/** The waiting windows, as whoever keeps a copy of them sees them. */
export interface PendingWindows {
  /** Windows that are not on disk, oldest first, so many at most. */
  unspooled(most: number): readonly PendingWindow[];
  /** What of a window waits now; nothing where it is gone. */
  remaining(window: PendingWindow): PendingWindow | undefined;
  /** Notes where a window is. @returns false where it waits no longer */
  markSpooled(window: PendingWindow, where: RecordPosition): boolean;
  /** Forgets the windows of a segment that somebody else took. */
  release(segment: number): unknown;
  /** Notes that the windows of a segment are on disk no longer. */
  markUnspooled(segment: number): void;
  /** What the windows take in memory, and may take. */
  readonly bytes: number;
  readonly limitBytes: number;
}

/** Takes windows over. @returns whether there was room */
export type Adopt = (
  windows: readonly Omit<Adopted, 'publicationId'>[],
  publication: Publication,
) => boolean;

/** A copy of the waiting windows that outlives the process. Nothing of it rejects. */
export interface Store {
  /** Takes over what dead processes left. */
  adopt(): void;
  /** The dimensions of this process's windows are known: from now on they are written. */
  begin(publication: Publication): void;
  /** Writes the windows that it does not have. */
  save(): void;
  /** A window left the outbox. */
  settled(removed: Removed): void;
  /** Some of a window is settled: what still waits takes the place of the whole. */
  partly(window: PendingWindow): void;
  /** After a pause in which others may have taken this process for dead, looks at what is still its own. */
  verifyOwnership(): Promise<void>;
  /** From now on nothing is begun, until {@link close}. */
  hold(): void;
  /** Writes what is left, and leaves it to whoever comes. @returns false where the disk does not answer */
  close(limitMs: number): Promise<boolean>;
}
