import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runInNewContext } from 'node:vm';
import type { AgentError } from '../../src/library/api.ts';
import { Events } from '../../src/library/events.ts';

const SAMPLE = { time: new Date(0), values: {} };

function events(): { door: Events; said: AgentError[] } {
  const said: AgentError[] = [];
  return { door: new Events((error) => said.push(error)), said };
}

test('nothing is made for nobody', () => {
  events().door.emit('sample', () => assert.fail());
});

test('each listener is called, once however often it came, and no longer when it has gone', () => {
  const { door } = events();
  const seen: number[] = [];
  const one = (): number => seen.push(1);
  const other = (): number => seen.push(2);
  door.on('sample', one);
  door.on('sample', one);
  door.on('sample', other);
  door.emit('sample', () => SAMPLE);
  door.off('sample', one);
  door.emit('sample', () => SAMPLE);
  assert.deepEqual(seen, [1, 2, 2]);
});

test('a listener that throws or rejects harms nobody, and is told of as an error', async () => {
  const { door } = events();
  const errors: AgentError[] = [];
  const last = new Promise<void>((resolve) => {
    door.on('error', (error) => {
      errors.push(error);
      if (errors.length === 2) resolve();
    });
  });
  let reached = 0;
  door.on('sample', () => {
    throw new Error('thrown');
  });
  door.on('sample', () => {
    reached += 1;
  });
  door.on('window', () => Promise.reject(new Error('rejected')));
  door.emit('sample', () => SAMPLE);
  door.emit('window', () => ({ start: new Date(0), end: new Date(0), samples: 0, metrics: [] }));
  await last;
  assert.equal(reached, 1);
  assert.deepEqual(
    errors.map(({ name, code, message }) => [name, code, message]),
    [
      ['AgentError', 'LISTENER', 'a listener of "sample" failed: thrown'],
      ['AgentError', 'LISTENER', 'a listener of "window" failed: rejected'],
    ],
  );
  assert.ok(errors[0]?.cause instanceof Error);
});

test('a listener that leaves and comes again is called once, and one that has left is not', () => {
  const { door } = events();
  const seen: string[] = [];
  const again = (): void => {
    seen.push('again');
    if (seen.length > 9) assert.fail('called without an end');
    door.off('sample', again);
    door.on('sample', again);
    door.off('sample', gone);
  };
  const gone = (): number => seen.push('gone');
  door.on('sample', again);
  door.on('sample', gone);
  door.emit('sample', () => SAMPLE);
  assert.deepEqual(seen, ['again']);
});

test('a promise of another realm or library that rejects is told of, too', async () => {
  const { door } = events();
  const told = new Promise<string[]>((resolve) => {
    const messages: string[] = [];
    door.on('error', ({ message }) => messages.push(message) === 2 && resolve(messages));
  });
  door.on('sample', () => runInNewContext('Promise.reject("elsewhere")'));
  door.on('window', () => ({
    // biome-ignore lint/suspicious/noThenProperty: as a library's own promise.
    then: (_: unknown, failed: (cause: unknown) => void) => failed('not even an Error'),
  }));
  door.emit('sample', () => SAMPLE);
  door.emit('window', () => ({ start: new Date(0), end: new Date(0), samples: 0, metrics: [] }));
  assert.deepEqual((await told).sort(), [
    'a listener of "sample" failed: elsewhere',
    'a listener of "window" failed: not even an Error',
  ]);
});

test('a listener of errors that throws is a line of the log', () => {
  const { door, said } = events();
  door.on('error', () => {
    throw new Error('again');
  });
  door.fail('BAD_METRIC', 'a', 'bad');
  assert.deepEqual(
    said.map(({ code, message }) => [code, message]),
    [['LISTENER', 'a listener of "error" failed: again']],
  );
});

test('an error that nobody listens to is said; of each kind one at once, the rest as a number', () => {
  const { door, said } = events();
  for (let index = 0; index < 5; index += 1) door.fail('BAD_METRIC', 'a', 'bad a');
  door.fail('BAD_METRIC', 'b', 'bad b');
  const shown = (): unknown[] => said.map(({ message, count }) => [message, count]);
  assert.deepEqual(shown(), [
    ['bad a', 1],
    ['bad b', 1],
  ]);
  door.turn();
  assert.deepEqual(shown().slice(2), [['bad a', 4]]);
  door.fail('BAD_METRIC', 'a', 'bad a');
  assert.deepEqual(shown().slice(3), [['bad a', 1]]);
});

test('kinds without an end are counted together', () => {
  const { door, said } = events();
  for (let index = 0; index < 1000; index += 1) door.fail('BAD_METRIC', `${index}`, `bad ${index}`);
  assert.ok(said.length <= 101, String(said.length));
  door.turn();
  assert.equal(
    said.reduce((sum, { count }) => sum + count, 0),
    1000,
  );
});

test('an event that there is not is a TypeError that names those that there are', () => {
  const { door } = events();
  assert.throws(() => Reflect.apply(door.on, door, ['windows', () => undefined]), {
    name: 'TypeError',
    message: 'there is no event "windows", expected one of sample, window, delivery, error',
  });
});
