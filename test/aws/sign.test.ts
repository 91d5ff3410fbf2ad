import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { SignatureV4 } from '@smithy/signature-v4';
import fc from 'fast-check';
import { type Signing, signedHeaders } from '../../src/aws/sign.ts';
import { Sha256 } from '../support/service/sha256.ts';

type Headers = Readonly<Record<string, string>>;

const NOW = Date.UTC(2026, 10, 23, 8, 15, 30, 999);
const SIGNING: Signing = {
  service: 'monitoring',
  region: 'eu-west-1',
  credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCY' },
  nowMs: NOW,
};
const FORM = { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' };
const ENDPOINT = new URL('https://monitoring.eu-west-1.amazonaws.com/');

function lowerCased(headers: Headers): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
  );
}

/** The same request signed by AWS's own implementation. */
async function theirs(
  url: URL,
  headers: Headers,
  body: Buffer,
  signing: Signing,
): Promise<Record<string, string>> {
  const signer = new SignatureV4({
    applyChecksum: false,
    credentials: signing.credentials,
    region: signing.region,
    service: signing.service,
    sha256: Sha256,
  });
  const signed = await signer.sign(
    {
      method: 'POST',
      protocol: url.protocol,
      hostname: url.hostname,
      path: url.pathname,
      headers: { ...headers, host: url.host, 'content-length': String(body.length) },
      body,
    },
    { signingDate: new Date(signing.nowMs) },
  );
  return lowerCased(signed.headers);
}

async function agree(url: URL, headers: Headers, body: Buffer, signing: Signing): Promise<void> {
  const ours = lowerCased(signedHeaders(url, headers, body, signing));
  const expected = await theirs(url, headers, body, signing);
  assert.deepEqual(ours, expected);
}

const word = fc.stringMatching(/^[A-Za-z0-9/+=]{1,40}$/);
const credentials = fc.oneof(
  fc.record({ accessKeyId: fc.stringMatching(/^[A-Z0-9]{16,20}$/), secretAccessKey: word }),
  fc.record({
    accessKeyId: fc.stringMatching(/^[A-Z0-9]{16,20}$/),
    secretAccessKey: word,
    sessionToken: word,
  }),
);
const host = fc.constantFrom(
  'monitoring.eu-west-1.amazonaws.com',
  '127.0.0.1',
  '[::1]',
  'localhost',
  'MONITORING.example',
);
const port = fc.oneof(
  fc.constantFrom('', ':80', ':443'),
  fc.nat(65_535).map((n) => `:${n}`),
);
const path = fc.oneof(
  fc.constantFrom('/', '', '/base', '/base/', '/a/b/c', '/a%20b/', '/a//b', '/caf\u00e9/', '/a+b'),
  fc.stringMatching(/^(\/[A-Za-z0-9._~-]{0,10}){1,4}$/),
);
const url = fc
  .tuple(fc.constantFrom('http', 'https'), host, port, path)
  .map(([scheme, name, number, rest]) => new URL(`${scheme}://${name}${number}${rest}`));
const form = fc.oneof(
  fc.constant(''),
  fc.string({ maxLength: 200 }),
  fc.string({ unit: 'binary', maxLength: 50 }),
);
const headers = fc.record({
  'content-type': fc.constant('application/x-www-form-urlencoded; charset=utf-8'),
  'user-agent': fc.constantFrom('cloudwatch-metrics-agent/0.1.0 nodejs/v20', 'a  b', ' a '),
  'x-extra': fc.constantFrom('one', 'two  blanks', ' around '),
});
/** Whole and broken seconds of 2000 to 2100. */
const nowMs = fc.integer({ min: 946_684_800_000, max: 4_102_444_799_999 });

describe('beside AWS’s own signer', () => {
  test('every request is signed the same, header by header', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.tuple(url, headers, form, fc.boolean(), credentials, nowMs),
        fc.constantFrom('eu-west-1', 'us-gov-west-1', 'cn-north-1'),
        async ([to, given, text, gzip, who, when], region) => {
          const plain = Buffer.from(text, 'utf8');
          const body = gzip ? gzipSync(plain) : plain;
          const all = gzip ? { ...given, 'content-encoding': 'gzip' } : given;
          const signing = { service: 'monitoring', region, credentials: who, nowMs: when };
          await agree(to, all, body, signing);
        },
      ),
      { numRuns: 500 },
    );
  });

  const cases: [what: string, to: string][] = [
    ['the region’s own endpoint', 'https://monitoring.eu-west-1.amazonaws.com/'],
    ['a port', 'http://127.0.0.1:4566/'],
    ['the scheme’s own port, which Host leaves out', 'https://example:443/'],
    ['IPv6', 'http://[::1]:4566/'],
    ['a base path', 'https://gateway.internal/cloudwatch/'],
    ['a base path with an escape', 'https://gateway.internal/cloud%20watch/'],
    ['a base path with two slashes', 'https://gateway.internal/cloud//watch'],
  ];
  for (const [what, to] of cases) {
    test(`a request to ${what} is signed the same`, async () => {
      await agree(new URL(to), FORM, Buffer.from('Action=PutMetricData'), SIGNING);
    });
  }
});

describe('the headers', () => {
  const body = Buffer.from('Action=PutMetricData&a=caf\u00e9', 'utf8');
  const signed = lowerCased(signedHeaders(ENDPOINT, FORM, body, SIGNING));

  test('carry host, length, date and what was given', () => {
    assert.equal(signed['host'], 'monitoring.eu-west-1.amazonaws.com');
    assert.equal(signed['content-length'], String(body.length));
    assert.equal(signed['x-amz-date'], '20261123T081530Z');
    assert.equal(signed['content-type'], FORM['content-type']);
    assert.equal('x-amz-security-token' in signed, false);
  });

  test('name the key, the day, the region and the service, and never the secret', () => {
    const { authorization = '' } = signed;
    assert.match(
      authorization,
      /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/20261123\/eu-west-1\/monitoring\/aws4_request, SignedHeaders=content-length;content-type;host;x-amz-date, Signature=[0-9a-f]{64}$/,
    );
    assert.ok(!JSON.stringify(signed).includes(SIGNING.credentials.secretAccessKey));
  });

  test('carry the session token, and sign it', () => {
    const temporary = { ...SIGNING.credentials, sessionToken: 'token+/=' };
    const headers = signedHeaders(ENDPOINT, FORM, body, { ...SIGNING, credentials: temporary });
    const lower = lowerCased(headers);
    assert.equal(lower['x-amz-security-token'], 'token+/=');
    assert.match(lower['authorization'] ?? '', /SignedHeaders=[a-z;-]*;x-amz-security-token,/);
  });

  test('sign that the body is compressed, and leave the user agent to proxies', () => {
    const given = { ...FORM, 'content-encoding': 'gzip', 'user-agent': 'x' };
    const lower = lowerCased(signedHeaders(ENDPOINT, given, gzipSync(body), SIGNING));
    const [, names = ''] = /SignedHeaders=([^,]+)/.exec(lower['authorization'] ?? '') ?? [];
    assert.ok(names.split(';').includes('content-encoding'), names);
    assert.ok(!names.split(';').includes('user-agent'), names);
    assert.equal(lower['user-agent'], 'x');
  });

  test('do not change what was given', () => {
    const given = Object.freeze({ ...FORM });
    signedHeaders(ENDPOINT, given, body, SIGNING);
    assert.deepEqual(given, FORM);
  });
});

describe('the signature changes', () => {
  const body = Buffer.from('Action=PutMetricData');
  const signature = (to: URL, given: Headers, bytes: Buffer, signing: Signing): string => {
    const { authorization = '' } = lowerCased(signedHeaders(to, given, bytes, signing));
    return /Signature=(.+)$/.exec(authorization)?.[1] ?? '';
  };
  const first = signature(ENDPOINT, FORM, body, SIGNING);
  const { credentials: who } = SIGNING;
  const others: [what: string, signature: () => string][] = [
    [
      'one byte of the body',
      () => signature(ENDPOINT, FORM, Buffer.from('Action=PutMetricDatb'), SIGNING),
    ],
    ['the host', () => signature(new URL('https://other/'), FORM, body, SIGNING)],
    ['the port', () => signature(new URL(`${ENDPOINT.origin}:8443/`), FORM, body, SIGNING)],
    ['the path', () => signature(new URL('/base', ENDPOINT), FORM, body, SIGNING)],
    ['the second', () => signature(ENDPOINT, FORM, body, { ...SIGNING, nowMs: NOW + 1000 })],
    ['the region', () => signature(ENDPOINT, FORM, body, { ...SIGNING, region: 'us-east-1' })],
    ['the service', () => signature(ENDPOINT, FORM, body, { ...SIGNING, service: 'sts' })],
    [
      'the secret',
      () => {
        const other = { ...who, secretAccessKey: 'other' };
        return signature(ENDPOINT, FORM, body, { ...SIGNING, credentials: other });
      },
    ],
    [
      'the token',
      () => {
        const other = { ...who, sessionToken: 'token' };
        return signature(ENDPOINT, FORM, body, { ...SIGNING, credentials: other });
      },
    ],
    ['a header', () => signature(ENDPOINT, { 'content-type': 'text/plain' }, body, SIGNING)],
  ];
  for (const [what, other] of others) {
    test(`with ${what}`, () => assert.notEqual(other(), first));
  }

  test('with nothing else', () => {
    assert.equal(signature(new URL(ENDPOINT), { ...FORM }, Buffer.from(body), SIGNING), first);
    assert.match(first, /^[0-9a-f]{64}$/);
  });
});
