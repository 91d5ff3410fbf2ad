import type { Refusal } from './refusal.ts';

/** A whole HTTP answer, before it is sent. */
export interface Answer {
  status: number;
  headers: Record<string, string>;
  body: string;
}

/** The name space of every document of this API. */
export const XMLNS = 'http://monitoring.amazonaws.com/doc/2010-08-01/';

/** `<Action>Response` around `result` (a whole Result element, or nothing, as with PutMetricData). */
export function success(action: string, result: string, requestId: string): Answer {
  const metadata = `<ResponseMetadata>${element('RequestId', requestId)}</ResponseMetadata>`;
  const root = `${action}Response`;
  return xml(200, `<${root} xmlns="${XMLNS}">\n${result}${metadata}\n</${root}>\n`, requestId);
}

/** `ErrorResponse`, the Type derived from the status. */
export function failure(refusal: Refusal, requestId: string): Answer {
  // The service blames the sender for throttling too: it is a 400.
  const type = element('Type', refusal.status >= 500 ? 'Receiver' : 'Sender');
  const code = element('Code', refusal.code);
  const message = element('Message', refusal.message);
  const error = `<Error>\n${type}${code}${message}</Error>\n`;
  const body = `<ErrorResponse xmlns="${XMLNS}">\n${error}${element('RequestId', requestId)}</ErrorResponse>\n`;
  return xml(refusal.status, body, requestId);
}

/** One element with text in it, and the end of its line. */
export function element(name: string, text: string | number): string {
  return `<${name}>${escapeXml(String(text))}</${name}>\n`;
}

function xml(status: number, body: string, requestId: string): Answer {
  return { status, headers: { 'content-type': 'text/xml', 'x-amzn-RequestId': requestId }, body };
}

function escapeXml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
