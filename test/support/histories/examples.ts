import type { Move } from './moves.ts';

/** Histories that chance seldom finds; each broke the program once, or breaks it when a line is missing. */
export interface Example {
  readonly what: string;
  readonly moves: readonly Move[];
}

const close = (who: number): Move => ({ kind: 'close', who, datums: 1 });
const answer = (who: number, how: 'accepted' | 'tooLarge'): Move => ({ kind: 'answer', who, how });
const pass = (ms: number): Move => ({ kind: 'pass', ms });
const disk = (steps = 40): Move => ({ kind: 'disk', steps });
const fill = (isFull: boolean): Move => ({ kind: 'fill', isFull });
const kill = (who: number): Move => ({ kind: 'kill', who, part: 0, isStored: false });
const start = (who: number): Move => ({ kind: 'start', who });
const pause = (who: number): Move => ({ kind: 'pause', who });
const resume = (who: number): Move => ({ kind: 'resume', who });
const WATCH = pass(30_000);

export const EXAMPLES: readonly Example[] = [
  {
    what: 'who stood still looks at what is still its own before it sends',
    moves: [
      ...[close(0), disk(), start(1), disk(), pause(0), WATCH, disk(), pass(5000), disk()],
      ...[answer(1, 'accepted'), resume(0), answer(0, 'accepted')],
    ],
  },
  {
    what: 'who is taken over just when it has taken over tells its heir what it has sent',
    moves: [
      ...[close(0), disk(), kill(0), start(1), disk(), WATCH],
      // All but the last step of taking over: the sign of life.
      ...[disk(10), pause(1), start(0), disk(), WATCH],
      // It is found dead, shows that it is not, and is claimed.
      ...[disk(2), resume(1), disk(5), answer(1, 'accepted'), disk(), WATCH, disk()],
    ],
  },
  {
    what: 'what was written in part is not there when it was sent from memory',
    moves: [
      ...[close(0), disk(), close(0), close(0), close(0), close(0), disk(2), fill(true), disk()],
      // All but the first window, one by one.
      ...[pass(15_000), disk()],
      ...Array.from({ length: 3 }, () => [answer(0, 'tooLarge'), disk()]).flat(),
      ...Array.from({ length: 3 }, () => [
        ...[answer(0, 'accepted'), disk(), pass(1000), disk(), answer(0, 'tooLarge'), disk()],
      ]).flat(),
      ...[answer(0, 'accepted'), disk(), fill(false), close(0), disk(), kill(0)],
    ],
  },
  {
    what: 'what is being written when its file turns out to be taken is written elsewhere, once',
    moves: [
      ...[pass(15_000), close(1), close(0), disk(), pause(1), kill(0), close(0), disk()],
      ...[pass(600_000), disk(5), disk(1), pass(100)],
    ],
  },
];
