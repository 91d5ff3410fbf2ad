import { createSocket, type RemoteInfo } from 'node:dgram';
import { once } from 'node:events';
import { isIPv6 } from 'node:net';

/** What is said of a name. A type that is not here has no addresses; a name that is not here is none. */
export interface Entry {
  readonly A?: readonly string[];
  readonly AAAA?: readonly string[];
  /** Of the answer for IPv6. */
  readonly delayMs?: number;
  /** 2 is SERVFAIL. */
  readonly rcode?: number;
  /** Types of questions that are dropped. */
  readonly drops?: readonly string[];
}

/** A name server on 127.0.0.1 for names as they are here, in lower case. */
export interface NameServer {
  /** All questions so far: `A name`, `AAAA name`. */
  readonly asked: string[];
}

/** @see https://www.rfc-editor.org/rfc/rfc1035#section-4.1 */
const HEADER_BYTES = 12;
const TYPES: Readonly<Record<number, 'A' | 'AAAA'>> = { 1: 'A', 28: 'AAAA' };
const NO_SUCH_NAME = 3;
/** A response to a recursive question. */
const FLAGS = 0x8180;
/** The question's name again. */
const POINTER = [0xc0, HEADER_BYTES];

/** @param silent every question below these domains is dropped */
export async function startNameServer(
  port: number,
  entries: Readonly<Record<string, Entry>>,
  silent: readonly string[] = [],
): Promise<NameServer> {
  const asked: string[] = [];
  const socket = createSocket('udp4', (message, from: RemoteInfo) => {
    const { name, type, end } = questionOf(message);
    asked.push(`${type} ${name}`);
    const entry = entries[name];
    if (silent.some((domain) => name.endsWith(domain)) || entry?.drops?.includes(type)) return;
    const send = (): void => {
      socket.send(answerTo(message.subarray(0, end), entry, type), from.port, from.address);
    };
    if (type === 'AAAA' && entry?.delayMs !== undefined) setTimeout(send, entry.delayMs);
    else send();
  });
  socket.bind(port, '127.0.0.1');
  await once(socket, 'listening');
  socket.unref();
  return { asked };
}

function questionOf(message: Buffer): { name: string; type: string; end: number } {
  const labels: string[] = [];
  let at = HEADER_BYTES;
  for (let length = message[at] ?? 0; length > 0; length = message[at] ?? 0) {
    labels.push(message.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  const type = TYPES[message.readUInt16BE(at + 1)] ?? 'another';
  return { name: labels.join('.').toLowerCase(), type, end: at + 5 };
}

function answerTo(question: Buffer, entry: Entry | undefined, type: string): Buffer {
  const addresses = type === 'A' || type === 'AAAA' ? (entry?.[type] ?? []) : [];
  const header = Buffer.from(question.subarray(0, HEADER_BYTES));
  header.writeUInt16BE(FLAGS | (entry === undefined ? NO_SUCH_NAME : (entry.rcode ?? 0)), 2);
  // One question, the answers, nothing more.
  header.set([0, 1, 0, addresses.length, 0, 0, 0, 0], 4);
  const records = addresses.map((address) => {
    const data = isIPv6(address) ? bytesOf6(address) : address.split('.').map(Number);
    const typeByte = isIPv6(address) ? 28 : 1;
    return Buffer.from([...POINTER, 0, typeByte, 0, 1, 0, 0, 0, 60, 0, data.length, ...data]);
  });
  return Buffer.concat([header, question.subarray(HEADER_BYTES), ...records]);
}

/** @param address with one `::` */
function bytesOf6(address: string): number[] {
  const [head = [], tail = []] = address
    .split('::')
    .map((part) => part.split(':').filter((group) => group !== ''));
  const zeros = Array.from({ length: 8 - head.length - tail.length }, () => '0');
  return [...head, ...zeros, ...tail].flatMap((group) => {
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
}
