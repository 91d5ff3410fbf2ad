import { ConfigError, NoDataError } from '../errors.ts';
import { fromCommand } from './command.ts';
import { fromContainer } from './container.ts';
import { fromEnvironment, type Identity, type Provided } from './credentials.ts';
import { fromInstance } from './instance.ts';
import type { Means } from './means.ts';
import { type Base, type NamedSource, type Plan, planOf } from './plan.ts';
import { given } from './profiles.ts';
import { fromLogin, fromSso } from './sso.ts';
import { assumeByToken, assumeRole } from './sts.ts';

/**
 * Walks along the providers until one is configured. One that is configured and fails ends the walk:
 * publishing with another identity than the one that was meant is worse than not to publish.
 *
 * @throws ConfigError, ParseError, AwsError by what is configured and broken
 * @throws NoDataError where none is configured
 */
export async function provide(means: Means): Promise<Identity> {
  const { environment, profiles, profileFlag, skew } = means;
  const isEnvironment = profileFlag === undefined;
  const keys = isEnvironment ? fromEnvironment(environment, skew.nowMs()) : undefined;
  if (keys !== undefined) return keys;
  const plan = planOf(profiles);
  if (plan !== undefined) return follow(plan, means);
  const found =
    (isEnvironment ? await fromWebIdentity(means) : undefined) ?? (await fromContainer(means));
  if (found !== undefined) return found;
  let why = 'the instance has no role';
  let cause: unknown;
  try {
    const role = await fromInstance(means);
    if (role !== undefined) return role;
  } catch (error) {
    if (!(error instanceof NoDataError)) throw error;
    why = error.message;
    cause = error;
  }
  throw new NoDataError(
    `no credentials: none in the environment, none in the profile ${profiles.name}, no web identity, no container role, ${why}`,
    { cause },
  );
}

/** As EKS sets it up for a service account. */
async function fromWebIdentity(means: Means): Promise<Identity | undefined> {
  const [tokenFile, roleArn, sessionName] = [
    'AWS_WEB_IDENTITY_TOKEN_FILE',
    'AWS_ROLE_ARN',
    'AWS_ROLE_SESSION_NAME',
  ].map((name) => given(means.environment, name));
  if (tokenFile === undefined) return undefined;
  if (roleArn === undefined)
    throw new ConfigError('AWS_WEB_IDENTITY_TOKEN_FILE', 'needs AWS_ROLE_ARN');
  const provided = await assumeByToken(means, { roleArn, sessionName }, tokenFile);
  return { ...provided, provider: `web identity for ${roleArn}`, isManaged: true };
}

async function follow({ base, roles }: Plan, means: Means): Promise<Identity> {
  let identity = await fromBase(base, means);
  for (const role of roles) {
    const provided = await assumeRole(means, role, identity);
    const provider = `${identity.provider} → ${role.roleArn}`;
    identity = { ...provided, provider, isManaged: true };
  }
  return identity;
}

async function fromBase(base: Base, means: Means): Promise<Identity> {
  const provider = `profile ${means.profiles.name}`;
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
      return fromNamed(base.source, means);
    case 'web':
      return as(await assumeByToken(means, base.role, base.tokenFile), {
        provider: `${provider}, web identity for ${base.role.roleArn}`,
        isManaged: true,
      });
    case 'sso':
      return as(await fromSso(means, base), { provider: `${provider} by SSO`, isManaged: true });
    case 'login':
      return as(fromLogin(means, base.session), { provider: `${provider} by aws login` });
    case 'process': {
      const provided = await fromCommand(means, base.command);
      return as(provided, { provider: `${provider} by its process`, isLasting: true });
    }
  }
}

/** A source that a profile names must deliver. */
async function fromNamed(source: NamedSource, means: Means): Promise<Identity> {
  const named = {
    Environment: () => fromEnvironment(means.environment, means.skew.nowMs()),
    EcsContainer: () => fromContainer(means),
    Ec2InstanceMetadata: () => fromInstance(means),
  };
  const identity = await named[source]();
  if (identity !== undefined) return identity;
  throw new NoDataError(`profile ${means.profiles.name}: credential_source ${source} has none`);
}
