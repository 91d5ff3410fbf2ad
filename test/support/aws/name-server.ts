import { createSocket } from 'node:dgram';
import { once } from 'node:events';

/** A name server on 127.0.0.1. */
export interface NameServer {
  /** The types of all questions so far: `A`, `AAAA`. */
  readonly asked: string[];
}

/** @see https://www.rfc-editor.org/rfc/rfc1035#section-4.1 */
const HEADER_BYTES = 12;
const TYPES: Readonly<Record<number, string>> = { 1: 'A', 28: 'AAAA' };
/** A response to a recursive question, no error. */
const FLAGS = 0x8180;
/** The question's name again, type A, class IN, a minute to live, four bytes. */
const HEAD_OF_ANSWER = [0xc0, HEADER_BYTES, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4];

/** Answers every question for an IPv4 address with 127.0.0.1, and drops all others. It keeps no process. */
export async function startNameServer(port: number): Promise<NameServer> {
  const asked: string[] = [];
  const socket = createSocket('udp4', (message, { port: from, address }) => {
    const end = message.indexOf(0, HEADER_BYTES) + 1;
    const type = TYPES[message.readUInt16BE(end)] ?? 'another';
    asked.push(type);
    if (type !== 'A') return;
    const header = Buffer.from(message.subarray(0, HEADER_BYTES));
    header.writeUInt16BE(FLAGS, 2);
    // One question, one answer, nothing more.
    header.set([0, 1, 0, 1, 0, 0, 0, 0], 4);
    const question = message.subarray(HEADER_BYTES, end + 4);
    const answer = Buffer.from([...HEAD_OF_ANSWER, 127, 0, 0, 1]);
    socket.send(Buffer.concat([header, question, answer]), from, address);
  });
  socket.bind(port, '127.0.0.1');
  await once(socket, 'listening');
  socket.unref();
  return { asked };
}
