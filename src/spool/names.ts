/**
 * What a segment is called: `cma-START-OWNER-NUMBER.spool`, where its first window began at START;
 * with `-of-OWNER-NUMBER` behind it where it was taken over; and `cma-released-START-OWNER-NUMBER.spool`
 * where its owner ended in good order.
 */
const NAME = /^cma-(released-)?(\d{1,16})-(([\da-f]+)-\d+)(?:-of-([\da-f]+-\d+))?\.spool$/;

/** What a name tells. */
export interface SegmentName {
  /** Wall-clock milliseconds of its first window, so that segments can be put in order unread. */
  readonly startMs: number;
  /** Nothing where nobody owns it. */
  readonly owner: string | undefined;
  /** Owner and number, which no other segment ever has. */
  readonly key: string;
  /** The key it had under its last owner. */
  readonly origin: string | undefined;
}

/** Nothing where the name is none of a segment. */
export function parseName(name: string): SegmentName | undefined {
  const [, released, start, key, owner, origin] = NAME.exec(name) ?? [];
  if (key === undefined) return undefined;
  return { startMs: Number(start), owner: released ? undefined : owner, key, origin };
}

export function segmentName(owner: string, number: number, startMs: number): string {
  return `cma-${Math.max(0, Math.floor(startMs))}-${owner}-${number}.spool`;
}

/** The name under which a segment is taken over. */
export function claimedName(owner: string, number: number, from: string): string {
  return from.replace(NAME, `cma-$2-${owner}-${number}-of-$3.spool`);
}

/** The name of a segment that its owner leaves to whoever comes. */
export function releasedName(name: string): string {
  return name.replace(NAME, 'cma-released-$2-$3.spool');
}
