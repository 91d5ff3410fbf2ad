import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { keepSecret } from '../../src/aws/redact.ts';
import { createSkew } from '../../src/aws/skew.ts';
import { systemClock } from '../../src/clock.ts';
import { encodePage } from '../../src/otlp/encode.ts';
import { createOtlpPost, headersTo, isSigned, metricsUrl } from '../../src/otlp/post.ts';
import { catalogWindow } from '../support/otlp.ts';

test('a key in a header is not repeated, however many secrets came after it', async () => {
  const clock = systemClock();
  const body = '{"message":"no such key: hush-hush"}';
  const target = {
    region: { name: '' },
    endpoint: new URL('http://collector/v1/metrics'),
    setting: () => undefined,
    http: {
      send: () => Promise.resolve({ status: 401, headers: {}, body }),
      close: () => undefined,
    },
    clock,
    skew: createSkew(clock),
  };
  const post = createOtlpPost({
    locate: () => Promise.resolve(target),
    clock,
    headers: [['authorization', 'Bearer hush-hush']],
    userAgent: 'test',
  });
  for (let nth = 0; nth < 100; nth += 1) keepSecret(`renewed-${nth}`);
  const page = encodePage([catalogWindow('median')], { isFraction: false });
  const { message } = await post(page, 1000, new AbortController().signal);
  assert.match(message, /no such key: …/);
});

test('AWS, where it knows us by the signature, is not told the key of another', () => {
  const own = [['x-api-key', 'hush']] as const;
  const credentials = {
    resolve: () => Promise.reject(new Error('nobody asks')),
    invalidate: () => undefined,
  };
  const to = (url: string, isKnown: boolean): string | undefined => {
    const endpoint = new URL(url);
    return headersTo({ endpoint, ...(isKnown && { credentials }) }, own)['x-api-key'];
  };
  const aws = 'https://monitoring.eu-west-1.amazonaws.com/v1/metrics';
  assert.equal(to(aws, true), undefined);
  // By a bearer token of its own, say.
  assert.equal(to(aws, false), 'hush');
  assert.equal(to('https://otlp.example.com/v1/metrics', true), 'hush');
});

const URLS: [base: string, url: string][] = [
  [
    'https://monitoring.eu-west-1.amazonaws.com/',
    'https://monitoring.eu-west-1.amazonaws.com/v1/metrics',
  ],
  ['http://collector:4318', 'http://collector:4318/v1/metrics'],
  ['http://collector:4318/base/', 'http://collector:4318/base/v1/metrics'],
  ['http://collector:4318/v1/metrics', 'http://collector:4318/v1/metrics'],
  ['http://collector:4318/x/v1/metrics/', 'http://collector:4318/x/v1/metrics'],
];
for (const [base, url] of URLS) {
  test(`${base} is asked at ${url}`, () => {
    assert.equal(metricsUrl(new URL(base)).href, url);
  });
}

describe('what is signed unasked', () => {
  const signed = [
    'https://monitoring.eu-west-1.amazonaws.com/',
    'https://monitoring.cn-north-1.amazonaws.com.cn/',
    'https://monitoring.us-east-1.api.aws/',
    'https://monitoring.eusc-de-east-1.amazonaws.eu/',
    'https://vpce-1.monitoring.us-east-1.vpce.amazonaws.com/',
    'http://127.0.0.1:1/',
    'http://127.1.2.3/',
    'http://localhost/',
    'http://[::1]:1/',
  ];
  const plain = [
    'http://collector:4318/',
    'https://amazonaws.com.evil.test/',
    'https://notamazonaws.com/',
    'http://10.0.0.1/',
    'http://localhost.evil.test/',
  ];
  for (const [urls, isAuto] of [
    [signed, true],
    [plain, false],
  ] as const) {
    for (const url of urls) {
      test(`${url}: ${isAuto}`, () => {
        assert.equal(isSigned(new URL(url), 'auto'), isAuto);
        assert.equal(isSigned(new URL(url), 'always'), true);
        assert.equal(isSigned(new URL(url), 'never'), false);
      });
    }
  }
});
