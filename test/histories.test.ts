import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Clock } from '../src/clock.ts';
import { CloudwatchSink } from '../src/cloudwatch/sink.ts';
import type { Outlook, Verdict } from '../src/cloudwatch/verdict.ts';
import { createLog } from '../src/log.ts';
import { parseSegment } from '../src/spool/record.ts';
import { Spool } from '../src/spool/spool.ts';
import { seededRandom } from './support/chance.ts';
import { type DrivenClock, drivenClock } from './support/clock.ts';
import { type MemoryDisk, MemoryFolder } from './support/memory-disk.ts';
import { datumOf, PUBLICATION } from './support/sink.ts';

const PERIOD = 60_000;
const NOON = Date.UTC(2026, 0, 1, 12);
const MIB = 1024 * 1024;
/** More of them run where there is time for it. */
const RUNS = Number(process.env['HISTORIES'] ?? 5000);

/** What has been said of all datums: by `window.index`. */
class Service {
  readonly stored = new Map<string, number>();
  /** Stored without its process knowing, so that it may come again. */
  readonly excused = new Map<string, number>();

  store(keys: readonly string[], isExcused: boolean): void {
    for (const key of keys) {
      this.stored.set(key, (this.stored.get(key) ?? 0) + 1);
      if (isExcused) this.excuse(key);
    }
  }

  excuse(key: string): void {
    this.excused.set(key, (this.excused.get(key) ?? 0) + 1);
  }

  has(window: number): boolean {
    return this.stored.has(`${window}.0`);
  }
}

interface Flight {
  readonly keys: readonly string[];
  readonly resolve: (verdict: Verdict) => void;
}

/** One agent's sink with its spool, until it is killed. */
class Process {
  readonly sink: CloudwatchSink;
  readonly #folder: MemoryFolder;
  readonly #disk: MemoryDisk;
  flight: Flight | undefined;
  readonly logged: string[] = [];
  #isAlive = true;

  constructor(folder: MemoryFolder, clock: DrivenClock, random: () => number) {
    this.#folder = folder;
    this.#disk = folder.open();
    const mortal: Clock = {
      monoMs: clock.monoMs,
      wallMs: clock.wallMs,
      after: (delayMs, task) => clock.after(delayMs, () => this.#isAlive && task()),
    };
    const log = createLog({
      level: 'debug',
      format: 'text',
      clock,
      write: (line) => this.logged.push(line),
    });
    const digits = (): string => Math.floor(random() * 2 ** 32).toString(16);
    this.sink = new CloudwatchSink({
      publication: PUBLICATION,
      resolve: (dimensions) => Promise.resolve(dimensions),
      prepare: () => Promise.resolve({}),
      post: ({ body }, timeoutMs) =>
        new Promise((resolve) => {
          const flight = { keys: keysIn(body), resolve };
          this.flight = flight;
          mortal.after(timeoutMs, () => {
            if (this.flight === flight) this.answer('retry');
          });
        }),
      periodMs: PERIOD,
      jitterMs: 15_000,
      bufferBytes: 4 * MIB,
      openSpool: (mirrored) =>
        new Spool({
          disk: this.#disk,
          limitBytes: 64 * MIB,
          owner: digits() + digits(),
          publication: PUBLICATION,
          clock: mortal,
          log,
          mirrored,
        }),
      health: () => undefined,
      remedyFor: () => undefined,
      clock: mortal,
      log,
      random,
    });
  }

  close(number: number, datums: number, clock: Clock): void {
    const startMs = Math.floor(clock.wallMs() / PERIOD) * PERIOD - PERIOD;
    const data = Array.from({ length: datums }, (_, place) => ({
      ...datumOf([number]),
      name: `M${place}`,
    }));
    this.sink.accept({ startMs, endMs: startMs + PERIOD, samples: 1, data });
  }

  answer(outlook: Outlook): void {
    const { flight } = this;
    this.flight = undefined;
    const nothing = { code: outlook, message: '', requestId: '', members: [], waitMs: 0 };
    flight?.resolve({ ...nothing, outlook });
  }

  /** Never heard of again. */
  kill(part: number): void {
    this.#isAlive = false;
    this.#folder.kill(this.#disk, part);
    this.flight = undefined;
  }
}

/** The datums of a request, as `window.place`: the one is their value, the other in their name. */
function keysIn(body: string): string[] {
  const datums = body.matchAll(/\.MetricName=M(\d+)&.*?\.Value=(\d+)/g);
  return [...datums].map(([, place, window]) => `${window}.${place}`);
}

const moves = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('close' as const),
      who: fc.nat(1),
      datums: fc.integer({ min: 1, max: 3 }),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('answer' as const),
      who: fc.nat(1),
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
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('pass' as const),
      ms: fc.constantFrom(100, 5000, 15_000, 30_000, PERIOD, 600_000),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('disk' as const),
      steps: fc.constantFrom(1, 2, 5, 40),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('fill' as const), isFull: fc.boolean() }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('kill' as const),
      who: fc.nat(1),
      part: fc.double({ min: 0, max: 1, noNaN: true }),
      isStored: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('crash' as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('start' as const), who: fc.nat(1) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('end' as const), who: fc.nat(1) }) },
);
type Move = typeof moves extends fc.Arbitrary<infer M> ? M : never;

/** Two processes that share a folder, one after the other or at once. */
class World {
  readonly service = new Service();
  readonly #clock = drivenClock(NOON);
  readonly #random: () => number;
  readonly #folder = new MemoryFolder(() => this.#clock.wallMs());
  readonly #processes: (Process | undefined)[] = [undefined, undefined];
  #windows = 0;
  /** Windows of a living process that the disk has, so that they must come out. */
  readonly #safe = new Set<number>();
  /** Windows that only a process has that lives. */
  readonly #open: Set<number>[] = [new Set(), new Set()];

  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }

  get windows(): number {
    return this.#windows;
  }

  get safe(): ReadonlySet<number> {
    return this.#safe;
  }

  async move(move: Move): Promise<void> {
    switch (move.kind) {
      case 'close':
        this.#windows += 1;
        this.#open[move.who]?.add(this.#windows);
        this.#at(move.who).close(this.#windows, move.datums, this.#clock);
        break;
      case 'answer':
        this.#answer(move.who, move.how);
        break;
      case 'pass':
        this.#clock.advance(move.ms);
        break;
      case 'disk':
        await this.#work(move.steps);
        break;
      case 'fill':
        this.#folder.isFull = move.isFull;
        break;
      case 'kill':
        this.#kill(move.who, move.part, move.isStored);
        this.#noteLost([move.who]);
        break;
      case 'crash':
        for (const who of [0, 1]) this.#kill(who, this.#random(), this.#random() < 0.5);
        this.#folder.crash(this.#random);
        this.#noteLost([0, 1]);
        break;
      case 'start':
        this.#at(move.who);
        break;
      case 'end':
        await this.#end(move.who);
        break;
    }
    await settled();
  }

  /** Everything works from now on. */
  async calm(): Promise<void> {
    this.#folder.isFull = false;
    for (let round = 0; round < 400; round += 1) {
      for (const who of [0, 1]) {
        this.#at(who);
        await this.#work(100);
        this.#answer(who, 'accepted');
        await this.#work(100);
      }
      this.#clock.advance(5000);
      await settled();
      // What others left is looked for when a window closes.
      if (round % 24 === 0) {
        for (const who of [0, 1]) await this.move({ kind: 'close', who, datums: 1 });
      }
      const isEmpty = this.#folder.files.size === 0;
      if (isEmpty && [...this.#safe].every((window) => this.service.has(window))) return;
    }
    const left = [...this.#folder.files].map(([name, { text }]) => `${name}\n${text}`);
    const missing = [...this.#safe].filter((window) => !this.service.has(window));
    const logs = this.#processes.map((one) => one?.logged.slice(-20).join('\n'));
    assert.fail(`missing: ${missing}; on disk: ${left.join('\n')}\n${logs.join('\n---\n')}`);
  }

  #at(who: number): Process {
    const process = this.#processes[who] ?? new Process(this.#folder, this.#clock, this.#random);
    this.#processes[who] = process;
    return process;
  }

  #answer(who: number, how: Outlook | 'ambiguous'): void {
    const process = this.#processes[who];
    const { flight } = process ?? {};
    if (flight === undefined) return;
    if (how === 'accepted' || how === 'ambiguous') {
      this.service.store(flight.keys, how === 'ambiguous');
    }
    // One datum that is too large is given up, which is another matter.
    const isGivenUp = how === 'tooLarge' && flight.keys.length === 1;
    process?.answer(how === 'ambiguous' || isGivenUp ? 'retry' : how);
  }

  async #work(steps: number): Promise<void> {
    await settled();
    for (let step = 0; step < steps && !this.#folder.isIdle; step += 1) {
      this.#folder.step();
      await settled();
    }
    if (!this.#folder.isIdle || this.#folder.isFull) return;
    for (const [who, process] of this.#processes.entries()) {
      const since = afterLast(process?.logged ?? [], 'written again');
      if (since.includes('cannot be written')) continue;
      for (const window of this.#open[who] ?? []) this.#safe.add(window);
      this.#open[who]?.clear();
    }
  }

  #kill(who: number, part: number, isStored: boolean): void {
    const process = this.#processes[who];
    if (process === undefined) return;
    // The service may have taken what was under way.
    if (process.flight !== undefined && isStored) this.service.store(process.flight.keys, true);
    process.kill(part);
    this.#processes[who] = undefined;
  }

  /** SIGTERM, with a service that answers nothing, or takes it all. */
  async #end(who: number): Promise<void> {
    const process = this.#processes[who];
    if (process === undefined) return;
    const isUp = this.#random() < 0.5;
    const ended = process.sink.flush(this.#clock.monoMs() + 8000);
    let isOver = false;
    ended.then(() => {
      isOver = true;
    });
    for (let turn = 0; !isOver; turn += 1) {
      assert.ok(turn < 400, `the end does not come: ${process.logged.join('\n')}`);
      await settled();
      if (isUp) this.#answer(who, 'accepted');
      await settled();
      await this.#work(50);
      this.#clock.advance(100);
    }
    const { lost } = await ended;
    if (!this.#folder.isFull) assert.equal(lost, 0, 'the spool takes what the service does not');
    process.kill(0);
    this.#processes[who] = undefined;
    this.#noteLost([who]);
  }

  /** After a kill: what is neither on disk nor stored is gone, and what is on disk may come again. */
  #noteLost(whose: readonly number[]): void {
    const windowsIn = (texts: readonly string[]): Set<number> => {
      const windows = texts.flatMap((text) => parseSegment(text).windows);
      return new Set(windows.flatMap(({ data }) => data.map(({ values }) => values[0] ?? 0)));
    };
    const files = [...this.#folder.files.values()];
    const onDisk = windowsIn(files.map(({ text }) => text));
    // What only the system has goes with the machine.
    const isSafe = windowsIn(files.map(({ text, safe }) => text.slice(0, safe)));
    for (const window of onDisk) {
      const places = [0, 1, 2].map((place) => `${window}.${place}`);
      for (const key of places) if (this.service.stored.has(key)) this.service.excuse(key);
    }
    for (const who of whose) {
      for (const window of this.#open[who] ?? []) {
        if (isSafe.has(window)) this.#safe.add(window);
      }
      this.#open[who]?.clear();
    }
  }
}

function afterLast(lines: readonly string[], word: string): string {
  const at = lines.map((line) => line.includes(word)).lastIndexOf(true);
  return lines.slice(at + 1).join('\n');
}

/** Everything that promises have to do. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

describe('any history of windows, answers, kills and restarts with a spool', () => {
  test('delivers what the disk had, once unless an answer or its record was lost', async (t) => {
    let transitions = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.nat(),
        fc.array(moves, { minLength: 5, maxLength: 60, size: 'max' }),
        async (seed, all) => {
          const world = new World(seed);
          for (const move of all) await world.move(move);
          await world.calm();
          transitions += all.length;
          for (const window of world.safe) {
            assert.ok(world.service.has(window), `window ${window} was on disk, and is missing`);
          }
          for (const [key, times] of world.service.stored) {
            const most = 1 + (world.service.excused.get(key) ?? 0);
            assert.ok(times <= most, `${key} was stored ${times} times, at most ${most} expected`);
          }
        },
      ),
      { numRuns: RUNS, includeErrorInReport: true },
    );
    t.diagnostic(`${transitions} moves`);
  });
});
