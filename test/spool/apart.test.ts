import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { codeOf } from '../../src/errors.ts';
import { openDiskApart } from '../../src/spool/apart.ts';
import type { Disk } from '../../src/spool/disk.ts';
import { AGENT } from '../support/program.ts';

describe('a disk behind another process', () => {
  let folder: string;
  let disk: Disk;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'apart-'));
    disk = openDiskApart(join(folder, 'spool'), [process.execPath, AGENT]);
  });
  after(async () => {
    await disk.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test('does what the disk does', async () => {
    assert.deepEqual(await disk.list(), []);
    await disk.create('a');
    await disk.append('a', 'one\ntwo "ü"\n', true);
    assert.equal(await disk.read('a'), 'one\ntwo "ü"\n');
    assert.equal(await disk.read('a', 3), 'one');
    await disk.truncate('a', 4);
    await disk.touch('a', 1_000_000);
    assert.deepEqual(await disk.look('a'), { modifiedMs: 1_000_000, bytes: 4 });
    await disk.hold('a');
    await disk.rename('a', 'b');
    assert.deepEqual(await disk.list(), ['b']);
    assert.match(await disk.identity(), /^\d+ \d+ /);
    await disk.drop('b');
    await disk.remove('b');
    assert.deepEqual(await disk.list(), []);
  });

  test('fails with the system’s code', async () => {
    await assert.rejects(disk.read('nothing'), (error) => codeOf(error) === 'ENOENT');
    await disk.create('twice');
    await assert.rejects(disk.create('twice'), (error) => codeOf(error) === 'EEXIST');
  });

  test('is served by a second process whatever becomes of the first', async () => {
    const program = join(folder, 'server.cjs');
    writeFileSync(
      program,
      `const fs = require('fs');
      const isFirst = !fs.existsSync(__filename + '.once');
      fs.writeFileSync(__filename + '.once', '');
      if (isFirst) { fs.closeSync(0); process.stdout.write('{"id":1,"value":[]}\\n'); setTimeout(() => {}, 500); }
      else process.stdin.once('data', (text) => setTimeout(() => {
        console.log(JSON.stringify({ id: JSON.parse(text).id, value: ['here'] }));
        process.exit();
      }, 1000));`,
    );
    const served = openDiskApart(folder, [process.execPath, program]);
    await served.list();
    await assert.rejects(served.list(), (error) => codeOf(error) === 'EIO');
    assert.deepEqual(await served.list(), ['here']);
  });
});
