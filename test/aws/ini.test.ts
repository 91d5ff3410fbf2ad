import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { type Provided, parseInstant } from '../../src/aws/credentials/identity.ts';
import { type Names, readCredentials } from '../../src/aws/credentials/json.ts';
import { nested, parseIni, type Sections } from '../../src/aws/ini.ts';
import { AwsError, ParseError } from '../../src/errors.ts';
import { type Fields, parseFields, textOf, within } from '../../src/metadata/json.ts';
import { assertLinear } from '../support/linear.ts';

/** A file's sections, or what is said against it; whatever else is thrown goes on. */
function outcome(text: string, isConfig: boolean): Sections | ParseError {
  try {
    return parseIni(text, 'FILE', isConfig);
  } catch (error) {
    if (error instanceof ParseError) return error;
    throw error;
  }
}

const COMPLAINT =
  /^FILE: line (\d+): expected (?:\] and nothing more|a \[section\] first|a property before its continuation|NAME = VALUE)$/;
const HOSTILE = ['__proto__', 'constructor', 'hasOwnProperty', 'toString'];

const piece = fc.oneof(
  fc.constantFrom('[', ']', '=', '#', ';', ' ', '\t', '\r', '\n', '\r\n', '\ufeff', '"', "'"),
  fc.constantFrom('\u00a0', '\u2028', '\0', '\\', '\n ', '\n[', ']\n', ' #', ' ;', ' = ', '=\n'),
  fc.constantFrom('profile ', 'sso-session ', 'services ', 'default', '[default]', '[profile a]'),
  fc.constantFrom(...HOSTILE, 'region', 'aws_secret_access_key', 'cloudwatch =\n  '),
  fc.string({ unit: 'binary', maxLength: 12 }),
);
const pieces = fc.array(piece, { maxLength: 60 }).map((all) => all.join(''));
/** Most of a file that is good gets past its first line. */
const line = fc.oneof(
  fc.constantFrom('[default]', '[profile a] ; b', '[profile "a b"]', '[sso-session c]', '[d'),
  fc.constantFrom('a = b # c', 'A=', ' a = b', '\ta', 'a', '=', '# a', ' ', 'b\u00a0=', ' c=\r'),
  fc.constantFrom(...HOSTILE).map((name) => `${name} = ${name}`),
  fc.constantFrom(...HOSTILE).map((name) => `[${name}]`),
  fc.array(piece, { maxLength: 4 }).map((all) => all.join('')),
);
const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 300 }),
  pieces,
  pieces.map((text) => `[profile a]\na=b${text}`),
  fc.array(line, { maxLength: 8 }).map((all) => all.join('\n')),
  fc.array(line, { maxLength: 4 }).map((all) => ['[default]', 'a =', ...all].join('\n')),
);

describe('any file of settings', () => {
  test('is read into trimmed texts, or refused with the number of a line', () => {
    fc.assert(
      fc.property(anyText, fc.boolean(), (text, isConfig) => {
        const read = outcome(text, isConfig);
        if (read instanceof ParseError) {
          const [, number] = COMPLAINT.exec(read.message) ?? assert.fail(read.message);
          assert.ok(Number(number) >= 1 && Number(number) <= text.split('\n').length);
          return;
        }
        for (const [title, section] of read) {
          assert.match(title, isConfig ? /^(?:profile|sso-session|services) ./ : /^profile ./);
          for (const [key, value] of section) {
            assert.match(key, /^[\w\-/.%@:+]+$/);
            assert.equal(key, key.toLowerCase());
            for (const one of value.split('\n')) assert.equal(one, one.trim());
          }
        }
      }),
      { numRuns: 5000 },
    );
  });

  test('says the same when it is written twice into one', () => {
    fc.assert(
      fc.property(anyText, fc.boolean(), (text, isConfig) => {
        const once = outcome(text, isConfig);
        if (once instanceof ParseError) return;
        assert.deepEqual(outcome(`${text}\n${text}`, isConfig), once);
      }),
      { numRuns: 2000 },
    );
  });

  const secret = fc.stringMatching(/^[A-Za-z0-9+/]{20,40}$/);
  const broken: [what: string, before: string, offending: (secret: string) => string][] = [
    ['a secret without a name', '[default]\n', (text) => text],
    ['a secret behind an equals sign alone', '[default]\n', (text) => `= ${text}`],
    ['a secret in a title without an end', '', (text) => `[${text}`],
    ['a secret behind a title', '', (text) => `[default] ${text}`],
    ['a secret before all sections', '# none\n', (text) => `aws_secret_access_key = ${text}`],
    ['a secret that goes on from nothing', '[default]\n', (text) => ` ${text}`],
    ['a secret in a block, without a name', '[default]\ns3 =\n', (text) => `  ${text}`],
  ];
  for (const [what, before, offending] of broken) {
    test(`with ${what} is refused, and nowhere in the error is the secret`, () => {
      fc.assert(
        fc.property(secret, fc.boolean(), (text, isConfig) => {
          const error = outcome(`${before}${offending(text)}\n[a]\nb = ${text}\n`, isConfig);
          assert.ok(error instanceof ParseError);
          const number = before.split('\n').length;
          assert.ok(error.message.startsWith(`FILE: line ${number}: expected `), error.message);
          assert.ok(!inspect(error, { depth: 9, showHidden: true }).includes(text));
        }),
      );
    });
  }
});

describe('a file that was written by the rules', () => {
  const isBlank = (text: string): boolean => text.trim() === '';
  const word = fc.stringMatching(/^[a-z0-9_\-/.%@:+]{1,12}$/);
  const anyCharacter = fc.string({ unit: 'binary', minLength: 1, maxLength: 1 });
  /** Below a value, a remark is none of it. */
  const isRemark = (text: string): boolean => /^[#;]/.test(text);
  const oneLine = fc
    .string({ unit: fc.oneof(fc.constantFrom('=', '#', '[', ']', '"', '\\'), anyCharacter) })
    .map((text) => text.replace(/\n/g, ' ').trim());
  const value = oneLine.filter((text) => !/^[#;]|[ \t][#;]/.test(text));
  const more = fc.array(
    oneLine.filter((text) => !isBlank(text) && !isRemark(text)),
    { maxLength: 3 },
  );
  const pairs = fc.array(fc.tuple(word, oneLine), { minLength: 1, maxLength: 3 });
  /** Of one line, of several, or a block of pairs. */
  const lines = fc.oneof(
    fc.tuple(value, more).map(([first, rest]) => (first === '' ? [''] : [first, ...rest])),
    pairs.map((all) => ['', ...all.map(([name, text]) => `${name} = ${text}`.trim())]),
  );
  const key = fc.oneof(word, fc.constantFrom('__proto__', 'constructor', 'region'));
  const properties = fc.uniqueArray(fc.tuple(key, lines), { selector: ([name]) => name });
  const name = fc.oneof(
    word.map((plain) => ({ plain, written: plain })),
    fc.constantFrom('default', ...HOSTILE).map((plain) => ({ plain, written: plain })),
    fc
      .tuple(fc.stringMatching(/^[ -!#-&(-Z^-~]{1,12}$/), fc.constantFrom('"', "'"))
      .map(([plain, quote]) => ({ plain, written: `${quote}${plain}${quote}` })),
  );
  const kind = fc.constantFrom('profile', 'sso-session', 'services');
  const sections = fc.uniqueArray(fc.tuple(kind, name, properties), {
    selector: ([of, { plain }]) => `${of} ${plain}`,
    maxLength: 5,
  });
  /** What may be written in more than one way: lines' ends, blanks, capitals, what does not count. */
  const style = fc.record({
    end: fc.constantFrom('\n', '\r\n'),
    equals: fc.constantFrom('=', ' = ', '\t=\t', '= '),
    indent: fc.constantFrom(' ', '\t', '    '),
    gap: fc.constantFrom('', ' ', '\t '),
    aside: fc.constantFrom('', '# aside', '; aside', ' \t'),
    comment: fc.constantFrom('', ' # [a comment] = ', '\t; a comment'),
    isLoud: fc.boolean(),
  });

  function title(of: string, { plain, written }: { plain: string; written: string }): string {
    return of === 'profile' && plain === 'default' ? plain : `${of} ${written}`;
  }

  test('comes back as it was meant', () => {
    fc.assert(
      fc.property(sections, style, fc.boolean(), (all, by, isConfig) => {
        const { end, equals, indent, gap, aside, comment, isLoud } = by;
        const meant = all.filter(([of]) => isConfig || of === 'profile');
        const written = meant.flatMap(([of, called, has]) => [
          aside,
          `[${gap}${isConfig ? title(of, called) : called.written}${gap}]${comment}`,
          ...has.flatMap(([one, [first = '', ...rest]]) => [
            `${isLoud ? one.toUpperCase() : one}${equals}${first}${comment}`,
            aside,
            ...rest.map((text) => indent + text),
          ]),
        ]);
        const expected = new Map(
          meant.map(([of, { plain }, has]) => [
            `${of} ${plain}`,
            new Map(has.map(([one, texts]) => [one, texts.join('\n')])),
          ]),
        );
        assert.deepEqual(outcome(written.join(end), isConfig), expected);
      }),
      { numRuns: 2000 },
    );
  });

  test('what stands in a block comes out of it, the last of several', () => {
    const plain = oneLine.map((text) => text.replace(/[\r\u2028\u2029]/g, ' ').trim());
    fc.assert(
      fc.property(fc.array(fc.tuple(key, plain)), (all) => {
        const block = all.map(([one, text]) => `\n${one.toUpperCase()} = ${text}`).join('');
        for (const [one, text] of new Map(all)) assert.equal(nested(block, one), text);
        assert.equal(nested(block, 'another='), undefined);
        // What begins on the key's own line is a scalar.
        assert.equal(nested(block.slice(1), 'region'), undefined);
      }),
    );
  });

  test('of a block, any text is taken', () => {
    fc.assert(
      fc.property(anyText, fc.oneof(key, fc.string()), (block, one) => {
        const text = nested(block, one);
        if (text !== undefined) assert.ok(text === text.trim() && block.includes(text));
      }),
      { numRuns: 2000 },
    );
  });
});

/** What is refused for what it holds counts as none. */
function credentialsOrFlaw(fields: Fields | undefined, names: Names): Provided | undefined {
  try {
    return readCredentials(fields, names, 'WHO');
  } catch (error) {
    assert.ok(error instanceof AwsError);
    assert.match(error.message, /^WHO: \w+ holds an? [\w ]+, which no key or token has$/);
    return undefined;
  }
}

describe('any JSON', () => {
  const NAMES: Names = ['AccessKeyId', 'SecretAccessKey', 'Token?', 'Expiration'];
  const STRICT: Names = ['AccessKeyId', 'SecretAccessKey', 'Token', 'Expiration'];
  const PROTOTYPE: Names = ['__proto__', 'constructor', 'toString?', 'Expiration'];
  const member = fc.constantFrom(...HOSTILE, 'AccessKeyId', 'SecretAccessKey', 'Token', 'x');
  const json = fc.oneof(
    anyText,
    fc.json(),
    fc.constantFrom('{"__proto__":{"Token":"x"}}', '{"Expiration":1e999}', '{"x":-0}', '"\\ud800"'),
    fc
      .array(fc.oneof(fc.json(), fc.constantFrom('{', '}', '[', ']', ',', ':', '"', '\\u')), {
        maxLength: 12,
      })
      .map((pieces) => pieces.join('')),
  );

  test('is read without a throw, and what is no object is nothing', () => {
    fc.assert(
      fc.property(json, member, (text, one) => {
        const fields = parseFields(text);
        if (fields !== undefined) assert.deepEqual(fields, JSON.parse(text));
        for (const some of [fields, within(fields, one)]) {
          assert.ok(some === undefined || (typeof some === 'object' && !Array.isArray(some)));
          assert.equal(typeof textOf(some, one), 'string');
        }
        for (const names of [NAMES, STRICT, PROTOTYPE]) credentialsOrFlaw(fields, names);
      }),
      { numRuns: 3000 },
    );
  });

  const anything = fc.oneof(
    fc.string(),
    fc.jsonValue(),
    fc.double(),
    fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
  );
  const record = fc.record(
    {
      AccessKeyId: fc.oneof(fc.string(), anything),
      SecretAccessKey: fc.oneof(fc.string(), anything),
      Token: anything,
      Expiration: anything,
      // In brackets it is a member like the others, and no prototype.
      ['__proto__']: anything,
      constructor: anything,
    },
    { requiredKeys: [] },
  );

  test('gives credentials that are whole, or none', () => {
    fc.assert(
      fc.property(record, fc.constantFrom(NAMES, STRICT, PROTOTYPE), (value, names) => {
        const fields = parseFields(JSON.stringify(value));
        const read = credentialsOrFlaw(fields, names);
        if (read === undefined) return;
        const [id, secret, token] = names.map((one) => textOf(fields, one.replace('?', '')).trim());
        assert.deepEqual([read.accessKeyId, read.secretAccessKey], [id, secret]);
        assert.ok(read.accessKeyId !== '' && read.secretAccessKey !== '');
        if (names === STRICT || read.sessionToken !== undefined) {
          assert.ok(read.sessionToken !== '' && read.sessionToken === token);
        }
        const { expiresMs = 0 } = read;
        assert.ok(typeof expiresMs === 'number' && !Number.isNaN(expiresMs));
      }),
      { numRuns: 3000 },
    );
  });

  for (const [what, text] of [
    ['open lists', '['.repeat(1e5)],
    ['lists in lists', '['.repeat(1e5) + ']'.repeat(1e5)],
    ['open objects', '{"a":'.repeat(1e5)],
  ] as const) {
    test(`of 100,000 ${what} is nothing`, () => assert.equal(parseFields(text), undefined));
  }

  test('of 100,000 objects in objects is an object', () => {
    const fields = parseFields(`${'{"a":'.repeat(1e5)}{}${'}'.repeat(1e5)}`);
    assert.notEqual(within(fields, 'a'), undefined);
    assert.equal(textOf(fields, 'a'), '');
    assert.equal(readCredentials(fields, ['a', 'a', 'a', 'a'], 'WHO'), undefined);
  });
});

test('any text is an instant or NaN', () => {
  const some = fc.constantFrom('2026-11-23T14:00:00', 'Z', 'UTC', '+0000', '-00', ':', ' ', '.5');
  const texts = fc.oneof(
    anyText,
    fc.array(fc.oneof(some, fc.nat().map(String)), { maxLength: 8 }).map((all) => all.join('')),
  );
  fc.assert(
    fc.property(texts, (text) => assert.equal(typeof parseInstant(text), 'number')),
    { numRuns: 2000 },
  );
});

test('an instant comes back, by whatever clock it was written', () => {
  const instant = fc.date({
    noInvalidDate: true,
    min: new Date('1970-01-01T00:00:00Z'),
    max: new Date('9999-12-31T00:00:00Z'),
  });
  const zone = fc.constantFrom('Z', 'UTC', '+0000', '+00:00', '-0000');
  fc.assert(
    fc.property(instant, zone, (date, by) => {
      assert.equal(parseInstant(date.toISOString().replace('Z', by)), date.getTime());
    }),
  );
});

describe('1 MB', () => {
  const filled = (unit: string, length = 1e6): string =>
    unit.repeat(Math.ceil(length / unit.length));

  const files: [what: string, text: string][] = [
    ['opening brackets', filled('[')],
    ['closing brackets', filled(']')],
    ['equals signs', filled('=')],
    ['blanks', filled(' ')],
    ['tabs', filled('\t')],
    ['carriage returns', filled('\r')],
    ['comment marks', filled(' #')],
    ['the word profile', filled('profile ')],
    ['quotes', filled('"')],
    ['a title of opening brackets', `[${filled('[')}]`],
    ['a title of quotes', `[${filled('"')}]`],
    ['a profile of quotes', `[profile ${filled('"')}]`],
    ['a profile with a quote that stays open', `[profile "${filled('a')}]`],
    ['a profile of blanks', `[profile ${filled(' ')}]`],
    ['a profile behind blanks', `[profile ${filled(' ')}a]`],
    ['a profile behind tabs, without an end', `[profile ${filled('\t')}a`],
    ['a profile behind blanks, cut by a carriage return', `[profile${filled(' ')}a\rb]`],
    ['a profile of the word profile', `[${filled('profile ')}]`],
    ['blanks behind a title', `[default]${filled(' ')}x`],
    ['comment marks behind a title', `[default]${filled(' #')}`],
    ['a value of equals signs', `[default]\na=${filled('=')}`],
    ['a value of comment marks', `[default]\na=${filled('#')}`],
    ['a value of blanks and an end', `[default]\na=${filled(' ')}x`],
    ['a value of carriage returns and an end', `[default]\na=${filled('\r')}x`],
    ['a name', `[default]\n${filled('a')}=`],
    ['a name with blanks', `[default]\na${filled(' ')}b=`],
    ['a name that is none', `[default]\n${filled('a ')}`],
    ['a value that goes on', `[default]\na=b\n ${filled('=')}`],
    ['empty lines', filled('\n')],
    ['properties', `[default]\n${filled('a=\n')}`],
    ['lines that go on', `[default]\na=\n${filled(' b=\n')}`],
    ['one section again and again', filled('[a]\n')],
  ];
  for (const [what, text] of files) {
    test(`of ${what} is read in linear time`, () => {
      for (const isConfig of [true, false]) assertLinear(() => outcome(text, isConfig));
    });
    test(`of ${what} as a block is read in linear time`, () => {
      assertLinear(() => nested(text, 'a'));
    });
  }

  const texts: [what: string, text: string][] = [
    ['open lists', filled('[')],
    ['lists in lists', filled('[', 5e5) + filled(']', 5e5)],
    ['open objects', filled('{"a":')],
    ['one string', `"${filled('a')}"`],
    ['escapes', `{"a":"${filled('\\u0041')}"}`],
    ['one number', `{"a":${filled('1')}}`],
    ['one member again and again', `{${filled('"a":1,')}"b":1}`],
    ['blanks', filled(' ')],
  ];
  for (const [what, text] of texts) {
    test(`of JSON, ${what}, is read in linear time`, () => {
      assertLinear(() => credentialsOrFlaw(parseFields(text), ['a', 'a', 'a?', 'a']));
    });
  }

  for (const unit of ['1', '+00', '+0000', 'UTC', '(', '-', ' ', ':', 'Z', 'a ']) {
    test(`of ${unit} is no instant, which is found out in linear time`, () => {
      const text = filled(unit);
      assert.equal(Number.isNaN(parseInstant(text)), true);
      assertLinear(() => parseInstant(text));
    });
  }
});
