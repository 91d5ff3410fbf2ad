// Over 200 lines: what is chosen, when it is asked again and what a change costs belong together.
import { ConfigError, reasonOf } from '../errors.ts';
import type { Figures } from '../metrics/figures.ts';
import { commonMeters } from './common.ts';
import { absentBecause, sourceOf } from './meters.ts';
import {
  type Found,
  isFound,
  type Look,
  opened,
  Round,
  type SelectOptions,
  type Way,
  waysTo,
} from './select.ts';
import type { Source } from './source.ts';

/** A possible source, and what became of it. */
export interface Candidate {
  readonly name: string;
  readonly isChosen: boolean;
  /** Its description, or why it cannot be. */
  readonly why: string;
}

/** What was chosen, with what was looked at. */
interface Choice {
  readonly key: string;
  readonly why: string;
  readonly isSettled: boolean;
  /** Nothing is measured until something else is there. */
  readonly isWaiting: boolean;
  readonly warning: string;
  readonly source: Source;
  readonly candidates: readonly Candidate[];
}

/** Of a way that does not serve the scope. */
const NOT_ASKED = 'not asked for';

/** What is not settled is asked again after 1 s, 2 s, 4 s … */
const FIRST_MS = 1000;
const LONGEST_MS = 30_000;
/** What is settled may change all the same. */
const SETTLED_MS = 60_000;

/**
 * A source that looks again which one it should be: containers join late, metadata answers late, files
 * can be read late. A better source takes over, with a baseline of its own.
 *
 * @throws ConfigError where a scope is forced that cannot be here, or the root holds no machine
 */
export async function watchSource(options: SelectOptions): Promise<WatchedSource> {
  checkRoot(options);
  const ways = waysTo(options);
  return new WatchedSource(options, ways, await choose(options, ways, undefined));
}

/** A root that was named and is empty would publish nothing for ever. */
function checkRoot({ fs, platform }: SelectOptions): void {
  if (platform !== 'linux' || fs.root === '/' || fs.list('/proc').length > 0) return;
  throw new ConfigError(
    '--root',
    `got "${fs.root}", expected a folder that holds proc/ and sys/, and proc/ is empty there`,
  );
}

export class WatchedSource implements Source {
  readonly #options: SelectOptions;
  readonly #ways: readonly Way[];
  #choice: Choice;
  #scopeNumber = 0;
  #delayMs = FIRST_MS;
  #cancel: () => void = () => undefined;
  #isClosed = false;
  /** Nothing better was expected when the next look was planned. */
  #isWaitingLong = false;
  #hasSwitched = false;
  readonly #said = new Set<string>();
  readonly #history: string[] = [];

  constructor(options: SelectOptions, ways: readonly Way[], choice: Choice) {
    this.#options = options;
    this.#ways = ways;
    this.#choice = choice;
    this.#warn();
    this.#schedule();
  }

  get candidates(): readonly Candidate[] {
    return this.#choice.candidates;
  }

  /** The changes of scope so far, a line each. */
  get history(): readonly string[] {
    return this.#history;
  }

  get absent(): ReadonlyMap<string, string> {
    return this.#choice.source.absent;
  }

  get scopeNumber(): number {
    return this.#scopeNumber + this.#choice.source.scopeNumber;
  }

  describe(): string {
    return this.#choice.source.describe();
  }

  measure(nowMs: number, figures: Figures): boolean {
    const hasChanged = this.#choice.source.measure(nowMs, figures);
    if (hasChanged && this.#isWaitingLong && this.#lacks()) {
      this.#cancel();
      this.#schedule();
    }
    if (!this.#hasSwitched) return hasChanged;
    this.#hasSwitched = false;
    return true;
  }

  close(): void {
    this.#isClosed = true;
    this.#cancel();
    this.#choice.source.close();
    this.#options.fs.close();
  }

  #schedule(): void {
    const isSettled = this.#choice.isSettled && !this.#lacks();
    const delayMs = isSettled ? SETTLED_MS : this.#delayMs;
    this.#delayMs = isSettled ? FIRST_MS : Math.min(this.#delayMs * 2, LONGEST_MS);
    this.#isWaitingLong = isSettled;
    this.#cancel = this.#options.clock.after(delayMs, () => {
      this.#isWaitingLong = false;
      this.#lookAgain()
        // What was chosen goes on measuring, whatever went wrong here.
        .catch((error) => {
          this.#options.warn(`the scope could not be looked at again: ${reasonOf(error)}`);
        })
        .then(() => {
          if (!this.#isClosed) this.#schedule();
        });
    });
  }

  async #lookAgain(): Promise<void> {
    const choice = await choose(this.#options, this.#ways, this.#choice);
    if (this.#isClosed) {
      if (choice.source !== this.#choice.source) choice.source.close();
      return;
    }
    const before = this.#choice;
    this.#choice = choice;
    this.#warn();
    if (choice.source === before.source) return;
    this.#scopeNumber += before.source.scopeNumber + 1;
    this.#hasSwitched = true;
    before.source.close();
    this.#delayMs = FIRST_MS;
    // Another reason for the same is said as a warning.
    if (before.isWaiting && choice.isWaiting) return;
    const name = choice.isWaiting ? 'nothing' : choice.key;
    const change = `the scope changes from ${before.key} to ${name}: ${choice.why}`;
    this.#history.push(change);
    this.#options.warn(change);
  }

  /** What is chosen cannot tell what it is chosen for; another view of the same may. */
  #lacks(): boolean {
    const { absent } = this.#choice.source;
    return absent.has('cpu') || absent.has('memory');
  }

  #warn(): void {
    const { warning } = this.#choice;
    if (warning === '' || this.#said.has(warning)) return;
    this.#said.add(warning);
    this.#options.warn(warning);
  }
}

/** The first way that leads to a source, or to something that must be waited for. */
async function choose(
  options: SelectOptions,
  ways: readonly Way[],
  before: Choice | undefined,
): Promise<Choice> {
  const { scope, tryAll = false, onTry } = options;
  const candidates: Candidate[] = [];
  const round = new Round(options);
  let chosen: Omit<Choice, 'candidates'> | undefined;
  for (const way of ways) {
    const note = (why: string, isChosen = false): void => {
      candidates.push({ name: way.name, isChosen, why });
    };
    if (!way.serves(scope)) {
      note(NOT_ASKED);
      continue;
    }
    if (chosen !== undefined && !tryAll) {
      note('one before it was found');
      continue;
    }
    onTry?.(way.name);
    const look = await way.look(round);
    const result = await choiceOf(options, look, before);
    if (typeof result === 'string') note(result);
    else if (chosen === undefined) {
      chosen = result;
      note(result.why, true);
    } else {
      note(`one before it was found; else ${result.why}`);
      if (result.source !== before?.source) result.source.close();
    }
  }
  if (chosen === undefined) {
    const error = notThere(options, candidates);
    if (before === undefined) throw error;
    // It was there, and may be again.
    chosen = pendingChoice(options, error.message, before);
  }
  return { ...chosen, candidates };
}

/** A choice, or why there is none. What is chosen already stays as it is. */
async function choiceOf(
  options: SelectOptions,
  look: Look,
  before: Choice | undefined,
): Promise<Omit<Choice, 'candidates'> | string> {
  if (isFound(look)) return foundChoice(look, before);
  return 'none' in look ? look.none : pendingChoice(options, look.pending, before);
}

/** Nothing, until what is waited for is there. */
function pendingChoice(
  options: SelectOptions,
  reason: string,
  before: Choice | undefined,
): Omit<Choice, 'candidates'> {
  const key = `nothing (${reason})`;
  const source = before?.key === key ? before.source : waitingSource(options, reason);
  return { key, why: reason, isSettled: false, isWaiting: true, warning: reason, source };
}

async function foundChoice(
  found: Found,
  before: Choice | undefined,
): Promise<Omit<Choice, 'candidates'> | string> {
  const { key, isSettled, warning = '' } = found;
  const source = before?.key === key ? before.source : await opened(found);
  if (typeof source === 'string') return source;
  return { key, why: source.describe(), isSettled, isWaiting: false, warning, source };
}

/** Nothing is published rather than the figures of something else. */
function waitingSource(options: SelectOptions, reason: string): Source {
  return sourceOf(
    () => `scope=none: ${reason}`,
    {
      'CPU and memory': absentBecause(reason),
      ...commonMeters(options.fs, options),
    },
    () => undefined,
  );
}

function notThere({ scope }: SelectOptions, candidates: readonly Candidate[]): ConfigError {
  const asked = typeof scope === 'string' ? scope : `cgroup:${scope.cgroup}`;
  return new ConfigError('--scope', `got ${asked}, which is not there: ${reasonsOf(candidates)}`);
}

/** Why none of those that were asked for is there. */
function reasonsOf(candidates: readonly Candidate[]): string {
  const looked = candidates.filter(({ why }) => why !== NOT_ASKED);
  return looked.map(({ name, why }) => `${name}: ${why}`).join('; ');
}
