import { type Environment, given } from '../environment.ts';

/**
 * What OTEL_RESOURCE_ATTRIBUTES says: `k8s.cluster.name=main,…`, percent-encoded as in W3C Baggage. A text that is
 * not well encoded is taken as it stands.
 *
 * @see https://opentelemetry.io/docs/specs/otel/resource/sdk/
 */
export function resourceAttributes(environment: Environment): ReadonlyMap<string, string> {
  const pairs = (given(environment, 'OTEL_RESOURCE_ATTRIBUTES') ?? '').split(',');
  return new Map(
    pairs.flatMap((pair) => {
      const [, name = '', value = ''] = /^\s*([^=\s]+)\s*=\s*(.*?)\s*$/.exec(pair) ?? [];
      return name === '' ? [] : [[name, decoded(value)] as const];
    }),
  );
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) return text;
    throw error;
  }
}
