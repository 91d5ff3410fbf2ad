import assert from 'node:assert/strict';
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { openDisk } from '../../src/spool/disk.ts';

let folder: string;

beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), 'disk-')), 'spool');
});
afterEach(() => rmSync(join(folder, '..'), { recursive: true, force: true }));

describe('the folder on disk', () => {
  test('appends without making again what another process took away', async () => {
    const disk = openDisk(folder);
    await disk.create('a');
    await disk.append('a', 'one\n', true);
    await disk.rename('a', 'b');
    await assert.rejects(disk.append('a', 'two\n', false), { code: 'ENOENT' });
    await disk.append('b', 'two\n', false);
    assert.equal(await disk.read('b'), 'one\ntwo\n');
    await disk.truncate('b', 4);
    await disk.append('b', 'three\n', false);
    assert.equal(await disk.read('b'), 'one\nthree\n');
    await disk.close();
  });

  test('writes on in a file that it holds open, though another process renamed it', async () => {
    const [disk, other] = [openDisk(folder), openDisk(folder)];
    await other.create('a');
    await disk.hold('a');
    await other.rename('a', 'b');
    await disk.append('a', 'told\n', true);
    assert.equal(await other.read('b'), 'told\n');
    await disk.drop('a');
    await assert.rejects(disk.append('a', 'late\n', true), { code: 'ENOENT' });
    await Promise.all([disk.close(), other.close()]);
  });

  test('tells a folder from one that is made in its place', async () => {
    const disk = openDisk(folder);
    assert.equal(await disk.identity(), '');
    await disk.list();
    const before = await disk.identity();
    assert.equal(await disk.identity(), before);
    rmSync(folder, { recursive: true });
    await disk.list();
    assert.notEqual(await disk.identity(), before);
  });

  test('goes on with a file that was there before, behind its last byte', async () => {
    mkdirSync(folder, { recursive: true });
    appendFileSync(join(folder, 'a'), 'one\n');
    const disk = openDisk(folder);
    await disk.append('a', 'two\n', true);
    assert.deepEqual(await disk.list(), ['a']);
    assert.equal((await disk.look('a')).bytes, 8);
    await disk.touch('a', 1_700_000_000_123);
    assert.equal(Math.round((await disk.look('a')).modifiedMs), 1_700_000_000_123);
    await disk.remove('a');
    await assert.rejects(disk.touch('a', 0), { code: 'ENOENT' });
    await disk.close();
  });

  test('makes a file only where there is none', async () => {
    const disk = openDisk(folder);
    await disk.create('a');
    await assert.rejects(disk.create('a'), { code: 'EEXIST' });
    await disk.close();
  });

  test('reads all of a file, or so much of its beginning', async () => {
    mkdirSync(folder);
    writeFileSync(join(folder, 'a'), 'head\ntail');
    const disk = openDisk(folder);
    assert.equal(await disk.read('a'), 'head\ntail');
    assert.equal(await disk.read('a', 5), 'head\n');
    assert.equal(await disk.read('a', 1000), 'head\ntail');
    writeFileSync(join(folder, 'a'), '');
    assert.equal(await disk.read('a', 5), '');
  });
});
