import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';

/** The TCP sockets of a server: below TLS, where alone they can be reset, and also before a request. */
export class Connections {
  readonly #sockets = new Map<number, Socket>();

  constructor(server: Server) {
    server.on('connection', (socket: Socket) => {
      // Cutting answers a client's own reset with EPIPE or ECONNRESET here: nobody's news.
      socket.on('error', () => socket.destroy());
      const { remotePort = 0 } = socket;
      this.#sockets.set(remotePort, socket);
      socket.once('close', () => this.#sockets.delete(remotePort));
    });
  }

  /** Sends RST to the client of this request. */
  reset(request: IncomingMessage): void {
    this.#sockets.get(request.socket.remotePort ?? 0)?.resetAndDestroy();
  }

  /** Cuts them all at once, idle, stalled or in the middle of something. */
  cut(): void {
    for (const socket of this.#sockets.values()) socket.destroy();
  }
}
