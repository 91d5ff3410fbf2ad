import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Form } from '../../src/cloudwatch/form.ts';
import type { Page } from '../../src/delivery/service.ts';
import type { Verdict } from '../../src/delivery/verdict.ts';
import { Spool } from '../../src/spool/spool.ts';
import { drivenClock } from '../support/clock.ts';
import { MemoryFolder } from '../support/histories/memory-disk.ts';
import { datumOf, MINUTE, PUBLICATION, sinkTo } from '../support/sink.ts';

const DAY = 24 * 60 * MINUTE;
const MIB = 1024 * 1024;
const BUFFER = 4 * MIB;
/** What docs/delivery.md says. */
const HELD = (13 * 24 + 22) * 60;
const NAMES = ['CPUUtilization', 'MemoryUtilization', 'MaxMemoryUtilization'];

test('an outage of two weeks stays within its bounds, on disk as well, and then drains', async () => {
  const startMs = Date.UTC(2026, 0, 1);
  const clock = drivenClock(startMs);
  const folder = new MemoryFolder(clock.wallMs);
  let isUp = false;
  const stored: string[] = [];
  const requests: number[] = [];
  const post = ({ body: form, datums, bytes }: Page<Form>): Promise<Verdict> => {
    const body = form(0);
    requests.push(datums);
    assert.equal(bytes, body.length);
    assert.ok(datums <= 1000 && body.length <= 1_000_000);
    if (isUp) stored.push(...[...body.matchAll(/\.Timestamp=([^&]+)/g)].map(([, at = '']) => at));
    const nothing = { code: 'ECONNREFUSED', message: '', requestId: '', members: [], waitMs: 0 };
    return Promise.resolve({ ...nothing, kind: isUp ? 'accepted' : 'retry' });
  };
  const { sink, logged } = sinkTo('http://127.0.0.1:1/', {
    clock,
    post,
    bufferBytes: BUFFER,
    jitterMs: 15_000,
    random: () => 0.5,
    openStore: (pending, adopt) =>
      new Spool({
        disk: folder.open(),
        limitBytes: 64 * MIB,
        owner: 'abc',
        output: 'cloudwatch',
        namespace: PUBLICATION.namespace,
        clock,
        log: { error: note, warn: note, notice: note, info: note, debug: () => undefined },
        pending,
        adopt,
      }),
  });
  const notes: string[] = [];
  function note(message: string): void {
    notes.push(message);
  }
  const settle = async (): Promise<void> => {
    do {
      folder.step();
      await new Promise((resolve) => setImmediate(resolve));
    } while (!folder.isIdle);
  };
  const bytesOnDisk = (): number =>
    [...folder.files.values()].reduce((sum, { text }) => sum + text.length, 0);
  const minute = async (): Promise<void> => {
    clock.advance(MINUTE);
    const endMs = clock.wallMs();
    const data = NAMES.map((name) => ({ ...datumOf([50.1234]), name }));
    sink.accept({ startMs: endMs - MINUTE, endMs, samples: 66, data });
    await settle();
  };

  const minutes = (14 * DAY) / MINUTE;
  let [mostBytes, mostOnDisk] = [0, 0];
  for (let index = 0; index < minutes; index += 1) {
    await minute();
    mostBytes = Math.max(mostBytes, Number(sink.status()['bufferBytes']));
    mostOnDisk = Math.max(mostOnDisk, bytesOnDisk());
  }
  assert.ok(mostBytes <= BUFFER, `${mostBytes} bytes in memory`);
  assert.ok(mostOnDisk <= 5 * MIB, `${mostOnDisk} bytes on disk`);
  const { windowsWaiting, windowsLost } = sink.status();
  assert.equal(Number(windowsWaiting) + Number(windowsLost), minutes);
  // What is older than CloudWatch takes is dropped when the next attempt is made.
  assert.ok(Math.abs(Number(windowsWaiting) - HELD) <= 3, `${windowsWaiting} windows wait`);
  assert.ok(requests.length < 2 * minutes, `${requests.length} requests in the outage`);
  assert.ok(logged.some((line) => /^warn windows are lost windows=\d+ why="too old"/.test(line)));

  isUp = true;
  requests.length = 0;
  for (let index = 0; Number(sink.status()['windowsWaiting']) > 0; index += 1) {
    assert.ok(index < 20_000, 'it does not drain');
    clock.advance(100);
    await settle();
  }
  const { windowsSent, windowsLost: lost } = sink.status();
  const sent = Number(windowsSent);
  assert.equal(sent + Number(lost), minutes);
  assert.ok(HELD - sent <= 3, `${sent} windows came out`);
  assert.equal(requests.length, Math.ceil((3 * sent) / 1000), 'as few as the limits allow');
  assert.equal(stored.length, 3 * sent);
  const [first = '', , , fourth = ''] = stored;
  assert.ok(first > fourth, 'the newest comes first');
  assert.equal(bytesOnDisk(), 0);
  const total = { sent, spooled: 0, lost: Number(lost), lostAtEnd: 0, isStuck: false };
  assert.deepEqual(await ended(), total);
  assert.equal(clock.pending(), 0);
  assert.deepEqual(notes, []);

  async function ended(): Promise<unknown> {
    const flushed = sink.flush(clock.monoMs() + 8000);
    for (let turn = 0; turn < 5; turn += 1) await settle();
    return flushed;
  }
});
