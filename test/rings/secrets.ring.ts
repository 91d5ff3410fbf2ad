import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { SAID } from '../support/said.ts';
import { CREDENTIALS } from '../support/service/cloudwatch.ts';

/** What tests use as secrets; by their names, these and nothing else are meant to stay secret. */
const BY_NAME = /\b(?:secret|token)-of-\w+/;
const OTHERS = [CREDENTIALS.secretAccessKey, 'token/with+signs==', 'WrongSecretThatMustNotShow'];
/** A signature, or the header that carries one. */
const SIGNED = /Signature=[\da-f]{8}|AWS4-HMAC-SHA256 Credential=/;

/** Everything in a text that was to stay secret, in any form in which it could have got there. */
function leaksOf(text: string): string[] {
  const forms = OTHERS.flatMap((secret) => [
    secret,
    encodeURIComponent(secret),
    Buffer.from(secret).toString('base64'),
  ]);
  const named = [BY_NAME, SIGNED].flatMap((form) => form.exec(text)?.[0] ?? []);
  return [...new Set([...named, ...forms.filter((secret) => text.includes(secret))])];
}

describe('secrets', () => {
  const lines = (existsSync(SAID) ? readdirSync(SAID) : []).flatMap((name) =>
    readFileSync(new URL(name, SAID), 'utf8').split('\n'),
  );

  test('the search finds each kind where it is', () => {
    const planted = [
      'reason="no secret-of-LINE"',
      'x token-of-ROLE+',
      ...OTHERS,
      encodeURIComponent(CREDENTIALS.secretAccessKey),
      Buffer.from(CREDENTIALS.secretAccessKey).toString('base64'),
      'authorization: AWS4-HMAC-SHA256 Credential=A/2026',
      'Signature=0123456789abcdef',
    ];
    for (const text of planted) assert.equal(leaksOf(text).length, 1, text);
    assert.deepEqual(leaksOf('aws_secret_access_key is missing beside the key'), []);
  });

  test('what the program said in all tests before is here', () => {
    for (const kind of [
      / info published /,
      /cannot publish yet, windows wait/,
      /CredentialProcess/,
      /STS refused AssumeRole/,
      /"mark":"FAIL","what":"endpoint"/,
      /https?_proxy/,
    ]) {
      assert.ok(
        lines.some((line) => kind.test(line)),
        `nothing said ${kind}: run it after all others, by npm test`,
      );
    }
  });

  test('and none of it holds a secret that a test used', () => {
    const leaks = lines.flatMap((line) => leaksOf(line).map((leak) => `${leak} in: ${line}`));
    assert.deepEqual(leaks, []);
  });
});
