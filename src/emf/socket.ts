import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { isIP, type Socket } from 'node:net';
import { failure } from '../errors.ts';
import { dial } from '../net/dial.ts';
import { type Address, lookup, type NameOptions } from '../net/lookup.ts';
import type { Way } from './way.ts';

/** Where a CloudWatch agent listens. */
export interface Peer {
  readonly isUdp: boolean;
  readonly host: string;
  readonly port: number;
}

const CONNECT_MS = 5000;
/** A peer that is gone without a word is noticed. */
const KEEP_ALIVE_MS = 30_000;

/** Of `tcp://HOST:PORT` or `udp://[::1]:25888`; nothing where it is none. */
export function parsePeer(text: string): Peer | undefined {
  const [, kind, bracketed, plain, port] =
    /^(tcp|udp):\/\/(?:\[([\da-fA-F:.]+)\]|([^\s/@?#[\]:]+)):(\d{1,5})\/?$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined || !(Number(port) > 0 && Number(port) < 65_536)) return undefined;
  return { isUdp: kind === 'udp', host, port: Number(port) };
}

export function socketWay(peer: Peer, names: NameOptions): Way {
  return peer.isUdp ? new UdpWay(peer, names) : new TcpWay(peer, names);
}

/** Whether somebody takes a connection there. @throws Error with the system's code */
export async function lookAtPeer(peer: Peer, names: NameOptions): Promise<void> {
  const { signal } = new AbortController();
  if (peer.isUdp) await addressOf(peer.host, names, signal);
  else (await dial(peer.host, peer.port, names, CONNECT_MS, signal)).destroy();
}

/** Connects when there is something to send, and again after the other side has gone. */
class TcpWay implements Way {
  readonly #peer: Peer;
  readonly #names: NameOptions;
  readonly #end = new AbortController();
  #socket: Socket | undefined;

  constructor(peer: Peer, names: NameOptions) {
    this.#peer = peer;
    this.#names = names;
  }

  async send(line: string): Promise<void> {
    this.#socket ??= await this.#connect();
    const socket = this.#socket;
    await new Promise<void>((resolve, reject) => {
      socket.write(`${line}\n`, (error) => (error ? reject(error) : resolve()));
    });
  }

  close(): void {
    this.#end.abort();
    // What it took is still sent, and the other side sees an end.
    this.#socket?.end();
  }

  async #connect(): Promise<Socket> {
    const { host, port } = this.#peer;
    const socket = await dial(host, port, this.#names, CONNECT_MS, this.#end.signal);
    const gone = (): void => {
      socket.destroy();
      if (this.#socket === socket) this.#socket = undefined;
    };
    // Why it broke is said by the write that it concerns.
    socket.on('error', gone).on('end', gone).on('close', gone).resume();
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    return socket;
  }
}

/** A datagram a line. That nobody listens is heard afterwards, if at all. */
class UdpWay implements Way {
  readonly #peer: Peer;
  readonly #names: NameOptions;
  readonly #end = new AbortController();
  #socket: UdpSocket | undefined;
  #tell: (error: Error) => void = () => undefined;

  constructor(peer: Peer, names: NameOptions) {
    this.#peer = peer;
    this.#names = names;
  }

  onLate(tell: (error: Error) => void): void {
    this.#tell = tell;
  }

  async send(line: string): Promise<void> {
    this.#socket ??= await this.#connect();
    const socket = this.#socket;
    await new Promise<void>((resolve, reject) => {
      socket.send(`${line}\n`, (error) => (error ? reject(error) : resolve()));
    }).catch((error) => {
      this.#drop(socket);
      throw error;
    });
  }

  close(): void {
    this.#end.abort();
    this.#socket?.close();
    this.#socket = undefined;
  }

  /** The name may have another address by now. */
  #drop(socket: UdpSocket): void {
    if (this.#socket !== socket) return;
    this.#socket = undefined;
    socket.close();
  }

  async #connect(): Promise<UdpSocket> {
    const { host, port } = this.#peer;
    const { address, family } = await addressOf(host, this.#names, this.#end.signal);
    const socket = createSocket(family === 6 ? 'udp6' : 'udp4');
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.connect(port, address, () => {
        socket.off('error', reject);
        resolve();
      });
    });
    socket.on('error', (error) => {
      this.#drop(socket);
      this.#tell(error);
    });
    // Where the process is another's, nothing of ours keeps it.
    socket.unref();
    return socket;
  }
}

async function addressOf(host: string, names: NameOptions, signal: AbortSignal): Promise<Address> {
  const family = isIP(host);
  if (family !== 0) return { address: host, family: family === 6 ? 6 : 4 };
  const found: Address[] = [];
  await lookup(host, names, signal, (addresses) => found.push(...addresses));
  const [first] = found;
  if (first === undefined) throw failure('ENOTFOUND', `${host} has no address`);
  return first;
}
