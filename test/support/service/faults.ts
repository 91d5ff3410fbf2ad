import { randomUUID } from 'node:crypto';
import { type Answer, failure, XMLNS } from './answers.ts';
import { Refusal } from './refusal.ts';

/**
 * What goes wrong with one PutMetricData. Nothing is accepted, except where it says so.
 * The two resets take the next request of whatever action: they come before it is known.
 */
export type Fault =
  /** Answers so, whatever was asked. */
  | { kind: 'answer'; answer: Answer }
  | { kind: 'reset-before-reading' }
  /** Resets when the first bytes of the body are there. */
  | { kind: 'reset-mid-body' }
  /** Accepts, then closes without a word. */
  | { kind: 'cut-before-answer' }
  /** Accepts, then closes after half the body of the answer. */
  | { kind: 'cut-mid-answer' }
  /** Reads the request and stays silent with the connection open. */
  | { kind: 'stall' }
  /** Accepts; the body of the answer comes a byte at a time. */
  | { kind: 'drip'; everyMs: number }
  /** Accepts; the answer's Date header is this far from the server's clock. */
  | { kind: 'skew-date'; byMs: number };

/** What is known of a request before its body is read. */
export interface RequestHead {
  method: string;
  path: string;
  /** Names in lower case. */
  headers: Readonly<Record<string, string>>;
  /** How many requests came before. */
  index: number;
}

/** Chooses a fault for a request, or none: chaos with a seed of its own. */
export type FaultMaker = (head: RequestHead) => Fault | undefined;

/** An AWS error with the document that belongs to it. */
export function refusal(status: number, code: string, message: string): Fault {
  return { kind: 'answer', answer: failure(new Refusal(status, code, message), randomUUID()) };
}

export function throttling(): Fault {
  return refusal(400, 'Throttling', 'Rate exceeded');
}

export function internalServiceError(): Fault {
  const message = 'The request processing has failed because of an unknown error.';
  return refusal(500, 'InternalServiceError', message);
}

export function serviceUnavailable(): Fault {
  return refusal(503, 'ServiceUnavailable', 'Service is unable to handle request.');
}

/** As AWS answers after ten seconds when fewer bytes come than Content-Length said. */
export function requestTimeout(): Fault {
  return page(408, '', '');
}

export function entityTooLarge(): Fault {
  const message = 'Request size 1048577 exceeded 1048576 bytes';
  return refusal(413, 'RequestEntityTooLarge', message);
}

/** A page of a proxy or a captive portal. */
export function htmlPage(status: number): Fault {
  return page(
    status,
    'text/html',
    '<!DOCTYPE html><html><body><h1>Please log in</h1></body></html>',
  );
}

/** A 200 whose document ends in the middle. */
export function truncatedXml(): Fault {
  return page(200, 'text/xml', `<PutMetricDataResponse xmlns="${XMLNS}">\n<ResponseMeta`);
}

/** A 200 of some other service. */
export function wrongRoot(): Fault {
  return page(200, 'text/xml', '<ListAllMyBucketsResult><Buckets/></ListAllMyBucketsResult>');
}

export function redirect(location: string): Fault {
  const answer = { status: 302, headers: { location }, body: '' };
  return { kind: 'answer', answer };
}

export function resetBeforeReading(): Fault {
  return { kind: 'reset-before-reading' };
}

export function resetMidBody(): Fault {
  return { kind: 'reset-mid-body' };
}

export function cutBeforeAnswer(): Fault {
  return { kind: 'cut-before-answer' };
}

export function cutMidAnswer(): Fault {
  return { kind: 'cut-mid-answer' };
}

export function stall(): Fault {
  return { kind: 'stall' };
}

export function drip(everyMs: number): Fault {
  return { kind: 'drip', everyMs };
}

export function skewDate(byMs: number): Fault {
  return { kind: 'skew-date', byMs };
}

/** The faults to come. A FaultMaker, once it is first, stays there. */
export class FaultQueue {
  #coming: (Fault | FaultMaker)[] = [];

  add(faults: readonly (Fault | FaultMaker)[]): void {
    this.#coming.push(...faults);
  }

  clear(): void {
    this.#coming = [];
  }

  take(head: RequestHead): Fault | undefined {
    const [first] = this.#coming;
    if (typeof first === 'function') return first(head);
    this.#coming.shift();
    return first;
  }

  /** Puts back a fault that was taken for a request which turned out to be no PutMetricData. */
  giveBack(fault: Fault): void {
    const [first] = this.#coming;
    if (typeof first !== 'function') this.#coming.unshift(fault);
  }
}

function page(status: number, contentType: string, body: string): Fault {
  const headers: Record<string, string> = contentType === '' ? {} : { 'content-type': contentType };
  return { kind: 'answer', answer: { status, headers, body } };
}
