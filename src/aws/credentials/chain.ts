import { given } from '../../environment.ts';
import { ConfigError, NoDataError } from '../../errors.ts';
import { fromContainer } from './container.ts';
import type { ProviderContext } from './context.ts';
import { fromEnvironment, type Identity, type Origin, type Provided } from './identity.ts';
import { fromInstance } from './instance.ts';
import { type Base, type NamedSource, type Plan, planOf } from './plan.ts';
import { fromProcess } from './process.ts';
import { fromLogin, fromSso } from './sso.ts';
import { assumeByToken, assumeRole } from './sts.ts';

/** In their order: what each is called, and what it gives. Nothing where it is not configured. */
const PROVIDERS: readonly (readonly [
  origin: Origin,
  name: string,
  find: (context: ProviderContext) => Promise<Identity | undefined>,
])[] = [
  ['environment', 'the environment', async (context) => ownEnvironment(context)],
  ['profile', 'the profile', fromProfile],
  ['webIdentity', 'web identity', fromWebIdentity],
  ['container', 'the container’s endpoint', fromContainer],
  ['instance', 'the instance', fromInstance],
];

/**
 * Walks along the providers until one is configured. One that is configured and fails ends the walk:
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
  for (const [origin, name, find] of PROVIDERS) {
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
  throw new NoDataError(
    `no credentials: none in the environment, none in the profile ${context.profiles.name}, no web identity, no container role, ${why}`,
    { cause },
  );
}

/** `--profile` puts what the environment has aside. */
function ownEnvironment({ environment, profileFlag, skew }: ProviderContext): Identity | undefined {
  return profileFlag === undefined ? fromEnvironment(environment, skew.nowMs()) : undefined;
}

async function fromProfile(context: ProviderContext): Promise<Identity | undefined> {
  const plan = planOf(context.profiles);
  return plan && follow(plan, context);
}

/** As EKS sets it up for a service account. */
async function fromWebIdentity(context: ProviderContext): Promise<Identity | undefined> {
  const [tokenFile, roleArn, sessionName] = [
    'AWS_WEB_IDENTITY_TOKEN_FILE',
    'AWS_ROLE_ARN',
    'AWS_ROLE_SESSION_NAME',
  ].map((name) => given(context.environment, name));
  if (tokenFile === undefined || context.profileFlag !== undefined) return undefined;
  if (roleArn === undefined)
    throw new ConfigError('AWS_WEB_IDENTITY_TOKEN_FILE', 'needs AWS_ROLE_ARN');
  const provided = await assumeByToken(context, { roleArn, sessionName }, tokenFile);
  return { ...provided, provider: `web identity for ${roleArn}`, isManaged: true };
}

async function follow({ base, roles }: Plan, context: ProviderContext): Promise<Identity> {
  let identity = await fromBase(base, context);
  for (const role of roles) {
    const provided = await assumeRole(context, role, identity);
    const provider = `${identity.provider} → ${role.roleArn}`;
    identity = { ...provided, provider, isManaged: true };
  }
  return identity;
}

async function fromBase(base: Base, context: ProviderContext): Promise<Identity> {
  const provider = `profile ${context.profiles.name}`;
  const as = (provided: Provided, more: Partial<Identity> = {}): Identity => ({
    ...provided,
    provider,
    isManaged: false,
    ...more,
  });
  switch (base.kind) {
    case 'keys':
      return as(base.credentials);
    case 'named':
      return fromNamed(base.source, context);
    case 'web':
      return as(await assumeByToken(context, base.role, base.tokenFile), {
        provider: `${provider}, web identity for ${base.role.roleArn}`,
        isManaged: true,
      });
    case 'sso':
      return as(await fromSso(context, base), { provider: `${provider} by SSO`, isManaged: true });
    case 'login':
      return as(fromLogin(context, base.session), { provider: `${provider} by aws login` });
    case 'process': {
      const provided = await fromProcess(context, base.command);
      return as(provided, { provider: `${provider} by its process`, isLasting: true });
    }
  }
}

/** A source that a profile names must deliver. */
async function fromNamed(source: NamedSource, context: ProviderContext): Promise<Identity> {
  const named = {
    Environment: () => fromEnvironment(context.environment, context.skew.nowMs()),
    EcsContainer: () => fromContainer(context),
    Ec2InstanceMetadata: () => fromInstance(context),
  };
  const identity = await named[source]();
  if (identity !== undefined) return identity;
  throw new NoDataError(`profile ${context.profiles.name}: credential_source ${source} has none`);
}
