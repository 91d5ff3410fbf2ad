import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { appendFileSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { codeOf } from '../../src/errors.ts';
import { seededRandom } from '../support/histories/chance.ts';
import { type Program, startAgent } from '../support/program.ts';
import {
  type Cloudwatch,
  CREDENTIALS,
  REGION,
  startCloudwatch,
} from '../support/service/cloudwatch.ts';
import * as fault from '../support/service/faults.ts';
import type { Accepted } from '../support/service/put-metric-data.ts';

/** The same seed makes the same faults; what they meet is the machine's. */
const SEED = Number(process.env['CHAOS_SEED'] ?? Math.floor(Math.random() * 1e6));
const random = seededRandom(SEED);
const ROUNDS = 24;
/** Each wait is for an event, and ends a test that hangs. */
const EVENT_MS = 60_000;
const HEAL_MS = 120_000;
const LONGEST_MS = 300_000;
const ORPHAN_MS = 3000;
/** Smaller than this, a body holds one window: what is too large then is given up, and meant to be. */
const ONE_WINDOW_BYTES = 1500;
const NAMES = ['CPUUtilization', 'MemoryUtilization', 'MaxMemoryUtilization'];
/** After these the service has the data, and the agent does not know. */
const AMBIGUOUS = new Set(['cut-before-answer', 'cut-mid-answer', 'drip']);

function between(least: number, most: number): number {
  return least + Math.floor(random() * (most - least + 1));
}

/** One request in two goes well. */
const chaos: fault.FaultMaker = ({ headers }) => {
  const isLarge = Number(headers['content-length']) > ONE_WINDOW_BYTES;
  const faults: (() => fault.Fault)[] = [
    fault.resetBeforeReading,
    fault.resetMidBody,
    fault.cutBeforeAnswer,
    fault.cutMidAnswer,
    fault.throttling,
    fault.internalServiceError,
    fault.serviceUnavailable,
    fault.requestTimeout,
    fault.truncatedXml,
    fault.wrongRoot,
    () => fault.htmlPage(200),
    () => fault.htmlPage(503),
    () => fault.skewDate(between(-2, 2) * 3_600_000),
    () =>
      fault.refusal(403, 'ExpiredToken', 'The security token included in the request is expired'),
    () => fault.drip(random() < 0.5 ? 2 : 500),
    ...(isLarge ? [fault.entityTooLarge] : []),
    ...(random() < 0.2 ? [fault.stall] : []),
  ];
  const index = between(0, 2 * faults.length);
  return faults[index]?.();
};

/** One life of an agent, from start to kill. */
class Run {
  readonly name: string;
  readonly keyId: string;
  readonly program: Program;
  /** What SIGKILL does not end is told by the exit line. */
  wasKilled = false;

  constructor(name: string, url: string, spool: string) {
    this.name = name;
    this.keyId = `AKID${name.toUpperCase().replaceAll('-', '')}`;
    const names = ['--namespace', 'Chaos', '--service', 'chaos', '--dimension', `Run=${name}`];
    const pace = ['--period', '1', '--interval', '0.5', '--spool', spool, '--spool-limit', '1MiB'];
    this.program = startAgent([...names, ...pace, '--log-level', 'debug'], {
      environment: {
        AWS_ACCESS_KEY_ID: this.keyId,
        AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
        AWS_REGION: REGION,
        AWS_ENDPOINT_URL: url,
      },
      lifetimeMs: 2 * HEAL_MS,
    });
  }

  /** Windows that it closed, by their start. */
  get closed(): readonly string[] {
    return this.#starts(/ debug a window waits start=(\S+)\.\d+Z/g);
  }

  /** Those of them that it said are on disk: each line tells up to which window. */
  get kept(): readonly string[] {
    const [last = ''] = this.#starts(
      / debug windows are on disk windows=\d+ last=(\S+)\.\d+Z/g,
    ).slice(-1);
    return this.closed.filter((start) => start <= last);
  }

  #starts(line: RegExp): string[] {
    return [...this.program.stderr().matchAll(line)].map(([, start = '']) => start);
  }
}

/** A small disk that can fill up; an ordinary folder where there is no right to mount one. */
function smallDisk(t: TestContext): { folder: string; canFill: boolean } {
  const folder = mkdtempSync(join(tmpdir(), 'chaos-'));
  const mount = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'chaos', folder]);
  const canFill = mount.status === 0;
  t.after(() => {
    if (canFill) spawnSync('umount', ['-l', folder]);
    rmSync(folder, { recursive: true, force: true });
  });
  return { folder, canFill };
}

test('nothing that was on disk is missing, whatever the service, the disk and the kernel do', {
  timeout: LONGEST_MS,
}, async (t) => {
  t.diagnostic(`CHAOS_SEED=${SEED}`);
  const { folder, canFill } = smallDisk(t);
  const cloudwatch = await startCloudwatch();
  t.after(() => cloudwatch.close());
  cloudwatch.play(chaos);
  const runs: Run[] = [];
  const cuts: number[] = [];
  const alive: (Run | undefined)[] = [undefined, undefined];
  t.after(() => {
    for (const { program } of runs) program.kill('SIGKILL');
  });

  const start = (who: number): Run => {
    const run = new Run(`${who}-${runs.length}`, cloudwatch.url, folder);
    cloudwatch.credentials.push({ ...CREDENTIALS, accessKeyId: run.keyId });
    runs.push(run);
    alive[who] = run;
    return run;
  };
  /** So many requests more have come, whatever became of them. */
  const requests = (more: number): Promise<void> => {
    const goal = cloudwatch.requests.length + more;
    return cloudwatch.waitFor(({ requests: all }) => all.length >= goal, EVENT_MS);
  };
  const isWell = ({ program }: Run): boolean =>
    program.stderr().lastIndexOf('written again') >=
    program.stderr().lastIndexOf('cannot be written');

  start(0);
  start(1);
  for (let round = 0; round < ROUNDS; round += 1) {
    await requests(between(2, 8));
    const who = round % 2;
    const victim = alive[who];
    if (round % 6 === 2 && canFill) {
      await until(alive, 'a full disk', (run) => {
        fill(folder);
        return !isWell(run);
      });
      rmSync(join(folder, 'filler'), { force: true });
      await until(alive, 'a disk with room', isWell);
    } else if (round % 6 === 5) {
      cuts.push(Date.now());
      await cloudwatch.refuse();
      await until(alive, 'a refusal', ({ program }) => program.stderr().includes('ECONNREFUSED'));
      await cloudwatch.listenAgain();
    } else if (victim !== undefined) {
      if (round % 5 === 4) {
        victim.program.kill('SIGTERM');
        await victim.program.ended;
      } else {
        victim.wasKilled = true;
        victim.program.kill('SIGKILL');
        await victim.program.ended;
      }
      start(who);
    }
  }

  // All is well from now on: what waits drains, what the dead left is taken over.
  cloudwatch.calm();
  const segments = (): string[] => readdirSync(folder).filter((name) => name.endsWith('.spool'));
  /** One that waits for its owner's death, or its heir; those of the living are there for a moment. */
  const isOrphan = (name: string): boolean => {
    const look = statSync(join(folder, name), { throwIfNoEntry: false });
    return look !== undefined && Date.now() - look.mtimeMs > ORPHAN_MS;
  };
  const isDrained = (): boolean =>
    missing(runs, cloudwatch, (run) => run.kept).length === 0 && !segments().some(isOrphan);
  await cloudwatch.waitFor(isDrained, HEAL_MS).catch(() => undefined);
  for (const run of alive) run?.program.kill('SIGTERM');
  await Promise.all(alive.map((run) => run?.program.ended));

  assert.deepEqual(
    missing(runs, cloudwatch, (run) => run.kept),
    [],
    'of what was on disk',
  );
  const ended = runs.filter(({ wasKilled }) => !wasKilled);
  const lost = ended.flatMap(({ program }) =>
    [...program.stderr().matchAll(/windowsLost=(\d+)/g)].map(([, count]) => Number(count)),
  );
  assert.deepEqual(
    lost.filter((count) => count > 0),
    [],
    'an agent that may end says that it lost',
  );
  assert.deepEqual(
    missing(ended, cloudwatch, (run) => run.closed),
    [],
    'of what an agent closed',
  );
  const killed = runs.filter(({ wasKilled }) => wasKilled);
  const gone = missing(killed, cloudwatch, (run) => run.closed);
  assert.ok(gone.length <= killed.length, `more than a window a kill: ${gone.join(', ')}`);
  assert.deepEqual(segments(), [], 'the folder is empty again');
  const twice = duplicates(cloudwatch, killed, cuts);
  assert.deepEqual(twice.unexcused, []);
  for (const run of ended) {
    const [, sent] = /windowsSent=(\d+)/.exec(run.program.stderr()) ?? [];
    const { least, most } = windowsOf(run, cloudwatch, cuts);
    const text = `${run.name} says ${sent}, the ledger has ${least} to ${most} windows of it`;
    assert.ok(Number(sent) >= least && Number(sent) <= most, text);
  }
  t.diagnostic(
    `${runs.length} lives, ${killed.length} kills, ${cloudwatch.requests.length} requests, ` +
      `${runs.reduce((sum, run) => sum + run.closed.length, 0)} windows closed, ` +
      `${gone.length} gone with a kill before they were on disk, ${twice.excused} datums came twice`,
  );
});

/** Takes all room that there is, also what an agent has given back meanwhile. */
function fill(folder: string): void {
  try {
    for (;;) appendFileSync(join(folder, 'filler'), Buffer.alloc(4096));
  } catch (error) {
    if (codeOf(error) !== 'ENOSPC') throw error;
  }
}

/** Both agents have said it. */
async function until(
  alive: readonly (Run | undefined)[],
  what: string,
  fits: (run: Run) => boolean,
): Promise<void> {
  await Promise.all(alive.map((run) => run?.program.until(what, () => fits(run), EVENT_MS)));
}

/** Windows without all of their datums in the ledger. */
function missing(
  runs: readonly Run[],
  { accepted }: Cloudwatch,
  which: (run: Run) => readonly string[],
): string[] {
  const ledger = new Set(accepted.flatMap(keysOf));
  return runs.flatMap((run) =>
    which(run)
      .flatMap((start) => NAMES.map((name) => `${run.name} ${start}Z ${name}`))
      // A first window may hold one reading alone, of which no CPU time can be told.
      .filter((key) => key !== `${run.name} ${run.closed[0]}Z CPUUtilization`)
      .filter((key) => !ledger.has(key)),
  );
}

function keysOf({ data }: Accepted): string[] {
  return data.map(({ Dimensions = [], Timestamp, MetricName }) => {
    const run = Dimensions.find(({ Name }) => Name === 'Run')?.Value;
    return `${run} ${Timestamp} ${MetricName}`;
  });
}

/**
 * Datums that came more than once: excused where the first time the answer was lost, or its agent was
 * killed, or the connection cut, before it could have done anything else.
 */
function duplicates(
  { accepted }: Cloudwatch,
  killed: readonly Run[],
  cuts: readonly number[],
): { excused: number; unexcused: string[] } {
  const times = new Map<string, Accepted[]>();
  for (const one of accepted) {
    for (const key of keysOf(one)) times.set(key, [...(times.get(key) ?? []), one]);
  }
  const isExcused = (one: Accepted): boolean =>
    isAmbiguous(one, accepted, cuts) ||
    (killed.some(({ keyId }) => keyId === one.accessKeyId) &&
      lastOf(one, accepted, Number.POSITIVE_INFINITY) === one);
  const twice = [...times].filter(([, all]) => all.length > 1);
  return {
    excused: twice.length,
    unexcused: twice
      .filter(([, all]) => !all.slice(0, -1).every(isExcused))
      .map(
        ([key, all]) => `${key}: ${all.map((one) => `${one.accessKeyId} ${one.fault}`).join(', ')}`,
      ),
  };
}

/** The last request of the same agent until then. */
function lastOf(
  { accessKeyId }: Accepted,
  accepted: readonly Accepted[],
  beforeMs: number,
): Accepted | undefined {
  return accepted.filter((one) => one.accessKeyId === accessKeyId && one.at <= beforeMs).at(-1);
}

/** Its agent may not know that it was accepted. */
function isAmbiguous(
  one: Accepted,
  accepted: readonly Accepted[],
  cuts: readonly number[],
): boolean {
  const isCut = cuts.some((cutMs) => lastOf(one, accepted, cutMs) === one);
  return AMBIGUOUS.has(one.fault ?? '') || isCut;
}

/** How many windows an agent has brought for certain, its own and others', and how many at most. */
function windowsOf(
  { keyId }: Run,
  { accepted }: Cloudwatch,
  cuts: readonly number[],
): { least: number; most: number } {
  const own = accepted.filter(({ accessKeyId }) => accessKeyId === keyId);
  const certain = own.filter((one) => !isAmbiguous(one, accepted, cuts));
  const windowOf = (key: string): string => key.split(' ', 2).join(' ');
  const certainKeys = new Set(certain.flatMap(keysOf));
  const all = new Set(own.flatMap(keysOf).map(windowOf));
  const whole = [...all].filter((window) =>
    NAMES.every((name) => certainKeys.has(`${window} ${name}`)),
  );
  return { least: whole.length, most: all.size };
}
