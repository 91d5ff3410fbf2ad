import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseLowWatermarks } from '../../src/kernel/zoneinfo.ts';

describe('parseLowWatermarks', () => {
  const ZONES = `Node 0, zone      DMA
  per-node stats
      nr_inactive_anon 15628
  pages free     3840
        boost    0
        min      42
        low      53
        high     64
Node 0, zone    DMA32
  pages free     765432
        min      8718
        low      10898
        high     13078
        protection: (0, 0, 21095)
Node 0, zone   Device
  pages free     0
        low      0
`;
  const cases: [what: string, text: string, pages: number][] = [
    ['of all zones', ZONES, 53 + 10898],
    ['with CRLF', ZONES.replaceAll('\n', '\r\n'), 53 + 10898],
    ['without a line feed at the end', '        low 7', 7],
    ['of zones that are all empty', '        low      0\n', 0],
    ['of an empty text', '', Number.NaN],
    ['where only other words begin or end alike', '  lowest 5\n  slow 6\n  low\n', Number.NaN],
    ['where the number is none', '        low      x\n        low -3\n', Number.NaN],
    ['where the word does not stand in a zone', 'low 5\n', Number.NaN],
    ['past 2^53', '  low 18446744073709551615\n', 2 ** 64],
  ];
  for (const [what, text, pages] of cases) {
    test(`the low watermarks ${what} add up to ${pages}`, () => {
      assert.equal(parseLowWatermarks(text), pages);
    });
  }
});
