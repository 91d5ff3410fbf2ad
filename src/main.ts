#!/usr/bin/env node
import { hostname } from 'node:os';
import type { Agent } from './agent.ts';
import { sleep, systemClock } from './clock.ts';
import { check, compose, explain, type World } from './compose.ts';
import { type Command, type Config, parseCommand } from './config/config.ts';
import { helpLines, unknownVariables } from './config/flags.ts';
import { FLAGS } from './config/table.ts';
import { lossLine } from './delivery/outcome.ts';
import { ConfigError, codeOf, reasonOf } from './errors.ts';
import { createLog, type Log } from './log.ts';
import { linesTo } from './sinks/lines.ts';
import { VERSION } from './version.ts';

const EXIT = { flushed: 0, failed: 1, misconfigured: 2 };
const PROGRAM = 'cloudwatch-metrics-agent';
/** For the last lines of the log, whose reader may have stopped. */
const LOG_MS = 500;
/** How often a thread that nothing can end is looked after. */
const THREAD_MS = 50;
/** Signals that end the agent: an orchestrator's, a person's, a terminal's that went away. */
const END_SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

const HELP = `${PROGRAM} ${VERSION}: CPU and memory to Amazon CloudWatch

  ${PROGRAM} --namespace NS --service NAME [flags]
  ${PROGRAM} --dry-run

${helpLines(FLAGS)}

Each flag has an environment twin: METRICS_AGENT_PERIOD=60 is --period 60.
Credentials, region, endpoint and proxy are found as by the AWS SDKs; --check tells how.
Exit codes: 0 all was sent; 1 failed, or data was lost at the end; 2 a setting is wrong.
`;

const clock = systemClock(() => {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e3 + nanoseconds / 1e6;
});
const ending = new AbortController();
const threads = { held: 0 };
let isChecking = false;
const stderr = linesTo(process.stderr, clock);

main().catch((error) => {
  const isSetting = error instanceof ConfigError;
  const text = isSetting || !(error instanceof Error) ? reasonOf(error) : error.stack;
  process.stderr.write(`${PROGRAM}: ${text}\n`);
  process.exitCode = isSetting ? EXIT.misconfigured : EXIT.failed;
});

async function main(): Promise<void> {
  // A reader that went away (`| head`) ends the program quietly.
  process.stdout.on('error', (error) => {
    if (codeOf(error) !== 'EPIPE') throw error;
    // What was found out is the exit code of --check all the same.
    if (!isChecking) process.exit(EXIT.flushed);
  });
  process.stderr.on('error', () => undefined);
  const command: Command = parseCommand(process.argv.slice(2), process.env);
  if (command === 'help') process.stdout.write(HELP);
  else if (command === 'version') process.stdout.write(`${VERSION}\n`);
  else if (command.check) await checkAndExit(command, worldOf(command));
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
  const world = worldOf(config);
  const { log } = world;
  for (const [name, meant] of unknownVariables(FLAGS, process.env)) {
    const remedy = meant === undefined ? undefined : `did you mean ${meant}?`;
    log.warn('a variable looks like a setting and is none', { name, remedy });
  }
  const composing = compose(config, world);
  const end = endOf(composing, config, log);
  // Before anything is said: whoever reads that we are there may signal at once.
  onSignals(end, async () => {
    logAt(config, 'info').info('status', (await composing).status());
  });
  process.on('uncaughtException', (error) => {
    log.error('a fault of this program, please report it', {
      reason: error.stack ?? error.message,
    });
    quit(EXIT.failed, 0);
  });
  (await composing).start();
  if (config.once) clock.after(config.periodMs, end);
}

function worldOf(config: Config): World {
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
    lines: linesTo(process.stdout, clock),
    ending: ending.signal,
    threads,
    runtime: `nodejs/${process.version} ${process.platform}/${process.arch}`,
  };
}

/** What ends the agent: the first call flushes and exits, the others change nothing. */
function endOf(composing: Promise<Agent>, config: Config, log: Log): () => void {
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
          const { sent, spooled, lost, lostAtEnd, isStuck } = outcome;
          const fields = config.dryRun
            ? { windowsShown: sent }
            : { windowsSent: sent, windowsSpooled: spooled, windowsLost: lost };
          if (lostAtEnd > 0) log.error(lossLine(outcome, config), fields);
          else log[spooled > 0 ? 'warn' : 'info']('ended', fields);
          await drainedLog(deadlineMs);
          await quit(lostAtEnd > 0 ? EXIT.failed : EXIT.flushed, deadlineMs, isStuck);
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
    if (process.stderr.isTTY) stderr.write('flushing; Ctrl-C again to quit');
    process.on('SIGINT', () => quit(EXIT.failed, 0));
  });
  // Without a listener Node opens its inspector's port.
  process.on('SIGUSR1', tell);
}

function logAt({ logFormat: format }: Config, level: Config['logLevel']): Log {
  return createLog({ level, format, clock, write: (line) => stderr.write(line) });
}
