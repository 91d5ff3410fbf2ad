import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseIoStat, parseServiceBytes } from '../../src/kernel/blockio.ts';
import { parseNetDev } from '../../src/kernel/netdev.ts';
import { createFigures, figureOf } from '../../src/metrics/figures.ts';
import { parseGpuLine, putGpu } from '../../src/metrics/gpu.ts';
import { putBlock, putNetwork } from '../../src/metrics/traffic.ts';

const HEAD = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
`;

describe('/proc/net/dev', () => {
  const cases: [title: string, text: string, interfaces: number, bytes: [number, number]][] = [
    ['the loopback alone', `${HEAD}    lo: 99 1 0 0 0 0 0 0 99 1 0 0 0 0 0 0\n`, 0, [0, 0]],
    [
      'two interfaces beside the loopback',
      `${HEAD}    lo: 99 1 0 0 0 0 0 0 99 1 0 0 0 0 0 0
  eth0: 1000 2 0 0 0 0 0 0 200 3 0 0 0 0 0 0
  ecs-eth1:5 2 0 0 0 0 0 0 7 3 0 0 0 0 0 0\n`,
      2,
      [1005, 207],
    ],
    ['one that begins like it', `${HEAD} lo0: 3 0 0 0 0 0 0 0 4 0 0 0 0 0 0 0\n`, 1, [3, 4]],
    ['a line that was cut', `${HEAD} eth0: 3 0 0`, 0, [0, 0]],
    ['nothing', '', 0, [0, 0]],
  ];
  for (const [title, text, interfaces, [received, transmitted]] of cases) {
    test(title, () => {
      const bytes = Buffer.from(`${text}trash: 1 1 1 1 1 1 1 1 1 1`, 'latin1');
      const into = { received: Number.NaN, transmitted: Number.NaN };
      assert.equal(parseNetDev(bytes, text.length, into), interfaces);
      assert.deepEqual(into, { received, transmitted });
    });
  }
});

describe('block I/O', () => {
  const into = { read: Number.NaN, written: Number.NaN };

  test('io.stat is summed over its devices', () => {
    const text =
      '8:0 rbytes=100 wbytes=20 rios=1 wios=1 dbytes=9 dios=0\n253:0 rbytes=5 wbytes=6\n';
    parseIoStat(Buffer.from(`${text} rbytes=99`), text.length, into);
    assert.deepEqual(into, { read: 105, written: 26 });
  });

  test('a device without figures, as some kernels write it, adds nothing', () => {
    const text = '8:0 \n7:1 rbytes=1 wbytes=2\n';
    parseIoStat(Buffer.from(text), text.length, into);
    assert.deepEqual(into, { read: 1, written: 2 });
  });

  test('blkio’s totals are not added to what they are the totals of', () => {
    const text = '8:0 Read 10\n8:0 Write 4\n8:0 Total 14\n8:16 Read 1\n8:16 Write 2\nTotal 17\n';
    parseServiceBytes(Buffer.from(text), text.length, into);
    assert.deepEqual(into, { read: 11, written: 6 });
  });

  test('where blkio lists no device, nothing is known', () => {
    parseServiceBytes(Buffer.from('Total 0\n8:0 Read 1\n'), 8, into);
    assert.deepEqual(into, { read: Number.NaN, written: Number.NaN });
  });

  test('a counter that ran backwards tells nothing, nor does the first reading', () => {
    const figures = createFigures();
    putBlock(figures, -1, 5);
    putNetwork(figures, Number.NaN, Number.NaN);
    assert.equal(figureOf(figures, 'blockWrite'), undefined);
    assert.equal(figureOf(figures, 'networkReceive'), undefined);
    putBlock(figures, 0, 5);
    assert.equal(figureOf(figures, 'blockRead'), 0);
  });
});

describe('nvidia-smi', () => {
  const lines: [line: string, card: ReturnType<typeof parseGpuLine>][] = [
    ['0, 37, 1024, 16384', { index: 0, utilization: 37, memoryUsed: 1024, memoryTotal: 16384 }],
    ['1, [N/A], 5, 10', { index: 1, utilization: Number.NaN, memoryUsed: 5, memoryTotal: 10 }],
    ['1, 120, 5, 10', { index: 1, utilization: Number.NaN, memoryUsed: 5, memoryTotal: 10 }],
    ['No devices were found', undefined],
    ['0, 37, 1024', undefined],
    ['', undefined],
  ];
  for (const [line, card] of lines) {
    test(`"${line}"`, () => assert.deepEqual(parseGpuLine(line), card));
  }

  test('the mean over the cards, and the busiest', () => {
    const figures = createFigures();
    const card = (index: number, utilization: number, memoryUsed: number) => {
      return { index, utilization, memoryUsed, memoryTotal: 100 };
    };
    putGpu(figures, [card(0, 10, 50), card(1, 30, 100), card(2, Number.NaN, 0)]);
    assert.equal(figureOf(figures, 'gpu'), 20);
    assert.equal(figureOf(figures, 'gpuMost'), 30);
    assert.equal(figureOf(figures, 'gpuMemory'), 50);
  });

  test('cards that tell nothing leave nothing', () => {
    const figures = createFigures();
    putGpu(figures, [{ index: 0, utilization: Number.NaN, memoryUsed: 1, memoryTotal: 0 }]);
    assert.equal(figureOf(figures, 'gpu'), undefined);
    assert.equal(figureOf(figures, 'gpuMemory'), undefined);
  });
});
