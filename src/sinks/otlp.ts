import { Sender, type SenderOptions } from '../delivery/sender.ts';
import type { Post, Service } from '../delivery/service.ts';
import { encodePage, type Payload } from '../otlp/encode.ts';
import { LIMITS } from '../otlp/limits.ts';
import { createOtlpPost } from '../otlp/post.ts';
import type { Located } from '../otlp/target.ts';
import type { Sink } from './sink.ts';

export interface OtlpOptions extends Omit<SenderOptions<Payload>, 'service' | 'prepare'> {
  /** Finds the endpoint, and credentials where requests are signed. */
  readonly target: Pick<Located, 'locate' | 'asking'>;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly userAgent: string;
  /** Percentages are published as 0 to 1. */
  readonly compatFraction: boolean;
}

/** An OTLP endpoint as delivery sees it. */
export function otlpService(post: Post<Payload>, isFraction: boolean): Service<Payload> {
  return { limits: LIMITS, encode: (batch) => encodePage(batch, { isFraction }), post };
}

/** Publishes windows over OTLP. Begins at once. */
export function otlpSink({ target, headers, userAgent, ...options }: OtlpOptions): Sink {
  const { clock } = options;
  const post = createOtlpPost({ ...target, clock, headers, userAgent });
  return new Sender({
    ...options,
    service: otlpService(post, options.compatFraction),
    prepare: async (signal) => {
      const { endpoint, credentials } = await target.locate(signal);
      const provider = (await credentials?.resolve(signal))?.provider ?? 'none: not signed';
      return { endpoint: endpoint.href, credentials: provider };
    },
  });
}
