import type { Aws } from '../aws/aws.ts';
import { encodePage, type Form } from '../cloudwatch/form.ts';
import { LIMITS } from '../cloudwatch/limits.ts';
import { createPost } from '../cloudwatch/post.ts';
import { Sender, type SenderOptions } from '../delivery/sender.ts';
import type { Post, Service } from '../delivery/service.ts';
import type { Sink } from './sink.ts';

export interface CloudwatchOptions extends Omit<SenderOptions<Form>, 'service' | 'prepare'> {
  readonly aws: Aws;
  readonly userAgent: string;
}

/** CloudWatch's PutMetricData as delivery sees it. */
export function cloudwatchService(post: Post<Form>): Service<Form> {
  return { limits: LIMITS, encode: (batch) => encodePage(batch), post };
}

/** Publishes windows as CloudWatch's metrics. Begins at once. */
export function cloudwatchSink({ aws, userAgent, ...options }: CloudwatchOptions): Sink {
  const { clock } = options;
  return new Sender({
    ...options,
    service: cloudwatchService(createPost({ ...aws, clock, userAgent })),
    prepare: async (signal) => {
      const { region, endpoint, credentials } = await aws.locate(signal);
      const { provider } = await credentials.resolve(signal);
      return { region: region.name, endpoint: endpoint.href, credentials: provider };
    },
  });
}
