import { isAwsHost } from '../aws/endpoint.ts';
import { keepSecret } from '../aws/redact.ts';
import { createPostOf, type PostOptions, type Target } from '../cloudwatch/post.ts';
import type { Post } from '../delivery/service.ts';
import type { Payload } from './encode.ts';
import { judge } from './judge.ts';

const PATH = 'v1/metrics';

/** The endpoint for metrics of a base, as OTEL_EXPORTER_OTLP_ENDPOINT is one; nothing is added twice. */
export function metricsUrl(base: URL): URL {
  const url = new URL(base);
  const path = url.pathname.replace(/\/+$/, '');
  url.pathname = path.endsWith(`/${PATH}`) ? path : `${path}/${PATH}`;
  return url;
}

/** Whether requests there are signed. */
export function isSigned({ hostname }: URL, sign: 'auto' | 'always' | 'never'): boolean {
  const isLoopback = /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(hostname);
  return sign === 'auto' ? isLoopback || isAwsHost(hostname) : sign === 'always';
}

type Headers = readonly (readonly [name: string, value: string])[];

/** What goes with a request: AWS, where it knows us by the signature, is not told the key of another. */
export function headersTo(
  { credentials, endpoint }: Pick<Target, 'credentials' | 'endpoint'>,
  own: Headers,
): Record<string, string> {
  const isOurs = credentials === undefined || !isAwsHost(endpoint.hostname);
  return { ...(isOurs && Object.fromEntries(own)), 'content-type': 'application/json' };
}

export interface OtlpPostOptions extends PostOptions {
  /** Beside those of the form. Never shown. */
  readonly headers: Headers;
}

/** Posts OTLP as JSON. The target's endpoint is the whole URL. */
export function createOtlpPost({ headers, ...options }: OtlpPostOptions): Post<Payload> {
  // The scheme before a key is no secret, and the key without it is one.
  const own = headers.flatMap(([, value]) => [value, value.replace(/^\w+ /, '')]);
  keepSecret(...own);
  let target: Target | undefined;
  const locate = async (signal: AbortSignal): Promise<Target> => {
    target = await options.locate(signal);
    return target;
  };
  return createPostOf<Payload>(
    {
      get headers() {
        return target === undefined ? {} : headersTo(target, headers);
      },
      judge: (answer, secrets, page) =>
        judge(answer, target?.credentials !== undefined, [...secrets, ...own], page),
    },
    { ...options, locate },
  );
}
