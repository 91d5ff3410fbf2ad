import type { HttpAnswer } from '../net/http.ts';
import { redactCode } from './redact.ts';

/** What the service said, as far as it is needed. */
export interface Answer {
  /** The root element's name, without prefix; empty where the body is not XML or was cut. */
  readonly root: string;
  readonly code: string;
  readonly message: string;
  readonly requestId: string;
}

const ENTITIES: ReadonlyMap<string, string> = new Map([
  ['lt', '<'],
  ['gt', '>'],
  ['amp', '&'],
  ['quot', '"'],
  ['apos', "'"],
]);
/** Code and message are short; a proxy's page is not. Session tokens have no longest length. */
const LONGEST_TEXT = 2000;

/**
 * Reads `PutMetricDataResponse` and all shapes of error that have been seen: `ErrorResponse > Error`,
 * `Response > Errors > Error`, an empty body, or a proxy's HTML. It takes any text.
 *
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CommonErrors.html
 */
export function parseAnswer(body: string): Answer {
  const opened = /^\s*(?:<\?[^>]*>\s*)?<(?:[\w.-]+:)?([\w.-]+)[\s>]/.exec(body)?.[1];
  const closed = /<\/(?:[\w.-]+:)?([\w.-]+)\s*>\s*$/.exec(body.slice(-LONGEST_TEXT))?.[1];
  return {
    root: opened !== undefined && opened === closed ? opened : '',
    code: shortElement(body, 'Code'),
    message: shortElement(body, 'Message'),
    requestId: redactCode(shortElement(body, 'RequestId') || shortElement(body, 'RequestID')),
  };
}

/**
 * The code of an answer that is no success, in whatever place the service put it; empty where there is
 * none. `aws.protocols#Throttling:http://…` is Throttling.
 */
export function errorCode({ body, headers }: HttpAnswer): string {
  const header = headers['x-amzn-errortype'] ?? headers['x-amzn-query-error'] ?? '';
  const inJson = /"__type"\s*:\s*"([^"]*)"/.exec(body)?.[1] ?? '';
  const said = shortElement(body, 'Code') || String(header) || inJson;
  const text = said.replace(/^[^#]*#|[:;].*$/g, '');
  return redactCode(text);
}

/** The text of the first element of that name; empty where there is none. */
export function element(body: string, name: string): string {
  const open = new RegExp(`<(?:[\\w.-]+:)?${name}(?:\\s[^<>]*)?(?<!/)>`).exec(body);
  if (open === null) return '';
  const from = open.index + open[0].length;
  const end = body.indexOf('</', from);
  return decoded(body.slice(from, end < 0 ? from : end)).trim();
}

function shortElement(body: string, name: string): string {
  return element(body, name).slice(0, LONGEST_TEXT);
}

function decoded(text: string): string {
  return text.replace(/&(?:#(\d{1,7})|#x([\da-fA-F]{1,6})|([a-z]+));/g, (whole, dec, hex, name) => {
    if (name !== undefined) return ENTITIES.get(name) ?? whole;
    const point = hex === undefined ? Number(dec) : Number.parseInt(hex, 16);
    return point > 0x10ffff ? whole : String.fromCodePoint(point);
  });
}
