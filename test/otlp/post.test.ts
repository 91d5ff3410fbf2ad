import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isSigned, metricsUrl } from '../../src/otlp/post.ts';

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
