// This side of server.mjs: ports to publish to, and what arrived on each.
import { EventEmitter } from 'node:events';
import { fileURLToPath } from 'node:url';
import { startServer } from './children.mjs';

const DEADLINE_MS = 20_000;

/** Gives the server's certificate (PEM) and `open`, which gives an {@link Inbox}. */
export async function openSink() {
  const run = startServer(fileURLToPath(new URL('server.mjs', import.meta.url)));
  const inboxes = [];
  const greeting = new EventEmitter();
  run.child.on('message', (message) => {
    const inbox = inboxes[message.id] ?? greeting;
    inbox.emit(message.body === undefined ? 'answer' : 'publication', message);
  });
  const { cert } = await next(greeting, 'answer', 'the server did not start');
  return {
    cert,
    async open() {
      const inbox = new Inbox();
      run.child.send({ open: inboxes.push(inbox) - 1 });
      const { port } = await next(inbox, 'answer', 'the server opened no port');
      inbox.url = `https://127.0.0.1:${port}/`;
      return inbox;
    },
  };
}

/** The publications of one program. */
class Inbox extends EventEmitter {
  url = '';
  count = 0;
  /** The newest: headers, and the body in base64. */
  newest = undefined;

  constructor() {
    super();
    this.on('publication', ({ headers, body }) => {
      this.count += 1;
      this.newest = { headers, body };
    });
  }

  /** Resolves when so many have arrived since the beginning. @throws Error where one fails to come */
  async reaches(count) {
    while (this.count < count) {
      await next(this, 'publication', `publication ${this.count + 1} did not arrive`);
    }
  }
}

function next(emitter, event, complaint) {
  return new Promise((resolve, reject) => {
    const late = () => reject(new Error(`${complaint} within ${DEADLINE_MS} ms`));
    const timer = setTimeout(late, DEADLINE_MS);
    emitter.once(event, (message) => {
      clearTimeout(timer);
      resolve(message);
    });
  });
}
