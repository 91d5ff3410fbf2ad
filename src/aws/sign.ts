import aws4 from 'aws4';
import { authorityOf } from '../net/route.ts';
import type { Credentials } from './credentials/identity.ts';

export interface Signing {
  readonly service: string;
  readonly region: string;
  readonly credentials: Credentials;
  /** Wall-clock milliseconds by the service's clock. */
  readonly nowMs: number;
  /** POST where nothing else is said. */
  readonly method?: 'POST' | 'PUT';
}

/**
 * The headers of a request with its Signature Version 4. Called anew for each attempt: a signature is
 * good for five minutes, and credentials may have changed. Everything is passed, always: aws4 fills
 * what is missing with defaults of its own.
 *
 * @param headers names in lower case; all but the user agent are signed, so nothing may change them
 *   on the way
 * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
 */
export function signedHeaders(
  url: URL,
  headers: Readonly<Record<string, string>>,
  body: Buffer,
  signing: Signing,
): Record<string, string> {
  const { accessKeyId, secretAccessKey, sessionToken } = signing.credentials;
  const host = authorityOf(url);
  const signed = aws4.sign(
    {
      method: signing.method ?? 'POST',
      host,
      path: url.pathname,
      service: signing.service,
      region: signing.region,
      headers: {
        ...headers,
        host,
        'content-length': String(body.length),
        'x-amz-date': basicDate(signing.nowMs),
      },
      body,
    },
    {
      accessKeyId,
      secretAccessKey,
      ...(sessionToken === undefined ? undefined : { sessionToken }),
    },
  );
  return Object.fromEntries(
    Object.entries(signed.headers ?? {}).map(([name, value]) => [name, String(value)]),
  );
}

/** `20261123T081500Z` */
function basicDate(ms: number): string {
  return new Date(ms).toISOString().replace(/[:-]|\.\d{3}/g, '');
}
