// Over 200 lines: the one file that touches the process, with a job and without.
import { fstatSync } from 'node:fs';
import { hostname } from 'node:os';
import { isatty } from 'node:tty';
import type { Agent } from './agent.ts';
import { sleep, systemClock } from './clock.ts';
import { compose } from './compose.ts';
import { type Command, type Config, parseCommand } from './config/config.ts';
import { unknownVariables } from './config/flags.ts';
import { FLAGS } from './config/table.ts';
import { lossLine } from './delivery/outcome.ts';
import { ConfigError, codeOf, reasonOf } from './errors.ts';
import { createLog, type Log } from './log.ts';
import type { Place } from './run/beside.ts';
import { usualStopMs } from './run/deadline.ts';
import { isAboutUs, type Split, splitCommand } from './run/split.ts';
import { type Lines, linesTo } from './sinks/lines.ts';
import type { Drawn, Terminal } from './sinks/terminal.ts';
import { VERSION } from './version.ts';
import { check, explain } from './wiring/check.ts';
import type { World } from './wiring/world.ts';

const EXIT = { flushed: 0, failed: 1, misconfigured: 2 };
const PROGRAM = 'cloudwatch-metrics-agent';
/** The first argument of the process that serves a spool: see spool/apart.ts. */
const SERVE = '@disk';
const [STDIN, STDOUT, STDERR] = [0, 1, 2] as const;
/** For the receipt's line where there is no agent. */
const LAST_MS = 500;
/** For the last lines of the log, whose reader may have stopped. */
const LOG_MS = 500;
/** How often a thread that nothing can end is looked after. */
const THREAD_MS = 50;
/** Signals that end the agent: an orchestrator's, a person's, a terminal's that went away. */
const END_SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

const clock = systemClock(() => {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e3 + nanoseconds / 1e6;
});
const ending = new AbortController();
const threads = { held: 0 };
let lines: Lines | undefined;
/** What the log's lines go above, where they share its terminal. */
let drawn: Drawn | undefined;
/** Opened at the first line: a stream on a pipe changes it for a job that shares it. */
const stderr: Lines = {
  write(line) {
    if (drawn?.line(line)) return true;
    lines ??= linesTo(process.stderr, clock);
    return lines.write(line);
  },
  drained: async (deadlineMs) => lines?.drained(deadlineMs),
};
let isChecking = false;
/** All outputs, where EMF on standard output is one of them. */
let emfOutputs: Config['outputs'] = [];

/** The whole program, to its exit code. */
export function start(): void {
  main().catch((error) => {
    const isSetting = error instanceof ConfigError;
    const text = isSetting || !(error instanceof Error) ? reasonOf(error) : error.stack;
    process.stderr.write(`${PROGRAM}: ${text}\n`);
    process.exitCode = isSetting ? EXIT.misconfigured : EXIT.failed;
  });
}

async function main(): Promise<void> {
  if (process.argv[2] === SERVE) {
    const { serveDisk } = await import('./spool/serve.ts');
    return serveDisk(process.argv[3] ?? '', process.stdin, process.stdout);
  }
  const split = splitCommand(process.argv.slice(2));
  if (split !== undefined && !isAboutUs(split.flags)) return runWithJob(split);
  // A reader that went away (`| head`) ends the program quietly.
  process.stdout.on('error', (error) => {
    // EIO: a terminal that went away.
    if (!['EPIPE', 'EIO'].includes(codeOf(error) ?? '')) throw error;
    // What was found out is the exit code of --check all the same.
    if (isChecking) return;
    if (emfOutputs.length === 0) process.exit(EXIT.flushed);
    // Where windows go elsewhere too, the output counts what it loses.
    if (emfOutputs.length > 1) return;
    process.stderr.write(`${PROGRAM}: nobody reads standard output, where EMF lines go: EPIPE\n`);
    process.exit(EXIT.failed);
  });
  process.stderr.on('error', () => undefined);
  const command: Command = parseCommand(split?.flags ?? process.argv.slice(2), process.env);
  if (command === 'help') {
    const { helpText } = await import('./config/help.ts');
    process.stdout.write(helpText(VERSION, FLAGS));
  } else if (command === 'version') process.stdout.write(`${VERSION}\n`);
  else if (command.healthy !== undefined) {
    const { tellHealth } = await import('./health/healthy.ts');
    tellHealth(command.healthy, command.maxAgeSeconds);
  } else if (command.check) await checkAndExit(command, worldOf(command));
  else if (command.explain) {
    process.stdout.write(`${await explain(command, worldOf(command))}\n`);
    process.exit(EXIT.flushed);
  } else await run(command);
}

/** `--check` */
async function checkAndExit(config: Config, world: World): Promise<void> {
  isChecking = true;
  const code = await check(config, world);
  const deadlineMs = clock.monoMs() + config.flushTimeoutMs;
  await Promise.all([world.lines.drained(deadlineMs), drainedLog(deadlineMs)]);
  await quit(code, deadlineMs);
}

function drainedLog(deadlineMs: number): Promise<void> {
  return stderr.drained(Math.min(deadlineMs, clock.monoMs() + LOG_MS));
}

/**
 * A thread that hangs in a file system or a name service keeps process.exit from ending: it has until the
 * deadline, and then only SIGKILL is left.
 */
async function quit(code: number, deadlineMs: number, isStuck = false): Promise<void> {
  const { signal } = new AbortController();
  while (threads.held > 0 && clock.monoMs() < deadlineMs) await sleep(clock, THREAD_MS, signal);
  if (isStuck || threads.held > 0) {
    process.kill(process.pid, 'SIGKILL');
    // The kernel takes no SIGKILL by the first process of a container: that ends by a fault alone.
    process.abort();
  }
  process.exit(code);
}

/** @throws ConfigError before anything has begun */
async function run(config: Config): Promise<void> {
  const terminal = terminalOf(config);
  // What the screen shows anyway need not be said above it.
  const level = terminal?.isLogs && config.isUsualLevel ? 'warn' : config.logLevel;
  const world = { ...worldOf(config), log: logAt(config, level), terminal };
  const { log } = world;
  warnOfVariables(log);
  const isEmf = config.outputs.some((output) => output.kind === 'emf' && output.to === undefined);
  if (isEmf && !config.dryRun) emfOutputs = config.outputs;
  const composing = hasReceipt(config) ? composeWatched(config, world) : compose(config, world);
  const end = endOf(composing, config, log);
  // Before anything is said: whoever reads that we are there may signal at once.
  onSignals(end, async () => {
    logAt(config, 'info').info('status', (await composing).status());
  });
  process.on('uncaughtException', (error) => {
    drawn?.close();
    log.error('a fault of this program, please report it', {
      reason: error.stack ?? error.message,
    });
    quit(EXIT.failed, 0);
  });
  (await composing).start();
  if (config.once) clock.after(config.periodMs, end);
}

/** What a dry run is drawn on; nothing where its lines go to a program or a file. */
function terminalOf({ dryRun, once, logFormat }: Config): Terminal | undefined {
  const { stdout } = process;
  const { TERM = '', NO_COLOR = '' } = process.env;
  if (!dryRun || once || logFormat === 'json' || !stdout.isTTY || !TERM || TERM === 'dumb') return;
  const isLogs = isatty(STDERR) && fstatSync(STDERR).rdev === fstatSync(STDOUT).rdev;
  return {
    isUtf8: isUtf8(),
    hasColor: NO_COLOR === '',
    isLogs,
    // A serial line says 0.
    size: () => ({ columns: stdout.columns || 80, rows: stdout.rows || 24 }),
    write: (text) => {
      stdout.write(text);
    },
    attach(screen) {
      if (isLogs) drawn = screen;
      stdout.on('resize', screen.draw);
      process.on('exit', screen.close);
      process.on('SIGTSTP', () => {
        screen.pause();
        process.kill(process.pid, 'SIGSTOP');
      });
      process.on('SIGCONT', screen.draw);
    },
  };
}

/** What the terminal can show, by the locale. */
function isUtf8(): boolean {
  const { LC_ALL, LC_CTYPE, LANG } = process.env;
  return /utf-?8/i.test(LC_ALL || LC_CTYPE || LANG || '');
}

function worldOf(config: Config, out = linesTo(process.stdout, clock)): World {
  return {
    environment: process.env,
    platform: process.platform,
    hostname: hostname(),
    pid: process.pid,
    clock,
    log: logAt(config, config.logLevel),
    random: Math.random,
    user: String(process.getuid?.() ?? '?'),
    selfUsage: () => {
      const { user, system } = process.cpuUsage();
      return { cpuUsec: user + system, residentBytes: process.memoryUsage.rss() };
    },
    lines: out,
    print: (text) =>
      new Promise((resolve, reject) => {
        process.stdout.write(text, (error) => (error ? reject(error) : resolve()));
      }),
    ending: ending.signal,
    threads,
    runtime: `nodejs/${process.version} ${process.platform}/${process.arch}`,
  };
}

/** What ends the agent: the first call flushes and exits, the others change nothing. */
function endOf(composing: Promise<Running>, config: Config, log: Log): () => void {
  let ended = false;
  return () => {
    if (ended) return;
    ended = true;
    ending.abort();
    const deadlineMs = clock.monoMs() + config.flushTimeoutMs;
    composing
      .then((agent) => agent.stop(deadlineMs))
      .then(
        async (outcome) => {
          const isEmpty = config.once && (await composing).windows === 0;
          const { sent, spooled, lost, lostAtEnd, isStuck } = outcome;
          const fields = config.dryRun
            ? { windowsShown: sent }
            : { windowsSent: sent, windowsSpooled: spooled, windowsLost: lost };
          if (isEmpty) log.error('nothing was measured, so there is no window', fields);
          if (lostAtEnd > 0) log.error(lossLine(outcome, config), fields);
          else log[spooled > 0 ? 'warn' : 'info']('ended', fields);
          await drainedLog(deadlineMs);
          await quit(isEmpty || lostAtEnd > 0 ? EXIT.failed : EXIT.flushed, deadlineMs, isStuck);
        },
        (error) => {
          log.error('the end went wrong', { reason: reasonOf(error) });
          return quit(EXIT.failed, deadlineMs);
        },
      );
  };
}

function onSignals(end: () => void, tell: () => void): void {
  for (const signal of END_SIGNALS) process.on(signal, end);
  // A second Ctrl-C is a person who does not want to wait.
  process.once('SIGINT', () => {
    if (process.stderr.isTTY && drawn === undefined) stderr.write('flushing; Ctrl-C again to quit');
    process.on('SIGINT', () => quit(EXIT.failed, 0));
  });
  // Without a listener Node opens its inspector's port.
  process.on('SIGUSR1', tell);
}

function warnOfVariables(log: Log): void {
  for (const [name, meant] of unknownVariables(FLAGS, process.env)) {
    const remedy = meant === undefined ? undefined : `did you mean ${meant}?`;
    log.warn('a variable looks like a setting and is none', { name, remedy });
  }
}

/** The agent, or the agent with what it says of the run at its end. */
type Running = Pick<Agent, 'start' | 'status' | 'stop' | 'windows'>;

function hasReceipt({ receipt, report }: Config): boolean {
  return (receipt !== undefined && receipt !== 'none') || report !== undefined;
}

async function composeWatched(config: Config, world: World): Promise<Running> {
  const { openBeside } = await import('./run/beside.ts');
  return openBeside(config, world, placeOf(PROGRAM, false, stderr));
}

function placeOf(command: string, hasJob: boolean, to: Lines): Place {
  return {
    command,
    hasJob,
    isMain: process.pid === 1 || process.ppid === 1,
    node: process.execPath,
    isTerminal: isatty(STDERR),
    isUtf8: isUtf8(),
    startMs: clock.wallMs(),
    write: (text) => {
      to.write(text);
    },
  };
}

/**
 * The agent around a job. Whatever becomes of the agent, the job runs and its exit code is ours.
 */
async function runWithJob({ flags, command }: Split): Promise<void> {
  if (command.length === 0) throw new ConfigError('--', 'expected a command behind it, got none');
  const { runJob } = await import('./run/run.ts');
  const { openOwnLines } = await import('./run/own-lines.ts');
  const own = openOwnLines(STDERR, clock);
  lines = own;
  const place = placeOf(command[0] ?? '', true, own);
  const warn = (message: string): void => {
    own.write(`${PROGRAM}: ${message}`);
  };
  let config: Config | undefined;
  let isConcluded = false;
  process.on('uncaughtException', (error) => {
    warn(`a fault of this program, please report it: ${error.stack ?? error.message}`);
  });
  await runJob({
    command,
    environment: process.env,
    clock,
    warn,
    self: {
      pid: process.pid,
      ppid: process.ppid,
      isTerminal: place.isTerminal || isatty(STDIN),
      on: (signal, listener) => process.on(signal, listener),
      off: (signal) => process.removeAllListeners(signal),
      raise: (signal) => process.kill(process.pid, signal),
      exit: (code) => process.exit(code),
    },
    begin: async (setUp) => {
      const parsed = parseCommand(flags, process.env, true);
      if (parsed === 'help' || parsed === 'version') throw new Error('nothing to measure');
      config = parsed;
      const { flushTimeoutMs, graceMs, stopTimeoutMs = usualStopMs(process.env) } = parsed;
      setUp({ flushTimeoutMs, graceMs, stopTimeoutMs });
      const { openBeside } = await import('./run/beside.ts');
      const apart = [process.execPath, process.argv[1] ?? ''] as const;
      const world = { ...worldOf(parsed, openOwnLines(STDOUT, clock)), apart };
      warnOfVariables(world.log);
      const watch = await openBeside(parsed, world, place);
      watch.start();
      return {
        hurry: (deadlineMs) => watch.hurry(deadlineMs),
        finish: async (end, deadlineMs) => {
          ending.abort();
          await watch.finish(end, deadlineMs);
          isConcluded = true;
          await own.drained(deadlineMs);
        },
      };
    },
    finishAlone: async (end) => {
      if (isConcluded) return;
      isConcluded = true;
      const { factsAlone, giveReceipt } = await import('./run/beside.ts');
      const facts = factsAlone(end, place, process.env, clock.wallMs());
      await giveReceipt(facts, config?.receipt, place, LAST_MS);
      await own.drained(clock.monoMs() + LAST_MS);
    },
  });
}

function logAt({ logFormat: format }: Config, level: Config['logLevel']): Log {
  return createLog({ level, format, clock, write: (line) => stderr.write(line) });
}
