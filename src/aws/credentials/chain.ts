import { given } from '../../environment.ts';
import { NoCredentialsError, NoDataError } from '../../errors.ts';
import type { ProviderContext } from './context.ts';
import { fromEnvironment, type Identity, type Origin } from './identity.ts';

type Find = (context: ProviderContext) => Promise<Identity | undefined>;

/**
 * The credential provider chain, in its order: what each provider is called, and what it gives. Nothing
 * where it is not configured, and then it is not loaded either.
 */
const CHAIN: readonly (readonly [origin: Origin, name: string, find: Find])[] = [
  ['environment', 'the environment', async (context) => ownEnvironment(context)],
  ['profile', 'the profile', profile],
  ['webIdentity', 'web identity', webIdentity],
  ['container', 'the container’s endpoint', container],
  ['instance', 'the instance', instance],
];

/**
 * Goes along the providers until one is configured. One that is configured and fails ends the search:
 * publishing with another identity than the one that was meant is worse than not to publish.
 *
 * @param before who had credentials the last time: a file that is being written looks like none at all
 * @throws ConfigError, ParseError, AwsError by what is configured and broken
 * @throws NoDataError where none is configured
 */
export async function resolveChain(
  context: ProviderContext,
  before?: Origin,
): Promise<Identity & { readonly origin: Origin }> {
  let cause: unknown;
  for (const [origin, name, find] of CHAIN) {
    context.asks(`the credentials, of ${name}`);
    const identity = await find(context).catch((error: unknown) => {
      if (origin !== 'instance' || !(error instanceof NoDataError)) throw error;
      cause = error;
    });
    if (identity) return { ...identity, origin };
    if (origin === before) {
      throw new NoDataError(`${name} had credentials, and has none any more`, { cause });
    }
  }
  const why = cause instanceof NoDataError ? cause.message : 'the instance has no role';
  throw new NoCredentialsError(
    `no credentials: none in the environment, none in the profile ${context.profiles.name}, no web identity, no container role, ${why}`,
    { cause },
  );
}

/** `--profile` puts what the environment has aside. */
function ownEnvironment({ environment, profileFlag, skew }: ProviderContext): Identity | undefined {
  return profileFlag === undefined ? fromEnvironment(environment, skew.nowMs()) : undefined;
}

async function profile(context: ProviderContext): Promise<Identity | undefined> {
  const { isEmpty, namedBy } = context.profiles;
  if (isEmpty && namedBy === undefined) return undefined;
  const { fromProfile } = await import('./profile.ts');
  return fromProfile(context);
}

async function webIdentity(context: ProviderContext): Promise<Identity | undefined> {
  const { environment, profileFlag } = context;
  const isSet = given(environment, 'AWS_WEB_IDENTITY_TOKEN_FILE') !== undefined;
  if (!isSet || profileFlag !== undefined) return undefined;
  const { fromWebIdentity } = await import('./web.ts');
  return fromWebIdentity(context);
}

async function container(context: ProviderContext): Promise<Identity | undefined> {
  const names = [
    'AWS_CONTAINER_CREDENTIALS_RELATIVE_URI',
    'AWS_CONTAINER_CREDENTIALS_FULL_URI',
  ] as const;
  if (names.every((name) => given(context.environment, name) === undefined)) return undefined;
  const { fromContainer } = await import('./container.ts');
  return fromContainer(context);
}

async function instance(context: ProviderContext): Promise<Identity | undefined> {
  const { fromInstance } = await import('./instance.ts');
  return fromInstance(context);
}
