import { createHash } from 'node:crypto';
import { SignatureV4 } from '@smithy/signature-v4';
import { Refusal } from './refusal.ts';
import { Sha256 } from './sha256.ts';

/** One identity that the server knows; `expired` makes it answer ExpiredToken. */
export interface Credentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
  expired?: boolean;
}

/** What is signed: the header names are in lower case, the body is as it arrived. */
export interface SignedRequest {
  method: string;
  path: string;
  headers: Readonly<Record<string, string>>;
  body: Buffer;
}

export interface Verifier {
  credentials: readonly Credentials[];
  region: string;
  /** Milliseconds since 1970 of the server's clock. */
  now: number;
}

interface Claim {
  accessKeyId: string;
  date: string;
  region: string;
  service: string;
  signedHeaders: string[];
  signature: string;
}

const SERVICE = 'monitoring';
const SKEW_MS = 5 * 60_000;
const AUTHORIZATION =
  /^AWS4-HMAC-SHA256 Credential=([^/,\s]+)\/(\d{8})\/([^/,]*)\/([^/,]*)\/aws4_request, ?SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})$/;
const AMZ_DATE = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/;
const WRONG_SIGNATURE =
  'The request signature we calculated does not match the signature you provided. ' +
  'Check your AWS Secret Access Key and signing method. Consult the service documentation for details.';
const INVALID_TOKEN = 'The security token included in the request is invalid.';

/**
 * Recomputes the signature with an implementation that is not ours, over the bytes that arrived.
 * @throws {Refusal} in AWS's words
 * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 */
export async function verifySignature(request: SignedRequest, verifier: Verifier): Promise<void> {
  const claim = parseAuthorization(request.headers['authorization']);
  const identity = identify(claim, request.headers['x-amz-security-token'], verifier.credentials);
  const signedAt = checkScope(claim, request.headers['x-amz-date'], verifier.region);
  checkClock(signedAt, verifier.now);
  checkPayloadHash(request);
  const expected = await sign(request, claim, identity, signedAt);
  const signature = parseAuthorization(expected['authorization']).signature;
  if (signature !== claim.signature) throw mismatch(WRONG_SIGNATURE);
}

function parseAuthorization(header: string | undefined): Claim {
  if (header === undefined) {
    throw new Refusal(403, 'MissingAuthenticationToken', 'Request is missing Authentication Token');
  }
  const [, accessKeyId, date, region, service, names, signature] = AUTHORIZATION.exec(header) ?? [];
  if (!accessKeyId || !date || !names || !signature) {
    const message = `Authorization header is not of the form of AWS Signature Version 4`;
    throw new Refusal(400, 'IncompleteSignature', message);
  }
  const signedHeaders = names.split(';');
  if (signedHeaders.join() !== [...new Set(signedHeaders)].sort().join()) {
    throw mismatch('SignedHeaders must be sorted, each name once.');
  }
  return {
    accessKeyId,
    date,
    region: region ?? '',
    service: service ?? '',
    signedHeaders,
    signature,
  };
}

function identify(
  claim: Claim,
  sentToken: string | undefined,
  known: readonly Credentials[],
): Credentials {
  const found = known.find((one) => one.accessKeyId === claim.accessKeyId);
  if (found === undefined || found.sessionToken !== sentToken) {
    throw new Refusal(403, 'InvalidClientTokenId', INVALID_TOKEN);
  }
  if (found.expired) {
    const message = 'The security token included in the request is expired';
    throw new Refusal(403, 'ExpiredToken', message);
  }
  return found;
}

function checkScope(claim: Claim, amzDate: string | undefined, region: string): Date {
  const [, year, month, day, hour, minute, second] = AMZ_DATE.exec(amzDate ?? '') ?? [];
  const signedAt = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  if (amzDate === undefined || Number.isNaN(signedAt.getTime())) {
    const message = `Date must be in ISO-8601 'basic format'. Got '${amzDate ?? ''}'.`;
    throw new Refusal(400, 'IncompleteSignature', message);
  }
  if (claim.date !== amzDate.slice(0, 8)) {
    throw mismatch(
      'Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: ' +
        `'${claim.date}' != '${amzDate.slice(0, 8)}', from '${amzDate}'.`,
    );
  }
  if (claim.region !== region) {
    throw mismatch(`Credential should be scoped to a valid region, not '${claim.region}'.`);
  }
  if (claim.service !== SERVICE) {
    throw mismatch(`Credential should be scoped to correct service: '${SERVICE}'.`);
  }
  if (!claim.signedHeaders.includes('host')) {
    throw mismatch(`'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.`);
  }
  return signedAt;
}

function checkClock(signedAt: Date, now: number): void {
  const earliest = now - SKEW_MS;
  const latest = now + SKEW_MS;
  const signed = basicIso(signedAt.getTime());
  if (signedAt.getTime() < earliest) {
    throw mismatch(
      `Signature expired: ${signed} is now earlier than ${basicIso(earliest)} ` +
        `(${basicIso(now)} - 5 min.)`,
    );
  }
  if (signedAt.getTime() > latest) {
    throw mismatch(
      `Signature not yet current: ${signed} is still later than ${basicIso(latest)} ` +
        `(${basicIso(now)} + 5 min.)`,
    );
  }
}

function checkPayloadHash(request: SignedRequest): void {
  const sent = request.headers['x-amz-content-sha256'];
  if (sent === undefined) return;
  if (sent === createHash('sha256').update(request.body).digest('hex')) return;
  const message = `The provided 'x-amz-content-sha256' header does not match what was computed.`;
  throw new Refusal(400, 'XAmzContentSHA256Mismatch', message);
}

async function sign(
  request: SignedRequest,
  claim: Claim,
  identity: Credentials,
  signingDate: Date,
): Promise<Readonly<Record<string, string>>> {
  const headers: Record<string, string> = {};
  for (const name of claim.signedHeaders) {
    const value = request.headers[name];
    if (value === undefined) throw mismatch(`The signed header ${name} did not arrive.`);
    headers[name] = value;
  }
  const signer = new SignatureV4({
    applyChecksum: false,
    credentials: identity,
    region: claim.region,
    service: claim.service,
    sha256: Sha256,
  });
  const { method, path, body } = request;
  const signable = { method, path, headers, body, protocol: 'http:', hostname: 'unused' };
  // The signer passes over user-agent and the like, unless they are named.
  const signed = await signer.sign(signable, {
    signingDate,
    signableHeaders: new Set(claim.signedHeaders),
  });
  return signed.headers;
}

/** The basic form of ISO 8601, as X-Amz-Date has it. */
export function basicIso(ms: number): string {
  return new Date(ms).toISOString().replace(/[-:]|\.\d{3}/g, '');
}

function mismatch(message: string): Refusal {
  return new Refusal(403, 'SignatureDoesNotMatch', message);
}
