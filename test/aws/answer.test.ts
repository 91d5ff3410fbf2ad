import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type Answer, parseAnswer } from '../../src/aws/answer.ts';
import { assertLinear } from '../support/linear.ts';

const XMLNS = 'xmlns="http://monitoring.amazonaws.com/doc/2010-08-01/"';
const NOTHING: Answer = { root: '', code: '', message: '', requestId: '' };
const THROTTLED: Answer = {
  root: 'ErrorResponse',
  code: 'Throttling',
  message: 'Rate exceeded',
  requestId: 'a1-b2',
};

const cases: [what: string, body: string, answer: Answer][] = [
  [
    'a success',
    `<PutMetricDataResponse ${XMLNS}>\n  <ResponseMetadata>\n    <RequestId>a1-b2</RequestId>\n  </ResponseMetadata>\n</PutMetricDataResponse>\n`,
    { ...NOTHING, root: 'PutMetricDataResponse', requestId: 'a1-b2' },
  ],
  [
    'an error, with its RequestId beside it',
    `<ErrorResponse ${XMLNS}><Error><Type>Sender</Type><Code>Throttling</Code><Message>Rate exceeded</Message></Error><RequestId>a1-b2</RequestId></ErrorResponse>`,
    THROTTLED,
  ],
  [
    'an error in a list, as moto and EC2 write it',
    '<ErrorResponse><Errors><Error><Code>Throttling</Code><Message>Rate exceeded</Message></Error></Errors><RequestID>a1-b2</RequestID></ErrorResponse>',
    THROTTLED,
  ],
  [
    'an error under Response',
    '<?xml version="1.0" encoding="UTF-8"?>\n<Response><Errors><Error><Code>Throttling</Code><Message>Rate exceeded</Message></Error></Errors><RequestID>a1-b2</RequestID></Response>',
    { ...THROTTLED, root: 'Response' },
  ],
  [
    'an error without a message',
    '<ErrorResponse><Error><Code>InternalFailure</Code></Error></ErrorResponse>',
    { ...NOTHING, root: 'ErrorResponse', code: 'InternalFailure' },
  ],
  [
    'an error whose request has no id',
    '<ErrorResponse><Error><Code>A</Code></Error><RequestId>-</RequestId></ErrorResponse>',
    { ...NOTHING, root: 'ErrorResponse', code: 'A', requestId: '-' },
  ],
  [
    'empty elements',
    '<ErrorResponse><Code></Code><Message/><RequestId /></ErrorResponse>',
    { ...NOTHING, root: 'ErrorResponse' },
  ],
  [
    'an empty element before one with a text',
    '<ErrorResponse><Code /><Message>m</Message></ErrorResponse>',
    { ...NOTHING, root: 'ErrorResponse', message: 'm' },
  ],
  [
    'prefixes of a namespace',
    '<ns:ErrorResponse xmlns:ns="x"><ns:Code>A</ns:Code><ns:Message>b</ns:Message></ns:ErrorResponse>',
    { ...NOTHING, root: 'ErrorResponse', code: 'A', message: 'b' },
  ],
  [
    'attributes and line feeds',
    '<ErrorResponse\n a="b"><Code\n lang="en">\n A \n</Code></ErrorResponse>',
    { ...NOTHING, root: 'ErrorResponse', code: 'A' },
  ],
  [
    'a byte order mark and blanks before the root',
    '\ufeff \r\n<?xml version="1.0"?>\r\n\r\n<Root></Root>\r\n',
    { ...NOTHING, root: 'Root' },
  ],
  [
    'longer names than the ones sought',
    '<R><CodeX>no</CodeX><XMessage>no</XMessage><RequestIds>no</RequestIds></R>',
    { ...NOTHING, root: 'R' },
  ],
  ['the first of two', '<R><Code>1</Code><Code>2</Code></R>', { ...NOTHING, root: 'R', code: '1' }],
  [
    'a proxy’s page',
    '<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>',
    { ...NOTHING, root: 'html' },
  ],
  ['a page with a DOCTYPE', '<!DOCTYPE html><html><body>x</body></html>', NOTHING],
  ['nothing', '', NOTHING],
  ['blanks', ' \n\t ', NOTHING],
  ['words', 'upstream connect error', NOTHING],
  ['JSON', '{"__type":"ThrottlingException","message":"Rate exceeded"}', NOTHING],
  [
    'a body cut inside the message',
    '<ErrorResponse><Error><Code>A</Code><Message>The par',
    { ...NOTHING, code: 'A' },
  ],
  ['a body cut inside a name', '<ErrorResponse><Error><Co', NOTHING],
  [
    'a success that was cut',
    '<PutMetricDataResponse><ResponseMetadata><RequestId>a1-b2</RequestId></ResponseMetadata>',
    { ...NOTHING, requestId: 'a1-b2' },
  ],
  ['an end that is another element’s', '<A><B></B>', NOTHING],
  ['a body cut inside the root', '<ErrorResp', NOTHING],
  ['only a declaration', '<?xml version="1.0"?>', NOTHING],
];

for (const [what, body, answer] of cases) {
  test(`reads ${what}`, () => assert.deepEqual(parseAnswer(body), answer));
}

describe('entities', () => {
  const texts: [xml: string, text: string][] = [
    ['a &lt;b&gt; &amp; &quot;c&quot; &apos;d&apos;', 'a <b> & "c" \'d\''],
    ['&#65;&#x42;&#x1F600;', 'AB\u{1f600}'],
    ['&amp;lt;', '&lt;'],
    ['&unknown; &constructor; &;', '&unknown; &constructor; &;'],
    ['&#1114112; &#x110000; &#99999999;', '&#1114112; &#x110000; &#99999999;'],
    ['&#xD800;', '\ud800'],
    ['R&D', 'R&D'],
  ];
  for (const [xml, text] of texts) {
    test(`${xml} are decoded once`, () => {
      assert.equal(parseAnswer(`<R><Message>${xml}</Message></R>`).message, text);
    });
  }
});

test('a message is not longer than 2000 characters', () => {
  const { message } = parseAnswer(`<R><Message>${'x'.repeat(5000)}</Message></R>`);
  assert.equal(message, 'x'.repeat(2000));
});

describe('any text', () => {
  const piece = fc.oneof(
    fc.constantFrom('<', '>', '</', '/>', '<?', '?>', '&', ';', '&#', ':', ' ', '\n', '='),
    fc.constantFrom('Code', 'Message', 'RequestId', '<Code>', '</Code>', '<a:Message ', '&#x'),
    fc.string({ unit: 'binary' }),
  );
  const text = fc.array(piece, { maxLength: 60 }).map((pieces) => pieces.join(''));

  test('is read without a throw, into trimmed texts', () => {
    fc.assert(
      fc.property(text, (body) => {
        const { root, code, message, requestId } = parseAnswer(body);
        assert.match(root, /^[\w.-]*$/);
        for (const one of [code, message, requestId]) assert.equal(one, one.trim());
      }),
      { numRuns: 2000 },
    );
  });

  test('what stands in an error comes out of it', () => {
    const escaped = (plain: string): string => plain.replace(/&/g, '&amp;').replace(/</g, '&lt;');
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 100 }), (message) => {
        const body = `<ErrorResponse><Error><Code>A</Code><Message>${escaped(message)}</Message></Error></ErrorResponse>`;
        assert.equal(parseAnswer(body).message, message.trim());
      }),
    );
  });
});

describe('1 MB', () => {
  const filled = (unit: string): string => unit.repeat(Math.ceil(1e6 / unit.length));
  const bodies: [what: string, body: string][] = [
    ['blanks', filled(' ')],
    ['<', filled('<')],
    ['one long name', `<${filled('a')}`],
    ['many names', filled('<a')],
    ['names with colons', `<${filled('a:')}`],
    ['a declaration without an end', `<?${filled('x')}`],
    ['a declaration and blanks', `<?xml?>${filled(' ')}`],
    ['an element with attributes and no end', `<Code ${filled('a="b" ')}`],
    ['elements that never begin', filled('<Code ')],
    ['elements that never end', filled('<Code>')],
    ['ends', filled('</a')],
    ['an end and blanks', `<a></a${filled(' ')}`],
    ['a long code', `<R><Code>${filled('x')}</Code></R>`],
    ['entities', `<R><Message>${filled('&amp;')}</Message></R>`],
    ['ampersands', `<R><Message>${filled('&#')}</Message></R>`],
  ];
  for (const [what, body] of bodies) {
    test(`of ${what} is read in linear time`, () => {
      assertLinear(() => parseAnswer(body));
    });
  }
});
