import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Answer } from './answers.ts';
import type { Fault } from './faults.ts';
import type { Refusal } from './refusal.ts';

/** A request as it came, and what became of it. */
export interface SeenRequest {
  at: number;
  method: string;
  path: string;
  /** Names in lower case. */
  headers: Readonly<Record<string, string>>;
  /** The raw bytes, as many as were read. */
  body: Buffer;
  /** Of the answer; undefined while there is none. */
  status: number | undefined;
  fault: Fault['kind'] | undefined;
  /** What the strict service finds wrong with it, also where a fault answers in its place. */
  refusal: Refusal | undefined;
}

/** The body's bytes: up to its end, its first ones only, or as many as came before the client left. */
export function receive(request: IncomingMessage, firstOnly: boolean): Promise<Buffer> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const done = (): void => resolve(Buffer.concat(chunks));
    request.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      if (firstOnly) done();
    });
    request.once('end', done);
    request.once('close', done);
    // A client that leaves ends in 'close', which tells all there is to know.
    request.once('error', done);
  });
}

/** Sends the body of an answer whose head is written: whole, in drops, or the first half of it. */
export function send({ body }: Answer, fault: Fault | undefined, to: ServerResponse): void {
  if (fault?.kind === 'drip') drip(Buffer.from(body), fault.everyMs, to);
  else if (fault?.kind === 'cut-mid-answer') {
    to.write(body.slice(0, Math.floor(body.length / 2)), () => to.destroy());
  } else to.end(body);
}

/** The headers by their names in lower case, several of one name joined. */
export function headersOf(request: IncomingMessage): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(request.headers)) {
    if (value !== undefined) headers[name] = typeof value === 'string' ? value : value.join(',');
  }
  return headers;
}

function drip(body: Buffer, everyMs: number, to: ServerResponse): void {
  let sent = 0;
  const timer = setInterval(() => {
    to.write(body.subarray(sent, sent + 1));
    sent += 1;
    if (sent >= body.length) to.end();
  }, everyMs);
  // Both ends come here: the last byte, and a client or a server that leaves.
  to.once('close', () => clearInterval(timer));
}
