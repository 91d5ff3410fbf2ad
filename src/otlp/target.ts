import type { Aws } from '../aws/aws.ts';
import { parseEndpoint } from '../aws/endpoint.ts';
import { createSkew } from '../aws/skew.ts';
import { authorities } from '../aws/trust.ts';
import type { Clock } from '../clock.ts';
import type { Target } from '../cloudwatch/post.ts';
import { type Environment, given } from '../environment.ts';
import { createHttpClient } from '../net/http.ts';
import { routeBy } from '../net/route.ts';
import { isSigned, metricsUrl } from './post.ts';

export interface TargetOptions {
  /** The output's own endpoint. */
  readonly url: string | undefined;
  /** By --endpoint-url. */
  readonly endpoint: URL | undefined;
  readonly sign: 'auto' | 'always' | 'never';
  readonly caBundle: string | undefined;
  readonly environment: Environment;
  readonly clock: Clock;
  readonly ending?: AbortSignal;
  readonly threads?: { held: number };
  /** Loads what AWS needs. */
  readonly aws: () => Promise<Aws>;
}

/** Finds where windows go, and what signs them, where they are signed. */
export interface Located {
  locate(signal: AbortSignal): Promise<Target>;
  /** What that waits for. */
  readonly asking: () => string;
  /** The endpoint is known by flags or variables, and nothing is signed: nothing of AWS is needed. */
  readonly isPlain: boolean;
}

export function otlpTarget(options: TargetOptions): Located {
  const { sign, aws, url } = options;
  const said = saidUrl(options);
  if (said !== undefined && !isSigned(said, sign)) {
    let plain: Target | undefined;
    const locate = async (): Promise<Target> => {
      plain ??= await plainTarget(said, options);
      return plain;
    };
    return { locate, asking: () => '', isPlain: true };
  }
  let found: Aws | undefined;
  return {
    isPlain: false,
    asking: () => found?.asking() ?? '',
    async locate(signal) {
      found ??= await aws();
      const { credentials, ...destination } = await found.locate(signal);
      const endpoint = metricsUrl(url === undefined ? destination.endpoint : new URL(url));
      return { ...destination, endpoint, ...(isSigned(endpoint, sign) && { credentials }) };
    },
  };
}

/** Where flags or variables say it; the profile may, too, and is AWS's to read. */
function saidUrl({ url, endpoint, environment }: TargetOptions): URL | undefined {
  const isIgnored = given(environment, 'AWS_IGNORE_CONFIGURED_ENDPOINT_URLS') !== undefined;
  const names = isIgnored ? [] : ['AWS_ENDPOINT_URL_CLOUDWATCH', 'AWS_ENDPOINT_URL'];
  const [variable] = names.flatMap((name) => given(environment, name) ?? []);
  const text = url ?? endpoint?.href ?? variable;
  return text === undefined ? undefined : parseEndpoint(text);
}

async function plainTarget(url: URL, options: TargetOptions): Promise<Target> {
  const { environment, clock, ending, threads } = options;
  const bundle = options.caBundle ?? given(environment, 'AWS_CA_BUNDLE');
  const name = options.caBundle === undefined ? 'AWS_CA_BUNDLE' : '--ca-bundle';
  const ca = bundle === undefined ? undefined : await authorities(bundle, name);
  const trust = ca === undefined ? {} : { ca, caName: `${bundle} (${name})` };
  const names = { environment, ending, threads };
  return {
    region: { name: '' },
    endpoint: metricsUrl(url),
    setting: (variable) => given(environment, variable),
    http: createHttpClient({ route: routeBy(environment), ...names, ...trust }),
    clock,
    skew: createSkew(clock),
  };
}
