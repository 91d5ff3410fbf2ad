// Over 200 lines: wires what only a run has, the receipt, the report and their ways out, in one place.

import type { Agent } from '../agent.ts';
import { compose } from '../compose.ts';
import type { Config } from '../config/config.ts';
import { reasonOf } from '../errors.ts';
import type { Series } from '../metrics/figures.ts';
import { systemOf } from '../report/advice.ts';
import { receiptBlock } from '../report/block.ts';
import { reportJson } from '../report/course.ts';
import { failuresOf, isOomKilled, type RunFacts, type Totals, totalsOf } from '../report/facts.ts';
import { reportPage } from '../report/page.ts';
import { receiptLine, receiptOf } from '../report/receipt.ts';
import { Recorder } from '../report/recorder.ts';
import { Account } from '../sources/account.ts';
import { isContainer, signsOf } from '../sources/detect.ts';
import { openRootFs } from '../sources/rootfs.ts';
import { ownCgroups } from '../sources/select.ts';
import { openAws } from '../wiring/aws.ts';
import { userAgent, type World } from '../wiring/world.ts';
import type { Beside, RunEnd } from './run.ts';
import { writeFileApart } from './write-file.ts';

/** What only this process knows. */
export interface Place {
  /** argv[0] of the job; our own where there is none. */
  readonly command: string;
  readonly node: string;
  readonly isTerminal: boolean;
  /** What the terminal can show, by the locale. */
  readonly isUtf8: boolean;
  readonly hasJob: boolean;
  /** We are the container's main process, or its init's child: all that it counts is this run's. */
  readonly isMain: boolean;
  /** Wall-clock milliseconds. */
  readonly startMs: number;
  /** A line, or several, on stderr. */
  readonly write: (text: string) => void;
}

/** What the receipt and the report are made of. */
const SERIES: readonly Series[] = [
  ...(['cpu', 'cpuCores', 'cpuThrottled', 'memory', 'memoryUsed', 'memoryLimit'] as const),
  ...(['memoryHeld', 'oomKills'] as const),
];
const GPU_SERIES: readonly Series[] = ['gpu', 'gpuMemory'];
/** The driver's device, which the NVIDIA runtime gives to containers with a GPU. */
const GPU_DEVICE = '/dev/nvidiactl';
/** Left at the end for the receipt's line. */
const RECEIPT_MS = 100;
/** Of what time there is, for the report. */
const REPORT_PART = 0.5;

const NO_TOTALS = totalsOf(() => Number.NaN);

/** What a container counts begins with it; its network may be another's too. */
const FROM_ZERO: Partial<Totals> = {
  ...{ cpuSeconds: 0, periods: 0, throttled: 0, oomKills: 0, blockRead: 0, blockWritten: 0 },
};

/** A run of which only its end is known. */
export function factsAlone(
  end: RunEnd | undefined,
  place: Place,
  environment: World['environment'],
  nowMs: number,
): RunFacts {
  return {
    ...NO_TOTALS,
    command: place.command,
    startMs: end?.startedWallMs ?? place.startMs,
    durationMs: end?.durationMs ?? nowMs - place.startMs,
    exitCode: end?.code,
    signal: end?.signal,
    wasAsked: end?.wasAsked ?? false,
    isNotStarted: end?.notStarted !== undefined,
    system: systemOf(environment),
    scope: '',
    tallied: undefined,
    kernelPeak: { value: Number.NaN, atMs: Number.NaN },
    swapPeakBytes: Number.NaN,
    oomLevel: undefined,
    largest: [],
    windowsSent: 0,
    windowsSpooled: 0,
    windowsLost: 0,
  };
}

/** The line or the block, wherever it is to go. It does not throw. */
export async function giveReceipt(
  facts: RunFacts,
  form: Config['receipt'],
  place: Place,
  timeoutMs: number,
): Promise<void> {
  const usual = place.hasJob ? (place.isTerminal ? 'text' : 'json') : 'none';
  const how = form ?? usual;
  if (how === 'none') return;
  if (how === 'text') return place.write(receiptBlock(facts, place.isUtf8));
  const line = receiptLine(receiptOf(facts));
  if (how === 'json') return place.write(line);
  try {
    await writeFileApart(place.node, how.file, `${line}\n`, timeoutMs);
  } catch (error) {
    place.write(`the receipt is not written: ${reasonOf(error)}`);
    place.write(line);
  }
}

/** An agent with a run's receipt and report, which has not begun yet. */
export async function openBeside(config: Config, world: World, place: Place): Promise<Watch> {
  const fs = openRootFs(config.root);
  const cgroups = ownCgroups(fs);
  const isContained = isContainer(signsOf(fs, cgroups, world.environment));
  const account = new Account(fs, cgroups);
  const recorder = new Recorder(
    {
      read: () => account.read(),
      peakBytes: () => (isContained ? account.peakBytes() : Number.NaN),
      swapBytes: () => (isContained ? account.swapBytes() : Number.NaN),
      largest: (isTimeOver) => (isContained ? account.largest(world.pid, isTimeOver) : []),
    },
    world.clock,
    place.startMs,
    place.isMain && isContained ? FROM_ZERO : {},
  );
  const hasGpu = fs.has(GPU_DEVICE);
  const agent = await compose(config, world, {
    series: hasGpu ? [...SERIES, ...GPU_SERIES] : SERIES,
    onSample: recorder.add,
    ...(place.hasJob ? { scope: isContained ? 'container' : 'auto' } : {}),
    isBesideJob: place.hasJob,
  });
  return new Watch({ config, world, place, agent, recorder, account, isContained });
}

/** What a watched run consists of. */
interface Parts {
  readonly config: Config;
  readonly world: World;
  readonly place: Place;
  readonly agent: Agent;
  readonly recorder: Recorder;
  readonly account: Account;
  readonly isContained: boolean;
}

/** The agent beside a job, and what it says at the end. */
export class Watch implements Beside {
  readonly #parts: Parts;
  readonly #ownUsec: number;
  #deadlineMs = Number.POSITIVE_INFINITY;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#ownUsec = parts.world.selfUsage().cpuUsec;
  }

  /** Windows that had something to tell. */
  get windows(): number {
    return this.#parts.agent.windows;
  }

  start(): void {
    this.#parts.agent.start();
  }

  status(): ReturnType<Agent['status']> {
    return this.#parts.agent.status();
  }

  hurry(deadlineMs: number): void {
    this.#deadlineMs = Math.min(this.#deadlineMs, deadlineMs);
    this.#parts.agent.hurry(this.#sendingMs());
  }

  /** A run without a job. */
  stop(deadlineMs: number): ReturnType<Agent['stop']> {
    return this.#conclude(undefined, deadlineMs);
  }

  async finish(end: RunEnd, deadlineMs: number): Promise<void> {
    const alone = this.#alone(end);
    this.#parts.agent.note('jobDuration', Math.round(end.durationMs) / 1000);
    this.#parts.agent.note('jobFailures', failuresOf(alone));
    await this.#conclude(end, deadlineMs);
  }

  /** The last window, then the receipt and the report. @returns what became of the windows */
  async #conclude(end: RunEnd | undefined, deadlineMs: number): ReturnType<Agent['stop']> {
    const { clock } = this.#parts.world;
    const { report, receipt } = this.#parts.config;
    this.#deadlineMs = deadlineMs;
    // The last sample is taken at once; counters are read before anything waits.
    const stopping = this.#parts.agent.stop(this.#sendingMs());
    const facts = this.#facts(end);
    const outcome = await stopping;
    const whole = {
      ...facts,
      windowsSent: outcome.sent,
      windowsSpooled: outcome.spooled,
      windowsLost: outcome.lost,
    };
    const restMs = (): number =>
      Math.max(RECEIPT_MS, this.#deadlineMs - RECEIPT_MS - clock.monoMs());
    await giveReceipt(whole, receipt, this.#parts.place, restMs());
    if (report !== undefined) await this.#giveReport(report, whole, restMs());
    return outcome;
  }

  /** Until when windows are sent; what comes after it is the report's and the receipt's. */
  #sendingMs(): number {
    const nowMs = this.#parts.world.clock.monoMs();
    const leftMs = Math.max(0, this.#deadlineMs - RECEIPT_MS - nowMs);
    return nowMs + leftMs * (this.#parts.config.report === undefined ? 1 : REPORT_PART);
  }

  #alone(end: RunEnd | undefined): RunFacts {
    const { environment, clock } = this.#parts.world;
    return factsAlone(end, this.#parts.place, environment, clock.wallMs());
  }

  #facts(end: RunEnd | undefined): RunFacts {
    const { tallied, totals, largest, kernelPeak, swapPeakBytes } = this.#parts.recorder.result();
    const scope = /scope=(\S+)/.exec(this.#parts.agent.scope)?.[1] ?? '';
    // A machine's counters are not the run's.
    const own = this.#parts.isContained
      ? { ...totals, cpuSeconds: this.#cpuSeconds(totals) }
      : NO_TOTALS;
    const facts = {
      ...this.#alone(end),
      ...own,
      tallied,
      largest,
      kernelPeak,
      swapPeakBytes,
      scope,
    };
    const known = Number.isNaN(facts.oomKills) ? { ...facts, oomKills: tallied.oomKills } : facts;
    return isOomKilled(known) || known.oomKills > 0
      ? { ...known, oomLevel: this.#oomLevel() }
      : known;
  }

  /** Without the agent's own, as the figures are. */
  #cpuSeconds({ cpuSeconds }: Totals): number {
    if (!this.#parts.config.excludeSelf) return cpuSeconds;
    const ownUsec =
      this.#parts.world.selfUsage().cpuUsec - (this.#parts.place.isMain ? 0 : this.#ownUsec);
    return Math.max(0, cpuSeconds - ownUsec / 1e6);
  }

  /** The level at whose limit an allocation failed; else the one that is fullest. */
  #oomLevel(): RunFacts['oomLevel'] {
    const levels = this.#parts.account.levels();
    const failed = levels.filter(({ failures }) => failures > 0);
    const among = failed.length > 0 ? failed : levels;
    const [tightest] = [...among].sort((one, other) => one.limitBytes - other.limitBytes);
    return tightest;
  }

  async #giveReport(where: string, facts: RunFacts, timeoutMs: number): Promise<void> {
    const receipt = receiptOf(facts);
    const isPage = where.endsWith('.html');
    const { folds } = this.#parts.recorder;
    const text = isPage ? reportPage(facts, receipt, folds) : reportJson(receipt, folds);
    try {
      if (where.startsWith('s3://')) await this.#upload(where, text, isPage, timeoutMs);
      else await writeFileApart(this.#parts.place.node, where, text, timeoutMs);
    } catch (error) {
      this.#parts.world.log.error('the report is not written', { reason: reasonOf(error) });
    }
  }

  async #upload(where: string, text: string, isPage: boolean, timeoutMs: number): Promise<void> {
    const { putReport } = await import('../aws/s3.ts');
    const aws = await openAws(this.#parts.config, this.#parts.world);
    const limit = new AbortController();
    const cancel = this.#parts.world.clock.after(timeoutMs, () => limit.abort());
    try {
      await putReport(aws, {
        where,
        contentType: isPage ? 'text/html; charset=utf-8' : 'application/json',
        body: Buffer.from(text),
        userAgent: userAgent(this.#parts.world),
        timeoutMs,
        signal: limit.signal,
      });
    } finally {
      cancel();
      aws.close();
    }
  }
}
