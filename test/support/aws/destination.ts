import type { Destination } from '../../../src/aws/aws.ts';
import type { Identity } from '../../../src/aws/credentials/identity.ts';
import { createSkew } from '../../../src/aws/skew.ts';
import { type Clock, systemClock } from '../../../src/clock.ts';
import { createHttpClient } from '../../../src/net/http.ts';
import { CREDENTIALS, REGION } from '../service/cloudwatch.ts';

/** A destination that is found already: its endpoint, the region and the keys of the loopback CloudWatch. */
export function destinationAt(
  url: string,
  clock: Clock = systemClock(),
  who: Partial<Identity> = {},
): Destination {
  const identity: Identity = { ...CREDENTIALS, provider: 'a test', isManaged: false, ...who };
  return {
    region: { name: REGION, isFips: false, from: 'a test' },
    endpoint: new URL(url),
    credentials: { resolve: () => Promise.resolve(identity), invalidate: () => undefined },
    setting: () => undefined,
    http: createHttpClient(),
    clock,
    skew: createSkew(clock),
  };
}
