// Over 200 lines: all that a caller sees, in one file that imports nothing: it becomes dist/index.d.ts.

/** CloudWatch's 27 units, as it spells them. */
export type Unit =
  | 'Seconds'
  | 'Microseconds'
  | 'Milliseconds'
  | 'Bytes'
  | 'Kilobytes'
  | 'Megabytes'
  | 'Gigabytes'
  | 'Terabytes'
  | 'Bits'
  | 'Kilobits'
  | 'Megabits'
  | 'Gigabits'
  | 'Terabits'
  | 'Percent'
  | 'Count'
  | 'Bytes/Second'
  | 'Kilobytes/Second'
  | 'Megabytes/Second'
  | 'Gigabytes/Second'
  | 'Terabytes/Second'
  | 'Bits/Second'
  | 'Kilobits/Second'
  | 'Megabits/Second'
  | 'Gigabits/Second'
  | 'Terabits/Second'
  | 'Count/Second'
  | 'None';

/** From the gravest to the most talkative. */
export type LogLevel = 'error' | 'warn' | 'info' | 'debug';

/** One event of the log. It never holds a secret, a token or a signed header. */
export interface LogLine {
  readonly time: Date;
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: Readonly<Record<string, string | number | boolean | undefined>>;
}

/** The flags of the program in camelCase, with their units and defaults, and what only a library has. */
export interface AgentOptions {
  /** CloudWatch namespace to publish to. Required, except with `dryRun`. */
  readonly namespace?: string | undefined;
  /** Value of the dimension ServiceName. Required, except with `dryRun`. */
  readonly service?: string | undefined;
  /** More dimensions, at most 29: name to value, or to a token such as `@instance-id`. */
  readonly dimensions?: Readonly<Record<string, string>> | undefined;
  /** Publishing window in seconds, 1 to 3600. Default 60; under 60 it is stored in high resolution. */
  readonly period?: number | undefined;
  /** Sampling interval in seconds, a multiple of 0.1. Default 0.9. */
  readonly interval?: number | undefined;
  /**
   * What to publish beside your own metrics: names, `default`, `all`, `-Name` to leave one out, and
   * `NodeEventLoopDelay` and `NodeHeapUsed`. An empty list publishes your own metrics alone.
   */
  readonly metrics?: string | readonly string[] | undefined;
  /** One median a window (the default), or all values with their counts, for percentiles. */
  readonly statistics?: 'median' | 'distribution' | undefined;
  /** AWS region to publish to. Default: as the AWS SDKs find it. */
  readonly region?: string | undefined;
  /** Where windows go, in place of `cloudwatch`; with a list each output gets every window. */
  readonly output?: string | readonly string[] | undefined;
  /** Where CloudWatch answers. Default: the region's own endpoint. */
  readonly endpointUrl?: string | URL | undefined;
  /** Whether to sign what goes to an OTLP endpoint. Default `auto`. */
  readonly sign?: 'auto' | 'always' | 'never' | undefined;
  /** More headers for an OTLP endpoint, such as a key. Never shown. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Profile of the AWS config files. */
  readonly profile?: string | undefined;
  /** A PEM file with the only certificate authorities to trust. */
  readonly caBundle?: string | undefined;
  /** Read proc/ and sys/ below this folder. Default `/`. */
  readonly root?: string | undefined;
  /** What to measure: `auto`, `host`, `container`, `task` or `cgroup:/PATH`. Default: the own container, else `auto`. */
  readonly scope?: string | undefined;
  /** What counts as memory in use. Default `workingset`. */
  readonly memoryMode?: 'workingset' | 'usage' | 'free-cache' | undefined;
  /** What is 100 % of CPU. Default `limit`. */
  readonly cpuBase?: 'limit' | 'host' | undefined;
  /** The longest that `flush()` and `stop()` take, in seconds, 1 to 600. Default 8. */
  readonly flushTimeout?: number | undefined;
  /** Publish at a random but fixed offset of up to so many seconds. Default: a quarter of the period, at most 15. */
  readonly jitter?: number | undefined;
  /** Memory for windows that wait, such as `4MiB`, or bytes. */
  readonly buffer?: string | number | undefined;
  /** Keep what waits in this folder too, over a crash or a restart. A local one: a disk that hangs holds threads of yours. */
  readonly spool?: string | undefined;
  /** The most that this process keeps in the spool, such as `64MiB`, or bytes. */
  readonly spoolLimit?: string | number | undefined;
  /** A CPU limit that cannot be seen from inside, in cores (`0.5` or `'500m'`); the tightest counts. */
  readonly cpuLimit?: string | number | undefined;
  /** A memory limit that cannot be seen from inside, such as `512MiB`, or bytes; the tightest counts. */
  readonly memoryLimit?: string | number | undefined;
  /** Publish the agent's own percentages as 0 to 1. */
  readonly compatFraction?: boolean | undefined;
  /** Tell CloudWatch which ECS service, EKS workload or EC2 instance the metrics are of. */
  readonly entity?: boolean | undefined;
  /** Show on standard output what would be sent, and send nothing. Needs no credentials and no network. */
  readonly dryRun?: boolean | undefined;
  /** Keep a file that says how the agent is, for `--healthy` and dashboards. */
  readonly statusFile?: string | undefined;
  /** How much is said. Default `warn`, with `dryRun` `info`. */
  readonly logLevel?: LogLevel | undefined;
  /** The form of lines on stderr. Default `text`. */
  readonly logFormat?: 'text' | 'json' | undefined;
  /** Takes the log's lines instead of stderr: `() => {}` for none. What it throws is ignored. */
  readonly log?: ((line: LogLine) => void) | undefined;
  /** Stops the agent, as `stop()` does. */
  readonly signal?: AbortSignal | undefined;
}

/** One reading. */
export interface Sample {
  readonly time: Date;
  /** By the names of the metrics that are published; what could not be measured is not there. */
  readonly values: Readonly<Record<string, number>>;
}

/** What one metric says of a window: `value`, or `values` with how often each came. */
export interface WindowMetric {
  readonly name: string;
  readonly unit: Unit;
  readonly value?: number;
  readonly values?: readonly number[];
  readonly counts?: readonly number[];
  /** How many numbers are behind it, the smallest and the largest. */
  readonly samples: number;
  readonly minimum: number;
  readonly maximum: number;
}

/** A window that has closed, as it is handed to delivery. */
export interface MetricsWindow {
  /** The timestamp that CloudWatch gets. */
  readonly start: Date;
  readonly end: Date;
  /** Readings in it. */
  readonly samples: number;
  readonly metrics: readonly WindowMetric[];
}

/** One attempt to publish. */
export interface Delivery {
  readonly isAccepted: boolean;
  /** Empty where it was accepted, else the service's code or the system's. */
  readonly code: string;
  /** Empty where it was accepted, else what was in the way. */
  readonly reason: string;
  /** The service's, where it gave one. */
  readonly requestId: string;
  readonly durationMs: number;
  readonly windowsWaiting: number;
}

/**
 * - `BAD_METRIC`: `put` was called with a name, value or unit that CloudWatch does not take.
 * - `TOO_MANY_METRICS`: `put` was called with more than 1,000 names.
 * - `STOPPED`: `put` was called after the stop.
 * - `LISTENER`: a listener threw, or its promise rejected; that is the `cause`.
 * - `DELIVERY`: CloudWatch refuses what is sent, or something was lost at the stop.
 * - `FAULT`: a fault of the agent, please report it.
 */
export type AgentErrorCode =
  | 'BAD_METRIC'
  | 'TOO_MANY_METRICS'
  | 'STOPPED'
  | 'LISTENER'
  | 'DELIVERY'
  | 'FAULT';

/** What went wrong while the agent runs. The agent goes on. */
export interface AgentError extends Error {
  readonly name: 'AgentError';
  readonly code: AgentErrorCode;
  /** The same is said at once the first time, and then once a window: how often it has happened since. */
  readonly count: number;
  /** What a log line would hold beside the message. */
  readonly fields: LogLine['fields'];
}

/** What can be listened to. */
export interface AgentEvents {
  readonly sample: Sample;
  readonly window: MetricsWindow;
  readonly delivery: Delivery;
  readonly error: AgentError;
}

/** What became of the windows since the start. */
export interface Delivered {
  readonly windowsSent: number;
  /** Of those that are not sent: in memory after `flush()`, in the spool after `stop()`. */
  readonly windowsWaiting: number;
  readonly windowsLost: number;
}

/** How it goes. */
export interface AgentStatus extends Delivered {
  readonly isStopped: boolean;
  /** What is measured: the scope, its limits, and where they were found. */
  readonly scope: string;
  readonly samples: number;
  /** Your metrics that are held, and calls of `put` that came to nothing. */
  readonly names: number;
  readonly putsLost: number;
}

declare global {
  // Of TypeScript's esnext.disposable and of @types/node, for whoever has neither.
  interface SymbolConstructor {
    readonly asyncDispose: unique symbol;
  }
}

/** An agent that runs. */
export interface MetricsAgent {
  /**
   * Takes a number for the window that is open. Counts are summed; of everything else a window has the
   * median, or all values with `statistics: 'distribution'`. It does not throw: what cannot be taken is an
   * `error` event.
   *
   * @param name 1 to 255 printable ASCII characters, not beginning with ":", and none of the agent's own
   * @param unit where it is left out: the one that the name had first, or None
   */
  put(name: string, value: number, unit?: Unit): void;
  /** Calls a listener for each event. An `error` that nobody listens to is a line of the log. */
  on<Name extends keyof AgentEvents>(
    name: Name,
    listener: (event: AgentEvents[Name]) => unknown,
  ): this;
  /** Calls it no longer. */
  off<Name extends keyof AgentEvents>(
    name: Name,
    listener: (event: AgentEvents[Name]) => unknown,
  ): this;
  /**
   * Publishes what there is up to now. Resolves when it is out, is refused, or `flushTimeout` is over; never
   * rejects. At most once a second: a window's timestamp is a second.
   */
  flush(): Promise<Delivered>;
  /**
   * The last reading, the last window, and out with what waits, within `flushTimeout`. Never rejects; a second
   * call waits for the first.
   */
  stop(): Promise<Delivered>;
  status(): AgentStatus;
  /** {@link stop}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
}
