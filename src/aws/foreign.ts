/** What a server or a program said, as far as it may be repeated. */
const LONGEST_CODE = 80;
const LONGEST_TEXT = 200;

/** A code of an answer: one word of a sane length. */
export function foreignCode(text: string): string {
  return text.replace(/[^\w.-]/g, '').slice(0, LONGEST_CODE);
}

/** One line without anything that looks like a secret: some servers repeat the token that they refuse. */
export function foreignText(text: string): string {
  const line = text.slice(0, 2 * LONGEST_TEXT).replace(/[\s\p{Cc}]+/gu, ' ');
  return line
    .replace(/[\w+/=.~-]{16,}/g, '…')
    .trim()
    .slice(0, LONGEST_TEXT);
}
