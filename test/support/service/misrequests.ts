// A table: a row for each mistake, hence its length.
import type { Signing } from './client.ts';
import { CREDENTIALS } from './cloudwatch.ts';
import { NOW } from './limits.ts';
import { basicIso, type Credentials } from './signature.ts';

const MINUTE = 60_000;

/** A request that is not signed, dated or addressed as it should be, and the answer to it. */
export interface Misrequest {
  name: string;
  status: number;
  code: string;
  message: RegExp;
  signing?: Signing;
  /** Changes the signed headers on their way. */
  alter?: (headers: Record<string, string>) => Record<string, string>;
  method?: string;
  path?: string;
}

const MISMATCH = { status: 403, code: 'SignatureDoesNotMatch' };
export const TEMPORARY: Credentials = {
  accessKeyId: 'ASIATEMPORARY',
  secretAccessKey: 's',
  sessionToken: 'token',
};
export const EXPIRED: Credentials = { ...TEMPORARY, accessKeyId: 'ASIAEXPIRED', expired: true };

function without(gone: string): (headers: Record<string, string>) => Record<string, string> {
  return (headers) => Object.fromEntries(Object.entries(headers).filter(([name]) => name !== gone));
}

export const MISREQUESTS: readonly Misrequest[] = [
  {
    name: 'without Authorization',
    status: 403,
    code: 'MissingAuthenticationToken',
    message: /missing Authentication Token/,
    alter: without('Authorization'),
  },
  {
    name: 'with some other authorization',
    status: 400,
    code: 'IncompleteSignature',
    message: /Signature Version 4/,
    alter: (headers) => ({ ...headers, Authorization: 'Bearer x' }),
  },
  {
    name: 'of a key that nobody knows',
    status: 403,
    code: 'InvalidClientTokenId',
    message: /token included in the request is invalid/,
    signing: { credentials: { ...CREDENTIALS, accessKeyId: 'AKIAUNKNOWN' } },
  },
  {
    name: 'with a wrong session token',
    status: 403,
    code: 'InvalidClientTokenId',
    message: /token included in the request is invalid/,
    signing: { credentials: { ...TEMPORARY, sessionToken: 'another' } },
  },
  {
    name: 'without the session token',
    status: 403,
    code: 'InvalidClientTokenId',
    message: /token included in the request is invalid/,
    signing: { credentials: { ...CREDENTIALS, accessKeyId: TEMPORARY.accessKeyId } },
  },
  {
    name: 'with expired credentials',
    status: 403,
    code: 'ExpiredToken',
    message: /token included in the request is expired/,
    signing: { credentials: EXPIRED },
  },
  {
    name: 'with a wrong secret',
    ...MISMATCH,
    message: /does not match the signature you provided/,
    signing: { credentials: { ...CREDENTIALS, secretAccessKey: 'x' } },
  },
  {
    name: 'with a signed header changed on the way',
    ...MISMATCH,
    message: /does not match the signature you provided/,
    alter: (headers) => ({
      ...headers,
      'Content-Type': 'application/x-www-form-urlencoded; charset=utf-8',
    }),
  },
  {
    name: 'with a signed header lost on the way',
    ...MISMATCH,
    message: /signed header x-extra did not arrive/,
    signing: { headers: { 'X-Extra': '1' } },
    alter: without('X-Extra'),
  },
  {
    name: 'without host among the signed headers',
    ...MISMATCH,
    message: /'Host'.* must be a 'SignedHeader'/,
    alter: (headers) => ({
      ...headers,
      Authorization: (headers['Authorization'] ?? '').replace('host;', ''),
    }),
  },
  {
    name: 'for another region',
    ...MISMATCH,
    message: /valid region, not 'eu-west-1'/,
    signing: { region: 'eu-west-1' },
  },
  {
    name: 'for another service',
    ...MISMATCH,
    message: /correct service: 'monitoring'/,
    signing: { service: 'cloudwatch' },
  },
  {
    name: 'signed five minutes and a second ago',
    ...MISMATCH,
    message:
      /^Signature expired: 20260813T115529Z is now earlier than 20260813T115530Z \(20260813T120030Z - 5 min\.\)$/,
    signing: { headers: { 'X-Amz-Date': basicIso(NOW - 5 * MINUTE - 1000) } },
  },
  {
    name: 'signed five minutes and a second ahead',
    ...MISMATCH,
    message:
      /^Signature not yet current: 20260813T120531Z is still later than 20260813T120530Z \(20260813T120030Z \+ 5 min\.\)$/,
    signing: { headers: { 'X-Amz-Date': basicIso(NOW + 5 * MINUTE + 1000) } },
  },
  {
    name: 'without X-Amz-Date',
    status: 400,
    code: 'IncompleteSignature',
    message: /ISO-8601/,
    alter: without('X-Amz-Date'),
  },
  {
    name: 'with the hash of another body',
    status: 400,
    code: 'XAmzContentSHA256Mismatch',
    message: /does not match what was computed/,
    signing: { headers: { 'X-Amz-Content-Sha256': 'UNSIGNED-PAYLOAD' } },
  },
  {
    name: 'by GET',
    status: 405,
    code: 'MethodNotAllowed',
    message: /GET/,
    method: 'GET',
  },
  {
    name: 'elsewhere than at /',
    status: 404,
    code: 'NotFound',
    message: /\/metrics/,
    path: '/metrics',
  },
  {
    name: 'in chunks',
    status: 411,
    code: 'MissingContentLength',
    message: /Content-Length/,
    alter: (headers) => ({
      ...without('Content-Length')(headers),
      'Transfer-Encoding': 'chunked',
    }),
  },
  {
    name: 'of another content type',
    status: 415,
    code: 'UnsupportedMediaType',
    message: /application\/x-amz-json-1\.0/,
    signing: { headers: { 'Content-Type': 'application/x-amz-json-1.0' } },
  },
];
