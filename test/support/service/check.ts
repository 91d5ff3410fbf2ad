import { type FormNode, type FormTree, takeList, takeText } from './form.ts';
import { type Offence, Refusal } from './refusal.ts';

export interface DatumRules {
  /** Milliseconds since 1970 of the server's clock. */
  now: number;
  /** Takes Values beside StatisticValues, as AWS does without saying so. Off unless asked. */
  valuesWithStatistics?: boolean;
}

// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html
const MAX_VALUES = 150;
const MAX_MAGNITUDE = 2 ** 360;
const OLDEST_MS = 14 * 86_400_000;
const NEWEST_MS = 2 * 3_600_000;
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;
const EXTENDED_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;
const BASIC_TIME = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/;

/** Collects what is wrong, so that one answer names it all. A wrong value is passed on as it is. */
export class Check {
  readonly offences: Offence[] = [];
  readonly rules: DatumRules;

  constructor(rules: DatumRules) {
    this.rules = rules;
  }

  add(code: string, message: string): void {
    this.offences.push({ code, message });
  }

  missing(path: string): void {
    this.add('MissingParameter', `The parameter ${path} is required.`);
  }

  invalid(value: string, path: string): void {
    this.add('InvalidParameterValue', `The value ${value} for parameter ${path} is invalid.`);
  }

  tooSmall(path: string): void {
    this.add('InvalidParameterValue', `The parameter ${path} must be greater than 0.`);
  }

  atMost(list: readonly FormNode[], most: number, path: string): void {
    if (list.length <= most) return;
    const message = `The collection ${path} must not have a size greater than ${most}.`;
    this.add('InvalidParameterValue', message);
  }

  oneOf(value: string, set: readonly string[], path: string): string {
    if (!set.includes(value)) {
      const message = `The parameter ${path} must be a value in the set [ ${set.join(', ')} ].`;
      this.add('InvalidParameterValue', message);
    }
    return value;
  }

  /** Required ASCII text of 1 to `longest` characters, none a control character, not all blank. */
  name(tree: FormTree, key: string, path: string, longest: number): string {
    const value = takeText(tree, key, path);
    const wrong = (message: string): void => this.add('InvalidParameterValue', message);
    if (value === undefined) {
      this.missing(path);
      return '';
    }
    if (value === '') wrong(`The parameter ${path} must be longer than 0 characters.`);
    else if (value.trim() === '') wrong(`The parameter ${path} must not be blank.`);
    if (value.length > longest) {
      wrong(`The parameter ${path} must be shorter than ${longest + 1} characters.`);
    }
    const codes = [...value].map((character) => character.codePointAt(0) ?? 0);
    if (codes.some((code) => code > 0x7f)) {
      wrong(`The value for parameter ${path} contains non-ASCII characters.`);
    }
    if (codes.some((code) => code < 0x20 || code === 0x7f)) {
      wrong(`The value for parameter ${path} contains control characters.`);
    }
    return value;
  }

  number(tree: FormTree, key: string, path: string): number {
    const text = takeText(tree, key, path);
    if (text !== undefined) return this.double(text, path);
    this.missing(path);
    return Number.NaN;
  }

  numbers(node: FormNode | undefined, path: string): number[] {
    const members = takeList(node, path);
    this.atMost(members, MAX_VALUES, path);
    return members.map((member, at) => {
      const each = `${path}.member.${at + 1}`;
      if (typeof member === 'string') return this.double(member, each);
      throw new Refusal(400, 'MalformedInput', `${each} is not a simple value.`);
    });
  }

  timestamp(text: string, path: string): void {
    const at = parseInstant(text);
    const message = `The parameter ${path} must specify a time within the past two weeks.`;
    const { now } = this.rules;
    if (Number.isNaN(at)) this.invalid(text, path);
    else if (at < now - OLDEST_MS || at > now + NEWEST_MS)
      this.add('InvalidParameterValue', message);
  }

  double(text: string, path: string): number {
    const value = NUMBER.test(text) ? Number(text) : Number.NaN;
    if (!(Math.abs(value) <= MAX_MAGNITUDE)) this.invalid(text, path);
    return value;
  }
}

/** Milliseconds since 1970 of an ISO 8601 instant, extended or basic; NaN where the text is none. */
export function parseInstant(text: string): number {
  const extended = text.replace(BASIC_TIME, '$1-$2-$3T$4:$5:$6Z');
  if (!EXTENDED_TIME.test(extended)) return Number.NaN;
  // Date.parse takes 30 February for 1 March: the day must survive the way there and back.
  const day = extended.slice(0, 10);
  const back = Date.parse(`${day}T00:00:00Z`);
  if (Number.isNaN(back) || new Date(back).toISOString().slice(0, 10) !== day) return Number.NaN;
  return Date.parse(extended);
}
