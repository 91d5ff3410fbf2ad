import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseStalledUsec } from '../../src/kernel/pressure.ts';
import { laid } from '../support/bytes.ts';

function stalled(text: string): number {
  const { bytes, end } = laid(text);
  return parseStalledUsec(bytes, end);
}

describe('parseStalledUsec', () => {
  const SOME = 'some avg10=2.08 avg60=0.57 avg300=0.12 total=549320\n';
  const FULL = 'full avg10=0.00 avg60=0.00 avg300=0.00 total=7\n';
  const rows: [what: string, text: string, usec: number][] = [
    ['both lines', SOME + FULL, 549320],
    ['only the first, as for cpu before Linux 5.13', SOME, 549320],
    ['the lines the other way round', FULL + SOME, 549320],
    ['only full', FULL, Number.NaN],
    ['no total', 'some avg10=0.00\n', Number.NaN],
    ['no total but in the other line', `some avg10=0.00\n${FULL}`, Number.NaN],
    ['cut short', 'some avg10=2.08 avg60=0.57 avg300=0.12 tot', Number.NaN],
    ['cut short behind the sign', 'some avg10=2.08 avg60=0.57 avg300=0.12 total=', Number.NaN],
    ['an empty text', '', Number.NaN],
    ['a total without a number', 'some avg10=0.00 total=\n', Number.NaN],
  ];
  for (const [what, text, usec] of rows) {
    test(`${what}: ${usec} µs`, () => assert.equal(stalled(text), usec));
  }
});
