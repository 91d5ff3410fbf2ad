import { NoDataError } from '../../errors.ts';
import type { ProviderContext } from './context.ts';
import { fromEnvironment, type Identity, type Provided } from './identity.ts';
import { type Base, type NamedSource, type Plan, planOf } from './plan.ts';

/** What the profile in use leads to; nothing where it holds no credentials. */
export async function fromProfile(context: ProviderContext): Promise<Identity | undefined> {
  const plan = planOf(context.profiles);
  return plan && follow(plan, context);
}

async function follow({ base, roles }: Plan, context: ProviderContext): Promise<Identity> {
  let identity = await fromBase(base, context);
  for (const role of roles) {
    const { assumeRole } = await import('./sts.ts');
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
    case 'web': {
      const { assumeByToken } = await import('./sts.ts');
      return as(
        await assumeByToken(
          context,
          base.role,
          base.tokenFile,
          `web_identity_token_file of ${provider}`,
        ),
        {
          provider: `${provider}, web identity for ${base.role.roleArn}`,
          isManaged: true,
        },
      );
    }
    case 'sso': {
      const { fromSso } = await import('./sso.ts');
      return as(await fromSso(context, base), { provider: `${provider} by SSO`, isManaged: true });
    }
    case 'login': {
      const { fromLogin } = await import('./sso.ts');
      return as(await fromLogin(context, base.session), { provider: `${provider} by aws login` });
    }
    case 'process': {
      const { fromProcess } = await import('./process.ts');
      const provided = await fromProcess(context, base.command);
      return as(provided, { provider: `${provider} by its process`, isLasting: true });
    }
  }
}

/** A source that a profile names must deliver. */
async function fromNamed(source: NamedSource, context: ProviderContext): Promise<Identity> {
  const named = {
    Environment: async () => fromEnvironment(context.environment, context.skew.nowMs()),
    EcsContainer: async () => (await import('./container.ts')).fromContainer(context),
    Ec2InstanceMetadata: async () => (await import('./instance.ts')).fromInstance(context),
  };
  const identity = await named[source]();
  if (identity !== undefined) return identity;
  throw new NoDataError(`profile ${context.profiles.name}: credential_source ${source} has none`);
}
