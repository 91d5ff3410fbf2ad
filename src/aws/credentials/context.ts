import type { Environment } from '../../environment.ts';
import type { Imds } from '../../metadata/imds.ts';
import type { Transport, Trying } from '../call.ts';
import type { EndpointSettings } from '../endpoint.ts';
import type { Home, Profiles } from '../profiles.ts';
import type { Region } from '../region.ts';

/** What one search along the providers works with. */
export interface ProviderContext extends Transport, Trying {
  readonly environment: Environment;
  readonly home: Home;
  readonly profiles: Profiles;
  /** `--profile`: it puts the environment's own credentials aside, as with the AWS CLI. */
  readonly profileFlag: string | undefined;
  readonly imds: Imds;
  readonly endpoints: EndpointSettings;
  /** The region of this client. @throws NoDataError where there is none */
  readonly region: () => Promise<Region>;
  /** When this process began, for names that are to stay the same. */
  readonly startMs: number;
  /** Notes who is asked now, in words. */
  readonly asks: (whom: string) => void;
  /** Says once what is wrong but not so wrong as to stop. */
  readonly warn: (reason: string) => void;
  /** Of a call to STS or SSO. */
  readonly tries: number;
  /** Of all of the search. */
  readonly signal: AbortSignal;
}
