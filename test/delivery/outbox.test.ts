import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import fc from 'fast-check';
import { LIMITS } from '../../src/cloudwatch/limits.ts';
import { parseCommand } from '../../src/config/config.ts';
import type { Chunk } from '../../src/delivery/chunks.ts';

import { Outbox } from '../../src/delivery/outbox.ts';
import type { WaitingDatum, WaitingWindow } from '../../src/delivery/packing.ts';
import type { Adopted, PendingWindow, Removed } from '../../src/delivery/store.ts';
import { defaultMetrics } from '../../src/metrics/catalog.ts';
import { runsOf } from '../support/histories/chance.ts';
import {
  bytesOf,
  Model,
  type Said,
  type Shape,
  type Told,
  waitingIn,
  windowOf,
} from '../support/histories/outbox.ts';
import { start } from '../support/program.ts';
import { makeRoot } from '../support/root.ts';

const MINUTE = 60_000;
const KIB = 1024;
const MIB = 1024 * KIB;
/** The smallest chunk, which is used again when it is the only one. */
const FIRST_BYTES = KIB;
/** Three datums of one value: in a head of nine, a tail of one, and each datum's own slot. */
const DEFAULT_MINUTE = 128;

function datumOf(...values: readonly number[]): WaitingDatum {
  return { name: 'CPUUtilization', unit: 'Percent', values };
}

/** A window whose datums have one value each. */
function windowWith(...values: readonly number[]): WaitingWindow {
  return { startMs: 0, endMs: MINUTE, data: values.map((value) => datumOf(value)) };
}

function counted(values: readonly number[]): WaitingDatum {
  return { ...datumOf(...values), counts: values.map(() => 1) };
}

/** A window that another process left. */
function left(window: WaitingWindow, more: Partial<Adopted> = {}): Adopted {
  return { ...window, publicationId: 1, bornMs: 0, segment: 1, record: 1, ...more };
}

/** An outbox with windows of one datum each, of which the value is the id. */
function filled(windows: number, limitBytes: number = 64 * KIB): Outbox {
  const outbox = new Outbox(limitBytes);
  for (let id = 1; id <= windows; id += 1) outbox.push(windowWith(id), 0, id);
  return outbox;
}

function ids(windows: readonly { readonly id: number }[]): number[] {
  return windows.map(({ id }) => id);
}

function pendingIn(outbox: Outbox, id: number): PendingWindow {
  const window = waitingIn(outbox).find((one) => one.id === id);
  assert.ok(window, `no window ${id} waits`);
  return window;
}

/** Where windows are in a batch, and which datums of theirs. */
function places(windows: readonly PendingWindow[]): [id: number, indexes: readonly number[]][] {
  return windows.map(({ id, indexes }) => [id, indexes]);
}

function of(...indexes: readonly number[]): ReadonlySet<number> {
  return new Set(indexes);
}

describe('a batch', () => {
  test('of an empty outbox is empty', () => {
    assert.deepEqual(new Outbox(KIB).batch(1000), []);
  });

  test('is the window itself where there is but one', () => {
    assert.deepEqual(ids(filled(1).batch(1000)), [1]);
  });

  test('begins with the newest window and goes on from the oldest', () => {
    assert.deepEqual(ids(filled(5).batch(1000)), [5, 1, 2, 3, 4]);
  });

  test('keeps its order over many chunks', () => {
    const oldest = Array.from({ length: 299 }, (_, index) => index + 1);
    assert.deepEqual(ids(filled(300).batch(1000)), [300, ...oldest]);
  });

  test('is so many datums, and ends within a window where they do', () => {
    const outbox = new Outbox(64 * KIB);
    for (const value of [10, 20, 30]) {
      outbox.push(windowWith(value, value + 1, value + 2), 0, 0);
    }
    const slices: [maxDatums: number, places: [number, number[]][]][] = [
      [1, [[3, [0]]]],
      [2, [[3, [0, 1]]]],
      [3, [[3, [0, 1, 2]]]],
      [
        4,
        [
          [3, [0, 1, 2]],
          [1, [0]],
        ],
      ],
      [
        8,
        [
          [3, [0, 1, 2]],
          [1, [0, 1, 2]],
          [2, [0, 1]],
        ],
      ],
      [
        1000,
        [
          [3, [0, 1, 2]],
          [1, [0, 1, 2]],
          [2, [0, 1, 2]],
        ],
      ],
    ];
    for (const [maxDatums, expected] of slices) {
      assert.deepEqual(places(outbox.batch(maxDatums)), expected, `of ${maxDatums}`);
    }
    const [, oldest] = outbox.batch(4);
    assert.deepEqual(oldest?.data, [datumOf(10)]);
  });

  test('has of a window what nobody has decided about yet', () => {
    const outbox = new Outbox(KIB);
    outbox.push(windowWith(10, 11, 12, 13), 0, 0);
    outbox.settle(pendingIn(outbox, 1), of(0, 2), true);
    const [window] = outbox.batch(1000);
    assert.deepEqual(window?.indexes, [1, 3]);
    assert.deepEqual(window?.data, [datumOf(11), datumOf(13)]);
    assert.deepEqual(outbox.batch(1)[0]?.indexes, [1]);
  });

  test('takes nothing out: the next one is the same', () => {
    const outbox = filled(20);
    assert.deepEqual(outbox.batch(7), outbox.batch(7));
    assert.equal(outbox.windows, 20);
  });

  test('tells of a window what it was put in with', () => {
    const outbox = new Outbox(KIB);
    const data: WaitingDatum[] = [
      datumOf(12.34),
      { name: 'AgentMemory', unit: 'Bytes', values: [2 ** 53, 5e-324, -0] },
      { name: 'CPUUtilization', unit: 'Percent', values: [1.5, 2], counts: [3, 2 ** 40] },
      { name: 'CPUUtilization', unit: 'None', values: [] },
      { name: 'CPUUtilization', unit: 'None', values: [], counts: [] },
    ];
    outbox.push({ startMs: 1_795_464_000_000, endMs: 1_795_464_060_000, data }, 7, 0);
    const [window] = outbox.batch(1000);
    const { entry, ...said } = pendingIn(outbox, 1);
    assert.ok(entry);
    const startMs = 1_795_464_000_000;
    const indexes = [0, 1, 2, 3, 4];
    const expected: Said = {
      id: 1,
      startMs,
      endMs: startMs + MINUTE,
      publicationId: 7,
      segment: 0,
      record: 0,
      data,
      indexes,
    };
    assert.deepEqual(said, expected);
    assert.deepEqual(window?.data, data);
  });

  test('is not changed by what is settled or put in later', () => {
    const outbox = filled(2);
    const [, oldest] = outbox.batch(1000);
    assert.ok(oldest);
    outbox.settle(oldest, of(0), true);
    outbox.push(windowWith(3), 0, 0);
    assert.deepEqual(oldest.data, [datumOf(1)]);
  });
});

describe('to settle', () => {
  const gone = { id: 1, segment: 0, record: 0 };

  test('a window in parts: it leaves with the last of them', () => {
    const outbox = new Outbox(KIB);
    outbox.push(windowWith(10, 11, 12), 0, 0);
    const window = pendingIn(outbox, 1);
    assert.equal(outbox.settle(window, of(1), true), undefined);
    assert.equal(outbox.settle(window, of(0), true), undefined);
    assert.equal(outbox.windows, 1);
    assert.deepEqual(outbox.settle(window, of(2), true), { ...gone, isDelivered: true });
    assert.equal(outbox.windows, 0);
    assert.deepEqual(outbox.batch(1000), []);
  });

  const parts: [what: string, first: boolean, last: boolean, isDelivered: boolean][] = [
    ['delivered as a whole', true, true, true],
    ['set aside at first, delivered then', false, true, true],
    ['delivered at first, set aside then', true, false, true],
    ['set aside as a whole', false, false, false],
  ];
  for (const [what, first, last, isDelivered] of parts) {
    test(`a window ${what} is ${isDelivered ? '' : 'not '}delivered`, () => {
      const outbox = new Outbox(KIB);
      outbox.push(windowWith(10, 11), 0, 0);
      outbox.settle(pendingIn(outbox, 1), of(0), first);
      const left = outbox.settle(pendingIn(outbox, 1), of(1), last);
      assert.deepEqual(left, { ...gone, isDelivered });
    });
  }

  test('the same datum again, or one that is not there, is to settle nothing', () => {
    const outbox = new Outbox(KIB);
    outbox.push(windowWith(10, 11), 0, 0);
    const window = pendingIn(outbox, 1);
    outbox.settle(window, of(0), false);
    for (const indexes of [of(), of(0), of(2, 3), of(-1, 0.5)]) {
      assert.equal(outbox.settle(window, indexes, true), undefined);
    }
    assert.deepEqual(pendingIn(outbox, 1).indexes, [1]);
    assert.deepEqual(outbox.settle(window, of(1), false), { ...gone, isDelivered: false });
    assert.equal(outbox.settle(window, of(1), true), undefined);
    assert.equal(outbox.windows, 0);
  });

  test('windows in the middle and at the ends leaves the others in their order', () => {
    const outbox = filled(40);
    for (const id of [20, 1, 40, 21, 2]) outbox.settle(pendingIn(outbox, id), of(0), true);
    const left = Array.from({ length: 40 }, (_, index) => index + 1);
    const expected = left.filter((id) => ![20, 1, 40, 21, 2].includes(id));
    assert.deepEqual(ids(waitingIn(outbox)), expected);
    assert.deepEqual(ids(outbox.batch(2)), [39, 3]);
  });

  const drops: [why: string, drop: (outbox: Outbox) => readonly Removed[]][] = [
    ['too old', (outbox) => outbox.expire(2)],
    ['of a segment that is somebody else’s', (outbox) => outbox.release(5)],
    [
      'without room',
      (outbox) =>
        outbox.push({ startMs: 0, endMs: MINUTE, data: [datumOf(...Array(117).keys())] }, 0, 9),
    ],
  ];
  for (const [why, drop] of drops) {
    test(`a window that was dropped meanwhile, ${why}, is let be`, () => {
      const outbox = filled(2, 2 * KIB);
      outbox.push({ startMs: 0, endMs: MINUTE, data: [datumOf(...Array(110).keys())] }, 0, 3);
      const window = pendingIn(outbox, 1);
      outbox.markSpooled(window, { segment: 5, record: 1 });
      assert.ok(ids(drop(outbox)).includes(1));
      const before = waitingIn(outbox);
      assert.equal(outbox.settle(window, of(0), true), undefined);
      assert.equal(outbox.markSpooled(window, { segment: 6, record: 1 }), false);
      assert.equal(outbox.remaining(window), undefined);
      assert.deepEqual(waitingIn(outbox), before);
    });
  }

  test('a window that was dropped leaves the one alone that has its place now', () => {
    const outbox = filled(1);
    const stale = pendingIn(outbox, 1);
    outbox.expire(2);
    outbox.push(windowWith(7), 0, 3);
    const newer = pendingIn(outbox, 2);
    assert.equal(newer.entry.chunk, stale.entry.chunk);
    assert.equal(newer.entry.at, stale.entry.at);
    assert.equal(outbox.settle(stale, of(0), true), undefined);
    assert.equal(outbox.markSpooled(stale, { segment: 6, record: 1 }), false);
    assert.equal(outbox.remaining(stale), undefined);
    assert.deepEqual(pendingIn(outbox, 2), newer);
    assert.equal(outbox.windows, 1);
  });

  test('a window that was dropped leaves one alone that goes over its place', () => {
    // A window of one value takes twelve slots, so that the second's id stood in slot 13 and its size
    // in 12. In a newer window that goes over both these are its third and fourth value.
    const second = 60;
    const values = [0, 1, 52, second, 61, 62, 63, 64, 65, 66];
    const outbox = new Outbox(64 * KIB);
    for (let id = 1; id < second - 1; id += 1) {
      outbox.push(windowWith(id), 0, 0);
      outbox.settle(pendingIn(outbox, id), of(0), true);
    }
    outbox.push(windowWith(1), 0, 0);
    outbox.push(windowWith(1), 0, 0);
    const stale = pendingIn(outbox, second);
    outbox.expire(1);
    const newer = { startMs: 0, endMs: MINUTE, data: [counted(values)] };
    outbox.push(newer, 0, 1);
    const done = [
      outbox.settle(stale, of(0, 1, 2), true),
      outbox.markSpooled(stale, { segment: 5, record: 1 }),
      outbox.remaining(stale)?.id,
    ];
    assert.deepEqual(pendingIn(outbox, second + 1).data, newer.data);
    assert.deepEqual(done, [undefined, false, undefined]);
  });
});

describe('what is on disk', () => {
  test('is noted window by window, and those without it are told oldest first', () => {
    const outbox = filled(4);
    assert.deepEqual(ids(outbox.unspooled(Number.POSITIVE_INFINITY)), [1, 2, 3, 4]);
    assert.equal(outbox.markSpooled(pendingIn(outbox, 2), { segment: 1, record: 7 }), true);
    assert.equal(outbox.markSpooled(pendingIn(outbox, 4), { segment: 1, record: 8 }), true);
    assert.deepEqual(ids(outbox.unspooled(Number.POSITIVE_INFINITY)), [1, 3]);
    const { segment, record } = pendingIn(outbox, 2);
    assert.deepEqual({ segment, record }, { segment: 1, record: 7 });
    const gone = outbox.settle(pendingIn(outbox, 4), of(0), true);
    assert.deepEqual(gone, { id: 4, segment: 1, record: 8, isDelivered: true });
  });

  test('may change its place', () => {
    const outbox = filled(1);
    outbox.markSpooled(pendingIn(outbox, 1), { segment: 1, record: 7 });
    outbox.markSpooled(pendingIn(outbox, 1), { segment: 2, record: 1 });
    assert.deepEqual(outbox.release(1), []);
    assert.deepEqual(ids(outbox.release(2)), [1]);
  });

  test('is not noted for a window that waits no longer', () => {
    const outbox = filled(2);
    const window = pendingIn(outbox, 1);
    outbox.settle(window, of(0), true);
    assert.equal(outbox.markSpooled(window, { segment: 1, record: 7 }), false);
    assert.deepEqual(outbox.release(1), []);
  });

  test('is only what waits still, of a window that is settled in parts', () => {
    const outbox = new Outbox(KIB);
    outbox.push(windowWith(10, 11, 12), 0, 0);
    const window = pendingIn(outbox, 1);
    outbox.settle(window, of(1), true);
    assert.deepEqual(outbox.remaining(window)?.indexes, [0, 2]);
    assert.deepEqual(outbox.unspooled(Number.POSITIVE_INFINITY)[0]?.data, [
      datumOf(10),
      datumOf(12),
    ]);
    outbox.settle(window, of(0, 2), true);
    assert.equal(outbox.remaining(window), undefined);
    assert.deepEqual(outbox.unspooled(Number.POSITIVE_INFINITY), []);
  });

  test('and somebody else’s now is dropped, with nothing else', () => {
    const outbox = filled(5);
    for (const id of [2, 4]) outbox.markSpooled(pendingIn(outbox, id), { segment: 3, record: id });
    outbox.markSpooled(pendingIn(outbox, 3), { segment: 2, record: 1 });
    assert.deepEqual(outbox.release(3), [
      { id: 2, segment: 3, record: 2, isDelivered: false },
      { id: 4, segment: 3, record: 4, isDelivered: false },
    ]);
    assert.deepEqual(outbox.release(3), []);
    assert.deepEqual(ids(waitingIn(outbox)), [1, 3, 5]);
  });
});

describe('what expires', () => {
  test('was born before an instant, not at it', () => {
    const outbox = filled(5);
    assert.deepEqual(ids(outbox.expire(3)), [1, 2]);
    assert.deepEqual(outbox.expire(3), []);
    assert.deepEqual(ids(waitingIn(outbox)), [3, 4, 5]);
  });

  test('was delivered where a part of it was', () => {
    const outbox = new Outbox(KIB);
    for (const value of [10, 20, 30]) outbox.push(windowWith(value, value + 1), 0, 0);
    outbox.settle(pendingIn(outbox, 2), of(0), true);
    outbox.settle(pendingIn(outbox, 3), of(0), false);
    const gone = outbox.expire(1).map(({ id, isDelivered }) => [id, isDelivered]);
    assert.deepEqual(gone, [
      [1, false],
      [2, true],
      [3, false],
    ]);
  });

  test('is found among adopted windows in whatever order they are', () => {
    const outbox = new Outbox(64 * KIB);
    outbox.adopt([5, 1, 3].map((bornMs) => left(windowWith(bornMs), { bornMs })));
    assert.deepEqual(ids(outbox.expire(4)), [2, 3]);
  });
});

describe('to adopt', () => {
  test('windows puts them before all others, by their start', () => {
    const outbox = filled(3);
    const from = (startMs: number): Adopted => left({ ...windowWith(1), startMs });
    assert.equal(outbox.adopt([from(300), from(200)]), true);
    assert.deepEqual(ids(waitingIn(outbox)), [4, 5, 1, 2, 3]);
    assert.deepEqual(
      outbox
        .batch(3)
        .map(({ id, startMs }) => [id, startMs])
        .slice(1),
      [
        [4, 200],
        [5, 300],
      ],
    );
    assert.equal(outbox.adopt([from(100)]), true);
    assert.equal(outbox.adopt([from(400)]), true);
    assert.deepEqual(ids(waitingIn(outbox)), [6, 4, 5, 7, 1, 2, 3]);
    assert.equal(outbox.windows, 7);
  });

  test('a large segment is no reason to drop it as a whole', () => {
    const outbox = new Outbox(64 * KIB);
    const many = Array.from({ length: 600 }, (_, index) =>
      left({ ...windowWith(1), startMs: index }),
    );
    assert.equal(outbox.adopt(many), true);
    const gone: number[] = [];
    while (gone.length === 0) gone.push(...ids(outbox.push(windowWith(2), 0, 0)));
    assert.deepEqual(gone, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });

  test('windows leaves them where they are on disk', () => {
    const outbox = new Outbox(KIB);
    outbox.adopt([left(windowWith(1), { publicationId: 3, segment: 2, record: 9 })]);
    const { entry, ...said } = pendingIn(outbox, 1);
    assert.ok(entry);
    const where = { publicationId: 3, segment: 2, record: 9, indexes: [0] };
    assert.deepEqual(said, { id: 1, ...windowWith(1), ...where });
    assert.deepEqual(outbox.unspooled(Number.POSITIVE_INFINITY), []);
  });

  test('none is to do nothing, even where there is no room', () => {
    const outbox = filled(10, KIB);
    const { bytes } = outbox;
    assert.equal(outbox.adopt([]), true);
    assert.equal(outbox.bytes, bytes);
  });

  test('into an empty outbox lets what closes then follow', () => {
    const outbox = new Outbox(64 * KIB);
    outbox.adopt([left(windowWith(1)), left(windowWith(2))]);
    outbox.push(windowWith(3), 0, 0);
    assert.deepEqual(ids(outbox.batch(1000)), [3, 1, 2]);
  });

  test('more than there is room for takes none of them', () => {
    const outbox = new Outbox(2 * KIB);
    outbox.push(windowWith(1), 0, 0);
    // 1 KiB is free: 85 windows of one value would take 8 KiB, ten of them 960 bytes.
    const windows = Array.from({ length: 85 }, () => left(windowWith(2)));
    assert.equal(outbox.adopt(windows), false);
    assert.equal(outbox.adopt(windows.slice(0, 11)), false);
    assert.deepEqual([outbox.windows, outbox.bytes], [1, KIB]);
    assert.equal(outbox.adopt(windows.slice(0, 10)), true);
    assert.deepEqual([outbox.windows, outbox.bytes], [11, KIB + 960]);
  });

  test('and then have no room: what was adopted goes first', () => {
    const outbox = new Outbox(2 * KIB);
    outbox.push(windowWith(1), 0, 0);
    outbox.adopt([left(windowWith(2)), left(windowWith(3))]);
    const large = { startMs: 0, endMs: MINUTE, data: [datumOf(...Array(117).keys())] };
    assert.deepEqual(ids(outbox.push(large, 0, 0)), [2, 3]);
    assert.deepEqual(ids(waitingIn(outbox)), [1, 4]);
  });
});

describe('room', () => {
  test('is taken as windows come, and given back as they leave', () => {
    assert.equal(new Outbox(64 * KIB).bytes, 0);
    const taken = [1, 10, 11, 21, 42, 85].map((windows) => filled(windows).bytes / KIB);
    assert.deepEqual(taken, [1, 1, 2, 3, 5, 9]);
    const outbox = filled(85);
    const left = [85, 5, 0].map((windows) => {
      while (outbox.windows > windows) {
        const [newest] = outbox.batch(1);
        assert.ok(newest && outbox.settle(newest, of(0), true));
      }
      return outbox.bytes / KIB;
    });
    assert.deepEqual(left, [9, 1, 1]);
  });

  test('of a process that is never in trouble is one kilobyte, used again and again', () => {
    const outbox = new Outbox(4 * MIB);
    for (let id = 1; id <= 1000; id += 1) {
      assert.deepEqual(outbox.push(windowWith(id, id, id), 0, 0), []);
      assert.equal(outbox.bytes, KIB);
      const [window] = outbox.batch(1000);
      assert.deepEqual(window?.data, windowWith(id, id, id).data);
      assert.ok(outbox.settle(pendingIn(outbox, id), of(0, 1, 2), true));
    }
  });

  test('that is not there is made by dropping the oldest chunk, and no more', () => {
    // Ten windows of one value fill a chunk of the smallest size, of which there are two.
    const outbox = filled(20, 2 * KIB);
    assert.equal(outbox.bytes, 2 * KIB);
    const gone = outbox.push(windowWith(21), 0, 0);
    assert.deepEqual(ids(gone), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    assert.ok(gone.every(({ isDelivered }) => !isDelivered));
    assert.deepEqual(ids(outbox.batch(3)), [21, 11, 12]);
    assert.deepEqual([outbox.windows, outbox.bytes], [11, 2 * KIB]);
  });

  test('is not made of what has left already', () => {
    const outbox = filled(20, 2 * KIB);
    for (const id of [1, 2, 3]) outbox.settle(pendingIn(outbox, id), of(0), true);
    assert.deepEqual(ids(outbox.push(windowWith(21), 0, 0)), [4, 5, 6, 7, 8, 9, 10]);
  });

  test('for a window as large as all of it is all of it', () => {
    const outbox = filled(10, 2 * KIB);
    const window = { startMs: 0, endMs: MINUTE, data: [datumOf(...Array(245).keys())] };
    assert.equal(bytesOf(window), 2 * KIB);
    assert.deepEqual(ids(outbox.push(window, 0, 0)), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    assert.deepEqual(pendingIn(outbox, 11).data, window.data);
    assert.equal(outbox.bytes, 2 * KIB);
  });

  test('for a window that is larger than all of it is none: it is dropped, and nobody else', () => {
    const outbox = filled(10, 2 * KIB);
    const window = { startMs: 0, endMs: MINUTE, data: [datumOf(...Array(246).keys())] };
    const gone = { id: 11, segment: 0, record: 0, isDelivered: false };
    assert.deepEqual(outbox.push(window, 0, 0), [gone]);
    assert.equal(outbox.windows, 10);
    assert.deepEqual(outbox.push(windowWith(12), 0, 0), []);
    assert.deepEqual(ids(outbox.batch(2)), [12, 1]);
  });
});

describe('4 MiB, as by default,', () => {
  const command = parseCommand(['--namespace', 'N', '--service-name', 's'], {});
  assert.ok(typeof command === 'object');
  const { bufferBytes } = command;

  /** Puts windows in until one is dropped. @returns how many were in before that */
  function capacity(outbox: Outbox, window: (minute: number) => WaitingWindow): number {
    for (let minute = 0; ; minute += 1) {
      if (outbox.push(window(minute), 0, minute).length > 0) return minute;
    }
  }

  const minutes = (minute: number): WaitingWindow => ({
    startMs: minute * MINUTE,
    endMs: (minute + 1) * MINUTE,
    data: defaultMetrics('median').map(({ name, unit }) => ({ name, unit, values: [minute] })),
  });

  test('is what --buffer is', () => {
    assert.equal(bufferBytes, 4 * MIB);
  });

  test('holds all default minutes that are young enough, in 2.46 MiB', () => {
    const outbox = new Outbox(bufferBytes);
    const young = LIMITS.maxAgeMs / MINUTE;
    assert.equal(young, 20_040);
    for (let minute = 0; minute < young; minute += 1) {
      assert.deepEqual(outbox.push(minutes(minute), 0, minute), []);
    }
    assert.equal(outbox.windows, 20_040);
    // Of the last chunk of 16 KiB the half is used.
    assert.equal(outbox.bytes, 157 * 16 * KIB);
    assert.ok(outbox.bytes - young * DEFAULT_MINUTE < 16 * KIB);
    const values = waitingIn(outbox).map(({ data }) => data[2]?.values[0]);
    assert.ok(values.every((value, minute) => value === minute));
  });

  test('holds 32,768 default minutes, not a byte of it unused, and then drops 128', () => {
    const outbox = new Outbox(bufferBytes);
    assert.equal(capacity(outbox, minutes), 32_768);
    assert.equal(bufferBytes, 32_768 * DEFAULT_MINUTE);
    assert.equal(outbox.bytes, bufferBytes);
    assert.equal(outbox.windows, 32_768 - 128 + 1);
    assert.equal(waitingIn(outbox)[0]?.startMs, 128 * MINUTE);
  });

  test('holds 1786 minutes as distributions of 67 values, and then drops one', () => {
    const values = Array.from({ length: 67 }, (_, index) => index / 10);
    const distributions = (minute: number): WaitingWindow => ({
      startMs: minute * MINUTE,
      endMs: (minute + 1) * MINUTE,
      data: defaultMetrics('distribution').map(({ name, unit }) => {
        return { name, unit, values, counts: values.map(() => 1) };
      }),
    });
    assert.equal(bytesOf(distributions(0)), 2240);
    const outbox = new Outbox(bufferBytes);
    assert.equal(capacity(outbox, distributions), 1786);
    assert.equal(outbox.windows, 1786);
    assert.deepEqual(waitingIn(outbox)[0]?.startMs, MINUTE);
    assert.ok(outbox.bytes <= bufferBytes && outbox.bytes > bufferBytes - 16 * KIB);
  });

  test('is what the process takes for it, and gives back', async (t) => {
    const built = makeRoot();
    t.after(() => built.remove());
    const outfile = join(built.path, 'outbox.mjs');
    await build({
      entryPoints: [
        fileURLToPath(new URL('../support/histories/outbox-memory.ts', import.meta.url)),
      ],
      bundle: true,
      platform: 'node',
      format: 'esm',
      outfile,
      logLevel: 'error',
    });
    // With threads of its own V8 gives memory back a moment later.
    const flags = ['--expose-gc', '--single-threaded', '--max-semi-space-size=1'];
    const child = start(process.execPath, [...flags, outfile, `${bufferBytes}`, '32768']);
    assert.equal(await child.ended, 0, child.stderr());
    const lines = child.stdout().trim().split('\n');
    const [, before, full, empty] = lines.map((line): Told => JSON.parse(line));
    assert.ok(before && full && empty);
    assert.deepEqual([full.windows, full.bytes], [32_768, bufferBytes], child.stdout());
    assert.deepEqual([empty.windows, empty.bytes], [0, 0]);
    assert.equal(full.arrayBuffers - before.arrayBuffers, bufferBytes);
    assert.equal(empty.arrayBuffers, before.arrayBuffers);
    assert.ok(full.used - before.used < bufferBytes + 256 * KIB, child.stdout());
    assert.ok(empty.used - before.used < 256 * KIB, child.stdout());
    assert.ok(full.rss - before.rss < bufferBytes + MIB, child.stdout());
    // What the allocator gives back to the kernel, and when, is its own affair; more it never is.
    assert.ok(empty.rss - before.rss < bufferBytes + MIB, child.stdout());
  });
});

const SEGMENTS = 3;
const shapes: fc.Arbitrary<Shape> = fc.oneof(
  { weight: 6, arbitrary: shape(3, 1) },
  { weight: 4, arbitrary: shape(5, 12) },
  { weight: 2, arbitrary: shape(40, 12) },
  { weight: 1, arbitrary: shape(40, 150) },
);

function shape(mostDatums: number, mostValues: number): fc.Arbitrary<Shape> {
  return fc.record({
    datums: fc.integer({ min: 1, max: mostDatums }),
    mostValues: fc.constant(mostValues),
    seed: fc.nat(),
  });
}

const moves = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({ kind: fc.constant('push' as const), shape: shapes }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('adopt' as const),
      shapes: fc.array(shapes, { maxLength: 4 }),
      agoMs: fc.integer({ min: 0, max: 20 }),
      segment: fc.integer({ min: 1, max: SEGMENTS }),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('batch' as const),
      maxDatums: fc.oneof(fc.integer({ min: 1, max: 10 }), fc.constantFrom(40, 100, 1000)),
    }),
  },
  {
    // All of the newest batch, in one go.
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('deliver' as const), isDelivered: fc.boolean() }),
  },
  {
    // Of any window that was ever taken out, however long ago.
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('settle' as const),
      which: fc.nat(),
      indexes: fc.oneof(fc.constant(undefined), fc.array(fc.integer({ min: 0, max: 41 }))),
      isDelivered: fc.boolean(),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('keep' as const),
      which: fc.nat(),
      segment: fc.integer({ min: 1, max: SEGMENTS }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('expire' as const),
      agoMs: fc.integer({ min: 0, max: 30 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('release' as const),
      segment: fc.integer({ min: 1, max: SEGMENTS }),
    }),
  },
);
type Move = typeof moves extends fc.Arbitrary<infer M> ? M : never;

/** An outbox and, beside it, the list that it should be. */
class Pair {
  readonly #limitBytes: number;
  readonly #outbox: Outbox;
  readonly #model: Model;
  readonly #taken: PendingWindow[] = [];
  #batch: readonly PendingWindow[] = [];
  readonly #left = new Set<number>();
  #nowMs = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
    this.#outbox = new Outbox(limitBytes);
    this.#model = new Model(limitBytes);
  }

  move(move: Move): void {
    this.#nowMs += 1;
    switch (move.kind) {
      case 'push':
        this.#push(windowOf(move.shape));
        break;
      case 'adopt':
        this.#adopt(move.shapes, move.segment, this.#nowMs - move.agoMs);
        break;
      case 'batch':
        this.#batch = this.#outbox.batch(move.maxDatums);
        this.#taken.push(...this.#batch);
        same(this.#batch.map(saidIn), this.#model.batch(move.maxDatums));
        break;
      case 'deliver':
        for (const window of this.#batch) {
          this.#settle(window, new Set(window.indexes), move.isDelivered);
        }
        break;
      case 'settle': {
        const window = this.#window(move.which);
        const indexes = new Set(move.indexes ?? window?.indexes);
        if (window !== undefined) this.#settle(window, indexes, move.isDelivered);
        break;
      }
      case 'keep':
        this.#markSpooled(this.#window(move.which), move.segment);
        break;
      case 'expire': {
        const beforeMs = this.#nowMs - move.agoMs;
        this.#gone(this.#outbox.expire(beforeMs), this.#model.expire(beforeMs));
        break;
      }
      case 'release':
        this.#gone(this.#outbox.release(move.segment), this.#model.release(move.segment));
        break;
    }
    this.#agree();
  }

  /** All that waits goes, as in quiet times. */
  drain(maxDatums: number): void {
    for (let round = 0; this.#outbox.windows > 0; round += 1) {
      assert.ok(round < 10_000, 'what is settled does not leave');
      this.move({ kind: 'batch', maxDatums });
      this.move({ kind: 'deliver', isDelivered: true });
    }
    const all = Array.from({ length: this.#model.ids }, (_, index) => index + 1);
    assert.deepEqual(
      [...this.#left].sort((a, b) => a - b),
      all,
    );
    assert.ok(this.#outbox.bytes === 0 || this.#outbox.bytes === FIRST_BYTES);
  }

  #window(which: number): PendingWindow | undefined {
    return this.#taken[which % Math.max(1, this.#taken.length)];
  }

  #push(window: WaitingWindow): void {
    const before = waitingIn(this.#outbox);
    const { bytes } = this.#outbox;
    const gone = this.#outbox.push(window, this.#nowMs % 3, this.#nowMs);
    const id = this.#model.push(window, this.#nowMs % 3, this.#nowMs);
    if (bytesOf(window) > this.#limitBytes) {
      assert.deepEqual(ids(gone), [id]);
      this.#gone(gone, this.#model.settle(id, new Set(window.data.keys()), false));
      return;
    }
    this.#gone(gone, this.#model.dropOldest(gone.length));
    if (gone.length === 0) return;
    // Whole chunks, and the last of them was needed too.
    const chunks = chunksOf(before.slice(0, gone.length));
    assert.ok(before.slice(gone.length).every(({ entry }) => !chunks.includes(entry.chunk)));
    const dropped = bytesIn(chunks.slice(0, -1));
    const added = bytesIn(chunksOf(waitingIn(this.#outbox).slice(-1)));
    assert.ok(bytes - dropped + added > this.#limitBytes, 'dropped more than it had to');
  }

  #adopt(shapes: readonly Shape[], segment: number, bornMs: number): void {
    const windows = shapes.map((shape, record): Adopted => {
      return { ...windowOf(shape), publicationId: 9, bornMs, segment, record };
    });
    const isRoom =
      windows.reduce((sum, window) => sum + bytesOf(window), this.#outbox.bytes) <=
      this.#limitBytes;
    assert.equal(this.#outbox.adopt(windows), isRoom);
    if (isRoom) this.#model.adopt(windows);
  }

  #settle(window: PendingWindow, indexes: ReadonlySet<number>, isDelivered: boolean): void {
    const gone = this.#outbox.settle(window, indexes, isDelivered);
    this.#gone(gone, this.#model.settle(window.id, indexes, isDelivered));
  }

  #markSpooled(window: PendingWindow | undefined, segment: number): void {
    if (window === undefined) return;
    const record = this.#nowMs;
    const isKept = this.#outbox.markSpooled(window, { segment, record });
    assert.equal(isKept, this.#model.markSpooled(window.id, segment, record));
  }

  #gone(
    gone: readonly Removed[] | Removed | undefined,
    expected: readonly Removed[] | Removed | undefined,
  ): void {
    assert.deepEqual(gone, Array.isArray(gone) ? [expected].flat() : expected);
    for (const { id } of [gone ?? []].flat()) {
      assert.ok(!this.#left.has(id), `window ${id} left twice`);
      this.#left.add(id);
    }
  }

  #agree(): void {
    const waiting = waitingIn(this.#outbox);
    const { bytes, windows } = this.#outbox;
    const [newest, ...older] = this.#model.batch(Number.POSITIVE_INFINITY);
    same(waiting.map(saidIn), newest === undefined ? [] : [...older, newest]);
    assert.equal(windows, this.#model.waiting.length);
    assert.deepEqual(
      ids(this.#outbox.unspooled(Number.POSITIVE_INFINITY)),
      ids(this.#model.unspooled()),
    );
    assert.ok(bytes <= this.#limitBytes, `${bytes} of ${this.#limitBytes}`);
    for (const chunk of chunksOf(waiting)) {
      const within = waiting.filter(({ entry }) => entry.chunk === chunk);
      assert.equal(chunk.live, within.length);
      assert.equal(chunk.unspooled, within.filter(({ segment }) => segment === 0).length);
    }
    const taken = bytesIn(chunksOf(waiting));
    assert.ok(bytes === taken || bytes === taken + FIRST_BYTES, `${bytes}, not ${taken}`);
    const stale = this.#taken.at(-windows - 1);
    if (stale === undefined) return;
    const window = this.#outbox.remaining(stale);
    same(window ? [saidIn(window)] : [], [this.#model.remaining(stale.id) ?? []].flat());
  }
}

function saidIn({ entry: _, ...said }: PendingWindow): Said {
  return said;
}

function chunksOf(windows: readonly PendingWindow[]): Chunk[] {
  return [...new Set(windows.map(({ entry }) => entry.chunk))];
}

function bytesIn(chunks: readonly Chunk[]): number {
  return chunks.reduce((sum, { slots }) => sum + slots.byteLength, 0);
}

/** As `deepEqual`, to the bit, but fast. */
function same(windows: readonly Said[], expected: readonly Said[]): void {
  const isSame =
    windows.length === expected.length &&
    windows.every((window, index) => isSameWindow(window, expected[index]));
  if (!isSame) assert.deepEqual(windows, expected);
}

function isSameWindow(window: Said, other: Said | undefined): boolean {
  return (
    other !== undefined &&
    window.id === other.id &&
    window.startMs === other.startMs &&
    window.endMs === other.endMs &&
    window.publicationId === other.publicationId &&
    window.segment === other.segment &&
    window.record === other.record &&
    isSameList(window.indexes, other.indexes) &&
    window.data.length === other.data.length &&
    window.data.every((datum, index) => isSameDatum(datum, other.data[index]))
  );
}

function isSameDatum(datum: WaitingDatum, other: WaitingDatum | undefined): boolean {
  return (
    datum.name === other?.name &&
    datum.unit === other.unit &&
    isSameList(datum.values, other.values) &&
    (datum.counts === undefined) === (other.counts === undefined) &&
    isSameList(datum.counts ?? [], other.counts ?? [])
  );
}

function isSameList(list: readonly number[], other: readonly number[]): boolean {
  return list.length === other.length && list.every((one, index) => Object.is(one, other[index]));
}

describe('whatever happens', () => {
  const limits: [what: string, limit: fc.Arbitrary<number>, few: number][] = [
    ['of 1 to 4 KiB', fc.integer({ min: KIB, max: 4 * KIB }), 200],
    ['of 4 to 64 KiB', fc.integer({ min: 4 * KIB, max: 64 * KIB }), 70],
    ['that is never full', fc.constant(16 * MIB), 40],
  ];
  for (const [what, limit, few] of limits) {
    test(`an outbox ${what} is the list of windows that wait`, (t) => {
      const steps = fc.array(moves, { maxLength: 60, size: 'max' });
      fc.assert(
        fc.property(limit, steps, fc.constantFrom(1, 3, 40, 1000), (limitBytes, all, atOnce) => {
          const pair = new Pair(limitBytes);
          for (const one of all) pair.move(one);
          pair.drain(atOnce);
        }),
        runsOf(t, few, 20 * few),
      );
    });
  }
});
