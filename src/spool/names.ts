/**
 * What a segment is called: `cma-OWNER-NUMBER.spool`; with `-of-OWNER-NUMBER` behind it where it was taken
 * over; and `cma-left-OWNER-NUMBER.spool` where its owner ended in good order.
 */
const NAME = /^cma-(left-)?([\da-f]+)-(\d+)(?:-of-([\da-f]+-\d+))?\.spool$/;

/** What a name tells. */
export interface SegmentName {
  /** Nothing where nobody owns it. */
  readonly owner: string | undefined;
  /** Owner and number, which no other segment ever has. */
  readonly key: string;
  /** The key it had under its last owner. */
  readonly origin: string | undefined;
}

/** Nothing where the name is none of a segment. */
export function parseName(name: string): SegmentName | undefined {
  const [all, left, owner, number, origin] = NAME.exec(name) ?? [];
  if (all === undefined) return undefined;
  return { owner: left === undefined ? owner : undefined, key: `${owner}-${number}`, origin };
}

/** @param from the segment that it was before, where it is taken over */
export function segmentName(owner: string, number: number, from?: string): string {
  const origin = from === undefined ? '' : `-of-${parseName(from)?.key}`;
  return `cma-${owner}-${number}${origin}.spool`;
}

/** The name of a segment that its owner leaves to whoever comes. */
export function leftName(name: string): string {
  return `cma-left-${parseName(name)?.key}.spool`;
}
