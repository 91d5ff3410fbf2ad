import type { Destination } from '../../src/aws/aws.ts';
import { type Clock, systemClock } from '../../src/clock.ts';
import type { Form } from '../../src/cloudwatch/form.ts';
import { LIMITS } from '../../src/cloudwatch/limits.ts';
import { createPost } from '../../src/cloudwatch/post.ts';
import { Sender, type SenderOptions } from '../../src/delivery/sender.ts';
import type { Limits, Post } from '../../src/delivery/service.ts';
import { createLog } from '../../src/log.ts';
import type { ClosedWindow, Datum } from '../../src/metrics/aggregate.ts';
import { cloudwatchService } from '../../src/sinks/cloudwatch.ts';
import { destinationAt } from './aws/destination.ts';
import { said } from './said.ts';
import { Waiting } from './waiting.ts';

export const MINUTE = 60_000;
const DEADLINE_MS = 10_000;
export const PUBLICATION = {
  namespace: 'Sink',
  dimensions: [{ Name: 'ServiceName', Value: 's' }],
  highResolution: false,
} as const;

export interface SinkRig {
  readonly sink: Sender<Form>;
  /** Lines without their time. */
  readonly logged: string[];
  /** Takes a line of its log. */
  note(line: string): void;
  /** Waits until it has said something. */
  hasSaid(what: RegExp, times?: number): Promise<void>;
}

/** What may be another way than in {@link sinkTo}. */
export interface Over extends Partial<Omit<SenderOptions<Form>, 'service'>> {
  readonly post?: Post<Form>;
  readonly limits?: Limits;
}

/** A sink that posts to a URL; all waits are drawn as none, unless `random` says otherwise. */
export function sinkTo(url: string, { post, limits = LIMITS, ...over }: Over = {}): SinkRig {
  const clock: Clock = over.clock ?? systemClock();
  const logged: string[] = [];
  const waiting = new Waiting();
  const note = (line: string): void => {
    logged.push(said(line).replace(/^\S+ /, ''));
    waiting.changed();
  };
  const hasSaid = (what: RegExp, times = 1): Promise<void> => {
    const isThere = (): boolean => logged.filter((line) => what.test(line)).length >= times;
    return waiting.until(isThere, DEADLINE_MS, () => `${what} in:\n${logged.join('\n')}`);
  };
  const log = createLog({
    level: 'debug',
    format: 'text',
    clock,
    write: note,
  });
  const destination = destinationAt(url);
  const locate = (): Promise<Destination> => Promise.resolve(destination);
  const sink = new Sender({
    publication: PUBLICATION,
    resolve: (dimensions) => Promise.resolve(dimensions),
    prepare: () => Promise.resolve({ endpoint: url }),
    service: {
      ...cloudwatchService(post ?? createPost({ locate, clock, userAgent: 'test/1' })),
      limits,
    },
    periodMs: MINUTE,
    jitterMs: 0,
    bufferBytes: 4 * 1024 * 1024,
    health: () => undefined,
    remedyFor: () => undefined,
    clock,
    log,
    random: () => 0,
    ...over,
  });
  return { sink, logged, note, hasSaid };
}

export function datumOf(values: readonly number[], counts?: readonly number[]): Datum {
  const common = {
    name: 'CPUUtilization',
    unit: 'Percent',
    samples: 1,
    least: 0,
    most: 1,
  } as const;
  return counts === undefined ? { ...common, values } : { ...common, values, counts };
}

/** A window with one datum, or those given. */
export function windowAt(startMs: number, data: readonly Datum[]): ClosedWindow {
  return { startMs, endMs: startMs + MINUTE, samples: 1, data };
}
