import type { Publication } from '../metrics/publication.ts';
import type { WaitingWindow } from './packing.ts';
import type { Verdict } from './verdict.ts';

/** A window, or what is left of it, with whose it is. */
export interface Publishable extends WaitingWindow {
  readonly publication: Publication;
}

/** One request: its body in the service's form, and how much of a batch it holds. */
export interface Page<Body> {
  readonly body: Body;
  /** From the first of the batch on; at least one. */
  readonly datums: number;
  /** What the body takes, before it is compressed. */
  readonly bytes: number;
}

/** One attempt at one request: what came of it. It does not reject. */
export type Post<Body> = (
  page: Page<Body>,
  timeoutMs: number,
  signal: AbortSignal,
) => Promise<Verdict>;

export interface Limits {
  /** Datums that one request may hold. */
  readonly maxDatums: number;
  /** How old a window may be when it is sent; what is older is given up. */
  readonly maxAgeMs: number;
  /** How much longer than its own back-off a sender waits at most, where the service asks for that. */
  readonly maxHintMs: number;
}

/** All that delivery must know of a service: how a batch is written, sent and judged. */
export interface Service<Body> {
  readonly limits: Limits;
  /** One request with as many of the datums, from the first on, as it may hold. Pure. */
  encode(batch: readonly Publishable[]): Page<Body>;
  readonly post: Post<Body>;
}
