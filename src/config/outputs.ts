import { parseEndpoint } from '../aws/endpoint.ts';

/** Where closed windows go. */
export type Output =
  | { readonly kind: 'cloudwatch' }
  /** @property url its own endpoint; where there is none, that is found as CloudWatch's */
  | { readonly kind: 'otlp'; readonly url?: string }
  /** @property to a file, `tcp://HOST:PORT` or `udp://HOST:PORT`; standard output where there is none */
  | { readonly kind: 'emf'; readonly to?: string };

export const OUTPUT_VALUE = 'cloudwatch|otlp[=URL]|emf[=FILE|tcp://…|udp://…]';
export const OUTPUT_EXPECTED =
  'cloudwatch, otlp, otlp=http://HOST or otlp=https://HOST without user, query or fragment, emf, emf=FILE, or emf=tcp://HOST:PORT or udp';

/** Nothing where the text is no output. */
export function parseOutput(text: string): Output | undefined {
  const [kind, where] = text.split(/=(.*)/s);
  if (kind === 'cloudwatch' && where === undefined) return { kind };
  if (kind === 'otlp') {
    if (where === undefined) return { kind };
    const url = parseEndpoint(where)?.href;
    return url === undefined ? undefined : { kind, url };
  }
  if (kind !== 'emf') return undefined;
  if (where === undefined) return { kind };
  const isGood = /^(?:tcp|udp):\/\/[^\s/@?#]+:\d{1,5}\/?$/.test(where) || !/^$|:\/\//.test(where);
  return isGood ? { kind, to: where } : undefined;
}

/** What an output is called in the log, and what its windows in a spool are kept under. */
export function outputName(output: Output): string {
  const where = output.kind === 'otlp' ? output.url : output.kind === 'emf' ? output.to : undefined;
  return output.kind + (where === undefined ? '' : `=${where}`);
}
