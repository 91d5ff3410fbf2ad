import { hostname } from 'node:os';
import { type Clock, systemClock } from '../clock.ts';
import { compose } from '../compose.ts';
import type { Environment } from '../environment.ts';
import { isContainer, signsOf } from '../sources/detect.ts';
import { openRootFs } from '../sources/rootfs.ts';
import { ownCgroups } from '../sources/select.ts';
import type { World } from '../wiring/world.ts';
import type { MetricsAgent } from './api.ts';
import { Events } from './events.ts';
import { Guest } from './guest.ts';
import { held } from './held.ts';
import { lazyLines, libraryLog } from './log.ts';
import { asOption, type Settings, settingsOf, spelledLog } from './options.ts';
import { Puts } from './puts.ts';
import { openRuntime } from './runtime.ts';
import { deliveryOf, sampleOf, windowOf } from './views.ts';

/** What is taken of the process. */
export type Host = Pick<
  NodeJS.Process,
  | 'arch'
  | 'cpuUsage'
  | 'env'
  | 'getuid'
  | 'memoryUsage'
  | 'pid'
  | 'platform'
  | 'stderr'
  | 'stdout'
  | 'version'
>;

/** Connections and look-ups in the making, which may be ours, and the standard streams. */
const STAYS = /^(?:(?:TCP)?ConnectWrap|QueryReqWrap|GetAddrInfoReqWrap|PipeWrap|TTYWrap)$/;

/** @throws ConfigError naming the option */
export function start(options: unknown, host: Host): Promise<MetricsAgent> {
  const settings = settingsOf(options, host.env);
  return held(
    open(settings, host).catch((error) => {
      throw asOption(error);
    }),
  );
}

async function open(settings: Settings, host: Host): Promise<MetricsAgent> {
  const { config, signal } = settings;
  const fault = (cause: unknown): void => {
    events.fail('FAULT', String(cause), 'a fault of the agent, please report it', { cause });
  };
  const clock = guestClock(fault);
  const { logLevel: level, logFormat: format } = config;
  const said = libraryLog({ clock, level, format, log: settings.log, stderr: () => host.stderr });
  const events = new Events(({ code, count, message, fields, cause }) => {
    const reason = cause instanceof Error ? { reason: cause.stack ?? cause.message } : {};
    const again = count > 1 ? { count } : {};
    said.error(message, { code, ...fields, ...again, ...reason });
  });
  const log = spelledLog({
    ...said,
    error: (message, fields = {}) => events.fail('DELIVERY', message, message, { fields }),
  });
  const closers: (() => void)[] = [];
  const close = (): void => {
    for (const one of closers.splice(0)) {
      // What one holds on to is no reason to keep the others.
      try {
        one();
      } catch (cause) {
        fault(cause);
      }
    }
  };
  const ending = new AbortController();
  let guest: Guest | undefined;
  const world: World = {
    ...worldOf(host, clock),
    log,
    ending: ending.signal,
    atEnd: (one) => closers.push(one),
    onFault: fault,
    onAttempt: (attempt) => {
      events.emit('delivery', () => deliveryOf(attempt));
      guest?.attempted(attempt.verdict.kind);
    },
  };
  const puts = new Puts(config.statistics, Math.random, events);
  try {
    const runtime = await openRuntime(settings.runtime);
    closers.push(runtime.close);
    const agent = await compose(config, world, {
      series: [],
      isBesideJob: true,
      scope: isContained(config.root, host.env) ? 'container' : 'auto',
      onSample: (figures, wallMs) => {
        runtime.measure(puts.own);
        events.emit('sample', () => sampleOf(config.metrics, figures, wallMs));
      },
      more: puts.take,
      onWindow: (window) => {
        events.emit('window', () => windowOf(window));
        events.turn();
      },
    });
    agent.start();
    guest = new Guest({ agent, config, clock, log, events, puts, ending, signal, close });
    return guest;
  } catch (error) {
    close();
    throw error;
  }
}

/** Nothing that the agent waits for keeps the process, and nothing that it does ends it. */
function guestClock(fault: (cause: unknown) => void): Clock {
  return {
    ...systemClock(),
    after(delayMs, task) {
      const timer = setTimeout(() => {
        try {
          task();
        } catch (error) {
          fault(error);
        }
      }, delayMs);
      timer.unref();
      return () => clearTimeout(timer);
    },
  };
}

function worldOf(host: Host, clock: Clock): Omit<World, 'ending' | 'log'> {
  return {
    environment: host.env,
    platform: host.platform,
    hostname: hostname(),
    pid: host.pid,
    clock,
    random: Math.random,
    user: String(host.getuid?.() ?? '?'),
    selfUsage: () => {
      const { user, system } = host.cpuUsage();
      return { cpuUsec: user + system, residentBytes: host.memoryUsage.rss() };
    },
    lines: lazyLines(() => host.stdout, clock),
    threads: { held: 0 },
    runtime: `nodejs/${host.version} ${host.platform}/${host.arch}`,
    isIdle: () => resourcesOf(host).every((name) => STAYS.test(name)),
  };
}

/** What keeps the process alive. Its type is of a newer Node's. */
function resourcesOf(host: object): string[] {
  if (!('getActiveResourcesInfo' in host)) return ['unknown'];
  const ask: unknown = host.getActiveResourcesInfo;
  const names: unknown = typeof ask === 'function' ? ask.call(host) : undefined;
  return Array.isArray(names) ? names.map(String) : ['unknown'];
}

/** The own container has a group of its own to measure; else it is as for the program. */
function isContained(root: string, environment: Environment): boolean {
  const fs = openRootFs(root);
  try {
    return isContainer(signsOf(fs, ownCgroups(fs), environment));
  } finally {
    fs.close();
  }
}
