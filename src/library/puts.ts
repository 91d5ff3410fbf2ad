import { isMetricName, MAX_VALUES } from '../cloudwatch/limits.ts';
import { shownText } from '../errors.ts';
import type { Datum } from '../metrics/aggregate.ts';
import { CATALOG } from '../metrics/catalog.ts';
import { Custom, MOST_NAMES, type Refusal } from '../metrics/custom.ts';
import type { Statistics, Unit } from '../metrics/metric.ts';
import type { Events } from './events.ts';
import { isRuntimeMetric, type RuntimeMetric } from './runtime.ts';
import { isUnit } from './units.ts';

const EXPECTED: Readonly<Record<Exclude<Refusal, 'full'>, string>> = {
  name: 'a name of 1 to 255 printable ASCII characters that does not begin with ":" and is none of the agent’s own metrics',
  value: 'a number from -2^360 to 2^360',
  unit: 'one of CloudWatch’s units, such as Count or Milliseconds',
};

/** The caller's numbers, and what is said of those that cannot be taken. */
export class Puts {
  readonly #custom: Custom;
  readonly #events: Events;
  #hasSaid = false;
  #isStopped = false;

  constructor(statistics: Statistics, random: () => number, events: Events) {
    this.#events = events;
    this.#custom = new Custom({
      statistics,
      valuesPerDatum: MAX_VALUES,
      isName: (name) => isMetricName(name) && !isOurs(name),
      isUnit,
      random,
    });
  }

  put(name: unknown, value: unknown, unit: unknown): void {
    const why = this.#isStopped ? this.#custom.refuse('full') : this.#custom.put(name, value, unit);
    if (why !== undefined) this.#refused(why, name, value, unit);
  }

  /** Of the delays the longest counts: somebody has waited for so long. */
  readonly own = (name: RuntimeMetric, value: number, unit: Unit): void => {
    this.#custom.own(name, value, unit, name === 'NodeEventLoopDelay' ? 'max' : 'median');
  };

  readonly take = (): readonly Datum[] => this.#custom.take();

  /** From now on nothing is taken any more. */
  stop(): void {
    this.#isStopped = true;
    this.#hasSaid = false;
  }

  get names(): number {
    return this.#custom.names;
  }

  get lost(): number {
    return this.#custom.lost;
  }

  #refused(why: Refusal, name: unknown, value: unknown, unit: unknown): void {
    const fields = { metric: shown(name) };
    if (why !== 'full') {
      const came = shown({ name, value, unit }[why]);
      const message = `put: got the ${why} ${came}, expected ${EXPECTED[why]}`;
      this.#events.fail('BAD_METRIC', `${why} ${fields.metric}`, message, { fields });
    } else if (!this.#hasSaid) {
      this.#hasSaid = true;
      const [code, message] = this.#isStopped ? STOPPED : FULL;
      this.#events.fail(code, '', message, { fields });
    }
  }
}

const STOPPED = ['STOPPED', 'put: the agent has been stopped, what comes is lost'] as const;
const FULL = [
  'TOO_MANY_METRICS',
  `put: ${MOST_NAMES} names are held and more are lost, which is said once: put what varies under fewer names`,
] as const;

function isOurs(name: string): boolean {
  return isRuntimeMetric(name) || CATALOG.some((metric) => metric.name === name);
}

/** Whatever it is: an object may throw where it is asked for its text. */
function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(shownText(value));
  if (typeof value === 'object' && value !== null) return 'an object';
  return typeof value === 'function' ? 'a function' : String(value);
}
