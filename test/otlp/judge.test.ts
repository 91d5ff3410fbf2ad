import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Verdict } from '../../src/delivery/verdict.ts';
import { encodePage } from '../../src/otlp/encode.ts';
import { judge } from '../../src/otlp/judge.ts';
import { catalogWindow } from '../support/otlp.ts';

const PAGE = encodePage([catalogWindow('median')], { isFraction: false });

interface Told {
  readonly status: number;
  readonly body?: string;
  readonly headers?: Record<string, string>;
  readonly isAws?: boolean;
}

function verdictOn({ status, body = '', headers = {}, isAws = false }: Told): Verdict {
  return judge({ status, headers, body }, isAws, ['topsecret'], PAGE);
}

type Row = [what: string, told: Told, expected: Partial<Verdict>];

const partial = (fields: object): string => JSON.stringify({ partialSuccess: fields });
const DATE = 'Thu, 01 Jan 2026 12:00:00 GMT';

const ROWS: readonly Row[] = [
  ['{}', { status: 200, body: '{}' }, { kind: 'accepted' }],
  ['nothing', { status: 200 }, { kind: 'accepted' }],
  ['202', { status: 202, body: '{}' }, { kind: 'accepted' }],
  ['204', { status: 204 }, { kind: 'accepted' }],
  ['a whole success', { status: 200, body: partial({}) }, { kind: 'accepted' }],
  [
    'a part, as text',
    { status: 200, body: partial({ rejectedDataPoints: '3', errorMessage: 'too old' }) },
    { kind: 'accepted', rejected: 3, message: 'too old' },
  ],
  [
    'a part, as a number',
    { status: 200, body: partial({ rejectedDataPoints: 2 }) },
    { kind: 'accepted', rejected: 2 },
  ],
  [
    'more than there were',
    { status: 200, body: partial({ rejectedDataPoints: '99999' }) },
    { kind: 'accepted', rejected: PAGE.datums },
  ],
  [
    'a warning',
    { status: 200, body: partial({ rejectedDataPoints: '0', errorMessage: 'soon gone' }) },
    { kind: 'accepted', message: 'soon gone' },
  ],
  ['a page', { status: 200, body: '<html></html>' }, { kind: 'retry', code: 'UnexpectedAnswer' }],
  ['a list', { status: 200, body: '[]' }, { kind: 'retry', code: 'UnexpectedAnswer' }],
  [
    'bad data',
    { status: 400, body: '{"code":3,"message":"bad unit"}' },
    { kind: 'invalid', code: 'HTTP 400', message: 'bad unit', members: [] },
  ],
  [
    'bad data that is named',
    {
      status: 400,
      body: '{"message":"ResourceMetrics.1.ScopeMetrics.1.Metrics.2.Datapoint.1: 151 labels"}',
    },
    { kind: 'invalid', members: [2] },
  ],
  [
    'a bad signature',
    { status: 400, headers: { 'x-amzn-errortype': 'IncompleteSignatureException:' } },
    { kind: 'denied', code: 'IncompleteSignatureException' },
  ],
  ['no key', { status: 401 }, { kind: 'denied', code: 'HTTP 401' }],
  [
    'no permission',
    { status: 403, body: '{"__type":"com.amazon#AccessDeniedException","Message":"no topsecret"}' },
    { kind: 'denied', code: 'AccessDeniedException', message: 'no …' },
  ],
  ['no such path', { status: 404 }, { kind: 'denied' }],
  ['too large', { status: 413 }, { kind: 'tooLarge' }],
  [
    'too often',
    { status: 429, headers: { 'retry-after': '7' } },
    { kind: 'throttled', waitMs: 7000 },
  ],
  [
    'too often, until an instant',
    {
      status: 429,
      headers: { 'retry-after': 'Thu, 01 Jan 2026 12:00:30 GMT', date: DATE },
    },
    { kind: 'throttled', waitMs: 30_000 },
  ],
  [
    'too often, until an instant that has gone',
    { status: 429, headers: { 'retry-after': 'Thu, 01 Jan 2026 11:00:30 GMT', date: DATE } },
    { kind: 'throttled', waitMs: 0 },
  ],
  [
    'too often, in AWS’s words',
    { status: 400, headers: { 'x-amzn-errortype': 'ThrottlingException' }, isAws: true },
    { kind: 'throttled' },
  ],
  ['502', { status: 502 }, { kind: 'retry' }],
  ['503', { status: 503, headers: { 'retry-after': '3' } }, { kind: 'retry', waitMs: 3000 }],
  ['503, later', { status: 503, headers: { 'retry-after': 'soon' } }, { kind: 'retry', waitMs: 0 }],
  [
    '504',
    { status: 504, body: '<html>topsecret</html>' },
    { kind: 'retry', message: '<html>…</html>' },
  ],
  ['500, which OTLP does not try again', { status: 500 }, { kind: 'invalid' }],
  ['501', { status: 501 }, { kind: 'invalid' }],
  ['500 of AWS, whose SDKs do', { status: 500, isAws: true }, { kind: 'retry' }],
  ['408 of AWS', { status: 408, isAws: true }, { kind: 'retry' }],
  ['302', { status: 302 }, { kind: 'denied' }],
];

describe('an answer over OTLP', () => {
  for (const [what, told, expected] of ROWS) {
    test(`${told.status}: ${what}`, () => {
      const { rejected, ...verdict } = verdictOn(told);
      const found = { rejected, ...verdict };
      for (const [name, value] of Object.entries(expected)) {
        assert.deepEqual(Reflect.get(found, name), value, name);
      }
      assert.equal(rejected, expected.rejected);
    });
  }
});
