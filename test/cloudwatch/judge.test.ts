import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { judge } from '../../src/cloudwatch/judge.ts';
import { judgeFailure, type Verdict } from '../../src/delivery/verdict.ts';
import { assertLinear } from '../support/linear.ts';

function errorBody(code: string, message = 'a message'): string {
  return `<ErrorResponse><Error><Type>Sender</Type><Code>${code}</Code><Message>${message}</Message></Error><RequestId>r-1</RequestId></ErrorResponse>`;
}

function judged(status: number, body: string): ReturnType<typeof judge> {
  return judge({ status, headers: {}, body });
}

const ACCEPTED =
  '<PutMetricDataResponse xmlns="http://monitoring.amazonaws.com/doc/2010-08-01/"><ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata></PutMetricDataResponse>';

test('a 200 with PutMetricDataResponse is accepted', () => {
  const nothing = { code: '', message: '', members: [], waitMs: 0 };
  const accepted = { kind: 'accepted', requestId: 'r-1', ...nothing };
  assert.deepEqual(judged(200, ACCEPTED), accepted);
});

test('data that were taken without their entity are accepted, with the reason', () => {
  const headers = { 'x-amzn-failure-message': 'InvalidEntity for secretkey' };
  const verdict = judge({ status: 200, headers, body: ACCEPTED }, ['secretkey']);
  assert.equal(verdict.kind, 'accepted');
  assert.match(verdict.message, /^InvalidEntity for (?!secretkey)/);
});

describe('a 200 with anything else is a failure, since something else answered', () => {
  const bodies: [what: string, body: string, got: string][] = [
    ['nothing', '', 'no whole XML'],
    ['moto’s S3', '<ListAllMyBucketsResult></ListAllMyBucketsResult>', '<ListAllMyBucketsResult>'],
    ['a captive portal', '<html><body>log in</body></html>', '<html>'],
    [
      'another action',
      '<GetMetricDataResponse></GetMetricDataResponse>',
      '<GetMetricDataResponse>',
    ],
    ['an error', errorBody('Throttling'), '<ErrorResponse>'],
    ['JSON', '{}', 'no whole XML'],
    ['the name as a text', 'PutMetricDataResponse', 'no whole XML'],
    ['the name further inside', `<html>${ACCEPTED}</html>`, '<html>'],
    ['an answer that was cut', ACCEPTED.slice(0, -5), 'no whole XML'],
    [
      'a longer name',
      '<PutMetricDataResponses></PutMetricDataResponses>',
      '<PutMetricDataResponses>',
    ],
    ['another case', '<putmetricdataresponse></putmetricdataresponse>', '<putmetricdataresponse>'],
  ];
  for (const [what, body, got] of bodies) {
    test(what, () => {
      const { kind, code, message } = judged(200, body);
      assert.deepEqual([kind, code], ['retry', 'UnexpectedAnswer']);
      assert.ok(message.includes(`expected <PutMetricDataResponse>, got ${got}: `), message);
    });
  }
});

/** Spec §4.3, row by row. */
const CODES: [kind: Verdict['kind'], status: number, codes: string[]][] = [
  [
    'throttled',
    400,
    [
      ...['Throttling', 'ThrottlingException', 'ThrottledException', 'RequestThrottled'],
      ...['RequestThrottledException', 'RequestLimitExceeded', 'TooManyRequestsException'],
      ...['BandwidthLimitExceeded', 'SlowDown', 'LimitExceeded', 'LimitExceededException'],
      ...['PriorRequestNotComplete', 'ProvisionedThroughputExceededException'],
    ],
  ],
  ['throttled', 429, ['', 'Anything', 'InvalidParameterValue']],
  ['throttled', 503, ['SlowDown', 'Throttling']],
  ['retry', 500, ['InternalServiceError', 'InternalServiceFault', 'InternalFailure', 'Other', '']],
  ['retry', 502, ['', 'Other']],
  ['retry', 503, ['ServiceUnavailable', '', 'Other']],
  ['retry', 504, ['', 'Other']],
  ['retry', 408, ['', 'Other']],
  ['retry', 400, ['RequestTimeout', 'RequestTimeoutException', 'ServiceUnavailable']],
  ['tooLarge', 413, ['RequestEntityTooLarge', '']],
  [
    'invalid',
    400,
    [
      ...['InvalidParameterValue', 'InvalidParameterCombination', 'MissingParameter'],
      ...['ValidationError', 'InvalidFormat', 'MalformedInput', 'SerializationException'],
    ],
  ],
  ['denied', 400, ['IncompleteSignature', 'InvalidAction', 'RequestExpired', '', 'throttling']],
  [
    'denied',
    403,
    [
      ...['ExpiredToken', 'ExpiredTokenException', 'InvalidClientTokenId', 'AccessDenied'],
      ...['UnrecognizedClientException', 'MissingAuthenticationToken', 'OptInRequired'],
      ...['SignatureDoesNotMatch', ''],
    ],
  ],
  ['denied', 404, ['', 'NoSuchBucket']],
  ['denied', 301, ['']],
  ['denied', 204, ['']],
  ['denied', 501, ['']],
];

for (const [kind, status, codes] of CODES) {
  for (const code of codes) {
    test(`${status} ${code || 'without a code'} is ${kind}`, () => {
      const verdict = judged(status, code === '' ? '' : errorBody(code));
      const expected = code === '' ? `HTTP ${status}` : code;
      assert.deepEqual([verdict.kind, verdict.code], [kind, expected]);
    });
  }
}

describe('the message', () => {
  const LONG = 'abcd '.repeat(160);
  const MOST = LONG.slice(0, 600);
  const cases: [what: string, body: string, message: string][] = [
    ['is the service’s', errorBody('A', 'Rate exceeded'), 'Rate exceeded'],
    ['is one line', errorBody('A', ' one\n  two\t three\r\n'), 'one two three'],
    ['is decoded', errorBody('A', '&lt;a&gt; &#10; b'), '<a> b'],
    ['is short', errorBody('A', LONG), `${MOST}…`],
    ['is 600 characters at most', errorBody('A', `${MOST.trim()}x`), `${MOST.trim()}x`],
    ['is the body where that is no XML', 'upstream\nconnect error', 'upstream connect error'],
    ['is the body’s beginning where that is long', LONG, `${MOST}…`],
    ['is empty where the body is', '', ''],
    ['is empty where the error has none', '<ErrorResponse><Code>A</Code></ErrorResponse>', ''],
  ];
  for (const [what, body, message] of cases) {
    test(what, () => assert.equal(judged(400, body).message, message));
  }
});

describe('the datums that a message names', () => {
  const named = (message: string, code = 'InvalidParameterValue'): readonly number[] =>
    judged(400, errorBody(code, message)).members;

  test('are those of AWS’s messages, each once', () => {
    const lines = [
      'The parameter MetricData.member.20.Dimensions.member.4.Value must be shorter than 257 characters',
      'The parameter MetricData.member.1.Timestamp must specify a time within the past two weeks.',
      'The parameter MetricData.member.1.Unit must be a value in the set [ Seconds ].',
      'The value NaN for parameter MetricData.member.1000.Value is invalid.',
    ];
    assert.deepEqual(named(lines.join('\n')), [20, 1, 1000]);
  });

  test('may be as many as a request has, in a message of any length', () => {
    const all = Array.from({ length: 1000 }, (_, index) => index + 1);
    const text = all.map(
      (one) => `The parameter MetricData.member.${one}.Timestamp must specify …`,
    );
    assert.deepEqual(named(text.join('\n')), all);
  });

  test('are none where it names none, or the code is of another kind', () => {
    assert.deepEqual(named('The collection MetricData must not have a size greater than 20.'), []);
    assert.deepEqual(named('MetricData.member.0.Value'), []);
    assert.deepEqual(named('MetricData.member.7.Value', 'AccessDenied'), []);
  });
});

test('what the service asks to wait for is milliseconds, and anything else is nothing', () => {
  const wait = (text: string): number =>
    judge({ status: 503, headers: { 'x-amz-retry-after': text }, body: '' }).waitMs;
  assert.deepEqual(['1500', '0', '-1', 'soon', '1e3', '99999999'].map(wait), [1500, 0, 0, 0, 0, 0]);
  assert.equal(judged(503, '').waitMs, 0);
});

test('the request’s id is told of refusals too', () => {
  assert.equal(judged(403, errorBody('AccessDenied')).requestId, 'r-1');
  assert.equal(judged(200, '<Other><RequestId>r-2</RequestId></Other>').requestId, 'r-2');
});

describe('a failure of the network is worth a retry', () => {
  const codes = [
    ...['ECONNRESET', 'ECONNREFUSED', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH'],
    ...['ENOTFOUND', 'EAI_AGAIN', 'TIMEOUT', 'CERT_HAS_EXPIRED'],
  ];
  for (const code of codes) {
    test(code, () => {
      const verdict = judgeFailure(Object.assign(new Error('what happened'), { code }));
      const expected = { kind: 'retry', code, message: 'what happened', requestId: '' };
      const { cause, ...rest } = verdict;
      assert.ok(cause instanceof Error);
      assert.deepEqual(rest, { ...expected, members: [], waitMs: 0 });
    });
  }

  test('without a code, with one that is a number, and with no Error at all', () => {
    assert.equal(judgeFailure(new Error('x')).code, 'NetworkFailure');
    assert.equal(judgeFailure(Object.assign(new Error('x'), { code: 5 })).code, 'NetworkFailure');
    const odd = judgeFailure('a text');
    assert.deepEqual([odd.kind, odd.message], ['retry', 'a text']);
  });
});

test('any answer gets a verdict, and only a 200 is accepted', () => {
  const status = fc.oneof(fc.constant(200), fc.integer({ min: 100, max: 599 }));
  const body = fc.oneof(
    fc.constant(ACCEPTED),
    fc.string({ unit: 'binary' }),
    fc.string().map((code) => errorBody(code)),
  );
  fc.assert(
    fc.property(status, body, (code, text) => {
      const verdict = judged(code, text);
      assert.equal(verdict.kind === 'accepted', code === 200 && text === ACCEPTED);
      assert.ok(verdict.message.length <= 400);
      assert.ok(code === 200 || verdict.code !== '');
    }),
    { numRuns: 1000 },
  );
});

test('an answer of 1 MB is judged in linear time', () => {
  for (const unit of [' ', '<', 'x ', '<Message>', '\n\r', '&amp;']) {
    assertLinear(() => judged(400, unit.repeat(Math.ceil(1e6 / unit.length))));
  }
});

test('a fault of a call by a code of Node’s own is no failure of the network', () => {
  for (const code of [
    'ERR_INVALID_CHAR',
    'ERR_INVALID_ARG_TYPE',
    'ERR_HTTP_INVALID_HEADER_VALUE',
  ]) {
    assert.equal(judgeFailure(Object.assign(new Error('a fault'), { code })).kind, 'unready');
  }
  for (const code of ['ERR_TLS_CERT_ALTNAME_INVALID', 'ERR_SSL_WRONG_VERSION_NUMBER']) {
    assert.equal(judgeFailure(Object.assign(new Error('TLS'), { code })).kind, 'retry');
  }
});
