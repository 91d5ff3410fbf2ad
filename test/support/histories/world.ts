// Over 200 lines: what a move does, and what it excuses, are to be read together.
import assert from 'node:assert/strict';
import type { Verdict } from '../../../src/delivery/verdict.ts';
import { parseName } from '../../../src/spool/names.ts';
import { BEAT_MS } from '../../../src/spool/owners.ts';
import { parseSegment } from '../../../src/spool/record.ts';
import { drivenClock } from '../clock.ts';
import { seededRandom } from './chance.ts';
import { MemoryFolder } from './memory-disk.ts';
import type { Move } from './moves.ts';
import { type Limits, Process } from './process.ts';

const NOON = Date.UTC(2026, 0, 1, 12);
/** Room for a dozen windows. */
export const LEAST_BYTES = 2048;

/** What has been said of all datums: by `window.index`. */
class Service {
  readonly stored: Map<string, number> = new Map();
  /** Stored without its process knowing, so that it may come again. */
  readonly excused: Map<string, number> = new Map();

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

/** Two processes that share a folder, one after the other or at once. */
export class World {
  readonly service: Service = new Service();
  readonly #clock = drivenClock(NOON);
  readonly #random: () => number;
  readonly #folder = new MemoryFolder(() => this.#clock.wallMs());
  readonly #processes: (Process | undefined)[] = [undefined, undefined];
  #windows = 0;
  /** Windows of a living process that the disk has, so that they must come out. */
  readonly #safe = new Set<number>();
  /** Windows that only a process has that lives. */
  readonly #open: Set<number>[] = [new Set(), new Set()];

  readonly #limits: Limits;
  /** Windows that were on disk when it was removed. */
  readonly #vanished = new Set<number>();
  /** Windows that dead processes said are lost. */
  #lost = 0;

  constructor(seed: number, limits: Limits) {
    this.#random = seededRandom(seed);
    this.#limits = limits;
  }

  /** Windows that somebody said are lost. */
  get lost(): number {
    return this.#processes.reduce((sum, process) => sum + (process?.lost ?? 0), this.#lost);
  }

  /** Windows that were on disk, or that a living process has, and of which nothing came. */
  get missing(): readonly number[] {
    const all = new Set([this.#safe, ...this.#open].flatMap((some) => [...some]));
    return [...all].filter((window) => !this.service.has(window));
  }

  get #all(): readonly number[] {
    return Array.from({ length: this.#windows }, (_, index) => index + 1);
  }

  async move(move: Move): Promise<void> {
    switch (move.kind) {
      case 'close':
        if (this.#processes[move.who]?.isPaused === true) break;
        this.#windows += 1;
        this.#open[move.who]?.add(this.#windows);
        this.#at(move.who).close(this.#windows, move.datums, this.#clock);
        break;
      case 'pause':
        this.#pause(move.who);
        break;
      case 'resume':
        this.#processes[move.who]?.resume();
        break;
      case 'vanish':
        this.#remove(() => this.#folder.vanish());
        break;
      case 'break':
        this.#folder.broken = move.code;
        // Others may take for dead who cannot say that it lives.
        if (move.code !== undefined) this.#excuse(this.#all, () => true);
        break;
      case 'sweep':
        await this.#sweep();
        break;
      case 'set':
        this.#clock.setWall(this.#clock.wallMs() + move.byMs);
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
        this.#noteLost([move.who], !this.#kill(move.who, move.part, move.isStored));
        break;
      case 'crash':
        for (const who of [0, 1]) this.#kill(who, this.#random(), this.#random() < 0.5);
        this.#folder.crash(this.#random);
        this.#noteLost([0, 1], true);
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
    this.#folder.broken = undefined;
    for (const process of this.#processes) process?.resume();
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
      if (isEmpty && this.missing.length <= this.lost) return;
    }
    const left = [...this.#folder.files].map(([name, { text }]) => `${name}\n${text}`);
    const logs = this.#processes.map((one) => one?.logged.slice(-20).join('\n'));
    assert.fail(
      `missing: ${this.missing}, lost: ${this.lost}; on disk: ${left.join('\n')}\n${logs.join('\n---\n')}`,
    );
  }

  #at(who: number): Process {
    const process =
      this.#processes[who] ?? new Process(this.#folder, this.#clock, this.#random, this.#limits);
    this.#processes[who] = process;
    return process;
  }

  #answer(who: number, how: Verdict['kind'] | 'ambiguous'): void {
    const process = this.#processes[who];
    const { flight } = process ?? {};
    if (flight === undefined || process?.isPaused === true) return;
    if (how === 'accepted' || how === 'ambiguous') {
      // What is on its way when another process turns out to have it may go again.
      const since = process?.logged.slice(flight.lines) ?? [];
      const isTaken = since.some((line) => line.includes('was taken over'));
      const isExcused = flight.isUnheard || (flight.isSure && isTaken);
      this.service.store(flight.keys, how === 'ambiguous' || isExcused);
    }
    // One datum that is too large is given up, which is another matter.
    const isGivenUp = how === 'tooLarge' && flight.keys.length === 1;
    process?.answer(how === 'ambiguous' || isGivenUp ? 'retry' : how);
  }

  async #work(steps: number): Promise<void> {
    await settled();
    for (let step = 0; step < steps && !this.#folder.isIdle; step += 1) {
      this.#folder.step();
      this.#assertLimit();
      await settled();
    }
    if (!this.#folder.isIdle || this.#folder.isFailing) return;
    for (const [who, process] of this.#processes.entries()) {
      if (process?.isQuiet !== true || !this.#isWell(process)) continue;
      const isSafe = this.#windowsOnDisk();
      for (const window of [...(this.#open[who] ?? [])]) {
        // That it was removed is noticed at the next beat.
        if (this.#vanished.has(window) && !isSafe.has(window)) continue;
        this.#safe.add(window);
        this.#open[who]?.delete(window);
      }
    }
  }

  #assertLimit(): void {
    for (const process of this.#processes) {
      const own = [...this.#folder.files].filter(
        ([name]) => parseName(name)?.owner === process?.owner,
      );
      const bytes = own.reduce((sum, [, { text }]) => sum + Buffer.byteLength(text), 0);
      const { spoolBytes } = this.#limits;
      assert.ok(process === undefined || bytes <= spoolBytes, `${bytes} bytes in the spool`);
    }
  }

  /** Those that survive even the machine's end, in some of the files. */
  #windowsOnDisk(which: (name: string) => boolean = () => true): Set<number> {
    const files = [...this.#folder.files].filter(([name]) => which(name));
    return windowsIn(files.map(([, { text, safe }]) => text.slice(0, safe)));
  }

  #hasLivingOwner(name: string): boolean {
    const { owner } = parseName(name) ?? {};
    return this.#processes.some((process) => process !== undefined && process.owner === owner);
  }

  /** @returns whether it had nothing to do any more, so that all it knew is on disk */
  #kill(who: number, part: number, isStored: boolean): boolean {
    const process = this.#processes[who];
    if (process === undefined) return true;
    const isQuiet = process.isQuiet && !this.#folder.isFailing && this.#isWell(process);
    // The service may have taken what was under way.
    if (process.flight !== undefined && isStored) this.service.store(process.flight.keys, true);
    this.#lost += process.lost;
    process.kill(part);
    this.#processes[who] = undefined;
    return isQuiet;
  }

  #isWell(process: Process): boolean {
    return !afterLast(process.logged, 'written again').includes('cannot be written');
  }

  #pause(who: number): void {
    const process = this.#processes[who];
    if (process === undefined || process.isPaused) return;
    // Its heir may send what it is sending now, or has sent without having noted it.
    for (const key of process.flight?.keys ?? []) this.service.excuse(key);
    if (!process.isQuiet) {
      // Between a write and the look at whether the file was still its own, nobody can tell whose they are.
      this.#excuse(this.#open[who] ?? [], () => true);
      this.#excuseUnnoted();
    }
    process.pause();
  }

  /** Somebody removes the files: who looks at once sees that it was not an heir. */
  async #sweep(): Promise<void> {
    // What was asked for before comes first.
    for (const _ of [1, 2]) await this.#beat();
    const living = this.#processes.flatMap((one) => (one === undefined ? [] : [one]));
    const isFit = living.every((one) => one.isQuiet && one.isSure && this.#isWell(one));
    if (!isFit || this.#folder.isFailing) return;
    this.#remove(() => this.#folder.sweep());
    await this.#beat();
  }

  async #beat(): Promise<void> {
    this.#clock.advance(BEAT_MS);
    await this.#work(200);
  }

  /** Files are removed: what the living know is not lost by that. */
  #remove(how: () => void): void {
    const living = this.#processes.flatMap((one) => (one === undefined ? [] : [one]));
    for (const [name, { text }] of this.#folder.files) {
      const { owner, origin } = parseName(name) ?? {};
      const who = this.#processes.findIndex((one) => one !== undefined && one.owner === owner);
      // Claimed, but perhaps not read yet.
      const isKnown = origin === undefined || this.#processes[who]?.knows(name) === true;
      const windows = windowsIn([text]);
      for (const window of windows) {
        this.#safe.delete(window);
        this.#vanished.add(window);
        if (isKnown) this.#open[who]?.add(window);
      }
    }
    // An owner that stood still, and has not looked yet, cannot see that it had an heir.
    if (living.some(({ isQuiet }) => !isQuiet)) {
      this.#excuse(this.#all, () => true);
    }
    how();
  }

  #excuse(windows: Iterable<number>, which: (key: string) => boolean): void {
    for (const window of windows) {
      for (const key of [0, 1, 2].map((place) => `${window}.${place}`)) {
        if (which(key)) this.service.excuse(key);
      }
    }
  }

  /** What was settled may not have been noted on disk yet. */
  #excuseUnnoted(): void {
    const texts = [...this.#folder.files.values()].map(({ text }) => text);
    this.#excuse(windowsIn(texts), (key) => this.service.stored.has(key));
  }

  /** SIGTERM, with a service that answers nothing, or takes it all. */
  async #end(who: number): Promise<void> {
    const process = this.#processes[who];
    if (process === undefined || process.isPaused) return;
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
    const { lostAtEnd } = await ended;
    const { bufferBytes, spoolBytes } = this.#limits;
    const isRoom = !this.#folder.isFailing && Math.min(bufferBytes, spoolBytes) > LEAST_BYTES;
    if (isRoom) assert.equal(lostAtEnd, 0, 'the spool takes what the service does not');
    this.#lost += lostAtEnd;
    this.#lost += process.lost;
    process.kill(0);
    this.#processes[who] = undefined;
    this.#noteLost([who], this.#folder.isFailing);
  }

  /** After a kill: what is neither on disk nor stored is gone, and what is on disk may come again. */
  #noteLost(whose: readonly number[], isUnwritten: boolean): void {
    if (isUnwritten) this.#excuseUnnoted();
    // What was written to a file that another process had taken is not read any more.
    const isSafe = this.#windowsOnDisk((name) => !this.#hasLivingOwner(name));
    for (const who of whose) {
      for (const window of this.#open[who] ?? []) {
        if (isSafe.has(window)) this.#safe.add(window);
      }
      this.#open[who]?.clear();
    }
  }
}

/** The windows that wait in segments. */
function windowsIn(texts: readonly string[]): Set<number> {
  const windows = texts.flatMap((text) => parseSegment(text).windows);
  return new Set(windows.flatMap(({ data }) => data.map(({ values }) => values[0] ?? 0)));
}

function afterLast(lines: readonly string[], word: string): string {
  const at = lines.map((line) => line.includes(word)).lastIndexOf(true);
  return lines.slice(at + 1).join('\n');
}

/** Everything that promises have to do. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
