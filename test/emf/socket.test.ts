import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { test } from 'node:test';
import { systemClock } from '../../src/clock.ts';
import { socketWay } from '../../src/emf/socket.ts';

async function listening(port = 0): Promise<Socket> {
  const socket = createSocket('udp4').bind(port, '127.0.0.1');
  await once(socket, 'listening');
  return socket;
}

/** The port that a datagram came from. */
async function sender(socket: Socket): Promise<number> {
  const [, { port }] = await once(socket, 'message');
  return port;
}

test('a UDP peer that was gone is looked up anew', async () => {
  // The way itself keeps no process.
  const keeper = await listening();
  const first = await listening();
  const { port } = first.address();
  const options = { environment: {}, clock: systemClock(), threads: { held: 0 } };
  const way = socketWay({ isUdp: true, host: '127.0.0.1', port }, options);
  const late = new Promise<void>((resolve) => way.onLate?.(() => resolve()));
  const before = sender(first);
  await way.send('one');
  await before;
  first.close();
  await way.send('two');
  await late;
  const second = await listening(port);
  const after = sender(second);
  await way.send('three');
  assert.notEqual(await after, await before);
  way.close();
  second.close();
  keeper.close();
});
