import fc from 'fast-check';
import type { Verdict } from '../../../src/delivery/verdict.ts';

/** What may happen to two processes that share a folder and a service. */
export type Move =
  /** A window closes. */
  | { readonly kind: 'close'; readonly who: number; readonly datums: number }
  | { readonly kind: 'answer'; readonly who: number; readonly how: Verdict['kind'] | 'ambiguous' }
  /** Time passes. */
  | { readonly kind: 'pass'; readonly ms: number }
  /** The disk does so many things that it was asked for. */
  | { readonly kind: 'disk'; readonly steps: number }
  | { readonly kind: 'fill'; readonly isFull: boolean }
  /** The disk fails by a code, or works again. */
  | { readonly kind: 'break'; readonly code: 'EROFS' | 'EIO' | undefined }
  /** SIGKILL: what was being written is there in part, and what was being sent may be stored. */
  | {
      readonly kind: 'kill';
      readonly who: number;
      readonly part: number;
      readonly isStored: boolean;
    }
  /** The machine ends, and both processes with it. */
  | { readonly kind: 'crash' }
  | { readonly kind: 'start'; readonly who: number }
  /** SIGSTOP and SIGCONT. */
  | { readonly kind: 'pause'; readonly who: number }
  | { readonly kind: 'resume'; readonly who: number }
  /** Somebody removes the folder. */
  | { readonly kind: 'vanish' }
  /** Somebody removes the files, and all that live find out. */
  | { readonly kind: 'sweep' }
  /** Somebody sets the clock. */
  | { readonly kind: 'set'; readonly byMs: number }
  /** SIGTERM. */
  | { readonly kind: 'end'; readonly who: number };

const PERIOD = 60_000;
const HOUR = 3_600_000;

const who: fc.Arbitrary<number> = fc.nat(1);
const isSo: fc.Arbitrary<boolean> = fc.boolean();

/** How often it is among the moves, and which ones there are of its kind. */
function kind<Kind extends Move['kind']>(
  name: Kind,
  weight: number,
  rest: {
    [Key in Exclude<keyof Extract<Move, { kind: Kind }>, 'kind'>]: fc.Arbitrary<
      Extract<Move, { kind: Kind }>[Key]
    >;
  },
): { weight: number; arbitrary: fc.Arbitrary<Move> } {
  const arbitrary = fc.record({ kind: fc.constant(name), ...rest });
  return { weight, arbitrary: arbitrary as fc.Arbitrary<unknown> as fc.Arbitrary<Move> };
}

export const moves: fc.Arbitrary<Move> = fc.oneof(
  kind('close', 4, { who, datums: fc.integer({ min: 1, max: 3 }) }),
  kind('answer', 5, {
    who,
    how: fc.constantFrom(
      'accepted',
      'accepted',
      'accepted',
      'ambiguous',
      'retry',
      'throttled',
      'tooLarge',
      'denied',
      'unready',
    ),
  }),
  kind('pass', 4, { ms: fc.constantFrom(100, 5000, 15_000, 30_000, PERIOD, 10 * PERIOD) }),
  kind('disk', 8, { steps: fc.constantFrom(1, 2, 5, 40) }),
  kind('fill', 1, { isFull: isSo }),
  kind('kill', 2, { who, part: fc.double({ min: 0, max: 1, noNaN: true }), isStored: isSo }),
  kind('crash', 1, {}),
  kind('start', 2, { who }),
  kind('pause', 2, { who }),
  kind('resume', 2, { who }),
  kind('vanish', 1, {}),
  kind('sweep', 1, {}),
  kind('break', 1, { code: fc.constantFrom('EROFS', 'EIO', undefined, undefined) }),
  kind('set', 1, { byMs: fc.constantFrom(-HOUR, -1000, 1000, HOUR) }),
  kind('end', 1, { who }),
);
