import { randomUUID } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { type Answer, failure, success } from './answers.ts';
import { type FormTree, parseForm, takeText } from './form.ts';
import { decodeOtlp, otlpAnswer } from './otlp.ts';
import { type Accepted, decodePutMetricData } from './put-metric-data.ts';
import { getMetricStatistics, listMetrics } from './readers.ts';
import { Refusal } from './refusal.ts';
import { type Credentials, type SignedRequest, verifySignature } from './signature.ts';

/** The service as one request meets it. */
export interface Service {
  credentials: readonly Credentials[];
  region: string;
  /** Milliseconds since 1970 of the server's clock. */
  now: number;
  accepted: readonly Accepted[];
  valuesWithStatistics: boolean;
}

/** What the service has to say, and what it takes: all of a request or nothing. */
export interface Verdict {
  answer: Answer;
  taken?: Accepted;
  refusal?: Refusal;
}

const VERSION = '2010-08-01';
const OTLP_PATH = '/v1/metrics';
const JSON_TYPE = /^application\/json$/i;
const FORM_TYPE = /^application\/x-www-form-urlencoded(; ?charset=utf-8)?$/i;
// Sizes in AWS's messages are KiB-exact: 40960 and 614400 in its older ones, hence this one today.
const MAX_BODY_BYTES = 1_048_576;
const MAX_GUNZIPPED_BYTES = 64 * 1_048_576;

/** Judges one whole request as the service would. It never throws a Refusal: that is an answer too. */
export async function judge(request: SignedRequest, service: Service): Promise<Verdict> {
  const requestId = randomUUID();
  try {
    checkEnvelope(request);
    await verifySignature(request, service);
    const gzip = request.headers['content-encoding'] !== undefined;
    const plain = gzip ? gunzip(request) : request.body;
    if (plain.length > MAX_BODY_BYTES) {
      const message = `Request size ${plain.length} exceeded ${MAX_BODY_BYTES} bytes`;
      throw new Refusal(413, 'RequestEntityTooLarge', message);
    }
    if (request.path === OTLP_PATH) {
      const points = decodeOtlp(plain.toString('utf8'));
      const sizes = { bytes: request.body.length, uncompressedBytes: plain.length, gzip };
      const namespace = points[0]?.resource['service.namespace'] ?? '';
      const taken = { at: service.now, requestId, namespace, data: [], points, ...sizes };
      return { answer: otlpAnswer(200, {}), taken };
    }
    const form = parseForm(plain);
    const action = actionOf(form);
    if (action === 'GetMetricStatistics') {
      const result = getMetricStatistics(form, service.accepted, service.now);
      return { answer: success(action, result, requestId) };
    }
    if (action === 'ListMetrics') {
      return { answer: success(action, listMetrics(form, service.accepted), requestId) };
    }
    const sizes = { bytes: request.body.length, uncompressedBytes: plain.length, gzip };
    const taken = { at: service.now, requestId, ...decodePutMetricData(form, service), ...sizes };
    return { answer: success(action, '', requestId), taken };
  } catch (thrown) {
    if (!(thrown instanceof Refusal)) throw thrown;
    const { status, code, message } = thrown;
    const isOtlp = request.path === OTLP_PATH;
    const answer = isOtlp ? otlpAnswer(status, { message }, code) : failure(thrown, requestId);
    return { answer, refusal: thrown };
  }
}

function checkEnvelope({ method, path, headers, body }: SignedRequest): void {
  if (method !== 'POST') throw new Refusal(405, 'MethodNotAllowed', `${method} is not POST.`);
  const isOtlp = path === OTLP_PATH;
  if (path !== '/' && !isOtlp) throw new Refusal(404, 'NotFound', `There is nothing at ${path}.`);
  // Node has read exactly Content-Length bytes: only its absence is left to check.
  if (headers['content-length'] === undefined || headers['transfer-encoding'] !== undefined) {
    throw new Refusal(411, 'MissingContentLength', 'You must provide the Content-Length header.');
  }
  const type = headers['content-type'] ?? '';
  if (!(isOtlp ? JSON_TYPE : FORM_TYPE).test(type)) {
    const wanted = isOtlp ? 'JSON' : 'a form';
    throw new Refusal(415, 'UnsupportedMediaType', `The Content-Type "${type}" is not ${wanted}.`);
  }
  if (body.length === 0) throw new Refusal(400, 'MissingAction', 'The body is empty.');
}

function gunzip({ headers, body }: SignedRequest): Buffer {
  const encoding = headers['content-encoding'] ?? '';
  if (encoding !== 'gzip') {
    throw new Refusal(400, 'MalformedInput', `The Content-Encoding "${encoding}" is not gzip.`);
  }
  try {
    return gunzipSync(body, { maxOutputLength: MAX_GUNZIPPED_BYTES });
  } catch (cause) {
    throw new Refusal(400, 'MalformedInput', 'The body is not gzip.', { cause });
  }
}

function actionOf(form: FormTree): string {
  const action = takeText(form, 'Action', 'Action');
  const version = takeText(form, 'Version', 'Version');
  if (action === undefined) throw new Refusal(400, 'MissingAction', 'The Action is missing.');
  const known = ['PutMetricData', 'GetMetricStatistics', 'ListMetrics'].includes(action);
  if (known && version === VERSION) return action;
  const message = `Could not find operation ${action} for version ${version ?? 'NO_VERSION_SPECIFIED'}`;
  throw new Refusal(400, 'InvalidAction', message);
}
