/** What a server or a program said, as far as it may be repeated: without secrets, and no longer than this. */
const LONGEST_CODE = 80;
const LONGEST_SENTENCE = 600;
/** Of what came, so much is looked at: it may be a page. */
const MOST_READ = 8000;
/** So much of a secret gives it away, also where it is repeated only in part. */
const TELLING = 16;
/** What is shorter is a word, and no secret: `test`, as emulators have it. */
const SHORTEST = 5;
/** Those of the last renewals. */
const MOST_KNOWN = 64;

/** Keys, tokens and passwords that this process has had, the newest last. */
const known = new Set<string>();

/** Lets no sentence repeat these from now on. */
export function keepSecret(...secrets: readonly (string | undefined)[]): void {
  for (const secret of secrets) {
    if (secret === undefined || secret.length < SHORTEST) continue;
    known.delete(secret);
    known.add(secret);
    const [oldest] = known;
    if (known.size > MOST_KNOWN && oldest !== undefined) known.delete(oldest);
  }
}

/** A code of an answer: one word of a sane length. */
export function redactCode(text: string): string {
  return text.replace(/[^\w.-]/g, '').slice(0, LONGEST_CODE);
}

/** What is a secret by its form, wherever it stands; `$1` says what it was. */
const FORMS: readonly RegExp[] = [
  // A signed header, whole.
  /()AWS4-HMAC-SHA256 Credential=[^\s,]+(?:,\s*\w+=[^\s,]+)*/g,
  // Behind the scheme of a header, and in the user of a URL.
  /\b((?:Bearer|Basic)\s+)[\w+/=.~-]+/gi,
  /([a-z][a-z\d+.-]*:\/\/)[^\s/@]+(?=@)/gi,
  // All of a header that carries a signature: whose it is and what it covers are part of it.
  /\b(AWS4-HMAC-SHA256\s+)Credential=[^\s"'<]+\s*(?:SignedHeaders=[^\s"'<]+\s*)?(?:Signature=[^\s"'<]+)?/gi,
  // Where its name says so: in a form, a header, a member of JSON.
  /((?:password|passwd|secret|signature|token|key)[\w-]*\s*=\s*["']?)[^\s"',;&<]+/gi,
  /\b((?:password|passwd|passphrase)\s*:\s*)[^\s"',;&<]+/gi,
  /("[\w-]*(?:password|secret|signature|token|authorization)[\w-]*"\s*:\s*")[^"]+/gi,
  /\b((?:x-amz-security-token|x-aws-ec2-metadata-token|x-amz-sso_bearer_token|cookie)\s*:\s*)\S+/gi,
  // A JSON Web Token, an access key, a secret key.
  /()\beyJ[\w-]+\.[\w-]+\.[\w-]*/g,
  /()\b(?:AKIA|ASIA)[A-Z\d]{12,}\b/g,
  /()(?<![\w+/=])(?=[^\s]*[a-z])(?=[^\s]*[A-Z])(?=[^\s]*\d)[A-Za-z\d+/]{40}(?![\w+/=])/g,
];

/**
 * One line of what a service or a program said, whole but for the secrets in it: those that this process
 * knows, and what is one by its form. Nothing goes by its length: names of roles, metrics and actions stay.
 *
 * @param secrets more that are known
 */
export function redactText(text: string, secrets: readonly (string | undefined)[] = []): string {
  const given = secrets.flatMap((one) => (one !== undefined && one.length >= SHORTEST ? one : []));
  // The longest first: a shorter one may be the beginning of it.
  const all = [...given, ...known].sort((one, other) => other.length - one.length);
  let line = text
    .slice(0, MOST_READ)
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .trim();
  for (const secret of all) line = without(secret, line);
  for (const form of FORMS) line = line.replace(form, '$1…');
  return line.length > LONGEST_SENTENCE ? `${line.slice(0, LONGEST_SENTENCE)}…` : line;
}

/** Also where only the beginning of it was repeated, and where it was escaped for a form. */
function without(secret: string, text: string): string {
  let rest = text;
  for (const form of new Set([secret, encodeURIComponent(secret)])) {
    const start = form.slice(0, TELLING).replace(/[$()*+.?[\\\]^{|}]/g, '\\$&');
    const end = form.length > TELLING ? '[\\w+/=.~%-]*' : '';
    rest = rest.replace(new RegExp(start + end, 'g'), '…');
  }
  return rest;
}
