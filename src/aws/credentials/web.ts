import { given } from '../../environment.ts';
import { ConfigError } from '../../errors.ts';
import type { ProviderContext } from './context.ts';
import type { Identity } from './identity.ts';
import { assumeByToken } from './sts.ts';

/** As EKS sets it up for a service account. */
export async function fromWebIdentity(context: ProviderContext): Promise<Identity | undefined> {
  const [tokenFile, roleArn, sessionName] = [
    'AWS_WEB_IDENTITY_TOKEN_FILE',
    'AWS_ROLE_ARN',
    'AWS_ROLE_SESSION_NAME',
  ].map((name) => given(context.environment, name));
  if (tokenFile === undefined) return undefined;
  if (roleArn === undefined)
    throw new ConfigError('AWS_WEB_IDENTITY_TOKEN_FILE', 'needs AWS_ROLE_ARN');
  const provided = await assumeByToken(
    context,
    { roleArn, sessionName },
    tokenFile,
    'AWS_WEB_IDENTITY_TOKEN_FILE',
  );
  return { ...provided, provider: `web identity for ${roleArn}`, isManaged: true };
}
