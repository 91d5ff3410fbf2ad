import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { claimedName, parseName, releasedName, segmentName } from '../../src/spool/names.ts';

const START = 1_795_464_000_000;

describe('the name of a segment', () => {
  test('tells when its first window began, who owns it, and what it was called before', () => {
    const name = segmentName('3f9a01c2', 7, START);
    assert.equal(name, 'cma-1795464000000-3f9a01c2-7.spool');
    const own = { startMs: START, owner: '3f9a01c2', key: '3f9a01c2-7', origin: undefined };
    assert.deepEqual(parseName(name), own);
    const claimed = claimedName('abc', 1, name);
    assert.equal(claimed, 'cma-1795464000000-abc-1-of-3f9a01c2-7.spool');
    const taken = { startMs: START, owner: 'abc', key: 'abc-1', origin: '3f9a01c2-7' };
    assert.deepEqual(parseName(claimed), taken);
    const again = claimedName('def', 2, claimed);
    assert.equal(again, 'cma-1795464000000-def-2-of-abc-1.spool');
  });

  test('is nobody’s where it was released, and can be claimed', () => {
    const name = releasedName(claimedName('abc', 1, segmentName('3f9a01c2', 7, START)));
    assert.equal(name, 'cma-released-1795464000000-abc-1.spool');
    const released = { startMs: START, owner: undefined, key: 'abc-1', origin: undefined };
    assert.deepEqual(parseName(name), released);
    assert.equal(claimedName('def', 2, name), 'cma-1795464000000-def-2-of-abc-1.spool');
  });

  test('is a name whatever the clock says', () => {
    for (const [startMs, said] of [
      [-1, 0],
      [0, 0],
      [0.5, 0],
      [253_402_300_799_999, 253_402_300_799_999],
    ] as const) {
      assert.equal(parseName(segmentName('a', 1, startMs))?.startMs, said);
    }
  });

  for (const name of [
    'notes.txt',
    'cma-3f9a01c2-7.spool',
    'cma-1795464000000-xyz-7.spool',
    'cma-1795464000000-3f9a01c2.spool',
    'cma-12345678901234567-3f9a01c2-7.spool',
    'cma-1795464000000-3f9a01c2-7.spool.bak',
    'cma-released-3f9a01c2-7.spool',
  ]) {
    test(`is not ${name}`, () => assert.equal(parseName(name), undefined));
  }
});
