import type { AgentOptions } from '../agent.ts';
import type { Clock } from '../clock.ts';
import type { Form } from '../cloudwatch/form.ts';
import type { SenderOptions } from '../delivery/sender.ts';
import type { Environment } from '../environment.ts';
import type { Log } from '../log.ts';
import type { Figures, Series } from '../metrics/figures.ts';
import type { Lines } from '../sinks/lines.ts';
import type { Terminal } from '../sinks/terminal.ts';
import type { SelfUsage } from '../sources/options.ts';
import type { Scope } from '../sources/select.ts';
import { VERSION } from '../version.ts';

/** What the program stands in. */
export interface World {
  readonly environment: Environment;
  readonly platform: string;
  readonly hostname: string;
  readonly pid: number;
  /** The user's number; a question mark where there is none. */
  readonly user: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  /** CPU time and resident memory of this process. */
  readonly selfUsage: () => Omit<SelfUsage, 'anonymousBytes'>;
  /** Standard output. */
  readonly lines: Lines;
  /** Standard output, where a dry run is drawn on it. */
  readonly terminal?: Terminal | undefined;
  /** A text to standard output, told when it is out; nothing where that is another's. */
  readonly print?: (text: string) => Promise<void>;
  /** Aborted when the end has begun. */
  readonly ending: AbortSignal;
  /** Counts calls that hold a thread, which keeps the process from ending. */
  readonly threads: { held: number };
  /** Node and this program, where the disk is left to processes of their own: beside a job. */
  readonly apart?: readonly [node: string, program: string];
  /** For the user agent: `nodejs/v24.1.0 linux/x64`. */
  readonly runtime: string;
  /** The process is the caller's of a library: whether nothing else keeps it alive. */
  readonly isIdle?: () => boolean;
  /** Takes what is to be closed at the end, where the process goes on. */
  readonly atEnd?: (close: () => void) => void;
  readonly onAttempt?: SenderOptions<Form>['onAttempt'];
  readonly onFault?: (error: unknown) => void;
}

/** What else looks at the samples, and what it wants measured for that. */
export interface Watching {
  readonly series: readonly Series[];
  readonly onSample: (figures: Figures, wallMs: number) => void;
  /** Where `--scope` says nothing. */
  readonly scope?: Scope;
  readonly isBesideJob?: boolean;
  /** The caller's own metrics, and who sees each window. */
  readonly more?: AgentOptions['more'];
  readonly onWindow?: AgentOptions['onWindow'];
}

export function userAgent({ runtime }: World): string {
  return `cloudwatch-metrics-agent/${VERSION} ${runtime}`;
}
