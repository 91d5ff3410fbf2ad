/** What a server or a program said, as far as it may be repeated. */
const LONGEST_CODE = 80;
const LONGEST_TEXT = 200;
const LONGEST_SENTENCE = 300;
/** Of what came, so much is looked at: it may be a page. */
const MOST_READ = 4000;
/** So much of a secret gives it away. */
const TELLING = 16;

/** Values such as a token, where they are known. */
type Secrets = readonly (string | undefined)[];

/** A code of an answer: one word of a sane length. */
export function redactCode(text: string): string {
  return text.replace(/[^\w.-]/g, '').slice(0, LONGEST_CODE);
}

/** One line without anything that looks like a secret: some servers repeat the token that they refuse. */
export function redactText(text: string, secrets: Secrets = []): string {
  return without(secrets, lineOf(text.slice(0, 2 * LONGEST_TEXT)))
    .replace(/[\w+/=.~-]{16,}/g, '…')
    .slice(0, LONGEST_TEXT);
}

/**
 * One line of a service that names roles and metrics, which are to stay: without the secrets that are
 * known, named ones (`Signature=…`), key ids, and runs that only a key or a token has.
 */
export function redactSentence(text: string, secrets: Secrets = []): string {
  const line = without(secrets, lineOf(text.slice(0, MOST_READ)))
    .replace(
      /([\w-]*(?:authorization|cookie|credential|password|secret|signature|token)["']?\s*[:=]\s*["']?)[^\s"',;&<]+/gi,
      '$1…',
    )
    .replace(/\bA[A-Z]{3}[A-Z\d]{12,}\b/g, '…')
    .replace(/\b[\da-f]{32,}\b|[\w+=%~-]{40,}/gi, '…');
  return line.length > LONGEST_SENTENCE ? `${line.slice(0, LONGEST_SENTENCE)}…` : line;
}

function lineOf(text: string): string {
  return text.replace(/[\s\p{Cc}]+/gu, ' ').trim();
}

/** Also where only the beginning of one was repeated. */
function without(secrets: Secrets, text: string): string {
  let rest = text;
  for (const secret of secrets) {
    if (!secret) continue;
    for (const form of [secret, encodeURIComponent(secret)]) {
      const start = form.slice(0, TELLING).replace(/[$()*+.?[\\\]^{|}]/g, '\\$&');
      const end = form.length > TELLING ? '[\\w+/=.~%-]*' : '';
      rest = rest.replace(new RegExp(start + end, 'g'), '…');
    }
  }
  return rest;
}
