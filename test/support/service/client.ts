import { request as httpRequest, type IncomingHttpHeaders, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import aws4 from 'aws4';
import { CREDENTIALS, REGION } from './cloudwatch.ts';
import type { Credentials } from './signature.ts';

/** What a plain HTTP client got. */
export interface Reply {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
  /** In how many pieces the body came. */
  pieces: number;
}

/** How a request is to be signed, and what is to be sent with it. */
export interface Signing {
  credentials?: Credentials;
  region?: string;
  service?: string;
  headers?: Record<string, string>;
}

/** A body as the Query protocol writes it. */
export function formOf(pairs: Readonly<Record<string, string>>): string {
  return Object.entries(pairs)
    .map(([key, value]) => `${key}=${escapeForm(value)}`)
    .join('&');
}

/** The headers of a POST of this body, signed by aws4: not by what verifies them. */
export function signedHeaders(
  url: string,
  body: string | Buffer,
  signing: Signing = {},
): Record<string, string> {
  const { accessKeyId, secretAccessKey, sessionToken } = signing.credentials ?? CREDENTIALS;
  const signed = aws4.sign(
    {
      method: 'POST',
      path: '/',
      host: new URL(url).host,
      service: signing.service ?? 'monitoring',
      region: signing.region ?? REGION,
      headers: {
        'Content-Type': 'application/x-www-form-urlencoded',
        'Content-Length': Buffer.byteLength(body),
        ...signing.headers,
      },
      body,
    },
    { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) },
  );
  return Object.fromEntries(
    Object.entries(signed.headers ?? {}).map(([name, value]) => [name, String(value)]),
  );
}

/** Sends one request on a connection of its own. @throws {Error} when the connection breaks */
export function send(
  url: string,
  body: string | Buffer,
  headers: Readonly<Record<string, string>>,
  options: RequestOptions & { ca?: string | undefined } = {},
): Promise<Reply> {
  const request = url.startsWith('https:') ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const outgoing = request(
      url,
      { method: 'POST', agent: false, headers, ...options },
      (answer) => {
        const pieces: Buffer[] = [];
        answer.on('data', (piece: Buffer) => pieces.push(piece));
        answer.on('error', reject);
        answer.on('end', () => {
          const text = Buffer.concat(pieces).toString('utf8');
          const { statusCode: status = 0, headers: got } = answer;
          resolve({ status, headers: got, body: text, pieces: pieces.length });
        });
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

/** Signs and sends. */
export function post(url: string, body: string | Buffer, signing: Signing = {}): Promise<Reply> {
  return send(url, body, signedHeaders(url, body, signing));
}

function escapeForm(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
