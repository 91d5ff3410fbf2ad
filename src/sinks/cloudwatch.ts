import type { Aws } from '../aws/aws.ts';
import { type EntityOf, encodePage, type Form } from '../cloudwatch/form.ts';
import { LIMITS } from '../cloudwatch/limits.ts';
import { createPost } from '../cloudwatch/post.ts';
import { Sender, type SenderOptions } from '../delivery/sender.ts';
import type { Post, Service } from '../delivery/service.ts';
import type { Sink } from './sink.ts';

export interface CloudwatchOptions extends Omit<SenderOptions<Form>, 'service' | 'prepare'> {
  readonly aws: Aws;
  readonly userAgent: string;
  /** What the console relates windows to, and looks for that again; nothing where it is not asked for. */
  readonly entities?: { readonly entityOf: EntityOf; readonly again: () => unknown } | undefined;
}

/** CloudWatch's PutMetricData as delivery sees it. */
export function cloudwatchService(post: Post<Form>, entityOf?: EntityOf): Service<Form> {
  return { limits: LIMITS, encode: (batch) => encodePage(batch, undefined, entityOf), post };
}

/** Publishes windows as CloudWatch's metrics. Begins at once. */
export function cloudwatchSink({ aws, userAgent, entities, ...options }: CloudwatchOptions): Sink {
  const { clock, log } = options;
  const plain = createPost({ ...aws, clock, userAgent });
  let said = '';
  const post: Post<Form> = async (...request) => {
    const verdict = await plain(...request);
    const { kind, message: reason } = verdict;
    if (kind === 'accepted' && reason !== '' && reason !== said) {
      said = reason;
      log.warn('CloudWatch took the data, but not their entity', { reason });
    }
    entities?.again();
    return verdict;
  };
  return new Sender({
    ...options,
    service: cloudwatchService(entities === undefined ? plain : post, entities?.entityOf),
    prepare: async (signal) => {
      const { region, endpoint, credentials } = await aws.locate(signal);
      const { provider } = await credentials.resolve(signal);
      return { region: region.name, endpoint: endpoint.href, credentials: provider };
    },
  });
}
