import { createHash } from 'node:crypto';
import { AwsError } from '../errors.ts';
import type { HttpAnswer, HttpClient } from '../net/http.ts';
import { errorCode } from './answer.ts';
import type { Aws } from './aws.ts';
import { abortable } from './call.ts';
import type { Credentials } from './credentials/identity.ts';
import { configuredEndpoint } from './endpoint.ts';
import { signedHeaders } from './sign.ts';

/** An object and where it goes. */
export interface PutObject {
  readonly http: HttpClient;
  /** The region's endpoint, or one that was configured. */
  readonly endpoint: URL;
  /** A configured endpoint may know no bucket's host name. */
  readonly isPathStyle: boolean;
  readonly region: string;
  readonly credentials: Credentials;
  readonly nowMs: number;
  readonly bucket: string;
  readonly key: string;
  readonly contentType: string;
  readonly userAgent: string;
  readonly body: Buffer;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/**
 * One PutObject, and once more where the bucket says that it is in another region. The bucket's default
 * encryption holds.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
 * @throws AwsError; Error with a code where no whole answer came
 */
export async function putObject(put: PutObject): Promise<void> {
  const answer = await attempt(put);
  if (answer.status === 200) return;
  const elsewhere = answer.headers['x-amz-bucket-region'];
  const isElsewhere = typeof elsewhere === 'string' && elsewhere !== put.region;
  if (!isElsewhere || put.isPathStyle) throw refused(put, answer);
  const endpoint = new URL(put.endpoint.href.replace(put.region, elsewhere));
  const again = await attempt({ ...put, region: elsewhere, endpoint });
  if (again.status !== 200) throw refused(put, again);
}

function attempt(put: PutObject): Promise<HttpAnswer> {
  const { http, body, timeoutMs, signal, credentials, region, nowMs } = put;
  const url = urlOf(put);
  const headers = {
    'content-type': put.contentType,
    'user-agent': put.userAgent,
    'x-amz-content-sha256': createHash('sha256').update(body).digest('hex'),
  };
  const signing = { service: 's3', region, credentials, nowMs, method: 'PUT' as const };
  const signed = signedHeaders(url, headers, body, signing);
  return http.send({ method: 'PUT', url, headers: signed, body, timeoutMs, signal });
}

/** A bucket whose name has dots fits no certificate as a host. */
function urlOf({ endpoint, isPathStyle, bucket, key }: PutObject): URL {
  const path = key.split('/').map(encoded).join('/');
  const url = new URL(endpoint.href);
  const base = url.pathname.replace(/\/$/, '');
  if (isPathStyle || bucket.includes('.')) url.pathname = `${base}/${bucket}/${path}`;
  else {
    url.hostname = `${bucket}.${url.hostname}`;
    url.pathname = `${base}/${path}`;
  }
  return url;
}

/** As S3 signs it: all but letters, digits and `-._~`. */
function encoded(segment: string): string {
  return encodeURIComponent(segment).replace(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function refused({ bucket, key }: PutObject, answer: HttpAnswer): AwsError {
  const code = errorCode(answer) || `HTTP ${answer.status}`;
  const remedy = answer.status === 403 ? '; the role needs s3:PutObject there' : '';
  return new AwsError(code, `s3://${bucket}/${key}: ${code}${remedy}`);
}

export interface Report
  extends Pick<PutObject, 'contentType' | 'userAgent' | 'body' | 'timeoutMs' | 'signal'> {
  /** s3://BUCKET/KEY */
  readonly where: string;
}

/** Finds region, endpoint and credentials, and puts it there. @throws as {@link putObject} */
export async function putReport(aws: Aws, report: Report): Promise<void> {
  const [, bucket = '', key = ''] = /^s3:\/\/([^/]+)\/(.+)$/.exec(report.where) ?? [];
  const { signal } = report;
  const { region, http, skew, credentials } = await abortable(aws.locate(signal), signal);
  const identity = await abortable(credentials.resolve(signal), signal);
  // `--endpoint-url` is CloudWatch's alone.
  const { endpoints } = await abortable(aws.context(signal), signal);
  const endpoint = configuredEndpoint('s3', region.name, region.isFips, endpoints);
  await putObject({
    ...report,
    http,
    endpoint,
    isPathStyle: !/^s3(?:-fips)?\./.test(endpoint.hostname),
    region: region.name,
    credentials: identity,
    nowMs: skew.nowMs(),
    bucket,
    key,
  });
}
