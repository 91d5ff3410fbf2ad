import assert from 'node:assert/strict';
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { systemClock } from '../../src/clock.ts';
import { parseVmStat } from '../../src/kernel/vmstat.ts';
import { openMacSource } from '../../src/sources/mac.ts';
import type { Source } from '../../src/sources/source.ts';
import { makeRoot } from '../support/root.ts';
import { type Sample, sampleAt, sourceOptions } from '../support/sources.ts';

const GIB = 2 ** 30;

interface Pages {
  readonly page: number;
  readonly wired: number;
  readonly purgeable: number;
  readonly anonymous: number;
  readonly occupied: number;
}

/** Lines of real captures, in vm_stat's own layout. */
function vmStat({ page, wired, purgeable, anonymous, occupied }: Pages): string {
  return `Mach Virtual Memory Statistics: (page size of ${page} bytes)
Pages free:                               230372.
Pages wired down:                         ${wired}.
Pages purgeable:                          ${purgeable}.
"Translation faults":                 4294967296.
File-backed pages:                       1197391.
Anonymous pages:                         ${anonymous}.
Pages stored in compressor:              1415705.
Pages occupied by compressor:             ${occupied}.
`;
}

const APPLE: Pages = {
  page: 16_384,
  wired: 283_654,
  purgeable: 37_518,
  anonymous: 1_770_105,
  occupied: 652_133,
};
const INTEL: Pages = {
  page: 4096,
  wired: 229_107,
  purgeable: 31_460,
  anonymous: 515_660,
  occupied: 116_378,
};

describe('vm_stat', () => {
  const machines: readonly [what: string, pages: Pages, bytes: number, percent: number][] = [
    ['Apple silicon with 64 GiB', APPLE, 64 * GIB, 63.6],
    ['Intel with 4 GiB', INTEL, 4 * GIB, 79.1],
  ];
  for (const [what, pages, bytes, percent] of machines) {
    test(`of ${what} is what Activity Monitor shows, ${percent} %`, () => {
      assert.equal(((100 * parseVmStat(vmStat(pages))) / bytes).toFixed(1), String(percent));
    });
  }

  test('of an old system without a compressor is active and wired', () => {
    const old = 'Mach (page size of 4096 bytes)\nPages active: 10.\nPages wired down: 5.\n';
    assert.equal(parseVmStat(old), 15 * 4096);
  });

  test('that is none of these is a SyntaxError', () => {
    for (const text of ['', 'hello', 'page size of 4096 bytes']) {
      assert.throws(() => parseVmStat(text), SyntaxError);
    }
  });
});

/** A source whose vm_stat and sysctl are shell scripts. */
function openWith(t: TestContext, scripts: Readonly<Record<string, string>>): Source {
  const root = makeRoot();
  root.write(scripts);
  for (const name of Object.keys(scripts)) chmodSync(join(root.path, name), 0o755);
  const path = `${root.path}:/usr/bin:/bin`;
  const source = openMacSource({ ...sourceOptions(), clock: systemClock(), path });
  t.after(() => {
    source.close();
    root.remove();
  });
  return source;
}

/** The first sample with memory or a reason for there being none, asked for at each turn of the event loop. */
async function firstMemory(source: Source): Promise<Sample> {
  for (;;) {
    const sample = sampleAt(source, performance.now());
    if (sample.memory !== undefined || source.absent.has('memory')) return sample;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('a Mac', { timeout: 20_000 }, () => {
  const sysctl = '#!/bin/sh\necho 4294967296\n';

  test('is asked beside the sampling, and each answer is handed over once', async (t) => {
    const script = `#!/bin/sh\ncat <<'END'\n${vmStat(INTEL)}END\n`;
    const source = openWith(t, { vm_stat: script, sysctl });
    const { memory, memoryLimit } = await firstMemory(source);
    assert.deepEqual([memory?.toFixed(1), memoryLimit], ['79.1', 4 * GIB]);
    assert.equal(sampleAt(source, performance.now()).memory, undefined);
    assert.deepEqual([...source.absent], []);
  });

  const failures: readonly [what: string, script: string, reason: RegExp][] = [
    ['fails', '#!/bin/sh\nexit 3\n', /vm_stat/],
    ['hangs', '#!/bin/sh\ntrap "" TERM\nexec sleep 60\n', /vm_stat/],
    ['prints something else', '#!/bin/sh\necho hello\n', /page size/],
  ];
  for (const [what, script, reason] of failures) {
    test(`whose vm_stat ${what} has no memory figure, says why, and CPU goes on`, async (t) => {
      const source = openWith(t, { vm_stat: script, sysctl });
      const { memory } = await firstMemory(source);
      assert.equal(memory, undefined);
      assert.match(source.absent.get('memory') ?? '', reason);
      assert.deepEqual([...source.absent.keys()], ['memory']);
    });
  }
});
