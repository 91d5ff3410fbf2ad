import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import type { Scope } from '../../src/sources/select.ts';
import { watchSource } from '../../src/sources/watch.ts';
import { makeRoot } from '../support/root.ts';
import { sampleAt, selectOptions } from '../support/sources.ts';

/** Environments that others have reported, each with its right figures and why. */
const CASES = new URL('../fixtures/cases/', import.meta.url);

type Files = Readonly<Record<string, string>>;
/** In percent; null is absent; of a list any is right. */
type Right = number | null | readonly (number | null)[];

interface Case {
  readonly name: string;
  readonly reported: string;
  readonly why: string;
  readonly right: { readonly cpu?: Right; readonly mem?: Right };
  readonly args: readonly string[];
  readonly links: Files;
  readonly t0: Files;
  readonly t1: Files;
}

function isCase(value: unknown): value is Case {
  const keys = ['name', 'reported', 'why', 'right', 'args', 'links', 't0', 't1'];
  return typeof value === 'object' && value !== null && keys.every((key) => key in value);
}

const cases = readdirSync(CASES).map((name): Case => {
  const value: unknown = JSON.parse(readFileSync(new URL(name, CASES), 'utf8'));
  assert.ok(isCase(value), name);
  return value;
});

function scopeOf(args: readonly string[]): Scope {
  const word = args[args.indexOf('--scope') + 1];
  assert.ok(word === 'auto' || word === 'host', `a scope that no case had before: ${word}`);
  return word;
}

/** Clocks and rounding: one percent of the right figure. */
function isRight(actual: number | undefined, right: number | null): boolean {
  if (right === null) return actual === undefined;
  return actual !== undefined && Math.abs(actual - right) <= 0.01 * right;
}

function assertRight(actual: number | undefined, right: Right | undefined, what: string): void {
  if (right === undefined) return;
  const any = typeof right === 'object' && right !== null ? right : [right];
  assert.ok(
    any.some((one) => isRight(actual, one)),
    `${what}: ${actual}, right is ${JSON.stringify(right)}`,
  );
}

test('there are thirteen reported environments, and each names its source', () => {
  assert.equal(cases.length, 13);
  assert.ok(cases.every(({ reported }) => reported.length > 10));
});

describe('a reported environment', () => {
  for (const { name, why, right, args, links, t0, t1 } of cases) {
    test(`${name}: ${why}`, async (t) => {
      const root = makeRoot(t0);
      t.after(() => root.remove());
      root.link(links);
      const source = await watchSource(selectOptions(root, { scope: scopeOf(args) }));
      t.after(() => source.close());
      sampleAt(source, 0);
      root.write(t1);
      const { cpu, memory } = sampleAt(source, 1000);
      const said = `${source.describe()} ${[...source.absent].join('; ')}`;
      assertRight(cpu, right.cpu, `${said}: CPU`);
      assertRight(memory, right.mem, `${said}: memory`);
      // What is right by being absent has a reason.
      if (cpu === undefined || memory === undefined) assert.ok(source.absent.size > 0);
    });
  }
});
